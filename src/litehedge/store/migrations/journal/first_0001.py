"""The tables of the first release's journals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "runs",
        sa.Column("run_id", _NUMBER, primary_key=True),
        sa.Column("header", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "event_batches",
        sa.Column("run_id", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("first", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "effects",
        sa.Column("run_id", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("event", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("place", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_effects_kind", "effects", ["kind"])
