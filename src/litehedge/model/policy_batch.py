"""Batches of episodes to train a policy on: real stretches, both sides of each, made harder.

Every stretch is drawn twice, once for a long and once for a short, with the same leverage, risk
budget and accidents: whichever way the market went, it went against one of them, and its direction
has no part in what is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import REDUCE, REDUCED, SAME_ACCOUNT, SHARED
from litehedge.hedge.policies import Policy
from litehedge.hedge.terms import TERMS, terms_of
from litehedge.margin.tiers import MAX_LEVERAGE, TierTable, tier_index
from litehedge.model.policy_paths import (
    CLOSE,
    HIGH,
    LOW,
    N_MARKET,
    OPEN,
    PAID,
    SCALED,
    VOLUME,
    Episodes,
    market_liquidity,
    write_slippage,
)
from litehedge.squeeze.forecast import N_SEVERITY, ForecastState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Chance = np.random.Generator


@dataclass(frozen=True, slots=True)
class Harder:
    """How far episodes stray from what was recorded; the shares are of those that stray."""

    share: float = 0.5  # of episodes that stray at all
    most_cost: float = 3.0  # costs are multiplied by up to this, evenly in its logarithm
    latency: int = 3  # bars, 1 to this
    thin: float = 0.1  # share with fills of a hundredth of the usual size for a while
    blind: float = 0.1  # share that lose the forecast for a while
    refused: float = 0.1  # share whose orders are refused for a while
    deleveraged: float = 0.05  # share whose hedge the venue closes once
    volatility: tuple[float, float] = (0.7, 1.5)
    reduced: float = 0.25  # share, of all, whose hedge is a smaller position


NOTHING_HARDER: Final = Harder(0.0, 1.0, 1, 0.0, 0.0, 0.0, 0.0, (1.0, 1.0), 0.0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What episodes are cut from: a tape as arrays, and where whole episodes fit.

    Shapes: `bars` ``(bar, 5)``; `signals` ``(N_SIGNALS, bar)``; `liquidity` ``(bar, 2)`` as
    `market_liquidity` has it; `paid` ``(bar,)``, the funding rate settled at the close; `starts`
    ``(start,)``.
    """

    bars: Floats
    signals: NDArray[np.float32]
    liquidity: Floats
    paid: Floats
    starts: Ints


def stretch_of(
    end_ns: Ints, bar_ns: int, bars: Floats, signals: NDArray[np.float32], funding_at: Ints,
    funding: Floats, decays: tuple[float, float], bar_minutes: float, length: int, warm: int,
) -> Stretch:  # fmt: skip
    """Prepare a tape for episodes of `length` bars that begin `warm` bars after a gap."""
    liquidity = np.empty((len(bars), 2))
    market_liquidity(bars, bar_minutes, *decays, liquidity)
    paid = np.zeros(len(bars))
    np.add.at(paid, funding_at, funding)
    broken = np.flatnonzero(np.diff(end_ns) != bar_ns) + 1
    begins = np.concatenate(([0], broken))
    ends = np.concatenate((broken, [end_ns.size]))
    at = np.arange(end_ns.size)
    run = np.searchsorted(begins, at, side="right") - 1
    fits = (at - warm >= begins[run]) & (at + length <= ends[run])
    return Stretch(bars, signals, liquidity, paid, at[fits])


@dataclass(frozen=True, slots=True)
class Plan:
    """What accounts are drawn: `length` bars of `step` recorded ones each."""

    settings: Settings
    tiers: TierTable
    policy: Policy  # whose parameters the terms carry
    length: int
    step: int
    leverages: tuple[float, float] = (3.0, 50.0)
    budgets: tuple[float, float] = (0.2, 0.9)
    wallets: tuple[float, float] = (300.0, 30_000.0)


def draw(
    stretches: Sequence[Stretch], plan: Plan, harder: Harder, pairs: int, chance: Chance
) -> Episodes:
    """Draw `pairs` stretches and live each as a long and as a short, ``2 * pairs`` episodes."""
    n, length, step = 2 * pairs, plan.length, plan.step
    market = np.empty((n, length, N_MARKET))
    signals = np.empty((n, sg.N_SIGNALS, length), dtype=np.float32)
    liquidity = np.empty((n, length, 2))
    weights = np.array([s.starts.size for s in stretches], dtype=np.float64)
    which = chance.choice(len(stretches), pairs, p=weights / weights.sum())
    strays = chance.random(pairs) < harder.share
    factor = np.where(strays, _between(harder.volatility, pairs, chance), 1.0)
    for i in range(pairs):
        one = stretches[which[i]]
        at = one.starts[chance.integers(one.starts.size)]
        _cut(one, int(at), length, step, market[i], signals[i], liquidity[i])
        _scale(market[i], signals[i], liquidity[i], factor[i])
    for both in (market, signals, liquidity):
        both[pairs:] = both[:pairs]
    terms, wallet = _accounts(plan, harder, market[:pairs, 0, OPEN], strays, chance)
    write_slippage(terms, liquidity, market)
    _harm(signals, harder, strays, chance)
    most = market[..., VOLUME] * terms["max_bar_share"][:, None]
    for e in _some(strays, harder.thin, chance):
        most[[e, pairs + e], _while(length, chance)] *= 0.01
    refused, deleveraged = np.zeros((2, n, length), dtype=np.bool_)
    for e in _some(strays, harder.refused, chance):
        refused[[e, pairs + e], _while(length, chance)] = True
    for e in _some(strays, harder.deleveraged, chance):
        deleveraged[[e, pairs + e], chance.integers(1, length)] = True
    latency = np.tile(np.where(strays, chance.integers(1, harder.latency + 1, pairs), 1), 2)
    collar = float(terms["collar"][0])
    return Episodes(
        terms, wallet, market, signals, most, refused, deleveraged, latency, collar
    )  # fmt: skip


def _cut(
    one: Stretch, at: int, length: int, step: int, market: Floats, signals: NDArray[np.float32],
    liquidity: Floats,
) -> None:  # fmt: skip
    """Join `step` recorded bars to one bar, in which a decision is taken at the last close."""
    whole = slice(at, at + length * step)
    bars = one.bars[whole].reshape(length, step, 5)
    market[:, OPEN] = bars[:, 0, 0]
    market[:, HIGH] = bars[..., 1].max(axis=1)
    market[:, LOW] = bars[..., 2].min(axis=1)
    market[:, CLOSE] = bars[:, -1, 3]
    market[:, VOLUME] = bars[..., 4].sum(axis=1)
    market[:, PAID] = one.paid[whole].reshape(length, step).sum(axis=1)
    signals[:] = one.signals[:, at + step - 1 : at + length * step : step]
    liquidity[:] = one.liquidity[whole.start : whole.stop : step]


def _scale(market: Floats, signals: NDArray[np.float32], liquidity: Floats, factor: float) -> None:
    """Make every move of the path larger by `factor`, and what the forecast says of it."""
    if factor == 1.0:
        return
    first = market[0, OPEN]
    market[:, :VOLUME] = first * (market[:, :VOLUME] / first) ** factor
    liquidity[:, 0] *= factor
    signals[list(SCALED)] *= factor
    signals[sg.SEVERITY : sg.SEVERITY + 2 * N_SEVERITY] *= factor


def _accounts(
    plan: Plan, harder: Harder, price: Floats, strays: NDArray[np.bool_], chance: Chance
) -> tuple[NDArray[np.void], Floats]:
    pairs = price.size
    one = terms_of(plan.settings, plan.policy, plan.tiers, 0.0)
    one["weights"] = 0.0
    terms = np.repeat(one, 2 * pairs)
    assert terms.dtype == TERMS
    leverage = _between(plan.leverages, pairs, chance)
    wallet = _between(plan.wallets, pairs, chance)
    rows = plan.tiers.rows
    for i in range(pairs):  # a venue lends less to a large position
        while leverage[i] > rows[tier_index(leverage[i] * wallet[i], rows), MAX_LEVERAGE]:
            wallet[i] *= 0.7
    more = np.where(strays, np.exp(chance.uniform(0.0, np.log(harder.most_cost), pairs)), 1.0)
    reduced = chance.random(pairs) < harder.reduced
    terms["side"] = np.repeat([1.0, -1.0], pairs)
    terms["leverage"] = np.tile(leverage, 2)
    terms["size"] = np.tile(leverage * wallet / price, 2)
    terms["budget"] = np.tile(chance.uniform(*plan.budgets, pairs), 2)
    terms["floor"] = (1.0 - terms["budget"]) * np.tile(wallet, 2)
    terms["coupling"] = np.tile(np.where(reduced, REDUCED, SHARED), 2)
    terms["location"] = np.tile(np.where(reduced, REDUCE, SAME_ACCOUNT), 2)
    for name in ("taker_fee", "half_spread", "impact"):
        terms[name] *= np.tile(more, 2)
    return terms, np.tile(wallet, 2)


def _harm(
    signals: NDArray[np.float32], harder: Harder, strays: NDArray[np.bool_], chance: Chance
) -> None:
    """Take the forecast away for a while."""
    pairs, length = strays.size, signals.shape[2]
    for e in _some(strays, harder.blind, chance):
        when = _while(length, chance)
        signals[e, sg.STATE, when] = ForecastState.COLD
        signals[pairs + e, sg.STATE, when] = ForecastState.COLD


def _between(ends: tuple[float, float], n: int, chance: Chance) -> Floats:
    """Draw numbers whose logarithm is spread evenly."""
    low, high = np.log(ends).tolist()
    return np.exp(chance.uniform(low, high, n))


def _some(strays: NDArray[np.bool_], share: float, chance: Chance) -> Ints:
    return np.flatnonzero(strays & (chance.random(strays.size) < share))


def _while(length: int, chance: Chance) -> slice:
    """Return a while: an hour to a day and a half of an episode of a week, evenly in its log."""
    lasts = int(length * np.exp(chance.uniform(np.log(0.006), np.log(0.2)))) + 1
    begin = int(chance.integers(0, length))
    return slice(begin, begin + lasts)
