"""The thread that writes a journal to a server, so that a server that hangs holds nobody up.

It alone holds the leases: locks of the server that live as long as its connection. What is written
goes over that connection, so a process that lost its lease writes nothing any more.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from litehedge.errors import JournalError, LeaseLost, UsageError
from litehedge.store.places import Served, lock_key, myself
from litehedge.store.transaction import first_line

TRIES: Final = 4  # to hold a lease at a start
RETRY_S: Final = 0.2

Rows = Sequence[dict[str, Any]]

_EVENTS: Final = (
    "INSERT INTO event_batches (run_id, first, payload) VALUES (%(run_id)s, %(first)s, %(payload)s)"
    " ON CONFLICT DO NOTHING"  # it was done already, and nobody came to say so
)
_EFFECTS: Final = (
    "INSERT INTO effects (run_id, event, place, kind, payload) VALUES "
    "(%(run_id)s, %(event)s, %(place)s, %(kind)s, %(payload)s) ON CONFLICT DO NOTHING"
)
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
_HOLDER: Final = (
    "SELECT l.pid, a.application_name FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = %s "
    "AND l.objid::bigint = %s AND l.database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Sender:
    """Writes rows in the order in which they are handed over.

    Parameters
    ----------
    place
        The journal; its lease is taken here.

    Raises
    ------
    JournalError
        When the server cannot be used.
    UsageError
        When another process holds the session.
    """

    def __init__(self, place: Served) -> None:
        self._place = place
        self._held = [("session", place.name, f"session {place.name} is run")]
        self._backends: set[int] = set()  # the server's processes that worked for us
        self._connection: Any = None
        self._lost: LeaseLost | None = None  # for good
        self._changed = threading.Condition()
        self._job: tuple[Rows, Rows] | None = None
        self._error: Exception | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._patiently(self._connect)

    def hold(self, accounts: Iterable[str]) -> None:
        """Take the leases of accounts too; before anything is sent.

        Raises
        ------
        JournalError
            When the server cannot be used.
        UsageError
            When another process holds one.
        """
        more = [("account", name, "this account is guarded") for name in accounts]
        self._patiently(lambda: self._take(self._connection, more))
        self._held += more

    @property
    def is_busy(self) -> bool:
        """Whether what was handed over has not come to its end."""
        return self._job is not None

    def send(self, batches: Rows, effects: Rows) -> None:
        """Hand rows over; only while it is not busy."""
        with self._changed:
            assert self._job is None
            self._job, self._error = (batches, effects), None
            if not self._thread.is_alive():
                self._thread.start()
            self._changed.notify_all()

    def wait(self, patience_s: float) -> bool:
        """Wait for the end of what was handed over. Return whether it came, and all is durable.

        Raises
        ------
        JournalError
            When the server refused, or has not answered so long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._job is None, patience_s):
                raise JournalError(f"the journal {self._place} has not answered")
            error, self._error = self._error, None
        if isinstance(error, JournalError):
            raise error
        if error is not None:
            raise JournalError(
                f"the journal {self._place} refused ({first_line(error)})",
                "look at the server; no order that raises risk is sent without the journal",
            )
        return True

    def stop(self) -> None:
        """End; what is being written is left alone."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(1.0)
        if not self._thread.is_alive() and self._connection is not None:
            with contextlib.suppress(Exception):  # so that the next one need not wait
                self._connection.execute("SELECT pg_advisory_unlock_all()")
            self._close()

    # --- on the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None or self._is_stopped)
                if self._is_stopped:
                    return
                job = self._job
            assert job is not None
            error = self._done(*job)
            with self._changed:
                self._job, self._error = None, error
                self._changed.notify_all()

    def _done(self, batches: Rows, effects: Rows) -> Exception | None:
        tries = 1 if self._connection is None else 2  # an old connection may be dead: a new one
        while True:
            tries -= 1
            try:
                self._write(batches, effects)
                return None
            except Exception as error:  # whatever it is: the engine is told, and it is tried again
                self._close()
                if not tries:
                    return error

    def _write(self, batches: Rows, effects: Rows) -> None:
        if self._connection is None:
            self._connect()
        connection = self._connection
        with connection.transaction(), connection.cursor() as cursor:
            if batches:
                cursor.executemany(_EVENTS, batches)
            if effects:
                cursor.executemany(_EFFECTS, effects)

    # --- the connection and its leases --------------------------------------------------------

    def _patiently(self, work: Callable[[], None]) -> None:
        """Do what needs leases at a start; the server may not have noticed yet who has gone."""
        tries = TRIES
        try:
            while True:
                try:
                    work()
                    return
                except LeaseLost as error:
                    self._lost = None  # nothing was begun
                    tries -= 1
                    if not tries:
                        raise UsageError(
                            error.what.replace(" by now", " already"),
                            "two engines would hedge it twice: stop that one first; nothing was "
                            "started",
                        ) from None
                    time.sleep(RETRY_S)
        except (JournalError, UsageError):
            raise
        except Exception as error:
            raise JournalError(
                f"the journal {self._place} cannot be opened ({first_line(error)})",
                "look whether the server runs, and at LITEHEDGE_JOURNAL",
            ) from None

    def _connect(self) -> None:
        if self._lost is not None:
            raise self._lost
        connection = self._place.connect(myself(self._place.name))
        try:
            connection.execute(_DURABLE)
            self._take(connection, self._held)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._backends.add(connection.info.backend_pid)

    def _take(self, connection: Any, leases: Iterable[tuple[str, str, str]]) -> None:
        for kind, name, what in leases:
            key = lock_key(kind, name)
            (is_mine,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if not is_mine:
                self._refuse(connection, key, what)

    def _refuse(self, connection: Any, key: int, what: str) -> None:
        unsigned = key & (2**64 - 1)
        row = connection.execute(_HOLDER, (unsigned >> 32, unsigned & (2**32 - 1))).fetchone()
        if row is None or row[0] in self._backends:
            if row is not None:  # ours: the server has not noticed that we left
                connection.execute("SELECT pg_terminate_backend(%s)", (row[0],))
            raise JournalError(f"the journal {self._place} is not free yet")
        self._lost = LeaseLost(
            f"{what} by another process by now ({row[1]})",
            "two engines would hedge it twice: this one ends; position and hedge stay as they are",
        )
        raise self._lost

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
