"""Headers without the settings that went: ``store``, and ``model.expiry_days``."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_RUNS = sa.table(
    "runs", sa.column("run_id", sa.BigInteger()), sa.column("header", sa.LargeBinary())
)


def upgrade() -> None:
    """Rewrite the headers that have them; the others stay as they are, to the byte."""
    connection = op.get_bind()
    for run_id, payload in connection.execute(sa.select(_RUNS)).all():
        try:
            header = json.loads(payload)
            settings = header["settings"]
            gone = [settings.pop("store", None), settings["model"].pop("expiry_days", None)]
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # damaged: reading it says so
        if any(one is not None for one in gone):
            connection.execute(
                _RUNS.update().where(_RUNS.c.run_id == run_id).values(
                    header=json.dumps(header, separators=(",", ":")).encode()
                )
            )  # fmt: skip
