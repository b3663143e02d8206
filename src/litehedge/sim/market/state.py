"""The whole state of a world: one record, and the mass of positions by liquidation price."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.sim.market.brackets import MAINTENANCE
from litehedge.sim.market.chance import normals, uniform
from litehedge.sim.market.parameters import (
    BUCKET_WIDTH,
    BUCKETS,
    LEVERAGES,
    N_LAYERS,
    N_LEVERAGES,
    Parameters,
    parameters_array,
)

Floats = NDArray[np.float64]

LONGS: Final = 0
SHORTS: Final = 1
"""Sides of the crowd. Forced longs sell into the bids, which is side 0 of the book."""

SHARES: Final = np.array([0.5475, 0.22, 0.135, 0.072, 0.0205, 0.0042, 0.0007, 0.0001])
"""Share of open interest held at each leverage."""

HOLDING_S: Final = np.array([10.0, 5.0, 2.5, 1.0, 0.40, 0.15, 0.06, 0.03]) * 86_400.0
"""How long positions of each leverage are held on average."""

SECONDS_PER_YEAR: Final = 31_536_000.0
N_WHALES: Final = 3
BTC_USDT: Final = 60_000.0

STATE: Final = np.dtype(
    [
        # log prices
        ("fair", np.float64),  # what LTC is worth, without transient impact
        ("btc", np.float64),
        ("perp", np.float64),
        ("spot", np.float64),
        ("index", np.float64),
        ("mark", np.float64),
        ("noise", np.float64),  # transient price error, overshoot of news included
        # premium and funding
        ("basis", np.float64),  # perpetual over spot, 30-second mean
        ("lean", np.float64),  # where the crowd's imbalance pulls it
        ("premium", np.float64),  # of the perpetual over spot, without passing trades
        ("premium_8h", np.float64),
        ("funding", np.float64),  # last settled rate
        # volatility
        ("variance", np.float64),  # per second, of the perpetual, one-minute memory
        ("log_vol_25m", np.float64),
        ("log_vol_5h", np.float64),
        ("log_vol_3d", np.float64),
        ("log_vol_40d", np.float64),
        ("log_vol_own", np.float64),
        ("arch_btc_fast", np.float64),
        ("arch_btc_slow", np.float64),
        ("arch_own_fast", np.float64),
        ("arch_own_slow", np.float64),
        # news
        ("excitation_btc", np.float64),  # further jumps a day that past ones call forth
        ("excitation_own", np.float64),
        ("news_btc", np.float64),  # log return that is still to be digested
        ("news_own", np.float64),
        ("btc_lagged", np.float64),
        # the crowd
        ("sentiment", np.float64),
        ("sentiment_seen", np.float64),
        ("momentum_hour", np.float64),
        ("momentum_day", np.float64),
        ("price_15m", np.float64),  # log, smoothed
        ("appetite", np.float64),  # log factor of open interest
        ("lost_interest", np.float64),  # log factor that liquidations took, for days
        ("bucket", np.int64),  # of the mark
        ("regime", np.int64),
        # the book, by side (0 bids, 1 asks)
        ("log_depth", np.float64),
        ("depth", np.float64, (2,)),  # USDT within 1 %
        ("taken", np.float64, (2,)),  # what was eaten and has not refilled, in depths
        ("spot_taken", np.float64, (2,)),
        ("slow_flow", np.float64),  # signed USDT that still weighs on the price
        ("patient_used", np.float64, (2,)),  # USDT of value buyers and sellers
        ("outage_until", np.float64),  # second
        # forced closing, by side of the position
        ("queue", np.float64, (2,)),  # LTC to be liquidated
        ("queue_maintenance", np.float64, (2,)),  # mean rate of it
        ("stop_queue", np.float64, (2,)),  # LTC
        ("fund_position", np.float64),  # LTC that the insurance fund holds, signed
        # whales
        ("whale_left", np.float64, (N_WHALES,)),  # USDT still to trade
        ("whale_rate", np.float64, (N_WHALES,)),  # USDT a second, signed
        ("whale_start", np.float64, (N_WHALES,)),  # second
        ("informed", np.float64),  # how much whales know, signed
        ("seen_usdt", np.float64, (2,)),  # transfer (0 in, 1 out) that becomes known
        ("seen_at", np.float64, (2,)),  # at this second
        # made anew each minute
        ("season", np.float64),
        ("btc_variance", np.float64),  # per second
        ("own_variance", np.float64),
        ("usual_depth", np.float64),  # USDT
        ("opening", np.float64, (2,)),  # LTC a second
        ("mix_sum", np.float64, (2,)),
        ("closing", np.float64, (2,)),  # factor of the usual rate
        # the books of the crowd, in LTC by side: nothing appears or vanishes
        ("opened", np.float64, (2,)),
        ("closed", np.float64, (2,)),
        ("liquidated", np.float64, (2,)),  # that reached the queue
        ("stopped", np.float64, (2,)),
        ("deleveraged", np.float64, (2,)),
        ("executed", np.float64, (2,)),  # of the queue, in the book
        ("absorbed", np.float64, (2,)),  # of the queue, by fund and ADL
    ]
)


@dataclass(slots=True)
class World:
    """A market at one instant.

    `mass` ``(side, layer, bucket)``, times `scale` ``(side, layer)``, are LTC; `total`
    ``(side, layer)`` is their sum over buckets; `mix` ``(side, leverage)`` is how the next orders
    are drawn. Closing is a lazy change of the scale.
    """

    seed: int
    second: int  # since 1970
    parameters: NDArray[np.void]
    state: NDArray[np.void]
    mass: Floats
    scale: Floats
    total: Floats
    mix: Floats

    def copy(self) -> World:
        """Return an independent world in the same state: a branch."""
        return World(
            self.seed, self.second, self.parameters.copy(), self.state.copy(), self.mass.copy(),
            self.scale.copy(), self.total.copy(), self.mix.copy(),
        )  # fmt: skip


def new_world(parameters: Parameters, seed: int, second: int) -> World:
    """Return a world at the beginning, with positions that were opened at earlier prices.

    `second` is the time since 1970; whole minutes only.
    """
    world = World(
        seed, second - second % 60, parameters_array(parameters), np.zeros(1, dtype=STATE),
        np.zeros((2, N_LAYERS, BUCKETS)), np.ones((2, N_LAYERS)), np.zeros((2, N_LAYERS)),
        np.zeros((2, N_LEVERAGES)),
    )  # fmt: skip
    _begin(world.parameters, world.state, world.mass, world.total, seed)
    return world


PLACED: Final = 40_000
_LEVERAGES: Final = np.array(LEVERAGES)


@kernel
def bucket_of(log_price: float) -> int:
    """Return the bucket in which a price lies."""
    return int(np.floor(log_price / BUCKET_WIDTH))


@kernel
def liquidation_distance(leverage: float, maintenance: float, luck: float) -> float:
    """Return how far a new position is from liquidation; margin scatters around 1 / leverage."""
    return math.exp(0.25 * luck) / leverage - maintenance


@kernel
def _begin(
    parameters: NDArray[np.void], states: NDArray[np.void], mass: Floats, total: Floats, seed: int
) -> None:
    p = parameters[0]
    s = states[0]
    log_price = math.log(p.price_usdt)
    s.fair = log_price
    s.perp = log_price
    s.spot = log_price
    s.mark = log_price
    s.index = log_price
    s.price_15m = log_price
    s.btc = math.log(BTC_USDT)
    s.premium = p.premium_base
    for side in range(2):
        s.depth[side] = p.depth_usdt
    s.arch_btc_fast = 1.0
    s.arch_btc_slow = 1.0
    s.arch_own_fast = 1.0
    s.arch_own_slow = 1.0
    s.variance = (p.btc_vol**2 + p.own_vol**2) / SECONDS_PER_YEAR
    s.bucket = bucket_of(log_price)
    chance = np.empty(1, np.uint64)
    chance[0] = np.uint64(seed) * np.uint64(7919) + np.uint64(13)
    qty = p.open_interest_ltc / PLACED
    for _ in range(PLACED):
        moved, luck = normals(chance)
        draw = uniform(chance)
        layer = 0
        share = SHARES[0]
        while share < draw and layer < N_LEVERAGES - 1:
            layer += 1
            share += SHARES[layer]
        age_days = math.sqrt(min(HOLDING_S[layer] / 86_400.0, 10.0))
        entry = log_price + moved * 0.05 * age_days
        away = min(
            0.8, max(0.004, liquidation_distance(_LEVERAGES[layer], MAINTENANCE[layer], luck))
        )
        for side in range(2):
            sign = -1.0 if side == LONGS else 1.0
            bucket = bucket_of(entry + math.log(1.0 + sign * away))
            if (bucket - s.bucket) * sign > 0:
                mass[side, layer, bucket % BUCKETS] += qty
                total[side, layer] += qty
                s.opened[side] += qty
