"""A delivery's id at its source, apart from the key by which a repeat is known."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("source_delivery_id", sa.Text()))
    op.execute("UPDATE deliveries SET source_delivery_id = substr(dedupe_key, 4) WHERE dedupe_key LIKE 'id:%'")
    op.create_index("deliveries_by_source_delivery_id", "deliveries", ["account_id", "source_delivery_id", "id"])
