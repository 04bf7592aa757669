"""Puts in line for one subscription what changed in a time: every order as it stands now."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from app.base.clock import now
from app.base.ids import new_id
from app.db.engine import Store
from app.db.statements import Insert, Plan, Row
from app.store.event_filter import matches
from app.store.outbox import STEP, Event

_INSERT = Insert("outbox")


async def resend(store: Store, row: Row, since: int, until: int) -> int:
    """Publish again, to one subscription, the orders that changed in this time, as they stand. Returns how many."""
    wanted = [event for event in (Event.ORDER_CREATED, *_CHANGES) if event in row["events"]]
    if not wanted:
        return 0
    after, many = "", 0
    while True:
        rows = await store.all(
            "SELECT id, status, source_id, currency, value, test, created_at FROM orders WHERE account_id = :account_id "
            "AND value IS NOT NULL AND id > :after AND updated_at >= :since AND updated_at < :until ORDER BY id LIMIT :step",
            account_id=row["account_id"],
            after=after,
            since=since,
            until=until,
            step=STEP,
        )
        present = now()
        events: list[tuple[Any, ...]] = []
        for one in rows:
            new = one["created_at"] >= since and Event.ORDER_CREATED in wanted
            event = Event.ORDER_CREATED if new else next((each for each in _CHANGES if each in wanted), None)
            if event is not None and matches(one, row["filter"]):
                events.append(
                    (row["account_id"], row["id"], new_id("evt"), str(event), one["id"], None, present, 0, present, 0)
                )
        if events:
            await store.commit(partial(_insert, events))
            many += len(events)
        if len(rows) < STEP:
            return many
        after = rows[-1]["id"]


_CHANGES = (Event.ORDER_UPDATED, Event.ORDER_STATUS_CHANGED)


def _insert(events: Sequence[tuple[Any, ...]]) -> Plan[None]:
    yield _INSERT.many(events)
