"""Which sessions have their journal on a server, and which run; asked at most each second."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from litehedge.store.places import PREFIX, hidden, lock_key, server_engine
from litehedge.store.transaction import first_line

log = logging.getLogger("litehedge.store")

FRESH_S: Final = 1.0
REST_S: Final = 5.0  # after the server could not be reached
FIRST_S: Final = 5.0  # as long as the first question may take
LATER_S: Final = 0.25
_SCHEMAS: Final = sa.text(
    "SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid "
    "WHERE c.relname = 'runs' AND starts_with(n.nspname, :prefix) ORDER BY 1"
)
_LOCKS: Final = sa.text(
    "SELECT l.classid::bigint, l.objid::bigint, a.application_name FROM pg_locks l "
    "LEFT JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass
class _Known:
    lock: threading.Lock = field(default_factory=threading.Lock)
    answered: threading.Event = field(default_factory=threading.Event)
    until_s: float = 0.0
    sessions: dict[str, str] = field(default_factory=dict)
    was_asked: bool = False
    is_down: bool = False


_KNOWN: dict[str, _Known] = {}


def sessions_at(url: str) -> dict[str, str]:
    """Return who runs each session of a server's database, by the session's name; "": nobody.

    A server that does not answer in time has the sessions that it had when it did last: a thread
    asks it, so that a screen is not held up.
    """
    known = _KNOWN.setdefault(url, _Known())
    with known.lock:
        if time.monotonic() < known.until_s:
            return known.sessions
        known.until_s = math.inf  # until this question has an answer
        known.answered.clear()
        patience_s = LATER_S if known.was_asked else FIRST_S
        known.was_asked = True
        threading.Thread(target=_ask, args=(url, known), name="sessions", daemon=True).start()
    known.answered.wait(patience_s)
    return known.sessions


def _ask(url: str, known: _Known) -> None:
    rest_s = FRESH_S
    try:
        known.sessions, known.is_down = _asked(url), False
    except Exception as error:  # whatever it is: who looks on is told what was there
        if not known.is_down:
            log.warning("the server %s does not answer (%s)", hidden(url), first_line(error))
        known.is_down, rest_s = True, REST_S
    known.until_s = time.monotonic() + rest_s
    known.answered.set()


def _asked(url: str) -> dict[str, str]:
    engine = server_engine(url, reads_only=True)
    with engine.connect() as connection:
        names = [
            row[0].removeprefix(PREFIX) for row in connection.execute(_SCHEMAS, {"prefix": PREFIX})
        ]
        held: dict[int, Any] = {
            high << 32 | low: who or "another process"
            for high, low, who in connection.execute(_LOCKS)
        }
    return {name: held.get(lock_key("session", name) & (2**64 - 1), "") for name in names}
