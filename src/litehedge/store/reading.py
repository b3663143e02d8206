"""Opening a journal that another process may be writing: a screen changes and holds up nothing."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from litehedge.errors import JournalError
from litehedge.store.header import FORMAT, Header, read_header
from litehedge.store.places import Place

Row = tuple[Any, ...]


class Unreadable(Exception):
    """The database did not answer; its words."""


class Reader(Protocol):
    """A journal, opened for reading alone. Values take the places of question marks."""

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Row]:
        """Yield rows as they come; raises `Unreadable`."""
        ...

    def row(self, query: str, values: tuple[Any, ...] = ()) -> Row | None:
        """Return the first row, None without one; raises `Unreadable`."""
        ...

    def version(self) -> int:
        """Return a number that is another one once something was written; raises `Unreadable`."""
        ...

    def snapshot(self) -> contextlib.AbstractContextManager[None]:
        """Let all that is read inside be as of one moment; raises `Unreadable`."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def opened(place: Place, patience_s: float) -> Reader:
    """Open a journal for reading alone; a lock is waited for as long as `patience_s`.

    Raises
    ------
    Unreadable
        When it is not there, or is no journal.
    """
    found: Reader
    if isinstance(place, Path):
        found = _FileReader(place, patience_s)
    else:
        found = _ServerReader(place, patience_s)
    try:
        found.row("SELECT 1 FROM runs LIMIT 1")
    except Unreadable:
        found.close()
        raise
    return found


class _FileReader:
    def __init__(self, path: Path, patience_s: float) -> None:
        with _told():
            self._file = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False,
                isolation_level=None, timeout=patience_s,
            )  # fmt: skip

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Row]:
        with _told():
            yield from self._file.execute(query, values)

    def row(self, query: str, values: tuple[Any, ...] = ()) -> Row | None:
        with _told():
            found: Row | None = self._file.execute(query, values).fetchone()
        return found

    def version(self) -> int:
        with _told():
            return int(self._file.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with _told():
            self._file.execute("BEGIN")
        try:
            yield
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._file.execute("COMMIT")

    def close(self) -> None:
        self._file.close()


class _ServerReader:
    def __init__(self, place: Any, patience_s: float) -> None:
        self._place = place
        self._looks = itertools.count()  # to ask whether there is news costs as much as to read it
        with _told():
            self._connection = place.connect("litehedge, reading", reads_only=True)
            self._connection.execute(f"SET statement_timeout = {max(1000, int(patience_s * 1e3))}")

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Row]:
        with _told(), self._connection.transaction(), self._connection.cursor("read") as cursor:
            yield from cursor.execute(query.replace("?", "%s"), values)

    def row(self, query: str, values: tuple[Any, ...] = ()) -> Row | None:
        with _told():
            found: Row | None = self._connection.execute(
                query.replace("?", "%s"), values
            ).fetchone()
        return found

    def version(self) -> int:
        with _told():
            if self._connection.broken or self._connection.closed:
                self._connection = self._place.connect("litehedge, reading", reads_only=True)
        return next(self._looks)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with _told(), self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _told() -> Iterator[None]:
    """Let what a driver raises come out as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise Unreadable(str(error)) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise Unreadable(str(error).partition("\n")[0]) from None


def header_of(place: Place, payload: bytes) -> Header:
    """Return what a run began with, as its journal holds it.

    Raises
    ------
    JournalError
        When another version wrote it.
    """
    try:
        header = read_header(payload)
    except msgspec.DecodeError as error:
        raise JournalError(
            f"the journal {place} holds what this version cannot read ({error})",
            "it is torn, or was written by another version of litehedge",
        ) from None
    if header.format != FORMAT:
        raise JournalError(
            f"the journal {place} has format {header.format}, this version reads {FORMAT}",
            f"use litehedge {header.litehedge}",
        )
    return header
