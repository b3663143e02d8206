"""The policies that ours has to beat, each one small function ``-> (lo, hi)``.

All read column `frame` of the signals; `side` is +1 for a long position, -1 for a short one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import hedged_distance
from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance
from litehedge.units import MINUTES_PER_DAY, NS_PER_MINUTE

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@kernel
def volatility_target(
    target: float, half_width: float, signals: Singles, frame: int, equity_share: float
) -> tuple[float, float]:
    """Keep the daily volatility of equity near `target` (a fraction of equity).

    Net exposure is target / (daily volatility / equity share); the rest is hedged.
    """
    daily = signals[sg.VOL_RULE, frame] * np.sqrt(MINUTES_PER_DAY / 5.0)
    if not daily > 0.0:
        return 0.0, 1.0
    centre = 1.0 - target * equity_share / daily
    return centre - half_width, centre + half_width


@kernel
def large_move(
    move: float, hold_minutes: float, until_ns: float, signals: Singles, frame: int, side: float,
    now_ns: int,
) -> tuple[float, float, float]:  # fmt: skip
    """Hedge fully for `hold_minutes` after price moved `move` against us in 15 minutes.

    `until_ns` is what it remembers from frame to frame; the new one comes third.
    """
    if -side * signals[sg.MOVE_15M, frame] >= move:
        until_ns = now_ns + hold_minutes * NS_PER_MINUTE
    if now_ns < until_ns:
        return 1.0, 1.0, until_ns
    return 0.0, 0.0, until_ns


@kernel
def proportional_hazard(
    gain: float, half_width: float, signals: Singles, frame: int, side: float
) -> tuple[float, float]:
    """Hedge in proportion to the probability of an adverse squeeze within the hour."""
    risky = 0 if side > 0.0 else 1
    centre = gain * signals[sg.ONSET + 3 * risky + 1, frame]
    if np.isnan(centre):
        return 0.0, 1.0
    return centre - half_width, centre + half_width


@kernel
def margin_aware_volatility(
    vol_on: float, vol_off: float, distance: float, terms: Any, signals: Singles,
    frame: int, equity: float, notional: float,
) -> tuple[float, float]:  # fmt: skip
    """Hedge fully when volatile *and* near liquidation; release only when it is calm again.

    `vol_on` and `vol_off` are volatilities of 5-minute returns; `distance` is a fraction of price,
    measured without hedge.
    """
    vol = signals[sg.VOL_RULE, frame]
    if vol > vol_on:
        share = equity / notional
        rate = maintenance(notional, terms.tiers) / notional
        if hedged_distance(terms.side, 0.0, share, rate, terms.coupling) < distance:
            return 1.0, 1.0
    if vol < vol_off:
        return 0.0, 0.0
    return 0.0, 1.0


@kernel
def timing_oracle(signals: Singles, frame: int, side: float) -> tuple[float, float]:
    """Hedge from onset to peak of every adverse squeeze: the ceiling, which knows the future."""
    risky = 0 if side > 0.0 else 1
    if signals[sg.ORACLE + risky, frame] > 0.5:
        return 1.0, 1.0
    return 0.0, 0.0
