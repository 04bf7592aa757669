"""WooCommerce: the order as the REST API tells it; any shop on WordPress, so plugins may add words of their own.

- Signing: https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/ and, for what the page leaves open, the
  sender itself: woocommerce/woocommerce, plugins/woocommerce/includes/class-wc-webhook.php
- Order: https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/
- CPF, CNPJ, cell phone: the REST fields of the plugin "Brazilian Market on WooCommerce",
  claudiosanches/woocommerce-extra-checkout-fields-for-brazil, docs/developers.md

Decided here, and why:

- X-WC-Webhook-Delivery-ID is a hash of the webhook's id and the second: two orders of one second share it. So the
  delivery is known by kind and body.
- `processing` without `date_paid` is cash on delivery (class-wc-gateway-cod.php: "payment won't be taken until
  delivery"): pending. WooCommerce sets the date as soon as an order counts as paid.
- A webhook of the Legacy REST API (v3, a choice in older shops) is read as well; what it says in `payment_details.paid`
  stands for the date of payment, and it says nothing of refunds.
- Refunds are told as one total: since 11.2 a refund can be deleted again, and then it is merely missing from the list.
- Times are the `…_gmt` ones. The others are in the site's zone, which nobody tells; version 1 of the API has only
  those, and its statements come without a time.
- order.deleted (the order went to the trash) has the id and nothing else, so it is a statement without a time, and
  an order taken out of the trash again stays canceled here until a member says otherwise.
- A draft of the checkout block is a cart; WooCommerce sends order.updated for it all the same.
- No address of the order: `payment_url` and the like hold the order's key.
- `crm_contact_id` and `deal_id` are read from the order's `meta_data`, where the shop's own code writes.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from html import unescape
from typing import Annotated, Any

from pydantic import Field, model_validator

from adapters.contract import (
    Adapter,
    Customer,
    Delivery,
    Event,
    Header,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Unreadable,
    either,
    order_title,
)

Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]  # "398.00", with the shop's number of decimals

# The id of "all that was given back so far".
TOTAL = "total"

DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})

PING = re.compile(rb"webhook_id=\d{1,20}")


class Billing(Payload):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    email: str | None = None
    phone: str | None = None
    phone_e164: str | None = None
    cellphone: str | None = None
    cellphone_e164: str | None = None
    cpf: str | None = None
    cnpj: str | None = None


class Line(Payload):
    name: str | None = None
    quantity: Amount | None = None
    subtotal: Amount | None = None  # before coupons, without tax
    subtotal_tax: Amount | None = None
    sku: str | None = None


class Refund(Payload):
    total: Amount  # "-16.20"


class Meta(Payload):
    key: str | None = None
    value: Any = None


class PaymentDetails(Payload):
    paid: bool | None = None


class WooCommerceOrder(Payload):
    """Where a field has two names, the second is that of the Legacy REST API, which wraps the order as well."""

    id: str
    number: str | None = either("number", "order_number")
    status: str | None = None
    currency: str | None = None
    total: Amount | None = None
    prices_include_tax: bool | None = None
    date_created_gmt: IsoOrBlank = either("date_created_gmt", "created_at")
    date_modified_gmt: IsoOrBlank = either("date_modified_gmt", "updated_at")
    date_paid_gmt: IsoOrBlank = None
    date_paid: str | None = None  # only whether there is one
    payment_details: PaymentDetails | None = None
    customer_id: str | None = None
    billing: Billing | None = either("billing", "billing_address")
    line_items: list[Line] | None = None
    refunds: list[Refund] | None = None
    meta_data: list[Meta] | None = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, document: Any) -> Any:
        wrapped = document.get("order") if isinstance(document, dict) else None
        return wrapped if isinstance(wrapped, dict) else document


class DeletedOrder(Payload):
    id: str


class WooCommerce(Adapter[Payload]):
    name, title, origin = "woocommerce", "WooCommerce", Origin.COMMERCE
    links = Links(
        signing="https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/",
        payload="https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/",
    )
    setup = (
        "In the shop's WordPress open WooCommerce → Settings → Advanced → Webhooks and add a webhook for each of: "
        "Order created, Order updated, Order deleted, Order restored.",
        "Status Active, Delivery URL {webhook_url}, API version “WP REST API Integration v3”.",
        "Secret: the secret of this source, the same in all of them. Save; WooCommerce pings the address at once.",
        "WooCommerce does not send again what failed, and turns a webhook off after its sixth failure in a row: "
        "look at the webhook's status now and then.",
        "Optional: order meta named crm_contact_id and deal_id leads straight to the CRM's contact and deal.",
    )
    topics = ("order.created", "order.updated", "order.deleted", "order.restored")
    signature = Hmac(header="x-wc-webhook-signature", encoding="base64")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    kind = Header("x-wc-webhook-topic")
    reads = {
        "order.created": WooCommerceOrder,
        "order.updated": WooCommerceOrder,
        "order.deleted": DeletedOrder,
        "order.restored": WooCommerceOrder,
    }
    ignores = frozenset({"action.*", "coupon.*", "customer.*", "product.*"})
    statuses = {
        "pending": Status.PENDING,
        "on-hold": Status.PENDING,
        "processing": Status.PAID,  # with a date of payment, see above
        "completed": Status.PAID,
        "cancelled": Status.CANCELED,
        "trash": Status.CANCELED,
        "refunded": Status.REFUNDED,
        "failed": Status.FAILED,
    }

    def handshake(self, delivery: Delivery) -> str | None:
        """The ping when a webhook is saved: a form, neither signed nor named; only a plain 200 activates it."""
        signed = "x-wc-webhook-signature" in delivery.headers
        return "the ping of a new webhook" if not signed and PING.fullmatch(delivery.body) else None

    def orders(self, payload: Payload, event: Event[Payload]) -> Iterable[Order]:
        match payload:
            case WooCommerceOrder():
                yield self._order(payload)
            case DeletedOrder():
                yield Order(external_id=payload.id, at=None, status=Status.CANCELED)

    def _order(self, order: WooCommerceOrder) -> Order:
        if order.status in DRAFTS:
            raise Ignored("a draft of the checkout: a cart")
        status = self.status(order.status)
        legacy = order.payment_details or PaymentDetails()
        if order.status == "processing" and not (order.date_paid_gmt or order.date_paid or legacy.paid):
            status = Status.PENDING
        lines = order.line_items
        return Order(
            external_id=order.id,
            at=order.date_modified_gmt,
            status=status,
            source_status=order.status or None,
            title=order_title(order.number, [unescape(line.name or "") for line in lines or ()]),
            value=_money(order.total, order),
            refunds=_refunds(order),
            ordered_at=order.date_created_gmt,
            paid_at=order.date_paid_gmt,
            customer=_customer(order),
            items=None if lines is None else tuple(_item(line, order) for line in lines),
            deal_id=_meta(order, "deal_id"),
        )


def _money(amount: Decimal | None, order: WooCommerceOrder) -> Money | None:
    if amount is None:
        return None
    if not order.currency:
        raise Unreadable("currency: is needed wherever an amount is given")
    return Money.major(amount, order.currency)


def _refunds(order: WooCommerceOrder) -> dict[str, Money] | None:
    """All that went back, also when that is nothing (any more); refunds are negative here."""
    if order.refunds is None or not order.currency:
        return None
    return {TOTAL: Money.major(sum((abs(refund.total) for refund in order.refunds), Decimal(0)), order.currency)}


def _meta(order: WooCommerceOrder, key: str) -> str | None:
    for meta in order.meta_data or ():
        if meta.key == key and isinstance(meta.value, str | int) and not isinstance(meta.value, bool):
            return str(meta.value).strip() or None
    return None


def _customer(order: WooCommerceOrder) -> Customer | None:
    billing = order.billing or Billing()
    name = " ".join(part.strip() for part in (billing.first_name, billing.last_name) if part and part.strip())
    customer = Customer(
        name=name or billing.company or None,
        id=None if order.customer_id == "0" else order.customer_id or None,  # 0 is every guest
        crm_id=_meta(order, "crm_contact_id"),
        emails=_each(billing.email),
        phones=_each(billing.phone_e164 or billing.phone, billing.cellphone_e164 or billing.cellphone),
        documents=_each(billing.cpf, billing.cnpj),
    )
    return None if customer == Customer() else customer


def _each(*values: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _item(line: Line, order: WooCommerceOrder) -> Item:
    """`price` is after coupons; what one costs before them is the line's subtotal, taxed where the shop's prices are."""
    quantity = Decimal(1) if line.quantity is None else line.quantity
    unit = None
    if line.subtotal is not None and quantity > 0:
        tax = line.subtotal_tax or Decimal(0) if order.prices_include_tax else Decimal(0)
        unit = _money((line.subtotal + tax) / quantity, order)
    return Item(title=unescape(line.name or "") or "–", quantity=quantity, unit_value=unit, sku=line.sku or None)
