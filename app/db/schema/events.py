"""Tables: subscriptions, events, attempts to deliver them."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from app.db.schema.columns import bigint_column, key_column, metadata, text_column

# Who is told of what happens here. `failures` counts those since the last event that was taken; before `rests_until`
# nothing is sent. The secrets stand with those of the sources.
subscriptions = Table(
    "subscriptions",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("url"),
    text_column("events"),
    Column("enabled", Boolean, nullable=False),
    text_column("off_reason", null=True),  # why it is off; null: somebody switched it off
    Column("failures", Integer, nullable=False),
    bigint_column("failing_since", null=True),
    text_column("failing_reason", null=True),
    bigint_column("rests_until"),
    bigint_column("last_sent_at", null=True),
    bigint_column("created_at"),
    Column("filter", Text, nullable=False, server_default="{}"),  # which events, a JSON object
    text_column("headers", null=True),  # sealed: what is sent along, a JSON object
)

# Events that are still to be told, each written in the transaction of the change that it tells of. Ids alone: what an
# order says is read when it is sent. One row, one claim, as with fetches.
outbox = Table(
    "outbox",
    metadata,
    key_column("account_id"),
    key_column("subscription_id"),
    key_column("id"),  # the event's, the same for every subscription that is told of it
    text_column("event"),
    text_column("subject"),  # the order's id, or the contact's
    text_column("detail", null=True),  # see `store.outbox.Happened`
    bigint_column("occurred_at"),
    Column("attempts", Integer, nullable=False),
    bigint_column("next_at"),
    bigint_column("claimed_until"),
    Index("outbox_due", "account_id", "subscription_id", "next_at", "id"),
)

# What came of telling, each time it was tried; and, without a time that it took, that it was given up.
attempts = Table(
    "attempts",
    metadata,
    key_column("account_id"),
    key_column("subscription_id"),
    key_column("id"),
    text_column("event_id"),
    text_column("event"),
    text_column("order_id", null=True),  # null: it was about a contact, whom nothing here is to name any more
    Column("number", Integer, nullable=False),
    bigint_column("at"),
    bigint_column("took", null=True),  # microseconds
    Column("status", Integer, nullable=True),  # HTTP; null: there was no answer
    text_column("reason", null=True),  # null: it was taken
    bigint_column("next_at", null=True),
)

# Contacts that were erased: our ids alone, for subscribers who ask for the events of a time again. They stand as long as the log.
erased_contacts = Table(
    "erased_contacts",
    metadata,
    key_column("account_id"),
    key_column("id"),
    text_column("merged"),  # the ids of the contacts that had been merged into it, a JSON list
    bigint_column("erased_at"),
    Index("erased_contacts_by_time", "account_id", "erased_at", "id"),
)
