"""How often the next piece of a job was begun."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("tries", sa.BigInteger(), nullable=False, server_default="0"))
