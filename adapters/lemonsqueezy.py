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
from typing import Annotated, Literal

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Customer,
    Event,
    Field,
    Hmac,
    IfObject,
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
    currency_code,
    order_title,
)

# The one id under which all that was given back so far is kept: refunds have no id of their own.
TOTAL = "total"


class LemonSqueezyOptions(Options):
    """`first_invoices`: whether the first invoice of a subscription counts, or only the order that it was bought by."""

    first_invoices: Literal["count", "skip"] = "count"


class CustomData(Payload):
    crm_contact_id: str | None = None
    deal_id: str | None = None


class Meta(Payload):
    custom_data: Annotated[CustomData | None, IfObject] = None


class FirstItem(Payload):
    product_name: str | None = None
    quantity: int | None = None
    price: int | None = None


class Attributes(Payload):
    status: str
    currency: str
    total: int
    refunded: bool | None = None
    refunded_amount: int | None = None
    order_number: str | None = None
    billing_reason: str | None = None
    customer_id: str | None = None
    user_name: str | None = None
    user_email: str | None = None
    first_order_item: Annotated[FirstItem | None, IfObject] = None
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    test_mode: bool | None = None


class Sale(Payload):
    id: str
    attributes: Attributes


class Notification(Payload):
    meta: Annotated[Meta | None, IfObject] = None
    data: Sale


class LemonSqueezy(Adapter[Notification]):
    name, title, origin = "lemonsqueezy", "Lemon Squeezy", Origin.COMMERCE
    links = Links(
        signing="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
        payload="https://docs.lemonsqueezy.com/help/webhooks/event-types",
    )
    setup = (
        "In Lemon Squeezy open Settings → Webhooks and click the plus.",
        "Give {webhook_url} as the Callback URL.",
        "Make up a Signing secret of 6 to 40 characters (better 32 or more), and give it to this source as its secret.",
        "Choose the events listed under topics, and save the webhook; test mode and live mode have one each.",
        "Subscriptions: their first payment comes as an order and as an invoice. If you chose both kinds of events, set "
        "the option first_invoices=skip on this source.",
        "Optional: checkout[custom][crm_contact_id] and checkout[custom][deal_id] in your checkout links lead to the "
        "CRM's contact and deal.",
    )
    topics = (
        "order_created",
        "order_refunded",
        "subscription_payment_success",
        "subscription_payment_failed",
        "subscription_payment_recovered",
        "subscription_payment_refunded",
    )
    signature = Hmac(header="x-signature", encoding="hex")
    kind = Field("meta.event_name")
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset({"subscription_*", "license_key_*", "affiliate_*", "customer_*"})
    options = LemonSqueezyOptions
    statuses = {
        "pending": Status.PENDING,
        "paid": Status.PAID,
        "partial_refund": Status.PAID,
        "failed": Status.FAILED,
        "fraudulent": Status.FAILED,
        "void": Status.CANCELED,
        "refunded": Status.REFUNDED,
    }
    patience = "takes 200 only; tries again after 5, 25 and 125 seconds, then gives the event up"

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        sale, known = payload.data.attributes, (payload.meta and payload.meta.custom_data) or CustomData()
        invoice = event.kind.startswith("subscription_payment_")
        options = event.options or LemonSqueezyOptions()
        if invoice and sale.billing_reason == "initial" and options.first_invoices == "skip":
            raise Ignored("the first invoice of a subscription; the order that it was bought by counts")
        currency = currency_code(sale.currency)
        status = self.status(sale.status)
        if sale.refunded and status is not UNKNOWN:
            status = Status.REFUNDED
        if event.kind == "subscription_payment_failed" and status is Status.PENDING:
            status = Status.OVERDUE
        paid_now = event.kind in ("order_created", "subscription_payment_success", "subscription_payment_recovered")
        item = sale.first_order_item
        yield Order(
            # An invoice and an order may have the same number.
            external_id=f"invoice:{payload.data.id}" if invoice else payload.data.id,
            at=sale.updated_at or sale.created_at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.order_number, [item.product_name] if item else [])
            or (f"Subscription invoice {payload.data.id}" if invoice else None),
            value=Money(sale.total, currency),
            refunds={TOTAL: Money(sale.refunded_amount, currency)} if sale.refunded_amount else None,
            ordered_at=sale.created_at,
            paid_at=(sale.updated_at if invoice else sale.created_at) if paid_now and status is Status.PAID else None,
            customer=Customer(
                name=sale.user_name or None,
                id=sale.customer_id or None,
                crm_id=known.crm_contact_id or None,
                emails=(sale.user_email,) if sale.user_email else (),
            ),
            items=_items(item, currency),
            test=sale.test_mode,
            deal_id=known.deal_id or None,
        )


def _items(item: FirstItem | None, currency: str) -> tuple[Item, ...] | None:
    """The first item, which is all of an order that its webhook tells (a cart has one product)."""
    if item is None or not item.product_name:
        return None
    price = None if item.price is None else Money(item.price, currency)
    return (Item(title=item.product_name, quantity=item.quantity or 1, unit_value=price),)
