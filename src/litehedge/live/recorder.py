"""The recorder: everything that sources tell goes to the disk, for months, whatever happens.

Sources put events on the thread of the sockets; every few seconds a thread writes what has come.
So a kill at any instant costs the last seconds, and a finished segment never. Finished segments go
into the lake (`recorder_compact.py`). A source that is down, stale or stopped leaves a gap that
says from when to when and why: nobody has to guess whether silence was silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from litehedge.errors import BadMessage, DataError
from litehedge.live import recorder_compact as compacting
from litehedge.live.recorder_track import Batch, Track
from litehedge.market.events import AnyEvent
from litehedge.ports import Health, Outlet, Source
from litehedge.store import segments as sg
from litehedge.store.lake import Lake

MOST_BUFFERED: Final = 500_000
"""Events of a venue that wait for a disk that does not come back."""
TOO_SLOW: Final = "the disk is too slow"

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Options:
    """How to record.

    Parameters
    ----------
    flush_s
        How often to write, seconds: what a kill can cost.
    rotate_bytes, min_free_bytes
        As `recorder_track.Track` takes them.
    keep_ns, max_bytes
        Forget recorded days that are older, or the oldest beyond that size; None keeps all.
    """

    flush_s: float = 2.0
    rotate_bytes: int = 64 * 2**20
    min_free_bytes: int = 256 * 2**20
    keep_ns: int | None = None
    max_bytes: int | None = None


@dataclass(slots=True)
class Heard:
    """What a source has told so far. `kinds` are the tags of its events."""

    source: str
    venue: str
    state: Health = "starting"
    detail: str = ""
    events: int = 0
    bad: int = 0
    gaps: int = 0
    last_ns: int | None = None
    kinds: set[str] = field(default_factory=set)
    gap: sg.GapRow | None = None
    parts: dict[str, Health] = field(default_factory=dict)


@dataclass(slots=True)
class _Waiting:
    """What the thread of the sockets has not handed over yet."""

    events: dict[str, list[AnyEvent]] = field(default_factory=dict)
    count: int = 0
    gaps: list[sg.GapRow] = field(default_factory=list)
    bad: dict[str, sg.BadRow] = field(default_factory=dict)
    dropped_from_ns: int | None = None

    def take(self, now_ns: int) -> Batch:
        batch = Batch(now_ns, self.events, self.gaps, list(self.bad.values()))
        if self.dropped_from_ns is not None:
            batch.gaps.append(sg.GapRow("", (), self.dropped_from_ns, now_ns, TOO_SLOW))
        self.events, self.count, self.gaps, self.bad = {}, 0, [], {}
        self.dropped_from_ns = None
        return batch


class Recorder:
    """Records while it is open: ``async with Recorder(folder, lake) as recorder``.

    Parameters
    ----------
    folder
        Where segments lie, a folder for each venue.
    lake
        Where finished segments go.
    notice
        Told in words what a person should know; called on any thread.
    clock
        The time of this machine, nanoseconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        lake: Lake,
        options: Options | None = None,
        *,
        symbol: str = "LTCUSDT",
        notice: Callable[[str], None] = lambda text: None,
        clock: Callable[[], int] = time.time_ns,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.options = options or Options()
        self.heard: dict[str, Heard] = {}
        self._folder = folder
        self._lake = lake
        self._symbol = symbol
        self._notice = notice
        self._clock = clock
        self._free_bytes = free_bytes
        self._last_ns = 0
        self._tracks: dict[str, Track] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._writing = asyncio.Lock()
        self._compacting = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    # --- for sources --------------------------------------------------------------------------

    def outlet(self, source: str, *, onto: Outlet | None = None) -> Outlet:
        """Return where a source puts what it hears; `onto` gets all of it too.

        The part of the name before the first point is the venue: ``binance.depth``.
        """
        venue = re.sub(r"[^a-z0-9]+", "-", source.split(".")[0].lower()) or "unknown"
        heard = self.heard.setdefault(source, Heard(source, venue))
        if venue not in self._tracks:
            self._tracks[venue] = Track(
                self._folder / venue, venue, self._symbol, self._lake, self.now_ns(),
                rotate_bytes=self.options.rotate_bytes,
                min_free_bytes=self.options.min_free_bytes,
                notice=self._notice, free_bytes=self._free_bytes,
            )  # fmt: skip
            self._waiting[venue] = _Waiting()
        return _Inlet(self, heard, self._waiting[venue], onto)

    def now_ns(self) -> int:
        """Return the time; never goes back."""
        self._last_ns = max(self._last_ns, self._clock())
        return self._last_ns

    # --- life ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._loop = asyncio.create_task(self._flush_for_ever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stop.set()
        if self._loop is not None:
            try:
                await self._loop
            except DataError:  # told by `failed`: another recorder has the folder
                for track in self._tracks.values():
                    track.release()
                return
        async with self._writing:
            for venue, track in self._tracks.items():
                batch = self._waiting[venue].take(self.now_ns())
                await _in_thread(track.finish, batch)
        if self._jobs:
            await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._compact()

    async def flush(self) -> None:
        """Write what has come so far.

        Raises
        ------
        DataError
            When another recorder writes to the same folder.
        """
        async with self._writing:
            is_finished = False
            for venue, track in list(self._tracks.items()):
                batch = self._waiting[venue].take(self.now_ns())
                is_finished |= await _in_thread(track.write, batch)
        if is_finished and not self._compacting.locked():
            job = asyncio.create_task(self._compact())
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    async def failed(self) -> None:
        """Wait until recording cannot go on; raises what is in its way, and never else returns."""
        if self._loop is not None:
            await asyncio.shield(self._loop)

    async def _flush_for_ever(self) -> None:
        await self.flush()  # takes the folders now: a second recorder ends at once
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.options.flush_s):
                    await self._stop.wait()
            await self.flush()

    async def _compact(self) -> None:
        async with self._compacting:
            await _in_thread(self._compact_now)

    def _compact_now(self) -> None:
        try:
            for track in list(self._tracks.values()):
                compacting.compact(track.folder, self._lake, self._notice)
            keep_ns, max_bytes = self.options.keep_ns, self.options.max_bytes
            compacting.keep_within(self._lake, self._last_ns, keep_ns, max_bytes)
        except Exception as error:  # whatever it is, it must not end the recording
            self._notice(f"segments wait to go into the lake ({error}); tried again with the next")

    # --- what a person sees -------------------------------------------------------------------

    @property
    def bytes_written(self) -> int:
        """Bytes that went to the disk since the start."""
        return sum(track.bytes_written for track in self._tracks.values())

    @property
    def paused(self) -> list[str]:
        """Venues that are not written for want of room."""
        return [venue for venue, track in self._tracks.items() if track.is_paused]


class _Inlet:
    """The outlet of one source."""

    def __init__(
        self, recorder: Recorder, heard: Heard, waiting: _Waiting, onto: Outlet | None
    ) -> None:
        self._recorder = recorder
        self._heard = heard
        self._waiting = waiting
        self._onto = onto

    def now_ns(self) -> int:
        return self._recorder.now_ns() if self._onto is None else self._onto.now_ns()

    def put(self, event: AnyEvent) -> None:
        heard, waiting = self._heard, self._waiting
        heard.events += 1
        heard.last_ns = event.known_ns
        heard.kinds.add(str(event.__struct_config__.tag))
        if heard.state in ("stale", "down"):  # it speaks, whatever it said about itself
            self._close(event.known_ns)
        if waiting.count < MOST_BUFFERED:
            waiting.events.setdefault(heard.source, []).append(event)
            waiting.count += 1
        elif waiting.dropped_from_ns is None:
            waiting.dropped_from_ns = event.known_ns
        if self._onto is not None:
            self._onto.put(event)

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        heard, waiting = self._heard, self._waiting
        heard.bad += 1
        before = waiting.bad.get(heard.source)
        waiting.bad[heard.source] = sg.BadRow(
            heard.source,
            1 if before is None else before.count + 1,
            self.now_ns(),
            error.what[:200] if before is None else before.first,
        )
        if self._onto is not None:
            self._onto.bad(source, error, payload)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        heard = self._heard
        if source != heard.source:  # one part of it: it is well while any part is
            heard.parts[source] = state
            if state != "ok" and "ok" in heard.parts.values():
                state, detail = "ok", f"{source} is {state}"
        now_ns = self.now_ns()
        if state in ("stale", "down"):
            if heard.gap is None:
                # A stale source has told nothing since its last event; of one that is down we
                # were told at once.
                is_old = state == "stale" and heard.last_ns is not None
                start_ns = heard.last_ns if is_old and heard.last_ns is not None else now_ns
                why = f"{state}: {detail}"[:200] if detail else state
                kinds = tuple(sorted(heard.kinds))
                heard.gap = sg.GapRow(heard.source, kinds, start_ns, None, why)
                heard.gaps += 1
                self._waiting.gaps.append(heard.gap)
        elif state == "ok":
            self._close(now_ns)
        heard.state, heard.detail = state, detail
        if self._onto is not None:
            self._onto.health(source, state, detail)

    def _close(self, now_ns: int) -> None:
        heard = self._heard
        if heard.gap is not None:
            gap = sg.GapRow(
                heard.source, tuple(sorted(heard.kinds)), heard.gap.start_ns, now_ns, heard.gap.why
            )
            self._waiting.gaps.append(gap)
            heard.gap = None
            heard.state = "ok"


async def _in_thread(work: Callable[..., _Result], *arguments: object) -> _Result:
    """Do work on a thread, and wait for its end even when cancelled: it holds files."""
    job = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        raise


async def record(sources: Iterable[Source], recorder: Recorder, stop: asyncio.Event) -> None:
    """Run sources into an open recorder until told to stop.

    A source that ends or breaks, which none should, is down from then on; the others go on.

    Raises
    ------
    DataError
        When another recorder writes to the same folder.
    """
    jobs = [asyncio.create_task(_run(source, recorder.outlet(source.name))) for source in sources]
    ends = [asyncio.create_task(stop.wait()), asyncio.create_task(recorder.failed())]
    try:
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in (*jobs, *ends):
            job.cancel()
        await asyncio.gather(*jobs, *ends, return_exceptions=True)


async def _run(source: Source, out: Outlet) -> None:
    try:
        await source.run(out)
        why = "the source ended by itself"
    except Exception as error:  # a mistake in one source must not cost the others
        why = f"the source broke ({type(error).__name__}: {error})"
    out.health(source.name, "down", why)
