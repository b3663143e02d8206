"""Why a decision was made, as data: final words and charts, pure functions of what is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from litehedge.config import Settings
from litehedge.effects import Decision
from litehedge.hedge.band import Action
from litehedge.model.attribution import Attribution
from litehedge.model.explain import FAMILY_WORDS, Explanation
from litehedge.model.reliability import Reliability
from litehedge.model.squeeze_index import Nearest
from litehedge.report.style import AMBER, BLUE, DIM, INK, LINE, number, percent, usdt
from litehedge.risk.limits import MEANING
from litehedge.risk.verdicts import SANE, SETTINGS, Verdict
from litehedge.squeeze.forecast import OUTLOOK_MIN
from litehedge.squeeze.labels import SIDES, Side
from litehedge.ui import view
from litehedge.units import BPS, iso_utc

Said = dict[str, Any]
Kind = Literal["hedged", "held", "refused"]

KINDS: Final[tuple[Kind, ...]] = ("hedged", "held", "refused")
MOST_BARS: Final = 5
LATER_MIN: Final = (15, 60, 240)
REASONED_MIN: Final = 30.0
"""Attributions are of the probability within so many minutes."""

_KIND_WORDS: Final[Mapping[Kind, str]] = {
    "hedged": "Hedge changed", "held": "Held", "refused": "Refused",
}  # fmt: skip
_STATES: Final[Mapping[Kind, str]] = {"hedged": "done", "held": "", "refused": "bad"}


def kind_of(told: Decision) -> Kind:
    """Return what became of a decision."""
    if view.is_refused(told):
        return "refused"
    return "held" if told.recommendation.action is Action.MAINTAIN else "hedged"


def meant_by(show: str) -> Callable[[Decision], bool]:
    """Return the filter that the page calls `show`; anything else shows all."""
    if show not in KINDS:
        return lambda told: True
    return lambda told: kind_of(told) == show


def line(session: str, told: Decision, show: str = "", *, is_here: bool = False) -> Said:
    """Return a decision as a line of the list: its day, too, since it may be old."""
    return {
        "time": f"{iso_utc(told.time_ns)[5:10]} {view.clock(told.time_ns)[:5]}",
        "text": view.sentence(told),
        "state": _STATES[kind_of(told)],
        "href": list_address(session, show, at_ns=told.time_ns),
        "here": is_here,
    }


def list_address(session: str, show: str, *, at_ns: int = 0, before_ns: int = 0) -> str:
    """Return the address of the page with a list; what the address asked for is never repeated.

    `at_ns` is the time of the decision that is shown, `before_ns` that of the last one listed.
    """
    at = f"&at={at_ns}" if at_ns else ""
    more = f"&show={show}" if show in KINDS else ""
    before = f"&before={before_ns}" if before_ns else ""
    return f"/why?session={session}{at}{more}{before}"


def heading(told: Decision) -> Said:
    """Return the head of the page: when, what, and the sentence."""
    kind = kind_of(told)
    return {
        "when": f"{iso_utc(told.time_ns, seconds=True)} UTC",
        "kind": _KIND_WORDS[kind],
        "state": _STATES[kind],
        "sentence": view.sentence(told),
        "price": view.price_of(told.price),
        "trading": told.trading_state,
    }


# --- the numbers it rested on --------------------------------------------------------------------

_TERMS: Final[Mapping[str, tuple[str, str]]] = {
    "distance_to_liquidation": ("Liquidation away, without hedge", "share"),
    "distance_to_ruin": ("Risk budget used up, away", "share"),
    "ruin": ("Probability of ruin, short horizon", "probability"),
    "ruin_release_horizon": ("Probability of ruin, long horizon", "probability"),
    "enter_above": ("Hedges more above", "probability"),
    "release_below": ("Lets go below", "probability"),
    "onset_60_min": ("Squeeze against the position, 60 min", "probability"),
    "onset_60_min_other_side": ("Squeeze in its favour, 60 min", "probability"),
    "before": ("A squeeze is near", "probability"),
    "during": ("A squeeze runs", "probability"),
    "after": ("A squeeze is over", "probability"),
    "peak_in_min": ("Peak of a squeeze, if one runs", "minutes"),
    "volatility_30_min": ("Volatility foretold, 30 min", "volatility"),
    "volatility_120_min": ("Volatility foretold, 120 min", "volatility"),
    "funding": ("Funding that the position pays", "bps"),
    "cost": ("Cost of one trade of the whole hedge", "bps"),
    "confidence": ("Confidence in the forecast", "share"),
}


def terms(told: Decision) -> list[tuple[str, str]]:
    """Return the numbers of a decision with words and units, those that are known, in order."""
    known = told.recommendation.terms
    rows = [
        (words, _written(known[name], unit)) for name, (words, unit) in _TERMS.items()
        if name in known
    ]  # fmt: skip
    rows += [
        (name.replace("_", " "), f"{value:.4g}")
        for name, value in known.items()
        if name not in _TERMS
    ]
    wants = told.recommendation
    if wants.action is not Action.MAINTAIN:
        rows.append(("Loss avoided by the change", f"{wants.benefit_bps:.1f} bps"))
        rows.append(("Cost of the change", f"{wants.cost_bps:.1f} bps"))
    rows.append(("Equity", usdt(told.equity_usdt)))
    rows.append(("Liquidation away, hedged", percent(told.distance)))
    return rows


def chance(share: float) -> str:
    """Write a probability that is to be compared with others: below 10 % with one decimal."""
    if not math.isfinite(share):
        return view.NOTHING
    if 0.0 < share < 0.0005:
        return "under 0.1%"
    return percent(share, 1 if 0.0 < share < 0.0995 else 0)


def _written(value: float, unit: str) -> str:
    match unit:
        case "probability":
            return chance(value)
        case "share":
            return percent(value)
        case "minutes":
            return view.minutes_of(value)
        case "volatility":
            return f"{value / BPS:.1f} bps a root minute"
        case _:
            return f"{value / BPS:.1f} bps"


def verdict(told: Verdict, settings: Settings) -> Said:
    """Return a guard's word: code, meaning, numbers, and which setting would change it."""
    numbers = [
        f"wanted {number(told.wanted_ltc, 3)} LTC", f"allowed {number(told.allowed_ltc, 3)} LTC",
        *(f"{key.replace('_', ' ')} {value:.6g}" for key, value in told.numbers.items()),
    ]  # fmt: skip
    changes = [
        f"{name} = {_now(settings, name)} (a sane value: {SANE[name]})"
        for name in SETTINGS[told.code]
    ]
    return {
        "code": str(told.code),
        "meaning": MEANING[told.code],
        "numbers": ", ".join(numbers),
        "setting": f"The setting is {' and '.join(changes)}" if changes else
        "No setting changes this: it ends when its cause does",
    }  # fmt: skip


def _now(settings: Settings, name: str) -> str:
    section, _, key = name.partition(".")
    value = getattr(getattr(settings, section, None), key, None)
    return f"{value:g}" if isinstance(value, float) else str(value)


def forecast(told: Decision) -> list[list[str]]:
    """Return a table row for each side: its name, probabilities at `OUTLOOK_MIN`, peak, move."""
    rows = []
    for i, side in enumerate(SIDES):
        outlook = told.outlook
        if outlook is None:
            rows.append([f"{side}s", *[view.NOTHING] * (len(OUTLOOK_MIN) + 2)])
            continue
        total = outlook.onset_min[i][1] + outlook.peak_min[i][1]
        peak = f"in {view.minutes_of(total)}" if math.isfinite(total) else view.NOTHING
        sign = -1.0 if side == "long" else 1.0
        low = math.expm1(sign * BPS * outlook.severity_bps[i][0])
        rows.append([
            f"{side}s", *(chance(p) for p in outlook.onset[i]), peak,
            percent(low, signed=True),
        ])  # fmt: skip
    return rows


def band(told: Decision) -> Said:
    """Return the band as the desk draws it: places in percent of the bar, and words."""
    wants = told.recommendation
    lo, hi = _at(wants.lo), _at(wants.hi)
    return {
        "was_at": _at(wants.ratio),
        "next_at": _at(wants.target),
        "band_at": lo,
        "band_wide": max(1.0, round(hi - lo, 1)),
        "was": percent(wants.ratio, 0),
        "next": percent(wants.target, 0),
        "band": f"wanted: {percent(wants.lo, 0)} to {percent(wants.hi, 0)}",
    }


def _at(share: float) -> float:
    return round(100.0 * min(1.0, max(0.0, share)), 1) if math.isfinite(share) else 0.0


# --- what the forecast is made of ----------------------------------------------------------------


def bars(attribution: Attribution, side: int) -> list[tuple[str, float]]:
    """Return what raises and lowers a probability, in points, the largest effect first.

    At most `MOST_BARS` families; all others, and what the model remembers from earlier, are one.
    """
    ranked = [(f, p) for f, p in attribution.ranked(side) if abs(p) >= 0.005]
    shown = [(_family(f), p) for f, p in ranked[:MOST_BARS]]
    rest = sum(p for _, p in ranked[MOST_BARS:]) + float(attribution.remainder[side])
    if len(ranked) > MOST_BARS or abs(rest) >= 0.005:
        shown.append(("all else", rest))
    return shown


def points(value: float) -> str:
    """Write percentage points with their sign: ``+14.0 pt``."""
    digits = 1 if abs(value) >= 0.095 or value == 0.0 else 2
    return f"{number(value, digits, signed=True)} pt"


def bars_text(attribution: Attribution, side: int) -> str:
    """Say the bars in words, for who does not see them."""
    told = [
        f"{name} {'raises' if p > 0 else 'lowers'} it by {points(abs(p)).lstrip('+')}"
        for name, p in bars(attribution, side)
    ]
    return (
        f"Squeeze of {SIDES[side]}s within {REASONED_MIN:.0f} min: "
        f"{chance(float(attribution.probability[side]))}, "
        f"{chance(float(attribution.masked[side]))} without any data. "
        + ("; ".join(told) or "nothing moves it")
    )


def bars_option(attribution: Attribution, side: int) -> Said:
    """Return the bars as a chart: amber raises, blue lowers, the largest effect on top."""
    told = bars(attribution, side)[::-1]
    up = max([p for _, p in told if p > 0.0], default=0.0)
    down = max([-p for _, p in told if p <= 0.0], default=0.0)
    room = 0.9 * (up + down) or 1.0  # for the figures beside the bars
    return {
        "animation": False,
        "grid": {"left": 132, "right": 8, "top": 4, "bottom": 4},
        "xAxis": {"type": "value", "show": False,
            "min": -down - (room if down > 0.0 else 0.0), "max": up + (room if up > 0.0 else 0.0),
        },
        "yAxis": {
            "type": "category", "data": [name for name, _ in told],
            "axisLine": {"show": False}, "axisTick": {"show": False},
            "axisLabel": {"color": INK, "fontSize": 12, "width": 124, "overflow": "truncate"},
        },
        "series": [{
            "type": "bar", "barWidth": 13,
            "data": [
                {
                    "value": round(p, 3),
                    "itemStyle": {"color": AMBER if p > 0.0 else BLUE, "borderRadius": 3},
                    "label": {
                        "show": True, "position": "right" if p > 0.0 else "left",
                        "formatter": f"{'▲' if p > 0 else '▼'} {points(p)}", "color": DIM,
                    },
                }
                for _, p in told
            ],
            "markLine": {
                "silent": True, "symbol": "none", "label": {"show": False},
                "lineStyle": {"color": LINE, "type": "solid"}, "data": [{"xAxis": 0}],
            },
        }],
    }  # fmt: skip


def bars_height(attribution: Attribution, side: int) -> int:
    """Return how high the bars are drawn, in pixels."""
    return 8 + 26 * max(1, len(bars(attribution, side)))


def _family(name: str) -> str:
    return FAMILY_WORDS.get(name, name.replace("_", " "))


def attention_option(shares: Sequence[float], frame_min: float) -> Said:
    """Return where in the past a network looked: the share of each age, now at the right."""
    data = [[-round((i + 1) * frame_min, 3), round(100.0 * s, 3)] for i, s in enumerate(shares)]
    return {
        "animation": False,
        "tooltip": {"trigger": "axis"},
        "grid": {"left": 46, "right": 14, "top": 8, "bottom": 26},
        "xAxis": {
            "type": "value", "min": -len(shares) * frame_min, "max": 0,
            "axisLabel": {"color": DIM, "formatter": "{value} min"},
            "axisLine": {"lineStyle": {"color": LINE}}, "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value", "axisLabel": {"color": DIM, "formatter": "{value}%"},
            "splitLine": {"lineStyle": {"color": LINE}},
        },
        "series": [{
            "name": "share of attention, %", "type": "line", "showSymbol": False,
            "lineStyle": {"color": AMBER}, "itemStyle": {"color": AMBER},
            "areaStyle": {"color": AMBER, "opacity": 0.2}, "data": data,
        }],
    }  # fmt: skip


def attention_text(told: Explanation) -> str:
    """Say where the model looked."""
    if not math.isfinite(told.half_min):
        return ""
    parts = [
        f"{percent(s.share, 0)} of its attention lies on {s.from_min:g} to {s.to_min:g} min ago"
        for s in told.stretches[:2]
    ]
    parts.append(f"half of it on the last {view.minutes_of(told.half_min)}")
    return f"{'; '.join(parts)}."


def nearest(told: Nearest) -> list[str]:
    """Return a squeeze of history as a row: when, whose, move, minutes to its peak, likeness."""
    return [
        iso_utc(told.onset_ns), f"{told.side}s", percent(told.move, signed=True),
        f"{told.peak_min:.0f} min", percent(told.similarity, 0),
    ]  # fmt: skip


def calibration(told: Reliability | None, side: Side, probability: float) -> str:
    """Say how often forecasts like this one came true, and where that was counted."""
    if told is None:
        return "How often this model is right was not counted: nothing is claimed."
    if not math.isfinite(probability):
        return ""
    like = told.of(side, probability)
    where = "; ".join(f"{s.data} {s.start[:10]} to {s.end[:10]}" for s in told.measured_on)
    within = f"within {told.horizon_min:.0f} min"
    if like is None:
        return (
            f"A squeeze of {side}s {within} was never foretold with about "
            f"{chance(probability)} where it was counted ({where})."
        )
    return (
        f"When it said about {chance(like.foretold)}, a squeeze of {side}s came {within} "
        f"{chance(like.came)} of {like.frames:,} times, from {like.events} "
        f"squeeze{'' if like.events == 1 else 's'}. Counted on {where}, which it had not seen."
    )


# --- what would have been ------------------------------------------------------------------------


def allowed_ltc(told: Decision) -> float:
    """Return the change of the hedge that guards let through, signed LTC; 0 where none was sent."""
    wanted = told.recommendation.size_ltc
    if not told.order_id:
        return 0.0
    least = min([abs(wanted), *(v.allowed_ltc for v in told.verdicts)])
    return math.copysign(least, wanted)


def without_it(
    told: Decision, position: Side, later: Mapping[int, float], now: float
) -> list[tuple[str, str]]:
    """Return what the account would have more or less without this change, by moment.

    The price's move times the change of the hedge: fees, slippage and funding are left out, and so
    is what later decisions would have done instead.

    Parameters
    ----------
    later
        Prices by minutes after the decision.
    now
        The newest price.
    """
    change = allowed_ltc(told)
    if change == 0.0:
        return []
    sign = 1.0 if position == "long" else -1.0
    rows = []
    moments = [(f"after {view.minutes_of(m)}", p) for m, p in sorted(later.items())]
    for words, price in [*moments, ("now", now)]:
        if math.isfinite(price):
            worth = sign * change * (price - told.price)
            said = "no difference" if abs(worth) < 0.005 else usdt(worth, signed=True)
            rows.append((f"{words}, at {view.price_of(price)}", said))
    return rows
