"""Ecwid: a notice names the order; what it is now is read from the REST API.

- Signing: https://api-docs.ecwid.com/reference/webhooks-best-practices
- Notices: https://docs.ecwid.com/webhook-automations/learn-ecwid-webhooks/event-data-in-webhooks
- Orders: https://api-docs.ecwid.com/reference/get-order

Decided here, and why:

- The signature covers `eventCreated` and `eventId`, and nothing else of the body: strength `token`. Nothing but the
  order's id is taken from the body, and the order is read from this source's own store (the option `store_id`).
- An order does not say its currency; the store's profile does. It is the option `currency`.
- The manual says to use `data.orderId`; older notices have only `entityId`, the order's number, which then serves.
- `paymentStatus` says that all of it was taken (PAID, and what follows it), or nothing (any more: people set it by hand);
  Ecwid knows no part of a payment.
- `refundedAmount` is the sum of all that was given back so far. The manual knows it for some ways of payment alone:
  where it is 0, or a part, `REFUNDED` still gives back the whole value (the rest went back in another way), and a part
  that is not told is not seen.
- A shop's own words (CUSTOM_PAYMENT_STATUS_1 to 3) mean what the source is taught.
- The recipient is taken where the buyer is missing.
- A deleted order can no longer be read, and keeps what is known of it. Unfinished orders are carts.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Status,
    TaughtOptions,
    Unreadable,
    Unverified,
    bearer,
    json_body,
    order_title,
    path,
    refunded_so_far,
    status_map,
)

TELLING = (Status.PENDING, Status.PAID, Status.REFUNDED)  # whether anything was taken


class EcwidOptions(TaughtOptions):
    """`store_id`: the number of the store; `currency`: what it sells in, as ISO 4217 writes it."""

    store_id: str = Constraint(pattern=r"^[0-9]{1,18}$")
    currency: str = Constraint(pattern=r"^[A-Z]{3}$")


def _signed(delivery: Delivery) -> bytes:
    """`eventCreated.eventId`, as they stand in the body. Raises Unverified."""
    try:
        document = delivery.document(json_body)
    except Unreadable:
        raise Unverified(Unverified.MALFORMED) from None
    parts = [document.get(name) for name in ("eventCreated", "eventId")] if isinstance(document, dict) else []
    if not parts or any(isinstance(part, bool) or not isinstance(part, str | int) for part in parts):
        raise Unverified(Unverified.MALFORMED)
    return ".".join(map(str, parts)).encode("utf-8", "replace")


class Notice(Payload):
    storeId: str
    entityId: int
    order_id: str | None = path("data.orderId")


class Line(Payload):
    name: str | None = None
    price: Decimal | None = None
    quantity: Decimal = Decimal(1)
    sku: str | None = None


class Sale(Payload):
    orderNumber: str
    vendorOrderNumber: str | None = None
    paymentStatus: str | None = None
    total: Decimal
    refundedAmount: Decimal | None = None
    createDate: IsoOrBlank = None
    updateDate: IsoOrBlank = None
    email: str | None = None
    customerId: str | None = None
    customerTaxId: str | None = None
    name: str | None = path("billingPerson.name")
    company: str | None = path("billingPerson.companyName")
    phone: str | None = path("billingPerson.phone")
    country: str | None = path("billingPerson.countryCode")
    recipient: str | None = path("shippingPerson.name")
    recipients_phone: str | None = path("shippingPerson.phone")
    recipients_country: str | None = path("shippingPerson.countryCode")
    items: ListOf[Line] = ()


class Ecwid(Adapter[Sale]):
    name, title, origin = "ecwid", "Ecwid", Origin.COMMERCE
    links = Links(
        signing="https://api-docs.ecwid.com/reference/webhooks-best-practices",
        payload="https://api-docs.ecwid.com/reference/get-order",
    )
    topics = ("order.created", "order.updated")
    signature = Hmac(
        header="x-ecwid-webhook-signature",
        encoding="base64",
        message=_signed,
        proves_body=False,
        also=frozenset({"field:eventCreated", "field:eventId"}),
        signed_words="eventCreated and eventId of the body",
    )
    retry_policy = "takes 200 alone; tries again every 15 minutes, then hourly, for 24 hours"
    kind = BodyField("eventType")
    delivery_id = BodyField("eventId")
    options = EcwidOptions
    reads = {}
    ignores = frozenset(
        "order.deleted unfinished_order.* product.* category.* customer.* application.* profile.*".split()
    )
    statuses = status_map(
        pending="AWAITING_PAYMENT", paid="PAID PARTIALLY_REFUNDED", canceled="CANCELLED", refunded="REFUNDED"
    )
    partly_refunded = frozenset({"PARTIALLY_REFUNDED"})
    api = Api(
        origin="https://app.ecwid.com", authorize=bearer, key_description="the app's secret access token (secret_…)"
    )
    fetches = dict.fromkeys(topics, Notice)
    resource = Sale

    def path(self, notice: Notice, event: Event[Any]) -> str:
        if notice.storeId != event.options.store_id:
            raise Unreadable("storeId: is not the store that this source's option store_id names")
        if not 0 < notice.entityId < 10**18:
            raise Ignored("an order that is not finished: a cart")
        given = notice.order_id or ""
        # The shop chooses a prefix and a suffix; what could lead elsewhere in the address is not used.
        order_id = given if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given) else notice.entityId
        return f"/api/v3/{event.options.store_id}/orders/{order_id}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        if payload.paymentStatus == "INCOMPLETE":
            raise Ignored("an order that is not finished: a cart")
        currency, word = event.options.currency, payload.paymentStatus or ""
        value, back = Money.major(payload.total, currency), Money.major(payload.refundedAmount, currency)
        status = event.options.statuses.get(word) or self.status(word)
        paid = status in (Status.PAID, Status.REFUNDED)
        if back and status is Status.REFUNDED and back.minor < value.minor:
            back = None  # the word says more
        taken = Payment(value=value if paid else Money(0, currency), state=PaymentState.TAKEN, all=paid)
        items = tuple(
            Item(title=line.name, quantity=line.quantity, unit_value=Money.major(line.price, currency), sku=line.sku)
            for line in payload.items
        )
        yield Order(
            external_id=payload.orderNumber,
            at=payload.updateDate,
            status=status,
            source_status=word,
            title=order_title(payload.vendorOrderNumber or payload.orderNumber, items),
            bills=(Bill(value=value),),
            payments=(taken,) if status in TELLING else (),
            refunds=refunded_so_far(back, status),
            ordered_at=payload.createDate,
            customer=Customer(
                name=payload.name or payload.company,
                id=payload.customerId,
                emails=(payload.email,),
                phones=(payload.phone,),
                # Other countries' tax ids may have a CPF's check digits by chance.
                documents=(payload.customerTaxId,) if currency == "BRL" else (),
                country=payload.country,
            ).or_recipient(payload.recipient, payload.recipients_phone, payload.recipients_country),
            items=items or None,
        )
