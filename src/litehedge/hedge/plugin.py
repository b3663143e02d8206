"""The plug-in policy: keep the probability of liquidation within some hours inside two numbers.

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

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.baselines import margin_aware_volatility
from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import adverse_probability, hedged_distance
from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance

Singles = NDArray[np.float32]

# Layout of the parameters
HORIZON_MIN, ENTER, RELEASE, STEP = range(4)
REFERENCE_COST: Final = 7e-4

# The rule that stands in while the forecast is cold (volatilities of 5-minute returns)
SAFE_VOL_ON: Final = 0.003
SAFE_VOL_OFF: Final = 0.0003
SAFE_DISTANCE: Final = 0.13
BLIND_DISTANCE: Final = 0.05  # without any volatility, hedge when this near to liquidation


@kernel
def safe_band(
    terms: Any, signals: Singles, frame: int, equity: float, notional: float
) -> tuple[float, float]:
    """Return the rule-based band that needs no forecast: the floor under a failing model."""
    if np.isnan(signals[sg.VOL_RULE, frame]):
        share = equity / notional
        rate = maintenance(notional, terms.tiers) / notional
        naked = hedged_distance(terms.side, 0.0, share, rate, terms.coupling)
        return (1.0, 1.0) if naked < BLIND_DISTANCE else (0.0, 1.0)
    return margin_aware_volatility(
        SAFE_VOL_ON, SAFE_VOL_OFF, SAFE_DISTANCE, terms, signals, frame, equity, notional
    )


@kernel
def release_probability(enter: float, release: float, cost: float) -> float:
    """Return the probability below which the hedge is lifted, given the cost of trading."""
    return enter * (release / enter) ** np.cbrt(max(cost, 0.0) / REFERENCE_COST)


@kernel
def liquidation_probability(
    signals: Singles, frame: int, horizon_min: float, side: float, ratio: float,
    equity_share: float, maintenance_rate: float, coupling: int,
) -> float:  # fmt: skip
    """Return p(h), the probability of liquidation within the horizon at hedge ratio `ratio`."""
    move = hedged_distance(side, ratio, equity_share, maintenance_rate, coupling)
    if move >= 1.0:
        return 0.0
    return adverse_probability(signals, frame, side, move, horizon_min)


@kernel
def _lowest_rung(
    wanted: float, first: float, terms: Any, signals: Singles, frame: int,
    equity_share: float, maintenance_rate: float,
) -> float:  # fmt: skip
    """Return the first rung of the ladder, from `first` up, whose probability is low enough."""
    ratio = first
    while ratio < 1.0:
        p = liquidation_probability(
            signals, frame, terms.parameters[HORIZON_MIN], terms.side, ratio, equity_share,
            maintenance_rate, terms.coupling,
        )  # fmt: skip
        if p <= wanted:
            return ratio
        ratio += terms.parameters[STEP]
    return 1.0


@kernel
def band(
    terms: Any, signals: Singles, frame: int, size: float, equity: float,
    notional: float,
) -> tuple[float, float]:  # fmt: skip
    """Return the plug-in's (lo, hi) for the hedge ratio.

    Parameters
    ----------
    terms
        Its parameters: horizon in minutes, enter and release probability, ladder step.
    size
        Of the position, unsigned, in LTC.
    equity, notional
        Of the account and of the position, in USDT.
    """
    if signals[sg.STATE, frame] >= 2.0 or np.isnan(signals[sg.VOL_30, frame]):
        return safe_band(terms, signals, frame, equity, notional)
    parameters = terms.parameters
    cost = trade_cost(terms, signals, frame, size)
    trust = max(0.05, signals[sg.CONFIDENCE, frame])
    enter = parameters[ENTER] * trust
    release = release_probability(parameters[ENTER], parameters[RELEASE], cost) * trust
    share = equity / notional
    rate = maintenance(notional, terms.tiers) / notional
    lo = _lowest_rung(enter, 0.0, terms, signals, frame, share, rate)
    hi = _lowest_rung(release, lo, terms, signals, frame, share, rate)
    return lo, hi
