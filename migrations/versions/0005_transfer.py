"""Imports: what has no deal, or came by no delivery, stands in no index of deals or deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FEW = (
    ("orders_of_deal", "orders", ["account_id", "deal_id", "ordered_at", "id"], "deal_id"),
    ("history_of_delivery", "history", ["account_id", "delivery_id"], "delivery_id"),
)


def upgrade() -> None:
    for name, table, columns, given in _FEW:
        where = sa.text(f"{given} IS NOT NULL")
        op.drop_index(name, table)
        op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
