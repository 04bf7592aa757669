"""Standard Webhooks with our own JSON for an order: for any shop that can sign a POST. The manual is docs/standard.md.

- Signing: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
- Payload: docs/standard.md; the envelope (`type`, `timestamp`, `data`) is the specification's.

`status` says where the order stands; `type` only names what happened. Fields not named here are passed over, so that
a shop may send what it has; a field that is required, or of the wrong kind, is named in the reason.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge
from pydantic import StringConstraints

from adapters.contract import (
    Adapter,
    Customer,
    Event,
    Field,
    Header,
    Iso,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    StandardWebhooks,
    Status,
    Unreadable,
)

Amount = Annotated[Decimal, Ge(0)]  # "398.00", or a JSON number
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2000)]

# The id of "all that was given back so far", for shops that tell only the total.
TOTAL = "total"


class Refund(Payload):
    id: str
    value: Amount


class Line(Payload):
    title: str
    quantity: Amount = Decimal(1)
    unit_value: Amount | None = None
    sku: str | None = None


class Contact(Payload):
    crm_id: str | None = None
    id: str | None = None
    name: str | None = None
    email: str | None = None
    emails: list[str] | None = None
    phone: str | None = None
    phones: list[str] | None = None
    document: str | None = None
    documents: list[str] | None = None


class OrderData(Payload):
    id: str
    status: str | None = None
    title: str | None = None
    value: Amount | None = None
    currency: str | None = None
    refunds: list[Refund] | None = None
    refunded_value: Amount | None = None
    ordered_at: Iso | None = None
    paid_at: Iso | None = None
    url: WebAddress | None = None
    test: bool | None = None
    deal_id: str | None = None
    items: list[Line] | None = None
    contact: Contact | None = None


class Envelope(Payload):
    timestamp: Iso
    data: OrderData


class Standard(Adapter[Envelope]):
    name, title, origin = "standard", "Standard Webhooks", Origin.WEBHOOK
    links = Links(
        signing="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        payload="docs/standard.md",
    )
    setup = (
        "Keep the secret that was made with this source (whsec_…) where your shop keeps its secrets.",
        "When an order is made or changes, POST it as JSON to {webhook_url}, signed as docs/standard.md shows "
        "(Python, Node, PHP, curl).",
        "Send the same webhook-id again until the answer is 200.",
    )
    topics = ("order.created", "order.updated", "order.paid", "order.canceled", "order.refunded", "order.deleted")
    signature = StandardWebhooks()
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    secret_prefix = "whsec_"  # noqa: S105 - what every such secret starts with
    kind = Field("type")
    delivery_id = Header("webhook-id", "svix-id")
    reads = dict.fromkeys(topics, Envelope)
    ignores = frozenset({"ping", "cart.*", "checkout.*"})
    statuses = {status.value: status for status in Status}

    def orders(self, payload: Envelope, event: Event[Envelope]) -> Iterable[Order]:
        data = payload.data
        status = self.status(data.status)
        if status is None and event.kind == "order.deleted":
            status = Status.CANCELED
        yield Order(
            external_id=data.id,
            at=payload.timestamp,
            status=status,
            source_status=data.status or None,
            title=data.title or None,
            value=_money(data.value, data),
            refunds=_refunds(data),
            ordered_at=data.ordered_at,
            paid_at=data.paid_at,
            customer=_customer(data.contact) if data.contact else None,
            items=None if data.items is None else tuple(_item(line, data) for line in data.items),
            url=data.url,
            test=data.test,
            deal_id=data.deal_id or None,
        )


def _money(amount: Decimal | None, data: OrderData) -> Money | None:
    if amount is None:
        return None
    if not data.currency:
        raise Unreadable("data.currency: is needed wherever an amount is given")
    return Money.major(amount, data.currency)


def _refunds(data: OrderData) -> dict[str, Money] | None:
    if data.refunds is not None and data.refunded_value is not None:
        raise Unreadable("data.refunds, data.refunded_value: give one of the two, or the money counts twice")
    given = [(refund.id, refund.value) for refund in data.refunds or ()]
    if data.refunded_value is not None:
        given = [(TOTAL, data.refunded_value)]
    found = {name: _money(value, data) for name, value in given}
    return {name: money for name, money in found.items() if money} or None


def _customer(contact: Contact) -> Customer:
    return Customer(
        name=contact.name or None,
        id=contact.id or None,
        crm_id=contact.crm_id or None,
        emails=_each(contact.email, contact.emails),
        phones=_each(contact.phone, contact.phones),
        documents=_each(contact.document, contact.documents),
    )


def _each(one: str | None, more: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in (one, *(more or ())) if each))


def _item(line: Line, data: OrderData) -> Item:
    return Item(
        title=line.title, quantity=line.quantity, unit_value=_money(line.unit_value, data), sku=line.sku or None
    )
