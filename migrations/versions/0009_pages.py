"""What pages are walked by: whose order a history entry is of, and who owns an order's contact and its deal."""

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
    for carried, table, key, column in (
        ("owner_id", "contacts", "id", "contact_id"),
        ("deal_owner_id", "deals", "crm_id", "deal_id"),
    ):
        op.add_column("orders", sa.Column(carried, sa.Text(), nullable=True))
        op.execute(
            f"UPDATE orders SET {carried} = t.owner_id FROM {table} t WHERE t.account_id = orders.account_id "
            f"AND t.{key} = orders.{column} AND t.owner_id IS NOT NULL AND orders.value IS NOT NULL"
        )
        op.create_index(
            f"orders_of_{carried.removesuffix('_id')}",
            "orders",
            ["account_id", carried, "ordered_at", "id", "status", "currency", "origin", "scope"],
            unique=False,
            sqlite_where=sa.text(f"{carried} IS NOT NULL"),
            postgresql_where=sa.text(f"{carried} IS NOT NULL"),
        )
