"""Leverage advice: the largest leverage that this market bears over the user's horizon.

What liquidates a position is its worst moment, not its end. So the model is of the maximal adverse
excursion within a horizon H: how far, in log price, the market goes against the position at its
worst. It is measured in units of a deviation that the forecast gives,

    s_H = now^a_H * slow^b_H * (1 + DOUBT (1 - confidence)),  a_H, b_H >= 0

of the forecast volatility of two hours and the slow volatility of days, and the distribution of
excursion / s_H is that of history: quantiles for each side and horizon, a generalised Pareto tail
beyond one in twenty. `excursions` holds what ``python -m studies.fit_advice`` found on data up to
2023-12-31. a_H + b_H is below 1: a calm market does not stay calm for a month.

Between the horizons of the table probabilities are interpolated in log time, and a longer horizon
takes at least the probability of every shorter one. How far liquidation is away comes from the
margin account itself, with its tiers. The advice is for a position without hedge.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import excursions as ex
from litehedge.hedge import signals as sg
from litehedge.jit import kernel
from litehedge.margin.account import ACCOUNT, POSITION, Books
from litehedge.margin.liquidation import scope_bounds
from litehedge.margin.tiers import TierTable

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SMALLEST: Final = 0.01
"""Leverage below which nobody is advised: the market that bears less has not been seen."""
MIN_HORIZON_DAYS: Final = 1.0
MAX_HORIZON_DAYS: Final = 30.0

_HORIZONS: Final = np.array(ex.HORIZONS_DAYS)
_WEIGHTS: Final = np.array(ex.WEIGHTS)
_LEVELS: Final = np.array(ex.LEVELS)
_QUANTILES: Final = np.array(ex.QUANTILES)


class LeverageAdvice(msgspec.Struct, frozen=True):
    """The largest leverage whose probability of liquidation stays within `tolerance`.

    Leverage is the position's notional by the equity that backs it. `probability_now` is the
    probability at the leverage the user has. Both are for the position without hedge.
    """

    leverage: float
    tolerance: float
    horizon_days: float
    probability_now: float


# --- how wild the market is -------------------------------------------------------------------


@kernel
def volatilities(signals: Singles, frame: int = 0) -> tuple[float, float, float]:
    """Return forecast and slow volatility per root minute, and the confidence.

    A forecast that is missing is replaced by the volatility of the last hour, that by the slow
    one, and a missing slow one by what there is; both are NaN without any price history. Without
    forecast there is no confidence in it: 0.
    """
    told: float = np.float64(signals[sg.VOL_120, frame])
    hour: float = np.float64(signals[sg.VOL_RULE, frame]) / np.sqrt(5.0)
    slow: float = np.float64(signals[sg.SIGMA, frame])
    now = np.nan
    for known in (slow, hour, told):
        if known > 0.0 and np.isfinite(known):
            now = known
    if not (slow > 0.0 and np.isfinite(slow)):
        slow = now
    confidence: float = np.float64(signals[sg.CONFIDENCE, frame])
    if np.isnan(now) or not told > 0.0 or not confidence >= 0.0:
        confidence = 0.0
    return now, slow, min(confidence, 1.0)


@kernel
def deviations(now: float, slow: float, confidence: float) -> Floats:
    """Return s_H, the unit of the excursion at every horizon of the table, ``(horizon,)``."""
    unit = np.empty(_HORIZONS.size)
    for i in range(unit.size):
        power = now ** _WEIGHTS[i, 0] * slow ** _WEIGHTS[i, 1]
        unit[i] = power * (1.0 + ex.DOUBT * (1.0 - confidence))
    return unit


@kernel
def exceedance(z: float, levels: Floats, quantiles: Floats) -> float:
    """Return P(Z > z) from quantiles: log P is linear in log z, beyond the last one too.

    Shapes: `levels` ``(level,)``, falling probabilities of exceedance; `quantiles` ``(level,)``,
    rising and positive.
    """
    if z <= 0.0:
        return 1.0
    if z <= quantiles[0]:
        return 1.0 - (1.0 - levels[0]) * z / quantiles[0]
    last = levels.size - 1
    i = 1
    while i < last and z > quantiles[i]:
        i += 1
    slope = np.log(levels[i] / levels[i - 1]) / np.log(quantiles[i] / quantiles[i - 1])
    return levels[i - 1] * (z / quantiles[i - 1]) ** slope


@kernel
def excursion_probability(
    move: float, horizon_days: float, units: Floats, horizons: Floats, levels: Floats,
    quantiles: Floats,
) -> float:  # fmt: skip
    """Return P(the worst excursion within the horizon exceeds `move`, a log price).

    Shapes: `units` (see `deviations`) and `horizons` ``(horizon,)``; `quantiles` of one side
    ``(horizon, level)``.
    """
    if not move > 0.0:
        return 1.0
    before = 0.0
    for i in range(horizons.size):
        here = max(before, exceedance(move / units[i], levels, quantiles[i]))
        if horizons[i] >= horizon_days:
            if i == 0:
                return here
            share = np.log(horizon_days / horizons[i - 1]) / np.log(horizons[i] / horizons[i - 1])
            return before + share * (here - before)
        before = here
    return before


# --- how far liquidation is away --------------------------------------------------------------


@kernel
def fresh_move(
    side: float, leverage: float, backing_usdt: float, tiers: Floats, books: Books
) -> float:
    """Return the log move that liquidates a position just opened; inf when none can.

    `books` is room for one empty account, ``(1,)`` of `ACCOUNT`.
    """
    account = books[0]
    account.wallet[0] = backing_usdt
    account.qty[POSITION] = side * leverage * backing_usdt  # at a price of 1
    account.entry[POSITION] = 1.0
    low, high = scope_bounds(books, 0, 1.0, tiers)
    if low == np.inf:  # under maintenance from the start
        return 0.0
    if side > 0.0:
        return np.inf if low <= 0.0 else max(0.0, -np.log(low))
    return max(0.0, np.log(high))


@kernel
def _largest_within(
    tolerance: float, most: float, side: float, backing_usdt: float, tiers: Floats, books: Books,
    horizon_days: float, units: Floats, horizons: Floats, levels: Floats, quantiles: Floats,
) -> float:  # fmt: skip
    """Halve down to the largest leverage whose probability is at most `tolerance`."""
    low = min(SMALLEST, most)
    high = most
    move = fresh_move(side, high, backing_usdt, tiers, books)
    if excursion_probability(move, horizon_days, units, horizons, levels, quantiles) <= tolerance:
        return high
    for _ in range(32):  # to 2e-9 of itself
        middle = np.sqrt(low * high)
        move = fresh_move(side, middle, backing_usdt, tiers, books)
        if (
            excursion_probability(move, horizon_days, units, horizons, levels, quantiles)
            <= tolerance
        ):
            low = middle
        else:
            high = middle
    return low


# --- the advice -------------------------------------------------------------------------------


@kernel
def _advised(
    signals: Singles, frame: int, tiers: Floats, side: float, backing_usdt: float,
    leverage_now: float, most: float, horizon_days: float, tolerance: float, books: Books,
) -> tuple[float, float]:  # fmt: skip
    """Return the advised leverage and the probability at the present one, NaN without history.

    All of it in one go: an order waits for it.
    """
    now, slow, confidence = volatilities(signals, frame)
    units = deviations(now, slow, confidence)
    if not np.isfinite(units).all():
        return np.nan, np.nan
    quantiles = _QUANTILES[0 if side > 0.0 else 1]
    move = fresh_move(side, leverage_now, backing_usdt, tiers, books)
    probability = excursion_probability(move, horizon_days, units, _HORIZONS, _LEVELS, quantiles)
    if most <= 0.0:
        return 0.0, probability
    leverage = _largest_within(
        tolerance, most, side, backing_usdt, tiers, books, horizon_days, units, _HORIZONS,
        _LEVELS, quantiles,
    )  # fmt: skip
    return leverage, probability


def liquidation_probability(
    signals: Singles, tiers: TierTable, side: float, backing_usdt: float, leverage: float,
    horizon_days: float, frame: int = 0,
) -> float:  # fmt: skip
    """Return P(a position opened now is liquidated within the horizon), NaN without history.

    Parameters
    ----------
    side
        +1 for a long position, -1 for a short one.
    backing_usdt
        The equity that backs it; its notional is `leverage` times as much.
    horizon_days
        1 to 30.
    """
    _, probability = _advised(
        signals, frame, tiers.rows, side, backing_usdt, leverage, 0.0, horizon_days, 0.0,
        np.zeros(1, dtype=ACCOUNT),
    )  # fmt: skip
    return float(probability)


def advise(
    signals: Singles,
    tiers: TierTable,
    side: float,
    backing_usdt: float,
    leverage_now: float,
    *,
    horizon_days: float,
    tolerance: float,
    frame: int = 0,
) -> LeverageAdvice:
    """Return the leverage advice for this equity; NaN leverage without any price history.

    Parameters
    ----------
    signals
        ``(N_SIGNALS, frame)``, of which `frame` counts.
    side
        +1 for a long position, -1 for a short one.
    backing_usdt
        The equity that backs the position, above 0.
    leverage_now
        The position's notional by that equity.
    horizon_days, tolerance
        How long the position is meant to live, 1 to 30 days; the probability that is acceptable.
    """
    leverage, probability = _advised(
        signals, frame, tiers.rows, side, backing_usdt, leverage_now,
        tiers.largest_leverage(backing_usdt), horizon_days, tolerance, np.zeros(1, dtype=ACCOUNT),
    )  # fmt: skip
    return LeverageAdvice(leverage, tolerance, horizon_days, probability)
