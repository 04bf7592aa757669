"""Filters and own headers of subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("filter", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("subscriptions", sa.Column("headers", sa.Text(), nullable=True))
