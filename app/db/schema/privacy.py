"""Tables: privacy requests, tombstones, proofs."""

from sqlalchemy import Index, Table

from app.db.schema.columns import bigint_column, key_column, metadata, text_column

# What sources told us that the law asks of us: a person's data to be handed over or erased, or a shop's.
privacy_requests = Table(
    "privacy_requests",
    metadata,
    key_column("account_id"),
    key_column("id"),  # the delivery's
    text_column("source_id"),
    text_column("kind"),
    text_column("request"),  # see `adapters.contract.Request`
    bigint_column("received_at"),
    bigint_column("due_at"),
    bigint_column("done_at", null=True),
)

# What the tombstones of an account are hashed with, sealed; an account has it from its first erasure on.
salts = Table("salts", metadata, key_column("account_id"), text_column("salt"))

# Who was erased, so that nobody comes back by a late delivery: hashes of identities, of the ids of their orders, of a
# whole shop. `scope` is the source within whose data alone it counts; empty: the whole account.
tombstones = Table(
    "tombstones",
    metadata,
    key_column("account_id"),
    key_column("hash"),
    key_column("scope"),
    text_column("proof_id"),
    bigint_column("created_at"),
    text_column("kind", null=True),  # what the hash is of; null: an older version did not write it down
    Index("tombstones_of_proof", "account_id", "proof_id"),
)

# That a person's data was erased or handed over, without saying whose.
proofs = Table(
    "proofs",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("action"),  # see `adapters.contract.Request`
    text_column("source_id", null=True),
    text_column("request_id", null=True),  # the privacy request's
    text_column("member_id", null=True),
    text_column("counts"),
    bigint_column("done_at"),
)
