"""Tables: accounts, members, tokens."""

from sqlalchemy import Boolean, Column, Index, Table, Text

from app.db.schema.columns import bigint_column, key_column, metadata, text_column

accounts = Table(
    "accounts",
    metadata,
    key_column("account_id"),
    text_column("name"),
    Column("orders_enabled", Boolean, nullable=False),
    Column("owner_privacy", Boolean, nullable=False),
    text_column("default_currency"),
    text_column("default_region"),
    text_column("retention"),
    bigint_column("created_at"),
    Column(
        "panel_origins", Text, nullable=False, server_default="[]"
    ),  # who may show the panel in a frame: a JSON list
    Column("timezone", Text, nullable=False, server_default="UTC"),
    # E-mails, phones and documents that are nobody's, as identities are written: a JSON list.
    Column("not_identities", Text, nullable=False, server_default="[]"),
)

members = Table(
    "members",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("name"),
    text_column("role"),
    bigint_column("created_at"),
)

tokens = Table(
    "tokens",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("hash"),  # SHA-256, hex: the token itself is kept nowhere
    text_column("member_id"),
    text_column("role"),
    text_column("name"),
    bigint_column("created_at"),
    bigint_column("revoked_at", null=True),
    Index("tokens_by_hash", "hash"),
)

idempotency = Table(
    "idempotency",
    metadata,
    key_column("account_id"),
    key_column("key"),
    text_column("request"),  # SHA-256 of method, path and body
    text_column("sealed"),  # the answer, encrypted: it may hold a token or a secret
    bigint_column("created_at"),
)

# Identifies an installation's state for `doctor`; one row per word.
marks = Table("marks", metadata, key_column("name"), text_column("value"))
