"""Yampi: orders, sent whole.

- Signing and events: https://docs.yampi.com.br/api-reference/webhooks
- Bodies: https://docs.yampi.com.br/api-reference/introduction-webhook

Decided here, and why:

- The manual's PHP sample signs `json_encode` of the body; that is what is sent, so the raw bytes are what is signed.
- Shops may name statuses as they like. The table holds Yampi's own (those that were seen on real orders); what a shop
  calls its own is unknown and leaves the order where it stands, but order.paid is paid whatever it is called.
- What follows payment on a parcel's way (invoiced, shipped …) is paid.
- `value_total` is the order's value; `buyer_value_total` adds the interest that a card charges its holder.
- The body names no currency: Yampi sells in reais. Times come with their zone's name beside them (São Paulo); where it
  is missing, as for the body's own `time`, Brasília is meant.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BeforeValidator

from adapters.contract import (
    BRASILIA,
    UNKNOWN,
    Adapter,
    Customer,
    Event,
    Field,
    Hmac,
    IfObject,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    order_title,
)

T = TypeVar("T")


def _moment(value: Any) -> Any:
    """PHP's date object: {"date": "2026-11-20 10:00:00.000000", "timezone_type": 3, "timezone": "America/Sao_Paulo"}."""
    if not isinstance(value, dict):
        return value
    date = value.get("date")
    return f"{date}+00:00" if date and value.get("timezone") == "UTC" else date


Moment = Annotated[IsoOrBlank, BeforeValidator(_moment)]


class Holds(Payload, Generic[T]):
    """What Yampi includes stands under `data`."""

    data: T | None = None


class Word(Payload):
    alias: str | None = None


class Phone(Payload):
    full_number: str | None = None
    area_code: str | None = None
    number: str | None = None


class Buyer(Payload):
    id: str | None = None
    name: str | None = None
    razao_social: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    cpf: str | None = None
    cnpj: str | None = None
    phone: Annotated[Phone | None, IfObject] = None


class Sku(Payload):
    title: str | None = None


class Line(Payload):
    quantity: Decimal | None = None
    price: Decimal | None = None
    item_sku: str | None = None
    sku: Annotated[Holds[Sku] | None, IfObject] = None


class Transaction(Payload):
    captured_at: Moment = None


class Note(Payload):
    key: str | None = None
    value: Any = None


class Resource(Payload):
    id: str
    number: str | None = None
    value_total: Decimal
    status: Annotated[Holds[Word] | None, IfObject] = None
    created_at: Moment = None
    updated_at: Moment = None
    customer: Annotated[Holds[Buyer] | None, IfObject] = None
    items: Annotated[Holds[list[Line]] | None, IfObject] = None
    transactions: Annotated[Holds[list[Transaction]] | None, IfObject] = None
    metadata: Annotated[Holds[list[Note]] | None, IfObject] = None


class Notification(Payload):
    time: IsoOrBlank = None
    resource: Resource


class Yampi(Adapter[Notification]):
    name, title, origin = "yampi", "Yampi", Origin.COMMERCE
    links = Links(
        signing="https://docs.yampi.com.br/api-reference/webhooks",
        payload="https://docs.yampi.com.br/api-reference/introduction-webhook",
    )
    setup = (
        "In Yampi open Configurações → Webhooks → Novo webhook.",
        "Give {webhook_url} as the URL, and choose the events listed under topics.",
        "Save it; give the Chave secreta that Yampi now shows (wh_…) to this source as its secret.",
        "After 30 failures Yampi turns a webhook off: turn it on again in the same place.",
        "Optional: crm_contact_id and deal_id in a cart's metadata lead straight to the CRM's contact and deal.",
    )
    topics = ("order.created", "order.paid", "order.status.updated")
    signature = Hmac(header="x-yampi-hmac-sha256", encoding="base64")
    kind = Field("event")
    reads = dict.fromkeys((*topics, "order.updated"), Notification)  # both names stand in the manual
    ignores = frozenset(
        {"order.invoice.*", "transaction.*", "cart.*", "customer.*", "product.*", "cashback.*", "subscription.*"}
    )
    statuses = {
        "waiting_payment": Status.PENDING,
        "authorized": Status.PENDING,
        "paid": Status.PAID,
        "handling_products": Status.PAID,
        "invoiced": Status.PAID,
        "ready_for_shipping": Status.PAID,
        "on_carriage": Status.PAID,
        "shipment_exception": Status.PAID,
        "delivered": Status.PAID,
        "refused": Status.FAILED,
        "cancelled": Status.CANCELED,
        "refunded": Status.REFUNDED,
        "chargeback": Status.REFUNDED,
        "chargedback": Status.REFUNDED,
    }
    zone = BRASILIA
    patience = "takes 2xx within 5 seconds; turns the webhook off after 30 failures"

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        order = payload.resource
        word = order.status.data.alias if order.status and order.status.data else None
        status = self.status(word)
        if event.kind == "order.paid" and (status in (None, UNKNOWN, Status.PENDING)):
            status = Status.PAID
        if event.kind == "order.created" and status is None:
            status = Status.PENDING
        lines = (order.items and order.items.data) or []
        captured = [
            one.captured_at for one in (order.transactions and order.transactions.data) or [] if one.captured_at
        ]
        notes = {note.key: note.value for note in (order.metadata and order.metadata.data) or [] if note.key}
        paid_at = captured[0] if captured else (payload.time if event.kind == "order.paid" else None)
        yield Order(
            external_id=order.id,
            at=order.updated_at or payload.time,
            status=status,
            source_status=word or None,
            title=order_title(order.number, [_title(line) for line in lines]),
            value=Money.major(order.value_total, "BRL"),
            ordered_at=order.created_at,
            paid_at=paid_at if status is Status.PAID else None,
            customer=_customer((order.customer and order.customer.data) or Buyer(), _text(notes.get("crm_contact_id"))),
            items=_items(lines),
            deal_id=_text(notes.get("deal_id")),
        )


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _title(line: Line) -> str | None:
    return line.sku.data.title if line.sku and line.sku.data else None


def _items(lines: list[Line]) -> tuple[Item, ...] | None:
    return (
        tuple(
            Item(
                title=_title(line) or line.item_sku or "–",
                quantity=1 if line.quantity is None else line.quantity,
                unit_value=None if line.price is None else Money.major(line.price, "BRL"),
                sku=line.item_sku or None,
            )
            for line in lines
        )
        or None
    )


def _customer(buyer: Buyer, crm_id: str | None) -> Customer | None:
    phone = buyer.phone or Phone()
    number = phone.full_number or (f"{phone.area_code or ''}{phone.number}" if phone.number else None)
    person = f"{buyer.first_name or ''} {buyer.last_name or ''}".strip()
    customer = Customer(
        name=buyer.name or buyer.razao_social or person or None,
        id=buyer.id or None,
        crm_id=crm_id,
        emails=(buyer.email,) if buyer.email else (),
        phones=(number,) if number else (),
        documents=tuple(document for document in (buyer.cpf, buyer.cnpj) if document),
    )
    return None if customer == Customer() else customer
