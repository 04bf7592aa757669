"""Tables: deliveries, and what is to be done with them."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, Table

from app.db.schema.columns import bigint_column, key_column, metadata, text_column

deliveries = Table(
    "deliveries",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("source_id"),
    text_column("dedupe_key"),
    text_column("digest"),
    text_column("kind"),
    text_column("external_id", null=True),
    text_column("outcome"),
    text_column("reason", null=True),
    text_column("notes"),
    text_column("strength"),
    text_column("orders"),
    bigint_column("received_at"),
    bigint_column("committed_at"),
    Column("attempts", Integer, nullable=False),
    Column("repeats", Integer, nullable=False, server_default="0"),  # duplicates of it that came since
    bigint_column("last_repeated_at", null=True),
    # Of an id with more than 200 characters that came before migration 0016 only the hash is known.
    text_column("source_delivery_id", null=True),
    Index("deliveries_once", "account_id", "source_id", "dedupe_key", unique=True),
    Index("deliveries_of_source", "account_id", "source_id", "id"),
    Index("deliveries_by_outcome", "account_id", "outcome", "id"),
    Index("deliveries_by_external_id", "account_id", "external_id", "id"),
    Index("deliveries_by_source_delivery_id", "account_id", "source_delivery_id", "id"),
)

bodies = Table(
    "bodies",
    metadata,
    key_column("account_id"),
    key_column("delivery_id"),
    Column("content", LargeBinary, nullable=False),  # see `record.packed`
)

# Held deliveries and the identities they wait for.
held = Table(
    "held",
    metadata,
    key_column("account_id"),
    key_column("kind"),
    key_column("value"),
    key_column("delivery_id"),
    Index("held_of_delivery", "account_id", "delivery_id"),
)

# Thin deliveries whose order is still to be read from the source's API. One row, one claim: whoever holds it until
# `claimed_until` is the only one to ask.
fetches = Table(
    "fetches",
    metadata,
    key_column("account_id"),
    key_column("delivery_id"),
    text_column("source_id"),
    Column("attempts", Integer, nullable=False),
    bigint_column("next_at"),
    bigint_column("claimed_until"),
    Index("fetches_by_time", "next_at"),
    Index("fetches_of_source", "account_id", "source_id"),
)

# Roll-ups that every chart is fed from: how many deliveries of a source came in an hour, and how they ended. Written in
# the commit's own transaction. `shard` spreads the rows over the processes, which would else wait for one another.
tallies = Table(
    "tallies",
    metadata,
    key_column("account_id"),
    key_column("source_id"),
    Column("hour", BigInteger, primary_key=True, nullable=False),
    key_column("outcome"),
    Column("shard", SmallInteger, primary_key=True, nullable=False),
    Column("count", BigInteger, nullable=False),
    bigint_column("first_at"),
    bigint_column("last_at"),
)

# How long the commits of an hour's deliveries took, from their arrival: see `store.tallies`.
latencies = Table(
    "latencies",
    metadata,
    key_column("account_id"),
    Column("hour", BigInteger, primary_key=True, nullable=False),
    Column("bucket", SmallInteger, primary_key=True, nullable=False),
    Column("shard", SmallInteger, primary_key=True, nullable=False),
    Column("count", BigInteger, nullable=False),
)

# What is left of a delivery that was pruned: when it comes again, it is still a duplicate.
pruned_deliveries = Table(
    "pruned_deliveries",
    metadata,
    key_column("account_id"),
    key_column("source_id"),
    key_column("dedupe_key"),
    text_column("id"),
)
