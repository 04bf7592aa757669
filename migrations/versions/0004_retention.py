"""Retention and reports."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.create_table(
        "pruned_deliveries",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "source_id", "dedupe_key"),
        sqlite_with_rowid=False,
    )
    _partial("contacts_of_owner", "contacts", ["account_id", "owner_id", "id"], "owner_id IS NOT NULL")
    _partial("deals_of_owner", "deals", ["account_id", "owner_id", "crm_id"], "owner_id IS NOT NULL")
    _partial(
        "orders_by_traits",
        "orders",
        ["account_id", "status", "currency", "origin", "scope", "ordered_at", "id"],
        "value IS NOT NULL",
    )
    _partial("orders_undescribed", "orders", ["account_id", "ordered_at", "id"], "value IS NULL")
