"""A session: one account that is guarded, its folder, and the lock that keeps a second one out.

A folder holds ``journal.sqlite`` (everything that happened), ``inbox.sqlite`` (what people ask),
``litehedge.log`` and ``lock``; a demo's ``aside.json`` too.
A session outlives the process: started again, it goes on where its journal ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, TextIO

import msgspec

from litehedge.errors import UsageError
from litehedge.store.durable import is_locked

LOG_BYTES: Final = 5_000_000
LOGS_KEPT: Final = 5
TRIES: Final = 3  # to hold a session: somebody may be looking whether it is held
RETRY_S: Final = 0.05
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_HOLDER: Final = re.compile(r"process (\d+)(| in \S+)")


class Aside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a demo says of itself to those who look on: while it goes, and how it ended."""

    sentences: tuple[str, ...] = ()
    over: str = ""  # "" while it goes


@dataclass(frozen=True, slots=True)
class Session:
    """Where a session lives."""

    name: str
    folder: Path

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.folder / "journal.sqlite"

    @property
    def inbox(self) -> Path:
        """The file with what people ask."""
        return self.folder / "inbox.sqlite"

    @property
    def aside(self) -> Path:
        """The file with an `Aside`, for those who look on: a demo explains itself in it."""
        return self.folder / "aside.json"

    @property
    def log(self) -> Path:
        """The log's file."""
        return self.folder / "litehedge.log"


def session_at(root: Path, name: str) -> Session:
    """Return the session called `name`; its folder need not exist.

    Raises
    ------
    UsageError
        When that is no name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a session",
            "use up to 40 small letters, digits, - and _, beginning with a letter or digit",
        )
    return Session(name, root / "sessions" / name)


def sessions(root: Path) -> list[Session]:
    """Return the sessions that have a journal, by name; a copy by another name is none."""
    folder = root / "sessions"
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    named = (Session(f.name, f) for f in found if _NAME.fullmatch(f.name))
    return [s for s in named if s.journal.is_file()]


def is_held(session: Session) -> bool:
    """Return whether a process holds a session now."""
    return is_locked(session.folder / "lock")


def holder(session: Session) -> int | None:
    """Return the number of the process that holds a session, None where it means nothing here.

    In a container of its own it has a number that is somebody else's here.

    Raises
    ------
    OSError
        When the lock cannot be read.
    """
    found = _HOLDER.fullmatch((session.folder / "lock").read_text(encoding="utf-8").strip())
    return int(found[1]) if found is not None and found[2] == _namespace() else None


def _namespace() -> str:
    """Return in which numbering of processes this one is, "" where the system has one only."""
    try:
        return f" in {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def locked(lock: TextIO | int) -> bool:
    """Lock a file for this process alone. Return whether that could be done."""
    for number in range(TRIES):
        if number:
            time.sleep(RETRY_S)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        return True
    return False


@contextmanager
def held(session: Session) -> Iterator[None]:
    """Hold a session for this process, and write its log.

    Raises
    ------
    UsageError
        When another process holds it, or the disk refuses.
    """
    try:
        session.folder.mkdir(parents=True, exist_ok=True)
        lock = (session.folder / "lock").open("a+")
    except OSError as error:
        raise UsageError(
            f"the session's folder {session.folder} cannot be used ({error.strerror})",
            "set LITEHEDGE_HOME to a folder that can be written",
        ) from None
    with lock:
        if not locked(lock):
            lock.seek(0)
            raise UsageError(
                f"session {session.name} is run by another process ({lock.read().strip()})",
                "stop that one first, or give this one another --name",
            )
        lock.truncate(0)
        lock.write(f"process {os.getpid()}{_namespace()}")
        lock.flush()
        handler = RotatingFileHandler(
            session.log, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8", delay=True
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log = logging.getLogger("litehedge")
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)
            handler.close()
