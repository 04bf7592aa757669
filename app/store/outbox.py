"""The outbox: events that are still to be sent. Written with the change, claimed, settled.

An event holds ids only. Its content is read when it is sent, so that an erased person is never sent.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.base.clock import now
from app.base.ids import first_id, new_id
from app.db.engine import Store, among
from app.db.statements import Insert, Lookup, Plan, Row, Sql, to_json
from app.store.event_filter import passes
from app.store.lease import Lease

STEP = 500  # rows of a transaction that clears up

GIVEN_UP = "given up: nobody took it within three days"

# What an order is shown without: changes of these alone are told to nobody.
_UNSHOWN = frozenset({"account_id", "scope", "created_at", "updated_at", "owner_id", "deal_owner_id", "sale_id"})

_WANTED = Lookup("subscriptions", ("account_id", "id", "events", "enabled", "filter"), by=("account_id",))
LEASE = Lease("outbox", ("account_id", "subscription_id", "id"))
_INSERT = Insert("outbox")
_INSERT_ATTEMPT = Insert("attempts")

# By account: subscriptions, the events that each wants, and of which orders and sources.
Wanting = dict[str, list[tuple[str, Collection[str], Mapping[str, Any]]]]


class Event(StrEnum):
    """Names the types of events, as receivers get them."""

    ORDER_CREATED = "order.created"
    ORDER_UPDATED = "order.updated"
    ORDER_STATUS_CHANGED = "order.status_changed"
    CONTACT_ERASED = "contact.erased"
    SOURCE_FAILING = "source.failing"
    SOURCE_RECOVERED = "source.recovered"

    @property
    def about_order(self) -> bool:
        """Return whether its subject is an order."""
        return self.value.startswith("order.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """Holds an order as it was shown before a transaction and after it; None if it did not, or does not, exist.

    `replaces` are the ids of orders that turned out to be the same sale.
    """

    account_id: str
    order_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    replaces: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Return whether the order looks different from outside."""
        before, after = self.before, self.after
        if before is None or after is None:
            return before is not after
        return bool(self.replaces) or any(
            before[name] != value for name, value in after.items() if name not in _UNSHOWN
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HappenedEvent:
    """Holds an event to publish. `detail` may have `old_status` and `new_status`, `replaces`, `merged`; of a source, all."""

    account_id: str
    event: Event
    subject: str
    detail: Mapping[str, Any] | None = None
    order: Mapping[str, Any] | None = None  # the row that a filter looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """Holds the result of one attempt. `row` is the claimed event; times are microseconds.

    Without `reason` it was accepted.

    `next_at` is when it is tried again; `rests_until` is when the subscription may be sent anything. `off`: the
    receiver wants nothing any more. `back`: it accepts events again, after a long time.
    """

    row: Row
    at: int
    took: int
    status: int | None
    reason: str | None = None
    next_at: int | None = None
    rests_until: int = 0
    off: bool = False
    back: bool = False


# -- Written with the change ------------------------------------------------------------------------------------------


def publish_orders(account_ids: Iterable[str], changes: Iterable[OrderChange]) -> Plan[None]:
    """Publish events for what orders of these accounts became, as part of a plan.

    `changes` is read only if somebody subscribed.
    """
    wanting = yield from _wanting(account_ids)
    if not wanting:
        return
    happened: list[HappenedEvent] = []
    for one in changes:
        if one.account_id not in wanting or not one.differs:
            continue
        names: dict[str, Any] = {
            "account_id": one.account_id,
            "subject": one.order_id,
            "order": one.after or one.before,
        }
        replaces = {"replaces": list(one.replaces)} if one.replaces else None
        if one.before is None:
            happened.append(HappenedEvent(event=Event.ORDER_CREATED, detail=replaces, **names))
            continue
        happened.append(HappenedEvent(event=Event.ORDER_UPDATED, detail=replaces, **names))
        if one.after is not None and one.before["status"] != one.after["status"]:
            statuses = {"old_status": one.before["status"], "new_status": one.after["status"]}
            happened.append(HappenedEvent(event=Event.ORDER_STATUS_CHANGED, detail=statuses, **names))
    yield from _put(happened, wanting)


def publish(happened: Sequence[HappenedEvent]) -> Plan[None]:
    """Insert events for every subscription that wants them, as part of a plan."""
    yield from _put(happened, (yield from _wanting(one.account_id for one in happened)))


def _wanting(account_ids: Iterable[str]) -> Plan[Wanting]:
    """Return who wants what, by account. If nobody does, this look-up is the only cost."""
    wanting: Wanting = {}
    for row in (yield _WANTED.many(sorted({(account_id,) for account_id in account_ids}))):
        if row["enabled"]:
            wanting.setdefault(row["account_id"], []).append(
                (row["id"], json.loads(row["events"]), json.loads(row["filter"]))
            )
    return wanting


def _put(happened: Sequence[HappenedEvent], wanting: Wanting) -> Plan[None]:
    present = now()
    rows: list[tuple[Any, ...]] = []
    for one in happened:
        event_id = new_id("evt")
        detail = to_json(one.detail) if one.detail else None
        rows += [
            (one.account_id, subscription_id, event_id, str(one.event), one.subject, detail, present, 0, present, 0)
            for subscription_id, events, only in wanting.get(one.account_id, ())
            if one.event in events and passes(one.event, one.subject, one.order, only)
        ]
    if rows:
        yield _INSERT.many(rows)


# -- Claimed and settled ----------------------------------------------------------------------------------------------

_ENABLED = (
    "SELECT s.account_id, s.id, s.url, s.headers, s.failures, s.failing_since, CASE WHEN EXISTS (SELECT 1 FROM outbox o "
    "WHERE o.account_id = s.account_id AND o.subscription_id = s.id AND o.next_at <= :present "
    "AND o.claimed_until <= :present) THEN 1 ELSE 0 END AS due FROM subscriptions s "
    "JOIN accounts a ON a.account_id = s.account_id WHERE s.enabled AND a.orders_enabled AND s.rests_until <= :present"
)


async def standing(store: Store, present: int) -> list[Row]:
    """Return the subscriptions that may be sent something now, and whether anything is `due`.

    Each row: account_id, id, url, headers, failures, failing_since, due.
    """
    return await store.all(_ENABLED, present=present)


def turn(
    ended: Sequence[AttemptEnded],
    subscriptions: Sequence[Row],
    *,
    present: int,
    until: int,
    room: int,
    at_once: Callable[[Row], int],
) -> Plan[list[Row]]:
    """Record how attempts ended, and claim what is due until that time, in one transaction: each costs a sync.

    Of a subscription at most `at_once` of its row are claimed over all processes. Each row returned is the event's, with `url`, `failures` and `failing_since` of its subscription.
    """
    yield LEASE.turn
    yield from settle(ended)
    failed = {(one.row["account_id"], one.row["subscription_id"]) for one in ended if one.reason is not None}
    claimed: list[Row] = []
    for one in subscriptions:
        few = min(room - len(claimed), at_once(one))
        if few <= 0 or (one["account_id"], one["id"]) in failed:  # it may have to rest now
            continue
        # Those that others hold are among the first that were due, and count.
        rows: list[Row] = yield Sql(
            "SELECT account_id, subscription_id, id, event, subject, detail, occurred_at, attempts, claimed_until FROM outbox "
            "WHERE account_id = :account_id AND subscription_id = :id AND next_at <= :present ORDER BY next_at, id LIMIT :few",
            account_id=one["account_id"],
            id=one["id"],
            present=present,
            few=few,
        )
        if free := [row for row in rows if row["claimed_until"] <= present]:
            claimed += (
                {**row, **{name: one[name] for name in ("url", "headers", "failures", "failing_since")}} for row in free
            )
            yield LEASE.take_all(free, until)
    return claimed


def record(one: AttemptEnded) -> Plan[None]:
    """Record a single attempt, as part of a plan. It says nothing of how the subscription stands."""
    yield _INSERT_ATTEMPT.many([_attempt(one)])


def settle(ended: Sequence[AttemptEnded]) -> Plan[None]:
    """Record the results of attempts, in the order in which they ended, as part of a plan."""
    by_subscription: dict[tuple[str, str], list[AttemptEnded]] = {}
    for one in ended:
        by_subscription.setdefault((one.row["account_id"], one.row["subscription_id"]), []).append(one)
    attempts: list[tuple[Any, ...]] = []
    for (account_id, subscription_id), its in by_subscription.items():
        done, values = among("id", [one.row["id"] for one in its if one.reason is None or one.off])
        yield Sql(
            f"DELETE FROM outbox WHERE account_id = :account_id AND subscription_id = :subscription_id AND id {done}",
            account_id=account_id,
            subscription_id=subscription_id,
            **values,
        )
        for one in its:
            if one.next_at is not None:
                yield LEASE.take(one.row, 0, next_at=one.next_at, attempts=one.row["attempts"] + 1)
        if (yield from _mark(account_id, subscription_id, its)):  # else it was deleted meanwhile
            attempts += map(_attempt, its)
    if attempts:
        yield _INSERT_ATTEMPT.many(attempts)


def _mark(account_id: str, subscription_id: str, ended: Sequence[AttemptEnded]) -> Plan[bool]:
    """Update the subscription's state. Returns False if it no longer exists."""
    names = {"account_id": account_id, "id": subscription_id}
    where = "WHERE account_id = :account_id AND id = :id"
    found: list[Row] = []
    taken = [at for at, one in enumerate(ended) if one.reason is None]
    if taken:  # what failed before the last that was taken says nothing any more
        found = yield Sql(
            "UPDATE subscriptions SET failures = 0, failing_since = NULL, failing_reason = NULL, rests_until = 0, "
            f"last_sent_at = :at {where} RETURNING id",
            at=max(ended[at].at for at in taken),
            **names,
        )
        if any(ended[at].back for at in taken):
            yield hurry(account_id, subscription_id)
    for one in ended[taken[-1] + 1 if taken else 0 :]:
        found = yield Sql(
            "UPDATE subscriptions SET failures = failures + 1, failing_since = COALESCE(failing_since, :at), "
            "failing_reason = :reason, rests_until = CASE WHEN rests_until < :rests_until THEN :rests_until "
            f"ELSE rests_until END {where} RETURNING id",
            at=one.at,
            reason=one.reason,
            rests_until=one.rests_until,
            **names,
        )
    for one in ended:
        if one.off:
            yield Sql(
                f"UPDATE subscriptions SET enabled = :off, off_reason = :reason {where}",
                reason=one.reason,
                off=False,
                **names,
            )
    return bool(found)


def hurry(account_id: str, subscription_id: str) -> Sql:
    """Return the statement that makes failed events due at once."""
    return Sql(
        "UPDATE outbox SET next_at = :present WHERE account_id = :account_id AND subscription_id = :id AND next_at > :present",
        account_id=account_id,
        id=subscription_id,
        present=now(),
    )


def _key(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("account_id", "subscription_id", "id")}


def _attempt(one: AttemptEnded) -> tuple[Any, ...]:
    row = one.row
    return (
        row["account_id"],
        row["subscription_id"],
        new_id("att"),
        row["id"],
        row["event"],
        _order_of(row),
        row["attempts"] + 1,
        one.at,
        one.took,
        one.status,
        one.reason,
        one.next_at,
    )


def _order_of(row: Row) -> str | None:
    return row["subject"] if Event(row["event"]).about_order else None


# -- Cleared up -------------------------------------------------------------------------------------------------------


async def clear(store: Store, present: int, life: int, tries: int) -> bool:
    """Give up the next few events that are older than `life` microseconds and were tried so often; drop the next unwanted ones.

    Returns whether that was all.

    Raises Unavailable.
    """
    old = await store.all(
        "SELECT o.account_id, o.subscription_id, o.id, o.event, o.subject, o.attempts FROM subscriptions s JOIN outbox o "
        "ON o.account_id = s.account_id AND o.subscription_id = s.id AND o.id < :edge "
        "WHERE s.enabled AND o.claimed_until <= :present AND o.attempts >= :tries LIMIT :step",
        tries=tries,
        edge=first_id("evt", present - life),
        present=present,
        step=STEP,
    )
    unwanted = await store.all(
        "SELECT o.account_id, o.subscription_id, o.id FROM outbox o WHERE NOT EXISTS (SELECT 1 FROM subscriptions s "
        "WHERE s.account_id = o.account_id AND s.id = o.subscription_id AND s.enabled) LIMIT :step",
        step=STEP,
    )
    if not old and not unwanted:
        return True

    def plan() -> Plan[None]:
        gone: list[Row] = []
        for row in (*old, *unwanted):
            gone += yield Sql(
                "DELETE FROM outbox WHERE account_id = :account_id AND subscription_id = :subscription_id AND id = :id "
                "RETURNING id",
                **_key(row),
            )
        there = {row["id"] for row in gone}
        given_up = [
            (
                row["account_id"],
                row["subscription_id"],
                new_id("att"),
                row["id"],
                row["event"],
                _order_of(row),
                row["attempts"],
                present,
                None,
                None,
                GIVEN_UP,
                None,
            )
            for row in old
            if row["id"] in there
        ]
        if given_up:
            yield _INSERT_ATTEMPT.many(given_up)

    await store.commit(plan)
    return len(old) < STEP and len(unwanted) < STEP


# -- Counted ----------------------------------------------------------------------------------------------------------


async def waiting_everywhere(store: Store) -> Row:
    """Return how many events wait, when the oldest happened, and how many subscriptions are failing."""
    row = await store.one(
        "SELECT (SELECT count(*) FROM outbox) AS events, (SELECT min(occurred_at) FROM outbox) AS oldest_event_at, "
        "(SELECT count(*) FROM subscriptions WHERE enabled AND failing_since IS NOT NULL) AS failing"
    )
    return row or {"events": 0, "oldest_event_at": None, "failing": 0}
