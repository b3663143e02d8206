"""What is recorded of one venue: a growing segment, gaps, and what to do without room.

All of it runs on the thread that writes; `Batch` is what the thread of the sockets hands over.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from litehedge.errors import DataError
from litehedge.live import recorder_compact as compacting
from litehedge.live import recorder_files as files
from litehedge.market.events import AnyEvent, Trade
from litehedge.store import durable
from litehedge.store import segments as sg
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE

PENDING_BYTES: Final = 64 * 2**20
"""What is kept in memory while the disk takes nothing; then the newest is dropped, as a gap."""
NO_ROOM: Final = "no room on the disk"
STOPPED: Final = "recording was stopped"


@dataclass(slots=True)
class Batch:
    """What a venue's sources told since the batch before, up to `now_ns`."""

    now_ns: int
    events: dict[str, list[AnyEvent]] = field(default_factory=dict)
    gaps: list[sg.GapRow] = field(default_factory=list)
    bad: list[sg.BadRow] = field(default_factory=list)

    def split(self, at_ns: int) -> tuple[Batch, Batch]:
        """Return what was known before a time, and the rest."""
        before, after = Batch(at_ns), Batch(self.now_ns)
        for source, events in self.events.items():
            for event in events:
                part = before if event.known_ns < at_ns else after
                part.events.setdefault(source, []).append(event)
        for gap in self.gaps:
            (before if (gap.end_ns or gap.start_ns) < at_ns else after).gaps.append(gap)
        after.bad = self.bad
        return before, after


class Track:
    """The recording of one venue.

    Parameters
    ----------
    folder
        Where its segments lie.
    start_ns
        When recording began.
    rotate_bytes
        Size at which a segment is finished, at the next full minute; it is at every full hour.
    min_free_bytes
        Room that is left to others: a journal of orders must never fail for our sake.
    notice
        Told in words, once each time, what a person should know.
    """

    def __init__(
        self,
        folder: Path,
        venue: str,
        symbol: str,
        lake: Lake,
        start_ns: int,
        *,
        rotate_bytes: int,
        min_free_bytes: int,
        notice: Callable[[str], None],
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.folder = folder
        self.venue = venue
        self.is_paused = False
        self.bytes_written = 0
        self._symbol = symbol
        self._lake = lake
        self._start_ns = start_ns
        self._rotate_bytes = rotate_bytes
        self._min_free_bytes = min_free_bytes
        self._notice = notice
        self._free_bytes = free_bytes
        self._lock = ExitStack()
        self._is_started = False
        self._number = 0
        self._last_price: float | None = None
        self._header: sg.Header | None = None
        self._open: files.OpenSegment | None = None
        self._gaps: dict[str, sg.GapRow] = {}
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._dropped_from_ns: int | None = None

    def write(self, batch: Batch) -> bool:
        """Write a batch; return whether a segment was finished.

        Raises
        ------
        DataError
            When another recorder writes there. Trouble of the disk is not raised: it is told, and
            tried again with the next batch.
        """
        if not self._is_started:
            try:
                self._start()
            except OSError as error:
                raise DataError(
                    f"cannot record to {self.folder}: {error.strerror or error}",
                    "make room, or check permissions",
                ) from None
        has_room = self._has_room()
        cut_ns = batch.now_ns // NS_PER_MINUTE * NS_PER_MINUTE
        is_cut = has_room and self._wants_new(cut_ns)
        before, after = batch.split(cut_ns) if is_cut else (batch, None)
        self._queue(before)
        if has_room:
            has_room = self._drain()
        if after is None:
            return False
        if has_room:
            self._turn(cut_ns)
        self._queue(after)
        if has_room:
            self._drain()
        return has_room

    def finish(self, batch: Batch) -> None:
        """Write the last batch, end the segment and let go of the folder."""
        try:
            self.write(batch)
            if self._open is not None:
                self._open.finish(batch.now_ns)
                self._open = None
        except OSError as error:
            self._notice(f"{self.folder}: {error.strerror or error}; the next start mends it")
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the folder as it is."""
        self._lock.close()

    # --- segments -----------------------------------------------------------------------------

    def _start(self) -> None:
        self._lock.enter_context(durable.exclusive(self.folder))
        for note in files.recover(self.folder):
            self._notice(f"{self.venue}: {note}")
        marks = compacting.marks(self._lake, self.venue)
        self._number = max(files.last_number(self.folder), marks)
        stopped_ns = compacting.newest_end_ns(self.folder)
        self._header = self._next_header(self._start_ns)
        if stopped_ns is not None and stopped_ns < self._start_ns:
            gap = sg.GapRow("", (), stopped_ns, self._start_ns, STOPPED)
            self._keep(sg.gap_block(gap))
        self._is_started = True

    def _next_header(self, start_ns: int) -> sg.Header:
        self._number += 1
        return sg.Header(self.venue, self._symbol, self._number, start_ns, self._last_price)

    def _wants_new(self, cut_ns: int) -> bool:
        if self._open is None or cut_ns <= self._open.header.start_ns:
            return False
        is_next_hour = cut_ns // NS_PER_HOUR > self._open.header.start_ns // NS_PER_HOUR
        return is_next_hour or self._open.bytes >= self._rotate_bytes

    def _turn(self, cut_ns: int) -> None:
        """End the segment at a full minute; gaps that are open go on in the next."""
        if self._open is None:
            return
        for gap in self._gaps.values():
            self._keep(sg.gap_block(msgspec.structs.replace(gap, end_ns=cut_ns)))
        if not self._drain():
            return
        try:
            self._open.finish(cut_ns)
        except OSError as error:
            self._pause(error.strerror or str(error))
        self._open = None
        self._header = self._next_header(cut_ns)
        for source, gap in self._gaps.items():
            self._gaps[source] = gap = msgspec.structs.replace(gap, start_ns=cut_ns)
            self._keep(sg.gap_block(gap))

    # --- blocks -------------------------------------------------------------------------------

    def _queue(self, batch: Batch) -> None:
        is_dropping = self._pending_bytes > PENDING_BYTES
        for source, events in batch.events.items():
            trades = [event for event in events if type(event) is Trade]
            if trades:
                self._last_price = trades[-1].price
            if is_dropping:
                if self._dropped_from_ns is None:
                    self._dropped_from_ns = min(event.known_ns for event in events)
                continue
            self._keep(sg.events_block(source, events))
        for gap in batch.gaps:
            if gap.end_ns is None:
                self._gaps[gap.source] = gap
            elif (opened := self._gaps.pop(gap.source, None)) is not None:
                # In this segment it may have begun later than it did.
                gap = msgspec.structs.replace(gap, start_ns=opened.start_ns)
            self._keep(sg.gap_block(gap))
        for bad in batch.bad:
            self._keep(sg.bad_block(bad))
        if not is_dropping:
            if self._dropped_from_ns is not None:
                gap = sg.GapRow("", (), self._dropped_from_ns, batch.now_ns, NO_ROOM)
                self._keep(sg.gap_block(gap))
                self._dropped_from_ns = None
            self._keep(sg.beat_block(batch.now_ns))

    def _keep(self, block: bytes) -> None:
        self._pending.append(block)
        self._pending_bytes += len(block)

    def _drain(self) -> bool:
        """Write what is pending; return whether the disk took it."""
        payload = b"".join(self._pending)
        try:
            if self._open is None:
                header = self._header or self._next_header(self._start_ns)
                self._open = files.OpenSegment(self.folder, header)
            self._open.write(payload)
        except OSError as error:
            self._pause(error.strerror or str(error))
            return False
        self.bytes_written += len(payload)
        self._pending.clear()
        self._pending_bytes = 0
        if self.is_paused:
            self.is_paused = False
            self._notice(f"{self.venue}: the disk takes data again, recording goes on")
        return True

    def _has_room(self) -> bool:
        free = self._free_bytes(self.folder)
        if free < self._min_free_bytes:
            self._pause(f"{free / 2**20:,.0f} MiB free, {self._min_free_bytes / 2**20:,.0f} wanted")
            return False
        return True

    def _pause(self, why: str) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._notice(
                f"{self.venue}: {NO_ROOM} of {self.folder} ({why}): recording pauses and goes on "
                f"by itself when there is room; {PENDING_BYTES // 2**20} MiB are kept in memory, "
                "what comes then is marked as a gap. Finished segments are safe"
            )
