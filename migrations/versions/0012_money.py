"""What was paid of an order, and its notes; how often a delivery was repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("paid_value", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("notes", sa.Text(), nullable=False, server_default="[]"))
    # As the fold has it where nothing itemises payments; the next delivery, a retry or a remap folds the order anew.
    op.execute(
        "UPDATE orders SET paid_value = CASE WHEN status IN ('paid', 'refunded') THEN value ELSE refunded_value END "
        "WHERE value IS NOT NULL AND (status IN ('paid', 'refunded') OR refunded_value > 0)"
    )
    op.add_column("deliveries", sa.Column("repeats", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("last_repeated_at", sa.BigInteger(), nullable=True))
