"""The plug-in policy: keep the probability of ruin within some minutes inside two numbers.

Ruin is liquidation, or falling below the floor: the part of the wallet that the owner does not
want to risk. Let p(h) be the probability that price moves further against the position, within
the horizon, than ruin is away at hedge ratio h. The band's lower edge is the smallest rung h of a
ladder with p(h) <= enter. The upper edge is the smallest with p(h) <= release, now within the
longer release horizon, and never nearer to the lower edge than the width. Since release is far
below enter, the hedge is taken off much later than it was put on: that hysteresis is what makes
a hedge cheaper than carrying less. Trading cost widens it with the cube root (Whalley and
Wilmott 1997; modelling: band half-width ~ cost^(1/3)):

    release(c) = enter * (release / enter) ** (c / 7 bps) ** (1/3)

where c counts fees, spread, impact, and the funding that the hedge would pay. Once the peak of a
squeeze is behind, what p(h) sees is the volatility that it left: the release takes it down by the
probability of being in that phase, and lets the hedge go earlier. A squeeze that is likelier
against the hedge than against the position makes it let go earlier too. A forecast in which we
are less confident shrinks both probabilities, so the hedge comes earlier and stays longer; a cold
forecast leaves the margin-aware volatility rule, never nothing, and that rule keeps the floor too:
by the volatility that was measured, all or nothing.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.baselines import margin_aware_volatility
from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import (
    APART,
    adverse_probability,
    hedged_distance,
    student4_tail,
)
from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance

Singles = NDArray[np.float32]

# Layout of the parameters
HORIZON_MIN, ENTER, RELEASE_HORIZON_MIN, RELEASE, STEP, WIDTH, PEAK_RELEASE, TILT = range(8)
REFERENCE_COST: Final = 7e-4
LEAST_TRUST: Final = 0.05
LEAST_ONSET: Final = 1e-3  # odds of two tiny probabilities say nothing

# The rule that stands in while the forecast is cold (volatilities of 5-minute returns)
SAFE_VOL_ON: Final = 0.003
SAFE_VOL_OFF: Final = 0.0003
SAFE_DISTANCE: Final = 0.13
BLIND_DISTANCE: Final = 0.05  # without any volatility, hedge when this near to liquidation
BLIND_FLOOR: Final = 0.01  # or this near to the floor
# Its floor under the wallet: the probabilities and minutes of the plug-in itself
SAFE_ENTER: Final = 0.075
SAFE_RELEASE: Final = 0.0005
SAFE_ENTER_MIN: Final = 60.0
SAFE_RELEASE_MIN: Final = 240.0


@kernel
def release_probability(enter: float, release: float, cost: float) -> float:
    """Return the probability below which the hedge is lifted, given the cost of trading."""
    return enter * (release / enter) ** np.cbrt(max(cost, 0.0) / REFERENCE_COST)


@kernel
def ruin_distance(
    side: float, ratio: float, equity_share: float, floor_share: float, maintenance_rate: float,
    coupling: int,
) -> float:  # fmt: skip
    """Return the adverse move, as a fraction of price, to liquidation or to the floor. At most 1.

    `equity_share` and `floor_share` are fractions of the position's notional. A hedge apart keeps
    neither away.
    """
    move = hedged_distance(side, ratio, equity_share, maintenance_rate, coupling)
    open_share = 1.0 if coupling == APART else 1.0 - ratio
    room = max(0.0, equity_share - floor_share)
    return min(move, room / open_share) if room < open_share else move


@kernel
def measured_probability(vol: float, move: float, minutes: float) -> float:
    """Return P(price moves by `move` against the position within `minutes`), without a forecast.

    First passage by reflection, Student t4; `vol` is that of 5-minute returns.
    """
    if move <= 0.0:
        return 1.0
    if not vol > 0.0:
        return 0.0
    return min(1.0, 2.0 * student4_tail(move / (vol * np.sqrt(minutes / 5.0))))


@kernel
def safe_band(
    terms: Any, signals: Singles, frame: int, equity: float, notional: float
) -> tuple[float, float]:
    """Return the rule-based band that needs no forecast: the floor under a failing model.

    The margin-aware volatility rule; and a full hedge where the risk budget is about to be spent.
    """
    share = equity / notional
    rate = maintenance(notional, terms.tiers) / notional
    floor = (terms.floor + terms.aid) / notional
    move = ruin_distance(terms.side, 0.0, share, floor, rate, terms.coupling)
    vol = signals[sg.VOL_RULE, frame]
    if np.isnan(vol):
        naked = hedged_distance(terms.side, 0.0, share, rate, terms.coupling)
        if naked < BLIND_DISTANCE or (terms.floor > 0.0 and move < BLIND_FLOOR):
            return 1.0, 1.0
        return 0.0, 1.0
    lo, hi = margin_aware_volatility(
        SAFE_VOL_ON, SAFE_VOL_OFF, SAFE_DISTANCE, terms, signals, frame, equity, notional
    )
    if terms.floor <= 0.0:
        return lo, hi
    if measured_probability(vol, move, SAFE_ENTER_MIN) > SAFE_ENTER:
        return 1.0, 1.0
    if measured_probability(vol, move, SAFE_RELEASE_MIN) > SAFE_RELEASE:
        return lo, 1.0
    return lo, hi


@kernel
def ruin_probability(
    signals: Singles, frame: int, horizon_min: float, side: float, ratio: float,
    equity_share: float, floor_share: float, maintenance_rate: float, coupling: int,
) -> float:  # fmt: skip
    """Return p(h), the probability of ruin within the horizon at hedge ratio `ratio`."""
    move = ruin_distance(side, ratio, equity_share, floor_share, maintenance_rate, coupling)
    if move >= 1.0:
        return 0.0
    return adverse_probability(signals, frame, side, move, horizon_min)


@kernel
def enter_probability(parameters: NDArray[np.float64], signals: Singles, frame: int) -> float:
    """Return the probability of ruin above which the hedge grows; less when in doubt."""
    return parameters[ENTER] * max(LEAST_TRUST, signals[sg.CONFIDENCE, frame])


@kernel
def release_below(
    parameters: NDArray[np.float64], signals: Singles, frame: int, side: float, cost: float
) -> float:
    """Return the probability of ruin below which the hedge shrinks, at this cost of trading."""
    trust = max(LEAST_TRUST, signals[sg.CONFIDENCE, frame])
    release = release_probability(parameters[ENTER], parameters[RELEASE], cost)
    risky = 0 if side > 0.0 else 1
    hour = sg.ONSET + 1
    odds = (signals[hour + 3 * (1 - risky), frame] + LEAST_ONSET) / (
        signals[hour + 3 * risky, frame] + LEAST_ONSET
    )
    after = signals[sg.PHASE + 2, frame]
    if np.isfinite(odds):
        release *= odds ** parameters[TILT]
    if np.isfinite(after):
        release /= 1.0 - parameters[PEAK_RELEASE] * after
    return min(release, parameters[ENTER]) * trust


@kernel
def _lowest_rung(
    wanted: float, first: float, horizon_min: float, terms: Any, signals: Singles, frame: int,
    equity_share: float, floor_share: float, maintenance_rate: float,
) -> float:  # fmt: skip
    """Return the first rung of the ladder, from `first` up, whose probability is low enough."""
    ratio = first
    while ratio < 1.0:
        p = ruin_probability(
            signals, frame, horizon_min, terms.side, ratio, equity_share, floor_share,
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
        Its parameters in the order above, and the floor in USDT.
    size
        Of the position, unsigned, in LTC.
    equity, notional
        Of the account and of the position, in USDT.
    """
    if signals[sg.STATE, frame] >= 2.0 or np.isnan(signals[sg.VOL_30, frame]):
        return safe_band(terms, signals, frame, equity, notional)
    parameters = terms.parameters
    enter = enter_probability(parameters, signals, frame)
    cost = trade_cost(terms, signals, frame, size)
    release = release_below(parameters, signals, frame, terms.side, cost)
    share = equity / notional
    floor = (terms.floor + terms.aid) / notional
    rate = maintenance(notional, terms.tiers) / notional
    lo = _lowest_rung(
        enter, 0.0, parameters[HORIZON_MIN], terms, signals, frame, share, floor, rate
    )
    hi = _lowest_rung(
        release, lo, parameters[RELEASE_HORIZON_MIN], terms, signals, frame, share, floor, rate
    )
    return lo, max(hi, min(1.0, lo + parameters[WIDTH]))
