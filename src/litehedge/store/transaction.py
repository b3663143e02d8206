"""A database transaction whose errors come out as ours."""

from __future__ import annotations

import sqlite3
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.errors import JournalError


class Transaction:
    """A connection whose foreign errors come out as ours."""

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._context = engine.begin()
        self._url = url

    def __enter__(self) -> sa.Connection:
        try:
            return self._context.__enter__()
        except SQLAlchemyError as error:
            raise refused(self._url, error) from None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._context.__exit__(kind, error, trace)
        except SQLAlchemyError as failure:
            raise refused(self._url, failure) from None
        if isinstance(error, SQLAlchemyError):
            raise refused(self._url, error) from None


class FileTransaction:
    """The same with a cursor of SQLite's own driver, over a connection of the engine."""

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._engine = engine
        self._url = url

    def __enter__(self) -> sqlite3.Cursor:
        try:
            self._connection = self._engine.raw_connection()
            cursor = self._connection.cursor()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise refused(self._url, error) from None
        return cast(sqlite3.Cursor, cursor)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if error is None:
                self._connection.commit()
        except sqlite3.Error as failure:
            raise refused(self._url, failure) from None
        finally:
            self._connection.close()  # given back, which takes back what was not committed
        if isinstance(error, sqlite3.Error):
            raise refused(self._url, error) from None


def refused(url: str, error: BaseException) -> JournalError:
    """Return what it means that the database raised an error."""
    return JournalError(
        f"the journal {url} refused ({first_line(error)})",
        "check the file and the disk; no order is sent without the journal",
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def insertion(table: sa.Table) -> str:
    """Return the statement that writes a row of a table, its values by their names."""
    names = [column.name for column in table.columns]
    values = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"
