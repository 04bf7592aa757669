"""Alerts: what is wrong with an account's sources and subscriptions, the worst first, and what to do about it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.base.clock import iso
from app.base.outcome import REFUSED
from app.db.engine import Store
from app.db.statements import Row
from app.ingest.parse import BUYERS_ID
from app.ingest.source_api import NO_KEY, THE_KEY
from app.store import delivery_rollups, rejections, subscriptions
from app.store.delivery_rollups import HOUR

MINUTE, DAY = 60_000_000, 24 * HOUR
SETTLED = 14 * DAY  # what is usual is learnt from so long
LEAST_HOURS = 5  # in which something came; with fewer, nothing is usual
QUIET = 3 * HOUR  # the shortest silence that can be longer than usual
LATE_FETCH = 15 * MINUTE
STUMBLES = 5  # failures on end of a subscription that nobody need hear of
MOST_ALIKE = 5  # alerts of one code; more are folded into one

# By code: how grave, and the words for several sources. In this order they are shown.
_CODES = {
    "only_rejected": ("critical", "{count} sources receive nothing but deliveries that are rejected"),
    "key_refused": ("critical", "the API keys of {count} sources are refused"),
    "subscription_off": ("critical", "{count} subscriptions were ended by their receiver"),
    "silent": ("warning", "{count} sources are silent for longer than usual"),
    "key_missing": ("warning", "{count} sources have no API key, so their orders cannot be read"),
    "fetch_backlog": ("warning", "orders of {count} sources wait to be read"),
    "subscription_failing": ("warning", "{count} subscriptions do not take their events"),
    "unknown_status": ("warning", "{count} sources use status words that their adapters do not know"),
    "buyers_id_not_used": ("warning", "{count} sources send CRM ids in a field that buyers can write"),
    "never_received": ("warning", "{count} sources have never received anything"),
}
FAILING = ("only_rejected", "key_refused", "silent")  # codes of a source that is failing


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Says what needs attention: how grave, since when (in microseconds), what, how many (where that is counted), and what to do.

    `reason` is the word of the latest rejection. `sources` are the ids and names of the sources that it is about: one, or those of several alerts folded into one.
    """

    code: str
    source_id: str | None = None
    source_name: str | None = None
    since: int | None
    message: str
    advice: str
    count: int | None = None
    reason: str | None = None
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def severity(self) -> str:
        """Return how grave it is: `critical` or `warning`."""
        return _CODES[self.code][0]


def sorted_and_folded(found: Sequence[Alert]) -> list[Alert]:
    """Return alerts by severity, the newest first within a code; more than a few of one code are folded into one."""
    shown: list[Alert] = []
    for code, (_, words) in _CODES.items():
        alike = sorted((one for one in found if one.code == code), key=lambda one: one.since or 0, reverse=True)
        if len(alike) <= MOST_ALIKE:
            shown += alike
            continue
        times = [one.since for one in alike if one.since is not None]
        shown.append(
            Alert(
                code=code,
                since=min(times, default=None),
                count=len(alike),
                message=words.format(count=len(alike)),
                advice=_FOLDED_ADVICE.get(code, alike[0].advice),
                sources=tuple(each for one in alike for each in one.sources),
            )
        )
    return shown


_FOLDED_ADVICE = {
    "only_rejected": "see why at each: orders-registry source show",
    "never_received": "each shop must send its webhooks to its source's URL: orders-registry source show",
    "unknown_status": "orders keep the status they had; when a newer version knows the words, remap the source",
    "subscription_off": "where it was a mistake: orders-registry subscription edit",
    "subscription_failing": "each event is tried for three days; orders-registry subscription attempts shows what came of it",
}


async def of_sources(
    store: Store,
    account_id: str,
    seen: Sequence[Row],
    words: Mapping[str, Sequence[Row]],
    *,
    present: int,
    webhooks_at: str,
) -> list[Alert]:
    """Return the alerts of these sources (see `source_health.seen`). `words` are status words that are not known, by source."""
    reasons, keys, queue, noted = await asyncio.gather(
        rejections.latest_reasons(store, account_id),
        delivery_rollups.unread_for_key(store, account_id, present - SETTLED, THE_KEY),
        delivery_rollups.waiting_by_source(store, account_id),
        delivery_rollups.newest_noted(store, account_id, BUYERS_ID, present - SETTLED),
    )
    found: list[Alert] = []
    for row in seen:
        if not row["enabled"]:
            continue
        unknown = words.get(row["id"], ())
        found += await _of_source(store, row, reasons.get(row["id"], "unknown"), unknown, present, webhooks_at)
    there = {row["id"]: row for row in seen if row["enabled"]}
    found += [_key(there[one["source_id"]], one) for one in keys if one["source_id"] in there]
    found += [_buyers_ids(there[one["source_id"]], one) for one in noted if one["source_id"] in there]
    found += [
        _backlog(there[one["source_id"]], one, present)
        for one in queue
        if one["source_id"] in there and late(one, present)
    ]
    return [
        replace(one, source_name=there[one.source_id]["name"], sources=((one.source_id, there[one.source_id]["name"]),))
        for one in found
        if one.source_id
    ]


async def _of_source(
    store: Store, row: Row, reason: str, words: Sequence[Row], present: int, webhooks_at: str
) -> list[Alert]:
    found: list[Alert] = []
    name, good, refused = row["name"], row["good"], row["refused"]
    if good is None and refused is None:
        found.append(
            Alert(
                code="never_received",
                source_id=row["id"],
                since=row["created_at"],
                message=f"{name}: never received anything",
                advice=f"the shop must send its webhooks to {webhooks_at}/webhooks/{row['id']}; "
                f"how to set it up: orders-registry adapters {row['adapter']}",
            )
        )
    elif refused is not None and (good is None or refused > good):
        since = await delivery_rollups.refused_since(store, row["account_id"], row["id"], good or 0)
        last = f"last good {iso(good)}" if good else "none was ever good"
        why, advice = _REASONS.get(reason, (reason.replace("_", " "), _UNKNOWN_REASON))
        found.append(
            Alert(
                code="only_rejected",
                source_id=row["id"],
                since=since,
                message=f"{name}: only rejected since {iso(since)}: {why}; {last}",
                advice=advice,
                reason=reason,
            )
        )
    elif good is not None and present - good > QUIET and (silence := await _silence(store, row, good, present)):
        found.append(silence)
    if words:
        listed = ", ".join(repr(word["word"][:60]) for word in words[:5])
        found.append(
            Alert(
                code="unknown_status",
                source_id=row["id"],
                since=words[-1]["last_at"],
                message=f"{name}: status words that its adapter does not know: {listed}",
                advice=_FOLDED_ADVICE["unknown_status"],
            )
        )
    return found


# Why, in words, and what to do about it.
_REASONS: Mapping[str, tuple[str, str]] = {
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
    hours = await delivery_rollups.hours(store, row["account_id"], good - SETTLED, good + 1, row["id"])
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
        since=good,
        message=f"{row['name']}: silent for {silent // HOUR} h; in the two weeks before, the longest pause was {longest // HOUR} h",
        advice="see at the shop whether its webhook is still there and enabled: many shops drop one that failed for long",
    )


def _buyers_ids(source: Row, noted: Row) -> Alert:
    return Alert(
        code="buyers_id_not_used",
        source_id=source["id"],
        since=noted["at"],
        message=f"{source['name']}: its orders name CRM ids in a field that buyers can write: they do not count",
        advice="if only your own shop writes there: "
        f"orders-registry source edit {source['id']} --option buyers_ids=true (name its other options as well)",
    )


def _key(source: Row, row: Row) -> Alert:
    """Return the alert for a source whose orders cannot be read for its key: it was rejected, or never given."""
    missing = row["reason"].startswith(NO_KEY)
    return Alert(
        code="key_missing" if missing else "key_refused",
        source_id=source["id"],
        since=row["at"],
        message=f"{source['name']}: {row['reason']}",
        advice=f"set {'one' if missing else 'another'}: orders-registry source rotate --key; "
        "what ended for this reason is then taken up again",
    )


def late(row: Row, present: int) -> bool:
    """Return whether orders of a source wait for too long to be read."""
    at: int = row["oldest_fetch_at"]
    return present - at >= LATE_FETCH


def _backlog(source: Row, row: Row, present: int) -> Alert:
    return Alert(
        code="fetch_backlog",
        source_id=source["id"],
        since=row["oldest_fetch_at"],
        count=row["fetches"],
        message=f"{source['name']}: {row['fetches']} orders wait to be read from it, the oldest for "
        f"{(present - row['oldest_fetch_at']) // MINUTE} minutes",
        advice="the source's API may be slow or away; it is asked again for three days",
    )


async def of_subscriptions(store: Store, account_id: str) -> list[Alert]:
    """Return the alerts of subscriptions that do not accept events, or that their receiver ended."""
    return [
        _not_told(row)
        for row in await subscriptions.failing(store, account_id)
        if not row["enabled"] or row["failures"] >= STUMBLES
    ]


def _not_told(row: Row) -> Alert:
    if not row["enabled"]:
        return Alert(
            code="subscription_off",
            since=None,
            message=f"{row['url']} is told of nothing any more: {row['off_reason']}",
            advice=f"where it was a mistake: orders-registry subscription edit {row['id']} --enable",
        )
    return Alert(
        code="subscription_failing",
        since=row["failing_since"],
        message=f"{row['url']} does not take its events since {iso(row['failing_since'])}: {row['failing_reason']}",
        advice=f"each is tried for three days; orders-registry subscription attempts {row['id']} shows what came of it",
    )
