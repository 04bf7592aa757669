"""Roll-ups that every chart is fed from."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

HOUR = 3_600_000_000  # microseconds


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "source_id", "hour", "outcome", "shard"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latencies",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "hour", "bucket", "shard"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unknown_words",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "source_id", "word"),
        sqlite_with_rowid=False,
    )
    # What an older version recorded; what it refused was counted without an hour, and stays where it is.
    op.execute(
        "INSERT INTO tallies (account_id, source_id, hour, outcome, shard, count, first_at, last_at) "
        f"SELECT account_id, source_id, received_at / {HOUR} * {HOUR}, outcome, 0, count(*), min(received_at), "
        f"max(received_at) FROM deliveries GROUP BY account_id, source_id, received_at / {HOUR} * {HOUR}, outcome"
    )
