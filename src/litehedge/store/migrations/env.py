"""What alembic runs: the steps, in the transaction that it is given."""

from alembic import context

_given = context.config.attributes
context.configure(connection=_given["connection"], version_table=_given["version_table"])
with context.begin_transaction():  # of the connection: all steps or none
    context.run_migrations()
