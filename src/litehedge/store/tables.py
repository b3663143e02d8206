"""The tables of a journal, in a file or in a schema of a server."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from litehedge.store.upgrade import kind_of

META: Final = sa.MetaData()
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

RUNS: Final = sa.Table(
    "runs",
    META,
    sa.Column("run_id", _NUMBER, primary_key=True),
    sa.Column("header", sa.LargeBinary, nullable=False),
)
EVENTS: Final = sa.Table(
    "event_batches",
    META,
    sa.Column("run_id", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("first", _NUMBER, primary_key=True, autoincrement=False),  # of the batch's events
    sa.Column("payload", sa.LargeBinary, nullable=False),
)
EFFECTS: Final = sa.Table(
    "effects",
    META,
    sa.Column("run_id", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("event", _NUMBER, primary_key=True, autoincrement=False),  # that caused it
    sa.Column("place", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(20), nullable=False, index=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)
JOURNAL: Final = kind_of("journal", META, RUNS.name, "0002")
