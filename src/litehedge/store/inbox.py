"""The inbox: what people ask of a running session, through a small SQLite file of its own.

A person's command comes from another process and never goes straight to the engine: it is written
here, durably, and the session takes it between two events. Each is carried out once, in the order
in which they were written.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec import structs

from litehedge.errors import BadMessage, JournalError
from litehedge.market.events import Command, Halt, decode, encode
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, iso_utc

log = logging.getLogger("litehedge.store")

POLL_NS: Final = 50 * NS_PER_MS
STALE_NS: Final = NS_PER_MINUTE
WAIT_S: Final = 5.0  # how long a person's command waits for the file
WAIT_MS: Final = 100  # how long the session does: a position is being guarded meanwhile
RETRY_S: Final = 0.02
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    written_ns INTEGER NOT NULL,
    payload BLOB NOT NULL,
    taken_ns INTEGER
)
"""


class Inbox:
    """One process' view of an inbox: any process writes, the one that holds the session takes.

    What was written more than a minute before the session took up its inbox was meant for another
    moment: it is not carried out, and the log says so. `Halt` always counts.

    Parameters
    ----------
    path
        The SQLite file; its folder must exist.
    now_ns
        This machine's time, nanoseconds since 1970, by which commands are fresh or stale.
    monotonic_ns
        A clock that is never set, by which the file is looked at.

    Raises
    ------
    JournalError
        When the file cannot be opened, or is something else.
    """

    def __init__(
        self,
        path: Path,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.path = path
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns
        self._stale_ns = now_ns() - STALE_NS
        self._engine_ns: Callable[[], int] = lambda: 0
        self._settle: Callable[[], object] = lambda: None
        self._looks_ns = monotonic_ns()
        self._version = -1
        self._last_id = 0
        self._is_failing = False
        try:
            self._file = _opened(path)
        except sqlite3.Error as error:
            raise JournalError(
                f"the inbox {path} cannot be opened ({error})",
                "check the disk; if the file is damaged, move it away: a new one is made",
            ) from None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def write(self, command: Command) -> None:
        """Write a command down; when this returns it is on disk.

        Raises
        ------
        JournalError
            When it could not be written. Nothing was asked.
        """
        try:
            self._file.execute(
                "INSERT INTO inbox (written_ns, payload) VALUES (?, ?)",
                (self._now_ns(), encode(command)),
            )
        except sqlite3.Error as error:
            raise JournalError(
                f"the inbox {self.path} cannot be written ({error})",
                "nothing was asked of the session; check the disk and try again",
            ) from None

    def attach(self, engine_ns: Callable[[], int], settle: Callable[[], object]) -> Self:
        """Begin to give commands to an engine. Return itself.

        Parameters
        ----------
        engine_ns
            The time of the event that the engine is about to see: commands are stamped with it,
            so that time never goes back. Nothing is taken while it is 0.
        settle
            Makes durable what the engine was given, such as `Journal.flush`.
        """
        self._engine_ns, self._settle = engine_ns, settle
        self._file.execute(f"PRAGMA busy_timeout={WAIT_MS}")
        return self

    def hurry(self) -> None:
        """Let the next call of `take` look, however soon it comes. Any thread may call it."""
        self._looks_ns = 0

    def take(self) -> Iterable[Command]:
        """Return the commands that came since the last call.

        It looks at most every 50 ms, unless told to hurry, and reads only when another process has
        written. No trouble with the file ends the session: the log tells, and the next look tries
        again.
        """
        monotonic_ns = self._monotonic_ns()
        if monotonic_ns < self._looks_ns or not (engine_ns := self._engine_ns()):
            return ()
        self._looks_ns = monotonic_ns + POLL_NS
        try:
            (version,) = self._file.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return ()
            rows = self._file.execute(
                "SELECT id, written_ns, payload FROM inbox WHERE taken_ns IS NULL AND id > ? "
                "ORDER BY id",
                (self._last_id,),
            ).fetchall()
        except sqlite3.Error as error:
            self._fail(error)
            return ()
        self._version = version
        if rows:
            return self._given(rows, engine_ns)
        self._is_failing = False
        return ()

    def _given(self, rows: list[tuple[int, int, object]], engine_ns: int) -> Iterator[Command]:
        """Yield commands; each is marked as taken.

        Before it is carried out, so that none is carried out twice; only `Halt` after it is in
        the journal, because to halt twice does no harm and not to halt does.
        """
        for number, written_ns, payload in rows:
            command = _read(payload, number)
            is_halt = isinstance(command, Halt)
            if not is_halt and not self._mark(number, engine_ns):
                return
            self._last_id = number
            if command is None:
                continue
            if written_ns < self._stale_ns and not is_halt:
                log.warning(
                    "stale: %s was asked for at %s, when no session ran; it is not carried out",
                    type(command).__name__, iso_utc(written_ns, seconds=True),
                )  # fmt: skip
                continue
            log.info("a person asked: %s", command)
            yield structs.replace(command, event_ns=engine_ns, known_ns=engine_ns)
            self._settle()
            if is_halt:
                self._mark(number, engine_ns)

    def _mark(self, number: int, taken_ns: int) -> bool:
        try:
            self._file.execute("UPDATE inbox SET taken_ns = ? WHERE id = ?", (taken_ns, number))
        except sqlite3.Error as error:
            self._fail(error)
            self._version = -1  # what is left is read again at the next look
            return False
        self._is_failing = False
        return True

    def _fail(self, error: sqlite3.Error) -> None:
        if not self._is_failing:
            log.warning("the inbox %s cannot be used (%s): trying on", self.path, error)
        self._is_failing = True


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection that commits each statement durably."""
    file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
    last_s = time.monotonic() + WAIT_S
    try:
        while True:
            try:
                # To change the mode SQLite does not wait for others who do the same.
                file.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > last_s:
                    raise
                time.sleep(RETRY_S)
        file.execute("PRAGMA synchronous=FULL")
        file.execute(_TABLE)
    except sqlite3.Error:
        file.close()
        raise
    return file


def _read(payload: object, number: int) -> Command | None:
    """Return a command, None when it is none."""
    try:
        if not isinstance(payload, bytes):
            raise BadMessage("not an event", "it is skipped")
        command = decode(payload)
        if not isinstance(command, Command):
            raise BadMessage(f"{type(command).__name__} is no command", "it is skipped")
    except BadMessage as error:
        log.warning("inbox, number %d: %s", number, error)
        return None
    return command
