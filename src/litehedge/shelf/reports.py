"""Reports on the shelf: a folder each, which the screen lists, opens and deletes.

In it are what was asked (``asked.json``), what the command said (``log.txt``, of those that the
screen began), and in the end ``result.json`` and ``sheet.html``, each written whole.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from litehedge.errors import UsageError
from litehedge.store.durable import write_whole

FOLDER: Final = "reports"
ASKED: Final = "asked.json"
RESULT: Final = "result.json"
SHEET: Final = "sheet.html"


def new_name(kind: str, made: datetime) -> str:
    """Return a name for the folder of a report that is made now; names sort by time."""
    return f"{made:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}"


def write_asked(
    folder: Path, kind: str, asked: Mapping[str, Any], begun_s: float, pid: int = 0,
    *, cancelled: bool = False,
) -> None:  # fmt: skip
    """Write down what a report is asked for, and by which process it is made (0: by none)."""
    told = {
        "kind": kind, "asked": dict(asked), "begun_s": begun_s, "pid": pid, "cancelled": cancelled,
    }  # fmt: skip
    write_whole(folder / ASKED, json.dumps(told).encode())


def keep_report(
    root: Path, kind: str, asked: Mapping[str, Any], result: bytes, sheet: bytes, made: datetime
) -> Path:
    """Put a finished report on the shelf; it is there whole or not at all. Return its folder.

    Raises
    ------
    UsageError
        When the disk refuses.
    """
    name = new_name(kind, made)
    being_made = root / FOLDER / f".{name}"
    folder = being_made.with_name(name)
    try:
        being_made.mkdir(parents=True)
        write_asked(being_made, kind, asked, made.timestamp())
        write_whole(being_made / RESULT, result)
        write_whole(being_made / SHEET, sheet)
        being_made.replace(folder)
    except OSError as error:
        raise UsageError(
            f"the report cannot be kept in {folder} ({error.strerror})", "give --no-keep"
        ) from None
    return folder
