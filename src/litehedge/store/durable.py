"""Files that survive a crash: written whole, made durable, moved into place in one step."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litehedge.errors import DataError


def write_synced(path: Path, payload: bytes | memoryview, mode: int = 0o644) -> None:
    """Write a new file and wait until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        rest = memoryview(payload)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, payload: bytes, mode: int = 0o644) -> None:
    """Put a file into place whole and durably: whoever reads sees the old one or this one.

    Raises
    ------
    OSError
        When the disk refuses. The old file is as it was, and nothing lies beside it.
    """
    # Threads and processes that write the same file at once do not meet, and the last one wins.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        partial.unlink(missing_ok=True)  # of a process of that number that died
        write_synced(partial, payload, mode)
        move(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def link(source: Path, target: Path) -> None:
    """Give a file that never changes a second name; a copy where the disk knows no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        if not source.is_file():
            raise
        write_synced(target, source.read_bytes())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until the names in a folder and in all folders below are on the disk."""
    for inner, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(inner))


def move(source: Path, target: Path) -> None:
    """Move a file or folder on one disk in one step, over a file that is there, and durably."""
    source.replace(target)
    sync_folder(target.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder as far as possible; what stays is for the next sweep."""
    shutil.rmtree(folder, ignore_errors=True)


def is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock of a file; nobody does where there is no file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; create it when it is not there.

    The lock dies with the process, however that ends.

    Raises
    ------
    DataError
        When another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"another process is writing to {folder}", "try again when it has finished"
            ) from None
        yield
    finally:
        os.close(descriptor)
