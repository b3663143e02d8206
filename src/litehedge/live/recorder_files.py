"""The segments of one venue on the disk: one that grows, and those that are finished.

::

    <folder>/<number>.open    grows; what a kill leaves is cut to its whole part at the next start
    <folder>/<number>.seg     finished, and never changed again
    <folder>/<number>.damaged finished once, and no longer whole: kept for a person to look at
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from litehedge.errors import BadMessage
from litehedge.store import durable
from litehedge.store import segments as sg

OPEN: Final = ".open"
FINISHED: Final = ".seg"
DAMAGED: Final = ".damaged"


class OpenSegment:
    """The segment that grows. Not for two threads at once.

    Raises
    ------
    OSError
        When the disk refuses.
    """

    def __init__(self, folder: Path, header: sg.Header) -> None:
        self.header = header
        self.path = folder / f"{header.number:010d}{OPEN}"
        self.bytes = 0
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            self.write(sg.begin(header))
            durable.sync_folder(folder)
        except OSError:
            os.close(self._descriptor)
            self.path.unlink(missing_ok=True)
            raise

    def write(self, payload: bytes) -> None:
        """Add blocks and wait until they are on the disk.

        Raises
        ------
        OSError
            When the disk refuses: nothing of them was added.
        """
        try:
            rest = memoryview(payload)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            # A block that is half there would end the reading of all that follows.
            os.ftruncate(self._descriptor, self.bytes)
            os.lseek(self._descriptor, self.bytes, os.SEEK_SET)
            raise
        self.bytes += len(payload)

    def finish(self, end_ns: int) -> Path:
        """End the segment and return its new path. Without room for the last block it goes without.

        Raises
        ------
        OSError
            When the disk refuses the new name.
        """
        with contextlib.suppress(OSError):  # its last sign of life tells the end nearly as well
            self.write(sg.end_block(end_ns))
        os.close(self._descriptor)
        finished = self.path.with_suffix(FINISHED)
        durable.move(self.path, finished)
        return finished


def recover(folder: Path) -> list[str]:
    """Finish what a dead recorder left; return in words what was lost, if anything.

    Raises
    ------
    OSError
        When the disk refuses.
    """
    notes = []
    for path in sorted(folder.glob(f"*{OPEN}")):
        payload = path.read_bytes()
        try:
            found = sg.read_segment(payload, with_events=False)
        except BadMessage as error:
            if len(payload) > 4096:  # it held something once
                durable.move(path, path.with_suffix(DAMAGED))
                notes.append(f"{path.name} cannot be read ({error.what}); kept as {DAMAGED}")
            else:
                path.unlink()
            continue
        if found.is_torn:
            with path.open("r+b") as file:
                file.truncate(found.good_bytes)
                os.fsync(file.fileno())
            lost = len(payload) - found.good_bytes
            notes.append(f"{path.name} ended in the middle of a block: {lost:,} bytes cut off")
        durable.move(path, path.with_suffix(FINISHED))
    return notes


def finished(folder: Path) -> list[Path]:
    """Return the finished segments in order, up to the first that is not finished.

    What comes after one that grows has to wait for it: the lake takes segments in their order.
    """
    growing = min((path.stem for path in folder.glob(f"*{OPEN}")), default="~")
    return [path for path in sorted(folder.glob(f"*{FINISHED}")) if path.stem < growing]


def last_number(folder: Path) -> int:
    """Return the highest number that was ever given and is still to be seen, 0 without any."""
    names = [path.stem for path in folder.iterdir() if path.suffix in (OPEN, FINISHED, DAMAGED)]
    return max((int(name) for name in names if name.isdigit()), default=0)
