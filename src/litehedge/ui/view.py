"""What the screen says, as data: pure functions of what was seen. Pages only place it.

Keys name places on the page; texts are final. Percentages of probability have no decimals,
distances one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Reversible
from itertools import takewhile
from typing import Any, Final, TypeVar

from litehedge.effects import Decision
from litehedge.hedge.band import Action
from litehedge.market import events as ev
from litehedge.report.style import UNKNOWN, number, percent, usdt
from litehedge.risk.parachute import WATCHES, Watch
from litehedge.risk.state import TradingState
from litehedge.squeeze.forecast import OUTLOOK_MIN, ForecastState
from litehedge.squeeze.labels import SIDES
from litehedge.ui.seen import Account, Seen
from litehedge.units import NS_PER_MS, describe_ns, iso_utc

Said = dict[str, Any]
Row = TypeVar("Row", bound=tuple[Any, ...])

SHOWN_DECISIONS: Final = 8
FULL_DISTANCE: Final = 0.35
"""A distance to liquidation that lies at the right end of its bar."""

WARMING: Final = "Warming up on the past of the market: nothing is traded yet."
NOTHING: Final = "-"
"""What stands where nothing is known."""


def desk(seen: Seen) -> Said:
    """Return everything that the desk says of a session, but for what stands on every page."""
    said = _market(seen)
    said |= _account(seen)
    said |= _forecast(seen)
    said |= _hedge(seen)
    said["decisions"] = [
        decision_line(seen.name, d) for d in list(seen.decisions)[: -SHOWN_DECISIONS - 1 : -1]
    ]
    said["alerts"] = [
        {
            "time": clock(when),
            "text": alert.text,
            "state": "done" if alert.clears else "bad" if alert.level == "act_now" else "",
        }
        for when, alert in list(seen.alerts)[:-7:-1]
    ]
    return said


def header(seen: Seen, *, age_s: float, runs: bool, over: str = "") -> Said:
    """Return what stands at the top of every page, and what a stale page says.

    `over` is how a demo ended, "" while it goes: what has ended is not stale.
    """
    state = seen.trading.name
    is_warming = runs and seen.price_ns == 0
    return {
        "session": seen.name,
        "mode": seen.mode.upper() or "NO SESSION",
        "trading": state,
        "age_s": 0.0 if is_warming else round(age_s, 1),
        "warming": WARMING if is_warming else "",
        "held_by": held_by(seen),
        "stale_says": "" if over else stale_says(seen, runs=runs),
        "over": over,
    }


def stale_says(seen: Seen, *, runs: bool) -> str:
    """Return what happens to the position while nothing new comes."""
    if not runs:
        stops = _stops(seen)
        return f"Session {seen.name} does not run: nobody guards the position now{stops}."
    watch = seen.watches.get(Watch.PRICE_SILENT)
    if watch is not None:
        return "Prices are silent; the rule that needs no forecast decides, and no hedge is lifted."
    return "The session runs, and writes nothing new."


def _stops(seen: Seen) -> str:
    state = seen.state
    armed = [] if state is None else [s for s in state.stops.values() if s.armed_ltc > 0.0]
    if not armed:
        return "; no protective stop is known at the venue"
    stops = ", ".join(f"{s.armed_ltc:.3f} LTC at {s.armed_usdt:.2f}" for s in armed)
    return f"; the venue holds protective stops ({stops})"


def clock(time_ns: int) -> str:
    """Write the UTC time of day of a moment: ``07:31:05``."""
    return iso_utc(time_ns, seconds=True)[11:19]


def price_of(value: float) -> str:
    """Write a price in USDT: ``$84.01``."""
    return f"${value:,.2f}" if math.isfinite(value) else UNKNOWN


def probability(share: float) -> str:
    """Write a probability without decimals."""
    if not math.isfinite(share):
        return NOTHING
    return "under 1%" if 0.0 < share < 0.005 else percent(share, 0)


def minutes_of(value: float) -> str:
    """Write minutes as people say them."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.0f} min" if value < 120 else f"{value / 60:.1f} h"


def _market(seen: Seen) -> Said:
    return {"price": price_of(seen.price), "time": f"{clock(seen.now_ns)} UTC"}


def _account(seen: Seen) -> Said:
    account = seen.account()
    if account is None:
        waits = "waiting for the venue" if seen.state and seen.state.needs_reconciling else ""
        if seen.holds:
            waits = waits or "a position is open; no price is known yet"
        return {
            "away_label": "Distance to liquidation", "away": NOTHING, "away_at": 0,
            "to_liquidation": waits or "no position is guarded now",
            "position": "position open" if seen.holds else "no position",
            "equity": NOTHING, "leverage": NOTHING, "danger": "none",
        }  # fmt: skip
    falls = account.liquidation < seen.price
    found = math.isfinite(account.liquidation)
    return {
        "away_label": f"Price would have to {'fall' if falls else 'rise'}" if found
        else "Liquidation",
        "away": percent(account.away) if found else "none",
        "away_at": round(100.0 * min(1.0, account.away / FULL_DISTANCE), 1) if found else 100,
        "to_liquidation": f"to reach liquidation at {price_of(account.liquidation)}" if found
        else "no price liquidates this account as it stands",
        "position": position_of(account),
        "equity": usdt(account.equity_usdt),
        "leverage": f"{account.leverage:.1f}x" if math.isfinite(account.leverage) else NOTHING,
        "danger": danger(account.away if found else 1.0),
    }  # fmt: skip


def danger(away: float) -> str:
    """Return the word for a distance to liquidation, as a fraction of price."""
    if away < 0.12 * FULL_DISTANCE:
        return "near"
    return "careful" if away < 0.35 * FULL_DISTANCE else "far"


def position_of(account: Account) -> str:
    """Return the position in words."""
    now = f"{account.side} {number(account.held_ltc, 2)} LTC"
    if math.isfinite(account.leverage):
        now += f", {account.leverage:.1f}x"
    if account.held_ltc < account.position_ltc - 1e-9:
        return f"{now} (of {number(account.position_ltc, 2)} LTC)"
    return now


def _forecast(seen: Seen) -> Said:
    told = seen.decision
    said: Said = {}
    risky = SIDES.index(seen.settings.position.side)
    outlook = None if told is None else told.outlook
    for i, side in enumerate(SIDES):
        for h, minutes in enumerate(OUTLOOK_MIN):
            value = math.nan if outlook is None else outlook.onset[i][h]
            said[f"{side}_{minutes:g}"] = probability(value)
        said[f"{side}_peak"] = said[f"{side}_move"] = NOTHING
        if outlook is not None:
            said[f"{side}_peak"] = _peak(outlook.onset_min[i][1], outlook.peak_min[i][1])
            said[f"{side}_move"] = _move(outlook.severity_bps[i], side)
    hour = math.nan if outlook is None else outlook.onset[risky][3]
    said["squeeze"] = probability(hour)
    said["squeeze_of"] = f"Squeeze of {seen.settings.position.side}s within 60 min"
    said["forecast_state"] = _state_of_forecast(told)
    said["forecast_quality"] = "" if told is None else (
        f"confidence {percent(told.recommendation.confidence, 0)}"
    )  # fmt: skip
    said["bears"] = _bears(told)
    return said


def _peak(onset_min: float, peak_min: float) -> str:
    """Return when a squeeze would peak: it has to begin first."""
    total = onset_min + peak_min
    return f"in {minutes_of(total)}" if math.isfinite(total) else NOTHING


def _move(severity_bps: list[float], side: str) -> str:
    sign = -1.0 if side == "long" else 1.0
    middle, high = (math.expm1(sign * 1e-4 * bps) for bps in severity_bps)
    if not math.isfinite(middle):
        return NOTHING
    return f"{percent(middle, signed=True)} to {percent(high, signed=True)}"


def _state_of_forecast(told: Decision | None) -> str:
    if told is None:
        return "no decision yet: the statistics of the market are warming up"
    match told.forecast_state:
        case ForecastState.OK:
            return ""
        case ForecastState.DEGRADED:
            return "careful: a feed that the model was trained with is missing"
        case ForecastState.EXPIRED:
            return "no forecast: the model is too old; the rule that needs none decides"
        case _:
            return "no forecast yet; the rule that needs none decides"


def _bears(told: Decision | None) -> str:
    if told is None or not math.isfinite(told.advice.leverage):
        return NOTHING
    advice = told.advice
    return (
        f"This market bears {advice.leverage:.1f}x: more would be liquidated within "
        f"{advice.horizon_days:g} days with over {percent(advice.tolerance, 0)} probability"
    )


def _hedge(seen: Seen) -> Said:
    account, told = seen.account(), seen.decision
    now = math.nan if account is None else account.ratio
    if told is None:
        return {
            "hedge": probability(now), "hedge_at": _at(now), "hedge_next": NOTHING, "next_at": 0,
            "band_at": 0, "band_wide": 0, "band": "no band yet", "reason": "",
        }  # fmt: skip
    wants = told.recommendation
    target = wants.target if wants.action is not Action.MAINTAIN else now
    return {
        "hedge": percent(now, 0),
        "hedge_at": _at(now),
        "hedge_next": percent(target, 0),
        "next_at": _at(target),
        "band_at": _at(wants.lo),
        "band_wide": max(1.0, round(_at(wants.hi) - _at(wants.lo), 1)),
        "band": f"wanted: {percent(wants.lo, 0)} to {percent(wants.hi, 0)}",
        "reason": sentence(told),
    }


def held_by(seen: Seen) -> str:
    """Return what a person holds, or what closes everything, in words; "" where the policy acts."""
    state = seen.state
    if state is None:
        return ""
    if state.closing is not None:
        return "Closing position and hedge, as you asked"
    held = state.override
    if held is None or (held.until_ns and held.until_ns <= seen.now_ns):
        return ""
    until = f"until {clock(held.until_ns)} UTC"
    if isinstance(held, ev.SetHedge):
        return f"You hold the hedge at {percent(held.ratio, 0)} {until}"
    return f"You froze the hedge {until}"


def _at(share: float) -> float:
    return round(100.0 * min(1.0, max(0.0, share)), 1) if math.isfinite(share) else 0.0


# --- decisions ----------------------------------------------------------------------------------

_DONE: Final[Mapping[Action, str]] = {
    Action.INCREASE: "Hedge more",
    Action.DECREASE: "Hedge less",
    Action.MAINTAIN: "Held",
}


def is_refused(told: Decision) -> bool:
    """Tell whether guards let nothing through of what was wanted."""
    return bool(told.verdicts) and not told.order_id


def sentence(told: Decision) -> str:
    """Say a decision in one sentence, reasons included."""
    wants = told.recommendation
    if is_refused(told):
        return f"Refused: {'; '.join(v.told() for v in told.verdicts)}"
    if wants.action is Action.MAINTAIN:
        return f"Held at {percent(wants.ratio, 0)}: {wants.reason}"
    cut = f" (cut by {', '.join(v.code for v in told.verdicts)})" if told.verdicts else ""
    return (
        f"{_DONE[wants.action]}, {percent(wants.ratio, 0)} to {percent(wants.target, 0)} "
        f"({abs(wants.size_ltc):.3f} LTC){cut}: {wants.reason}"
    )


def decision_line(session: str, told: Decision) -> Said:
    """Return a decision as a line of a list, with the address of its explanation."""
    wants = told.recommendation
    state = "bad" if is_refused(told) else "" if wants.action is Action.MAINTAIN else "done"
    return {
        "time": clock(told.time_ns)[:5],
        "text": sentence(told),
        "state": state,
        "href": f"/why?session={session}&at={told.time_ns}",
    }


# --- the chart of the desk ----------------------------------------------------------------------


def chart_points(seen: Seen, after_ns: int = 0) -> dict[str, list[list[float]]]:
    """Return the points of the desk's chart that are newer than `after_ns`, (ms, value)."""
    risky = SIDES.index(seen.settings.position.side)
    found = {
        "price": [[ns // NS_PER_MS, round(p, 4)] for ns, p in _newer(seen.prices, after_ns)],
        "squeeze": [
            [row[0] // NS_PER_MS, round(100.0 * row[1 + risky], 1)]
            for row in _newer(seen.onsets, after_ns)
            if math.isfinite(row[1 + risky])
        ],
        "hedge": [
            [ns // NS_PER_MS, round(100.0 * h, 1)] for ns, h in _newer(seen.hedges, after_ns)
        ],
    }
    return {name: points for name, points in found.items() if points}


def _newer(rows: Reversible[Row], after_ns: int) -> list[Row]:
    """Return the rows behind a moment, in order: every push asks, for seconds of an hour."""
    found = list(takewhile(lambda row: row[0] > after_ns, reversed(rows)))
    found.reverse()
    return found


# --- feeds --------------------------------------------------------------------------------------


def feeds(seen: Seen) -> list[Said]:
    """Return how old every kind of data is, by the newest event, and the watches that are open."""
    lines: list[Said] = [
        {
            "time": "",
            "text": f"{Watch(w.watch)}: {WATCHES[Watch(w.watch)].meaning} ({w.detail})",
            "state": "bad",
        }
        for w in seen.watches.values()
    ]
    for name, when in sorted(seen.heard_ns.items()):
        age_ns = max(0, seen.now_ns - when)
        lines.append(
            {"time": "", "text": name.replace("_", " "), "more": f"{describe_ns(age_ns)} ago"}
        )
    return lines


def can_resume(seen: Seen) -> bool:
    """Tell whether there is something that a typed word would end."""
    return seen.trading is not TradingState.ACTIVE
