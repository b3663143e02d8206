"""The crowd of leveraged traders: mass by liquidation price, not agents.

An opening puts mass into the bucket of its liquidation (or stop) price; closing shrinks a whole
layer through its scale; when the mark crosses a bucket, what lies in it is sold by force.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from litehedge.jit import kernel
from litehedge.sim.market.brackets import (
    FURTHER,
    MAINTENANCE,
    N_RESTS,
    RATES,
    REST_OF,
    STAYS,
)
from litehedge.sim.market.chance import Chance, normals, uniform
from litehedge.sim.market.parameters import (
    BUCKET_WIDTH,
    BUCKETS,
    LEVERAGES,
    N_LAYERS,
    N_LEVERAGES,
    RESTS,
    STOPS,
)
from litehedge.sim.market.state import (
    HOLDING_S,
    LONGS,
    Floats,
    bucket_of,
    liquidation_distance,
)

_LEVERAGES: Final = np.array(LEVERAGES)
_CLOSING: Final = np.concatenate(
    (1.0 / HOLDING_S, [1.0 / (0.7 * HOLDING_S[3])], np.full(N_RESTS, 1.0 / HOLDING_S[1]))
)
"""Share of each layer that closes in a second of a usual market."""

LARGEST_ORDER: Final = 345.0


@kernel
def order_size(draw: float) -> float:
    """Return the size of an order in multiples of the mean: Pareto, exponent 1.5."""
    return 0.3333 * draw ** (-0.6667) if draw > 3e-5 else LARGEST_ORDER


@kernel
def open_one(
    p: Any, s: Any, mass: Floats, scale: Floats, total: Floats, mix: Floats, chance: Chance
) -> float:
    """Let one order open a position. Return what it takes from the book, signed USDT."""
    draw = uniform(chance)
    stop = uniform(chance)
    size = order_size(uniform(chance))
    luck, _ = normals(chance)
    both = s.opening[0] + s.opening[1]
    if both <= 0.0:
        return 0.0
    at = draw * both
    side = 0
    if at >= s.opening[0]:
        at -= s.opening[0]
        side = 1
    at *= s.mix_sum[side] / s.opening[side]
    layer = 0
    reached = mix[side, 0]
    while reached < at and layer < N_LEVERAGES - 1:
        layer += 1
        reached += mix[side, layer]
    qty = both * size
    most = 0.8 if side == LONGS else 1.5
    away = min(most, max(0.0045, liquidation_distance(_LEVERAGES[layer], MAINTENANCE[layer], luck)))
    if layer >= 1 and stop < p.stop_share:
        away *= 0.25 + 0.6 * stop / p.stop_share
        layer = STOPS
    sign = 1.0 if side == LONGS else -1.0
    bucket = bucket_of(s.mark + math.log(1.0 - sign * away))
    nearest = bucket_of(s.mark) - int(sign)
    bucket = min(bucket, nearest) if side == LONGS else max(bucket, nearest)
    mass[side, layer, bucket % BUCKETS] += qty / scale[side, layer]
    total[side, layer] += qty
    s.opened[side] += qty
    return sign * p.taker_share * qty * math.exp(s.perp)


@kernel
def close_some(p: Any, s: Any, scale: Floats, total: Floats) -> float:
    """Let a share of every layer close. Return what that takes from the book, signed USDT."""
    net = 0.0
    for side in range(2):
        sign = 1.0 if side == LONGS else -1.0
        for layer in range(N_LAYERS):
            share = min(0.5, _CLOSING[layer] * s.closing[side])
            qty = total[side, layer] * share
            total[side, layer] -= qty
            scale[side, layer] *= 1.0 - share
            s.closed[side] += qty
            net -= sign * qty
    return p.taker_share * net * math.exp(s.perp)


@kernel
def cross(s: Any, mass: Floats, scale: Floats, total: Floats) -> None:
    """Move what the mark has crossed to the queues: liquidations, and stops.

    Of a large position only the part above its tier's floor is liquidated; the rest moves on to
    where that dies. The nearest bucket is crossed first, so that a rest may be crossed too.
    """
    reached = bucket_of(s.mark)
    if reached == s.bucket:
        return
    side = LONGS if reached < s.bucket else 1
    onward = -1 if side == LONGS else 1
    for step in range(abs(reached - s.bucket)):
        bucket = s.bucket - step - 1 if side == LONGS else s.bucket + step + 1
        at = bucket % BUCKETS
        for layer in range(N_LAYERS):
            qty = mass[side, layer, at] * scale[side, layer]
            if qty <= 0.0:
                continue
            mass[side, layer, at] = 0.0
            total[side, layer] -= qty
            if layer == STOPS:
                s.stop_queue[side] += qty
                s.stopped[side] += qty
            else:
                kind = layer if layer < STOPS else layer - 1
                if REST_OF[kind] >= 0:
                    left = qty * STAYS[kind]
                    to = RESTS + REST_OF[kind]
                    further = bucket + onward * max(1, round(FURTHER[side, kind] / BUCKET_WIDTH))
                    mass[side, to, further % BUCKETS] += left / scale[side, to]
                    total[side, to] += left
                    qty -= left
                before = s.queue_maintenance[side] * s.queue[side]
                s.queue[side] += qty
                s.queue_maintenance[side] = (before + RATES[kind] * qty) / s.queue[side]
                s.liquidated[side] += qty
    s.bucket = reached


@kernel
def near_death(s: Any, mass: Floats, scale: Floats, side: int, buckets: int) -> float:
    """Return the LTC of one side that dies within so many buckets of the mark."""
    found = 0.0
    sign = -1 if side == LONGS else 1
    for step in range(1, buckets + 1):
        at = (s.bucket + sign * step) % BUCKETS
        for layer in range(N_LAYERS):
            found += mass[side, layer, at] * scale[side, layer]
    return found
