"""The schema, by subject: every table, once for both engines. Migrations create them, statements are built from them.

Every primary key and unique index begins with `account_id`, so that PostgreSQL can be partitioned or distributed on it.
Times are microseconds since 1970, money is in minor units, lists and objects are JSON in text.
"""

from app.db.schema.accounts import accounts, idempotency, marks, members, tokens
from app.db.schema.columns import metadata
from app.db.schema.contacts import conflicts, contacts, deals, identities, merges, moved
from app.db.schema.deliveries import bodies, deliveries, fetches, held, latencies, pruned_deliveries, tallies
from app.db.schema.events import attempts, erased_contacts, outbox, subscriptions
from app.db.schema.jobs import job_changes, jobs, remap_links
from app.db.schema.orders import aliases, history, orders
from app.db.schema.privacy import privacy_requests, proofs, salts, tombstones
from app.db.schema.sources import failing_sources, refusal_hours, refusals, secrets, sources, unknown_words

__all__ = [
    "accounts",
    "aliases",
    "attempts",
    "bodies",
    "conflicts",
    "contacts",
    "deals",
    "deliveries",
    "erased_contacts",
    "failing_sources",
    "fetches",
    "held",
    "history",
    "idempotency",
    "identities",
    "job_changes",
    "jobs",
    "latencies",
    "marks",
    "members",
    "merges",
    "metadata",
    "moved",
    "orders",
    "outbox",
    "privacy_requests",
    "proofs",
    "pruned_deliveries",
    "refusal_hours",
    "refusals",
    "remap_links",
    "salts",
    "secrets",
    "sources",
    "subscriptions",
    "tallies",
    "tokens",
    "tombstones",
    "unknown_words",
]

# SQLite keeps a row beside its primary key only when told so; bodies are large and stay outside the key's tree.
for _table in metadata.tables.values():
    _table.dialect_options["sqlite"]["with_rowid"] = _table is bodies
