"""Lemon Squeezy: orders, and the invoices of subscriptions.

- Signing: https://docs.lemonsqueezy.com/help/webhooks/signing-requests
- Events: https://docs.lemonsqueezy.com/help/webhooks/event-types
- Order: https://docs.lemonsqueezy.com/api/orders/the-order-object, invoice: …/api/subscription-invoices/the-subscription-invoice-object

Decided here, and why:

- A subscription's first payment is told twice, as an order and as an invoice (`billing_reason` initial), and neither
  names the other: `subscription_created` names both, and is read for that alone. A shop that does not send it chooses
  `first_invoices=skip`; unasked, both are kept: what is there twice is seen, what is missing is not.
- The order, or the invoice, is the bill; Lemon Squeezy tells no payments, and its word says whether it was paid.
- `refunded_amount` is all that was given back so far; `refunded` without it means all of it.
- An invoice that failed stays `pending` while it is tried again: overdue. Given up, it is `void`.
- The body has no time of payment: that of an order is when it was made, that of an invoice when it was told as paid.
- `crm_contact_id` and `deal_id` are read from a checkout's custom data, which links can carry: buyers can write
  there, so they count only with `buyers_ids`.
"""

from collections.abc import Iterable
from typing import Any, Literal

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Bill,
    BodyField,
    BuyersIdsOptions,
    Customer,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Refund,
    Status,
    order_title,
    path,
    status_map,
)


class LemonSqueezyOptions(BuyersIdsOptions):
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
    subscription_id: str | None = path("data.attributes.subscription_id")
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


class Subscription(Payload):
    """Read for its link alone: which order began it."""

    id: str = path("data.id", otherwise=...)
    order_id: str = path("data.attributes.order_id", otherwise=...)


class LemonSqueezy(Adapter[Any]):
    name, title, origin = "lemonsqueezy", "Lemon Squeezy", Origin.COMMERCE
    links = Links(
        signing="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
        payload="https://docs.lemonsqueezy.com/help/webhooks/event-types",
    )
    topics = tuple(
        "order_created order_refunded subscription_created subscription_payment_success subscription_payment_failed "
        "subscription_payment_recovered subscription_payment_refunded".split()
    )
    signature = Hmac(header="x-signature", encoding="hex")
    kind = BodyField("meta.event_name")
    reads = dict.fromkeys(topics, Sale) | {"subscription_created": Subscription}
    ignores = frozenset("subscription_* license_key_* affiliate_* customer_*".split())
    options = LemonSqueezyOptions
    statuses = status_map(
        pending="pending",
        paid="paid partial_refund",
        failed="failed fraudulent",
        canceled="void",
        refunded="refunded",
    )
    partly_refunded = frozenset({"partial_refund"})
    retry_policy = "takes 200 only; tries again after 5, 25 and 125 seconds, then gives the event up"

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        if isinstance(payload, Subscription):
            yield Order(external_id=payload.order_id, at=None, aliases=(f"subscription:{payload.id}",))
        else:
            yield self._sale(payload, event)

    def _sale(self, sale: Sale, event: Event[Any]) -> Order:
        invoice, status = event.kind.startswith("subscription_payment_"), self.status(sale.status)
        first = invoice and sale.billing_reason == "initial"
        if first and event.options.first_invoices == "skip":
            raise Ignored("the first invoice of a subscription; the order that it was bought by counts")
        if sale.refunded and status is not UNKNOWN:
            status = Status.REFUNDED
        if event.kind == "subscription_payment_failed" and status is Status.PENDING:
            status = Status.OVERDUE
        paid_now = event.kind in ("order_created", "subscription_payment_success", "subscription_payment_recovered")
        back = Money.of(sale.refunded_amount or None, sale.currency)
        items = None
        if sale.product_name:  # the first item is all of an order that its webhook tells (a cart has one product)
            price = Money.of(sale.price, sale.currency)
            items = (Item(title=sale.product_name, quantity=sale.quantity or 1, unit_value=price),)
        return Order(
            # An invoice and an order may have the same number.
            external_id=f"invoice:{sale.id}" if invoice else sale.id,
            preference=1 if invoice else 0,
            aliases=(f"subscription:{sale.subscription_id}",) if first and sale.subscription_id else (),
            at=sale.updated_at or sale.created_at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.order_number, [sale.product_name])
            or (f"Subscription invoice {sale.id}" if invoice and not first else None),
            bills=(Bill(value=Money.of(sale.total, sale.currency)),),
            refunds=(Refund(value=back, total=True),) if back else (),
            ordered_at=sale.created_at,
            paid_at=(sale.updated_at if invoice else sale.created_at) if paid_now and status is Status.PAID else None,
            customer=Customer(
                name=sale.user_name, id=sale.customer_id, crm_id=sale.crm_contact_id, emails=(sale.user_email,)
            ),
            items=items,
            test=sale.test_mode,
            deal_id=sale.deal_id,
        )
