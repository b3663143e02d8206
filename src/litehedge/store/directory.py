"""Which sessions have their journal on a server, and which run; asked at most each second."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.errors import UsageError
from litehedge.store.places import PREFIX, hidden, lock_key, server_engine
from litehedge.store.transaction import first_line

log = logging.getLogger("litehedge.store")

FRESH_S: Final = 1.0
REST_S: Final = 5.0  # after the server could not be reached
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
    until_s: float = 0.0
    sessions: dict[str, str] = field(default_factory=dict)
    is_down: bool = False


_KNOWN: dict[str, _Known] = {}


def sessions_at(url: str) -> dict[str, str]:
    """Return who runs each session of a server's database, by the session's name; "": nobody.

    A server that cannot be reached has the sessions that it had when it was reached last.
    """
    known = _KNOWN.setdefault(url, _Known())
    with known.lock:
        now_s = time.monotonic()
        if now_s < known.until_s:
            return known.sessions
        try:
            known.sessions = _asked(url)
            known.until_s, known.is_down = now_s + FRESH_S, False
        except (SQLAlchemyError, UsageError) as error:
            if not known.is_down:
                log.warning("the server %s does not answer (%s)", hidden(url), first_line(error))
            known.until_s, known.is_down = time.monotonic() + REST_S, True
        return known.sessions


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
