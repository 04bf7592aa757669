"""Members merge orders that are one sale: which order stands for it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("sale_id", sa.Text(), nullable=True))
    some = sa.text("sale_id IS NOT NULL")
    op.create_index(
        "orders_of_sale", "orders", ["account_id", "sale_id"], unique=False, sqlite_where=some, postgresql_where=some
    )
