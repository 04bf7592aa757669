"""The delivery log: what came in, and what became of it."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from starlette.responses import Response

from app.base.roles import Permission
from app.db.statements import Row
from app.ingest.reprocess import NotRecorded
from app.observability.diff import FieldChange, changes
from app.store import deliveries, orders, sources
from app.store.delivery_search import search
from app.store.names import buyers, names
from app.web.http import serializers
from app.web.http.errors import Problem, existing
from app.web.http.filters import DeliveryFilters, delivery_filter
from app.web.http.request import ApiRequest, Body, Page, listed, page_of
from app.web.http.routing import Stream, route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.deliveries import (
    ChangesResponse,
    DeliveryList,
    DeliveryResponse,
    DeliveryWhole,
    Opened,
    OrderChanged,
    OrderInLog,
    RetriedResponse,
    SourceNamed,
)


class DeliveryQuery(Page, DeliveryFilters):
    """The filters of the log."""

    newer_than: str | None = Field(None, max_length=64)
    overlap: bool = False


async def index(asked: ApiRequest) -> Mapping[str, Any]:
    """List deliveries, newest first. With `newer_than` (a delivery's id): what came after it, oldest first.

    Deliveries that arrive together may be stored in another order. To poll for newer ones, add `overlap`: it starts some
    seconds before `newer_than`. Skip the rows that you have seen.

    Rare matches are searched a bounded number of rows at a time: a page may hold fewer rows than `limit`, even none,
    and still have a `next_cursor`. With `q`, deliveries about exactly this external id come first, then those with the
    text in their reason.
    """
    query = asked.query(DeliveryQuery)
    wanted, left_out = await delivery_filter(asked, query)
    if query.newer_than is not None:
        than = deliveries.before(query.newer_than) if query.overlap else query.newer_than
        rows = await deliveries.newer(asked.store, asked.account_id, wanted, than=than, limit=query.limit)
        return listed(await _serialize_all(asked, rows))
    rows, place = await search(asked.store, asked.account_id, wanted, after=query.last_id, limit=query.limit)
    page = listed(await _serialize_all(asked, rows), place)
    return page if left_out is None else page | {"left_out": left_out}


async def _serialize_all(asked: ApiRequest, rows: Sequence[Row]) -> list[DeliveryResponse]:
    """Return rows of the log as responses, with the names of what they name, as far as the caller may see them."""
    named = await names(asked.store, asked.account_id, "source", [row["source_id"] for row in rows])
    ids = sorted({one for row in rows for one in row["orders"]}) if _sees_values(asked) else []
    found = await orders.these(asked.store, asked.account_id, ids) if ids else {}
    people = await buyers(asked.store, asked.account_id, list({row["id"]: row for row in found.values()}.values()))
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


async def show(asked: ApiRequest) -> DeliveryWhole:
    """Show one delivery. Its body is included for callers who may see bodies."""
    row = await asked.named(deliveries.find, "delivery")
    kept = await deliveries.body(asked.store, asked.account_id, row["id"])
    source = await sources.find(asked.store, asked.account_id, row["source_id"])
    return {
        **(await _serialize_all(asked, [row]))[0],
        "source": None if source is None else _named(asked, source),
        **opened(kept if asked.caller.may(Permission.BODIES) else None),
        "body_kept": kept is not None,
    }


def opened(kept: tuple[bytes, Row] | None) -> Opened:
    """Return a delivery's headers and body (its envelope and exact bytes) as a response; None: not kept, or not for the caller."""
    if kept is None:
        return {"headers": None, "query": None, "body": None, "body_encoding": None}
    body, envelope = kept
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


async def retry(asked: ApiRequest) -> RetriedResponse:
    """Retry one recorded delivery with today's adapter."""
    try:
        retried = await asked.service.retry.retry(asked.account_id, asked.path("delivery"))
    except NotRecorded as why:
        raise Problem("conflict", f"the delivery cannot be taken up again: {why}") from None
    receipt = existing(retried, "delivery")
    return {
        "delivery_id": receipt.delivery_id,
        "outcome": receipt.outcome,
        "reason": receipt.reason,
        "orders": list(receipt.orders),
    }


async def sources_of(asked: ApiRequest) -> dict[str, Any]:
    """List the account's sources by name, for callers who read the log but do not manage sources."""
    query = asked.query(Page)
    rows = await sources.page(asked.store, asked.account_id, after=query.last_id or "", limit=query.limit + 1)
    return page_of([_named(asked, row) for row in rows], query.limit)


def _named(asked: ApiRequest, row: Row) -> SourceNamed:
    return {
        "id": row["id"],
        "name": row["name"],
        "adapter": row["adapter"],
        "enabled": row["enabled"],
        "webhook_url": asked.service.source_cache.webhook_url(row["id"]),
    }


async def body(asked: ApiRequest) -> Response:
    """Download the exact bytes that arrived."""
    row = await asked.named(deliveries.find, "delivery")
    kept = await deliveries.body(asked.store, asked.account_id, row["id"])
    if kept is None:
        raise Problem("not_found", "the body of this delivery is not kept any more")
    return Response(
        kept[0],
        media_type="application/octet-stream",
        headers={
            "content-disposition": f'attachment; filename="{row["id"]}.body"',
            "content-security-policy": "sandbox; default-src 'none'",
        },
    )


async def changed(asked: ApiRequest) -> dict[str, Any]:
    """Show what the delivery changed in its orders when it was processed."""
    row = await asked.named(deliveries.find, "delivery")
    told: list[OrderChanged] = []
    for order_id in row["orders"]:
        order = await orders.find(asked.store, asked.account_id, order_id)
        if order is not None:
            new, found = changes(await orders.history(asked.store, asked.account_id, order["id"]), row["id"])
            told.append(_serialize(order, new, found, values=_sees_values(asked)))
    return listed(told)


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
                "before": serializers.field(one.field, one.before, one.currency_before) if values else None,
                "after": serializers.field(one.field, one.after, one.currency_after) if values else None,
            }
            for one in found
        ],
    }


_ID = "/v1/deliveries/{delivery}"
ROUTES = [
    route("GET", "/v1/deliveries/sources", sources_of, Permission.LOG, query=Page, gives=Listed[SourceNamed]),
    route("GET", "/v1/deliveries", index, Permission.LOG, query=DeliveryQuery, gives=DeliveryList),
    route("GET", "/v1/deliveries/{delivery}", show, Permission.LOG, gives=DeliveryWhole),
    route("POST", "/v1/deliveries/{delivery}/retry", retry, Permission.LOG, takes=Body, gives=RetriedResponse),
    route(
        "GET",
        f"{_ID}/body",
        body,
        Permission.BODIES,
        gives=Stream("application/octet-stream", "The exact bytes that arrived.", binary=True),
    ),
    route("GET", f"{_ID}/changes", changed, Permission.LOG, gives=ChangesResponse),
]
