"""The only room that speaks SQL about marks that a process leaves to say that it is well: that it writes, and what time it has."""

from app.db.engine import Store
from app.db.statements import Insert, Plan, Row, Sql

PROBED = "write_probed_at"
PROBE_WITHIN = 5.0  # seconds that PostgreSQL has for a statement of the probe

# What a delivery is written into. Each takes nothing in, and meets what a delivery would: a lock, a missing table or right.
_DELIVERED_TO = (
    "deliveries", "bodies", "orders", "history", "aliases", "contacts", "identities", "tallies", "latencies", "fetches",
    "held", "outbox",
)  # fmt: skip
_SAVE = Insert("marks", on_conflict="replace")


async def probe(store: Store, present: int) -> None:
    """Does what a delivery does, without one: reads beside the writer, writes to its tables, commits. Raises Unavailable, Rejected."""
    await store.one("SELECT id FROM sources LIMIT 1")

    def plan() -> Plan[None]:
        for table in _DELIVERED_TO:
            yield Sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0")
        yield _SAVE.many([(PROBED, str(present))])

    await store.commit(plan, patience=PROBE_WITHIN)


async def sealed_in_use(store: Store, present: int) -> list[Row]:
    """The secrets without which a delivery cannot be taken, as `sealed`: of sources that are on, and not expired."""
    return await store.all(
        "SELECT c.sealed FROM secrets c JOIN sources s ON s.account_id = c.account_id AND s.id = c.source_id "
        "JOIN accounts a ON a.account_id = s.account_id WHERE s.enabled AND s.deleted_at IS NULL AND a.orders_enabled "
        "AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > :present)",
        present=present,
    )
