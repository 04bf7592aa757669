"""Orders that members create and edit: each is an entry of the order's history, folded like all others."""

from collections.abc import Mapping
from typing import Any

from adapters.contract import RANK, Status
from adapters.contract.movement import EVERYTHING
from app.base.clock import now
from app.base.ids import new_id
from app.base.statement import Statement
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql
from app.store import contacts, outbox
from app.store.contact_merges import ContactGone
from app.store.order_aggregate import MERGED, LoadedOrder, OrderAggregates
from app.store.outbox import Event, HappenedEvent

_NAME = Insert("aliases", on_conflict="replace")  # as retention leaves one: who is late is told that it is gone


async def create(
    store: Store, account_id: str, *, origin: str, external_id: str, said: Mapping[str, Any], member_id: str
) -> tuple[str, bool]:
    """Create the order with this origin and external id. Returns its id, and whether it is new.

    An existing one is unchanged.

    Raises ContactGone, Unavailable, Rejected.
    """

    def plan() -> Plan[tuple[str, bool]]:
        yield AdvisoryLock([("order", account_id, origin, external_id)], shared=[("people", account_id)])
        aggregates = OrderAggregates()
        yield from aggregates.load([(account_id, origin, external_id)], [])
        order = aggregates.named(account_id, origin, None, origin, [external_id])
        if order.described or order.hidden:
            return order.id, False
        words = {"external_id": external_id, **said, "contact_id": (yield from _there(account_id, said["contact_id"]))}
        aggregates.apply_member(order, member_statement(words, external_id), member_id)
        yield from aggregates.save()
        yield from outbox.publish_orders([account_id], aggregates.changed())
        return order.id, True

    return await store.commit(plan)


class NotDeletable(Exception):
    """Raised for an order that may not be deleted; the message says why, and what to do."""


async def delete(store: Store, account_id: str, order: Mapping[str, Any]) -> None:
    """Delete a test order, or one that no source tells of (a row as it was read), with its history.

    A source's test order is not brought back by its deliveries. Raises NotDeletable, ContactGone, Unavailable.
    """
    name = (account_id, order["scope"], order["external_id"])
    keys = {"account_id": account_id, "id": order["id"]}

    def plan() -> Plan[None]:
        yield AdvisoryLock([("order", *name)])
        found: list[Row] = yield Sql("SELECT * FROM orders WHERE account_id = :account_id AND id = :id", **keys)
        if not found:
            raise ContactGone("order")
        row = found[0]
        if row["source_id"] is not None and not row["test"]:
            raise NotDeletable(
                "a source tells of this order, and it is no test; a member may set its status to canceled"
            )
        if row["sale_id"] is not None:
            raise NotDeletable("other orders were merged into it; split them off first")
        yield Sql("DELETE FROM history WHERE account_id = :account_id AND order_id = :id", **keys)
        yield Sql("DELETE FROM orders WHERE account_id = :account_id AND id = :id", **keys)
        ours = "" if row["source_id"] is None else " AND scope = :merged"
        gone = {} if row["source_id"] is None else {"merged": MERGED}
        yield Sql(f"DELETE FROM aliases WHERE account_id = :account_id AND order_id = :id{ours}", **keys, **gone)
        if row["source_id"] is not None:
            yield _NAME.many([(account_id, row["scope"], row["external_id"], row["id"])])
        happened = HappenedEvent(
            account_id=account_id,
            event=Event.ORDER_UPDATED,
            subject=row["id"],
            order={**row, "test": bool(row["test"])},
        )
        yield from outbox.publish([happened])

    await store.commit(plan)


async def edit(
    store: Store,
    account_id: str,
    order: Mapping[str, Any],
    *,
    said: Mapping[str, Any],
    refunded: tuple[int, str] | None,
    member_id: str,
) -> None:
    """Add what a member says about an order (a row as it was read). `refunded` is the total that was refunded.

    Raises ContactGone, Unavailable, Rejected.
    """
    name = (account_id, order["scope"], order["external_id"])

    def plan() -> Plan[None]:
        yield AdvisoryLock([("order", *name)], shared=[("people", account_id)])
        aggregates = OrderAggregates()
        yield from aggregates.load([name], [])
        found = aggregates.named(
            account_id, order["scope"], order["source_id"], order["origin"], [order["external_id"]]
        )
        if not found.described:
            raise ContactGone("order")
        words = dict(said)
        if "contact_id" in said:
            words["contact_id"] = yield from _there(account_id, said["contact_id"])
        if refunded is not None:
            words["refunds"] = [_checkpoint(found, *refunded)]
        aggregates.apply_member(found, member_statement(words, found.id), member_id)
        yield from aggregates.save()
        yield from outbox.publish_orders([account_id], aggregates.changed())

    await store.commit(plan)


def member_statement(said: dict[str, Any], name: str) -> Statement:
    """Return what a member says of an order, as of now."""
    rank = RANK[Status(said["status"])] if "status" in said else -1
    # Nobody says a member's word twice by accident: a repeated request is met by its Idempotency-Key.
    return Statement(names=(name,), at=now(), rank=rank, digest=new_id("ent"), said=said)


def _there(account_id: str, contact_id: str) -> Plan[str]:
    """Return the contact, or the one it was merged into since it was looked up. Raises ContactGone."""
    survivor = yield from contacts.survivor(account_id, contact_id)
    if survivor is None:
        raise ContactGone("contact")
    return survivor


def _checkpoint(order: LoadedOrder, minor: int, currency: str) -> dict[str, Any]:
    """Return a member's total as a checkpoint: so much went back in all by now. What a source itemises later is added to it or taken from it.

    Money that was paid above the value and went back counts in no order's `refunded_value`, and comes on top.
    """
    excess = max(0, order.columns["paid_value"] - order.columns["value"])
    return {"value": minor + excess, "currency": currency, "total": True, "kind": EVERYTHING}
