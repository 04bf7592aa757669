"""A delivery's evidence over HTTP: its exact bytes, and what it changed in its orders, field by field."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

from app.base.clock import iso
from app.base.roles import Permission
from app.observability.diff import Change, changes
from app.store import deliveries, orders
from app.web.http import serializers
from app.web.http.errors import Problem, not_found
from app.web.http.request import Asked, Query, Stream, answer, route

_MONEY = frozenset({"value", "refunded_value"})
_TIMES = frozenset({"ordered_at", "paid_at"})


class ChangeShown(TypedDict):
    """A field before and after, in the shape in which an order shows it."""

    field: str
    before: Any
    after: Any


class OrderChanged(TypedDict):
    """What became of one order. `values` says whether the asker may see before and after, or the names of fields alone."""

    order_id: str
    external_id: str
    title: str | None
    made: bool
    values: bool
    changes: list[ChangeShown]


class ChangesShown(TypedDict):
    """Every order that the delivery told of."""

    data: list[OrderChanged]
    next_cursor: None


async def body(asked: Asked) -> Response:
    """The exact bytes that arrived, to keep as a file."""
    asked.query(Query)
    row = await deliveries.find(asked.registry.store, asked.account_id, asked.path("delivery"))
    if row is None:
        raise not_found("delivery")
    kept = await deliveries.body(asked.registry.store, asked.account_id, row["id"])
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


async def changed(asked: Asked) -> Response:
    """What the delivery changed in its orders when it was taken up."""
    asked.query(Query)
    store = asked.registry.store
    row = await deliveries.find(store, asked.account_id, asked.path("delivery"))
    if row is None:
        raise not_found("delivery")
    told: list[OrderChanged] = []
    for order_id in row["orders"]:
        order = await orders.find(store, asked.account_id, order_id)
        if order is not None:
            new, found = changes(await orders.history(store, asked.account_id, order["id"]), row["id"])
            told.append(_shown(order, new, found, values=_sees_values(asked)))
    return answer({"data": told, "next_cursor": None})


def _sees_values(asked: Asked) -> bool:
    """An order's content is for those who read orders, or the bodies that it came in."""
    return asked.caller.may(Permission.READ) or asked.caller.may(Permission.BODIES)


def _shown(order: dict[str, Any], new: bool, found: list[Change], *, values: bool) -> OrderChanged:
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
ROUTES: list[Route] = [
    route(
        "GET", f"{_ID}/body", body, Permission.BODIES,
        gives=Stream("application/octet-stream", "The exact bytes that arrived.", binary=True),
    ),
    route("GET", f"{_ID}/changes", changed, Permission.LOG, gives=ChangesShown),
]  # fmt: skip
