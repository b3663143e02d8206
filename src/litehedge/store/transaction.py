"""A database transaction whose errors come out as ours."""

from __future__ import annotations

from typing import Any

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
            raise self._ours(error) from None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._context.__exit__(kind, error, trace)
        except SQLAlchemyError as failure:
            raise self._ours(failure) from None
        if isinstance(error, SQLAlchemyError):
            raise self._ours(error) from None

    def _ours(self, error: BaseException) -> JournalError:
        return JournalError(
            f"the journal {self._url} refused ({first_line(error)})",
            "check the file and the disk; no order is sent without the journal",
        )


def first_line(error: BaseException) -> str:
    """Return the first line of an error."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
