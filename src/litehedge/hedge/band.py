"""The band and the recommendation: what we tell the user, with the terms that made it."""

from __future__ import annotations

import enum
from math import isfinite
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import plugin
from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import APART, hedged_distance
from litehedge.hedge.policies import (
    HAZARD,
    LARGE_MOVE,
    MARGIN_VOLATILITY,
    NETWORK,
    ORACLE,
    PLUGIN,
    VOLATILITY_TARGET,
    Policy,
)
from litehedge.squeeze.forecast import ForecastState
from litehedge.units import BPS

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SHOWN_HORIZON_MIN: Final = 120.0


class Action(enum.StrEnum):
    """What to do with the hedge ratio."""

    INCREASE = "increase"
    DECREASE = "decrease"
    MAINTAIN = "maintain"


class Situation(msgspec.Struct, frozen=True):
    """The margin state a policy decides in.

    `side` +1 long, -1 short; `ratio` the hedge ratio now; `equity_share` (of what backs the
    position), `floor_share` and `maintenance_rate` as shares of the position's notional; `cost`
    of one trade as a fraction, funding included; `distance` to liquidation as things stand, as a
    fraction of price; `coupling` of hedge and position as `exposure` has it.
    """

    side: float
    ratio: float
    price: float
    position_ltc: float
    equity_usdt: float
    equity_share: float
    floor_share: float
    maintenance_rate: float
    distance: float
    cost: float
    coupling: int


class Recommendation(msgspec.Struct, frozen=True):
    """Increase, decrease or maintain the hedge ratio: with size, reason and confidence.

    `lo` and `hi` are the band; `target` its edge nearest to `ratio`; `size_ltc` the signed change
    of the hedge (positive: more hedge). `benefit_bps` is the loss, down to the floor or to
    liquidation, that the change avoids (or a hedge apart earns back) in expectation, `cost_bps`
    what it costs to put on and to take off again, both of the position's notional. `terms`
    are the numbers that made it.
    """

    action: Action
    ratio: float
    target: float
    lo: float
    hi: float
    size_ltc: float
    confidence: float
    benefit_bps: float
    cost_bps: float
    reason: str
    terms: dict[str, float] = {}


def recommend(
    policy: Policy,
    lo: float,
    hi: float,
    wanted_ltc: float,
    signals: Singles,
    situation: Situation,
) -> Recommendation:
    """Turn a band, and the change of the hedge that it asks for, into words.

    Shapes: `signals` ``(N_SIGNALS, 1)``.
    """
    action, target = Action.MAINTAIN, situation.ratio
    if wanted_ltc > 0.0:
        action, target = Action.INCREASE, lo
    elif wanted_ltc < 0.0:
        action, target = Action.DECREASE, hi
    change = target - situation.ratio
    p_now = p_then = float("nan")
    if has_forecast(signals):
        p_now = _probability(policy, signals, situation, situation.ratio)
        p_then = _probability(policy, signals, situation, target)
    # A hedge apart saves no position, but earns what the position loses.
    spared = p_now * change if situation.coupling == APART else p_now - p_then
    floor = situation.floor_share if policy.kind == PLUGIN else 0.0
    avoided = spared * max(0.0, situation.equity_share - floor) / BPS
    return Recommendation(
        action=action,
        ratio=situation.ratio,
        target=target,
        lo=lo,
        hi=hi,
        size_ltc=wanted_ltc,
        confidence=_or_none(float(signals[sg.CONFIDENCE, 0])),
        benefit_bps=avoided if action is not Action.MAINTAIN else 0.0,
        cost_bps=abs(change) * situation.cost / BPS * (2.0 if change > 0 else 1.0),
        reason=_reason(policy, action, signals, situation, p_now, lo, hi),
        terms=_terms(policy, signals, situation),
    )


def has_forecast(signals: Singles) -> bool:
    """Tell whether the model speaks in this frame (it is neither cold nor expired)."""
    state, volatility = float(signals[sg.STATE, 0]), float(signals[sg.VOL_30, 0])
    return state < ForecastState.COLD and isfinite(volatility)


def _or_none(confidence: float) -> float:
    return confidence if isfinite(confidence) else 0.0


def _probability(policy: Policy, signals: Singles, s: Situation, ratio: float) -> float:
    """P(ruin within the plug-in's horizon); beside other policies, P(liquidation)."""
    is_plugin = policy.kind == PLUGIN
    horizon = policy.parameters[plugin.HORIZON_MIN] if is_plugin else SHOWN_HORIZON_MIN
    return _ruin(signals, s, ratio, horizon, s.floor_share if is_plugin else 0.0)


def _ruin(
    signals: Singles, s: Situation, ratio: float, horizon_min: float, floor_share: float
) -> float:
    probability = plugin.ruin_probability(
        signals, 0, horizon_min, s.side, ratio, s.equity_share, floor_share, s.maintenance_rate,
        s.coupling,
    )  # fmt: skip
    return float(probability)


def _terms(policy: Policy, signals: Singles, s: Situation) -> dict[str, float]:
    """Return the numbers that a decision rests on, by name; unknown ones are left out.

    Distances are fractions of price, probabilities within the minutes that their name says.
    """
    risky = 0 if s.side > 0 else 1
    hour = sg.ONSET + 1
    told = {
        "distance_to_liquidation": hedged_distance(
            s.side, 0.0, s.equity_share, s.maintenance_rate, s.coupling
        ),
        "onset_60_min": float(signals[hour + 3 * risky, 0]),
        "onset_60_min_other_side": float(signals[hour + 3 * (1 - risky), 0]),
        "before": float(signals[sg.PHASE, 0]),
        "during": float(signals[sg.PHASE + 1, 0]),
        "after": float(signals[sg.PHASE + 2, 0]),
        "peak_in_min": float(signals[sg.PEAK + risky, 0]),
        "volatility_30_min": float(signals[sg.VOL_30, 0]),
        "volatility_120_min": float(signals[sg.VOL_120, 0]),
        "funding": float(signals[sg.FUNDING, 0]) * s.side,
        "cost": s.cost,
        "confidence": float(signals[sg.CONFIDENCE, 0]),
    }
    if policy.kind == PLUGIN:
        told["distance_to_ruin"] = plugin.ruin_distance(
            s.side, 0.0, s.equity_share, s.floor_share, s.maintenance_rate, s.coupling
        )
        if has_forecast(signals):
            p = policy.parameters
            told["enter_above"] = plugin.enter_probability(p, signals, 0)
            told["release_below"] = plugin.release_below(p, signals, 0, s.side, s.cost)
            told["ruin"] = _ruin(signals, s, s.ratio, p[plugin.HORIZON_MIN], s.floor_share)
            told["ruin_release_horizon"] = _ruin(
                signals, s, s.ratio, p[plugin.RELEASE_HORIZON_MIN], s.floor_share
            )
    return {name: float(value) for name, value in told.items() if isfinite(value)}


def _percent(x: float) -> str:
    if not isfinite(x):
        return "unknown"
    return f"{100 * x:.2g}%" if x < 0.1 else f"{100 * x:.0f}%"


def _reason(
    policy: Policy,
    action: Action,
    signals: Singles,
    s: Situation,
    p_now: float,
    lo: float,
    hi: float,
) -> str:
    naked = hedged_distance(s.side, 0.0, s.equity_share, s.maintenance_rate, s.coupling)
    away = f"liquidation {_percent(naked)} away without hedge"
    match policy.kind:
        case k if k == PLUGIN and isfinite(p_now):
            return _plugin_reason(policy, action, signals, s, p_now, away)
        case k if k in (PLUGIN, NETWORK) and not isfinite(p_now):
            return f"{_silence(signals)}: the volatility rule stands in; {away}{_budget(s)}"
        case k if k == NETWORK:
            return (
                f"network band {_percent(lo)} to {_percent(hi)}: {away}, P(liquidation in "
                f"{SHOWN_HORIZON_MIN:.0f} min) is {_percent(p_now)}, a trade costs "
                f"{s.cost / BPS:.1f} bps"
            )
        case k if k == MARGIN_VOLATILITY:
            vol = float(signals[sg.VOL_RULE, 0])
            on, off, near = policy.parameters[:3]
            if action is Action.INCREASE:
                return f"volatility {vol:.4f} above {on:g} and {away}"
            if action is Action.DECREASE:
                return f"volatility {vol:.4f} below {off:g}"
            return f"volatility {vol:.4f}; {away}, rule looks at {_percent(near)}"
        case k if k == VOLATILITY_TARGET:
            return f"volatility of 5-minute returns is {float(signals[sg.VOL_RULE, 0]):.4f}"
        case k if k == LARGE_MOVE:
            return f"price moved {_percent(abs(float(signals[sg.MOVE_15M, 0])))} in 15 min"
        case k if k == HAZARD:
            risky = 0 if s.side > 0 else 1
            onset = float(signals[sg.ONSET + 3 * risky + 1, 0])
            return f"P(squeeze within 60 min) is {_percent(onset)}"
        case k if k == ORACLE:
            return "the oracle knows when the squeeze starts and peaks"
        case _:
            return f"hold {_percent(lo)}" if lo == hi else f"hold {_percent(lo)} to {_percent(hi)}"


def _silence(signals: Singles) -> str:
    """Say why there is no forecast."""
    if float(signals[sg.STATE, 0]) == ForecastState.EXPIRED:
        return "the model is too old, so there is no forecast"
    return "no forecast yet"


def _budget(s: Situation) -> str:
    """Say how far away it is that the risk budget is spent; nothing where all may be lost."""
    ruin = plugin.ruin_distance(
        s.side, 0.0, s.equity_share, s.floor_share, s.maintenance_rate, s.coupling
    )
    return f", the risk budget {_percent(ruin)} away" if s.floor_share > 0.0 else ""


def _plugin_reason(
    policy: Policy, action: Action, signals: Singles, s: Situation, p_now: float, away: str
) -> str:
    p = policy.parameters
    enter = float(plugin.enter_probability(p, signals, 0))
    floor = _budget(s)
    horizon = f"{p[plugin.HORIZON_MIN]:.0f} min"
    risk = f"P(ruin in {horizon}) is {_percent(p_now)}"
    if action is Action.INCREASE:
        return f"{risk}, above {_percent(enter)}; {away}{floor}"
    release = float(plugin.release_below(p, signals, 0, s.side, s.cost))
    later = _ruin(signals, s, s.ratio, p[plugin.RELEASE_HORIZON_MIN], s.floor_share)
    calm = f"{_percent(later)} in {p[plugin.RELEASE_HORIZON_MIN]:.0f} min"
    after = float(signals[sg.PHASE + 2, 0])
    if action is Action.DECREASE:
        peak = f", the squeeze is over by {_percent(after)}" if after > 0.5 else ""
        return f"P(ruin) is {calm}, low enough to let go below {_percent(release)}{peak}; {away}"
    return f"{risk}, {calm}: inside {_percent(release)} to {_percent(enter)}; {away}{floor}"
