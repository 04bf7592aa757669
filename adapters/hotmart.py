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

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Bill,
    BodyField,
    Customer,
    Event,
    Item,
    Links,
    Milliseconds,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Status,
    Token,
    full_name,
    order_title,
    path,
    status_map,
)

WAITING = (Status.PENDING, Status.OVERDUE)


class Price(Payload):
    value: Decimal | None = None
    currency_value: str | None = None


class Purchase(Payload):
    creation_date: Milliseconds | None = None
    transaction: str = path("data.purchase.transaction", otherwise=...)
    status: str | None = path("data.purchase.status")
    order_date: Milliseconds | None = path("data.purchase.order_date")
    approved_date: Milliseconds | None = path("data.purchase.approved_date")
    price: OptionalOf[Price] = path("data.purchase.price")
    full_price: OptionalOf[Price] = path("data.purchase.full_price")
    original_offer_price: OptionalOf[Price] = path("data.purchase.original_offer_price")
    refusal_reason: str | None = path("data.purchase.payment.refusal_reason")
    product_id: str | None = path("data.product.id")
    product: str | None = path("data.product.name")
    name: str | None = path("data.buyer.name")
    first_name: str | None = path("data.buyer.first_name")
    last_name: str | None = path("data.buyer.last_name")
    email: str | None = path("data.buyer.email")
    document: str | None = path("data.buyer.document")
    document_type: str | None = path("data.buyer.document_type")
    phone: str | None = path("data.buyer.checkout_phone")
    area: str | None = path("data.buyer.checkout_phone_code")
    country: str | None = path("data.buyer.address.country_iso", "data.purchase.checkout_country.iso")


class Hotmart(Adapter[Purchase]):
    name, title, origin = "hotmart", "Hotmart", Origin.COMMERCE
    links = Links(
        signing="https://help.hotmart.com/en/article/360001491352",
        payload="https://developers.hotmart.com/docs/pt-BR/2.0.0/webhook/purchase-webhook/",
    )
    signature = Token(header="x-hotmart-hottok")
    kind = BodyField("event")
    delivery_id = BodyField("id")
    statuses = status_map(  # data.purchase.status
        pending="STARTED PRINTED_BILLET BILLET_PRINTED WAITING_PAYMENT PROCESSING_TRANSACTION UNDER_ANALISYS PRE_ORDER",
        paid="APPROVED COMPLETE COMPLETED PARTIALLY_REFUNDED DISPUTE PROTESTED",
        overdue="DELAYED OVERDUE",
        canceled="CANCELED CANCELLED EXPIRED",
        failed="BLOCKED NO_FUNDS",
        refunded="REFUNDED CHARGEBACK",
    )
    partly_refunded = frozenset({"PARTIALLY_REFUNDED"})
    # What the event itself says; a purchase that is further on, by its own status, stays so.
    told = status_map(
        pending="PURCHASE_BILLET_PRINTED",
        paid="PURCHASE_APPROVED PURCHASE_COMPLETE PURCHASE_PROTEST",
        overdue="PURCHASE_DELAYED",
        canceled="PURCHASE_CANCELED PURCHASE_EXPIRED",
        refunded="PURCHASE_REFUNDED PURCHASE_CHARGEBACK",
    )
    topics = tuple(told)
    reads = dict.fromkeys(told, Purchase)
    ignores = frozenset("PURCHASE_OUT_OF_SHOPPING_CART SUBSCRIPTION_* SWITCH_PLAN UPDATE_SUBSCRIPTION_* CLUB_*".split())

    def orders(self, payload: Purchase, event: Event[Purchase]) -> Iterable[Order]:
        own, told = self.status(payload.status), self.told[event.kind]
        further = own in (UNKNOWN, Status.REFUNDED) or (own is Status.PAID and told in WAITING)
        status = own if further or payload.status == "PARTIALLY_REFUNDED" else told
        # A slip that lapsed is canceled, whatever reason stands beside it.
        if event.kind == "PURCHASE_CANCELED" and status is Status.CANCELED and payload.refusal_reason:
            status = Status.FAILED
        value = _money(payload.price) or _money(payload.full_price)
        brazilian = (payload.document_type or "CPF").upper() in ("CPF", "CNPJ")
        yield Order(
            external_id=payload.transaction,
            at=payload.creation_date,
            status=status,
            source_status=payload.status,
            title=order_title(payload.transaction, [payload.product]),
            bills=(Bill(value=value),) if value else (),
            payments=(Payment(value=value, state=PaymentState.TAKEN, at=payload.approved_date),)
            if status is Status.PAID
            else (),
            ordered_at=payload.order_date,
            paid_at=payload.approved_date if status in (Status.PAID, Status.REFUNDED) else None,
            customer=Customer(
                name=payload.name or full_name(payload.first_name, payload.last_name),
                emails=(payload.email,),
                phones=(_phone(payload.area, payload.phone),),
                documents=(payload.document,) if brazilian else (),
                country=payload.country,
            ),
            items=(Item(title=payload.product, unit_value=_money(payload.original_offer_price) or value),)
            if payload.product
            else None,
            test=True if payload.product_id == "0" else None,
        )


def _money(price: Price | None) -> Money | None:
    # Older deliveries leave the currency out, and were Brazilian.
    return Money.major(price.value, price.currency_value or "BRL") if price else None


def _phone(area: str | None, phone: str | None) -> str | None:
    """The whole number, where a Brazilian one comes without its area code."""
    code = (area or "").lstrip("0")
    return f"{code}{phone}" if phone and len(code) == 2 and 0 < sum(map(str.isdigit, phone)) <= 9 else phone
