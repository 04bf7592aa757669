"""Contacts may share an identity that families and companies share. Members keep contacts apart. Tombstones name kinds."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite cannot change a primary key: the rows move to a new table. No contact is taken apart, none put together.
    op.create_table(
        "identities_shared",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "kind", "value", "contact_id"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO identities_shared (account_id, kind, value, contact_id, source_id, created_at) "
        "SELECT account_id, kind, value, contact_id, source_id, created_at FROM identities"
    )
    op.drop_table("identities")
    op.rename_table("identities_shared", "identities")
    op.create_index("identities_by_contact", "identities", ["account_id", "contact_id"], unique=False)
    op.add_column("contacts", sa.Column("apart", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("accounts", sa.Column("not_identities", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("moved", sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("tombstones", sa.Column("kind", sa.Text(), nullable=True))
    op.create_index("tombstones_of_proof", "tombstones", ["account_id", "proof_id"], unique=False)
