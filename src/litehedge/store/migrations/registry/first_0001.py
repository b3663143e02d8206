"""The tables of the first registries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "registry_format",
        sa.Column("format", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "model_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("frame_s", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("card", sa.LargeBinary, nullable=False),
        sa.Column("lineage", sa.LargeBinary, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "number"),
        sa.UniqueConstraint("name", "sha256"),
    )
    op.create_table(
        "model_roles",
        sa.Column("frame_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(20), primary_key=True),
        sa.Column("version", sa.Integer, sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "model_history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("frame_s", sa.Integer, nullable=False),
        sa.Column("act", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("before", sa.Integer, sa.ForeignKey("model_versions.id")),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
