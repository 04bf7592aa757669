"""The delivery log: what came in, and what became of it."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

from app.base.clock import iso
from app.base.roles import Permission
from app.db.statements import Row
from app.ingest.reprocess import NotRecorded
from app.observability.diff import FieldChange, changes
from app.store import deliveries, orders, sources
from app.store.delivery_search import search
from app.store.names import buyers, names
from app.web.http import serializers
from app.web.http.errors import Problem, not_found
from app.web.http.filters import DeliveryFilters, delivery_filter
from app.web.http.request import ApiRequest, Body, Page, Query, after, answer, cursor, page_of
from app.web.http.routing import Stream, route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.deliveries import (
    DeliveryList,
    DeliveryResponse,
    DeliveryWhole,
    Opened,
    OrderInLog,
    RetriedResponse,
    SourceNamed,
)


class DeliveryQuery(Page, DeliveryFilters):
    """The filters of the log."""

    newer_than: str | None = Field(None, max_length=64)
    overlap: bool = False


async def index(asked: ApiRequest) -> Response:
    """List deliveries, newest first. With `newer_than` (a delivery's id): what came after it, oldest first.

    Deliveries that arrive together may be stored in another order. To poll for newer ones, add `overlap`: it starts some
    seconds before `newer_than`. Skip the rows that you have seen.

    Rare matches are searched a bounded number of rows at a time: a page may hold fewer rows than `limit`, even none,
    and still have a `next_cursor`. With `q`, deliveries about exactly this external id come first, then those with the
    text in their reason.
    """
    query = asked.query(DeliveryQuery)
    store = asked.service.store
    wanted, left_out = await delivery_filter(asked, query)
    if query.newer_than is not None:
        than = deliveries.before(query.newer_than) if query.overlap else query.newer_than
        rows = await deliveries.newer(store, asked.account_id, wanted, than=than, limit=query.limit)
        return answer({"data": await _serialize_all(asked, rows), "next_cursor": None})
    rows, place = await search(store, asked.account_id, wanted, after=after(query.cursor, str), limit=query.limit)
    following = None if place is None else cursor(place)
    page: DeliveryList = {"data": await _serialize_all(asked, rows), "next_cursor": following}
    if left_out is not None:
        page["left_out"] = left_out
    return answer(page)


async def _serialize_all(asked: ApiRequest, rows: Sequence[Row]) -> list[DeliveryResponse]:
    """Return rows of the log as responses, with the names of what they name, as far as the caller may see them."""
    store, account_id = asked.service.store, asked.account_id
    named = await names(store, account_id, "source", [row["source_id"] for row in rows])
    ids = sorted({one for row in rows for one in row["orders"]}) if _sees_values(asked) else []
    found = await orders.these(store, account_id, ids) if ids else {}
    people = await buyers(store, account_id, list({row["id"]: row for row in found.values()}.values()))
    return [
        {
            **serializers.delivery(row),
            "source_name": named.get(row["source_id"]),
            "about": _about([found[one] for one in row["orders"] if one in found], people),
        }
        for row in rows
    ]


def _about(rows: Sequence[Row], people: Mapping[str, str | None]) -> list[OrderInLog]:
    """Return a delivery's orders, each once: several may have become one since."""
    return [
        {
            "order_id": row["id"],
            "title": row["title"],
            "buyer": people.get(row["id"]),
            "value": serializers.money(row["value"], row["currency"]),
            "currency": row["currency"],
        }
        for row in {one["id"]: one for one in rows}.values()
    ]


async def show(asked: ApiRequest) -> Response:
    """Show one delivery. Its body is included for callers who may see bodies."""
    store = asked.service.store
    row = await deliveries.find(store, asked.account_id, asked.path("delivery"))
    if row is None:
        raise not_found("delivery")
    kept = await deliveries.body(store, asked.account_id, row["id"])
    source = await sources.find(store, asked.account_id, row["source_id"])
    shown: DeliveryWhole = {
        **(await _serialize_all(asked, [row]))[0],
        "source": None if source is None else _named(asked, source),
        "headers": None,
        "query": None,
        "body": None,
        "body_encoding": None,
        "body_kept": kept is not None,
    }
    if kept is not None and asked.caller.may(Permission.BODIES):
        held = opened(*kept)
        shown["headers"], shown["query"] = held["headers"], held["query"]
        shown["body"], shown["body_encoding"] = held["body"], held["body_encoding"]
    return answer(shown)


def opened(body: bytes, envelope: Row) -> Opened:
    """Return a delivery's headers and body as a response."""
    try:
        text, encoding = body.decode("utf-8"), "text"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(body).decode(), "base64"
    return {
        "headers": envelope["headers"],
        "query": envelope.get("query", {}),
        "body": text,
        "body_encoding": encoding,
    }


async def retry(asked: ApiRequest) -> Response:
    """Retry one recorded delivery with today's adapter."""
    await asked.body(Body)
    try:
        receipt = await asked.service.retry.retry(asked.account_id, asked.path("delivery"))
    except NotRecorded as why:
        raise Problem("conflict", f"the delivery cannot be taken up again: {why}") from None
    if receipt is None:
        raise not_found("delivery")
    told: RetriedResponse = {
        "delivery_id": receipt.delivery_id,
        "outcome": receipt.outcome,
        "reason": receipt.reason,
        "orders": list(receipt.orders),
    }
    return answer(told)


async def sources_of(asked: ApiRequest) -> Response:
    """List the account's sources by name, for callers who read the log but do not manage sources."""
    query = asked.query(Page)
    rows = await sources.page(
        asked.service.store, asked.account_id, after=after(query.cursor, str) or "", limit=query.limit + 1
    )

    return answer(page_of(rows, query.limit, lambda row: _named(asked, row), lambda row: row["id"]))


def _named(asked: ApiRequest, row: Row) -> SourceNamed:
    return {
        "id": row["id"],
        "name": row["name"],
        "adapter": row["adapter"],
        "enabled": row["enabled"],
        "webhook_url": asked.service.source_cache.webhook_url(row["id"]),
    }


ROUTES: list[Route] = [
    route("GET", "/v1/deliveries/sources", sources_of, Permission.LOG, query=Page, gives=Listed[SourceNamed]),
    route("GET", "/v1/deliveries", index, Permission.LOG, query=DeliveryQuery, gives=DeliveryList),
    route("GET", "/v1/deliveries/{delivery}", show, Permission.LOG, gives=DeliveryWhole),
    route("POST", "/v1/deliveries/{delivery}/retry", retry, Permission.LOG, takes=Body, gives=RetriedResponse),
]


_MONEY = frozenset({"value", "paid_value", "refunded_value"})
_TIMES = frozenset({"ordered_at", "paid_at"})


class ChangeResponse(TypedDict):
    """A field before and after, as an order shows it."""

    field: str
    before: Any
    after: Any


class OrderChanged(TypedDict):
    """What changed in one order. `values` says whether the caller may see values, or only the names of fields."""

    order_id: str
    external_id: str
    title: str | None
    made: bool
    values: bool
    changes: list[ChangeResponse]


class ChangesResponse(TypedDict):
    """Every order that the delivery concerns."""

    data: list[OrderChanged]
    next_cursor: None


async def body(asked: ApiRequest) -> Response:
    """Download the exact bytes that arrived."""
    asked.query(Query)
    row = await deliveries.find(asked.service.store, asked.account_id, asked.path("delivery"))
    if row is None:
        raise not_found("delivery")
    kept = await deliveries.body(asked.service.store, asked.account_id, row["id"])
    if kept is None:
        raise Problem("not_found", "the body of this delivery is not kept any more")
    return Response(
        kept[0],
        media_type="application/octet-stream",
        headers={
            "content-disposition": f'attachment; filename="{row["id"]}.body"',
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
            "cache-control": "no-store",
        },
    )


async def changed(asked: ApiRequest) -> Response:
    """Show what the delivery changed in its orders when it was processed."""
    asked.query(Query)
    store = asked.service.store
    row = await deliveries.find(store, asked.account_id, asked.path("delivery"))
    if row is None:
        raise not_found("delivery")
    told: list[OrderChanged] = []
    for order_id in row["orders"]:
        order = await orders.find(store, asked.account_id, order_id)
        if order is not None:
            new, found = changes(await orders.history(store, asked.account_id, order["id"]), row["id"])
            told.append(_serialize(order, new, found, values=_sees_values(asked)))
    return answer({"data": told, "next_cursor": None})


def _sees_values(asked: ApiRequest) -> bool:
    """Return whether the caller may see orders' values: callers who read orders or bodies may."""
    return asked.caller.may(Permission.READ) or asked.caller.may(Permission.BODIES)


def _serialize(order: dict[str, Any], new: bool, found: list[FieldChange], *, values: bool) -> OrderChanged:
    return {
        "order_id": order["id"],
        "external_id": order["external_id"],
        "title": order["title"] if values else None,
        "made": new,
        "values": values,
        "changes": [
            {
                "field": one.field,
                "before": _value(one.field, one.before, one.currency_before) if values else None,
                "after": _value(one.field, one.after, one.currency_after) if values else None,
            }
            for one in found
        ],
    }


def _value(field: str, value: Any, currency: str | None) -> Any:
    if value is None:
        return None
    if field in _MONEY:
        return serializers.money(value, currency)
    if field in _TIMES:
        return iso(value)
    if field == "items":
        return [serializers.item(line) for line in value]
    if field == "identities":
        return [serializers.identity(*one) for one in value]
    return value


_ID = "/v1/deliveries/{delivery}"
ROUTES += [
    route(
        "GET",
        f"{_ID}/body",
        body,
        Permission.BODIES,
        gives=Stream("application/octet-stream", "The exact bytes that arrived.", binary=True),
    ),
    route("GET", f"{_ID}/changes", changed, Permission.LOG, gives=ChangesResponse),
]
