"""A tape: bars with the signals of every frame beside them, ready for the compiled loops.

Built from the lake in chunks, so that a year of 5-second atoms fits in memory: features and
forecasts live only while their chunk is worked on, signals and bars are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.errors import EmptyRange, UsageError
from litehedge.features.vector import FeatureStream
from litehedge.feeds.replay import ROLES, EventArrays, merge
from litehedge.hedge import signals as sg
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold, Frames
from litehedge.market.rows import KIND_FUNDING
from litehedge.sim.execution import liquidity_decays, new_liquidity, observe_bars
from litehedge.squeeze.forecast import Forecaster, ForecastState
from litehedge.squeeze.labels import COLUMNS_READ, SIDES, Squeeze, catalogue
from litehedge.store.lake import Dataset, Lake
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FRAME_NS: Final = NS_PER_MINUTE
WARM_UP_NS: Final = 31 * NS_PER_DAY
CHUNK_BARS: Final = 40_000
SETTLEMENT_SLACK_NS: Final = 9 * 3600 * NS_PER_SECOND
STREAMS: Final = ("btc", "book", "mark_index")
"""Companions that tell so often that nothing from before the start is needed."""

Progress = Callable[[int, int], None]
"""Told how many of how many nanoseconds are done."""


def per_frame_of(bar_ns: int) -> int:
    """Return how many bars make a frame: bars below a minute roll into minutes.

    Raises
    ------
    UsageError
        When a minute is not a whole number of bars.
    """
    if bar_ns >= FRAME_NS:
        return 1
    if FRAME_NS % bar_ns:
        raise UsageError(
            f"bars of {bar_ns / NS_PER_SECOND:g} s do not make up a minute",
            "use bars of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60 s, or longer",
        )
    return FRAME_NS // bar_ns


@dataclass(frozen=True, slots=True)
class Tape:
    """Bars and signals.

    Shapes: `end_ns` ``(bar,)``; `bars` ``(bar, 5)`` open, high, low, close, volume; `funding_at`
    and `funding` ``(settlement,)``: number of the bar at whose close (or before the next one's)
    it was settled, and the rate; `signals` ``(N_SIGNALS, bar)`` float32; `liquidity` ``(4,)``:
    what a venue knew of its market before the first bar.
    """

    name: str
    bar_ns: int
    end_ns: Ints
    bars: Floats
    funding_at: Ints
    funding: Floats
    signals: NDArray[np.float32]
    liquidity: Floats
    squeezes: list[Squeeze]

    def __len__(self) -> int:
        return int(self.end_ns.size)

    @property
    def bar_minutes(self) -> float:
        """Length of a bar in minutes."""
        return self.bar_ns / NS_PER_MINUTE

    def index_at(self, time_ns: int) -> int:
        """Return the first bar that opens at or after `time_ns`."""
        return int(np.searchsorted(self.end_ns - self.bar_ns, time_ns, side="left"))


def cut(tape: Tape, count: int) -> Tape:
    """Return the first `count` bars of a tape, with the squeezes that were over by then."""
    settled = int(np.searchsorted(tape.funding_at, count))
    last_ns = int(tape.end_ns[count - 1])
    return replace(
        tape, end_ns=tape.end_ns[:count], bars=tape.bars[:count],
        funding_at=tape.funding_at[:settled], funding=tape.funding[:settled],
        # Contiguous, as the whole one is: for another layout the loops would be compiled anew.
        signals=np.ascontiguousarray(tape.signals[:, :count]),
        squeezes=[one for one in tape.squeezes if one.end_ns <= last_ns],
    )  # fmt: skip


def event_chunks(
    lake: Lake, dataset: Dataset, start_ns: int, end_ns: int
) -> Iterator[tuple[EventArrays, pl.DataFrame]]:
    """Yield the events of a data set and its companions, and its bars, chunk by chunk.

    ``start_ns < known_ns <= end_ns``. Settlements and other slow feeds from shortly before the
    start come with the first chunk, so that they are known from the beginning.
    """
    companions = {role: one for role, one in lake.companions(dataset).items() if role in ROLES}
    size = CHUNK_BARS * dataset.interval_ns
    lower = start_ns
    unread_from = dict.fromkeys(companions, start_ns - SETTLEMENT_SLACK_NS)
    unread_from |= dict.fromkeys(STREAMS, start_ns)
    while lower < end_ns:
        upper = min(lower + size, end_ns)
        bars = _read(lake, dataset.name, lower, upper)
        lower = upper
        if bars is None:  # what happens meanwhile comes with the next bars
            continue
        tables = {"bars": bars}
        for role, companion in companions.items():
            table = _read(lake, companion.name, unread_from[role], upper)
            unread_from[role] = upper
            if table is not None and role == "across":  # its own rate has a feed of its own
                table = table.filter(pl.col("venue") != dataset.venue)
            if table is not None:
                tables[role] = table
        yield merge(tables, dataset.interval_ns), bars


def _read(lake: Lake, name: str, start_ns: int, end_ns: int) -> pl.DataFrame | None:
    """Read a span; None where the data set has a gap."""
    try:
        return lake.read(name, start_ns, end_ns)
    except EmptyRange:
        return None


def check_range(dataset: Dataset, start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """Return the wanted span, cut to nothing: an empty or outlying one is refused.

    Raises
    ------
    UsageError
        When the span is empty or outside of what the data set covers.
    """
    start = dataset.start_ns if start_ns is None else start_ns
    end = dataset.end_ns if end_ns is None else end_ns
    covered = f"{dataset.name} covers {dataset.span}"
    if start >= end:
        raise UsageError(
            f"the range {iso_utc(start)} .. {iso_utc(end)} is empty",
            f"{covered}; give --from < --to",
        )
    if start >= dataset.end_ns or end <= dataset.start_ns:
        raise UsageError(f"no data between {iso_utc(start)} and {iso_utc(end)}", covered)
    return max(start, dataset.start_ns), min(end, dataset.end_ns)


def build_tape(
    lake: Lake,
    dataset: Dataset,
    forecaster: Forecaster,
    start_ns: int,
    end_ns: int,
    progress: Progress = lambda done, total: None,
) -> Tape:
    """Read bars from `start_ns` to `end_ns` and work out the signals of every frame.

    Statistics warm up on up to 31 days before the start. Bars without a frame (before the first
    full one, or after a gap) carry cold signals.
    """
    if dataset.kind != "bars":
        raise UsageError(f"{dataset.name} holds {dataset.kind}, not bars", "choose a bars data set")
    begin = max(dataset.start_ns, start_ns - WARM_UP_NS)
    room = int(min(dataset.rows, (end_ns - start_ns) // dataset.interval_ns + 1))
    tape = tape_of(
        dataset.name, dataset.interval_ns, event_chunks(lake, dataset, begin, end_ns), forecaster,
        start_ns, room, lambda now_ns: progress(now_ns - begin, end_ns - begin),
    )  # fmt: skip
    if len(tape) == 0:
        raise UsageError(
            f"no bars between {iso_utc(start_ns)} and {iso_utc(end_ns)}",
            f"{dataset.name} covers {dataset.span}, with gaps; see: "
            f"litehedge data check {dataset.name}",
        )
    return tape


def tape_of(
    name: str,
    bar_ns: int,
    chunks: Iterable[tuple[EventArrays, pl.DataFrame]],
    forecaster: Forecaster,
    start_ns: int,
    room: int,
    reached: Callable[[int], None] = lambda now_ns: None,
) -> Tape:
    """Work out the signals of every frame of consecutive chunks, wherever they come from.

    Parameters
    ----------
    chunks
        Events and their bars, as `event_chunks` yields them.
    start_ns
        The tape begins with the first bar that opens here or later; what comes before warms up.
    room
        The most bars that may follow.
    reached
        Is told the end of every chunk.
    """
    per_frame = per_frame_of(bar_ns)
    all_ends = np.empty(room, dtype=np.int64)
    all_bars = np.empty((room, 5))
    all_signals = np.empty((sg.N_SIGNALS, room), dtype=np.float32)
    funding_at: list[Ints] = [np.empty(0, dtype=np.int64)]
    funding: list[Floats] = [np.empty(0)]
    pipeline = _Pipeline(bar_ns, per_frame, forecaster)
    liquidity = new_liquidity()
    decays = liquidity_decays(bar_ns / NS_PER_MINUTE)
    filled = 0
    for events, bars in chunks:
        ends = bars["event_ns"].to_numpy()
        kept = ends - bar_ns >= start_ns
        n = int(kept.sum())
        pipeline.write_signals(events, ends, all_signals, filled - (ends.size - n))
        at = slice(filled, filled + n)
        all_ends[at] = ends[kept]
        rows = bars.select("open", "high", "low", "close", "volume").to_numpy()
        all_bars[at] = rows[kept]
        if filled == 0:
            observe_bars(liquidity, np.ascontiguousarray(rows[~kept]), *decays)
        places, rates = _settled(events, ends)
        # Before the chunk's first bar is the last one of the chunk before.
        counted = places >= (ends.size - n if ends.size > n or filled == 0 else -1)
        funding_at.append(places[counted] + filled - (ends.size - n))
        funding.append(rates[counted])
        filled += n
        reached(int(ends[-1]))
    tape = Tape(
        name=name,
        bar_ns=bar_ns,
        end_ns=all_ends[:filled],
        bars=all_bars[:filled],
        funding_at=np.concatenate(funding_at),
        funding=np.concatenate(funding),
        signals=all_signals[:, :filled],
        liquidity=liquidity,
        squeezes=[q for q in pipeline.squeezes() if q.end_ns > start_ns],
    )
    mark_oracle(tape)
    return tape


class _Pipeline:
    """Frames, features, forecasts and signals of consecutive chunks."""

    def __init__(self, bar_ns: int, per_frame: int, forecaster: Forecaster) -> None:
        self._fold = FrameFold(bar_ns, per_frame)
        self._features = FeatureStream(bar_ns, per_frame)
        self._forecaster = forecaster
        self._memory = forecaster.start(per_frame)
        self._per_frame = per_frame
        self._ends: list[Ints] = []
        self._read: list[Floats] = []  # what labels read of the frames of the first phase

    def write_signals(
        self, events: EventArrays, bar_ends: Ints, out: NDArray[np.float32], first: int
    ) -> None:
        """Write the signals of each bar of the chunk; bar number i goes to column ``first + i``.

        Bars whose column would be negative are left out.
        """
        skipped = max(0, -first)
        columns = out[:, first + skipped : first + bar_ends.size]
        columns[:] = np.nan
        columns[sg.STATE] = ForecastState.COLD
        columns[sg.CONFIDENCE] = 0.0
        columns[sg.ORACLE :] = 0.0
        frames = self._fold.push_arrays(events.kinds, events.known_ns, events.values)
        if len(frames) == 0:
            return
        features = self._features.batch(frames)
        forecasts = self._forecaster.batch(self._memory, frames.phases, frames.end_ns, features)
        places = np.searchsorted(bar_ends, frames.end_ns)
        found = bar_ends[np.minimum(places, bar_ends.size - 1)] == frames.end_ns
        sg.write_all_signals(
            forecasts, features, np.where(found, np.maximum(places + first, -1), -1), out
        )
        one = frames.phases == 0
        self._ends.append(frames.end_ns[one])
        self._read.append(frames.values[np.ix_(one, COLUMNS_READ)])

    def squeezes(self) -> list[Squeeze]:
        """Return the catalogue of everything seen so far, on frames of one phase."""
        if not self._ends:
            return []
        ends = np.concatenate(self._ends)
        # By column, so that those which nobody reads take no memory.
        values = np.zeros((ends.size, sc.N_COLUMNS), order="F")
        values[:, COLUMNS_READ] = np.concatenate(self._read)
        return catalogue(Frames(ends, values, self._fold.atom_ns * self._per_frame, 1))


def _settled(events: EventArrays, bar_ends: Ints) -> tuple[Ints, Floats]:
    """Return, per settlement, the last bar that had closed by then (-1: none), and the rate."""
    is_funding = events.kinds == KIND_FUNDING
    places = np.searchsorted(bar_ends, events.known_ns[is_funding], side="right") - 1
    return places, events.values[is_funding, 0]


def mark_oracle(tape: Tape) -> None:
    """Write the timing oracle's signal: 1 in frames after an onset and before its peak.

    The frame at the onset itself counts: the move starts in the next bar.
    """
    for q in tape.squeezes:
        i = int(np.searchsorted(tape.end_ns, q.onset_ns, side="left"))
        j = int(np.searchsorted(tape.end_ns, q.peak_ns, side="left"))
        tape.signals[sg.ORACLE + SIDES.index(q.side), i:j] = 1.0
