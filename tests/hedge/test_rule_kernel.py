"""Rules inside a decision: laws of floors and caps, and the kernel against a slow reading."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS, leverages, locations, sizes

from litehedge.config import Hedge, Position, Settings
from litehedge.errors import UsageError
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policy_named, static, with_rules
from litehedge.hedge.rule_kernel import N_MEMORY, new_memory, under_rules
from litehedge.hedge.rules import Condition, Rule, Rules, binding, reason_of
from litehedge.hedge.terms import Terms, terms_of
from litehedge.units import NS_PER_MINUTE, instant_ns
from rule_files import rule_sets, rules_alone, slow_band
from strategies import instants, ratios, sides, signal_rows

Singles = NDArray[np.float32]
NOW = instant_ns("2023-03-08T12:00")  # a Wednesday
max_ratios = st.sampled_from([1.0, 0.6])


def terms(rules: Rules | None, side: float = 1.0, max_ratio: float = 1.0,
          location: str = "same_account") -> Terms:  # fmt: skip
    settings = Settings(
        position=Position(side="long" if side > 0 else "short"),
        hedge=Hedge(max_ratio=max_ratio, location=location),  # type: ignore[arg-type]
    )
    policy = with_rules(policy_named("plugin", settings), rules)
    return terms_of(settings, policy, TIERS, 100.0)


bands = st.tuples(ratios, ratios).map(sorted)


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    """A frame, with or without gaps, of which everything is known that a rule may ask."""
    signals = draw(signal_rows(state=draw(st.sampled_from([0, 1, 2]))))
    signals[sg.PHASE : sg.PHASE + 3, 0] = [draw(st.floats(0.0, 0.5)) for _ in range(3)]
    signals[sg.PEAK : sg.PEAK + 2, 0] = [draw(st.floats(1.0, 200.0)) for _ in range(2)]
    signals[sg.DEPTH, 0] = draw(st.floats(1e3, 1e6))
    notional = 100.0 * draw(sizes)
    return {
        "signals": signals, "now_ns": draw(instants), "ratio": draw(ratios),
        "equity": notional / draw(leverages), "notional": notional,
        "equity_left": draw(st.floats(-0.2, 3.0)), "band": draw(bands), "side": draw(sides),
        "max_ratio": draw(max_ratios), "location": draw(locations),
    }  # fmt: skip


def ruled(
    rules: Rules | None, memory: NDArray[np.float64] | None = None, **here: Any
) -> tuple[float, float]:
    """The band that rules leave of the policy's in a situation."""
    kept = terms(rules, here["side"], here["max_ratio"], here["location"])
    lo, hi = (min(edge, here["max_ratio"]) for edge in here["band"])
    if rules is None:
        return lo, hi
    memory = new_memory() if memory is None else memory
    return under_rules(
        kept[0], memory, here["signals"], 0, here["now_ns"], here["ratio"], here["equity"],
        here["notional"], here["equity_left"], lo, hi,
    )  # fmt: skip


# --- laws -------------------------------------------------------------------------------------


@given(rule_sets(), situations())
def test_a_band_stays_a_band(rules: Rules, here: dict[str, Any]) -> None:
    lo, hi = ruled(rules, **here)
    assert 0.0 <= lo <= hi <= here["max_ratio"]


@given(rule_sets(largest=3), rules_alone("hedge_at_least"), situations())
def test_another_floor_never_lowers_the_band(
    rules: Rules, floor: Rule, here: dict[str, Any]
) -> None:
    before = ruled(rules, **here)
    after = ruled(replace_rules(rules, (*rules.rules, floor)), **here)
    assert after[0] >= before[0]
    assert after[1] >= before[1]


@given(rule_sets(largest=3), rules_alone("never_above"), situations())
def test_another_cap_never_raises_the_band(rules: Rules, cap: Rule, here: dict[str, Any]) -> None:
    before = ruled(rules, **here)
    after = ruled(replace_rules(rules, (*rules.rules, cap)), **here)
    assert after[0] <= before[0]
    assert after[1] <= before[1]


def replace_rules(rules: Rules, listed: tuple[Rule, ...]) -> Rules:
    return Rules(rules.name, listed, rules.about, rules.policy)


@given(
    rule_sets(), situations(), st.lists(st.integers(0, sg.N_SIGNALS - 1), max_size=12),
    st.lists(st.integers(0, 90), max_size=4),
)  # fmt: skip
def test_the_kernel_says_what_a_slow_reading_says(
    rules: Rules, here: dict[str, Any], missing: list[int], minutes: list[int]
) -> None:
    """Over several frames, so that what holds for a while is seen to hold, and to end."""
    memory, held = new_memory(), dict[int, float]()
    kept = terms(rules, here["side"], here["max_ratio"], here["location"])
    frames = [here["signals"], here["signals"].copy()]
    frames[1][missing] = np.nan
    lo, hi = (min(edge, here["max_ratio"]) for edge in here["band"])
    for number, later in enumerate([0, *minutes]):
        here["now_ns"] += later * NS_PER_MINUTE
        here["signals"] = frames[number % 2]
        fast = ruled(rules, memory, **here)
        slow = slow_band(
            rules, held, here["now_ns"], here["max_ratio"], lo, hi, here["side"], here["signals"],
            here["now_ns"], here["ratio"], here["equity"], here["notional"], here["equity_left"],
            kept[0],
        )  # fmt: skip
        assert fast == slow
        event("changed" if fast != (lo, hi) else "left alone")


@given(
    rule_sets("never_above"), situations(),
    st.lists(st.integers(0, sg.N_SIGNALS - 1), min_size=1, max_size=12),
)  # fmt: skip
def test_what_is_not_known_never_makes_a_cap_act(
    rules: Rules, here: dict[str, Any], missing: list[int]
) -> None:
    known = ruled(rules, **here)
    here["signals"][missing] = np.nan
    unknown = ruled(rules, **here)
    assert unknown[0] >= known[0]
    assert unknown[1] >= known[1]


@given(
    rule_sets("hedge_at_least"), situations(),
    st.lists(st.integers(0, sg.N_SIGNALS - 1), min_size=1, max_size=12),
)  # fmt: skip
def test_a_floor_that_hedges_when_unknown_is_never_lowered_by_not_knowing(
    rules: Rules, here: dict[str, Any], missing: list[int]
) -> None:
    asked = tuple(_with(rule, when_unknown="hedge") for rule in rules.rules)
    known = ruled(replace_rules(rules, asked), **here)
    here["signals"][missing] = np.nan
    unknown = ruled(replace_rules(rules, asked), **here)
    assert unknown[0] >= known[0]
    assert unknown[1] >= known[1]
    left = ruled(rules, **here)  # and without being asked, never below the policy's own band
    own = ruled(None, **here)
    assert left[0] >= own[0]
    assert left[1] >= own[1]


def _with(rule: Rule, **changes: Any) -> Rule:
    return Rule(**({f: getattr(rule, f) for f in rule.__struct_fields__} | changes))


# --- examples ---------------------------------------------------------------------------------


def a_frame(**rows: float) -> dict[str, Any]:
    signals = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    signals[sg.VOL_RULE] = rows.get("volatility", np.nan)
    return {"signals": signals, "now_ns": NOW, "ratio": 0.0, "equity": 1000.0, "notional": 10_000.0,
            "equity_left": 1.0, "band": (0.2, 0.6), "side": 1.0, "max_ratio": 1.0,
            "location": "same_account"}  # fmt: skip


VOLATILE = Condition("volatility", "above", (0.004,))
FLOOR = Rule("hedge_at_least", 0.8, "all", (VOLATILE,), "storm")
CAP = Rule("never_above", 0.3, "all", (Condition("hour", "between", (10.0, 14.0)),), "noon")


def test_a_floor_wins_over_a_cap_of_another_rule() -> None:
    for listed in ((FLOOR, CAP), (CAP, FLOOR)):
        assert ruled(Rules("x", listed), **a_frame(volatility=0.01)) == (0.8, 0.8)
        assert ruled(Rules("x", listed), **a_frame(volatility=0.001)) == (0.2, 0.3)


def test_a_floor_stays_inside_the_largest_ratio() -> None:
    assert ruled(Rules("x", (FLOOR,)), **a_frame(volatility=0.01) | {"max_ratio": 0.5}) == (
        0.5,
        0.5,
    )


def test_unknown_volatility() -> None:
    assert ruled(Rules("x", (FLOOR,)), **a_frame()) == (0.2, 0.6)
    asked = Rules("x", (_with(FLOOR, when_unknown="hedge"),))
    assert ruled(asked, **a_frame()) == (0.8, 0.8)


def test_a_rule_keeps_on_for_its_time_and_says_so() -> None:
    rules = Rules("x", (_with(FLOOR, for_ns=30 * NS_PER_MINUTE),))
    memory = new_memory()
    found = []
    for minutes, volatility in ((0, 0.01), (5, 0.001), (30, 0.001), (31, 0.001)):
        here = a_frame(volatility=volatility) | {"now_ns": NOW + minutes * NS_PER_MINUTE}
        band = ruled(rules, memory, **here)
        found.append(band)
        ruling = binding(rules, memory, here["now_ns"], *band)
        assert bool(ruling) == (band == (0.8, 0.8))
        told = reason_of(ruling, "calm")
        assert told.endswith("calm")
        assert told.startswith("Your rule 'storm': Hedge at least 80 % when") == bool(ruling)
    assert found == [(0.8, 0.8), (0.8, 0.8), (0.8, 0.8), (0.2, 0.6)]


@pytest.mark.parametrize(
    ("moment", "condition", "holds"),
    [
        ("2023-03-11T00:00", Condition("weekend", "is", (1.0,)), True),
        ("2023-03-10T23:59", Condition("weekend", "is", (1.0,)), False),
        ("2023-03-12T23:59", Condition("weekday", "is", (6.0,)), True),
        ("2023-03-13T00:00", Condition("weekday", "between", (4.0, 0.0)), True),
        ("2023-03-14T00:00", Condition("weekday", "between", (4.0, 0.0)), False),
        ("2023-03-08T23:30", Condition("hour", "between", (22.0, 6.0)), True),
        ("2023-03-08T06:00", Condition("hour", "between", (22.0, 6.0)), True),
        ("2023-03-08T06:05", Condition("hour", "between", (22.0, 6.0)), False),
        ("2023-03-08T20:00", Condition("hour", "at least", (20.0,)), True),
    ],
)
def test_times(moment: str, condition: Condition, holds: bool) -> None:
    rules = Rules("x", (Rule("hedge_at_least", 0.9, "all", (condition,)),))
    lo, _ = ruled(rules, **a_frame() | {"now_ns": instant_ns(moment)})
    assert (lo == 0.9) == holds


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_sides(side: float) -> None:
    """What hurts a long helps a short."""
    here = a_frame() | {"side": side}
    here["signals"][sg.MOVE_15M] = -side * 0.03
    here["signals"][sg.FUNDING] = side * 5e-4
    first = sg.ONSET if side > 0 else sg.ONSET + 3
    here["signals"][first] = 0.2
    for condition in (
        Condition("move_against_15min", "above", (0.02,)),
        Condition("funding_you_pay", "above", (4.0,)),
        Condition("squeeze_15min", "above", (0.1,)),
    ):
        rules = Rules("x", (Rule("hedge_at_least", 0.9, "all", (condition,)),))
        assert ruled(rules, **here)[0] == 0.9
        assert ruled(rules, **here | {"side": -side})[0] == 0.2


def test_a_smaller_position_has_no_rules() -> None:
    with pytest.raises(UsageError, match="smaller position"):
        with_rules(static(0.5), Rules("x", (FLOOR,)))
    assert with_rules(static(0.0), Rules("x", (FLOOR,))).label == "unhedged+x"
    assert replace(static(0.0), rules=None).label == "unhedged"
    assert new_memory().size == N_MEMORY
