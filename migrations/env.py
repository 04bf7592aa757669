"""Runs the revisions on the connection that `app.migrate` hands over; never on one of its own."""

from alembic import context

from app.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
context.run_migrations()
