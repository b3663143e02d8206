"""Where a journal lies: in a file, or in a schema of its own in a PostgreSQL database.

A server's URL may hold a password: it is never written down, logged or shown. What is shown of a
place is `str` of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.errors import UsageError

CONNECT_S: Final = 3
PREFIX: Final = "litehedge_"
KEY: Final = "session"
"""Names the session in a URL: ``postgresql://host/database?session=paper``."""

_SERVERS: Final = ("postgresql", "postgres", "postgresql+psycopg")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_ALIVE: Final[dict[str, Any]] = {  # a connection whose other end is gone is noticed within seconds
    "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
_ALIVE_THERE: Final = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)


@dataclass(frozen=True, slots=True)
class Served:
    """The journal of one session in a server's database.

    Parameters
    ----------
    url
        Of the database, with the password.
    name
        The session's.
    """

    url: str = field(repr=False)
    name: str

    def __str__(self) -> str:
        """Return what may be shown: the URL without its password, and the session."""
        return f"{hidden(self.url)}{'&' if '?' in self.url else '?'}{KEY}={self.name}"

    @property
    def schema(self) -> str:
        """The schema that its tables are in."""
        return PREFIX + self.name

    def engine(self, *, reads_only: bool = False) -> sa.Engine:
        """Return an engine whose connections see the session's tables, and keep none open."""
        return server_engine(self.url, self.schema, reads_only=reads_only)

    def connect(self, who: str, *, reads_only: bool = False) -> Any:
        """Return a connection of the driver itself, each statement a transaction.

        Raises
        ------
        psycopg.Error
            When the server cannot be reached.
        """
        import psycopg

        plain = sa.make_url(self.url).set(drivername="postgresql")
        text = plain.render_as_string(hide_password=False)
        options = _options(self.schema, str(plain.query.get("options", "")), reads_only=reads_only)
        found = psycopg.connect(
            text, autocommit=True, connect_timeout=CONNECT_S, options=options,
            application_name=who, **_ALIVE,
        )  # fmt: skip
        found.prepare_threshold = 2
        return found


Place = Path | Served
"""Where a journal lies."""


def is_server(url: str | Path) -> bool:
    """Tell whether a URL names a PostgreSQL server."""
    return isinstance(url, str) and url.partition("://")[0] in _SERVERS and "://" in url


def server_url(url: str) -> str:
    """Return a server's URL as the libraries want it.

    Raises
    ------
    UsageError
        When it is none, or the driver is not installed.
    """
    if not is_server(url):
        raise UsageError(
            f"{hidden(url)} names no PostgreSQL server",
            "give postgresql://USER@HOST:PORT/DATABASE, or nothing for files",
        )
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError(
            "the driver for PostgreSQL is not installed", "pip install 'litehedge[postgres]'"
        )
    try:
        read = sa.make_url(url.replace("postgres://", "postgresql://", 1))
    except (SQLAlchemyError, ValueError):
        raise UsageError(
            "the URL of the PostgreSQL server cannot be read",
            "give postgresql://USER@HOST:PORT/DATABASE; write signs of a password as %XX",
        ) from None
    return read.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def place_of(url: str | Path | Served) -> Place:
    """Return the place that a path or a URL names.

    Raises
    ------
    UsageError
        When a server's URL names no session, or cannot be read.
    """
    if isinstance(url, Path | Served):
        return url
    if not is_server(url):
        if "://" in url and not url.startswith("sqlite:///"):
            raise UsageError(
                f"{hidden(url)} is no place for a journal",
                "give the path of a file, or postgresql://USER@HOST/DATABASE?session=NAME",
            )
        return Path(url.removeprefix("sqlite:///"))
    read = sa.make_url(server_url(url))
    name = read.query.get(KEY, "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{hidden(url)} names no session", f"add ?{KEY}=NAME to the URL, or & if it has a ?"
        )
    rest = read.difference_update_query([KEY])
    return Served(rest.render_as_string(hide_password=False), name)


def server_engine(url: str, schema: str = "", *, reads_only: bool = False) -> sa.Engine:
    """Return an engine for a server; with a schema its connections see that one alone."""
    if not is_server(url):
        return sa.create_engine(url)
    read = sa.make_url(server_url(url))
    options = _options(schema, str(read.query.get("options", "")), reads_only=reads_only)
    return sa.create_engine(
        read.difference_update_query(["options"]),
        poolclass=sa.NullPool,
        connect_args={
            "connect_timeout": CONNECT_S, "options": options, "application_name": "litehedge",
            **_ALIVE,
        },
    )  # fmt: skip


def hidden(url: str) -> str:
    """Return a database's URL without its password."""
    try:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        return shown.replace("postgresql+psycopg://", "postgresql://", 1)
    except (SQLAlchemyError, ValueError):
        return "that is no URL"


def lock_key(kind: str, name: str) -> int:
    """Return the number of a lock in a server: 64 bits with a sign."""
    digest = hashlib.sha256(f"litehedge {kind} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def myself(session: str) -> str:
    """Return what this process is called at a server: at most 63 bytes."""
    return f"{session}, process {os.getpid()} on {socket.gethostname()}".encode()[:63].decode(
        errors="ignore"
    )


def _options(schema: str, given: str, *, reads_only: bool) -> str:
    parts = [given] if given else []
    if schema:
        parts.append(f'-c search_path="{schema}"')
    if reads_only:
        parts.append("-c default_transaction_read_only=on")
    return " ".join([*parts, _ALIVE_THERE])
