"""Tables: sources, secrets, rejected deliveries."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table

from app.db.schema.columns import bigint_column, key_column, metadata, text_column

sources = Table(
    "sources",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("adapter"),
    text_column("name"),
    Column("enabled", Boolean, nullable=False),
    text_column("unknown_contacts"),
    text_column("options"),
    text_column("key", null=True),  # sealed: what we show to the source's API
    bigint_column("created_at"),
    bigint_column("deleted_at", null=True),
    Index("sources_by_id", "id"),
)

secrets = Table(
    "secrets",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("source_id"),  # whose it is: a source's, or a subscription's, which signs with it
    text_column("sealed"),
    bigint_column("created_at"),
    bigint_column("expires_at", null=True),
    bigint_column("revoked_at", null=True),
    Index("secrets_by_source", "account_id", "source_id"),
)

refusals = Table(
    "refusals",
    metadata,
    key_column("account_id"),
    key_column("source_id"),
    key_column("outcome"),
    key_column("reason"),
    Column("count", BigInteger, nullable=False),
    bigint_column("first_at"),
    bigint_column("last_at"),
    text_column("samples"),
)

# The same by hour, for counts of a period; without samples.
refusal_hours = Table(
    "refusal_hours",
    metadata,
    key_column("account_id"),
    key_column("source_id"),
    Column("hour", BigInteger, primary_key=True, nullable=False),
    key_column("outcome"),
    key_column("reason"),
    Column("count", BigInteger, nullable=False),
    bigint_column("last_at"),
)

# Sources that subscribers were told are failing, so that they are told once, and of the recovery.
failing_sources = Table(
    "failing_sources",
    metadata,
    key_column("account_id"),
    key_column("source_id"),
    text_column("code"),  # the alert's
    bigint_column("since"),
)

# Status words that an adapter does not know; bounded per source.
unknown_words = Table(
    "unknown_words",
    metadata,
    key_column("account_id"),
    key_column("source_id"),
    key_column("word"),
    Column("count", BigInteger, nullable=False),
    bigint_column("last_at"),
)
