"""Following sessions for all who look: one reader for each session, however many screens."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool

from litehedge.errors import LitehedgeError, UsageError
from litehedge.live.session import Aside, Session, is_held, session_at, sessions
from litehedge.market.events import Command
from litehedge.store.inbox import Inbox
from litehedge.store.places import Place, Served
from litehedge.store.tail import Tail
from litehedge.ui.seen import RECENT_NS, Seen

log = logging.getLogger("litehedge.ui")

Made = TypeVar("Made")

EVERY_S: Final = 0.25
"""How often journals are looked at."""

WANTED_S: Final = 600.0
"""How long a session is followed after somebody looked last; it is read from anew after that."""

REST_S: Final = 30.0
"""How long a journal is left alone that could not be understood: it is then read from anew."""


class Watching:
    """One session, followed.

    Parameters
    ----------
    session
        Where it lives.
    monotonic_s
        A clock that only runs forward, for the age of what is shown.
    """

    def __init__(self, session: Session, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.seen = Seen(session.name)
        self.aside = Aside()
        self._aside_at = 0.0
        self.trouble = ""
        self._one = threading.Lock()  # a page that opens looks from a thread
        self._monotonic_s = monotonic_s
        self._tail: Tail | None = None
        self._file: tuple[int, int] | None = None  # which one is open: it may be replaced
        self._rests_until_s = -math.inf
        self._came_s = monotonic_s()
        self._wanted_s = monotonic_s()
        self.runs = False
        self._made: dict[str, tuple[int, Any]] = {}

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what `make` makes of what was seen; made once, however many look at it."""
        made = self._made.get(name)
        if made is None or made[0] != self.seen.count:
            made = self._made[name] = (self.seen.count, make())
        found: Made = made[1]
        return found

    def want(self) -> None:
        """Note that somebody looks: every open page says so with every push."""
        self._wanted_s = self._monotonic_s()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody looked lately."""
        return self._monotonic_s() - self._wanted_s < WANTED_S

    def look(self) -> None:
        """Take in what is new; trouble is noted, never raised. Any thread may call it."""
        if not self._one.acquire(blocking=False):
            return  # another thread is at it
        try:
            self._look()
        except LitehedgeError as error:
            self._fail(error.what, error)
        except Exception as error:  # whatever it is: other sessions are looked at too
            self.close()
            self._rests_until_s = self._monotonic_s() + REST_S
            self._fail(f"session {self.session.name} cannot be followed ({error})", error)
        finally:
            self._one.release()

    def _look(self) -> None:
        self._look_aside()
        self.runs = is_held(self.session) and not self.aside.over
        if self._monotonic_s() < self._rests_until_s:
            return
        is_first = self._open()
        assert self._tail is not None
        news = self._tail.news()
        if news is not None:
            if news.header is not None:
                self.seen.begin(news.run_id, news.header)
            self.seen.take(news.items)
            if news.items:
                idle_s = _idle_s(self.session) if is_first else 0.0
                self._came_s = self._monotonic_s() - idle_s
        self.trouble = ""

    def _open(self) -> bool:
        """Open the journal where it is not, or is another file by now. Return whether it was."""
        file = _file_of(self.session.journal)
        if self._tail is not None and file == self._file:
            return False
        self.close()
        self._tail = Tail(self.session.journal, RECENT_NS)
        self._file = file
        if self.seen.count:
            self.seen.forget()
        return True

    def _fail(self, what: str, error: Exception) -> None:
        if self.trouble != what:
            log.warning("%s", error, exc_info=not isinstance(error, LitehedgeError))
        self.trouble = what

    def _look_aside(self) -> None:
        """Read the sentences beside the journal, where there are new ones."""
        try:
            changed = self.session.aside.stat().st_mtime
            if changed != self._aside_at:
                told = msgspec.json.decode(self.session.aside.read_bytes(), type=Aside)
                self.aside, self._aside_at = told, changed
        except (OSError, msgspec.MsgspecError):
            return

    @property
    def age_s(self) -> float:
        """How long ago something new came, seconds of this machine."""
        return self._monotonic_s() - self._came_s

    def ask(self, command: Command) -> None:
        """Write a command into the session's inbox; when this returns it is on disk.

        Raises
        ------
        JournalError
            When it could not be written, or runs on another machine. Nothing was asked.
        """
        self.session.check_here()
        with Inbox(self.session.inbox) as inbox:
            inbox.write(command)

    def close(self) -> None:
        """Let go of the journal."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None


def _idle_s(session: Session) -> float:
    """Return how long ago a journal was last written, by its files; 0 where they do not tell."""
    last_s = session.wrote_s
    return max(0.0, time.time() - last_s) if last_s else 0.0


def _file_of(place: Place) -> tuple[int, int] | None:
    """Return which file is at a place now, None where none is; a server's is one."""
    if isinstance(place, Served):
        return 0, 0
    try:
        told = place.stat()
    except OSError:
        return None
    return told.st_dev, told.st_ino


async def meant(home: Home, name: str | None) -> Watching | None:
    """Return a session as of now, by name or the one that people mean; None where it is not.

    The first look at a long journal takes seconds: it is made in a thread. What is new after that
    is taken in here, where pages read it.
    """
    try:
        watching = await run_in_threadpool(home.meant, name)
    except (UsageError, OSError):  # no name of ours; a folder that went away meanwhile
        return None
    if watching is not None:
        watching.look()
    return watching


class Home:
    """All sessions of a home folder.

    Parameters
    ----------
    root
        ``$LITEHEDGE_HOME``.
    monotonic_s
        A clock that only runs forward, for who looked when.
    """

    def __init__(self, root: Path, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.root = root
        self._monotonic_s = monotonic_s
        self._watched: dict[str, Watching] = {}

    def names(self) -> list[str]:
        """Return the sessions' names: those that run first, then by when they last wrote."""

        def order(session: Session) -> tuple[bool, float]:
            return not is_held(session), -session.wrote_s

        return [session.name for session in sorted(sessions(self.root), key=order)]

    def meant(self, name: str | None = None) -> Watching | None:
        """Return the session called `name`, or the one that people mean; None where there is none.

        Raises
        ------
        UsageError
            When that is no name.
        """
        names = self.names()
        if name is None:
            name = names[0] if names else None
        if name is None or name not in names:
            return None
        known = self._watched.get(name)
        if known is not None:
            known.want()
            return self._watched.setdefault(name, known)  # where it was let go of just now
        found = Watching(session_at(self.root, name), self._monotonic_s)
        found.look()
        # Many pages may open at once, each in a thread: all follow the same one.
        kept = self._watched.setdefault(name, found)
        if kept is not found:
            found.close()
        return kept

    def look(self) -> None:
        """Take in what is new in every session that somebody looks at; let go of the others."""
        for name, watching in list(self._watched.items()):
            if watching.is_wanted:
                watching.look()
            else:
                self._watched.pop(name, None)
                watching.close()

    def close(self) -> None:
        """Let go of all journals."""
        for watching in self._watched.values():
            watching.close()
        self._watched.clear()
