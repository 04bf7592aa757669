"""The time zone of an account: its months and days, and times that name no zone."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("timezone", sa.Text(), nullable=False, server_default="UTC"))
