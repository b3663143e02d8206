"""Older decisions of a journal, a page at a time, read beside the process that writes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from litehedge.effects import Decision, Effect
from litehedge.errors import JournalError

Place = tuple[int, int, int]
"""Run, event and place within it: where an effect stands in its journal."""

NEWEST: Final[Place] = (2**62, 2**62, 2**62)
_EFFECTS: Final = msgspec.msgpack.Decoder(Effect)
_QUERY: Final = """
SELECT run_id, event, place, payload FROM effects
WHERE kind = 'Decision' AND (run_id, event, place) < (?, ?, ?)
ORDER BY run_id DESC, event DESC, place DESC LIMIT ?
"""


def decisions_before(path: Path, before: Place, count: int) -> list[tuple[Place, Decision]]:
    """Return up to `count` decisions before a place, newest first, each with its own.

    Raises
    ------
    JournalError
        When the file cannot be read.
    """
    try:
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=0.2)) as file:
            rows = file.execute(_QUERY, (*before, count)).fetchall()
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be read ({error})", "try again") from None
    found = []
    for run, event, place, payload in rows:
        try:
            decision = _EFFECTS.decode(payload)
        except msgspec.DecodeError as error:
            raise JournalError(
                f"the journal {path} holds what this version cannot read ({error})",
                "it was written by another version of litehedge",
            ) from None
        if isinstance(decision, Decision):
            found.append(((run, event, place), decision))
    return found
