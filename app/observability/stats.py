"""Everything that an overview shows: counts of a period by source, outcome and hour, what waits, and the alerts."""

import asyncio
from typing import Any

from app.base.clock import iso
from app.db.engine import Store
from app.db.statements import Row
from app.observability import alerts
from app.store import delivery_rollups, rejections, source_health


async def stats(
    store: Store,
    account_id: str,
    *,
    since: int,
    until: int,
    present: int,
    waiting: int,
    source_id: str | None,
    webhooks_at: str,
) -> dict[str, Any]:
    """Return everything that an overview shows, of all the account's sources or of one.

    Times are microseconds since 1970. `waiting` is how many deliveries wait for a commit.
    """
    seen, hours, refused, acknowledged, words, queue = await asyncio.gather(
        source_health.seen(store, account_id, source_id),
        delivery_rollups.hours(store, account_id, since, until, source_id),
        rejections.between(store, account_id, since, until, source_id),
        delivery_rollups.acknowledgements(store, account_id, since, until),
        delivery_rollups.words(store, account_id, since),
        delivery_rollups.waiting(store, account_id),
    )
    there = {row["id"] for row in seen}
    hours, refused, words = (
        [one for one in rows if one["source_id"] in there] for rows in (hours, refused, words)
    )  # not of those that were deleted
    of_hours, of_refused, of_words = (_by_source(rows) for rows in (hours, refused, words))
    found = await alerts.of_sources(store, account_id, seen, of_words, present=present, webhooks_at=webhooks_at)
    if source_id is None:
        found += await alerts.of_subscriptions(store, account_id)
    only_rejected = {one.source_id: one.since for one in found if one.code == "only_rejected"}
    return {
        "since": iso(since),
        "until": iso(until),
        "hours": [
            {"hour": iso(row["hour"]), **{name: row[name] for name in ("source_id", "outcome", "count")}}
            for row in hours
        ],
        "sources": [
            {
                "source_id": row["id"],
                "name": row["name"],
                "adapter": row["adapter"],
                "last_received_at": iso(max((at for at in (row["good"], row["refused"]) if at), default=None)),
                "last_good_at": iso(row["good"]),
                "last_refused_at": iso(row["refused"]),
                "by_outcome": delivery_rollups.total(of_hours.get(row["id"], [])),
                "refused": [
                    {**{name: one[name] for name in ("outcome", "reason", "count")}, "last_at": iso(one["last_at"])}
                    for one in of_refused.get(row["id"], [])
                ],
                "unknown_status": [
                    {"word": one["word"], "count": one["count"], "last_at": iso(one["last_at"])}
                    for one in of_words.get(row["id"], [])
                ],
                "only_rejected_since": iso(only_rejected.get(row["id"])),
            }
            for row in seen
        ],
        "acknowledgement": {
            "count": sum(acknowledged.values()),
            "p50_ms": delivery_rollups.percentile(acknowledged, 0.50),
            "p99_ms": delivery_rollups.percentile(acknowledged, 0.99),
        },
        "waiting": {
            "commit": waiting,
            "fetches": queue["fetches"],
            "oldest_fetch_at": iso(queue["oldest_fetch_at"]),
            "held": queue["held"],
        },
        "alerts": [
            {
                "code": one.code,
                "severity": one.severity,
                "source_id": one.source_id,
                "source_name": one.source_name,
                "since": iso(one.since),
                "message": one.message,
                "advice": one.advice,
                "count": one.count,
                "reason": one.reason,
                "sources": [{"id": each, "name": name} for each, name in one.sources],
            }
            for one in alerts.sorted_and_folded(found)
        ],
    }


def _by_source(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["source_id"], []).append(row)
    return found
