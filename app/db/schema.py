"""The schema: every table, once for both engines. Migrations create them, statements are built from them.

Every primary key and unique index begins with `account_id`, so that PostgreSQL can be partitioned or distributed on it.
Times are microseconds since 1970, money is in minor units, lists and objects are JSON in text.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData()


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _at(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True, nullable=False)


def _partial(name: str, *columns: str, where: str) -> Index:
    """Return a partial index: rows outside it cost nothing to write."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


accounts = Table(
    "accounts",
    metadata,
    _key("account_id"),
    _text("name"),
    Column("orders_enabled", Boolean, nullable=False),
    Column("owner_privacy", Boolean, nullable=False),
    _text("default_currency"),
    _text("default_region"),
    _text("retention"),
    _at("created_at"),
    Column(
        "panel_origins", Text, nullable=False, server_default="[]"
    ),  # who may show the panel in a frame: a JSON list
)

members = Table(
    "members",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("name"),
    _text("role"),
    _at("created_at"),
)

tokens = Table(
    "tokens",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("hash"),  # SHA-256, hex: the token itself is kept nowhere
    _text("member_id"),
    _text("role"),
    _text("name"),
    _at("created_at"),
    _at("revoked_at", null=True),
    Index("tokens_by_hash", "hash"),
)

sources = Table(
    "sources",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("adapter"),
    _text("name"),
    Column("enabled", Boolean, nullable=False),
    _text("unknown_contacts"),
    _text("options"),
    _text("key", null=True),  # sealed: what we show to the source's API
    _at("created_at"),
    _at("deleted_at", null=True),
    Index("sources_by_id", "id"),
)

secrets = Table(
    "secrets",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("source_id"),  # whose it is: a source's, or a subscription's, which signs with it
    _text("sealed"),
    _at("created_at"),
    _at("expires_at", null=True),
    _at("revoked_at", null=True),
    Index("secrets_by_source", "account_id", "source_id"),
)

contacts = Table(
    "contacts",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("crm_id", null=True),
    _text("name", null=True),
    _text("owner_id", null=True),
    _text("merged_into", null=True),
    Column("by_webhook", Boolean, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    Index("contacts_by_crm_id", "account_id", "crm_id"),
    _partial("contacts_of_owner", "account_id", "owner_id", "id", where="owner_id IS NOT NULL"),
)

identities = Table(
    "identities",
    metadata,
    _key("account_id"),
    _key("kind"),
    _key("value"),
    _text("contact_id"),
    _text("source_id", null=True),  # which source told it; null: the CRM did
    _at("created_at"),
    Index("identities_by_contact", "account_id", "contact_id"),
)

deals = Table(
    "deals",
    metadata,
    _key("account_id"),
    _key("crm_id"),
    _text("contact_id"),
    _text("title", null=True),
    _text("owner_id", null=True),
    _at("created_at"),
    _at("updated_at"),
    Index("deals_of_contact", "account_id", "contact_id"),
    _partial("deals_of_owner", "account_id", "owner_id", "crm_id", where="owner_id IS NOT NULL"),
)

_TRAITS = ("status", "currency", "origin", "scope")

orders = Table(
    "orders",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("scope"),  # the source's id, or the origin's word when no source is involved
    _text("external_id"),
    _text("source_id", null=True),
    _text("origin"),
    _text("contact_id", null=True),
    _text("deal_id", null=True),
    _text("title", null=True),
    _at("value", null=True),  # null: nothing has described the order yet, and it is shown nowhere
    _at("refunded_value"),
    _text("currency", null=True),
    _text("status"),
    _text("source_status", null=True),
    _at("ordered_at", null=True),
    _at("paid_at", null=True),
    _text("url", null=True),
    Column("test", Boolean, nullable=False),
    _text("items"),
    _at("created_at"),
    _at("updated_at"),
    _text("owner_id", null=True),  # its contact's and its deal's, carried along: wallets are paged by them
    _text("deal_owner_id", null=True),
    Column("paid_value", BigInteger, nullable=False, server_default="0"),
    Column("notes", Text, nullable=False, server_default="[]"),  # a JSON list of words
    Index("orders_by_external_id", "account_id", "scope", "external_id", unique=True),
    Index("orders_of_contact", "account_id", "contact_id", "ordered_at", "id"),
    Index("orders_by_time", "account_id", "ordered_at", "id"),
    _partial("orders_of_deal", "account_id", "deal_id", "ordered_at", "id", where="deal_id IS NOT NULL"),
    # One index for four filters, alone and together: few combinations of these exist, and each is a run in time.
    _partial(
        "orders_by_traits",
        *("account_id", *_TRAITS, "ordered_at", "id"),
        where="value IS NOT NULL",
    ),
    *(
        _partial(
            f"orders_of_{name}",
            "account_id",
            f"{name}_id",
            "ordered_at",
            "id",
            *_TRAITS,
            where=f"{name}_id IS NOT NULL",
        )
        for name in ("owner", "deal_owner")
    ),
    _partial("orders_undescribed", "account_id", "ordered_at", "id", where="value IS NULL"),
)

# Further names of an order: other ids of the same sale (scope as in orders), and ids of orders that were merged into it
# (scope `order`). A name that leads to no order any more is one whose order was pruned: a late delivery must not bring
# half of it back.
aliases = Table(
    "aliases",
    metadata,
    _key("account_id"),
    _key("scope"),
    _key("name"),
    _text("order_id"),
    Index("aliases_of_order", "account_id", "order_id"),
)

# What every delivery or member said of an order. `at` -1 stands for "the source gave no time".
history = Table(
    "history",
    metadata,
    _key("account_id"),
    _key("order_id"),
    Column("at", BigInteger, primary_key=True, nullable=False),
    Column("rank", SmallInteger, primary_key=True, nullable=False),
    _key("digest"),
    _at("recorded_at"),
    _text("delivery_id", null=True),
    _text("member_id", null=True),
    _text("said"),
    _text("contact_id", null=True),  # the order's, carried along: the log of a contact is paged by it
    _partial("history_of_delivery", "account_id", "delivery_id", where="delivery_id IS NOT NULL"),
    _partial(
        "history_of_contact",
        *("account_id", "contact_id", "delivery_id"),
        where="contact_id IS NOT NULL AND delivery_id IS NOT NULL",
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("source_id"),
    _text("dedupe_key"),
    _text("digest"),
    _text("kind"),
    _text("external_id", null=True),
    _text("outcome"),
    _text("reason", null=True),
    _text("notes"),
    _text("strength"),
    _text("orders"),
    _at("received_at"),
    _at("committed_at"),
    Column("attempts", Integer, nullable=False),
    Column("repeats", Integer, nullable=False, server_default="0"),  # duplicates of it that came since
    _at("last_repeated_at", null=True),
    Index("deliveries_once", "account_id", "source_id", "dedupe_key", unique=True),
    Index("deliveries_of_source", "account_id", "source_id", "id"),
    Index("deliveries_by_outcome", "account_id", "outcome", "id"),
    Index("deliveries_by_external_id", "account_id", "external_id", "id"),
)

bodies = Table(
    "bodies",
    metadata,
    _key("account_id"),
    _key("delivery_id"),
    Column("content", LargeBinary, nullable=False),  # see `record.packed`
)

# Held deliveries and the identities they wait for.
held = Table(
    "held",
    metadata,
    _key("account_id"),
    _key("kind"),
    _key("value"),
    _key("delivery_id"),
    Index("held_of_delivery", "account_id", "delivery_id"),
)

# Thin deliveries whose order is still to be read from the source's API. One row, one claim: whoever holds it until
# `claimed_until` is the only one to ask.
fetches = Table(
    "fetches",
    metadata,
    _key("account_id"),
    _key("delivery_id"),
    _text("source_id"),
    Column("attempts", Integer, nullable=False),
    _at("next_at"),
    _at("claimed_until"),
    Index("fetches_by_time", "next_at"),
    Index("fetches_of_source", "account_id", "source_id"),
)

# What sources told us that the law asks of us: a person's data to be handed over or erased, or a shop's.
privacy_requests = Table(
    "privacy_requests",
    metadata,
    _key("account_id"),
    _key("id"),  # the delivery's
    _text("source_id"),
    _text("kind"),
    _text("request"),  # see `adapters.contract.Request`
    _at("received_at"),
    _at("due_at"),
    _at("done_at", null=True),
)

refusals = Table(
    "refusals",
    metadata,
    _key("account_id"),
    _key("source_id"),
    _key("outcome"),
    _key("reason"),
    Column("count", BigInteger, nullable=False),
    _at("first_at"),
    _at("last_at"),
    _text("samples"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _key("account_id"),
    _key("key"),
    _text("request"),  # SHA-256 of method, path and body
    _text("sealed"),  # the answer, encrypted: it may hold a token or a secret
    _at("created_at"),
)

# Who was merged into whom, and what moved along, so that it can be undone. `taken`: what the survivor had not and took
# over (crm_id, name, owner_id).
merges = Table(
    "merges",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("contact_id"),
    _text("into_id"),
    _text("taken"),
    _text("member_id", null=True),
    _at("created_at"),
    _at("undone_at", null=True),
    Index("merges_of_contact", "account_id", "contact_id"),
    Index("merges_into_contact", "account_id", "into_id"),
)

# `what` is an identity's kind, or `order`, or `deal`; `name` the identity's value or the thing's id.
moved = Table(
    "moved",
    metadata,
    _key("account_id"),
    _key("merge_id"),
    _key("what"),
    _key("name"),
)

# Identities that were told of one contact and belong to another: reported until somebody merges the two or takes one away.
conflicts = Table(
    "conflicts",
    metadata,
    _key("account_id"),
    _key("contact_id"),
    _key("kind"),
    _key("value"),
    _text("source_id", null=True),  # who told it last; null: the CRM
    _at("told_at"),
)

# What the tombstones of an account are hashed with; an account has it from its first erasure on.
salts = Table("salts", metadata, _key("account_id"), _text("salt"))

# Who was erased, so that nobody comes back by a late delivery: hashes of identities, of the ids of their orders, of a
# whole shop. `scope` is the source within whose data alone it counts; empty: the whole account.
tombstones = Table(
    "tombstones",
    metadata,
    _key("account_id"),
    _key("hash"),
    _key("scope"),
    _text("proof_id"),
    _at("created_at"),
)

# That a person's data was erased or handed over, without saying whose.
proofs = Table(
    "proofs",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("action"),  # see `adapters.contract.Request`
    _text("source_id", null=True),
    _text("request_id", null=True),  # the privacy request's
    _text("member_id", null=True),
    _text("counts"),
    _at("done_at"),
)

# Roll-ups that every chart is fed from: how many deliveries of a source came in an hour, and how they ended. Written in
# the commit's own transaction. `shard` spreads the rows over the processes, which would else wait for one another.
tallies = Table(
    "tallies",
    metadata,
    _key("account_id"),
    _key("source_id"),
    Column("hour", BigInteger, primary_key=True, nullable=False),
    _key("outcome"),
    Column("shard", SmallInteger, primary_key=True, nullable=False),
    Column("count", BigInteger, nullable=False),
    _at("first_at"),
    _at("last_at"),
)

# How long the commits of an hour's deliveries took, from their arrival: see `store.tallies`.
latencies = Table(
    "latencies",
    metadata,
    _key("account_id"),
    Column("hour", BigInteger, primary_key=True, nullable=False),
    Column("bucket", SmallInteger, primary_key=True, nullable=False),
    Column("shard", SmallInteger, primary_key=True, nullable=False),
    Column("count", BigInteger, nullable=False),
)

# Status words that an adapter does not know; bounded per source.
unknown_words = Table(
    "unknown_words",
    metadata,
    _key("account_id"),
    _key("source_id"),
    _key("word"),
    Column("count", BigInteger, nullable=False),
    _at("last_at"),
)

# What is left of a delivery that was pruned: when it comes again, it is still a duplicate.
pruned_deliveries = Table(
    "pruned_deliveries",
    metadata,
    _key("account_id"),
    _key("source_id"),
    _key("dedupe_key"),
    _text("id"),
)

# Bulk retries and remaps. One row, one claim, as with fetches: `claim` names whoever works on it until `claimed_until`.
jobs = Table(
    "jobs",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("kind"),
    _text("state"),
    Column("dry_run", Boolean, nullable=False),
    _text("filter"),
    _text("upto"),  # the greatest delivery id that is part of it: what came later is not
    _text("phase"),
    _text("cursor"),  # the last delivery that this phase has done with
    _at("total"),
    _at("done"),
    _at("changed"),
    _at("failed"),
    _text("failures"),  # how many for which reason
    _text("reason", null=True),  # why the job itself failed
    _text("member_id", null=True),
    _at("created_at"),
    _at("updated_at"),
    _at("finished_at", null=True),
    _text("claim", null=True),
    _at("claimed_until"),
    Index("jobs_by_state", "state", "created_at"),
)

# What a job changed, or would change: an order or a delivery before and after it.
job_changes = Table(
    "job_changes",
    metadata,
    _key("account_id"),
    _key("job_id"),
    _key("kind"),
    _key("subject"),
    _text("before", null=True),
    _text("after", null=True),
)

# A remap's deliveries that read differently now, and what they have to do with each other: an order's id or name each.
remap_links = Table(
    "remap_links",
    metadata,
    _key("account_id"),
    _key("job_id"),
    _key("token"),
    _key("delivery_id"),
    Index("remap_links_of_delivery", "account_id", "job_id", "delivery_id"),
)

# Who is told of what happens here. `failures` counts those since the last event that was taken; before `rests_until`
# nothing is sent. The secrets stand with those of the sources.
subscriptions = Table(
    "subscriptions",
    metadata,
    _key("account_id"),
    _key("id"),
    _text("url"),
    _text("events"),
    Column("enabled", Boolean, nullable=False),
    _text("off_reason", null=True),  # why it is off; null: somebody switched it off
    Column("failures", Integer, nullable=False),
    _at("failing_since", null=True),
    _text("failing_reason", null=True),
    _at("rests_until"),
    _at("last_sent_at", null=True),
    _at("created_at"),
)

# Events that are still to be told, each written in the transaction of the change that it tells of. Ids alone: what an
# order says is read when it is sent. One row, one claim, as with fetches.
outbox = Table(
    "outbox",
    metadata,
    _key("account_id"),
    _key("subscription_id"),
    _key("id"),  # the event's, the same for every subscription that is told of it
    _text("event"),
    _text("subject"),  # the order's id, or the contact's
    _text("detail", null=True),  # see `store.outbox.Happened`
    _at("occurred_at"),
    Column("attempts", Integer, nullable=False),
    _at("next_at"),
    _at("claimed_until"),
    Index("outbox_due", "account_id", "subscription_id", "next_at", "id"),
)

# What came of telling, each time it was tried; and, without a time that it took, that it was given up.
attempts = Table(
    "attempts",
    metadata,
    _key("account_id"),
    _key("subscription_id"),
    _key("id"),
    _text("event_id"),
    _text("event"),
    _text("order_id", null=True),  # null: it was about a contact, whom nothing here is to name any more
    Column("number", Integer, nullable=False),
    _at("at"),
    _at("took", null=True),  # microseconds
    Column("status", Integer, nullable=True),  # HTTP; null: there was no answer
    _text("reason", null=True),  # null: it was taken
    _at("next_at", null=True),
)

# Identifies an installation's state for `doctor`; one row per word.
marks = Table("marks", metadata, _key("name"), _text("value"))

# SQLite keeps a row beside its primary key only when told so; bodies are large and stay outside the key's tree.
for _table in metadata.tables.values():
    _table.dialect_options["sqlite"]["with_rowid"] = _table is bodies
