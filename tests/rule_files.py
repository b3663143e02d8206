"""Rules for tests: any that can be written, and a slow reading of them in plain Python."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import hedged_distance
from litehedge.hedge.quantities import QUANTITIES, Quantity
from litehedge.hedge.rules import Condition, Group, Rule, Rules
from litehedge.margin.tiers import maintenance
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND

Signals = NDArray[Any]


def _values(quantity: Quantity) -> st.SearchStrategy[float]:
    """Round ones often, so that conditions touch; and any."""
    if quantity.choices:
        return st.integers(0, len(quantity.choices) - 1).map(float)
    if quantity.name == "hour":
        return st.integers(0, 1440).map(lambda minutes: minutes / 60.0)
    low, high = quantity.low, quantity.high
    round_ones = st.integers(0, 20).map(lambda n: round(low + (high - low) * n / 20, 6))
    return round_ones | st.floats(low, high, allow_subnormal=False)


@st.composite
def conditions(draw: st.DrawFn, names: tuple[str, ...] = tuple(QUANTITIES)) -> Condition:
    quantity = QUANTITIES[draw(st.sampled_from(names))]
    words = ["is", "is not"]
    numbers = ["above", "at least", "below", "at most", "between"]
    known = words if quantity.choices else numbers
    if quantity.choices and quantity.is_cyclic:
        known = words + numbers
    comparator = draw(st.sampled_from(known))
    values = [draw(_values(quantity)) for _ in range(2 if comparator == "between" else 1)]
    if not quantity.is_cyclic:
        values.sort()
    return Condition(quantity.name, comparator, tuple(values))  # type: ignore[arg-type]


lines_of_text = st.text(st.characters(codec="utf-8"), max_size=12).filter(str.isprintable)
modes = st.sampled_from(["all", "any"])
spans = st.one_of(
    st.just(0), st.integers(1, 3 * 24 * 60).map(lambda n: n * NS_PER_MINUTE),
    st.integers(1, 500).map(lambda n: n * NS_PER_SECOND),
)  # fmt: skip


@st.composite
def rules_alone(
    draw: st.DrawFn, kind: str | None = None, names: tuple[str, ...] = tuple(QUANTITIES)
) -> Rule:
    kind = kind or draw(st.sampled_from(["hedge_at_least", "never_above"]))
    entries: list[Condition | Group] = []
    left = 8
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            size = draw(st.integers(1, min(2, left)))
            group = tuple(draw(conditions(names)) for _ in range(size))
            entries.append(Group(draw(modes), group))
            left -= size
        else:
            entries.append(draw(conditions(names)))
            left -= 1
    return Rule(
        kind, draw(st.integers(0, 20)) / 20.0,  # type: ignore[arg-type]
        draw(modes) if entries else "all", tuple(entries),
        draw(lines_of_text), draw(spans),
        draw(st.sampled_from(["", "hedge"])) if kind == "hedge_at_least" else "",
    )  # fmt: skip


def rule_sets(kind: str | None = None, largest: int = 4) -> st.SearchStrategy[Rules]:
    """Rules as a program could make them; some contradict themselves and are refused when read."""
    listed = st.lists(rules_alone(kind), min_size=1, max_size=largest).map(tuple)
    return st.builds(
        Rules, st.just("made"), listed, lines_of_text,
        st.sampled_from(["", "plugin", "unhedged"]),
    )  # fmt: skip


# --- slowly -----------------------------------------------------------------------------------


def value_of(
    name: str, side: float, signals: Signals, now_ns: int, ratio: float, equity: float,
    notional: float, equity_left: float, terms: Any,
) -> float:  # fmt: skip
    """Work out a quantity from what it says it is; nothing of this comes from the table."""
    hurt, other = (0, 1) if side > 0 else (1, 0)
    moment = datetime.fromtimestamp(now_ns // NS_PER_SECOND, tz=UTC)
    by_minutes = {"15min": 0, "60min": 1, "240min": 2}
    kind, _, horizon = name.rpartition("_")
    match name:
        case _ if kind == "squeeze":
            return float(signals[sg.ONSET + 3 * hurt + by_minutes[horizon], 0])
        case _ if kind == "favourable_squeeze":
            return float(signals[sg.ONSET + 3 * other + by_minutes[horizon], 0])
        case "minutes_to_peak":
            return float(signals[sg.PEAK + hurt, 0])
        case "favourable_minutes_to_peak":
            return float(signals[sg.PEAK + other, 0])
        case "phase_before" | "phase_during" | "phase_after":
            place = ("phase_before", "phase_during", "phase_after").index(name)
            return float(signals[sg.PHASE + place, 0])
        case "severity_median" | "severity_95":
            level = 1 if name == "severity_median" else 3
            return float(signals[sg.SEVERITY + 5 * hurt + level, 0])
        case "forecast_volatility_30min":
            return float(signals[sg.VOL_30, 0]) * math.sqrt(30.0)
        case "forecast_volatility_120min":
            return float(signals[sg.VOL_120, 0]) * math.sqrt(120.0)
        case "confidence" | "forecast_state" | "volatility" | "depth" | "volume":
            row = {"confidence": sg.CONFIDENCE, "forecast_state": sg.STATE,
                   "volatility": sg.VOL_RULE, "depth": sg.DEPTH, "volume": sg.VOLUME}  # fmt: skip
            return float(signals[row[name], 0])
        case "move_against_15min":
            return -side * float(signals[sg.MOVE_15M, 0])
        case "funding":
            return 1e4 * float(signals[sg.FUNDING, 0])
        case "funding_you_pay":
            return side * 1e4 * float(signals[sg.FUNDING, 0])
        case "distance_to_liquidation":
            rate = maintenance(notional, terms["tiers"]) / notional
            return hedged_distance(side, 0.0, equity / notional, rate, int(terms["coupling"]))
        case "equity_share":
            return equity / notional
        case "leverage_now":
            return notional / equity if equity > 0.0 else math.inf
        case "hedge_now":
            return ratio
        case "equity_left":
            return equity_left
        case "hour":
            return (now_ns % (86_400 * 10**9)) / 3_600e9
        case "weekday":
            return float(moment.weekday())
        case "weekend":
            return float(moment.weekday() >= 5)
    raise AssertionError(name)


def fulfilled(condition: Condition, x: float, *, holds_unknown: bool) -> bool:
    """Tell whether a value meets a condition, read aloud."""
    if math.isnan(x):
        return holds_unknown
    first, last = condition.values[0], condition.values[-1]
    match condition.comparator:
        case "above":
            return x > first
        case "at least":
            return x >= first
        case "below":
            return x < first
        case "at most":
            return x <= first
        case "is":
            return x == first
        case "is not":
            return x != first
        case _:
            return first <= x <= last if first <= last else x >= first or x <= last


def rule_holds(rule: Rule, *situation: Any) -> bool:
    """Tell whether a rule's conditions hold in a `situation` as `value_of` takes it."""

    def one(condition: Condition | Group) -> bool:
        if isinstance(condition, Group):
            return (all if condition.mode == "all" else any)(one(c) for c in condition.conditions)
        x = value_of(condition.quantity, *situation)
        return fulfilled(condition, x, holds_unknown=bool(rule.when_unknown))

    return (all if rule.mode == "all" else any)(one(c) for c in rule.conditions)


def slow_band(
    rules: Rules, held: dict[int, float], now_ns: int, max_ratio: float, lo: float, hi: float,
    *situation: Any,
) -> tuple[float, float]:  # fmt: skip
    """Return what `rule_kernel.under_rules` should; `held` is its memory, by number of the rule."""
    caps, floors = [math.inf], [0.0]
    for number, rule in enumerate(rules.rules):
        if rule_holds(rule, *situation):
            held[number] = float(now_ns + rule.for_ns)
        if now_ns <= held.get(number, -1.0):
            (floors if rule.kind == "hedge_at_least" else caps).append(rule.ratio)
    lo, hi = min(lo, *caps), min(hi, *caps)
    lo = max(lo, min(max(floors), max_ratio))
    return lo, max(hi, lo)
