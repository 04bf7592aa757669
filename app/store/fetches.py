"""The queue of orders to be read from sources' APIs: claimed, tried again, given up."""

from collections.abc import Sequence

from app.base.outcome import Outcome
from app.db.engine import Store, among
from app.db.statements import Plan, Row, Sql
from app.store.delivery_rollups import COUNTED_BY, move_counts
from app.store.lease import Lease

LEASE = Lease("fetches", ("account_id", "delivery_id"))

_DUE = """
WITH busy AS (
    SELECT account_id, source_id, COUNT(*) AS claims FROM fetches WHERE claimed_until > :present GROUP BY account_id, source_id
), due AS (
    SELECT account_id, delivery_id, source_id, attempts, next_at,
        ROW_NUMBER() OVER (PARTITION BY account_id, source_id ORDER BY next_at, delivery_id) AS place
    FROM fetches WHERE next_at <= :present AND claimed_until <= :present AND (source_id {resting}) IS NOT TRUE
)
SELECT d.account_id, d.delivery_id, d.source_id, d.attempts FROM due d
LEFT JOIN busy b ON b.account_id = d.account_id AND b.source_id = d.source_id
WHERE d.place + COALESCE(b.claims, 0) <= :per_source ORDER BY d.next_at, d.delivery_id LIMIT :limit
"""


async def claim(
    store: Store, *, present: int, until: int, per_source: int, limit: int, resting: Sequence[str] = ()
) -> list[Row]:
    """Claim fetches that are due, until that time; at most `per_source` of a source over all processes.

    Those of `resting` sources wait.
    Each row: account_id, delivery_id, source_id, attempts (made before this one).
    """
    clause, values = among("resting", resting)
    waiting = await store.one(
        "SELECT 1 AS one FROM fetches WHERE next_at <= :present AND claimed_until <= :present "
        f"AND (source_id {clause}) IS NOT TRUE LIMIT 1",
        present=present,
        **values,
    )
    if waiting is None:  # most of the time; the writing connection need not hear of it
        return []

    def plan() -> Plan[list[Row]]:
        yield LEASE.turn
        rows: list[Row] = yield Sql(
            _DUE.format(resting=clause), present=present, per_source=per_source, limit=limit, **values
        )
        for row in rows:
            yield LEASE.take(row, until)
        return rows

    return await store.commit(plan)


async def again(store: Store, row: Row, *, at: int, reason: str, whole_source: bool) -> None:
    """Release a claim, to fetch again at that time. With `whole_source`, nothing of the source is fetched before."""

    def plan() -> Plan[None]:
        yield Sql(
            "UPDATE fetches SET attempts = attempts + 1, next_at = :at, claimed_until = 0 "
            "WHERE account_id = :account_id AND delivery_id = :id",
            at=at,
            account_id=row["account_id"],
            id=row["delivery_id"],
        )
        yield Sql(
            "UPDATE deliveries SET attempts = attempts + 1, reason = :reason "
            "WHERE account_id = :account_id AND id = :id AND outcome = :fetching",
            reason=reason,
            account_id=row["account_id"],
            id=row["delivery_id"],
            fetching=str(Outcome.FETCHING),
        )
        if whole_source:
            yield Sql(
                "UPDATE fetches SET next_at = :at WHERE account_id = :account_id AND source_id = :source_id AND next_at < :at",
                at=at,
                account_id=row["account_id"],
                source_id=row["source_id"],
            )

    await store.commit(plan)


async def give_up(store: Store, account_id: str, delivery_id: str, reason: str) -> None:
    """Stop fetching for this delivery. If it was still waiting, it ends as unfetched."""

    def plan() -> Plan[None]:
        yield Sql(
            "DELETE FROM fetches WHERE account_id = :account_id AND delivery_id = :id",
            account_id=account_id,
            id=delivery_id,
        )
        ended: list[Row] = yield Sql(
            "UPDATE deliveries SET outcome = :unfetched, reason = :reason "
            f"WHERE account_id = :account_id AND id = :id AND outcome = :fetching RETURNING {COUNTED_BY}",
            account_id=account_id,
            id=delivery_id,
            reason=reason,
            unfetched=str(Outcome.UNFETCHED),
            fetching=str(Outcome.FETCHING),
        )
        yield from move_counts(ended, Outcome.FETCHING, Outcome.UNFETCHED)

    await store.commit(plan)


async def new_key(store: Store, account_id: str, source_id: str, present: int, refused: str) -> None:
    """Fetch at once, because the source has a new key.

    This concerns what waits, and what ended with a reason that begins with `refused`.
    """

    def plan() -> Plan[None]:
        yield Sql(
            "INSERT INTO fetches (account_id, delivery_id, source_id, attempts, next_at, claimed_until) "
            "SELECT account_id, id, source_id, 0, :present, 0 FROM deliveries WHERE account_id = :account_id "
            "AND source_id = :source_id AND outcome = :unfetched AND reason LIKE :refused ON CONFLICT DO NOTHING",
            present=present,
            account_id=account_id,
            source_id=source_id,
            unfetched=str(Outcome.UNFETCHED),
            refused=f"{refused}%",
        )
        waiting: list[Row] = yield Sql(
            "UPDATE deliveries SET outcome = :fetching WHERE account_id = :account_id AND source_id = :source_id "
            f"AND outcome = :unfetched AND reason LIKE :refused RETURNING {COUNTED_BY}",
            fetching=str(Outcome.FETCHING),
            account_id=account_id,
            source_id=source_id,
            unfetched=str(Outcome.UNFETCHED),
            refused=f"{refused}%",
        )
        yield from move_counts(waiting, Outcome.UNFETCHED, Outcome.FETCHING)
        yield Sql(
            "UPDATE fetches SET next_at = :present WHERE account_id = :account_id AND source_id = :source_id AND next_at > :present",
            present=present,
            account_id=account_id,
            source_id=source_id,
        )

    await store.commit(plan)


async def waiting(store: Store) -> tuple[int, int | None]:
    """Return how many fetches wait, and when the oldest was due."""
    row = await store.one("SELECT COUNT(*) AS many, MIN(next_at) AS oldest FROM fetches")
    return (row["many"], row["oldest"]) if row else (0, None)


async def waiting_of(store: Store, account_id: str, source_id: str) -> int:
    """Return how many fetches of one source wait."""
    row = await store.one(
        "SELECT COUNT(*) AS many FROM fetches WHERE account_id = :account_id AND source_id = :source_id",
        account_id=account_id,
        source_id=source_id,
    )
    return row["many"] if row else 0


async def crowded(store: Store, account_id: str, source_id: str, most: int) -> bool:
    """Return whether so many deliveries of a source name an order that was not fetched, or not yet."""
    row = await store.one(
        "SELECT COUNT(*) AS many FROM (SELECT 1 FROM deliveries WHERE account_id = :account_id AND source_id = :source_id "
        "AND outcome IN (:fetching, :unfetched) LIMIT :most) AS counted",
        account_id=account_id,
        source_id=source_id,
        fetching=str(Outcome.FETCHING),
        unfetched=str(Outcome.UNFETCHED),
        most=most,
    )
    return row is not None and row["many"] >= most


async def forget_unfetched(store: Store, account_id: str, source_id: str, reason: str, keep: int) -> None:
    """Delete the oldest deliveries of a source that ended unfetched with a reason that begins so; the newest are kept."""

    def plan() -> Plan[None]:
        rows: list[Row] = yield Sql(
            f"SELECT id, {COUNTED_BY} FROM deliveries WHERE account_id = :account_id AND source_id = :source_id AND outcome = :unfetched "
            "AND reason LIKE :reason ORDER BY id DESC LIMIT 100 OFFSET :keep",
            account_id=account_id,
            source_id=source_id,
            unfetched=str(Outcome.UNFETCHED),
            reason=f"{reason}%",
            keep=keep,
        )
        for row in rows:
            for table, column in (("bodies", "delivery_id"), ("deliveries", "id")):
                yield Sql(
                    f"DELETE FROM {table} WHERE account_id = :account_id AND {column} = :id",
                    account_id=account_id,
                    id=row["id"],
                )
        yield from move_counts(rows, Outcome.UNFETCHED, Outcome.UNVERIFIED)

    await store.commit(plan)
