"""Puts in line for one subscription what changed in a time: every order as it stands now, and every erasure."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.base.clock import now
from app.base.ids import new_id
from app.db.engine import Store
from app.db.statements import Insert, Plan, Row, to_json
from app.store.event_filter import matches
from app.store.outbox import STEP, Event

_INSERT = Insert("outbox")


async def resend(store: Store, row: Row, since: int, until: int) -> int:
    """Publish again, to one subscription, the orders that changed in this time, as they stand, and who was erased in it.

    Returns how many events that are.
    """
    many = 0
    if any(Event(one).about_order for one in row["events"]):
        many += await _in_pieces(store, row, _ORDERS, since, until, partial(_of_order, row, since))
    if Event.CONTACT_ERASED in row["events"]:
        many += await _in_pieces(store, row, _ERASURES, since, until, partial(_of_erasure, row))
    return many


_ORDERS = (
    "SELECT id, status, source_id, currency, value, test, created_at FROM orders WHERE account_id = :account_id "
    "AND value IS NOT NULL AND id > :after AND updated_at >= :since AND updated_at < :until ORDER BY id LIMIT :step"
)
_ERASURES = (
    "SELECT id, merged, erased_at FROM erased_contacts WHERE account_id = :account_id "
    "AND id > :after AND erased_at >= :since AND erased_at < :until ORDER BY id LIMIT :step"
)


async def _in_pieces(
    store: Store, row: Row, select: str, since: int, until: int, event_of: Callable[[Row], tuple[Any, ...] | None]
) -> int:
    after, many = "", 0
    while True:
        found = await store.all(select, account_id=row["account_id"], after=after, since=since, until=until, step=STEP)
        if events := [event for one in found if (event := event_of(one)) is not None]:
            await store.commit(partial(_insert, events))
            many += len(events)
        if len(found) < STEP:
            return many
        after = found[-1]["id"]


def _of_order(row: Row, since: int, order: Row) -> tuple[Any, ...] | None:
    new = order["created_at"] >= since and Event.ORDER_CREATED in row["events"]
    event = Event.ORDER_CREATED if new else next((one for one in _CHANGES if one in row["events"]), None)
    return _event(row, event, order["id"], None, now()) if event and matches(order, row["filter"]) else None


def _of_erasure(row: Row, erased: Row) -> tuple[Any, ...]:
    detail = to_json({"merged": json.loads(erased["merged"])})
    return _event(row, Event.CONTACT_ERASED, erased["id"], detail, erased["erased_at"])


def _event(row: Row, event: Event, subject: str, detail: str | None, occurred_at: int) -> tuple[Any, ...]:
    return (row["account_id"], row["id"], new_id("evt"), str(event), subject, detail, occurred_at, 0, now(), 0)


_CHANGES = (Event.ORDER_UPDATED, Event.ORDER_STATUS_CHANGED)


def _insert(events: Sequence[tuple[Any, ...]]) -> Plan[None]:
    yield _INSERT.many(events)
