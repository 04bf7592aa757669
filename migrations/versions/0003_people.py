"""Merges, tombstones and proofs of erasure."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=null)


def _at(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=null)


def upgrade() -> None:
    op.create_index("contacts_by_crm_id", "contacts", ["account_id", "crm_id"], unique=False)
    op.create_index("deals_of_contact", "deals", ["account_id", "contact_id"], unique=False)
    op.create_table(
        "merges",
        _text("account_id"),
        _text("id"),
        _text("contact_id"),
        _text("into_id"),
        _text("taken"),
        _text("member_id", null=True),
        _at("created_at"),
        _at("undone_at", null=True),
        sa.PrimaryKeyConstraint("account_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("merges_of_contact", "merges", ["account_id", "contact_id"], unique=False)
    op.create_index("merges_into_contact", "merges", ["account_id", "into_id"], unique=False)
    op.create_table(
        "moved",
        _text("account_id"),
        _text("merge_id"),
        _text("what"),
        _text("name"),
        sa.PrimaryKeyConstraint("account_id", "merge_id", "what", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conflicts",
        _text("account_id"),
        _text("contact_id"),
        _text("kind"),
        _text("value"),
        _text("source_id", null=True),
        _at("told_at"),
        sa.PrimaryKeyConstraint("account_id", "contact_id", "kind", "value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "salts",
        _text("account_id"),
        _text("salt"),
        sa.PrimaryKeyConstraint("account_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tombstones",
        _text("account_id"),
        _text("hash"),
        _text("scope"),
        _text("proof_id"),
        _at("created_at"),
        sa.PrimaryKeyConstraint("account_id", "hash", "scope"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proofs",
        _text("account_id"),
        _text("id"),
        _text("action"),
        _text("source_id", null=True),
        _text("request_id", null=True),
        _text("member_id", null=True),
        _text("counts"),
        _at("done_at"),
        sa.PrimaryKeyConstraint("account_id", "id"),
        sqlite_with_rowid=False,
    )
