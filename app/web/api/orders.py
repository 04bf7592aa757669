"""Routes for orders: lists, one order, its history. What a rep may not see does not exist for them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from starlette.responses import Response
from starlette.routing import Route

from adapters.contract import Origin, Status, currency_code
from adapters.contract.errors import Unreadable
from app.base import clock
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, orders
from app.web.http import serializers
from app.web.http.errors import not_found
from app.web.http.request import ApiRequest, Page, Query, after, answer, cursor, page_of, route
from app.web.http.schemas import EntryResponse, Listed, OrderResponse, OrderWhole
from app.web.http.visibility import wallet_of


def _a_time(text: str) -> str:
    text = re.sub(r"(T[0-9:.]+) ([0-9:]+)$", r"\1+\2", text)  # a plus that was not encoded arrives as a blank
    clock.since(text, clock.now())
    return text


def _a_currency(text: str) -> str:
    try:
        return currency_code(text)
    except Unreadable:
        raise ValueError("is not an ISO 4217 code of three letters") from None


# Sources may speak of currencies that are not in our table of them.
Code = Annotated[str, AfterValidator(_a_currency)]
# A text still: what it means depends on when it is asked (`moment_of`). The document says more of it than its type.
Since = Annotated[
    str,
    AfterValidator(_a_time),
    WithJsonSchema({
        "description": "a time in ISO 8601 (UTC, when it names no zone), or a span back from now",
        "anyOf": [
            {"type": "string", "pattern": r"^\d{1,6}[smhdw]$", "examples": ["7d"]},
            {"type": "string", "format": "date-time", "examples": ["2026-11-01T00:00:00Z"]},
        ],
    }),
]  # fmt: skip


class OrderFilters(Query):
    """What every list of orders can be narrowed by."""

    status: Status | None = None
    origin: Origin | None = None
    source_id: str | None = Field(None, max_length=64)
    currency: Code | None = Field(None, json_schema_extra={"examples": ["BRL"]})
    since: Since | None = None
    until: Since | None = None
    note: str | None = Field(None, max_length=100, description="orders that have this note, such as other_currency")


class AllOrdersFilters(OrderFilters):
    """What lists over all contacts can be narrowed by, too."""

    contact: str | None = Field(None, max_length=255)
    deal_id: str | None = Field(None, max_length=255)
    q: str | None = Field(None, max_length=200)


class OrderQuery(Page, OrderFilters):
    """A page of one contact's, or one deal's, orders."""


class AllOrdersQuery(Page, AllOrdersFilters):
    """A page of orders."""


def moment_of(text: Since | None) -> int | None:
    """The time that a query means."""
    return None if text is None else clock.since(text, clock.now())


async def wanted(
    asked: ApiRequest,
    query: OrderFilters,
    *,
    contact_id: str | None = None,
    deal_id: str | None = None,
    q: str | None = None,
) -> orders.OrderFilter:
    """The filter that a query means."""
    return orders.OrderFilter(
        contact_id=contact_id,
        deal_id=deal_id,
        status=query.status,
        origin=query.origin,
        source_id=query.source_id,
        currency=query.currency,
        since=moment_of(query.since),
        until=moment_of(query.until),
        q=q,
        note=query.note,
        wallet_of=await wallet_of(asked),
    )


async def list_orders(asked: ApiRequest, *, contact_id: str | None = None, deal_id: str | None = None) -> Response:
    """A page of orders: of a contact, of a deal, or of all."""
    query = asked.query(OrderQuery) if contact_id or deal_id else asked.query(AllOrdersQuery)
    q = None
    if isinstance(query, AllOrdersQuery):
        deal_id, q = query.deal_id, query.q
        if query.contact:
            found = await contacts.find(asked.service.store, asked.account_id, query.contact)
            if found is None:
                return answer({"data": [], "next_cursor": None})
            contact_id = found["id"]
    store, place = asked.service.store, after(query.cursor, int, str)
    filtered = await wanted(asked, query, contact_id=contact_id, deal_id=deal_id, q=q)
    if q:
        rows, further = await orders.search(store, asked.account_id, filtered, after=place, limit=query.limit)
        crm = await _crm_ids(asked, rows)
        data = [serializers.order(row, crm.get(row["contact_id"])) for row in rows]
        return answer({"data": data, "next_cursor": cursor(further) if further else None})
    rows = await orders.page(store, asked.account_id, filtered, after=place, limit=query.limit + 1)
    crm = await _crm_ids(asked, rows)
    return answer(
        page_of(
            rows,
            query.limit,
            lambda row: serializers.order(row, crm.get(row["contact_id"])),
            lambda row: [row["ordered_at"], row["id"]],
        )
    )


async def _crm_ids(asked: ApiRequest, rows: list[Row]) -> dict[str, str | None]:
    return await contacts.crm_ids(
        asked.service.store, asked.account_id, [row["contact_id"] for row in rows if row["contact_id"]]
    )


async def index(asked: ApiRequest) -> Response:
    """Every order of the account that the asker may see, newest first."""
    return await list_orders(asked)


async def _visible(asked: ApiRequest) -> Row:
    row = await orders.find(
        asked.service.store, asked.account_id, asked.path("order"), wallet_of=await wallet_of(asked)
    )
    if row is None:
        raise not_found("order")
    return row


async def serialize(asked: ApiRequest, row: Row) -> OrderResponse:
    """An order as it is answered."""
    return serializers.order(row, (await _crm_ids(asked, [row])).get(row["contact_id"]))


async def show(asked: ApiRequest) -> Response:
    """One order, with its payments and refunds."""
    row = await _visible(asked)
    folded = await orders.folded(asked.service.store, asked.account_id, row["id"])
    return answer(serializers.order_whole(await serialize(asked, row), folded))


async def history(asked: ApiRequest) -> Response:
    """What was said of the order, in the source's time: by which delivery or member, and what."""
    row = await _visible(asked)
    entries = await orders.history(asked.service.store, asked.account_id, row["id"])
    return answer({"data": [serializers.entry(one) for one in entries], "next_cursor": None})


ROUTES: list[Route] = [
    route(
        "GET", "/v1/orders", index, Permission.READ,
        needs_registry=True, query=AllOrdersQuery, gives=Listed[OrderResponse],
    ),
    route("GET", "/v1/orders/{order}", show, Permission.READ, needs_registry=True, gives=OrderWhole),
    route(
        "GET", "/v1/orders/{order}/history", history, Permission.READ,
        needs_registry=True, gives=Listed[EntryResponse],
    ),
]  # fmt: skip
