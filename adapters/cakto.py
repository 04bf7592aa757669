"""Cakto: the event says what happened; `data` is an order, or (webhook V2) a list of the orders of one checkout.

- Signing and payload: https://docs.cakto.com.br/conceitos/webhooks
- Events: https://docs.cakto.com.br/api-reference/webhooks/create

Decided here, and why:

- Cakto signs in the headers, and repeats the secret in the body. Deliveries of older webhooks have the body's alone, so
  either proves it; that is why the strength is `token`.
- The status is the event: `data.status` stays `paid` in a refund's delivery and `waiting_payment` in an approval's.
- `data.amount` is what the buyer pays, in units. `commissions` share it out; an order bump is an order of its own.
- A refused renewal is overdue unless the order it comes with has been paid: then it is about the subscription.
- A test send carries the blocks of all four ways to pay at once, which no real one does (the manual says so).
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.contract import (
    Adapter,
    AnyOf,
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
    body_token,
    order_title,
    time_dot_body,
)


class Block(Payload):
    """What a way to pay adds; only that it is there is read."""


class Product(Payload):
    name: str | None = None


class Offer(Payload):
    price: Decimal | None = None
    currency: str | None = None


class Buyer(Payload):
    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    docNumber: str | None = None


class Sale(Payload):
    id: str
    refId: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    baseAmount: Decimal | None = None  # before a coupon and a card's interest
    createdAt: IsoOrBlank = None
    paidAt: IsoOrBlank = None
    refundedAt: IsoOrBlank = None
    chargedbackAt: IsoOrBlank = None
    product: Annotated[Product | None, IfObject] = None
    offer: Annotated[Offer | None, IfObject] = None
    customer: Annotated[Buyer | None, IfObject] = None
    card: Annotated[Block | None, IfObject] = None
    boleto: Annotated[Block | None, IfObject] = None
    pix: Annotated[Block | None, IfObject] = None
    picpay: Annotated[Block | None, IfObject] = None


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Notification(Payload):
    data: Annotated[list[Sale], BeforeValidator(_listed)]


class Cakto(Adapter[Notification]):
    name, title, origin = "cakto", "Cakto", Origin.COMMERCE
    links = Links(
        signing="https://docs.cakto.com.br/conceitos/webhooks",
        payload="https://docs.cakto.com.br/conceitos/webhooks",
    )
    setup = (
        "In Cakto open Integrações → Webhooks → Adicionar.",
        "Give {webhook_url} as the URL and choose the products.",
        "Choose the events that are listed under topics, and save.",
        "Copy the webhook's secret (Chave secreta) and give it to this source as its secret.",
    )
    signature = AnyOf((
        Hmac(
            header="x-cakto-signature",
            encoding="hex",
            prefix="v1=",
            message=time_dot_body("x-cakto-timestamp"),
            signed_words="time, dot and raw body",
            time_header="x-cakto-timestamp",
        ),
        body_token("secret"),
    ))  # fmt: skip
    kind = Field("event")
    statuses = {  # the events
        "pix_gerado": Status.PENDING,
        "boleto_gerado": Status.PENDING,
        "picpay_gerado": Status.PENDING,
        "openfinance_nubank_gerado": Status.PENDING,
        "purchase_approved": Status.PAID,
        "purchase_refused": Status.FAILED,
        "refund": Status.REFUNDED,
        "chargeback": Status.REFUNDED,
        "subscription_renewed": Status.PAID,
        "subscription_renewal_refused": Status.OVERDUE,
    }
    topics = tuple(statuses)
    reads = dict.fromkeys(statuses, Notification)
    ignores = frozenset({"initiate_checkout", "checkout_abandonment", "refund_requested", "subscription_*"})

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        for sale in payload.data:
            status = self.status(event.kind)
            if status is Status.OVERDUE and sale.status == "paid":
                status = None
            currency = (sale.offer and sale.offer.currency) or "BRL"
            goods = sale.product.name if sale.product else None
            price = sale.offer.price if sale.offer else None
            amount = sale.baseAmount if sale.amount is None else sale.amount
            yield Order(
                external_id=sale.id,
                at=_at(sale, event.kind),
                status=status,
                source_status=event.kind,
                title=order_title(sale.refId, [goods]),
                value=None if amount is None else Money.major(amount, currency),
                ordered_at=sale.createdAt,
                paid_at=sale.paidAt,
                customer=_customer(sale.customer) if sale.customer else None,
                items=(Item(title=goods, unit_value=None if price is None else Money.major(price, currency)),)
                if goods
                else None,
                test=True if sale.card and sale.boleto and sale.pix and sale.picpay else None,
            )


def _at(sale: Sale, kind: str) -> datetime | None:
    """The only times Cakto gives are the order's own: each event has one, and a refusal has none."""
    match kind:
        case "purchase_approved" | "subscription_renewed":
            return sale.paidAt
        case "refund":
            return sale.refundedAt
        case "chargeback":
            return sale.chargedbackAt
        case "purchase_refused" | "subscription_renewal_refused":
            return None
    return sale.createdAt


def _customer(buyer: Buyer) -> Customer:
    return Customer(
        id=buyer.id or None,
        name=buyer.name or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=(buyer.phone,) if buyer.phone else (),
        documents=(buyer.docNumber,) if buyer.docNumber else (),
    )
