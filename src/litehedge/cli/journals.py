"""``litehedge journal``: where the journals of sessions are, and of which version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from litehedge.cli.common import console, print_table, write_json
from litehedge.errors import JournalError, UsageError
from litehedge.live.session import Session, held, is_held, sessions
from litehedge.shelf.home import home
from litehedge.store.places import Place, Served, place_of
from litehedge.store.sender import Sender
from litehedge.store.tables import JOURNAL
from litehedge.store.transaction import first_line
from litehedge.store.upgrade import FIRST, copy_of, prepare, version_of

app = typer.Typer(
    pretty_exceptions_enable=False, no_args_is_help=True,
    help="Where the journals of sessions are, and of which version.",
)  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_journals(as_json: Json = False) -> None:
    """List the journals of all sessions, on this machine and on the server.

    Example: litehedge journal list
    """
    rows = [_facts(session) for session in sessions(home())]
    if as_json:
        write_json({"newest": JOURNAL.head, "journals": rows}, "-")
        return
    if not rows:
        console.print("no session has a journal yet")
        return
    table = Table("session", "runs now", "version", "journal")
    for row in rows:
        table.add_row(
            row["session"], "yes" if row["runs"] else "no", row["version"] or row["trouble"],
            row["journal"],
        )  # fmt: skip
    print_table(table)
    if any(row["version"] < JOURNAL.head for row in rows if row["version"]):
        console.print(f"older than {JOURNAL.head}: upgraded at the next start of the session")


@app.command()
def upgrade(
    journal: Annotated[str, typer.Argument(help="A session by name, or the path of a journal.")],
    as_json: Json = False,
) -> None:
    """Bring a journal of an earlier version to this one; a copy of the old file is kept beside it.

    A session does that by itself when it starts. Killed in between, it is the old one or the new
    one. To read an old journal (replay, report, the screen) nothing needs to be done.

    Example: litehedge journal upgrade paper
    """
    with _kept_from_others(journal) as place:
        was = _upgraded(place)
    copy = copy_of(place, was) if isinstance(place, Path) and was != JOURNAL.head else None
    if as_json:
        told = {"journal": str(place), "was": was, "is": JOURNAL.head}
        write_json(told | {"copy": None if copy is None else str(copy)}, "-")
    elif was == JOURNAL.head:
        console.print(f"{place} is of version {was} already", highlight=False, soft_wrap=True)
    else:
        console.print(
            f"{place} was of version {was} and is of {JOURNAL.head} now"
            + ("" if copy is None else f"; the old one is kept in {copy}"),
            highlight=False, soft_wrap=True,
        )  # fmt: skip


@contextmanager
def _kept_from_others(journal: str) -> Iterator[Place]:
    """Give the place that is meant; nobody runs its session meanwhile."""
    session = next((one for one in sessions(home()) if one.name == journal), None)
    if session is not None:
        with held(session):
            place = session.journal
            lease = Sender(place) if isinstance(place, Served) else None
            try:
                yield place
            finally:
                if lease is not None:
                    lease.stop()
        return
    place = place_of(journal)
    if isinstance(place, Path) and not place.is_file():
        raise UsageError(
            f"there is no journal {journal}", "give the path of a journal file, or a session's name"
        )
    yield place


def _engine(place: Place, *, reads_only: bool) -> sa.Engine:
    if isinstance(place, Served):
        return place.engine(reads_only=reads_only)
    mode = "ro" if reads_only else "rw"
    return sa.create_engine(f"sqlite:///{place.absolute().as_uri()}?mode={mode}&uri=true")


def _upgraded(place: Place) -> str:
    engine = _engine(place, reads_only=False)
    try:
        with engine.connect() as connection:
            if version_of(connection, JOURNAL) is None:
                raise UsageError(f"{place} is no journal", "give the path of a journal")
        return prepare(engine, JOURNAL, place if isinstance(place, Path) else None)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise JournalError(
            f"the journal {place} cannot be upgraded ({first_line(error)})",
            "nothing was changed; look at the disk",
        ) from None
    finally:
        engine.dispose()


def _facts(session: Session) -> dict[str, Any]:
    place, version, trouble = session.journal, "", ""
    engine = _engine(place, reads_only=True)
    try:
        with engine.connect() as connection:
            version = version_of(connection, JOURNAL) or FIRST
    except (SQLAlchemyError, sqlite3.Error) as error:
        trouble = first_line(error)
    finally:
        engine.dispose()
    return {
        "session": session.name, "journal": str(place), "runs": is_held(session),
        "version": version, "trouble": trouble,
    }  # fmt: skip
