"""Merging orders that are one sale, and splitting them again, as a member says.

An order that was merged keeps its row, its ids and its history, and goes on folding what is told of it; it only stands in
no list and no sum. So a split restores it, with what came since. `orders.sale_id` names the order that stands for it.
"""

from collections.abc import Collection

from app.db.engine import Store, among
from app.db.statements import AdvisoryLock, Lookup, Plan, Row, Sql
from app.store import outbox
from app.store.contact_merges import MergeRejected
from app.store.contact_resolution import ContactResolution
from app.store.manual_orders import member_statement
from app.store.order_aggregate import LoadedOrder, OrderAggregates

_ORDER = Lookup("orders", by=("account_id", "id"))


async def merge(store: Store, account_id: str, order_id: str, into_id: str, member_id: str) -> str:
    """Merge an order, with those merged into it, into another. Returns the id of the one that stands for all.

    A repetition changes nothing. Raises MergeRejected, Unavailable.
    """

    def plan() -> Plan[str]:
        yield AdvisoryLock([("people", account_id)])
        aggregates = OrderAggregates()
        order, into = yield from _both(aggregates, account_id, order_id, into_id)
        if order is into:
            raise MergeRejected("an order cannot be merged into itself")
        standing = aggregates.shown(into)
        if standing is order:
            raise MergeRejected(f"{into.id} was merged into it already, and both into each other would be a ring")
        if order.hidden:
            if aggregates.shown(order) is standing:
                return standing.id
            raise MergeRejected(f"it was merged into {order.sale_id} already; split it off first")
        _check(order, standing)
        aggregates.merge(order, standing)
        said = member_statement({"merged": order.id}, standing.id)
        aggregates.apply_member(standing, said, member_id)
        yield from aggregates.save()
        yield from outbox.publish_orders([account_id], aggregates.changed())
        return standing.id

    return await store.commit(plan)


async def split(store: Store, account_id: str, order_id: str, member_id: str) -> tuple[str, list[str]]:
    """Take an order out of the one it was merged into; of the order that stands for others, take out all of them.

    Returns the id of the one that stood for them, and those of the orders that were taken out. Raises MergeRejected,
    Unavailable.
    """

    def plan() -> Plan[tuple[str, list[str]]]:
        yield AdvisoryLock([("people", account_id)])
        aggregates, contacts = OrderAggregates(), ContactResolution(alone=True)
        order, _ = yield from _both(aggregates, account_id, order_id, order_id)
        standing = aggregates.shown(order)
        leaving = [order] if order.hidden else [one for one in aggregates.loaded() if one.hidden]
        if not leaving:
            raise MergeRejected("no member merged it with another order, so there is nothing to split")
        yield from contacts.load([one for each in leaving for one in each.identities()])
        for one in leaving:
            aggregates.split(one, contacts)
            said = member_statement({"split_off": one.id}, standing.id)
            aggregates.apply_member(standing, said, member_id)
        yield from aggregates.save()
        yield from outbox.publish_orders([account_id], aggregates.changed())
        return standing.id, [one.id for one in leaving]

    return await store.commit(plan)


def released(account_id: str, order_ids: Collection[str]) -> Plan[None]:
    """Split these orders, which are about to be erased, from those that are not and that they were merged with."""
    clause, values = among("order", sorted(order_ids))
    rows: list[Row] = yield Sql(
        "SELECT id, scope, external_id FROM orders WHERE account_id = :account_id AND sale_id IN "
        f"(SELECT sale_id FROM orders WHERE account_id = :account_id AND id {clause})",
        account_id=account_id,
        **values,
    )
    left = [row for row in rows if row["id"] not in order_ids]
    if not left:
        return
    aggregates = OrderAggregates()
    yield from aggregates.load([(account_id, row["scope"], row["external_id"]) for row in left], [])
    aggregates.release(order_ids)
    yield from aggregates.save()
    yield from outbox.publish_orders([account_id], aggregates.changed())


def _both(
    aggregates: OrderAggregates, account_id: str, order_id: str, into_id: str
) -> Plan[tuple[LoadedOrder, LoadedOrder]]:
    """Load two orders by their ids, with those they were merged with. Raises MergeRejected."""
    rows: list[Row] = yield _ORDER.many([(account_id, one) for one in dict.fromkeys((order_id, into_id))])
    yield from aggregates.load([(account_id, row["scope"], row["external_id"]) for row in rows], [])
    found = {one.id: one for one in aggregates.loaded()}
    if order_id not in found or into_id not in found:
        raise MergeRejected("one of the two orders is not there any more")
    return found[order_id], found[into_id]


def _check(order: LoadedOrder, into: LoadedOrder) -> None:
    """Raise MergeRejected for two orders that cannot be one sale."""
    one, other = order.columns, into.columns
    if one["contact_id"] not in (None, other["contact_id"]):
        raise MergeRejected("they are orders of two contacts; if these are one person, merge the contacts first")
    if one["currency"] != other["currency"]:
        raise MergeRejected(f"one is in {one['currency']}, the other in {other['currency']}")
    if one["test"] != other["test"]:
        raise MergeRejected("one of them is a test")
