"""Squarespace: a notice names the order; what it is now is read from the Commerce API.

- Signing: https://developers.squarespace.com/webhooks/verifying-notifications
- Orders: https://developers.squarespace.com/commerce-apis/retrieve-specific-order

Decided here, and why:

- An order has no payment status: the API knows paid orders alone, so whatever is not cancelled is `paid`.
- `refundedTotal` is the only thing that is told of refunds; it counts under one fixed id.
- The key is an API key of the site: an OAuth access token is, in the manual's words, short-term. Only subscribing needs one.
- A repeat of a notice has the same `id`; where it is missing, the digest of the body takes its place.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    bearer,
    full_name,
    hex_key,
    order_title,
    path,
    refunded_so_far,
    status_map,
)


class Notice(Payload):
    # It becomes a part of a path: nothing in it may lead elsewhere.
    order_id: Annotated[str, Constraint(pattern=r"^[A-Za-z0-9-]{1,64}$")] = path("data.orderId", otherwise=...)


class Line(Payload):
    productName: str | None = None
    sku: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = path("unitPricePaid.value")
    currency: str | None = path("unitPricePaid.currency")


class Sale(Payload):
    id: str
    orderNumber: str | None = None
    createdOn: IsoOrBlank = None
    modifiedOn: IsoOrBlank = None
    testmode: bool | None = None
    customerEmail: str | None = None
    first_name: str | None = path("billingAddress.firstName")
    last_name: str | None = path("billingAddress.lastName")
    phone: str | None = path("billingAddress.phone")
    country: str | None = path("billingAddress.countryCode")
    recipient_first_name: str | None = path("shippingAddress.firstName")
    recipient_last_name: str | None = path("shippingAddress.lastName")
    recipient_phone: str | None = path("shippingAddress.phone")
    recipient_country: str | None = path("shippingAddress.countryCode")
    fulfillmentStatus: str | None = None
    lineItems: ListOf[Line] = ()
    total: Decimal = path("grandTotal.value", otherwise=...)
    currency: str = path("grandTotal.currency", otherwise=...)
    refunded: Decimal | None = path("refundedTotal.value")
    refunded_currency: str | None = path("refundedTotal.currency")


class Squarespace(Adapter[Sale]):
    name, title, origin = "squarespace", "Squarespace", Origin.COMMERCE
    links = Links(
        signing="https://developers.squarespace.com/webhooks/verifying-notifications",
        payload="https://developers.squarespace.com/commerce-apis/retrieve-specific-order",
    )
    topics = ("order.create", "order.update")
    signature = Hmac(header="squarespace-signature", encoding="hex", key=hex_key)
    retry_policy = "takes 2xx; tries again several times within 48 hours"
    kind = BodyField("topic")
    delivery_id = BodyField("id")
    reads = {}
    ignores = frozenset({"extension.*"})
    statuses = status_map(paid="PENDING FULFILLED", canceled="CANCELED")
    api = Api(
        origin="https://api.squarespace.com",
        authorize=bearer,
        key_description="an API key of the site that may read its orders (Developer API Keys: Orders, Read Only)",
    )
    fetches = dict.fromkeys(topics, Notice)
    resource = Sale

    def path(self, notice: Notice, event: Event[Any]) -> str:
        return f"/1.0/commerce/orders/{notice.order_id}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        back = Money.major(payload.refunded, payload.refunded_currency)
        recipient = full_name(payload.recipient_first_name, payload.recipient_last_name)
        items = tuple(_item(line) for line in payload.lineItems)
        yield Order(
            external_id=payload.id,
            at=payload.modifiedOn,
            status=self.status(payload.fulfillmentStatus),
            source_status=payload.fulfillmentStatus,
            title=order_title(payload.orderNumber, items),
            bills=(Bill(value=Money.major(payload.total, payload.currency)),),
            refunds=refunded_so_far(back, self.status(payload.fulfillmentStatus)),
            ordered_at=payload.createdOn,
            customer=Customer(
                name=full_name(payload.first_name, payload.last_name),
                emails=(payload.customerEmail,),
                phones=(payload.phone,),
                country=payload.country,
            ).or_recipient(recipient, payload.recipient_phone, payload.recipient_country),
            items=items or None,
            test=payload.testmode,
        )


def _item(line: Line) -> Item:
    price = Money.major(line.price, line.currency)
    return Item(title=line.productName, quantity=line.quantity, unit_value=price, sku=line.sku)
