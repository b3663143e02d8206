"""Episodes to train a policy on: stretches of real bars, and what goes wrong in them.

An episode is a stretch of a tape as one account lives it: its own costs, volatility, liquidity, and
accidents. `roll_out` carries a policy through many of them and writes down what it saw and did; it
calls the kernels of margin account, costs and policies, but follows the account only to its first
forced closing, and knows no guards. `litehedge.model.policy_twin` is the same account as a function
with a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.costs import slippage_rate
from litehedge.hedge.exposure import REDUCED
from litehedge.hedge.network_policy import HIDDEN, N_INPUTS, outputs, spread, write_inputs
from litehedge.hedge.plugin import band as plugin_band
from litehedge.hedge.plugin import safe_band
from litehedge.hedge.terms import Terms
from litehedge.jit import kernel
from litehedge.margin.account import ACCOUNT, Books, equity
from litehedge.margin.liquidation import bounds, liquidate_within
from litehedge.margin.tiers import maintenance
from litehedge.risk.limits import whole_lots

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

N_MARKET: Final = 8
OPEN, HIGH, LOW, CLOSE, VOLUME, HALF, IMPACT, PAID = range(N_MARKET)
"""Columns of an episode's market: the bar; half the spread and the factor of the square root of the
traded LTC in the slippage of a fill at its open; the funding rate settled at its close."""

SCALED: Final = (sg.VOL_30, sg.VOL_120, sg.SIGMA, sg.VOL_RULE, sg.MOVE_15M)


@dataclass(slots=True)
class Episodes:
    """What many accounts live through.

    Shapes: `terms` and `wallet` ``(episode,)``; `market` ``(episode, bar, N_MARKET)``; `signals`
    ``(episode, N_SIGNALS, bar)``; `most` ``(episode, bar)``, the most LTC that fill in a bar;
    `refused` and `deleveraged` ``(episode, bar)``: no fill, and the hedge closed by the venue at
    the open; `latency` ``(episode,)`` in bars.
    """

    terms: Terms
    wallet: Floats
    market: Floats
    signals: Singles
    most: Floats
    refused: Flags
    deleveraged: Flags
    latency: Ints
    collar: float = 0.015

    def __len__(self) -> int:
        return int(self.wallet.size)

    @property
    def bars(self) -> int:
        """Length of an episode."""
        return int(self.market.shape[1])


@dataclass(slots=True)
class Course:
    """How each episode went.

    Shapes, ``(episode, bar)``: `ratio` during the bar; `lo` and `hi` decided at its close (of a
    network before they were cut to [0, 1]), NaN where nobody decided; `known`, where a forecast was
    there to decide by; `source`, the bar whose decision filled at this one's open, -1 for none;
    `cut`, where the fill was less than wanted. `inputs` ``(episode, bar, N_INPUTS)``.
    ``(episode,)``: `died`, the bar of the first forced closing, -1 for none; `price` of it,
    `cleared` fee, and `rest`, equity after it; `worst` is the bar nearest to liquidation and
    `worst_price` its extreme.
    """

    ratio: Floats
    lo: Floats
    hi: Floats
    known: Flags
    source: Ints
    cut: Flags
    inputs: Singles
    died: Ints
    price: Floats
    cleared: Floats
    rest: Floats
    worst: Ints
    worst_price: Floats


@kernel
def market_liquidity(
    bars: Floats, bar_minutes: float, decay_sq: float, decay_vol: float, out: Floats
) -> None:
    """Write what a venue knows at the open of each bar, ``(bar, 2)``.

    Volatility in USDT per root minute, LTC per minute; NaN at first. As `sim.execution` has it.
    """
    squared = 0.0
    squared_weight = 0.0
    traded = 0.0
    traded_weight = 0.0
    for i in range(bars.shape[0]):
        out[i, 0] = np.sqrt(squared / squared_weight / bar_minutes)
        out[i, 1] = traded / traded_weight / bar_minutes
        change = bars[i, 3] - bars[i, 0]
        squared = decay_sq * squared + change * change
        squared_weight = decay_sq * squared_weight + 1.0
        traded = decay_vol * traded + bars[i, 4]
        traded_weight = decay_vol * traded_weight + 1.0


@kernel
def write_slippage(terms: Terms, liquidity: Floats, market: Floats) -> None:
    """Write half the spread and the impact's factor of every fill.

    Shapes: `terms` ``(episode,)``; `liquidity` ``(episode, bar, 2)`` as `market_liquidity` has it;
    `market` ``(episode, bar, N_MARKET)``.
    """
    for e in range(terms.size):
        for t in range(market.shape[1]):
            vol = liquidity[e, t, 0] / market[e, t, OPEN]
            per_min = liquidity[e, t, 1]
            half = slippage_rate(terms[e], vol, per_min, 0.0)
            market[e, t, HALF] = half
            market[e, t, IMPACT] = slippage_rate(terms[e], vol, per_min, 1.0) - half


@kernel
def _needed(size: float, ratio: float, price: float, reduced: bool, tiers: Floats) -> float:
    """Return the maintenance of both legs in USDT."""
    if reduced:
        return maintenance(size * (1.0 - ratio) * price, tiers)
    return maintenance(size * price, tiers) + maintenance(size * ratio * price, tiers)


@kernel
def _close(
    books: Books, constant: float, side: float, size: float, ratio: float, price: float,
    reduced: bool,
) -> None:  # fmt: skip
    """Set up the books of this account, entered at `price`."""
    account = books[0]
    account.wallet[0] = constant + side * size * (1.0 - ratio) * price
    account.qty[0] = side * size * (1.0 - ratio if reduced else 1.0)
    account.qty[1] = 0.0 if reduced else -side * size * ratio
    account.entry[0] = price
    account.entry[1] = price if ratio > 0.0 else 0.0
    account.clearance = 0.0


@kernel
def _roll_out(
    terms: Terms, wallets: Floats, market: Floats, signals: Singles, most: Floats, refused: Flags,
    deleveraged: Flags, latency: Ints, collar: float, weights: Singles, by_network: bool,
    books: Books, ratios: Floats, los: Floats, his: Floats, known: Flags, source: Ints, cut: Flags,
    inputs: Singles, died: Ints, prices: Floats, cleared: Floats, rest: Floats, worst: Ints,
    worst_price: Floats,
) -> None:  # fmt: skip
    hidden = np.empty((2, HIDDEN), dtype=np.float32)
    for e in range(wallets.size):
        side = terms[e].side
        size = terms[e].size
        fee = terms[e].taker_fee
        tiers = terms[e].tiers
        lot = terms[e].lot
        reduced = terms[e].coupling == REDUCED
        constant = wallets[e] - side * size * market[e, 0, OPEN]
        ratio = 0.0
        arrives = -1
        decided = -1
        target = 0.0
        limit = 0.0
        least = np.inf
        died[e] = -1
        worst[e] = 0
        worst_price[e] = market[e, 0, LOW]
        for t in range(market.shape[1]):
            open_ = market[e, t, OPEN]
            close = market[e, t, CLOSE]
            source[e, t] = -1
            cut[e, t] = False
            known[e, t] = False
            los[e, t] = np.nan
            his[e, t] = np.nan
            if arrives == t:
                arrives = -1
                wanted = abs(target - ratio) * size
                qty = min(whole_lots(wanted, lot), whole_lots(most[e, t], lot))
                more = 1.0 if target > ratio else -1.0
                direction = -side * more
                rate = market[e, t, HALF] + market[e, t, IMPACT] * np.sqrt(qty)
                price = open_ * (1.0 + direction * rate)
                if qty > 0.0 and not refused[e, t] and direction * (price - limit) <= 0.0:
                    constant += side * more * qty * price - qty * price * fee
                    ratio = max(0.0, ratio + more * qty / size)
                    source[e, t] = decided
                    cut[e, t] = wanted - qty > 2.0 * lot
            if deleveraged[e, t] and ratio > 0.0 and not reduced:
                constant -= side * ratio * size * open_
                ratio = 0.0
                arrives = -1
            ratios[e, t] = ratio
            slope = side * size * (1.0 - ratio)
            for extreme in range(2):
                price = market[e, t, LOW] if extreme == 0 else market[e, t, HIGH]
                room = constant + slope * price - _needed(size, ratio, price, reduced, tiers)
                if room < least:
                    least = room
                    worst[e] = t
                    worst_price[e] = price
            if least <= 0.0:
                _close(books, constant, side, size, ratio, open_, reduced)
                low, high = bounds(books, open_, tiers)
                price = liquidate_within(
                    books, low, high, open_, market[e, t, LOW], market[e, t, HIGH], tiers,
                    terms[e].clearance,
                )  # fmt: skip
                if not np.isnan(price):
                    died[e] = t
                    prices[e] = price
                    cleared[e] = books[0].clearance
                    rest[e] = equity(books, price)
                    break
            if arrives < 0:
                worth = constant + slope * close
                notional = size * close
                row = terms[e]
                mine = signals[e]
                if mine[sg.STATE, t] >= 2.0 or np.isnan(mine[sg.VOL_30, t]):
                    lo, hi = safe_band(row, mine, t, worth, notional)
                else:
                    known[e, t] = True
                    write_inputs(row, mine, t, size, worth, notional, inputs[e, t])
                    if by_network:
                        centre, width = outputs(weights, inputs[e, t], hidden)
                        lo, hi = spread(centre, width)
                    else:
                        lo, hi = plugin_band(row, mine, t, size, worth, notional)
                los[e, t] = lo
                his[e, t] = hi
                lo = min(max(lo, 0.0), 1.0)
                hi = min(max(hi, lo), 1.0)
                target = lo if ratio < lo else hi if ratio > hi else ratio
                change = whole_lots(abs(target - ratio) * size, lot)
                shrinks = (target < ratio) != reduced
                if change > 0.0 and (shrinks or change * close >= terms[e].min_notional):
                    arrives = t + latency[e]
                    decided = t
                    sells = side if target > ratio else -side
                    limit = close * (1.0 - sells * collar)
            constant -= slope * close * market[e, t, PAID]


def roll_out(episodes: Episodes, weights: Singles | None) -> Course:
    """Carry a network through episodes, or without one the plug-in."""
    shape = (len(episodes), episodes.bars)
    e = shape[0]
    course = Course(
        ratio=np.zeros(shape), lo=np.full(shape, np.nan), hi=np.full(shape, np.nan),
        known=np.zeros(shape, dtype=np.bool_), source=np.full(shape, -1), cut=np.zeros(
            shape, dtype=np.bool_
        ),
        inputs=np.zeros((*shape, N_INPUTS), dtype=np.float32), died=np.full(e, -1),
        price=np.full(e, np.nan), cleared=np.zeros(e), rest=np.full(e, np.nan),
        worst=np.zeros(e, dtype=np.int64), worst_price=np.full(e, np.nan),
    )  # fmt: skip
    _roll_out(
        episodes.terms, episodes.wallet, episodes.market, episodes.signals, episodes.most,
        episodes.refused, episodes.deleveraged, episodes.latency, episodes.collar,
        np.zeros(1, dtype=np.float32) if weights is None else weights, weights is not None,
        np.zeros(1, dtype=ACCOUNT), course.ratio, course.lo, course.hi, course.known,
        course.source, course.cut, course.inputs, course.died, course.price, course.cleared,
        course.rest, course.worst, course.worst_price,
    )  # fmt: skip
    return course
