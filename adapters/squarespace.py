"""Squarespace: a notice names the order; what it is now is read from the Commerce API.

- Signing: https://developers.squarespace.com/webhooks/verifying-notifications
- Orders: https://developers.squarespace.com/commerce-apis/retrieve-specific-order

Decided here, and why:

- An order has no payment status: the API knows paid orders alone, so whatever is not cancelled is `paid`.
- `refundedTotal` is the only thing that is told of refunds; it counts under one fixed id.
- The key is an API key of the site: an OAuth access token is, in the manual's words, short-term. Only subscribing needs one.
- A repeat of a notice has the same `id`; where it is missing, the digest of the body takes its place.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from adapters.contract import (
    Adapter,
    Api,
    Customer,
    Event,
    Field,
    Hmac,
    IfObject,
    Iso,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Unreadable,
    hex_key,
    order_title,
)

TOTAL = "total"  # the one id of what was given back


class Named(Payload):
    orderId: str


class Notice(Payload):
    data: Named


class Amount(Payload):
    value: Decimal
    currency: str


class Address(Payload):
    firstName: str | None = None
    lastName: str | None = None
    phone: str | None = None


class Line(Payload):
    productName: str | None = None
    sku: str | None = None
    quantity: Decimal = Decimal(1)
    unitPricePaid: Annotated[Amount | None, IfObject] = None


class Sale(Payload):
    id: str
    orderNumber: str | None = None
    createdOn: Iso | None = None
    modifiedOn: Iso | None = None
    testmode: bool | None = None
    customerEmail: str | None = None
    billingAddress: Annotated[Address | None, IfObject] = None
    fulfillmentStatus: str | None = None
    lineItems: list[Line] | None = None
    grandTotal: Amount
    refundedTotal: Annotated[Amount | None, IfObject] = None


class Squarespace(Adapter[Sale]):
    name, title, origin = "squarespace", "Squarespace", Origin.COMMERCE
    links = Links(
        signing="https://developers.squarespace.com/webhooks/verifying-notifications",
        payload="https://developers.squarespace.com/commerce-apis/retrieve-specific-order",
    )
    setup = (
        "In the site's settings, under Developer Tools → Developer API Keys, make a key that may read orders (Orders, Read "
        "Only); it is this source's key. An OAuth access token soon lapses, and is no key for this source.",
        "With an OAuth access token of the site that may read its orders, needed this once, subscribe through the Webhook Subscriptions API (POST /1.0/webhook_subscriptions): endpointUrl {webhook_url}, topics "
        "order.create and order.update.",
        "The answer shows the subscription's secret this once: give it to this source as its secret. It is hexadecimal.",
        "A rotation at Squarespace replaces the secret at once: give the new one to this source without delay.",
    )
    topics = ("order.create", "order.update")
    signature = Hmac(header="squarespace-signature", encoding="hex", key=hex_key)
    patience = "takes 2xx; tries again several times within 48 hours"
    kind = Field("topic")
    delivery_id = Field("id")
    reads = {}
    ignores = frozenset({"extension.*"})
    statuses = {"PENDING": Status.PAID, "FULFILLED": Status.PAID, "CANCELED": Status.CANCELED}
    api = Api(
        origin="https://api.squarespace.com",
        authorize=lambda key, options: {"authorization": f"Bearer {key}"},
        key_words="an API key of the site that may read its orders (Developer API Keys: Orders, Read Only)",
    )
    fetches = dict.fromkeys(topics, Notice)
    document = Sale

    def path(self, notice: Notice, event: Event[Any]) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", notice.data.orderId):
            raise Unreadable("data.orderId: is not an order's id")
        return f"/1.0/commerce/orders/{notice.data.orderId}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        back, lines = payload.refundedTotal, payload.lineItems or []
        value = Money.major(payload.grandTotal.value, payload.grandTotal.currency)
        refunded = Money.major(back.value, back.currency) if back and back.value else None
        given_back = refunded is not None and value.minor > 0 and refunded.minor >= value.minor
        yield Order(
            external_id=payload.id,
            at=payload.modifiedOn,
            status=Status.REFUNDED if given_back else self.status(payload.fulfillmentStatus),
            source_status=payload.fulfillmentStatus,
            title=order_title(payload.orderNumber, [line.productName for line in lines]),
            value=value,
            refunds={TOTAL: refunded} if refunded else None,
            ordered_at=payload.createdOn,
            customer=_customer(payload),
            items=tuple(_item(line) for line in lines) or None,
            test=payload.testmode,
        )


def _customer(sale: Sale) -> Customer | None:
    address = sale.billingAddress or Address()
    customer = Customer(
        name=f"{address.firstName or ''} {address.lastName or ''}".strip() or None,
        emails=(sale.customerEmail,) if sale.customerEmail else (),
        phones=(address.phone,) if address.phone else (),
    )
    return None if customer == Customer() else customer


def _item(line: Line) -> Item:
    price = line.unitPricePaid
    return Item(
        title=line.productName or "–",
        quantity=line.quantity,
        unit_value=Money.major(price.value, price.currency) if price else None,
        sku=line.sku or None,
    )
