"""A small made-up market: bars, companions and crashes, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from litehedge.feeds.replay import EventArrays
from litehedge.margin.tiers import TierTable, parse_tiers
from litehedge.market import rows as rw
from litehedge.market.events import FUNDING_VENUES
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
            np.full(n, rw.KIND_BAR, dtype=np.int8), self.end_ns, self.end_ns, bar_rows(self.bars),
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


def bar_rows(bars: Floats) -> Floats:
    """Bars (bar, 5) as the fold takes them; what takers bought is not told."""
    values = np.zeros((len(bars), rw.N_VALUES))
    values[:, :5] = bars
    values[:, 5] = np.nan
    return values


def rows(kind: int, known_ns: Ints, *columns: Floats, bar_ns: int = NS_PER_MINUTE) -> EventArrays:
    """Events of one kind from their columns."""
    values = np.zeros((known_ns.size, rw.N_VALUES))
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
    return rows(rw.KIND_BTC_BAR, own.end_ns, *bar_rows(bars).T, bar_ns=own.bar_ns)


def funding(own: Market, rate: float = 1e-4, seed: int = 2) -> EventArrays:
    """A settlement every eight hours, from shortly before the first bar on."""
    interval = 8 * NS_PER_HOUR
    first = (int(own.end_ns[0]) - own.bar_ns) // interval * interval
    times = np.arange(first, int(own.end_ns[-1]) + 1, interval, dtype=np.int64)
    rates = rate * (1.0 + np.random.default_rng(seed).standard_normal(times.size))
    return rows(rw.KIND_FUNDING, times, rates, bar_ns=own.bar_ns)


def open_interest(own: Market, seed: int = 3) -> EventArrays:
    """Open interest every five minutes."""
    first = int(own.end_ns[0]) - own.bar_ns
    times = np.arange(first, int(own.end_ns[-1]) + 1, 5 * NS_PER_MINUTE, dtype=np.int64)
    rng = np.random.default_rng(seed)
    level = 1e6 * np.exp(np.cumsum(0.002 * rng.standard_normal(times.size)))
    return rows(rw.KIND_OPEN_INTEREST, times, level, bar_ns=own.bar_ns)


def liquidations(own: Market, seed: int = 4) -> EventArrays:
    """Forced orders of either side at odd moments, about one every three bars."""
    rng = np.random.default_rng(seed)
    n = len(own) // 3
    lower, upper = int(own.end_ns[0]) - own.bar_ns, int(own.end_ns[-1])
    times = np.sort(rng.integers(lower, upper, n))
    times[0] = lower
    size = np.exp(rng.normal(8.0, 1.5, n))
    is_long = rng.random(n) < 0.5
    zero = np.zeros(n)
    return rows(
        rw.KIND_LIQUIDATION, times, np.where(is_long, size, zero), np.where(is_long, zero, size),
        bar_ns=own.bar_ns,
    )  # fmt: skip


def feeds(own: Market, seed: int = 5) -> dict[str, EventArrays]:
    """What else a venue and others tell, by feed: book, mark, index, crowd, mood, funding."""
    rng = np.random.default_rng(seed)
    n, bar_ns = len(own), own.bar_ns
    last_ns, close = own.end_ns - 1_000_000, own.bars[:, 3]
    lower, upper = int(own.end_ns[0]) - bar_ns, int(own.end_ns[-1])

    def noisy(middle: float, sd: float, size: int = n) -> Floats:
        return np.asarray(middle * np.exp(sd * rng.standard_normal(size)))

    def slow(kind: int, minutes: int, late_s: int) -> EventArrays:
        times = np.arange(lower, upper, minutes * NS_PER_MINUTE, dtype=np.int64)
        return rows(kind, times + late_s * 10**9, noisy(1.5, 0.1, times.size), bar_ns=bar_ns)

    depths = [noisy(d, 0.3) for d in (2e6, 2e6, 6e5, 6e5, 5e6, 5e6)]
    half = 1e-4 * noisy(1.0, 0.2)
    quotes = (close * (1 - half), close * (1 + half))
    told = {
        "book": rows(rw.KIND_BOOK, last_ns, *quotes, *depths, bar_ns=bar_ns),
        "mark": rows(rw.KIND_MARK, last_ns, close * noisy(1.0, 1e-4), bar_ns=bar_ns),
        "index": rows(rw.KIND_INDEX, last_ns, close * noisy(1.0, 2e-4), bar_ns=bar_ns),
        "long_short_ratio": slow(rw.KIND_LONG_SHORT_RATIO, 5, 30),
        "sentiment": slow(rw.KIND_SENTIMENT, 60, 300),
    }
    for i, venue in enumerate(FUNDING_VENUES):
        rates = 1e-4 * rng.standard_normal(n)
        told[f"funding_{venue}"] = rows(
            rw.KIND_PREDICTED_FUNDING, last_ns, np.full(n, float(i)), rates, bar_ns=bar_ns
        )
    times = np.sort(rng.integers(lower, upper, max(2, n // 200)))
    times[0] = lower
    inward = (rng.random(times.size) < 0.5).astype(float)
    moved = noisy(3e6, 0.8, times.size)
    told["transfers"] = rows(rw.KIND_TRANSFER, times, moved, inward, bar_ns=bar_ns)
    return told


def largest(all_of_them: EventArrays) -> EventArrays:
    """What a throttled feed tells of forced orders: every other one, a third of it."""
    return replace(
        all_of_them,
        kinds=np.full(all_of_them.kinds[::2].size, rw.KIND_LARGEST_LIQUIDATION, dtype=np.int8),
        event_ns=all_of_them.event_ns[::2], known_ns=all_of_them.known_ns[::2],
        values=all_of_them.values[::2] / 3.0,
    )  # fmt: skip


def everything(own: Market) -> EventArrays:
    """The market with all companions and feeds."""
    forced = liquidations(own)
    told = feeds(own).values()
    return own.events(
        bitcoin(own), funding(own), open_interest(own), forced, largest(forced), *told
    )


DAY = NS_PER_DAY
