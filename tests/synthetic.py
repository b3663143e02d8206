"""A small made-up market: bars, companions and crashes, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from litehedge.feeds.replay import EventArrays
from litehedge.margin.tiers import TierTable, parse_tiers
from litehedge.market import frames as fr
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, instant_ns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

T0 = instant_ns("2023-03-06")  # a Monday, midnight


@cache
def packaged_tiers() -> TierTable:
    """The tier table that ships with the package."""
    table = resources.files("litehedge.margin") / "tables" / "binance-LTCUSDT.toml"
    return parse_tiers(table.read_text(encoding="utf-8"), "binance-LTCUSDT")


@dataclass(frozen=True)
class Crash:
    """A fall of `depth` (log) in the `bars` bars after bar `at`, of which `rebound` comes back."""

    at: int
    bars: int
    depth: float
    rebound: float = 0.4
    rebound_bars: int = 30


@dataclass(frozen=True)
class Market:
    """Bars, one after another unless `end_ns` jumps. `bars` are (bar, 5) OHLCV."""

    end_ns: Ints
    bars: Floats
    bar_ns: int

    def __len__(self) -> int:
        return self.end_ns.size

    def without(self, *holes: slice) -> Market:
        """The same market, unrecorded in the holes."""
        kept = np.ones(len(self), dtype=np.bool_)
        for hole in holes:
            kept[hole] = False
        return replace(self, end_ns=self.end_ns[kept], bars=self.bars[kept])

    def mirrored(self) -> Market:
        """The market in which every fall is a rise of the same log size, about 100 USDT."""
        turned = self.bars.copy()
        turned[:, :4] = 100.0**2 / self.bars[:, [0, 2, 1, 3]]
        return replace(self, bars=turned)

    def events(self, *companions: EventArrays) -> EventArrays:
        """The bars as events, with companions merged in."""
        n = len(self)
        own = EventArrays(
            np.full(n, fr.KIND_BAR, dtype=np.int8), self.end_ns, self.end_ns, self.bars,
            self.bar_ns,
        )  # fmt: skip
        return merged(own, *companions)


def market(
    n: int,
    *,
    seed: int = 0,
    bar_ns: int = NS_PER_MINUTE,
    start_ns: int = T0,
    price: float = 100.0,
    vol: float = 0.0006,
    volume: float = 50_000.0,
    crashes: tuple[Crash, ...] = (),
) -> Market:
    """A random walk with `vol` per root minute and the crashes on top. `volume` is per minute."""
    rng = np.random.default_rng(seed)
    minutes = bar_ns / NS_PER_MINUTE
    steps = vol * np.sqrt(minutes) * rng.standard_normal(n)
    loud = np.ones(n)
    for crash in crashes:
        falling = slice(crash.at + 1, crash.at + 1 + crash.bars)
        rising = slice(falling.stop, falling.stop + crash.rebound_bars)
        steps[falling] -= crash.depth / crash.bars
        steps[rising] += crash.depth * crash.rebound / crash.rebound_bars
        loud[falling] = 6.0
    close = price * np.exp(np.cumsum(steps))
    open_ = np.concatenate(([price], close[:-1]))
    wick = vol * np.sqrt(minutes) * np.abs(rng.standard_normal((2, n))) * 0.5
    high = np.maximum(open_, close) * np.exp(wick[0])
    low = np.minimum(open_, close) * np.exp(-wick[1])
    traded = volume * minutes * loud * np.exp(0.4 * rng.standard_normal(n))
    end_ns = start_ns + bar_ns * np.arange(1, n + 1, dtype=np.int64)
    return Market(end_ns, np.column_stack((open_, high, low, close, traded)), bar_ns)


def merged(*streams: EventArrays) -> EventArrays:
    """Streams as one, in the order in which they became known."""
    kinds = np.concatenate([s.kinds for s in streams])
    known = np.concatenate([s.known_ns for s in streams])
    order = np.lexsort((kinds, known))
    return EventArrays(
        kinds[order],
        np.concatenate([s.event_ns for s in streams])[order],
        known[order],
        np.concatenate([s.values for s in streams])[order],
        streams[0].interval_ns,
    )


def rows(kind: int, known_ns: Ints, *columns: Floats, bar_ns: int = NS_PER_MINUTE) -> EventArrays:
    """Events of one kind from their columns."""
    values = np.zeros((known_ns.size, fr.N_VALUES))
    for i, column in enumerate(columns):
        values[:, i] = column
    return EventArrays(
        np.full(known_ns.size, kind, dtype=np.int8), known_ns, known_ns, values, bar_ns
    )


def bitcoin(own: Market, seed: int = 1) -> EventArrays:
    """Bitcoin bars that move with the market and a little by themselves."""
    rng = np.random.default_rng(seed)
    noise = np.exp(np.cumsum(0.0003 * rng.standard_normal(len(own))))
    bars = own.bars.copy()
    bars[:, :4] *= 300.0 * noise[:, np.newaxis]
    return rows(fr.KIND_BTC_BAR, own.end_ns, *bars.T, bar_ns=own.bar_ns)


def funding(own: Market, rate: float = 1e-4, seed: int = 2) -> EventArrays:
    """A settlement every eight hours, from shortly before the first bar on."""
    interval = 8 * NS_PER_HOUR
    first = (int(own.end_ns[0]) - own.bar_ns) // interval * interval
    times = np.arange(first, int(own.end_ns[-1]) + 1, interval, dtype=np.int64)
    rates = rate * (1.0 + np.random.default_rng(seed).standard_normal(times.size))
    return rows(fr.KIND_FUNDING, times, rates, bar_ns=own.bar_ns)


def open_interest(own: Market, seed: int = 3) -> EventArrays:
    """Open interest every five minutes."""
    first = int(own.end_ns[0]) - own.bar_ns
    times = np.arange(first, int(own.end_ns[-1]) + 1, 5 * NS_PER_MINUTE, dtype=np.int64)
    rng = np.random.default_rng(seed)
    level = 1e6 * np.exp(np.cumsum(0.002 * rng.standard_normal(times.size)))
    return rows(fr.KIND_OPEN_INTEREST, times, level, bar_ns=own.bar_ns)


def liquidations(own: Market, seed: int = 4) -> EventArrays:
    """Forced orders of either side at odd moments, about one every three bars."""
    rng = np.random.default_rng(seed)
    n = len(own) // 3
    lower, upper = int(own.end_ns[0]) - own.bar_ns, int(own.end_ns[-1])
    times = np.sort(rng.integers(lower, upper, n))
    size = np.exp(rng.normal(8.0, 1.5, n))
    is_long = rng.random(n) < 0.5
    zero = np.zeros(n)
    return rows(
        fr.KIND_LIQUIDATION, times, np.where(is_long, size, zero), np.where(is_long, zero, size),
        bar_ns=own.bar_ns,
    )  # fmt: skip


def everything(own: Market) -> EventArrays:
    """The market with all companions."""
    return own.events(bitcoin(own), funding(own), open_interest(own), liquidations(own))


DAY = NS_PER_DAY
