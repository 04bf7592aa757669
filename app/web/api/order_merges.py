"""Merging orders that are one sale, and splitting them."""

from pydantic import Field

from app.base.roles import Permission
from app.store import order_merges, orders
from app.store.contact_merges import MergeRejected
from app.web.api.manual_orders import member_of
from app.web.api.orders import order_of, serialize, serialize_whole
from app.web.http.errors import Problem, existing, invalid, quoted
from app.web.http.request import ApiRequest, Body, Word
from app.web.http.routing import route
from app.web.http.schemas.orders import OrderSplit, OrderWhole


class OrderMergeBody(Body):
    """The order that stays."""

    into: Word = Field(description="its id (ord_…)")


async def _itself(asked: ApiRequest, word: str) -> str | None:
    """Return the id of the order, also of one that was merged."""
    row = await orders.find(asked.store, asked.account_id, word)
    if row is None:
        return None
    merged = await orders.merged_into(asked.store, asked.account_id, row["id"])
    found: str = word if word in {one["id"] for one in merged} else row["id"]
    return found


async def merge(asked: ApiRequest) -> OrderWhole:
    """Merge a duplicate into another order of the same contact. Its id then leads to that one, and sums count one sale."""
    given = await asked.body(OrderMergeBody)
    order_id = existing(await _itself(asked, asked.path("order")), "order")
    into = await _itself(asked, given.into)
    if into is None:
        raise invalid("into", f"no order is known as {quoted(given.into)}")
    try:
        done = await order_merges.merge(asked.store, asked.account_id, order_id, into, member_of(asked))
    except MergeRejected as why:
        raise Problem("conflict", str(why), errors=[{"field": "into", "message": str(why)}]) from None
    asked.service.outbox.wake()
    return await serialize_whole(asked, await order_of(asked, done))


async def split(asked: ApiRequest) -> OrderSplit:
    """Undo a merge: of a merged order its own, of the order that stands for others all of them."""
    order_id = existing(await _itself(asked, asked.path("order")), "order")
    stays, gone = await order_merges.split(asked.store, asked.account_id, order_id, member_of(asked))
    asked.service.outbox.wake()
    found = await orders.these(asked.store, asked.account_id, [stays, *gone])
    shown = [await serialize(asked, found[one]) for one in (stays, *gone) if one in found]
    return {"order": shown[0], "split_off": shown[1:]}


ROUTES = [
    route(
        "POST",
        "/v1/orders/{order}/merge",
        merge,
        Permission.MANAGE,
        needs_registry=True,
        takes=OrderMergeBody,
        gives=OrderWhole,
    ),
    route(
        "POST",
        "/v1/orders/{order}/split",
        split,
        Permission.MANAGE,
        needs_registry=True,
        takes=Body,
        gives=OrderSplit,
    ),
]
