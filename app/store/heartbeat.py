"""Heartbeats: marks in the database that say that a process can write, and what time its clock has."""

from dataclasses import dataclass

from app.db.engine import Store
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql

PROBED = "write_probed_at"

# What a delivery is written into. Each takes nothing in, and meets what a delivery would: a lock, a missing table or right.
_DELIVERED_TO = (
    "deliveries",
    "bodies",
    "orders",
    "history",
    "aliases",
    "contacts",
    "identities",
    "tallies",
    "latencies",
    "fetches",
    "held",
    "outbox",
)
_SAVE = Insert("marks", on_conflict="replace")


async def probe(store: Store, present: int, patience: float) -> None:
    """Do what a delivery does, with its patience: read beside the writer, write to its tables, commit.

    Raises Unavailable, Rejected.
    """
    await store.one("SELECT id FROM sources LIMIT 1")

    def plan() -> Plan[None]:
        for table in _DELIVERED_TO:
            yield Sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0")
        yield _SAVE.many([(PROBED, str(present))])

    await store.commit(plan, patience=patience)


async def sealed_in_use(store: Store, present: int) -> list[Row]:
    """Return what deliveries need opened, as `sealed`: secrets of sources that are on, not expired, and tombstones' salts."""
    return await store.all(
        "SELECT c.sealed FROM secrets c JOIN sources s ON s.account_id = c.account_id AND s.id = c.source_id "
        "JOIN accounts a ON a.account_id = s.account_id WHERE s.enabled AND s.deleted_at IS NULL AND a.orders_enabled "
        "AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > :present) UNION ALL "
        "SELECT t.salt FROM salts t JOIN accounts a ON a.account_id = t.account_id WHERE a.orders_enabled "
        "AND length(t.salt) > 64",
        present=present,
    )


# -- What time it is ------------------------------------------------------------------------------------------------

CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Beat:
    """Holds when a process with a trusted clock last left its mark, in microseconds, and how many clocks operators have confirmed."""

    at: int
    confirmed: int


async def last_beat(store: Store) -> Beat | None:
    """Return the last mark, or None. Raises Unavailable."""
    row = await store.one("SELECT value FROM marks WHERE name = :name", name=CLOCK)
    return _beat(row) if row else None


async def beat(store: Store, present: int, *, confirms: bool = False) -> Beat:
    """Write the mark that it is this time. `confirms`: an operator says so, whatever was there. Raises Unavailable."""

    def plan() -> Plan[Beat]:
        yield AdvisoryLock([("mark", CLOCK)])
        found: list[Row] = yield Sql("SELECT value FROM marks WHERE name = :name", name=CLOCK)
        now = Beat(present, (_beat(found[0]).confirmed if found else 0) + confirms)
        yield _SAVE.many([(CLOCK, f"{now.at} {now.confirmed}")])
        return now

    return await store.commit(plan)


def _beat(row: Row) -> Beat:
    at, _, confirmed = row["value"].partition(" ")
    return Beat(int(at), int(confirmed))
