"""Which version the tables of a database are of, and how older ones become those of this version.

The steps are in `store.migrations`. They are one transaction: a process that is killed meanwhile
leaves the old tables or the new ones. Before that a file is copied beside itself.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from litehedge.errors import JournalError
from litehedge.store.durable import sync_folder
from litehedge.store.places import lock_key

MIGRATIONS: Final = Path(__file__).parent / "migrations"
FIRST: Final = "0001"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a database holds: its tables, the oldest one of them, and the newest version."""

    name: str
    meta: sa.MetaData
    oldest: str
    head: str

    @property
    def version_table(self) -> str:
        """The table that says which version the others are of."""
        return f"{self.name}_version"


def kind_of(name: str, meta: sa.MetaData, oldest: str, head: str) -> Kind:
    """Return a kind, and add the table with its version to its tables."""
    kind = Kind(name, meta, oldest, head)
    sa.Table(
        kind.version_table, meta,
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{kind.version_table}_pkc"),
    )  # fmt: skip
    return kind


def version_of(connection: sa.Connection, kind: Kind) -> str | None:
    """Return the version of what is there, None where there is nothing."""
    there = sa.inspect(connection)
    if there.has_table(kind.version_table):
        table = kind.meta.tables[kind.version_table]
        found = connection.execute(sa.select(table.c.version_num)).scalar()
        if found is not None:
            return str(found)
    return FIRST if there.has_table(kind.oldest) else None


def prepare(engine: sa.Engine, kind: Kind, path: Path | None = None) -> str:
    """Make the tables where there are none, and bring older ones to this version.

    Parameters
    ----------
    path
        The file that the engine opens, None for a server.

    Returns
    -------
    str
        The version that was there before; the newest where nothing was done.

    Raises
    ------
    JournalError
        When a newer litehedge wrote it. Nothing was changed.
    OSError, sqlite3.Error, sqlalchemy.exc.SQLAlchemyError
        When the disk or the database refuses. Nothing was changed.
    """
    with engine.connect() as connection:
        found = version_of(connection, kind)
    if found == kind.head:
        return found
    with engine.connect() as connection:
        _lock(connection, kind)
        found = version_of(connection, kind)  # another process may have been faster
        if found is None:
            kind.meta.create_all(connection)
            table = kind.meta.tables[kind.version_table]
            connection.execute(table.insert().values(version_num=kind.head))
        elif found != kind.head:
            if found > kind.head:
                raise _too_new(kind, found)
            if path is not None:
                keep_copy(path, copy_of(path, found))
            _run_steps(connection, kind, found)
        connection.commit()
    return kind.head if found is None else found


def copy_of(path: Path, version: str) -> Path:
    """Return where the copy of a file is kept before it is upgraded."""
    return path.with_name(f"{path.stem}-{version}{path.suffix}")


def keep_copy(path: Path, copy: Path) -> None:
    """Copy a database file as of now; a copy that is there already is older and stays.

    Raises
    ------
    OSError, sqlite3.Error
        When that cannot be done.
    """
    if copy.exists():
        return
    partial = copy.with_name(f"{copy.name}.partial")
    partial.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as there,
        closing(sqlite3.connect(partial)) as here,
    ):
        there.backup(here)
        here.execute("PRAGMA journal_mode=DELETE")  # one file, no log beside it
    partial.chmod(path.stat().st_mode & 0o777)
    partial.rename(copy)
    sync_folder(copy.parent)


def _lock(connection: sa.Connection, kind: Kind) -> None:
    """Begin a transaction in which nobody else changes the tables."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    schema = connection.execute(sa.text("SELECT current_schema()")).scalar()
    key = lock_key("tables", f"{schema} {kind.name}")
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def check_known(engine: sa.Engine, kind: Kind) -> None:
    """Make sure that no newer litehedge wrote it.

    Raises
    ------
    JournalError
        When one did.
    """
    with engine.connect() as connection:
        found = version_of(connection, kind)
    if found is not None and found > kind.head:
        raise _too_new(kind, found)


def _too_new(kind: Kind, found: str) -> JournalError:
    return JournalError(
        f"the {kind.name} is of version {found}, this litehedge knows {kind.head}",
        "use the litehedge that wrote it; nothing was changed",
    )


def _run_steps(connection: sa.Connection, kind: Kind, found: str | None) -> None:
    from alembic import command  # takes a while, and hardly anybody needs it
    from alembic.config import Config

    config = Config(attributes={"connection": connection, "version_table": kind.version_table})
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / kind.name))
    config.set_main_option("path_separator", "os")
    if found is not None and not sa.inspect(connection).has_table(kind.version_table):
        command.stamp(config, found)
    command.upgrade(config, "head")
