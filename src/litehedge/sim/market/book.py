"""The order book as a function: depth that makers offer, what takers ate of it, where price is.

Consumption z, in multiples of the depth within 1 %, displaces price by ``0.004 z + 0.006 z²``:
the book is thin near the touch and convex, so a large order moves price more than in proportion.
"""

from __future__ import annotations

import math
from typing import Any, Final

from litehedge.jit import kernel
from litehedge.sim.market.state import SECONDS_PER_YEAR

MOST_TAKEN: Final = 6.0


@kernel
def displacement(taken: float) -> float:
    """Return the log price displacement of a consumption, in depths."""
    return 0.004 * taken + 0.006 * taken * taken


@kernel
def consumption(moved: float) -> float:
    """Return the consumption that displaces price by `moved`: the inverse, 0 below 0."""
    if moved <= 0.0:
        return 0.0
    return (-0.004 + math.sqrt(1.6e-5 + 0.024 * moved)) / 0.012


@kernel
def walked(taken: float) -> float:
    """Return the mean log displacement of an order that takes so many depths: price paid."""
    return 0.002 * taken + 0.002 * taken * taken


@kernel
def depth_within(taken: float, band: float) -> float:
    """Return what is left within a share of mid, in depths, of a book of which `taken` is eaten."""
    return consumption(displacement(taken) + band) - taken


@kernel
def usual_variance(p: Any) -> float:
    """Return the variance per second of LTC in a usual market."""
    return (p.beta**2 * p.btc_vol**2 + p.own_vol**2) / SECONDS_PER_YEAR


@kernel
def slow_displacement(p: Any, s: Any) -> float:
    """Return the square-root impact of the flow of the last hours."""
    share = s.slow_flow / p.daily_volume_usdt
    root = math.sqrt(abs(share) + 1e-4) - 0.01
    daily = math.sqrt(usual_variance(p) * 86_400.0)
    return p.slow_impact * daily * (root if share >= 0.0 else -root)


@kernel
def withdraw_or_return(p: Any, s: Any, stress: float, is_out: bool, depth_factor: float) -> None:
    """Let makers follow volatility and toxicity: down within seconds, up within minutes.

    `stress` is volatility in multiples of the usual.
    """
    x = stress / p.depth_vol
    calm = (1.0 + x * x) ** (-p.depth_exponent) * (0.5 if is_out else 1.0)
    offered = s.usual_depth * max(p.depth_floor, calm) * depth_factor
    floor = s.usual_depth * p.depth_floor * min(1.0, depth_factor)
    for side in range(2):
        wanted = max(offered / (1.0 + p.toxicity * s.taken[side]), floor)
        time = p.withdraw_s if wanted < s.depth[side] else p.return_s * 0.25
        s.depth[side] += (wanted - s.depth[side]) / time


@kernel
def take(s: Any, usdt: float) -> None:
    """Let a taker eat the perpetual's book: positive buys from the asks."""
    if usdt < 0.0:
        s.taken[0] -= usdt / s.depth[0]
    else:
        s.taken[1] += usdt / s.depth[1]


@kernel
def refill(p: Any, s: Any, stress: float, is_out: bool) -> None:
    """Let the books refill, and value buyers and sellers step in where price left fair value.

    Their capital is limited and comes back slowly.
    """
    kept = 1.0 - 1.0 / (p.refill_s * (1.0 + 0.06 * stress))
    kept_spot = 1.0 - 1.0 / p.refill_s
    pace = p.patient_rate * s.usual_depth * (0.4 if is_out else 1.0) / 0.01
    for side in range(2):
        s.taken[side] *= kept
        s.spot_taken[side] *= kept_spot
        away = displacement(s.taken[side]) - p.patient_from
        if away > 0.0:
            left = max(0.05, 1.0 - s.patient_used[side] / p.patient_capital_usdt)
            given = min(0.3 * s.taken[side], pace * away / s.depth[side] * left)
            s.taken[side] -= given
            s.patient_used[side] += given * s.depth[side]
        s.patient_used[side] *= 1.0 - 1.0 / p.patient_return_s
        s.taken[side] = min(s.taken[side], MOST_TAKEN)
        s.spot_taken[side] = min(s.spot_taken[side], MOST_TAKEN)


@kernel
def arbitrage(p: Any, s: Any, is_out: bool, spot_depth_usdt: float) -> None:
    """Let arbitrageurs trade perpetual against spot when they drift apart."""
    gap = s.perp - s.spot - s.premium
    if abs(gap) <= 0.0004:
        return
    beyond = (gap - math.copysign(0.0004, gap)) / 0.01
    usdt = p.arbitrage * (0.3 if is_out else 1.0) * max(-8.0, min(8.0, beyond)) * s.usual_depth
    # A rich perpetual is sold: first into what buyers just ate, then into the bids.
    rich, poor = (1, 0) if usdt > 0.0 else (0, 1)
    size = abs(usdt)
    absorbed = min(size, s.taken[rich] * s.depth[rich])
    s.taken[rich] -= absorbed / s.depth[rich]
    s.taken[poor] += min((size - absorbed) / s.depth[poor], 0.5 * consumption(0.5 * abs(gap)))
    s.spot_taken[rich] += size / spot_depth_usdt
