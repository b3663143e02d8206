"""Following sessions for all who look: one reader for each session, however many screens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from litehedge.errors import LitehedgeError
from litehedge.live.session import Session, is_held, session_at, sessions
from litehedge.market.events import Command
from litehedge.store.inbox import Inbox
from litehedge.store.tail import Tail
from litehedge.ui.seen import RECENT_NS, Seen

log = logging.getLogger("litehedge.ui")

Made = TypeVar("Made")

EVERY_S: Final = 0.25
"""How often journals are looked at."""


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
        self.aside: list[str] = []
        self._aside_at = 0.0
        self.trouble = ""
        self._monotonic_s = monotonic_s
        self._tail: Tail | None = None
        self._came_s = monotonic_s()
        self.runs = False
        self._made: dict[str, tuple[int, Any]] = {}

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what `make` makes of what was seen; made once, however many look at it."""
        made = self._made.get(name)
        if made is None or made[0] != self.seen.count:
            made = self._made[name] = (self.seen.count, make())
        found: Made = made[1]
        return found

    def look(self) -> None:
        """Take in what is new; trouble is noted, never raised."""
        self.runs = is_held(self.session)
        self._look_aside()
        is_first = self._tail is None
        try:
            if self._tail is None:
                self._tail = Tail(self.session.journal, RECENT_NS)
            news = self._tail.news()
        except LitehedgeError as error:
            if self.trouble != error.what:
                log.warning("%s", error)
            self.trouble = error.what
            return
        self.trouble = ""
        if news is None:
            return
        if news.header is not None:
            self.seen.begin(news.run_id, news.header)
        self.seen.take(news.items)
        if news.items:
            self._came_s = self._monotonic_s() - (_idle_s(self.session) if is_first else 0.0)

    def _look_aside(self) -> None:
        """Read the sentences beside the journal, where there are new ones."""
        try:
            changed = self.session.aside.stat().st_mtime
            if changed != self._aside_at:
                told = msgspec.json.decode(self.session.aside.read_bytes(), type=list[str])
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
            When it could not be written. Nothing was asked.
        """
        with Inbox(self.session.inbox) as inbox:
            inbox.write(command)

    def close(self) -> None:
        """Let go of the journal."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None


def _idle_s(session: Session) -> float:
    """Return how long ago a journal was last written, by its files."""
    files = (session.journal, session.journal.with_name(f"{session.journal.name}-wal"))
    told = [file.stat() for file in files if file.is_file()]
    last = max((one.st_mtime for one in told if one.st_size > 0), default=0.0)
    return max(0.0, time.time() - last)


class Home:
    """All sessions of a home folder.

    Parameters
    ----------
    root
        ``$LITEHEDGE_HOME``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._watched: dict[str, Watching] = {}

    def names(self) -> list[str]:
        """Return the sessions' names: those that run first, then by when they last wrote."""

        def order(session: Session) -> tuple[bool, float]:
            return not is_held(session), -session.journal.stat().st_mtime

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
        if name not in self._watched:
            found = Watching(session_at(self.root, name))
            found.look()
            self._watched[name] = found
        return self._watched[name]

    def look(self) -> None:
        """Take in what is new in every session that somebody looks at."""
        for watching in list(self._watched.values()):
            watching.look()

    def close(self) -> None:
        """Let go of all journals."""
        for watching in self._watched.values():
            watching.close()
        self._watched.clear()
