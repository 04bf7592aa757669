"""Hotmart (webhook 2.0): one purchase per delivery; a renewal and an order bump are purchases of their own.

- Token: https://help.hotmart.com/en/article/360001491352 (the Hottok, under Webhook → Autenticação)
- Payload and events: https://developers.hotmart.com/docs/pt-BR/2.0.0/webhook/purchase-webhook/

Decided here, and why:

- The value is `price`, what the offer cost this buyer: Hotmart reports it as the sale. `full_price` adds the interest of
  paying in instalments, and `commissions` share the price out between platform, producers and affiliates.
- PURCHASE_PROTEST is a buyer asking for their money: until it is given back the purchase is paid. A declined card
  comes as CANCELED with the reason of the refusal: that is a failed purchase, not a cancelled one.
- PURCHASE_COMPLETE (the time for asking money back is over) says nothing new; it keeps the date of approval.
- Hotmart's own test sends sell the product 0, which no shop can have.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Customer,
    Event,
    Field,
    IfObject,
    Item,
    Links,
    Milliseconds,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    order_title,
)


class Price(Payload):
    value: Decimal | None = None
    currency_value: str | None = None


class Payment(Payload):
    refusal_reason: str | None = None


class Purchase(Payload):
    transaction: str
    status: str | None = None
    order_date: Milliseconds | None = None
    approved_date: Milliseconds | None = None
    price: Annotated[Price | None, IfObject] = None
    full_price: Annotated[Price | None, IfObject] = None
    original_offer_price: Annotated[Price | None, IfObject] = None
    payment: Annotated[Payment | None, IfObject] = None


class Product(Payload):
    id: str | None = None
    name: str | None = None


class Buyer(Payload):
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    document: str | None = None
    document_type: str | None = None
    checkout_phone: str | None = None
    checkout_phone_code: str | None = None


class Data(Payload):
    purchase: Purchase
    product: Annotated[Product | None, IfObject] = None
    buyer: Annotated[Buyer | None, IfObject] = None


class Notification(Payload):
    creation_date: Milliseconds | None = None
    data: Data


class Hotmart(Adapter[Notification]):
    name, title, origin = "hotmart", "Hotmart", Origin.COMMERCE
    links = Links(
        signing="https://help.hotmart.com/en/article/360001491352",
        payload="https://developers.hotmart.com/docs/pt-BR/2.0.0/webhook/purchase-webhook/",
    )
    setup = (
        "In Hotmart open Ferramentas → Ver todas → Webhook (API e notificações) → Cadastrar Webhook.",
        "Give {webhook_url} as the URL, choose version 2.0.0, and all products or the ones you want.",
        "Choose the events that are listed under topics, and save.",
        "On the tab Autenticação copy the Hottok and give it to this source as its secret.",
        "Hotmart turns a configuration off whose URL answers with an error: turn it on again there.",
    )
    signature = Token(header="x-hotmart-hottok")
    kind = Field("event")
    delivery_id = Field("id")
    statuses = {  # data.purchase.status
        "STARTED": Status.PENDING,
        "PRINTED_BILLET": Status.PENDING,
        "BILLET_PRINTED": Status.PENDING,
        "WAITING_PAYMENT": Status.PENDING,
        "PROCESSING_TRANSACTION": Status.PENDING,
        "UNDER_ANALISYS": Status.PENDING,
        "PRE_ORDER": Status.PENDING,
        "APPROVED": Status.PAID,
        "COMPLETE": Status.PAID,
        "COMPLETED": Status.PAID,
        "PARTIALLY_REFUNDED": Status.PAID,
        "DISPUTE": Status.PAID,
        "PROTESTED": Status.PAID,
        "DELAYED": Status.OVERDUE,
        "OVERDUE": Status.OVERDUE,
        "CANCELED": Status.CANCELED,
        "CANCELLED": Status.CANCELED,
        "EXPIRED": Status.CANCELED,
        "BLOCKED": Status.FAILED,
        "NO_FUNDS": Status.FAILED,
        "REFUNDED": Status.REFUNDED,
        "CHARGEBACK": Status.REFUNDED,
    }
    # What the event itself says, whatever the purchase's status is called by then.
    told = {
        "PURCHASE_BILLET_PRINTED": Status.PENDING,
        "PURCHASE_APPROVED": Status.PAID,
        "PURCHASE_COMPLETE": Status.PAID,
        "PURCHASE_PROTEST": Status.PAID,
        "PURCHASE_DELAYED": Status.OVERDUE,
        "PURCHASE_CANCELED": Status.CANCELED,
        "PURCHASE_EXPIRED": Status.CANCELED,
        "PURCHASE_REFUNDED": Status.REFUNDED,
        "PURCHASE_CHARGEBACK": Status.REFUNDED,
    }
    topics = tuple(told)
    reads = dict.fromkeys(told, Notification)
    ignores = frozenset(
        {"PURCHASE_OUT_OF_SHOPPING_CART", "SUBSCRIPTION_*", "SWITCH_PLAN", "UPDATE_SUBSCRIPTION_*", "CLUB_*"}
    )

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        purchase, product = payload.data.purchase, payload.data.product or Product()
        status = self.status(purchase.status)
        if status is not UNKNOWN:
            status = status if purchase.status == "PARTIALLY_REFUNDED" else self.told[event.kind]
        if status is Status.CANCELED and purchase.payment and purchase.payment.refusal_reason:
            status = Status.FAILED
        value = _money(purchase.price) or _money(purchase.full_price)
        item = (
            Item(title=product.name, unit_value=_money(purchase.original_offer_price) or value)
            if product.name
            else None
        )
        yield Order(
            external_id=purchase.transaction,
            at=payload.creation_date,
            status=status,
            source_status=purchase.status or None,
            title=order_title(purchase.transaction, [product.name]),
            value=value,
            ordered_at=purchase.order_date,
            paid_at=purchase.approved_date if status in (Status.PAID, Status.REFUNDED) else None,
            customer=_customer(payload.data.buyer) if payload.data.buyer else None,
            items=(item,) if item else None,
            test=True if product.id == "0" else None,
        )


def _money(price: Price | None) -> Money | None:
    # Older deliveries leave the currency out, and were Brazilian.
    return Money.major(price.value, price.currency_value or "BRL") if price and price.value is not None else None


def _customer(buyer: Buyer) -> Customer:
    phone, area = buyer.checkout_phone or "", (buyer.checkout_phone_code or "").lstrip("0")
    if 0 < sum(map(str.isdigit, phone)) <= 9 and len(area) == 2:  # a Brazilian number without its area code
        phone = area + phone
    brazilian = (buyer.document_type or "CPF").upper() in ("CPF", "CNPJ")
    return Customer(
        name=buyer.name or f"{buyer.first_name or ''} {buyer.last_name or ''}".strip() or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=(phone,) if phone else (),
        documents=(buyer.document,) if buyer.document and brazilian else (),
    )
