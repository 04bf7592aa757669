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
    Bill,
    BodyField,
    Customer,
    Entries,
    Event,
    Header,
    Iso,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    StandardWebhooks,
    Status,
    Unknown,
    Unreadable,
    path,
    refunded_so_far,
)

Amount = Annotated[Decimal, Ge(0)]  # "398.00", or a JSON number
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2000)]


class Paid(Payload):
    """A payment, or an attempt to pay."""

    id: str
    value: Amount
    state: PaymentState = PaymentState.TAKEN
    at: Iso | None = None


class GivenBack(Payload):
    """A refund or a chargeback."""

    id: str
    value: Amount
    state: RefundState = RefundState.DONE
    kind: RefundKind = RefundKind.REFUND
    at: Iso | None = None
    payment: str | None = None


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
    emails: ListOf[str] = ()
    phone: str | None = None
    phones: ListOf[str] = ()
    document: str | None = None
    documents: ListOf[str] = ()
    country: str | None = None


class Told(Payload):
    timestamp: Iso
    id: str = path("data.id", otherwise=...)
    status: str | None = path("data.status")
    title: str | None = path("data.title")
    value: Amount | None = path("data.value")
    currency: str | None = path("data.currency")
    payments: ListOf[Paid] = path("data.payments", otherwise=())
    refunds: Entries[GivenBack] | None = path("data.refunds")
    refunded_value: Amount | None = path("data.refunded_value")
    ordered_at: Iso | None = path("data.ordered_at")
    paid_at: Iso | None = path("data.paid_at")
    url: WebAddress | None = path("data.url")
    test: bool | None = path("data.test")
    deal_id: str | None = path("data.deal_id")
    items: Entries[Line] | None = path("data.items")  # () says that there are none
    contact: Contact | None = path("data.contact")


class Standard(Adapter[Told]):
    name, title, origin = "standard", "Standard Webhooks", Origin.WEBHOOK
    links = Links(
        signing="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        payload="docs/standard.md",
    )
    topics = ("order.created", "order.updated", "order.paid", "order.canceled", "order.refunded", "order.deleted")
    signature = StandardWebhooks()
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    secret_prefix = "whsec_"  # noqa: S105 - what every such secret starts with
    kind = BodyField("type")
    delivery_id = Header("webhook-id", "svix-id")
    reads = dict.fromkeys(topics, Told)
    ignores = frozenset({"ping", "cart.*", "checkout.*"})
    statuses = {status.value: status for status in Status}

    def orders(self, payload: Told, event: Event[Told]) -> Iterable[Order]:
        contact = payload.contact or Contact()
        gone = event.kind == "order.deleted" and not payload.status
        status = Status.CANCELED if gone else self.status(payload.status)
        yield Order(
            external_id=payload.id,
            at=payload.timestamp,
            status=status,
            source_status=payload.status,
            title=payload.title or None,
            bills=() if payload.value is None else (Bill(value=_money(payload.value, payload)),),
            payments=tuple(
                Payment(id=one.id, value=_money(one.value, payload), state=one.state, at=one.at)
                for one in payload.payments
            ),
            refunds=_refunds(payload, status),
            ordered_at=payload.ordered_at,
            paid_at=payload.paid_at,
            customer=Customer(
                name=contact.name,
                id=contact.id,
                crm_id=contact.crm_id,
                emails=(contact.email, *contact.emails),
                phones=(contact.phone, *contact.phones),
                documents=(contact.document, *contact.documents),
                country=contact.country,
            ),
            items=None if payload.items is None else tuple(_item(line, payload) for line in payload.items),
            url=payload.url,
            test=payload.test,
            deal_id=payload.deal_id,
        )


def _money(amount: Decimal | None, told: Told) -> Money | None:
    if amount is None:
        return None
    if not told.currency:
        raise Unreadable("data.currency: is needed wherever an amount is given")
    return Money.exact(amount, told.currency)


def _refunds(told: Told, status: Status | Unknown | None) -> tuple[Refund, ...]:
    if told.refunds is not None and told.refunded_value is not None:
        raise Unreadable("data.refunds, data.refunded_value: give one of the two, or the money counts twice")
    if told.refunded_value is not None:
        return refunded_so_far(_money(told.refunded_value, told), status)
    return tuple(
        Refund(id=one.id, value=_money(one.value, told), state=one.state, kind=one.kind, at=one.at, payment=one.payment)
        for one in told.refunds or ()
    )


def _item(line: Line, told: Told) -> Item:
    if line.unit_value is not None and not told.currency:
        raise Unreadable("data.currency: is needed wherever an amount is given")
    price = Money.major(line.unit_value, told.currency)  # rounded: fuel and screws have prices of three decimals
    return Item(title=line.title, quantity=line.quantity, unit_value=price, sku=line.sku)
