"""Lemon Squeezy: orders, and the invoices of subscriptions.

- Signing: https://docs.lemonsqueezy.com/help/webhooks/signing-requests
- Events: https://docs.lemonsqueezy.com/help/webhooks/event-types
- Order: https://docs.lemonsqueezy.com/api/orders/the-order-object, invoice: …/api/subscription-invoices/the-subscription-invoice-object

Decided here, and why:

- A subscription's first payment is told twice, as an order and as an invoice, and nothing in either names the other. A
  shop that sends both chooses `first_invoices=skip`; unasked, both are kept: what is there twice is seen, what is
  missing is not.
- `refunded` means all of it; a part stands in `refunded_amount`, beside the status `paid` or `partial_refund`.
- An invoice that failed stays `pending` while it is tried again: overdue. Given up, it is `void`.
- The body has no time of payment: that of an order is when it was made, that of an invoice when it was told as paid.
- `crm_contact_id` and `deal_id` are read from a checkout's custom data, which links can carry: buyers can write there.
"""

from collections.abc import Iterable
from typing import Literal

from adapters.contract import (
    UNKNOWN,
    Adapter,
    BodyField,
    Customer,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Status,
    order_title,
    path,
    refund_total,
    status_map,
)


class LemonSqueezyOptions(Options):
    """`first_invoices`: whether the first invoice of a subscription counts, or only the order that it was bought by."""

    first_invoices: Literal["count", "skip"] = "count"


class Sale(Payload):
    """An order, or an invoice of a subscription."""

    id: str = path("data.id", otherwise=...)
    status: str = path("data.attributes.status", otherwise=...)
    currency: str = path("data.attributes.currency", otherwise=...)
    total: int = path("data.attributes.total", otherwise=...)
    refunded: bool | None = path("data.attributes.refunded")
    refunded_amount: int | None = path("data.attributes.refunded_amount")
    order_number: str | None = path("data.attributes.order_number")
    billing_reason: str | None = path("data.attributes.billing_reason")
    customer_id: str | None = path("data.attributes.customer_id")
    user_name: str | None = path("data.attributes.user_name")
    user_email: str | None = path("data.attributes.user_email")
    product_name: str | None = path("data.attributes.first_order_item.product_name")
    quantity: int | None = path("data.attributes.first_order_item.quantity")
    price: int | None = path("data.attributes.first_order_item.price")
    created_at: IsoOrBlank = path("data.attributes.created_at")
    updated_at: IsoOrBlank = path("data.attributes.updated_at")
    test_mode: bool | None = path("data.attributes.test_mode")
    crm_contact_id: str | None = path("meta.custom_data.crm_contact_id")
    deal_id: str | None = path("meta.custom_data.deal_id")


class LemonSqueezy(Adapter[Sale]):
    name, title, origin = "lemonsqueezy", "Lemon Squeezy", Origin.COMMERCE
    links = Links(
        signing="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
        payload="https://docs.lemonsqueezy.com/help/webhooks/event-types",
    )
    topics = tuple(
        "order_created order_refunded subscription_payment_success subscription_payment_failed "
        "subscription_payment_recovered subscription_payment_refunded".split()
    )
    signature = Hmac(header="x-signature", encoding="hex")
    kind = BodyField("meta.event_name")
    reads = dict.fromkeys(topics, Sale)
    ignores = frozenset("subscription_* license_key_* affiliate_* customer_*".split())
    options = LemonSqueezyOptions
    statuses = status_map(
        pending="pending",
        paid="paid partial_refund",
        failed="failed fraudulent",
        canceled="void",
        refunded="refunded",
    )
    retry_policy = "takes 200 only; tries again after 5, 25 and 125 seconds, then gives the event up"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        sale, invoice = payload, event.kind.startswith("subscription_payment_")
        if invoice and sale.billing_reason == "initial" and event.options.first_invoices == "skip":
            raise Ignored("the first invoice of a subscription; the order that it was bought by counts")
        status = self.status(sale.status)
        if sale.refunded and status is not UNKNOWN:
            status = Status.REFUNDED
        if event.kind == "subscription_payment_failed" and status is Status.PENDING:
            status = Status.OVERDUE
        paid_now = event.kind in ("order_created", "subscription_payment_success", "subscription_payment_recovered")
        items = None
        if sale.product_name:  # the first item is all of an order that its webhook tells (a cart has one product)
            price = Money.of(sale.price, sale.currency)
            items = (Item(title=sale.product_name, quantity=sale.quantity or 1, unit_value=price),)
        yield Order(
            # An invoice and an order may have the same number.
            external_id=f"invoice:{sale.id}" if invoice else sale.id,
            at=sale.updated_at or sale.created_at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.order_number, [sale.product_name])
            or (f"Subscription invoice {sale.id}" if invoice else None),
            value=Money.of(sale.total, sale.currency),
            refunds=refund_total(Money.of(sale.refunded_amount or None, sale.currency)),
            ordered_at=sale.created_at,
            paid_at=(sale.updated_at if invoice else sale.created_at) if paid_now and status is Status.PAID else None,
            customer=Customer(
                name=sale.user_name, id=sale.customer_id, crm_id=sale.crm_contact_id, emails=(sale.user_email,)
            ),
            items=items,
            test=sale.test_mode,
            deal_id=sale.deal_id,
        )
