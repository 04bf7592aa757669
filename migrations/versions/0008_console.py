"""What the console keeps: which pages may show an account's panel in a frame."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("panel_origins", sa.Text(), nullable=False, server_default="[]"))
