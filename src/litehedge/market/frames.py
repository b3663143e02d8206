"""Events fold into atoms, atoms roll into frames: one fold for files, paper and live.

Time is cut into atoms ``[start, start + atom)`` by ``known_ns``, so that an atom holds what was
known at its end and nothing later; a bar, which is known at its close, belongs to the atom that
it closes. A frame is the trailing window of `per_frame` atoms. A new frame ends with every atom;
frames one frame length apart form a *phase* (``end / atom mod per_frame``).

An atom without a price has NaN prices. A frame without any price ends the segment: nothing that
was learnt before it may be connected to what comes after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.market import events as ev
from litehedge.market import schema as sc
from litehedge.market.rows import (
    KIND_BAR,
    KIND_BOOK,
    KIND_BTC_BAR,
    KIND_FUNDING,
    KIND_INDEX,
    KIND_LARGEST_LIQUIDATION,
    KIND_LIQUIDATION,
    KIND_LONG_SHORT_RATIO,
    KIND_MARK,
    KIND_OPEN_INTEREST,
    KIND_PREDICTED_FUNDING,
    KIND_SENTIMENT,
    KIND_TRADE,
    KIND_TRANSFER,
    N_VALUES,
    row_of,
)
from litehedge.units import NS_PER_HOUR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIQUIDATIONS_ALIVE_NS: Final = 6 * NS_PER_HOUR
TRANSFERS_ALIVE_NS: Final = 48 * NS_PER_HOUR
"""Feeds that tell only what happens: after so long a silence nothing is unknown, not zero."""

# Rows of the fold's float state, before the ring of the last `per_frame` atoms
_PARTIAL: Final = 0
_RING: Final = 1
# The fold's integer state, before the last event time of each feed
_ATOM_NS: Final = 0
_INDEX: Final = 1  # index of the atom that is being filled, -1 before the first event
_FILLED: Final = 2  # atoms since the segment began
_LAST: Final = 3
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames in time order.

    Shapes: `end_ns` ``(frame,)``; `values` ``(frame, column)`` with the columns of `schema`.
    """

    end_ns: Ints
    values: Floats
    atom_ns: int
    per_frame: int

    @property
    def frame_ns(self) -> int:
        """Length of a frame in nanoseconds."""
        return self.atom_ns * self.per_frame

    @property
    def phases(self) -> Ints:
        """Phase of each frame, ``(frame,)``."""
        return phase_of(self.end_ns, self.atom_ns, self.per_frame)

    def __len__(self) -> int:
        return int(self.end_ns.size)


def phase_of(end_ns: Ints, atom_ns: int, per_frame: int) -> Ints:
    """Return the phase of frames that end at `end_ns`."""
    phases: Ints = (end_ns // atom_ns) % per_frame
    return phases


@kernel
def _start_pair(partial: Floats, clock: Ints, feed: int, column: int, alive_ns: int) -> None:
    """Begin two sums: zero while their feed lives, unknown once it has long been silent."""
    last = clock[_LAST + feed]
    known = last != _NEVER and clock[_INDEX] * clock[_ATOM_NS] - last < alive_ns
    partial[column] = 0.0 if known else np.nan
    partial[column + 1] = partial[column]


@kernel
def _add_to_pair(partial: Floats, column: int, a: float, b: float) -> None:
    if np.isnan(partial[column]):
        partial[column] = 0.0
        partial[column + 1] = 0.0
    partial[column] += a
    partial[column + 1] += b


@kernel
def _start_atom(state: Floats, clock: Ints) -> None:
    partial = state[0]
    for column in range(sc.BID):
        partial[column] = np.nan
    for column in range(sc.BTC_HIGH, sc.FIRST_AGE):
        partial[column] = np.nan
    _start_pair(partial, clock, sc.FEED_LIQUIDATIONS, sc.LIQUIDATED_LONGS, LIQUIDATIONS_ALIVE_NS)
    _start_pair(
        partial, clock, sc.FEED_LARGEST_LIQUIDATIONS, sc.LARGEST_LONGS, LIQUIDATIONS_ALIVE_NS
    )
    _start_pair(partial, clock, sc.FEED_TRANSFERS, sc.TRANSFERS_IN, TRANSFERS_ALIVE_NS)


@kernel
def _roll(state: Floats, newest: int, per_frame: int, out: Floats) -> None:
    """Aggregate the ring of atoms into one frame."""
    out[:] = state[_RING + newest]
    if per_frame == 1:
        return
    for column in (
        sc.OPEN,
        sc.HIGH,
        sc.LOW,
        sc.CLOSE,
        sc.BUY_VOLUME,
        sc.BTC_HIGH,
        sc.BTC_LOW,
        sc.BTC_CLOSE,
    ):
        out[column] = np.nan
    for column in (
        sc.VOLUME,
        sc.LIQUIDATED_LONGS,
        sc.LIQUIDATED_SHORTS,
        sc.LARGEST_LONGS,
        sc.LARGEST_SHORTS,
        sc.TRANSFERS_IN,
        sc.TRANSFERS_OUT,
        sc.BTC_VOLUME,
    ):
        total = 0.0
        seen = False
        for i in range(per_frame):
            value = state[_RING + i, column]
            if not np.isnan(value):
                total += value
                seen = True
        out[column] = total if seen else np.nan
    for step in range(per_frame):
        atom = state[_RING + (newest + 1 + step) % per_frame]
        if not np.isnan(atom[sc.CLOSE]):
            if np.isnan(out[sc.CLOSE]):
                out[sc.OPEN] = atom[sc.OPEN]
                out[sc.HIGH] = atom[sc.HIGH]
                out[sc.LOW] = atom[sc.LOW]
                out[sc.BUY_VOLUME] = 0.0
            out[sc.HIGH] = max(out[sc.HIGH], atom[sc.HIGH])
            out[sc.LOW] = min(out[sc.LOW], atom[sc.LOW])
            out[sc.CLOSE] = atom[sc.CLOSE]
            out[sc.BUY_VOLUME] += atom[sc.BUY_VOLUME]  # known only if it is in every atom
        if not np.isnan(atom[sc.BTC_CLOSE]):
            if np.isnan(out[sc.BTC_CLOSE]):
                out[sc.BTC_HIGH] = atom[sc.BTC_HIGH]
                out[sc.BTC_LOW] = atom[sc.BTC_LOW]
            out[sc.BTC_HIGH] = max(out[sc.BTC_HIGH], atom[sc.BTC_HIGH])
            out[sc.BTC_LOW] = min(out[sc.BTC_LOW], atom[sc.BTC_LOW])
            out[sc.BTC_CLOSE] = atom[sc.BTC_CLOSE]


@kernel
def _close_atom(state: Floats, clock: Ints, per_frame: int, out: Floats) -> int:
    """Close the partial atom and write the frame that ends with it. Return frames written."""
    end_ns = (clock[_INDEX] + 1) * clock[_ATOM_NS]
    partial = state[_PARTIAL]
    for feed in range(len(sc.FEEDS)):
        last = clock[_LAST + feed]
        partial[sc.FIRST_AGE + feed] = np.nan if last == _NEVER else (end_ns - last) / 1e9
    newest = clock[_INDEX] % per_frame
    state[_RING + newest] = partial
    clock[_INDEX] += 1
    clock[_FILLED] += 1
    _start_atom(state, clock)
    if clock[_FILLED] < per_frame:
        return 0
    _roll(state, newest, per_frame, out)
    return 1


@kernel
def _add_price(partial: Floats, high: float, low: float, close: float, open_: float) -> None:
    if np.isnan(partial[sc.CLOSE]):
        partial[sc.OPEN] = open_
        partial[sc.HIGH] = high
        partial[sc.LOW] = low
        partial[sc.VOLUME] = 0.0
        partial[sc.BUY_VOLUME] = 0.0
    partial[sc.HIGH] = max(partial[sc.HIGH], high)
    partial[sc.LOW] = min(partial[sc.LOW], low)
    partial[sc.CLOSE] = close


@kernel
def _add(
    partial: Floats, clock: Ints, kind: int, known_ns: int, a: float, b: float, c: float,
    d: float, e: float, f: float, g: float, h: float,
) -> None:  # fmt: skip
    """Fold one event into the partial atom."""
    if kind == KIND_BAR:
        _add_price(partial, b, c, d, a)
        partial[sc.VOLUME] += e
        partial[sc.BUY_VOLUME] += f
        clock[_LAST + sc.FEED_PRICE] = known_ns
    elif kind == KIND_TRADE:
        _add_price(partial, a, a, a, a)
        partial[sc.VOLUME] += b
        partial[sc.BUY_VOLUME] += b if c > 0.0 else 0.0
        clock[_LAST + sc.FEED_PRICE] = known_ns
    elif kind == KIND_BTC_BAR:
        if np.isnan(partial[sc.BTC_CLOSE]):
            partial[sc.BTC_HIGH] = b
            partial[sc.BTC_LOW] = c
            partial[sc.BTC_VOLUME] = 0.0
        partial[sc.BTC_HIGH] = max(partial[sc.BTC_HIGH], b)
        partial[sc.BTC_LOW] = min(partial[sc.BTC_LOW], c)
        partial[sc.BTC_CLOSE] = d
        partial[sc.BTC_VOLUME] += e
        clock[_LAST + sc.FEED_BTC] = known_ns
    elif kind == KIND_BOOK:
        partial[sc.BID] = a
        partial[sc.ASK] = b
        partial[sc.BID_DEPTH] = c
        partial[sc.ASK_DEPTH] = d
        partial[sc.BID_DEPTH_NEAR] = e
        partial[sc.ASK_DEPTH_NEAR] = f
        partial[sc.BID_DEPTH_FAR] = g
        partial[sc.ASK_DEPTH_FAR] = h
        clock[_LAST + sc.FEED_BOOK] = known_ns
    elif kind == KIND_LIQUIDATION:
        _add_to_pair(partial, sc.LIQUIDATED_LONGS, a, b)
        clock[_LAST + sc.FEED_LIQUIDATIONS] = known_ns
    elif kind == KIND_LARGEST_LIQUIDATION:
        _add_to_pair(partial, sc.LARGEST_LONGS, a, b)
        clock[_LAST + sc.FEED_LARGEST_LIQUIDATIONS] = known_ns
    elif kind == KIND_FUNDING:
        partial[sc.FUNDING_RATE] = a
        clock[_LAST + sc.FEED_FUNDING] = known_ns
    elif kind == KIND_OPEN_INTEREST:
        partial[sc.OPEN_INTEREST] = a
        clock[_LAST + sc.FEED_OPEN_INTEREST] = known_ns
    elif kind == KIND_MARK:
        partial[sc.MARK] = a
        clock[_LAST + sc.FEED_MARK] = known_ns
    elif kind == KIND_INDEX:
        partial[sc.INDEX] = a
        clock[_LAST + sc.FEED_INDEX] = known_ns
    elif kind == KIND_LONG_SHORT_RATIO:
        partial[sc.LONG_SHORT_RATIO] = a
        clock[_LAST + sc.FEED_LONG_SHORT_RATIO] = known_ns
    elif kind == KIND_TRANSFER:
        _add_to_pair(partial, sc.TRANSFERS_IN, a if b > 0.0 else 0.0, 0.0 if b > 0.0 else a)
        clock[_LAST + sc.FEED_TRANSFERS] = known_ns
    elif kind == KIND_SENTIMENT:
        partial[sc.SENTIMENT] = a
        clock[_LAST + sc.FEED_SENTIMENT] = known_ns
    elif kind == KIND_PREDICTED_FUNDING:
        venue = int(a)
        partial[sc.FUNDING_OWN + venue] = b
        clock[_LAST + sc.FEED_FUNDING_OWN + venue] = known_ns


@kernel
def push(
    state: Floats, clock: Ints, kind: int, known_ns: int, a: float, b: float, c: float,
    d: float, e: float, f: float, g: float, h: float, out: Floats, ends: Ints,
) -> int:  # fmt: skip
    """Fold one event; write the frames that it completes. Return how many.

    A silence longer than a frame yields one frame without price and then a new segment.

    Shapes: `state` ``(1 + per_frame, column)``; `out` ``(2 * per_frame + 2, column)``; `ends`
    ``(2 * per_frame + 2,)``.
    """
    per_frame = state.shape[0] - 1
    atom_ns = clock[_ATOM_NS]
    is_bar = kind <= KIND_BAR
    index = (known_ns - 1) // atom_ns if is_bar else known_ns // atom_ns
    if clock[_INDEX] < 0:
        clock[_INDEX] = index
        _start_atom(state, clock)
    written = 0
    empty = 0
    while index > clock[_INDEX]:
        if np.isnan(state[_PARTIAL, sc.CLOSE]):
            empty += 1
        if empty > per_frame:
            # The whole frame was silent and said so: begin a new segment where the event is.
            clock[_INDEX] = index
            clock[_FILLED] = 0
            _start_atom(state, clock)
            break
        ends[written] = (clock[_INDEX] + 1) * atom_ns
        written += _close_atom(state, clock, per_frame, out[written])
    _add(state[_PARTIAL], clock, kind, known_ns, a, b, c, d, e, f, g, h)
    if kind == KIND_BAR and known_ns == (clock[_INDEX] + 1) * atom_ns:
        ends[written] = known_ns
        written += _close_atom(state, clock, per_frame, out[written])
    return written


@kernel
def _push_all(
    state: Floats, clock: Ints, kinds: NDArray[np.int8], known_ns: Ints, values: Floats,
    out: Floats, ends: Ints,
) -> int:  # fmt: skip
    per_frame = state.shape[0] - 1
    burst = np.empty((2 * per_frame + 2, state.shape[1]))
    burst_ends = np.empty(2 * per_frame + 2, np.int64)
    total = 0
    for i in range(kinds.size):
        v = values[i]
        n = push(
            state, clock, kinds[i], known_ns[i], v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7],
            burst, burst_ends,
        )  # fmt: skip
        for j in range(n):
            if total == ends.size:
                return -1
            out[total] = burst[j]
            ends[total] = burst_ends[j]
            total += 1
    return total


class FrameFold:
    """The fold's state, and the two ways to drive it: one event, or arrays of events.

    Parameters
    ----------
    atom_ns
        Length of an atom.
    per_frame
        Atoms per frame.
    """

    __slots__ = ("_book", "_clock", "_ends", "_out", "_state", "_until_ns", "atom_ns", "per_frame")

    def __init__(self, atom_ns: int, per_frame: int = 1) -> None:
        self.atom_ns = atom_ns
        self.per_frame = per_frame
        self._state = np.full((_RING + per_frame, sc.N_COLUMNS), np.nan)
        self._clock = np.full(_LAST + len(sc.FEEDS), _NEVER, dtype=np.int64)
        self._clock[_ATOM_NS] = atom_ns
        self._clock[_FILLED] = 0
        self._out = np.empty((2 * per_frame + 2, sc.N_COLUMNS))
        self._ends = np.empty(2 * per_frame + 2, dtype=np.int64)
        self._book: ev.Book | None = None  # of this atom, not folded yet: see `push`
        self._until_ns = -1  # end of the atom that is being filled

    def push(self, event: ev.MarketEvent) -> list[tuple[int, Floats]]:
        """Fold one event. Return the completed frames as (end_ns, values ``(column,)``).

        Books are by far the most frequent, and of an atom the last one counts: it waits until
        something else is folded.
        """
        if type(event) is ev.Book:
            if event.known_ns < self._until_ns:
                self._book = event
                return _NO_FRAMES
            self._fold_book()
            n = self._push_book(event)
        else:
            self._fold_book()
            row = row_of(event)
            n = push(
                self._state, self._clock, row[0], event.known_ns, *row[1:], self._out, self._ends
            )
        self._until_ns = (int(self._clock[_INDEX]) + 1) * self.atom_ns
        if n == 0:
            return _NO_FRAMES
        return [(int(self._ends[i]), self._out[i].copy()) for i in range(n)]

    def _fold_book(self) -> None:
        """Fold the book that waits. It completes nothing."""
        if self._book is not None:
            self._push_book(self._book)
            self._book = None

    def _push_book(self, book: ev.Book) -> int:
        return push(
            self._state, self._clock, KIND_BOOK, book.known_ns, book.bid, book.ask,
            book.bid_depth_usdt, book.ask_depth_usdt, book.bid_depth_near_usdt,
            book.ask_depth_near_usdt, book.bid_depth_far_usdt, book.ask_depth_far_usdt,
            self._out, self._ends,
        )  # fmt: skip

    def push_arrays(self, kinds: NDArray[np.int8], known_ns: Ints, values: Floats) -> Frames:
        """Fold events given as arrays, in order.

        Shapes: `kinds` ``(event,)``, `known_ns` ``(event,)``, `values`
        ``(event, N_VALUES)`` as `row_of` gives them.
        """
        if values.shape[1] != N_VALUES:
            raise ValueError(f"events have {N_VALUES} values each, not {values.shape[1]}")
        self._fold_book()
        if kinds.size == 0:
            return Frames(
                np.empty(0, np.int64), np.empty((0, sc.N_COLUMNS)), self.atom_ns, self.per_frame
            )
        span = int(known_ns[-1] - known_ns[0]) // self.atom_ns
        gaps = np.diff(known_ns) // self.atom_ns
        capacity = span + 3 - int(np.maximum(gaps - 2 * self.per_frame - 2, 0).sum())
        capacity += 2 * self.per_frame
        out = np.empty((capacity, sc.N_COLUMNS))
        ends = np.empty(capacity, dtype=np.int64)
        n = _push_all(self._state, self._clock, kinds, known_ns, values, out, ends)
        self._until_ns = (int(self._clock[_INDEX]) + 1) * self.atom_ns
        assert n >= 0, "more frames than atoms between the first and the last event"
        return Frames(ends[:n], out[:n], self.atom_ns, self.per_frame)


_NO_FRAMES: list[tuple[int, Floats]] = []


def segments(frames: Frames) -> Iterator[slice]:
    """Yield the stretches of frames without a gap: neither a priceless frame nor a time jump."""
    n = len(frames)
    if n == 0:
        return
    silent = np.isnan(frames.values[:, sc.CLOSE])
    jump = np.flatnonzero(np.diff(frames.end_ns) != frames.atom_ns) + 1
    hushed = np.flatnonzero(silent)
    edges = np.unique(np.concatenate(([0, n], jump, hushed, hushed + 1)))
    for start, stop in pairwise(edges):
        if not silent[start]:
            yield slice(int(start), int(stop))
