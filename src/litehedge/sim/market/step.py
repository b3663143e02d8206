"""Let a world run: seconds, minutes, and a record of every atom."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.sim.market.book import depth_within, usual_variance
from litehedge.sim.market.chance import Chance, normals, start_second
from litehedge.sim.market.crowd import near_death
from litehedge.sim.market.minute import begin_minute, end_minute
from litehedge.sim.market.parameters import REGIMES
from litehedge.sim.market.recording import ATOM, SECOND, Second
from litehedge.sim.market.second import FUNDING_S, PUSH, gather, one_second, predicted_funding
from litehedge.sim.market.shocks import SHOCK
from litehedge.sim.market.state import LONGS, SHORTS, Floats, World
from litehedge.units import NS_PER_SECOND

NEAR_BUCKETS: Final = 30
"""What dies within 3 % is told among the hidden columns."""

SPREAD_BPS: Final = 1.2
N_TOLD: Final = 8
MINUTE_SEED: Final = 0x5DEECE66D
"""Minutes draw from a stream of their own, so that a second's draws do not depend on them."""


@kernel
def _begin_atom(row: Any, s: Any) -> None:
    price = math.exp(s.perp)
    row.open = price
    row.high = price
    row.low = price
    row.buy_usdt = 0.0
    row.sell_usdt = 0.0
    row.liquidated_long_usdt = 0.0
    row.liquidated_short_usdt = 0.0
    row.reported_long_usdt = 0.0
    row.reported_short_usdt = 0.0
    row.stops_usdt = 0.0
    row.deleveraged_usdt = 0.0
    row.outage = 0.0
    row.whales_in_usdt = 0.0
    row.whales_out_usdt = 0.0


@kernel
def _add_second(row: Any, s: Any, told: Floats, second: int, forced_out: int) -> None:
    price = math.exp(s.perp)
    row.high = max(row.high, price)
    row.low = min(row.low, price)
    row.buy_usdt += told[0]
    row.sell_usdt += told[1]
    row.liquidated_long_usdt += told[2]
    row.liquidated_short_usdt += told[3]
    row.reported_long_usdt += told[4]
    row.reported_short_usdt += told[5]
    row.stops_usdt += told[6]
    row.deleveraged_usdt += told[7]
    if s.outage_until > second or forced_out == 1:
        row.outage += 1.0


@kernel
def _quote(p: Any, s: Any, b: float, c: float, d: float, out: Any) -> None:
    """Write the quotes and depths of this instant; `b`, `c`, `d` are the noise of what is seen."""
    price = math.exp(s.perp)
    stress = math.sqrt(s.variance) / math.sqrt(usual_variance(p))
    mean_depth = 0.5 * (s.depth[0] + s.depth[1])
    half = 0.5e-4 * SPREAD_BPS * (1.0 + 0.35 * stress) * math.exp(0.35 * c)
    half *= math.sqrt(s.usual_depth / mean_depth)
    out.bid = price * (1.0 - half)
    out.ask = price * (1.0 + half)
    out.bid_depth_usdt = s.depth[0] / (1.0 + s.taken[0]) * math.exp(0.25 * d)
    out.ask_depth_usdt = s.depth[1] / (1.0 + s.taken[1]) * math.exp(0.25 * b)


@kernel
def _near_share(taken: float, luck: float) -> float:
    """Return depth within 0.2 % over depth within 1 %; quotes at the touch flicker."""
    return min(0.95, depth_within(taken, 0.002) / depth_within(taken, 0.01) * math.exp(0.2 * luck))


@kernel
def _far_share(taken: float) -> float:
    """Return depth within 5 % over depth within 1 %."""
    return depth_within(taken, 0.05) / depth_within(taken, 0.01)


@kernel
def _end_atom(
    p: Any, s: Any, row: Any, mass: Floats, scale: Floats, total: Floats, chance: Chance,
    seconds: int,
) -> None:  # fmt: skip
    """Write what is seen at the end of an atom, with the noise of what is seen badly."""
    a, b = normals(chance)
    c, d = normals(chance)
    price = math.exp(s.perp)
    usual = math.sqrt(usual_variance(p))
    stress = math.sqrt(s.variance) / usual
    row.close = price
    row.spot = math.exp(s.spot)
    row.index = math.exp(s.index)
    row.mark = math.exp(s.mark)
    row.btc = math.exp(s.btc)
    # Most volume is between people without leverage or intent: it follows what price does.
    span = math.log(row.high / row.low) / (usual * math.sqrt(seconds))
    volume = p.daily_volume_usdt / 86_400.0 * seconds * s.season**1.2
    volume *= 0.30 + 0.22 * span + 0.05 * span * span + 0.08 * stress
    volume *= math.exp(0.35 * a - 0.06)
    moved = math.log(price / row.open) / (usual * math.sqrt(seconds) * max(0.4, stress))
    buyers = 0.5 + 0.33 * math.tanh(0.55 * moved + 0.55 * b)
    row.buy_usdt += volume * buyers
    row.sell_usdt += volume * (1.0 - buyers)
    _quote(p, s, b, c, d, row)
    e, f = normals(chance)
    row.bid_depth_near_usdt = row.bid_depth_usdt * _near_share(s.taken[0], e)
    row.ask_depth_near_usdt = row.ask_depth_usdt * _near_share(s.taken[1], f)
    row.bid_depth_far_usdt = row.bid_depth_usdt * _far_share(s.taken[0])
    row.ask_depth_far_usdt = row.ask_depth_usdt * _far_share(s.taken[1])
    longs = total[LONGS].sum()
    shorts = total[SHORTS].sum()
    # The difference is held by those who hedge elsewhere: either side's end lowers what is open.
    row.open_interest_ltc = 0.5 * (longs + shorts)
    row.long_short_ratio = (longs / (shorts + 1.0)) ** 0.8 * math.exp(0.12 * a)
    row.funding_rate = predicted_funding(s.premium_8h)
    row.premium = s.premium_8h
    row.sentiment = s.sentiment_seen + 0.35 * d
    row.outage /= seconds
    row.hidden_regime = s.regime
    row.hidden_long_usdt = near_death(s, mass, scale, LONGS, NEAR_BUCKETS) * price
    row.hidden_short_usdt = near_death(s, mass, scale, SHORTS, NEAR_BUCKETS) * price
    row.hidden_whales_usdt = 0.0
    for w in range(s.whale_left.size):
        left = max(0.0, s.whale_left[w])
        row.hidden_whales_usdt += left if s.whale_rate[w] > 0.0 else -left


@kernel
def _tell_second(
    p: Any, s: Any, row: Any, chance: Chance, second: int, ends_atom: bool, now: Any
) -> None:
    """Write what traders meet at the end of a second; at the end of an atom, what it records."""
    if ends_atom:
        now.bid = row.bid
        now.ask = row.ask
        now.bid_depth_usdt = row.bid_depth_usdt
        now.ask_depth_usdt = row.ask_depth_usdt
    else:
        _, b = normals(chance)
        c, d = normals(chance)
        _quote(p, s, b, c, d, now)
    now.mark = math.exp(s.mark)
    now.settled_rate = s.funding if (second + 1) % FUNDING_S == 0 else math.nan


@kernel
def run_seconds(
    parameters: NDArray[np.void], states: NDArray[np.void], mass: Floats, scale: Floats,
    total: Floats, mix: Floats, regimes: NDArray[np.void], shocks: NDArray[np.void],
    push: NDArray[np.void], seed: int, first: int, seconds: int, atom_s: int, within: int,
    own_usdt: Floats, atoms: NDArray[np.void], now: NDArray[np.void],
) -> None:  # fmt: skip
    """Let a world run on, in place: `run_world` for kernels.

    Parameters
    ----------
    push
        `PUSH` ``(1,)``: room to work.
    within
        The first second's number in its atom.
    now
        `SECOND` ``(1,)``, written each second; `NOBODY` asks for none.
    """
    p = parameters[0]
    s = states[0]
    chance = np.empty(1, np.uint64)
    told = np.zeros(N_TOLD)
    has_own = own_usdt.size > 0
    gather(shocks, first, push)
    for i in range(seconds):
        second = first + i
        if shocks.size > 0:
            gather(shocks, second, push)
        row = atoms[(within + i) // atom_s]
        if (within + i) % atom_s == 0:
            _begin_atom(row, s)
        if second % 60 == 0:
            start_second(chance, seed ^ MINUTE_SEED, second)
            seen_in, seen_out = begin_minute(
                p, s, regimes, mix, chance, second, push[0].regime, push[0].vol
            )
            row.whales_in_usdt += seen_in
            row.whales_out_usdt += seen_out
        start_second(chance, seed, second)
        one_second(
            p, s, regimes[s.regime], push[0], mass, scale, total, mix, chance, second,
            own_usdt[i] if has_own else 0.0, told,
        )  # fmt: skip
        _add_second(row, s, told, second, push[0].outage)
        if second % 60 == 59:
            shock, _ = normals(chance)
            end_minute(p, s, mass, scale, total, shock)
        ends_atom = (within + i) % atom_s == atom_s - 1
        if ends_atom:
            _end_atom(p, s, row, mass, scale, total, chance, atom_s)
        if now.size > 0:
            _tell_second(p, s, row, chance, second, ends_atom, now[0])


NO_SHOCKS: Final = np.zeros(0, dtype=SHOCK)
NOBODY: Final = np.zeros(0, dtype=SECOND)


def run_world(
    world: World,
    seconds: int,
    *,
    atom_s: int = 5,
    shocks: NDArray[np.void] = NO_SHOCKS,
    own_usdt: Floats | None = None,
) -> NDArray[np.void]:
    """Let a world run on, in place. Return its record, `ATOM` ``(atom,)``.

    Parameters
    ----------
    seconds
        How long, a multiple of `atom_s`; worlds begin at whole minutes.
    shocks
        `SHOCK` ``(shock,)``, times in seconds since 1970.
    own_usdt
        ``(second,)``: what we trade at market, signed USDT.
    """
    if atom_s < 1 or 60 % atom_s or seconds % atom_s:
        raise ValueError(f"{seconds} s are not whole atoms of {atom_s} s that make up minutes")
    atoms = np.zeros(seconds // atom_s, dtype=ATOM)
    own = np.zeros(0) if own_usdt is None else own_usdt
    run_seconds(
        world.parameters, world.state, world.mass, world.scale, world.total, world.mix, REGIMES,
        shocks, np.zeros(1, dtype=PUSH), world.seed, world.second, seconds, atom_s, 0, own, atoms,
        NOBODY,
    )  # fmt: skip
    world.second += seconds
    return atoms


def run_second(
    world: World,
    atom: NDArray[np.void],
    within: int,
    *,
    atom_s: int,
    shocks: NDArray[np.void] = NO_SHOCKS,
    own_usdt: float = 0.0,
) -> Second:
    """Let a world run on by a second, in place; return the market at its end.

    The same as `run_world`, second by second.

    Parameters
    ----------
    atom
        `ATOM` ``(1,)``, written: the record of the atom so far, whole after its last second.
    within
        The second's number in its atom, from 0.
    own_usdt
        What we trade at market in this second, signed USDT.
    """
    state = world.state
    before = state["deleveraged"][0].tolist()
    now = np.zeros(1, dtype=SECOND)
    run_seconds(
        world.parameters, state, world.mass, world.scale, world.total, world.mix, REGIMES,
        shocks, np.zeros(1, dtype=PUSH), world.seed, world.second, 1, atom_s, within,
        np.array([own_usdt]), atom, now,
    )  # fmt: skip
    world.second += 1
    after = state["deleveraged"][0].tolist()
    now["deleveraged_long_ltc"] = after[LONGS] - before[LONGS]
    now["deleveraged_short_ltc"] = after[SHORTS] - before[SHORTS]
    return Second(world.second * NS_PER_SECOND, *now[0].item())
