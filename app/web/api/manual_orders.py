"""Orders that members create and edit, with an error for each thing that can be wrong."""

import re
from datetime import UTC
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from starlette.responses import Response

from adapters.contract import CODES, Origin, Status
from app.base.amounts import AMOUNT, read_amount
from app.base.clock import now, read_time
from app.base.ids import new_id
from app.base.roles import Permission
from app.base.statement import MAX_ITEMS, TITLE_LENGTH
from app.db.statements import Row
from app.store import contacts, deals, manual_orders, orders
from app.store.contact_merges import ContactGone
from app.web.api.contacts import contact_named
from app.web.api.orders import order_of, serialize
from app.web.http.errors import Problem, ProblemGroup, invalid, no_contact, not_found, quoted
from app.web.http.request import ApiRequest, Body, PatchBody, Word, answer
from app.web.http.routing import route
from app.web.http.schemas.orders import OrderResponse

OPERATOR = "operator"  # who is named in the history when the operator's socket was used


def _amount(text: Any) -> Any:
    if not isinstance(text, str) or not AMOUNT.fullmatch(text):
        raise ValueError('must be a decimal number in a string, such as "199.90"')
    return text


def _moment(text: Any, info: ValidationInfo) -> int:
    return read_time(text, (info.context or {}).get("zone", UTC))


def _url(text: Any) -> Any:
    if not isinstance(text, str) or not re.match(r"https?://[^/\s]", text):
        raise ValueError("must be an address that begins with https:// or http://")
    return text


def _quantity(number: Any) -> Any:
    if isinstance(number, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", number):
        number = Decimal(number)
    if isinstance(number, bool) or not isinstance(number, int | Decimal) or not 0 < number < 10**12:
        raise ValueError("must be a number of things above 0")
    return number


def _currency(text: Any) -> Any:
    code = text.strip().upper() if isinstance(text, str) else ""
    if code not in CODES:
        raise ValueError("is not a currency of ISO 4217, such as BRL")
    return code


Amount = Annotated[
    str,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "string", "pattern": f"^{AMOUNT.pattern}$", "examples": ["199.90"]}),
]
Moment = Annotated[  # in microseconds since 1970
    int,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T13:00:00Z"]}),
]
Currency = Annotated[
    str,
    BeforeValidator(_currency),
    WithJsonSchema({"type": "string", "description": "ISO 4217", "pattern": "^[A-Za-z]{3}$", "examples": ["BRL"]}),
]
Title = Annotated[str, StringConstraints(min_length=1, max_length=TITLE_LENGTH)]
Url = Annotated[
    str,
    StringConstraints(max_length=2000),
    BeforeValidator(_url),
    WithJsonSchema({"type": "string", "pattern": r"^https?://[^/\s]", "maxLength": 2000}),
]


_QUANTITY = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10**12},
        {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,6})?$"},
    ]
}


class ItemBody(Body):
    """One line of an order."""

    title: Title
    quantity: Annotated[Decimal, BeforeValidator(_quantity), WithJsonSchema(_QUANTITY)] = Decimal(1)
    unit_value: Amount | None = None
    sku: Word | None = None


class OrderBody(Body):
    """A new order. The contact must exist. Without `external_id` the order's own id is used."""

    most_bytes = 2 * 1024 * 1024  # of 500 lines
    contact: Word
    title: Title
    value: Amount
    currency: Currency | None = None
    status: Status = Status.PENDING
    ordered_at: Moment | None = None
    paid_at: Moment | None = None
    deal_id: Word | None = None
    external_id: Annotated[Word, StringConstraints(pattern=r"\S")] | None = None
    origin: Literal[Origin.MANUAL, Origin.API, Origin.PAYMENTS] = Origin.MANUAL
    url: Url | None = None
    items: list[ItemBody] = Field(default=[], max_length=MAX_ITEMS)
    deal_of_another_contact: bool = False


class OrderPatch(PatchBody):
    """What to change. Fields that are not given stay as they are; null empties a field that may be empty."""

    most_bytes = OrderBody.most_bytes
    may_be_empty = frozenset({"paid_at", "deal_id", "url", "items"})
    contact: Word | None = None
    title: Title | None = None
    value: Amount | None = None
    currency: Currency | None = None
    status: Status | None = None
    refunded_value: Amount | None = None
    ordered_at: Moment | None = None
    paid_at: Moment | None = None
    deal_id: Word | None = None
    url: Url | None = None
    items: list[ItemBody] | None = Field(None, max_length=MAX_ITEMS)
    deal_of_another_contact: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set - {"deal_of_another_contact"}:
            raise ValueError("names nothing to change")
        return self


def _minor(field: str, text: str, currency: str) -> int:
    """Return the amount in the currency's smallest unit. Raises Problem."""
    try:
        return read_amount(text, currency)
    except ValueError as why:
        raise invalid(field, str(why)) from None


def _items(lines: list[ItemBody], currency: str, wrong: ProblemGroup) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for at, line in enumerate(lines):
        one: dict[str, Any] = {"title": line.title, "quantity": f"{line.quantity:f}"}
        if line.unit_value is not None:
            with wrong.collect():
                one["unit_value"] = [_minor(f"items.{at}.unit_value", line.unit_value, currency), currency]
        if line.sku is not None:
            one["sku"] = line.sku
        kept.append(one)
    return kept


async def check_deal(asked: ApiRequest, deal_id: str, contact_id: str | None, on_purpose: bool) -> None:
    """Raise Problem if an order of this contact (None: unknown) may not be on the deal."""
    deal = await deals.find(asked.store, asked.account_id, deal_id)
    if deal is None:
        raise invalid(
            "deal_id", f"no deal is known as {quoted(deal_id)}; make it first: PUT /v1/deals/{{the CRM's id}}"
        )
    if contact_id is None or on_purpose:
        return
    owner = await contacts.find(asked.store, asked.account_id, deal["contact_id"])
    if (owner["id"] if owner else deal["contact_id"]) != contact_id:
        raise Problem(
            "conflict",
            "the deal belongs to another contact than the order; if that is meant, say so: "
            '"deal_of_another_contact": true',
            errors=[{"field": "deal_id", "message": "belongs to another contact"}],
        )


def member_of(asked: ApiRequest) -> str:
    """Return who speaks in the history: the member, or the operator."""
    return asked.caller.member_id or OPERATOR


async def create(asked: ApiRequest) -> Response:
    """Create an order, by hand or from another system. The same external id again returns the existing order."""
    given = await asked.body(OrderBody, zone=await asked.zone())
    currency = given.currency or (await asked.account())["default_currency"]
    contact_id, wrong = None, ProblemGroup()
    with wrong.collect():
        contact_id = (await contact_named(asked, given.contact))["id"]
    if given.deal_id is not None:
        with wrong.collect():
            await check_deal(asked, given.deal_id, contact_id, given.deal_of_another_contact)
    ordered_at = given.ordered_at if given.ordered_at is not None else now()
    said: dict[str, Any] = {
        "status": str(given.status),
        "currency": currency,
        "ordered_at": ordered_at,
        "contact_id": contact_id,
        **given.model_dump(include={"title", "deal_id", "url"}, exclude_none=True),
    }
    with wrong.collect():
        said["value"] = _minor("value", given.value, currency)
    if given.paid_at is not None or given.status is Status.PAID:
        said["paid_at"] = given.paid_at if given.paid_at is not None else ordered_at
    if given.items:
        said["items"] = _items(given.items, currency, wrong)
    wrong.raise_all()
    try:
        order_id, new = await manual_orders.create(
            asked.store,
            asked.account_id,
            origin=given.origin,
            external_id=given.external_id or new_id("ext"),
            said=said,
            member_id=member_of(asked),
        )
    except ContactGone:
        raise no_contact(given.contact) from None
    row = await order_of(asked, order_id)
    if not new:
        await _check_same(asked, given, said, row, order_id)
    return answer(await serialize(asked, row), 201 if new else 200)


async def _check_same(asked: ApiRequest, given: OrderBody, said: dict[str, Any], row: Row, order_id: str) -> None:
    """Raise Problem if the body says otherwise of an order that is there than it was made with, and than it is now."""
    history = await orders.history(asked.store, asked.account_id, order_id)
    first = min(history, key=lambda one: one["recorded_at"])["said"] if history else {}
    named = {"contact_id" if name == "contact" else name for name in given.model_fields_set} & said.keys()
    wrong = sorted(name for name in named if said[name] not in (row.get(name), first.get(name)))
    if "value" in named and said["currency"] not in (row["currency"], first.get("currency")):
        wrong = sorted({*wrong, "currency"})
    if wrong:
        fields = ["contact" if name == "contact_id" else name for name in wrong]
        raise Problem(
            "conflict",
            f"there is an order {quoted(row['external_id'])} already, which says otherwise: {', '.join(fields)}; "
            f"to change it: PATCH /v1/orders/{row['id']}",
            errors=[{"field": name, "message": "differs from the order that is there"} for name in fields],
        )


async def delete(asked: ApiRequest) -> None:
    """Delete a test order, or one written by hand. An order of a source stays: the source would tell of it again."""
    await manual_orders.delete(asked.store, asked.account_id, await order_of(asked))
    asked.service.outbox.wake()


async def change(asked: ApiRequest) -> OrderResponse:
    """Edit an order. Title, contact and deal stay as a member set them; other fields follow later deliveries."""
    given = await asked.body(OrderPatch, zone=await asked.zone())
    row = await order_of(asked)
    said, refunded = await _changes(asked, given, row)
    try:
        await manual_orders.edit(
            asked.store, asked.account_id, row, said=said, refunded=refunded, member_id=member_of(asked)
        )
    except ContactGone as what:
        raise (not_found("order") if str(what) == "order" else no_contact(given.contact or "")) from None
    return await serialize(asked, await order_of(asked, row["id"]))


async def _changes(asked: ApiRequest, given: OrderPatch, row: Row) -> tuple[dict[str, Any], tuple[int, str] | None]:
    """Return what the member says, in the shape of the history, and the refunded total. Raises Problem."""
    mentioned = given.model_fields_set
    currency = given.currency or row["currency"]
    said: dict[str, Any] = {}
    contact_id, wrong = row["contact_id"], ProblemGroup()
    with wrong.collect():
        if given.currency and given.currency != row["currency"] and given.value is None:
            raise invalid("value", f"is needed with another currency: how much is it in {given.currency}?")
    if given.contact is not None:
        contact_id = None
        with wrong.collect():
            said["contact_id"] = contact_id = (await contact_named(asked, given.contact))["id"]
    deal_id = given.deal_id if "deal_id" in mentioned else row["deal_id"]
    if deal_id is not None and ("deal_id" in mentioned or contact_id != row["contact_id"]):
        with wrong.collect():
            await check_deal(asked, deal_id, contact_id, given.deal_of_another_contact)
    if given.value is not None:
        with wrong.collect():
            said |= {"value": _minor("value", given.value, currency), "currency": currency}
    if given.status is not None:
        said["status"] = str(given.status)
        if given.status is Status.PAID and row["paid_at"] is None:
            said["paid_at"] = now()
    said |= given.model_dump(include={"title", "ordered_at", "paid_at", "deal_id", "url"}, exclude_unset=True)
    if "items" in mentioned:
        said["items"] = _items(given.items or [], currency, wrong)
    refunded = None
    if given.refunded_value is not None:
        with wrong.collect():
            refunded = (_minor("refunded_value", given.refunded_value, currency), currency)
            value: int = said["value"] if "value" in said else row["value"]
            if refunded[0] > value:
                raise invalid("refunded_value", "is more than the order's value")
    wrong.raise_all()
    return said, refunded


ROUTES = [
    route(
        "POST",
        "/v1/orders",
        create,
        Permission.MANAGE,
        needs_registry=True,
        takes=OrderBody,
        gives=OrderResponse,
        status=201,
        also=(200,),
        fails=("contact_not_found",),
    ),
    route("DELETE", "/v1/orders/{order}", delete, Permission.MANAGE, needs_registry=True, status=204),
    route(
        "PATCH",
        "/v1/orders/{order}",
        change,
        Permission.MANAGE,
        needs_registry=True,
        takes=OrderPatch,
        gives=OrderResponse,
        fails=("contact_not_found",),
    ),
]
