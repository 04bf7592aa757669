"""Fetches that wait, and privacy requests."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fetches",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "delivery_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("fetches_by_time", "fetches", ["next_at"], unique=False)
    op.create_index("fetches_of_source", "fetches", ["account_id", "source_id"], unique=False)
    op.create_table(
        "privacy_requests",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "id"),
        sqlite_with_rowid=False,
    )
    # What came before this version, and was never asked for.
    op.execute(
        "INSERT INTO fetches (account_id, delivery_id, source_id, attempts, next_at, claimed_until) "
        "SELECT account_id, id, source_id, 0, received_at, 0 FROM deliveries WHERE outcome = 'fetching'"
    )
