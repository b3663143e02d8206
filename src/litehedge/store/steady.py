"""A journal for sessions that must go on when the disk or the server does not.

What cannot be written is kept in memory and tried again, so that the record is whole once the disk
is back; `trouble` tells the runner meanwhile. Whatever waits for the disk does so on a thread of
its own: an order leaves as soon as the system has its record, and a few milliseconds later that
record outlives a loss of power too. To a server a thread writes as well (`store.sender`), and an
order waits until the server has its record on disk, but not for long.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from litehedge.errors import JournalError, LeaseLost
from litehedge.store.journal import BATCH, Journal, sync_log
from litehedge.store.places import Served, place_of
from litehedge.store.sender import Sender

log = logging.getLogger("litehedge.store")

RETRY_S: Final = 1.0
BUSY_MS: Final = 100  # longer the engine does not wait for somebody who holds the file
MOST_WAITING: Final = 2_000_000  # events in memory, packed: some 150 MB
MOST_EFFECTS: Final = 100_000
TIDY_BYTES: Final = 4 * 2**20
PATIENCE_S: Final = 1.0  # with a server that answered so far; a commit takes milliseconds
IMPATIENCE_S: Final = 0.05  # with one that did not
CLOSING_S: Final = 10.0
LOG_PAGES: Final = 16_000  # at which a writer tidies up itself, should the thread not come to it


class SteadyJournal(Journal):
    """A journal whose writing never raises, but when another engine has taken the account over.

    Parameters
    ----------
    place
        As of `Journal`. On a server the session's lease is taken, and held until it is closed.
    now_s
        A clock that only runs forward, for the time between tries.
    most_waiting
        How many events memory may hold. Beyond that the newest are left out, in whole batches:
        reading the run then tells which are missing.

    Raises
    ------
    JournalError
        When it is opened, begun or read; when it is closed and cannot be written.
    UsageError
        When another process holds the session on the server.
    """

    def __init__(
        self,
        place: str | Path | Served,
        *,
        now_s: Callable[[], float] = time.monotonic,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        where = place_of(place)
        self._sender = Sender(where) if isinstance(where, Served) else None
        try:
            super().__init__(where)
        except BaseException:
            if self._sender is not None:
                self._sender.stop()
            raise
        self._sent = (0, 0)  # batches and effects that the sender has, the first of those here
        self._now_s = now_s
        self._most_batches = max(1, most_waiting // BATCH)
        self._refusal = ""
        self._retry_s = 0.0
        self._is_overfull = False
        self._unkept = 0  # bytes that were written and not yet handed to the keeper
        self._keeper = None if self.path is None else _Keeper(self.path)

    @property
    def trouble(self) -> str:  # type: ignore[override]
        """Why what happens is not kept now, "" when it is."""
        return self._refusal or ("" if self._keeper is None else self._keeper.trouble)

    def hold(self, accounts: Iterable[str]) -> None:
        """Hold the leases of accounts on the server too; a file has none, see `live.lease`.

        Raises
        ------
        JournalError
            When the server cannot be used.
        UsageError
            When another process holds one.
        """
        if self._sender is not None:
            self._sender.hold(accounts)

    def begin(self, header: Any) -> None:
        """Start a run; from now on nothing waits long for the file."""
        super().begin(header)
        self._engine.dispose()  # connections from now on are impatient
        with self._transaction():
            pass  # open now: a file that is moved away must not be begun anew
        if self._keeper is not None:
            self._keeper.start()

    def write(self) -> None:
        """Hand everything so far to the system, or keep it until that can be done.

        Raises
        ------
        LeaseLost
            When another engine guards the account by now.
        """
        if self._refusal and self._now_s() < self._retry_s:
            self._keep_back()
            return
        self._pack()
        size = sum(len(row["payload"]) for row in (*self._batches, *self._effects))
        try:
            self._write(IMPATIENCE_S if self._refusal else PATIENCE_S)
        except LeaseLost:
            raise
        except JournalError as error:
            if not self._refusal:
                log.critical("%s; kept in memory and tried again", error.what)
            self._refusal = error.what
            self._retry_s = self._now_s() + RETRY_S
            self._keep_back()
            return
        if self._refusal:
            log.warning("the journal is written again")
        self._refusal = ""
        self._is_overfull = False
        self._unkept += size

    def keep(self) -> None:
        """Let the keeper wait for the disk. Waking it takes turns from whoever sends the order."""
        if self._unkept and self._keeper is not None:
            self._keeper.wake(self._unkept)
        self._unkept = 0

    def flush(self) -> None:
        """Make everything so far durable, or keep it and say so by `trouble`."""
        self.write()
        if not self._refusal and self._keeper is not None:
            self._keeper.sync(self._unkept)
            self._unkept = 0

    def close(self) -> None:
        """Write what is left and let go.

        Raises
        ------
        JournalError
            When it cannot be written: what is left is lost.
        """
        if self._keeper is not None:
            self._keeper.stop()
        try:
            self._write(CLOSING_S)
            self._sync()
        except JournalError as error:
            raise JournalError(
                f"{error.what}; the last {self._waiting} events are lost",
                "the next start asks the venues what the account holds",
            ) from None
        finally:
            if self._sender is not None:
                self._sender.stop()
            self._engine.dispose()

    # --- pieces -------------------------------------------------------------------------------

    @property
    def _waiting(self) -> int:
        return self._count - (self._batches[0]["first"] if self._batches else self._packed)

    def _write(self, patience_s: float) -> None:
        self._pack()
        if self._sender is None:
            super().write()
            return
        if self._sent != (0, 0):
            try:
                self._settle(patience_s)
            except LeaseLost:
                raise
            except JournalError:
                if self._sender.is_busy:
                    raise
        if self._batches or self._effects:
            self._sent = len(self._batches), len(self._effects)
            self._sender.send(tuple(self._batches), tuple(self._effects))
            self._settle(patience_s)

    def _settle(self, patience_s: float) -> None:
        """Wait for what the sender has; forget it here once the server has it.

        What it was given once is given again as it was, and a row that is there already is not
        written twice: a server may have done it and not come to say so.
        """
        assert self._sender is not None
        try:
            self._sender.wait(patience_s)
        except JournalError:
            if not self._sender.is_busy:
                self._sent = (0, 0)
            raise
        del self._batches[: self._sent[0]]
        del self._effects[: self._sent[1]]
        self._sent = (0, 0)

    def _keep_back(self) -> None:
        """Keep what cannot be written, as far as memory goes."""
        if len(self._events) >= BATCH:
            self._pack()
        if len(self._batches) > self._most_batches or len(self._effects) > MOST_EFFECTS:
            if not self._is_overfull:
                log.critical("the journal could not be written for too long: events are left out")
            self._is_overfull = True
            del self._batches[self._most_batches :]
            del self._effects[MOST_EFFECTS:]

    def _connected(self, connection: Any, record: Any) -> None:
        super()._connected(connection, record)
        if self._run_id and self.path is not None:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")


class _Keeper:
    """The thread that waits for the disk, and moves what is there from the log into the file."""

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        self._path = path
        self._file = path.stat().st_ino
        self._begun = 0  # how often it was asked to wait for the disk
        self._ended = 0  # up to which of these that was done
        self._untidy = 0  # bytes in the log, about
        self._is_stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """End."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self, size: int) -> None:
        """Ask for what was written, so many bytes, to be made durable; does not wait."""
        with self._changed:
            self._untidy += size
            self._begun += 1
            self._changed.notify_all()

    def sync(self, size: int) -> None:
        """Wait until what was written, so many bytes, is durable, or cannot be made so."""
        with self._changed:
            self._untidy += size
            self._begun += 1
            number = self._begun
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._ended >= number or self._is_stopped or not self._thread.is_alive()
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._begun > self._ended or self._is_stopped)
                if self._is_stopped:
                    return
                number = self._begun
            trouble = self._keep()
            if trouble and trouble != self.trouble:
                log.critical("%s", trouble)
            with self._changed:
                self.trouble = trouble
                self._ended = number
                self._changed.notify_all()

    def _keep(self) -> str:
        """Wait for the disk; return what is wrong with it, "" when nothing is."""
        try:
            sync_log(self._path)
            if self._path.stat().st_ino != self._file:
                return f"the journal {self._path} was replaced while it was written"
            if self._untidy >= TIDY_BYTES:
                self._tidy()
        except FileNotFoundError:
            return f"the journal {self._path} is gone"
        except OSError as error:
            return f"the disk does not keep the journal {self._path} ({error.strerror or error})"
        except sqlite3.Error as error:
            log.warning("the journal's log cannot be moved into its file now (%s)", error)
        return ""

    def _tidy(self) -> None:
        """Move a long log into the file here, so that no order waits while that is done."""
        file = sqlite3.connect(self._path, timeout=0.0)
        try:
            file.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            file.close()
        self._untidy = 0
