"""How the simulated venue fills an order: used by the venue object and the fast backtest alike.

An order that was decided at a bar's close arrives after the latency and executes at the open of
the next bar: half the spread and the impact worse, within its collar, and at most a share of
that bar's volume. What does not fit is gone (IOC).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.features.windows import decay_of_half_life, decay_of_span
from litehedge.hedge.costs import slippage_rate
from litehedge.hedge.terms import Terms
from litehedge.jit import kernel
from litehedge.orders.manager import Order
from litehedge.risk.limits import whole_lots
from litehedge.sim.market.book import consumption, walked

Floats = NDArray[np.float64]


def new_liquidity() -> Floats:
    """Return the state of what the venue knows of its market before the first bar, ``(4,)``.

    Weighted sum of squared price changes, sum of its weights; the same for volume.
    """
    return np.zeros(4)


def liquidity_decays(bar_minutes: float) -> tuple[float, float]:
    """Return the decays of squared change (span 60 minutes) and volume (half-life 60 minutes)."""
    return decay_of_span(max(1.0, 60.0 / bar_minutes)), decay_of_half_life(60.0 / bar_minutes)


@kernel
def observe_bars(liquidity: Floats, bars: Floats, decay_sq: float, decay_vol: float) -> None:
    """Let the venue see closed bars, ``(bar, 5)``."""
    squared, squared_weight, volume, volume_weight = liquidity
    for i in range(bars.shape[0]):
        change = bars[i, 3] - bars[i, 0]
        squared = decay_sq * squared + change * change
        squared_weight = decay_sq * squared_weight + 1.0
        volume = decay_vol * volume + bars[i, 4]
        volume_weight = decay_vol * volume_weight + 1.0
    liquidity[0] = squared
    liquidity[1] = squared_weight
    liquidity[2] = volume
    liquidity[3] = volume_weight


@kernel
def execute(
    qty: float, limit: float, open_: float, volume: float, bar_minutes: float, liquidity: Floats,
    terms: Terms,
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
    most = whole_lots(terms[0].max_bar_share * volume, terms[0].lot)
    size = min(abs(qty), most)
    if size <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    direction = 1.0 if qty > 0.0 else -1.0
    # 0 / 0 before the first bar is NaN, which counts as calm and without impact.
    vol = np.sqrt(liquidity[0] / liquidity[1] / bar_minutes) / open_
    per_min = liquidity[2] / liquidity[3] / bar_minutes
    rate = slippage_rate(terms[0], vol, per_min, size)
    price = open_ * (1.0 + direction * rate)
    if direction * (price - limit) > 0.0:
        return 0.0, 0.0, 0.0, 0.0
    fee = size * price * terms[0].taker_fee
    return direction * size, price, fee, size * open_ * rate


def walk_book(
    qty: float, limit: float, bid: float, ask: float, depth_usdt: tuple[float, float],
    taker_fee: float, lot: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Walk the book from the touch, no further than the limit; what does not fit is gone.

    Parameters
    ----------
    limit
        Worst price; infinity (buying) or 0 (selling) where there is none.
    depth_usdt
        Within 1 %, of bids and asks.

    Returns
    -------
    tuple
        Filled signed quantity, price, fee and slippage (USDT, both positive = cost).
    """
    touch, depth = (ask, depth_usdt[1]) if qty > 0.0 else (bid, depth_usdt[0])
    most = np.inf
    if 0.0 < limit < np.inf:
        reach = abs(float(np.log(limit / touch)))
        if (touch - limit) * qty > 0.0:
            reach = 0.0
        most = consumption(reach) * depth / touch
    if abs(qty) > most:
        qty = float(np.copysign(whole_lots(most, lot), qty))
    taken = abs(qty) * touch / depth
    price = touch * float(np.exp(np.copysign(walked(taken), qty)))
    fee = abs(qty) * price * taker_fee
    slippage = abs(qty) * abs(price - 0.5 * (bid + ask))
    return qty, price, fee, slippage


def reducing(order: Order, held: float, lot: float) -> float:
    """Return an order's signed quantity, that of an order which reduces no larger than its leg.

    A leg may have been deleveraged while the order was on its way.
    """
    qty = float(order.qty_ltc)
    most = abs(held) if held * qty < 0.0 else 0.0
    if not order.reduce_only or abs(qty) <= most + 0.5 * lot:
        return qty
    return float(np.copysign(whole_lots(most, lot), qty))
