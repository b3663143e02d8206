"""Opening a journal that another process may be writing: a screen changes and holds up nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from litehedge.errors import JournalError
from litehedge.store.journal import FORMAT, Header


def opened(path: Path, patience_s: float) -> sqlite3.Connection:
    """Open a journal for reading alone; a lock is waited for as long as `patience_s`.

    Raises
    ------
    sqlite3.Error
        When it is not there, or is no journal.
    """
    file = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False,
        isolation_level=None, timeout=patience_s,
    )  # fmt: skip
    try:
        file.execute("SELECT 1 FROM runs LIMIT 1")
    except sqlite3.Error:
        file.close()
        raise
    return file


def header_of(path: Path, payload: bytes) -> Header:
    """Return what a run began with, as its journal holds it.

    Raises
    ------
    JournalError
        When another version wrote it.
    """
    try:
        header = msgspec.json.decode(payload, type=Header)
    except msgspec.DecodeError as error:
        raise JournalError(
            f"the journal {path} holds what this version cannot read ({error})",
            "it is torn, or was written by another version of litehedge",
        ) from None
    if header.format != FORMAT:
        raise JournalError(
            f"the journal {path} has format {header.format}, this version reads {FORMAT}",
            f"use litehedge {header.litehedge}",
        )
    return header
