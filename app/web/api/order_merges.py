"""Merging orders that are one sale, and splitting them."""

from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response
from starlette.routing import Route

from app.base.roles import Permission
from app.store import order_merges, orders
from app.store.contact_merges import MergeRejected
from app.web.api.manual_orders import member_of
from app.web.api.orders import serialize, serialize_whole
from app.web.http.errors import Problem, invalid, not_found, quoted
from app.web.http.request import ApiRequest, Body, answer
from app.web.http.routing import route
from app.web.http.schemas.orders import OrderSplit, OrderWhole
from app.web.http.visibility import wallet_of


class OrderMergeBody(Body):
    """The order that stays."""

    into: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(description="its id (ord_…)")


async def _itself(asked: ApiRequest, word: str) -> str | None:
    """Return the id of the order, also of one that was merged, if the caller may see what is shown of it."""
    store, account_id = asked.service.store, asked.account_id
    row = await orders.find(store, account_id, word, wallet_of=await wallet_of(asked))
    if row is None:
        return None
    merged = await orders.merged_into(store, account_id, row["id"])
    found: str = word if word in {one["id"] for one in merged} else row["id"]
    return found


async def merge(asked: ApiRequest) -> Response:
    """Merge a duplicate into another order of the same contact. Its id then leads to that one, and sums count one sale."""
    given = await asked.body(OrderMergeBody)
    store, account_id = asked.service.store, asked.account_id
    order_id, into = await _itself(asked, asked.path("order")), await _itself(asked, given.into)
    if order_id is None:
        raise not_found("order")
    if into is None:
        raise invalid("into", f"no order is known as {quoted(given.into)}")
    try:
        done = await order_merges.merge(store, account_id, order_id, into, member_of(asked))
    except MergeRejected as why:
        raise Problem("conflict", str(why), errors=[{"field": "into", "message": str(why)}]) from None
    asked.service.outbox.wake()
    row = await orders.find(store, account_id, done)
    if row is None:
        raise not_found("order")
    return answer(await serialize_whole(asked, row))


async def split(asked: ApiRequest) -> Response:
    """Undo a merge: of a merged order its own, of the order that stands for others all of them."""
    await asked.body(Body)
    store, account_id = asked.service.store, asked.account_id
    order_id = await _itself(asked, asked.path("order"))
    if order_id is None:
        raise not_found("order")
    try:
        stays, gone = await order_merges.split(store, account_id, order_id, member_of(asked))
    except MergeRejected as why:
        raise Problem("conflict", str(why)) from None
    asked.service.outbox.wake()
    found = await orders.these(store, account_id, [stays, *gone])
    shown = [await serialize(asked, found[one]) for one in (stays, *gone) if one in found]
    told: OrderSplit = {"order": shown[0], "split_off": shown[1:]}
    return answer(told)


ROUTES: list[Route] = [
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
