"""What was learnt of a session, on disk beside its journal.

``learning.jsonl`` has one update a line and only grows: a way back is an update too.
``lesson.json`` is what a running session is offered, ``watch.json`` how the model fits its market;
both are replaced in one step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from litehedge.errors import JournalError, UsageError
from litehedge.learning.steps import Update, changes_of
from litehedge.learning.watch import Fit
from litehedge.squeeze import learnt as le
from litehedge.store.durable import write_whole

UPDATES: Final = "learning.jsonl"
LESSON: Final = "lesson.json"
WATCH: Final = "watch.json"

_UPDATE: Final = msgspec.json.Decoder(Update)


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a session is to go by: for which model, up to which update, and why."""

    model: str
    values: list[float]
    number: int
    why: str


def updates_of(folder: Path) -> list[Update]:
    """Return every update of a session, in order; a last line cut short is left out.

    Raises
    ------
    JournalError
        When a line before the last cannot be read.
    """
    try:
        lines = (folder / UPDATES).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found: list[Update] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            found.append(_UPDATE.decode(line))
        except msgspec.DecodeError as error:
            if number == len(lines) - 1:
                break  # the power went while it was written
            raise JournalError(
                f"line {number + 1} of {folder / UPDATES} cannot be read ({error})",
                "move the file away: learning begins anew, from what ships",
            ) from None
    return found


def keep(folder: Path, updates: Sequence[Update]) -> None:
    """Append updates, durably."""
    if not updates:
        return
    path = folder / UPDATES
    whole = path.exists() and path.stat().st_size > 0
    if whole and not path.read_bytes().endswith(b"\n"):
        cut = path.read_bytes().rpartition(b"\n")[0]
        write_whole(path, cut + b"\n" if cut else b"")
    with path.open("ab") as file:
        for one in updates:
            file.write(msgspec.json.encode(one) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def offer(folder: Path, lesson: Lesson) -> None:
    """Leave for a session what it is to go by."""
    write_whole(folder / LESSON, msgspec.json.encode(lesson))


def offered_in(folder: Path) -> Lesson | None:
    """Return what a session is offered, None where there is nothing that can be read."""
    return _read(folder / LESSON, Lesson)


def say_watch(folder: Path, standing: Fit) -> None:
    """Leave how the model fits its market."""
    write_whole(folder / WATCH, msgspec.json.encode(standing))


def watch_in(folder: Path) -> Fit | None:
    """Return how the model fits its market, None where nobody looked."""
    return _read(folder / WATCH, Fit)


def _read(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def reverted(updates: Sequence[Update], to: int, now_ns: int, model: str = "") -> Update:
    """Return the update that takes back every one after number `to`; 0 goes back to what ships.

    Raises
    ------
    UsageError
        When there is no such update, or nothing to take back.
    """
    if not updates:
        raise UsageError("nothing was learnt yet", "there is nothing to take back")
    model = model or updates[-1].model
    mine = [u for u in updates if u.model == model]
    known = {u.number: tuple(u.values) for u in mine} | {0: le.SHIPPED}
    if to not in known:
        raise UsageError(
            f"there is no update {to} of {model}", "litehedge report learning lists them"
        )
    before, after = tuple(mine[-1].values), known[to]
    if before == after:
        raise UsageError(f"{model} is where update {to} left it", "nothing was changed")
    return Update(
        updates[-1].number + 1, max(now_ns, mine[-1].time_ns + 1), model, "revert",
        f"a person went back to update {to}" if to else "a person went back to what ships",
        0, changes_of(before, after), list(after),
    )  # fmt: skip
