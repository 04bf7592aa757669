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
    Metadata,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Status,
    full_name,
    order_title,
    path,
    refund_total,
    status_map,
)

Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]  # "398.00", with the shop's number of decimals

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


class WooCommerceOrder(Payload):
    """Where a field has two names, the second is that of the Legacy REST API, which wraps the order as well."""

    id: str
    number: str | None = path("number", "order_number")
    status: str | None = None
    currency: str | None = None
    total: Amount | None = None
    prices_include_tax: bool | None = None
    date_created_gmt: IsoOrBlank = path("date_created_gmt", "created_at")
    date_modified_gmt: IsoOrBlank = path("date_modified_gmt", "updated_at")
    date_paid_gmt: IsoOrBlank = None
    date_paid: str | None = None  # only whether there is one
    paid: bool | None = path("payment_details.paid")
    customer_id: str | None = None
    billing: OptionalOf[Billing] = path("billing", "billing_address")
    line_items: list[Line] | None = None
    refunds: list[Refund] | None = None
    notes: Metadata = path("meta_data", otherwise={})

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
    topics = tuple("order.created order.updated order.deleted order.restored".split())
    signature = Hmac(header="x-wc-webhook-signature", encoding="base64")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    kind = Header("x-wc-webhook-topic")
    reads = {
        **dict.fromkeys("order.created order.updated order.restored".split(), WooCommerceOrder),
        "order.deleted": DeletedOrder,
    }
    ignores = frozenset("action.* coupon.* customer.* product.*".split())
    statuses = status_map(
        pending="pending on-hold",
        paid="processing completed",  # the first with a date of payment, see above
        canceled="cancelled trash",
        refunded="refunded",
        failed="failed",
    )

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
        status, lines = self.status(order.status), order.line_items
        if order.status == "processing" and not (order.date_paid_gmt or order.date_paid or order.paid):
            status = Status.PENDING
        items = None if lines is None else tuple(_item(line, order) for line in lines)
        return Order(
            external_id=order.id,
            at=order.date_modified_gmt,
            status=status,
            source_status=order.status,
            title=order_title(order.number, items or ()),
            value=Money.major(order.total, order.currency),
            refunds=_refunds(order),
            ordered_at=order.date_created_gmt,
            paid_at=order.date_paid_gmt,
            customer=_customer(order, order.billing or Billing()),
            items=items,
            deal_id=order.notes.get("deal_id"),
        )


def _refunds(order: WooCommerceOrder) -> dict[str, Money] | None:
    """All that went back, also when that is nothing (any more); refunds are negative here."""
    if order.refunds is None or not order.currency:
        return None
    return refund_total(Money.major(sum((abs(refund.total) for refund in order.refunds), Decimal(0)), order.currency))


def _customer(order: WooCommerceOrder, billing: Billing) -> Customer:
    return Customer(
        name=full_name(billing.first_name, billing.last_name) or billing.company,
        id=None if order.customer_id == "0" else order.customer_id,  # 0 is every guest
        crm_id=order.notes.get("crm_contact_id"),
        emails=(billing.email,),
        phones=(billing.phone_e164 or billing.phone, billing.cellphone_e164 or billing.cellphone),
        documents=(billing.cpf, billing.cnpj),
    )


def _item(line: Line, order: WooCommerceOrder) -> Item:
    """`price` is after coupons; what one costs before them is the line's subtotal, taxed where the shop's prices are."""
    quantity = Decimal(1) if line.quantity is None else line.quantity
    unit = None
    if line.subtotal is not None and quantity > 0:
        tax = line.subtotal_tax or 0 if order.prices_include_tax else 0
        unit = Money.major((line.subtotal + tax) / quantity, order.currency)
    return Item(title=unescape(line.name or ""), quantity=quantity, unit_value=unit, sku=line.sku)
