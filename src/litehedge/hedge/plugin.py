"""The plug-in policy: keep the probability of liquidation within the hour inside two numbers.

Let p(h) be the probability that price moves further against the position, within the horizon,
than liquidation is away at hedge ratio h. The band's lower edge is the smallest rung h of a
ladder with p(h) <= enter, the upper edge the smallest with p(h) <= release. Since release is far
below enter, the hedge is taken off much later than it was put on: that hysteresis is what makes
a hedge cheaper than carrying less. Trading cost widens it with the cube root (Whalley and
Wilmott 1997; modelling: band half-width ~ cost^(1/3)):

    release(c) = enter * (release / enter) ** (c / 7 bps) ** (1/3)

where c counts fees, spread, impact, and the funding that the hedge would pay. A forecast in
which we are less confident shrinks both probabilities, so the hedge comes earlier and stays
longer; a cold forecast leaves the margin-aware volatility rule, never nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.baselines import margin_aware_volatility
from litehedge.hedge.exposure import adverse_probability, hedged_distance
from litehedge.jit import kernel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# Layout of the parameters
HORIZON_MIN, ENTER, RELEASE, STEP = range(4)
REFERENCE_COST: Final = 7e-4

# The rule that stands in while the forecast is cold (volatilities of 5-minute returns)
SAFE_VOL_ON: Final = 0.004
SAFE_VOL_OFF: Final = 0.0008
SAFE_DISTANCE: Final = 0.10
BLIND_DISTANCE: Final = 0.05  # without any volatility, hedge when this near to liquidation


@kernel
def safe_band(signals: Singles, naked_distance: float) -> tuple[float, float]:
    """Return the rule-based band that needs no forecast: the floor under a failing model."""
    if np.isnan(signals[sg.VOL_RULE]):
        if naked_distance < BLIND_DISTANCE:
            return 1.0, 1.0
        return 0.0, 1.0
    return margin_aware_volatility(
        SAFE_VOL_ON, SAFE_VOL_OFF, SAFE_DISTANCE, signals, naked_distance
    )


@kernel
def release_probability(parameters: Floats, cost: float) -> float:
    """Return the probability below which the hedge is lifted, given the cost of trading."""
    enter = parameters[ENTER]
    ratio = parameters[RELEASE] / enter
    return enter * ratio ** np.cbrt(max(cost, 0.0) / REFERENCE_COST)


@kernel
def liquidation_probability(
    parameters: Floats, signals: Singles, side: float, ratio: float, equity_share: float,
    maintenance_rate: float, location: int,
) -> float:  # fmt: skip
    """Return p(h), the probability of liquidation within the horizon at hedge ratio `ratio`."""
    move = hedged_distance(side, ratio, equity_share, maintenance_rate, location)
    if move >= 1.0:
        return 0.0
    return adverse_probability(signals, side, move, parameters[HORIZON_MIN])


@kernel
def _lowest_rung(
    wanted: float, first: float, parameters: Floats, signals: Singles, side: float,
    equity_share: float, maintenance_rate: float, location: int,
) -> float:  # fmt: skip
    """Return the first rung of the ladder, from `first` up, whose probability is low enough."""
    step = parameters[STEP]
    ratio = first
    while ratio < 1.0:
        p = liquidation_probability(
            parameters, signals, side, ratio, equity_share, maintenance_rate, location
        )
        if p <= wanted:
            return ratio
        ratio += step
    return 1.0


@kernel
def band(
    parameters: Floats, signals: Singles, side: float, equity_share: float,
    maintenance_rate: float, cost: float, location: int,
) -> tuple[float, float]:  # fmt: skip
    """Return the plug-in's (lo, hi) for the hedge ratio.

    Parameters
    ----------
    parameters
        Horizon in minutes, enter and release probability, ladder step.
    side
        +1 for a long position, -1 for a short one.
    equity_share, maintenance_rate
        Equity and maintenance margin as shares of the position's notional.
    cost
        Cost of one trade as a fraction, funding included.
    location
        Where the hedge lives.
    """
    if signals[sg.STATE] >= 2.0 or np.isnan(signals[sg.VOL_30]):
        return safe_band(
            signals, hedged_distance(side, 0.0, equity_share, maintenance_rate, location)
        )
    trust = max(0.05, signals[sg.CONFIDENCE])
    enter = parameters[ENTER] * trust
    release = release_probability(parameters, cost) * trust
    lo = _lowest_rung(
        enter, 0.0, parameters, signals, side, equity_share, maintenance_rate, location
    )
    hi = _lowest_rung(
        release, lo, parameters, signals, side, equity_share, maintenance_rate, location
    )
    return lo, hi
