"""Orders: lists, one order, its history. What a rep may not see does not exist for them."""

from collections.abc import Sequence
from typing import Any

from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, orders
from app.store.names import buyers, names
from app.web.http import serializers
from app.web.http.errors import existing
from app.web.http.filters import AllOrdersFilters, OrderFilters, order_filter
from app.web.http.request import ApiRequest, Page, after, listed, page_of
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.orders import EntryResponse, OrderResponse, OrderWhole
from app.web.http.visibility import history_of, wallet_of


class OrderQuery(Page, OrderFilters):
    """A page of the orders of one contact or deal."""


class AllOrdersQuery(Page, AllOrdersFilters):
    """A page of orders."""


async def list_orders(
    asked: ApiRequest, *, contact_id: str | None = None, deal_id: str | None = None
) -> dict[str, Any]:
    """Return a page of orders: of a contact, of a deal, or of all."""
    query = asked.query(OrderQuery) if contact_id or deal_id else asked.query(AllOrdersQuery)
    wanted = await order_filter(asked, query, contact_id=contact_id, deal_id=deal_id)
    place = after(query.cursor, int, str)
    if wanted.q:
        rows, further = await orders.search(
            asked.store, asked.account_id, wanted, after=place, limit=query.limit, tuning=asked.service.tuning
        )
        return listed([*(await serialize_all(asked, rows)).values()], further)
    rows = await orders.page(
        asked.store, asked.account_id, wanted, after=place, limit=query.limit + 1, tuning=asked.service.tuning
    )
    shown = [*(await serialize_all(asked, rows)).values()]
    return page_of(shown, query.limit, [(row["ordered_at"], row["id"]) for row in rows])


async def serialize_all(asked: ApiRequest, rows: Sequence[Row]) -> dict[str, OrderResponse]:
    """Return orders as responses, by id, with the names of what they name. A rep sees no other people's names."""
    store, account_id, owner = asked.store, asked.account_id, await wallet_of(asked)
    crm = await contacts.crm_ids(store, account_id, [row["contact_id"] for row in rows if row["contact_id"]])
    known = await buyers(store, account_id, [row for row in rows if owner is None or row["owner_id"] == owner])
    sources = await names(store, account_id, "source", [row["source_id"] for row in rows])
    members = await names(store, account_id, "member", [row["deal_owner_id"] or row["owner_id"] for row in rows])
    return {
        row["id"]: {
            **serializers.order(row, crm.get(row["contact_id"])),
            "buyer": known.get(row["id"]),
            "source_name": sources.get(row["source_id"]),
            "owner_id": row["deal_owner_id"] or row["owner_id"],
            "owner_name": members.get(row["deal_owner_id"] or row["owner_id"]),
        }
        for row in rows
    }


async def index(asked: ApiRequest) -> dict[str, Any]:
    """List all orders that the caller may see, newest first."""
    return await list_orders(asked)


async def order_of(asked: ApiRequest, order_id: str | None = None) -> Row:
    """Return the order with this id; without one that of the path, if the caller may see it. Raises Problem."""
    word = order_id or asked.path("order")
    found = await orders.find(asked.store, asked.account_id, word, wallet_of=await wallet_of(asked))
    return existing(found, "order")


async def serialize(asked: ApiRequest, row: Row) -> OrderResponse:
    """Return an order as a response."""
    return (await serialize_all(asked, [row]))[row["id"]]


async def serialize_whole(asked: ApiRequest, row: Row) -> OrderWhole:
    """Return an order as a response, with its payments and refunds."""
    folded = orders.folded(row["id"], await history_of(asked, row))
    merged = await orders.merged_into(asked.store, asked.account_id, row["id"]) if row["sale_id"] else []
    return serializers.order_whole(await serialize(asked, row), folded, merged)


async def show(asked: ApiRequest) -> OrderWhole:
    """Show one order, with its payments and refunds."""
    return await serialize_whole(asked, await order_of(asked))


async def history(asked: ApiRequest) -> dict[str, Any]:
    """List what each delivery or member said about the order, in the source's time."""
    entries = await history_of(asked, await order_of(asked))
    members = await names(asked.store, asked.account_id, "member", [one["member_id"] for one in entries])
    told: list[EntryResponse] = [
        {**serializers.entry(one), "member_name": members.get(one["member_id"])} for one in entries
    ]
    return listed(told)


ROUTES = [
    route(
        "GET",
        "/v1/orders",
        index,
        Permission.READ,
        needs_registry=True,
        query=AllOrdersQuery,
        gives=Listed[OrderResponse],
    ),
    route("GET", "/v1/orders/{order}", show, Permission.READ, needs_registry=True, gives=OrderWhole),
    route(
        "GET",
        "/v1/orders/{order}/history",
        history,
        Permission.READ,
        needs_registry=True,
        gives=Listed[EntryResponse],
    ),
]
