"""Whether a journal is whole, without changing a byte of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from litehedge.errors import BadMessage
from litehedge.market.events import decode_batch
from litehedge.store.header import FORMAT, read_header
from litehedge.store.places import Place, Served
from litehedge.store.reading import Unreadable, opened

PATIENCE_S: Final = 20.0
_STEPS: Final = 100_000  # of SQLite's machine between two looks at the clock


class Integrity(msgspec.Struct, frozen=True):
    """What was found: runs and events, what is wrong (empty when nothing), whether all was read."""

    runs: int
    events: int
    fault: str
    is_whole_read: bool


def look_into(place: Place, patience_s: float = PATIENCE_S) -> Integrity:
    """Read a journal's pages, its headers, and the last batch of events of every run.

    A server looks after its pages by itself. That the engine would decide the same again is
    another question: ``litehedge replay``.

    Parameters
    ----------
    patience_s
        A large journal is left after so long.
    """
    if isinstance(place, Served):
        return _look_at_server(place, patience_s)
    until = time.monotonic() + patience_s
    try:
        database = sqlite3.connect(f"{place.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        return Integrity(0, 0, f"it cannot be opened ({error})", is_whole_read=False)
    database.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        runs, events, fault = _contents(database.execute)
        if fault:
            return Integrity(runs, events, fault, is_whole_read=True)
        (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
        return Integrity(runs, events, "" if said == "ok" else str(said), is_whole_read=True)
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return Integrity(0, 0, "", is_whole_read=False)
        return Integrity(0, 0, str(error), is_whole_read=False)
    except sqlite3.DatabaseError as error:
        return Integrity(0, 0, str(error), is_whole_read=False)
    finally:
        database.close()


def _look_at_server(place: Served, patience_s: float) -> Integrity:
    try:
        reader = opened(place, patience_s)
    except Unreadable as error:
        return Integrity(0, 0, f"it cannot be opened ({error})", is_whole_read=False)
    try:
        runs, events, fault = _contents(reader.rows)
        return Integrity(runs, events, fault, is_whole_read=True)
    except Unreadable as error:
        return Integrity(0, 0, str(error), is_whole_read=False)
    finally:
        reader.close()


def _contents(ask: Callable[..., Iterable[Any]]) -> tuple[int, int, str]:
    rows = list(ask("SELECT run_id, header FROM runs ORDER BY run_id"))
    events = 0
    for run_id, payload in rows:
        try:
            header = read_header(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return len(rows), events, f"the header of run {run_id} cannot be read"
        if header.format != FORMAT:
            return len(rows), events, f"run {run_id} has format {header.format}, not {FORMAT}"
        query = (
            'SELECT "first", payload FROM event_batches WHERE run_id = ? '
            'ORDER BY "first" DESC LIMIT 1'
        )
        last = next(iter(ask(query, (run_id,))), None)
        if last is None:
            continue
        try:
            count = int(last[0]) + len(list(decode_batch(last[1])))
        except BadMessage:
            return len(rows), events, f"the last events of run {run_id} cannot be read"
        events += count
        query = "SELECT count(*) FROM effects WHERE run_id = ? AND event >= ?"
        ((beyond,),) = ask(query, (run_id, count))
        if beyond:
            return len(rows), events, f"{beyond} effects of run {run_id} belong to no event"
    return len(rows), events, ""
