"""What pages are walked by: whose order a history entry is of, beside the entry itself."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("history", sa.Column("contact_id", sa.Text(), nullable=True))
    op.execute(
        "UPDATE history SET contact_id = (SELECT o.contact_id FROM orders o WHERE o.account_id = history.account_id "
        "AND o.id = history.order_id)"
    )
    told = "contact_id IS NOT NULL AND delivery_id IS NOT NULL"
    op.create_index(
        "history_of_contact",
        "history",
        ["account_id", "contact_id", "delivery_id"],
        unique=False,
        sqlite_where=sa.text(told),
        postgresql_where=sa.text(told),
    )
