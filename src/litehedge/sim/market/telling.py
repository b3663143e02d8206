"""What feeds tell of a world's atoms, and when: cadence, latency, gaps, outages.

Streams of our own venue (quotes, forced orders, mark and index, bars) tell each atom, the last
message a millisecond before its end, so that an atom holds what was seen in it. They fall silent
together while the venue is out or the connection is lost. Other feeds come from elsewhere, at
their own pace, late, each with gaps of its own. All of it is a function of (seed, feed, time):
branches of a world lose the same messages.

Cadences are those of the public interfaces of Binance, Bybit and OKX; latencies and gaps are
assumed, of the size that one meets over the internet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.market import rows as rw
from litehedge.market.events import FUNDING_VENUES, MarketEvent
from litehedge.sim.market.chance import Chance, normals, start_second, uniform
from litehedge.sim.market.second import FUNDING_S, predicted_funding
from litehedge.units import NS_PER_MS, NS_PER_SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Feed(NamedTuple):
    """How a feed behaves. Times in seconds."""

    every_s: float  # 0: each atom, or whenever something happens
    least_late_s: float
    most_late_s: float
    gaps_per_day: float
    gap_s: float  # mean length of a gap


OPEN_INTEREST_S: Final = 300
RATIO_S: Final = 300
FEEDS: Final[dict[str, Feed]] = {
    "own venue": Feed(0, 0.0, 0.0, 1.0, 8.0),
    "predicted funding, bybit": Feed(60, 0.1, 3.0, 2.0, 90.0),
    "predicted funding, okx": Feed(60, 0.1, 3.0, 2.0, 90.0),
    "open interest": Feed(OPEN_INTEREST_S, 2.0, 20.0, 0.5, 900.0),
    "long/short ratio": Feed(RATIO_S, 5.0, 60.0, 0.5, 1200.0),
    "transfers": Feed(0, 0.0, 0.0, 0.3, 3600.0),
    "sentiment": Feed(3600, 60.0, 600.0, 0.2, 7200.0),
}
_OWN, _BYBIT, _OKX, _OPEN_INTEREST, _RATIO, _TRANSFERS, _SENTIMENT = range(len(FEEDS))
_TABLE: Final = np.array(list(FEEDS.values()), dtype=np.float64)
_GAPS_PER_DAY, _GAP_S = 3, 4

OWN_FUNDING_S: Final = 60
"""Our venue tells its predicted funding with the mark price; once a minute is kept."""

GAP_SLOT_S: Final = 21_600
"""A feed has at most one gap in so long; a gap is no longer than that."""

VENUE_PREMIUM_SD: Final = 1.5e-4
VENUE_PREMIUM_HALF_LIFE_H: Final = 8.0
VENUE_MEMORY_H: Final = 48
"""Premium of another venue beyond ours: an autoregression of hours, cut off after so many."""

_KEPT: Final = 0.5 ** (1.0 / VENUE_PREMIUM_HALF_LIFE_H)
_GAP_SEED: Final = 0x3C6EF372FE94F82B
_LATE_SEED: Final = 0x1F83D9ABFB41BD6B
_VENUE_SEED: Final = 0x5BE0CD19137E2179
_LAST_NS: Final = NS_PER_MS
_MOST_ROWS: Final = 20
"""Of one atom."""
CHUNK: Final = 1024

(
    _BTC_BAR, _BAR, _BOOK, _LIQUIDATION, _LARGEST, _FUNDING, _OI, _MARK, _INDEX, _LS_RATIO,
    _TRANSFER, _SCORE, _PREDICTED, _TICK,
) = (
    rw.KIND_BTC_BAR, rw.KIND_BAR, rw.KIND_BOOK, rw.KIND_LIQUIDATION, rw.KIND_LARGEST_LIQUIDATION,
    rw.KIND_FUNDING, rw.KIND_OPEN_INTEREST, rw.KIND_MARK, rw.KIND_INDEX, rw.KIND_LONG_SHORT_RATIO,
    rw.KIND_TRANSFER, rw.KIND_SENTIMENT, rw.KIND_PREDICTED_FUNDING, rw.KIND_TICK,
)  # fmt: skip
_VENUE_OWN, _VENUE_BYBIT, _VENUE_OKX = map(FUNDING_VENUES.index, ("own", "bybit", "okx"))


@kernel
def is_gap(
    chance: Chance, seed: int, feed: int, second: int, gaps_per_day: float, gap_s: float
) -> bool:
    """Tell whether a feed is lost in a second."""
    slot = second // GAP_SLOT_S
    for k in range(slot - 1, slot + 1):
        start_second(chance, seed ^ _GAP_SEED ^ (feed << 48), k)
        if uniform(chance) < gaps_per_day * GAP_SLOT_S / 86_400.0:
            begin = (k + uniform(chance)) * GAP_SLOT_S
            length = min(-gap_s * math.log(uniform(chance)), float(GAP_SLOT_S))
            if begin <= second < begin + length:
                return True
    return False


@kernel
def lateness_ns(
    chance: Chance, seed: int, feed: int, second: int, least_s: float, most_s: float
) -> int:
    """Return by how much a message is late, in whole milliseconds."""
    start_second(chance, seed ^ _LATE_SEED ^ (feed << 48), second)
    return int((least_s + (most_s - least_s) * uniform(chance)) * 1e3) * NS_PER_MS


@kernel
def venue_premium(chance: Chance, seed: int, venue: int, second: int) -> float:
    """Return by how much another venue's mean premium is above ours: reverts within hours."""
    hour = second // 3600
    now = 0.0
    before = 0.0
    weight = math.sqrt(1.0 - _KEPT * _KEPT)
    weight_before = 0.0
    for k in range(VENUE_MEMORY_H):
        start_second(chance, seed ^ _VENUE_SEED ^ (venue << 48), hour - k)
        shock, _ = normals(chance)
        now += weight * shock
        before += weight_before * shock
        weight_before = weight
        weight *= _KEPT
    share = (second % 3600) / 3600.0
    return VENUE_PREMIUM_SD * (share * now + (1.0 - share) * before)


@kernel
def _put(
    kinds: NDArray[np.int8], event_ns: Ints, known_ns: Ints, values: Floats, n: int, kind: int,
    at_ns: int, late_ns: int, a: float, b: float,
) -> int:  # fmt: skip
    """Write one row and return the number of the next."""
    kinds[n] = kind
    event_ns[n] = at_ns
    known_ns[n] = at_ns + late_ns
    values[n, :] = 0.0
    values[n, 0] = a
    values[n, 1] = b
    return n + 1


@kernel
def _tell(
    atoms: NDArray[np.void], begin_s: int, atom_s: int, seed: int, table: Floats, btc: float,
    kinds: NDArray[np.int8], event_ns: Ints, known_ns: Ints, values: Floats,
) -> int:  # fmt: skip
    """Write what is told of each atom as rows of `rows.row_of`. Return how many."""
    chance = np.empty(1, np.uint64)
    n = 0
    for i in range(atoms.size):
        row = atoms[i]
        end_s = begin_s + (i + 1) * atom_s
        end_ns = end_s * NS_PER_SECOND
        last_ns = end_ns - _LAST_NS
        last_s = end_s - 1
        silent = row.outage > 0.5
        lost = silent or is_gap(
            chance, seed, _OWN, last_s, table[_OWN, _GAPS_PER_DAY], table[_OWN, _GAP_S]
        )
        if not lost:
            n = _put(kinds, event_ns, known_ns, values, n, _BOOK, last_ns, 0, row.bid, row.ask)
            values[n - 1, 2] = row.bid_depth_usdt
            values[n - 1, 3] = row.ask_depth_usdt
            values[n - 1, 4] = row.bid_depth_near_usdt
            values[n - 1, 5] = row.ask_depth_near_usdt
            values[n - 1, 6] = row.bid_depth_far_usdt
            values[n - 1, 7] = row.ask_depth_far_usdt
            for kind, longs, shorts in (
                (_LIQUIDATION, row.liquidated_long_usdt, row.liquidated_short_usdt),
                (_LARGEST, row.reported_long_usdt, row.reported_short_usdt),
            ):
                if longs > 0.0:
                    n = _put(kinds, event_ns, known_ns, values, n, kind, last_ns, 0, longs, 0.0)
                if shorts > 0.0:
                    n = _put(kinds, event_ns, known_ns, values, n, kind, last_ns, 0, 0.0, shorts)
            n = _put(kinds, event_ns, known_ns, values, n, _MARK, last_ns, 0, row.mark, 0.0)
            n = _put(kinds, event_ns, known_ns, values, n, _INDEX, last_ns, 0, row.index, 0.0)
            if end_s % OWN_FUNDING_S == 0:
                n = _put(
                    kinds, event_ns, known_ns, values, n, _PREDICTED, last_ns, 0,
                    float(_VENUE_OWN), row.funding_rate,
                )  # fmt: skip
        if not is_gap(
            chance, seed, _TRANSFERS, last_s, table[_TRANSFERS, _GAPS_PER_DAY],
            table[_TRANSFERS, _GAP_S],
        ):  # fmt: skip
            for moved, way in ((row.whales_in_usdt, 1.0), (row.whales_out_usdt, 0.0)):
                if moved > 0.0:
                    n = _put(
                        kinds, event_ns, known_ns, values, n, _TRANSFER, last_ns, 0, moved, way
                    )
        for feed in range(_BYBIT, _SENTIMENT + 1):
            every = int(table[feed, 0])
            if every == 0 or end_s % every != 0:
                continue
            if silent and feed in (_OPEN_INTEREST, _RATIO):  # our venue's, too
                continue
            if is_gap(chance, seed, feed, last_s, table[feed, _GAPS_PER_DAY], table[feed, _GAP_S]):
                continue
            late = lateness_ns(chance, seed, feed, end_s, table[feed, 1], table[feed, 2])
            kind, a, b = _OI, row.open_interest_ltc, 0.0
            if feed == _RATIO:
                kind, a = _LS_RATIO, row.long_short_ratio
            elif feed == _SENTIMENT:
                kind, a = _SCORE, row.sentiment
            elif feed != _OPEN_INTEREST:
                venue = _VENUE_BYBIT if feed == _BYBIT else _VENUE_OKX
                premium = row.premium + venue_premium(chance, seed, venue, end_s)
                kind, a, b = _PREDICTED, float(venue), predicted_funding(premium)
            n = _put(kinds, event_ns, known_ns, values, n, kind, end_ns, late, a, b)
        if lost:
            n = _put(kinds, event_ns, known_ns, values, n, _TICK, end_ns, 0, 0.0, 0.0)
        else:
            n = _put(kinds, event_ns, known_ns, values, n, _BTC_BAR, end_ns, 0, btc, 0.0)
            values[n - 1, 1] = max(btc, row.btc)
            values[n - 1, 2] = min(btc, row.btc)
            values[n - 1, 3] = row.btc
            values[n - 1, 4] = np.nan  # a world has no volume of Bitcoin
            values[n - 1, 5] = np.nan
            n = _put(kinds, event_ns, known_ns, values, n, _BAR, end_ns, 0, row.open, row.high)
            values[n - 1, 2] = row.low
            values[n - 1, 3] = row.close
            values[n - 1, 4] = (row.buy_usdt + row.sell_usdt) / row.close
            values[n - 1, 5] = row.buy_usdt / row.close
        btc = row.btc
        if end_s % FUNDING_S == 0:  # what is settled is known from the account, too
            n = _put(
                kinds, event_ns, known_ns, values, n, _FUNDING, end_ns, 0, row.funding_rate, 0.0
            )
    return n


class Told(NamedTuple):
    """Events as arrays, in the order in which they became known; see `feeds.replay.EventArrays`.

    Shapes: `kinds`, `event_ns`, `known_ns` ``(event,)``; `values` ``(event, N_VALUES)``.
    """

    kinds: NDArray[np.int8]
    event_ns: Ints
    known_ns: Ints
    values: Floats

    def chosen(self, which: slice | Ints | NDArray[np.bool_]) -> Told:
        """Return some of the events."""
        return Told(
            self.kinds[which], self.event_ns[which], self.known_ns[which], self.values[which]
        )


def _joined(parts: list[Told]) -> Told:
    return Told(
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.event_ns for part in parts]),
        np.concatenate([part.known_ns for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def _room(rows: int) -> Told:
    return Told(
        np.empty(rows, np.int8), np.empty(rows, np.int64), np.empty(rows, np.int64),
        np.empty((rows, rw.N_VALUES)),
    )  # fmt: skip


class Teller:
    """Turns consecutive atoms of one world into what feeds tell of them.

    Give it the atoms one by one or a month at a time: the same events come out. What is not known
    yet at the end of what was given waits for the next call.
    """

    def __init__(self, seed: int, atom_s: int) -> None:
        self._seed = seed
        self._atom_s = atom_s
        self._btc = math.nan
        self._late = _room(0)
        self._rows = self._late

    def tell(self, atoms: NDArray[np.void], begin_s: int) -> Told:
        """Return what became known while these atoms passed, the first beginning at `begin_s`."""
        return _joined(
            [
                self._some(atoms[i : i + CHUNK], begin_s + i * self._atom_s)
                for i in range(0, atoms.size, CHUNK)
            ]
        )

    def events(self, atoms: NDArray[np.void], begin_s: int) -> Iterator[MarketEvent]:
        """Yield the same as objects."""
        interval_ns = self._atom_s * NS_PER_SECOND
        for i in range(0, atoms.size, CHUNK):
            told = self._some(atoms[i : i + CHUNK], begin_s + i * self._atom_s)
            times = told.event_ns.tolist(), told.known_ns.tolist()
            for kind, event_ns, known_ns, values in zip(
                told.kinds.tolist(), *times, told.values, strict=True
            ):
                yield rw.event_of(kind, event_ns, known_ns, values, interval_ns)

    def _some(self, atoms: NDArray[np.void], begin_s: int) -> Told:
        need = _MOST_ROWS * atoms.size
        if self._rows.kinds.size < need:
            self._rows = _room(need)
        if math.isnan(self._btc):
            self._btc = float(atoms["btc"][0])
        n = _tell(atoms, begin_s, self._atom_s, self._seed, _TABLE, self._btc, *self._rows)
        self._btc = float(atoms["btc"][-1])
        rows = self._rows.chosen(slice(n))
        if self._late.kinds.size:
            rows = _joined([self._late, rows])
        order = np.lexsort((rows.kinds, rows.known_ns))
        end_ns = (begin_s + atoms.size * self._atom_s) * NS_PER_SECOND
        known = int(np.searchsorted(rows.known_ns[order], end_ns, side="right"))
        self._late = rows.chosen(order[known:])
        return rows.chosen(order[:known])
