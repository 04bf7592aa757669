"""Whom a held delivery waits for is found by the delivery as well, however many wait."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("held_of_delivery", "held", ["account_id", "delivery_id"], unique=False)
