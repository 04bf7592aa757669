"""Counters of rejected deliveries, with a few samples, bounded per source and reason."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.db.engine import Store
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql
from app.store.delivery_rollups import RollupCounts, hour_of

SAMPLES = 5  # per source and reason; without body
_SAVE = Insert("refusals", on_conflict="replace")
_SAVE_HOUR = Insert("refusal_hours", on_conflict="tally")


@dataclass(slots=True)
class Rejection:
    """Holds how many deliveries were rejected for one reason since the last write."""

    account_id: str
    source_id: str
    outcome: str
    reason: str
    count: int
    first_at: int
    last_at: int
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return the counter's key."""
        return self.account_id, self.source_id, self.outcome, self.reason


async def add(store: Store, refusals: Sequence[Rejection]) -> None:
    """Add these counts. The newest samples are kept."""

    def plan() -> Plan[None]:
        yield AdvisoryLock([("refusal", *refusal.key) for refusal in refusals])
        rows = []
        for new in refusals:
            account_id, source_id, outcome, reason = new.key
            found: list[Row] = yield Sql(
                "SELECT count, first_at, samples FROM refusals WHERE account_id = :account_id AND source_id = :source_id "
                "AND outcome = :outcome AND reason = :reason",
                account_id=account_id,
                source_id=source_id,
                outcome=outcome,
                reason=reason,
            )
            old: Row = found[0] if found else {"count": 0, "first_at": new.first_at, "samples": "[]"}
            samples = (json.loads(old["samples"]) + new.samples)[-SAMPLES:]
            rows.append((*new.key, old["count"] + new.count, old["first_at"], new.last_at, json.dumps(samples)))
        yield _SAVE.many(rows)
        yield _SAVE_HOUR.many(
            [
                (one.account_id, one.source_id, hour_of(one.last_at), one.outcome, one.reason, one.count, one.last_at)
                for one in refusals
            ]
        )
        counted = RollupCounts()
        for new in refusals:
            counted.add(new.account_id, new.source_id, new.outcome, new.first_at, count=new.count, until=new.last_at)
        yield from counted.save()

    await store.commit(plan)


async def of_source(store: Store, account_id: str, source_id: str) -> list[Row]:
    """Return the counters of one source, since it was added, with samples."""
    rows = await store.all(
        "SELECT * FROM refusals WHERE account_id = :account_id AND source_id = :source_id ORDER BY last_at DESC",
        account_id=account_id,
        source_id=source_id,
    )
    return [{**row, "samples": json.loads(row["samples"])} for row in rows]


async def between(store: Store, account_id: str, since: int, until: int, source_id: str | None = None) -> list[Row]:
    """Return how many deliveries were rejected in these hours: source_id, outcome, reason, count, last_at; newest first."""
    one = " AND source_id = :source_id" if source_id else ""
    return await store.all(
        "SELECT source_id, outcome, reason, CAST(sum(count) AS BIGINT) AS count, max(last_at) AS last_at FROM refusal_hours "
        f"WHERE account_id = :account_id{one} AND hour >= :since AND hour < :until GROUP BY source_id, outcome, reason "
        "ORDER BY max(last_at) DESC, source_id, reason",
        account_id=account_id,
        since=hour_of(since),
        until=until,
        **({"source_id": source_id} if source_id else {}),
    )


async def latest_reasons(store: Store, account_id: str) -> dict[str, str]:
    """Return why each source last rejected a delivery."""
    rows = await store.all(
        "SELECT source_id, reason FROM refusals WHERE account_id = :account_id ORDER BY last_at", account_id=account_id
    )
    return {row["source_id"]: row["reason"] for row in rows}
