"""Forced closing: stops and liquidations into the book, the insurance fund, deleveraging.

The engine sells no lower than the bankruptcy price. What the book does not take ages into the
insurance fund; beyond what the fund may hold, winners of the other side are closed against it.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from litehedge.jit import kernel
from litehedge.sim.market.book import consumption, displacement
from litehedge.sim.market.brackets import MAINTENANCE
from litehedge.sim.market.parameters import BUCKET_WIDTH, BUCKETS, LEVERAGES, N_LEVERAGES
from litehedge.sim.market.state import LONGS, Floats

WINNERS: Final = 4  # layers of leverage, the lowest first, from which winners are deleveraged
LARGEST_REPORTED: Final = 1500.0
SMALLEST_REPORTED: Final = 150.0
_LEVERAGES: Final = np.array(LEVERAGES)


@kernel
def _room(s: Any, side: int, anchor: float, slack: float, price: float) -> float:
    """Return the LTC that the book takes before price is `slack` beyond the mark.

    `anchor` is the log price without anything taken.
    """
    sign = 1.0 if side == LONGS else -1.0
    moved = sign * (anchor - s.mark) + displacement(s.taken[1 - side]) + slack
    return max(0.0, (consumption(moved) - s.taken[side]) * s.depth[side]) / price


@kernel
def run_stops(p: Any, s: Any, side: int, anchor: float, price: float) -> float:
    """Send stop-market orders, with the venue's price protection. Return the USDT traded."""
    waiting = s.stop_queue[side]
    if waiting <= 0.0:
        return 0.0
    qty = min(0.5 * waiting + 0.5, waiting, _room(s, side, anchor, p.stop_slippage, price))
    s.stop_queue[side] -= qty
    s.taken[side] += p.forced_impact * qty * price / s.depth[side]
    return qty * price


@kernel
def run_liquidations(
    p: Any, s: Any, side: int, anchor: float, price: float, scale: Floats, total: Floats
) -> tuple[float, float, float]:
    """Work off the liquidation queue of one side.

    Returns
    -------
    tuple
        USDT sold into the book; USDT closed by force in all; USDT of winners deleveraged.
    """
    waiting = s.queue[side]
    if waiting <= 0.0:
        return 0.0, 0.0, 0.0
    slack = s.queue_maintenance[side] + p.liquidation_slippage
    tried = waiting * p.queue_rate + p.queue_depth_share * s.usual_depth / price
    qty = min(tried, waiting, _room(s, side, anchor, slack, price))
    s.taken[side] += p.forced_impact * qty * price / s.depth[side]
    s.executed[side] += qty
    aged = (waiting - qty) * p.queue_ageing
    s.queue[side] = waiting - qty - aged
    s.absorbed[side] += aged
    deleveraged = 0.0
    if (abs(s.fund_position) + aged) * price > p.fund_position_usdt:
        deleveraged = _deleverage(s, 1 - side, aged, scale, total) * price
    else:
        s.fund_position += aged if side == LONGS else -aged
    return qty * price, (qty + aged) * price, deleveraged


@kernel
def _deleverage(s: Any, winners: int, qty: float, scale: Floats, total: Floats) -> float:
    """Close winners of one side against `qty`. Return the LTC closed."""
    held = 0.0
    for layer in range(WINNERS):
        held += total[winners, layer]
    share = min(0.5, qty / (held + 1e-9))
    closed = 0.0
    for layer in range(WINNERS):
        closed += total[winners, layer] * share
        total[winners, layer] *= 1.0 - share
        scale[winners, layer] *= 1.0 - share
    s.deleveraged[winners] += closed
    return closed


@kernel
def winners_ahead(s: Any, mass: Floats, scale: Floats, side: int, rank: float) -> float:
    """Return the LTC of one side whose rank in the queue of deleveraging is above `rank`.

    The rank is profit by entry notional times effective leverage (notional by equity), as on
    Binance. The crowd's entries are where its liquidation prices say, without the scatter of
    margin. Positions with a stop and what is left of large ones are left out: theirs is not known.
    """
    sign = 1.0 if side == LONGS else -1.0
    found = 0.0
    # The ring holds half of its buckets on either side of the mark.
    for step in range(1, BUCKETS // 2):
        bucket = s.bucket - int(sign) * step
        dies_at = math.exp(bucket * BUCKET_WIDTH - s.mark)  # in multiples of the mark
        for layer in range(N_LEVERAGES):
            qty = mass[side, layer, bucket % BUCKETS] * scale[side, layer]
            if qty <= 0.0:
                continue
            margin = 1.0 / _LEVERAGES[layer]
            entry = dies_at / (1.0 - sign * (margin - MAINTENANCE[layer]))
            profit = sign * (1.0 / entry - 1.0)
            if profit > 0.0 and profit / (entry * (margin + profit)) > rank:
                found += qty
    return found


@kernel
def unload_fund(s: Any, price: float) -> float:
    """Let the insurance fund sell slowly what it took. Return the signed USDT it trades."""
    held = s.fund_position
    if held == 0.0:
        return 0.0
    qty = min(abs(held), 0.003 * min(s.depth[0], s.depth[1]) / price)
    sign = 1.0 if held > 0.0 else -1.0
    s.fund_position -= sign * qty
    side = 0 if held > 0.0 else 1
    s.taken[side] += qty * price / s.depth[side]
    return -sign * qty * price


@kernel
def reported(usdt: float, draw: float) -> float:
    """Return what a feed tells of a second's liquidations: only the largest order."""
    if usdt <= SMALLEST_REPORTED:
        return 0.0
    return min(usdt, LARGEST_REPORTED * draw ** (-0.8))
