"""Alerts: per source what came in, what is wrong, and what to do about it."""

import asyncio
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from app.base.clock import iso
from app.base.outcome import REFUSED
from app.db.engine import Store
from app.db.statements import Row
from app.ingest.parse import BUYERS_ID
from app.ingest.source_api import THE_KEY
from app.store import delivery_rollups, rejections, sources, subscriptions
from app.store.delivery_rollups import HOUR

MINUTE, DAY = 60_000_000, 24 * HOUR
SETTLED = 14 * DAY  # what is usual is learnt from so long
LEAST_HOURS = 5  # in which something came; with fewer, nothing is usual
LATE_FETCH = 15 * MINUTE
MOST_SOURCES = 200
STUMBLES = 5  # failures on end of a subscription that nobody need hear of


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Says what needs attention: since when, what, how many (where that is counted), and what to do."""

    code: str
    source_id: str | None
    since: str | None
    message: str
    advice: str
    count: int | None = None


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
    """Return everything that an overview shows.

    Times are microseconds since 1970. `waiting` is how many deliveries wait for a commit.
    """
    found = await sources.page(store, account_id, after="", limit=MOST_SOURCES)
    mine = [row for row in found if source_id in (None, row["id"])]
    ids = [row["id"] for row in mine]
    hours, counts, acknowledged, words, queue, keys = await asyncio.gather(
        delivery_rollups.hours(store, account_id, since, until, ids),
        rejections.of_sources(store, account_id, source_id),
        delivery_rollups.acknowledgements(store, account_id, since, until),
        delivery_rollups.words(store, account_id, ids, since),
        delivery_rollups.waiting(store, account_id),
        delivery_rollups.refused_keys(store, account_id, present - SETTLED, THE_KEY),
    )
    shown = [
        await _source(
            store,
            row,
            [one for one in hours if one["source_id"] == row["id"]],
            [one for one in counts if one["source_id"] == row["id"]],
            [one for one in words if one["source_id"] == row["id"]],
        )
        for row in mine
    ]
    alerts = [
        alert
        for row, one in zip(mine, shown, strict=True)
        for alert in await _alerts(store, row, one, present, webhooks_at)
    ]
    alerts += [_key_refused(row) for row in keys if row["source_id"] in ids]
    alerts += _backlog(queue, present)
    if source_id is None:
        alerts += [
            _not_told(row)
            for row in await subscriptions.failing(store, account_id)
            if not row["enabled"] or row["failures"] >= STUMBLES
        ]
    return {
        "since": iso(since),
        "until": iso(until),
        "hours": [
            {"hour": iso(row["hour"]), **{name: row[name] for name in ("source_id", "outcome", "count")}}
            for row in hours
        ],
        "sources": [{name: value for name, value in one.items() if not name.startswith("_")} for one in shown],
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
        "alerts": [asdict(alert) for alert in alerts],
    }


async def _source(store: Store, row: Row, hours: list[Row], counts: list[Row], words: list[Row]) -> dict[str, Any]:
    good, refused = await delivery_rollups.last_of(store, row["account_id"], row["id"])
    only_rejected = None
    if refused is not None and (good is None or refused > good):
        only_rejected = await delivery_rollups.refused_since(store, row["account_id"], row["id"], good or 0)
    newest = [at for at in (good, refused) if at is not None]
    return {
        "source_id": row["id"],
        "name": row["name"],
        "adapter": row["adapter"],
        "last_received_at": iso(max(newest)) if newest else None,
        "last_good_at": iso(good),
        "last_refused_at": iso(refused),
        "by_outcome": delivery_rollups.total(hours),
        "refused": [
            {**{name: one[name] for name in ("outcome", "reason", "count")}, "last_at": iso(one["last_at"])}
            for one in counts
        ],
        "unknown_status": [
            {"word": one["word"], "count": one["count"], "last_at": iso(one["last_at"])} for one in words
        ],
        "only_rejected_since": iso(only_rejected),
        "_good": good,
        "_refused": refused,
        "_reasons": [one["reason"] for one in counts],
    }


async def _alerts(store: Store, row: Row, one: dict[str, Any], present: int, webhooks_at: str) -> list[Alert]:
    if not row["enabled"]:
        return []
    found: list[Alert] = []
    name = row["name"]
    if one["last_received_at"] is None:
        found.append(
            Alert(
                code="never_received",
                source_id=row["id"],
                since=iso(row["created_at"]),
                message=f"{name}: never received anything",
                advice=f"the shop must send its webhooks to {webhooks_at}/webhooks/{row['id']}; "
                f"how to set it up: orders-registry adapters {row['adapter']}",
            )
        )
    elif one["only_rejected_since"] is not None:
        last = f"last good {one['last_good_at']}" if one["last_good_at"] else "none was ever good"
        reason = next(iter(one["_reasons"]), "unknown")
        why, advice = _REASONS.get(reason, (reason.replace("_", " "), _UNKNOWN_REASON))
        found.append(
            Alert(
                code="only_rejected",
                source_id=row["id"],
                since=one["only_rejected_since"],
                message=f"{name}: only rejected since {one['only_rejected_since']}: {why}; {last}",
                advice=advice,
            )
        )
    elif one["_good"] is not None and (silence := await _silence(store, row, one["_good"], present)):
        found.append(silence)
    if one["unknown_status"]:
        words = ", ".join(repr(word["word"][:60]) for word in one["unknown_status"][:5])
        found.append(
            Alert(
                code="unknown_status",
                source_id=row["id"],
                since=one["unknown_status"][-1]["last_at"],
                message=f"{name}: status words that its adapter does not know: {words}",
                advice="orders keep the status they had; when a newer version knows the words, remap the source",
            )
        )
    if noted := await delivery_rollups.newest_note(store, row["account_id"], row["id"], BUYERS_ID, present - SETTLED):
        found.append(
            Alert(
                code="buyers_id_not_used",
                source_id=row["id"],
                since=iso(noted),
                message=f"{name}: its orders name CRM ids in a field that buyers can write: they do not count",
                advice="if only your own shop writes there: "
                f"orders-registry source edit {row['id']} --option buyers_ids=true (name its other options as well)",
            )
        )
    return found


# Why, in words, and what to do about it.
_REASONS = {
    "signature_mismatch": (
        "the secret does not match",
        "compare the secret with what the shop shows, and set it: orders-registry source rotate",
    ),
    "no_secret": ("the source has no secret that counts", "set one: orders-registry source rotate"),
    "signature_missing": (
        "the signature is missing",
        "whoever sends this is not the shop, or the shop was given no secret",
    ),
    "timestamp_too_old": ("the signatures are too old", "check this machine's clock: orders-registry doctor"),
    "timestamp_too_new": ("the signatures are from the future", "check this machine's clock: orders-registry doctor"),
    "oversized": ("the bodies are too large", "raise ORDERS_MAX_BODY_BYTES, or let the shop send less"),
    "source_off": ("the source is switched off", "switch it on: orders-registry source enable"),
    "registry_off": ("the account's registry is off", "an admin turns it on: orders-registry account enable"),
}
_UNKNOWN_REASON = "see the source's refused samples: orders-registry source show"


async def _silence(store: Store, row: Row, good: int, present: int) -> Alert | None:
    """Return an alert if the source is silent for twice its longest pause of the last two weeks."""
    hours = await delivery_rollups.hours(store, row["account_id"], good - SETTLED, good + 1, [row["id"]])
    active = sorted({one["hour"] for one in hours if one["outcome"] not in REFUSED})
    if len(active) < LEAST_HOURS:
        return None
    longest = max(later - earlier for earlier, later in pairwise(active))
    silent = present - good
    if silent <= 2 * longest + HOUR:
        return None
    return Alert(
        code="silent",
        source_id=row["id"],
        since=iso(good),
        message=f"{row['name']}: silent for {silent // HOUR} h; in the two weeks before, the longest pause was {longest // HOUR} h",
        advice="see at the shop whether its webhook is still there and enabled: many shops drop one that failed for long",
    )


def _key_refused(row: Row) -> Alert:
    return Alert(
        code="key_refused",
        source_id=row["source_id"],
        since=iso(row["at"]),
        message=str(row["reason"]),
        advice="set another key: orders-registry source rotate --key; what ended for this reason is then taken up again",
    )


def _not_told(row: Row) -> Alert:
    """Return the alert for a subscription that does not accept events, or that its receiver ended."""
    if not row["enabled"]:
        return Alert(
            code="subscription_off",
            source_id=None,
            since=None,
            message=f"{row['url']} is told of nothing any more: {row['off_reason']}",
            advice=f"where it was a mistake: orders-registry subscription edit {row['id']} --enable",
        )
    return Alert(
        code="subscription_failing",
        source_id=None,
        since=iso(row["failing_since"]),
        message=f"{row['url']} does not take its events since {iso(row['failing_since'])}: {row['failing_reason']}",
        advice=f"each is tried for three days; orders-registry subscription attempts {row['id']} shows what came of it",
    )


def _backlog(queue: Row, present: int) -> list[Alert]:
    oldest = queue["oldest_fetch_at"]
    if oldest is None or present - oldest < LATE_FETCH:
        return []
    return [
        Alert(
            code="fetch_backlog",
            source_id=None,
            since=iso(oldest),
            count=queue["fetches"],
            message=f"{queue['fetches']} orders wait to be read from their source, the oldest for {(present - oldest) // MINUTE} minutes",
            advice="the source's API may be slow or away; it is asked again for three days",
        )
    ]
