"""Finished segments go into the lake, each once, whenever and however often this is tried.

Each data set remembers the last segment that it took. So a kill at any instant leaves data sets
that are a segment apart, and the next try evens them out. A segment is removed when all of its data
sets have it; the newest stays, since it tells where recording stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from litehedge.errors import BadMessage
from litehedge.live import recorder_files as files
from litehedge.live.recorder_tables import tables_of
from litehedge.store import durable, growing
from litehedge.store.lake import Lake
from litehedge.store.segments import read_segment
from litehedge.units import NS_PER_SECOND

PREFIX: Final = "recorded_"
"""Begin of the names of data sets that were recorded."""


def compact(folder: Path, lake: Lake, notice: Callable[[str], None]) -> int:
    """Put the finished segments of a folder into the lake; return how many went in.

    Raises
    ------
    DataError
        When the lake cannot be written now. Nothing is lost: try again.
    """
    done = 0
    segments = files.finished(folder)
    for path in segments:
        payload = path.read_bytes()
        try:
            segment = read_segment(payload)
        except BadMessage as error:
            durable.move(path, path.with_suffix(files.DAMAGED))
            notice(f"{path} cannot be read ({error.what}): kept as {files.DAMAGED}")
            continue
        digest = hashlib.sha256(payload).hexdigest()
        changed = 0
        for what, one in tables_of(segment, path.stem, digest):
            name = f"{PREFIX}{segment.header.venue}_{what}"
            held = growing.held(lake, name)
            if growing.mark_of(held) < path.stem:
                growing.append(lake, one, name, is_chain=True)
                changed = 1
        done += changed
        if segment.is_torn:
            durable.move(path, path.with_suffix(files.DAMAGED))
            notice(
                f"{path} is damaged after {segment.good_bytes:,} of {len(payload):,} bytes: the "
                f"part before is in the lake, the file is kept as {files.DAMAGED}"
            )
        elif path != segments[-1]:
            path.unlink()
    return done


def marks(lake: Lake, venue: str) -> int:
    """Return the highest number of a segment that the lake has taken of a venue."""
    begin = f"{PREFIX}{venue}_"
    found = [growing.mark_of(one) for one in lake.datasets() if one.name.startswith(begin)]
    return max((int(mark) for mark in found if mark.isdigit()), default=0)


def keep_within(lake: Lake, now_ns: int, keep_ns: int | None, max_bytes: int | None) -> int:
    """Forget the oldest recorded days beyond an age or a size; return how many files went.

    Raises
    ------
    DataError
        When the lake cannot be written now.
    """
    before = ""
    if keep_ns is not None:
        moment = datetime.fromtimestamp((now_ns - keep_ns) // NS_PER_SECOND, tz=UTC)
        before = moment.strftime("%Y-%m-%d")
    if keep_ns is None and max_bytes is None:
        return 0
    names = [one.name for one in lake.datasets() if one.name.startswith(PREFIX)]
    return growing.retain(lake, names, before_day=before, max_bytes=max_bytes)


def newest_end_ns(folder: Path) -> int | None:
    """Return until when the newest finished segment tells; None without one."""
    for path in reversed(files.finished(folder)):
        try:
            return read_segment(path.read_bytes(), with_events=False).end_ns
        except BadMessage:
            continue
    return None
