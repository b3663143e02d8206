"""Commands that are asked once, however often a request comes, and what became of each.

A key is written down before the command is, both durably: a request that comes again, after a lost
answer, a reload, or a restart of the screen, asks nothing. Where the screen died in between, nobody
can tell whether it was asked, and that is said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litehedge.errors import DataError, JournalError, LitehedgeError
from litehedge.market import events as ev
from litehedge.ui.stages import kind_of, last_ns
from litehedge.ui.watching import Watching
from litehedge.units import NS_PER_DAY

KEPT_NS: Final = 30 * NS_PER_DAY
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS asked (
    who TEXT NOT NULL,
    key TEXT NOT NULL,
    shape TEXT NOT NULL,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    asked_ns INTEGER NOT NULL,
    before_ns INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    is_written INTEGER NOT NULL,
    PRIMARY KEY (who, key)
)
"""
_FIELDS: Final = "shape, session, kind, asked_ns, before_ns, runs, is_written"


class Differs(LitehedgeError):
    """A key came again with another request. Nothing was asked."""


class Uncertain(LitehedgeError):
    """Whether a command was asked cannot be told. Look at the session before asking again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that was asked, and when; `before_ns` is the time of the last of its kind before.

    `is_new` tells that this request did it, and not an earlier one with the same key.
    """

    shape: str
    session: str
    kind: str
    asked_ns: int
    before_ns: int
    runs: bool
    is_written: bool
    is_new: bool = False


class Once:
    """The keys that came.

    Parameters
    ----------
    folder
        ``$LITEHEDGE_HOME/ui``, which must exist.

    Raises
    ------
    DataError
        When the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "asked.sqlite"
        with self._file() as file:
            file.execute("PRAGMA journal_mode=WAL")
            file.execute(_TABLE)
        self._path.chmod(0o600)

    def ask(
        self, watching: Watching, command: ev.Command, *, who: str, key: str, shape: str,
        now_ns: int,
    ) -> Asked:  # fmt: skip
        """Ask a session, unless this was asked before. It blocks until both are on disk.

        Parameters
        ----------
        who, key
            Who asks, and what names the request among his.
        shape
            The request itself: with the same key it must be the same.

        Raises
        ------
        Differs
            When the key came before with another request.
        Uncertain
            When the screen died in the midst of the first one.
        LitehedgeError
            When it could not be written. Nothing was asked.
        """
        name = kind_of(command)
        asked = Asked(
            shape, watching.session.name, name, now_ns, last_ns(watching.seen, name),
            watching.runs, is_written=False, is_new=True,
        )  # fmt: skip
        with self._file() as file:
            file.execute("DELETE FROM asked WHERE asked_ns < ?", (now_ns - KEPT_NS,))
            is_new = file.execute(
                f"INSERT OR IGNORE INTO asked (who, key, {_FIELDS}) VALUES (?,?,?,?,?,?,?,?,0)",
                (who, key, shape, asked.session, name, now_ns, asked.before_ns, asked.runs),
            ).rowcount
        if not is_new:
            return self._before(who, key, shape)
        try:
            watching.ask(command)
        except JournalError:
            with self._file() as file:
                file.execute("DELETE FROM asked WHERE who = ? AND key = ?", (who, key))
            raise
        with self._file() as file:
            file.execute("UPDATE asked SET is_written = 1 WHERE who = ? AND key = ?", (who, key))
        return asked

    def find(self, who: str, key: str) -> Asked | None:
        """Return what was asked with a key; None where nothing was.

        Raises
        ------
        DataError
            When the file cannot be used.
        """
        with self._file() as file:
            row = file.execute(
                f"SELECT {_FIELDS} FROM asked WHERE who = ? AND key = ?", (who, key)
            ).fetchone()
        if row is None:
            return None
        shape, session, kind, asked_ns, before_ns, runs, is_written = row
        return Asked(shape, session, kind, asked_ns, before_ns, bool(runs), bool(is_written))

    def _before(self, who: str, key: str, shape: str) -> Asked:
        found = self.find(who, key)
        if found is None or not found.is_written:
            raise Uncertain(
                "a request with this key is under way, or was cut off",
                "look at the session's commands, and ask with a new key where it is missing",
            )
        if found.shape != shape:
            raise Differs("this key came before with another request", "take a new key for it")
        return found

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=5.0, isolation_level=None)) as file:
                file.execute("PRAGMA synchronous=FULL")
                yield file
        except sqlite3.Error as error:
            raise DataError(
                f"{self._path} cannot be used ({error})",
                "nothing was asked; litehedge halt works without it",
            ) from None
