"""Pagar.me (core v5): orders and their charges. What is sold is the order; a charge is one try to pay it, or a part.

- Payload: https://docs.pagar.me/reference/exemplo-de-webhook-1
- Events: https://docs.pagar.me/reference/eventos-de-webhook-1
- Fields of orders and charges: https://github.com/pagarme/pagarme-python-sdk/tree/main/doc/models

Decided here, and why:

- Pagar.me signs nothing that its account's owner can check: the dashboard lets one ask for HTTP Basic, and that is
  demanded here (a hook without it is refused). Its manual does not describe it; receivers in production rely on it.
  Hooks made through Pagar.me's hub carry an RS256 signature with a key that would have to be fetched; not read.
- A refunded charge may be called `canceled` afterwards, and its order with it; that it was paid is what tells.
- A charge that is only a part of its order (two cards) does not say where the order stands; the order's events do.
- Times carry no zone in the sample; the API writes the same ones with `Z`: UTC.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Customer,
    Event,
    Field,
    IfObject,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    Unknown,
    currency_code,
    order_title,
)


class Phone(Payload):
    country_code: str | None = None
    area_code: str | None = None
    number: str | None = None


class Phones(Payload):
    mobile_phone: Annotated[Phone | None, IfObject] = None
    home_phone: Annotated[Phone | None, IfObject] = None


class Buyer(Payload):
    id: str | None = None
    name: str | None = None
    email: str | None = None
    document: str | None = None
    phones: Annotated[Phones | None, IfObject] = None


class Metadata(Payload):
    """What the shop itself wrote on the order: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class Line(Payload):
    description: str | None = None
    quantity: int | None = None
    amount: int | None = None  # of one
    code: str | None = None


class Thing(Payload):
    id: str
    code: str | None = None
    status: str | None = None
    currency: str | None = None
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    customer: Annotated[Buyer | None, IfObject] = None
    metadata: Annotated[Metadata | None, IfObject] = None


class Parent(Payload):
    """The order, as a charge names it."""

    id: str
    code: str | None = None
    amount: int | None = None
    status: str | None = None


class Charge(Thing):
    amount: int
    paid_amount: int | None = None
    canceled_amount: int | None = None
    paid_at: IsoOrBlank = None
    order: Annotated[Parent | None, IfObject] = None
    order_id: str | None = None


class Sale(Thing):
    amount: int
    items: list[Line] | None = None
    charges: list[Charge] | None = None


class SaleHook(Payload):
    created_at: IsoOrBlank = None
    data: Sale


class ChargeHook(Payload):
    created_at: IsoOrBlank = None
    data: Charge


class PagarMe(Adapter[Any]):
    name, title, origin = "pagarme", "Pagar.me", Origin.PAYMENTS
    links = Links(
        signing="https://docs.pagar.me/docs/webhooks",
        payload="https://docs.pagar.me/reference/exemplo-de-webhook-1",
    )
    setup = (
        "In the Pagar.me dashboard open Configurações → Webhooks → Criar webhook.",
        "Give {webhook_url} as the URL and choose the events listed under topics (Pedido and Cobrança).",
        "Turn on authentication and make up a user and a long password.",
        "Give both to this source as its secret, written user:password.",
        "Optional: write crm_contact_id and deal_id into the metadata of your orders; they lead straight to the CRM's "
        "contact and deal.",
    )
    signature = Token(header="authorization", basic=True)
    kind = Field("type")
    delivery_id = Field("id")
    reads = {
        "order.created": SaleHook,
        "order.updated": SaleHook,
        "order.closed": SaleHook,
        "order.paid": SaleHook,
        "order.payment_failed": SaleHook,
        "order.canceled": SaleHook,
        "charge.created": ChargeHook,
        "charge.updated": ChargeHook,
        "charge.pending": ChargeHook,
        "charge.processing": ChargeHook,
        "charge.paid": ChargeHook,
        "charge.overpaid": ChargeHook,
        "charge.underpaid": ChargeHook,
        "charge.payment_failed": ChargeHook,
        "charge.antifraud_reproved": ChargeHook,
        "charge.partial_canceled": ChargeHook,
        "charge.refunded": ChargeHook,
        "charge.chargedback": ChargeHook,
    }
    topics = tuple(reads)
    ignores = frozenset(
        {
            "charge.antifraud_*",
            "order_item.*",
            "customer.*",
            "card.*",
            "address.*",
            "recipient.*",
            "plan*",
            "subscription*",
            "invoice.*",
            "bank_account.*",
            "usage.*",
            "discount.*",
            "checkout.*",
            "payment-link.*",
            "transfer.*",
            "chargeback.*",
            "increment.*",
            "increment_*",
            "seller.*",
        }
    )
    statuses = {
        "pending": Status.PENDING,
        "processing": Status.PENDING,
        "authorized": Status.PENDING,
        "paid": Status.PAID,
        "overpaid": Status.PAID,
        "underpaid": Status.PARTIALLY_PAID,
        "partial_refunded": Status.PAID,
        "partial_canceled": Status.PAID,
        "canceled": Status.CANCELED,
        "failed": Status.FAILED,
        "refunded": Status.REFUNDED,
        "chargedback": Status.REFUNDED,
    }

    # What the event itself says, whatever the status is called by then.
    told = {
        "order.paid": Status.PAID,
        "order.payment_failed": Status.FAILED,
        "order.canceled": Status.CANCELED,
        "charge.paid": Status.PAID,
        "charge.overpaid": Status.PAID,
        "charge.underpaid": Status.PARTIALLY_PAID,
        "charge.payment_failed": Status.FAILED,
        "charge.antifraud_reproved": Status.FAILED,
        "charge.partial_canceled": Status.PAID,
        "charge.refunded": Status.REFUNDED,
        "charge.chargedback": Status.REFUNDED,
    }

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        thing, at = payload.data, payload.data.updated_at or payload.created_at
        yield self._sale(thing, event.kind, at) if isinstance(thing, Sale) else self._charge(thing, event.kind, at)

    def _sale(self, sale: Sale, kind: str, at: Any) -> Order:
        currency, lines, charges = currency_code(sale.currency or "BRL"), sale.items or [], sale.charges or []
        status = self._status(kind, sale.status)
        paid = [charge.paid_at for charge in charges if charge.paid_at]
        back = {
            each.id: _given_back(each, currency)
            for each in charges
            if each.paid_at and (each.canceled_amount or self.status(each.status) is Status.REFUNDED)
        }
        if back and status is Status.CANCELED:
            status = Status.REFUNDED
        return Order(
            external_id=sale.id,
            at=at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.code, [line.description for line in lines]),
            value=Money(sale.amount, currency),
            refunds=back or None,
            ordered_at=sale.created_at,
            paid_at=paid[-1] if paid and status is Status.PAID else None,
            customer=_customer(sale),
            items=tuple(_item(line, currency) for line in lines) or None,
            deal_id=(sale.metadata or Metadata()).deal_id or None,
        )

    def _charge(self, charge: Charge, kind: str, at: Any) -> Order:
        currency, order = currency_code(charge.currency or "BRL"), charge.order
        sale_id = order.id if order else charge.order_id
        part = bool(order and order.amount and order.amount > charge.amount)
        status = self._status(kind, charge.status)
        if status is Status.CANCELED and charge.paid_at and charge.canceled_amount:
            status = Status.REFUNDED
        back = {}
        if status is Status.REFUNDED or (kind == "charge.partial_canceled" and charge.canceled_amount):
            back = {charge.id: _given_back(charge, currency)}
        if part:
            status = self.status(order.status) if order else None
        return Order(
            external_id=sale_id or charge.id,
            # The order's own id is the better name; a charge without one (a subscription's) goes by its own.
            preference=0 if sale_id else 1,
            aliases=(charge.id,) if sale_id and charge.id else (),
            at=at,
            status=status,
            source_status=charge.status,
            title=None if sale_id else order_title(charge.code, []),  # the order's events know what was sold
            value=Money((order.amount if order else None) or charge.amount, currency),
            refunds=back or None,
            ordered_at=None if sale_id else charge.created_at,
            paid_at=charge.paid_at if status is Status.PAID else None,
            customer=_customer(charge),
            deal_id=(charge.metadata or Metadata()).deal_id or None,
        )

    def _status(self, kind: str, word: str | None) -> Status | Unknown | None:
        status = self.status(word)
        return status if status is UNKNOWN else self.told.get(kind, status)


def _given_back(charge: Charge, currency: str) -> Money:
    return Money(charge.canceled_amount or charge.paid_amount or charge.amount, currency)


def _customer(thing: Thing) -> Customer | None:
    buyer, metadata = thing.customer or Buyer(), thing.metadata or Metadata()
    phones = buyer.phones or Phones()
    numbers = [
        f"+{phone.country_code or '55'} {phone.area_code or ''} {phone.number}"
        for phone in (phones.mobile_phone, phones.home_phone)
        if phone and phone.number
    ]
    customer = Customer(
        name=(buyer.name or "").strip() or None,
        id=buyer.id or None,
        crm_id=metadata.crm_contact_id or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=tuple(numbers),
        documents=(buyer.document,) if buyer.document else (),
    )
    return None if customer == Customer() else customer


def _item(line: Line, currency: str) -> Item:
    return Item(
        title=line.description or "–",
        quantity=1 if line.quantity is None else line.quantity,
        unit_value=None if line.amount is None else Money(line.amount, currency),
        sku=line.code or None,
    )
