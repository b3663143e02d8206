"""How the simulated venue fills an order: used by the venue object and the fast backtest alike.

An order that was decided at a bar's close arrives after the latency and executes at the open of
the next bar: half the spread and the impact worse, within its collar, and at most a share of
that bar's volume. What does not fit is gone (IOC).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.features.windows import decay_of_half_life, decay_of_span, mean_get, mean_push
from litehedge.hedge.costs import slippage_rate
from litehedge.jit import kernel
from litehedge.risk.limits import whole_lots

Floats = NDArray[np.float64]

_SQUARED, _VOLUME = range(2)


def new_liquidity() -> Floats:
    """Return the state of what the venue knows of its market before the first bar, ``(2, 3)``."""
    return np.zeros((2, 3))


def liquidity_decays(bar_minutes: float) -> tuple[float, float]:
    """Return the decays of squared return (span 60 minutes) and volume (half-life 60 minutes)."""
    return decay_of_span(max(1.0, 60.0 / bar_minutes)), decay_of_half_life(60.0 / bar_minutes)


@kernel
def observe_bar(
    liquidity: Floats, open_: float, close: float, volume: float, decay_sq: float, decay_vol: float
) -> None:
    """Let the venue see a closed bar."""
    move = close / open_ - 1.0
    mean_push(liquidity, _SQUARED, move * move, decay_sq)
    mean_push(liquidity, _VOLUME, volume, decay_vol)


@kernel
def observe_bars(liquidity: Floats, bars: Floats, decay_sq: float, decay_vol: float) -> None:
    """Let the venue see many closed bars, ``(bar, 5)``."""
    for i in range(bars.shape[0]):
        observe_bar(liquidity, bars[i, 0], bars[i, 3], bars[i, 4], decay_sq, decay_vol)


@kernel
def execute(
    qty: float, limit: float, open_: float, volume: float, bar_minutes: float, liquidity: Floats,
    costs: NDArray[np.void], lot: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Execute an immediate-or-cancel order at the open of a bar.

    Parameters
    ----------
    qty
        Signed quantity in LTC.
    limit
        Worst price: the collar.
    volume
        Volume of the bar in LTC.

    Returns
    -------
    tuple
        Filled signed quantity, price, fee, slippage (USDT, both positive = cost); quantity 0
        when the collar or an empty bar left nothing.
    """
    most = whole_lots(costs[0].max_bar_share * volume, lot)
    size = min(abs(qty), most)
    if size <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    direction = 1.0 if qty > 0.0 else -1.0
    vol = np.sqrt(mean_get(liquidity, _SQUARED, 1.0) / bar_minutes)
    per_min = mean_get(liquidity, _VOLUME, 1.0) / bar_minutes
    rate = slippage_rate(costs, vol, per_min, size)
    price = open_ * (1.0 + direction * rate)
    if direction * (price - limit) > 0.0:
        return 0.0, 0.0, 0.0, 0.0
    fee = size * price * costs[0].taker_fee
    return direction * size, price, fee, size * open_ * rate
