"""Leverage advice: the largest leverage that this market bears over the user's horizon.

The adverse excursion over a horizon H is taken as a driftless walk with fat tails (first passage
by reflection, Student t4). Its variance starts at the forecast volatility and decays to the slow
one:

    V(H) = sigma^2 H + (now^2 - sigma^2) tau (1 - exp(-H / tau)),  tau = 1 day

A less confident forecast inflates the deviation. What is not modelled: jumps beyond t4, and
funding; both are small against the excursion of a week.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import student4_tail
from litehedge.margin.tiers import MAX_LEVERAGE, RATE, TierTable, tier_index
from litehedge.units import MINUTES_PER_DAY

Singles = NDArray[np.float32]

DECAY_MINUTES: Final = float(MINUTES_PER_DAY)


class LeverageAdvice(msgspec.Struct, frozen=True):
    """The largest leverage whose probability of liquidation stays within `tolerance`.

    `probability_now` is the probability at the leverage the user has.
    """

    leverage: float
    tolerance: float
    horizon_days: float
    probability_now: float


def excursion_deviation(signals: Singles, horizon_days: float) -> float:
    """Return the standard deviation of the log price over the horizon; NaN while cold."""
    minutes = horizon_days * MINUTES_PER_DAY
    slow = float(signals[sg.SIGMA, 0])
    now = float(signals[sg.VOL_120, 0])
    if not np.isfinite(now):
        now = float(signals[sg.VOL_RULE, 0]) / np.sqrt(5.0)
    decayed = DECAY_MINUTES * (1.0 - np.exp(-minutes / DECAY_MINUTES))
    variance = slow**2 * minutes + (now**2 - slow**2) * decayed
    doubt = 2.0 - float(np.nan_to_num(signals[sg.CONFIDENCE, 0], nan=0.5))
    return float(np.sqrt(max(variance, 0.0)) * doubt)


def liquidation_probability(deviation: float, distance: float) -> float:
    """Return P(the worst excursion exceeds `distance`, a fraction of price)."""
    if not deviation > 0.0:
        return float("nan")
    # A rise of x is a log move of log(1 + x), a fall one of -log(1 - x): the smaller one is used.
    return float(min(1.0, 2.0 * student4_tail(float(np.log1p(distance)) / deviation)))


def distance_at(leverage: float, maintenance_rate: float) -> float:
    """Return the adverse move that liquidates a fresh position at `leverage`."""
    return max(0.0, (1.0 / leverage - maintenance_rate) / (1.0 + maintenance_rate))


def advise(
    signals: Singles,
    tiers: TierTable,
    notional_usdt: float,
    leverage_now: float,
    *,
    horizon_days: float,
    tolerance: float,
) -> LeverageAdvice:
    """Return the leverage advice for a position of this size; NaN leverage while cold."""
    rate = float(tiers.rows[tier_index(notional_usdt, tiers.rows), RATE])
    allowed = float(tiers.rows[tier_index(notional_usdt, tiers.rows), MAX_LEVERAGE])
    deviation = excursion_deviation(signals, horizon_days)
    probability = liquidation_probability(deviation, distance_at(leverage_now, rate))
    if not np.isfinite(deviation):
        return LeverageAdvice(float("nan"), tolerance, horizon_days, probability)
    low, high = 0.1, allowed
    if liquidation_probability(deviation, distance_at(high, rate)) <= tolerance:
        low = high
    for _ in range(40):
        middle = 0.5 * (low + high)
        if liquidation_probability(deviation, distance_at(middle, rate)) <= tolerance:
            low = middle
        else:
            high = middle
    return LeverageAdvice(low, tolerance, horizon_days, probability)
