"""WooCommerce: the order as the REST API tells it; any shop on WordPress, so plugins may add words of their own.

- Signing: https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/ and, for what the page leaves open, the
  sender itself: woocommerce/woocommerce, plugins/woocommerce/includes/class-wc-webhook.php
- Order: https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/
- CPF, CNPJ, cell phone: the REST fields of the plugin "Brazilian Market on WooCommerce", and the meta data in which it and
  others keep them, claudiosanches/woocommerce-extra-checkout-fields-for-brazil, docs/developers.md

Decided here, and why:

- X-WC-Webhook-Delivery-ID is a hash of the webhook's id and the second: two orders of one second share it. So the
  delivery is known by kind and body.
- `date_paid` says that all of it was taken: WooCommerce sets it when an order first counts as paid, and never takes it
  back. It decides for words of plugins that nobody taught us. `processing` without it is cash on delivery
  (class-wc-gateway-cod.php: "payment won't be taken until delivery"): pending. A deposit's word says how far it is: a
  part was paid. How much, two plugins write into the meta data (WooCommerce Deposits of Webtomizer, Deposits & Partial
  Payments of Acowebs); of further instalments they say nothing until all is paid.
- Refunds have ids and no time. Their sum is told as well, as a total: since 11.2 a refund can be deleted again, and
  then it is merely missing from the list. Statements of one second stand in the order of their latest refund.
- A marketplace's sub-order (Dokan, YITH Multi Vendor, MultiVendorX) is a part of its parent, which tells all of it. It
  is known by its parent and its vendor; other orders with a parent (the balance after a deposit) are sales.
- Times are the `…_gmt` ones. The others are in the site's zone, which nobody tells; version 1 of the API has only
  those, and its statements come without a time.
- order.deleted (the order went to the trash) has the id alone, so its time is that of receipt; and so is that of
  order.restored, which ends it.
- A webhook of the Legacy REST API (v3, a choice in older shops) is read as well; what it says in `payment_details.paid`
  stands for the date of payment, and it says nothing of refunds.
- Shops that cannot show the order send the API's error in its place, signed: mostly the webhook's user may not read it.
- WooCommerce knows no test orders. WooPayments, WooCommerce PayPal Payments, PagBank Connect and Mercado Pago write into
  the meta data that they took no real money.
- A draft of the checkout block is a cart; WooCommerce sends order.updated for it all the same.
- The recipient's phone is the buyer's only where the buyer gave none and has no other name.
- No address of the order: `payment_url` and the like hold the order's key.
- `crm_contact_id` and `deal_id` are read from the order's `meta_data`, where the shop's own code writes.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from html import unescape
from typing import Annotated, Any

from pydantic import Field

from adapters.contract import (
    Adapter,
    Bill,
    Customer,
    Delivery,
    Entries,
    Event,
    Exact,
    Header,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Metadata,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    Status,
    TaughtOptions,
    Unknown,
    Unreadable,
    full_name,
    order_title,
    path,
    status_map,
)

Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]  # "398.00", with the shop's number of decimals

DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
PING = re.compile(rb"webhook_id=\d{1,20}")
ERROR = re.compile(r"[a-z][a-z0-9_]{1,80}")
DEPOSITS = ("_wc_deposits", "_awcdp_deposits")  # the plugins' prefixes
PLAIN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
TEST_MODES = {
    "_wcpay_mode": "test",
    "_ppcp_paypal_payment_mode": "sandbox",
    "pagbank_is_sandbox": "1",
    "is_production_mode": "no",  # Mercado Pago's
}
VENDOR = re.compile(r".*(vendor|store|seller)_id")  # _dokan_vendor_id, multivendorx_store_id


class Address(Payload):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None
    phone_e164: str | None = None
    cellphone: str | None = None
    cellphone_e164: str | None = None
    cpf: str | None = None
    cnpj: str | None = None

    @property
    def name(self) -> str | None:
        return full_name(self.first_name, self.last_name)


class Line(Payload):
    name: str | None = None
    quantity: Amount | None = None
    subtotal: Amount | None = None  # before coupons, without tax
    subtotal_tax: Amount | None = None
    sku: str | None = None


class RefundLine(Payload):
    id: Annotated[int, Field(gt=0, lt=10**18)] | None = None
    total: Amount | None = None  # "-16.20"


class WooCommerceOrder(Payload):
    """Where a field has two names, the second is that of the Legacy REST API, which wraps the order as well."""

    id: str
    parent_id: str | None = None
    created_via: str | None = None
    number: str | None = path("number", "order_number")
    status: str | None = None
    currency: str
    total: Amount
    prices_include_tax: bool | None = None
    date_created_gmt: IsoOrBlank = path("date_created_gmt", "created_at")
    date_modified_gmt: IsoOrBlank = path("date_modified_gmt", "updated_at")
    date_paid_gmt: IsoOrBlank = None
    date_paid: IsoOrBlank = None  # only whether there is one
    paid: bool | None = path("payment_details.paid")
    customer_id: str | None = None
    billing: OptionalOf[Address] = path("billing", "billing_address")
    shipping: OptionalOf[Address] = path("shipping", "shipping_address")
    line_items: Entries[Line] | None = None
    refunds: ListOf[RefundLine] | None = None
    notes: Metadata = path("meta_data", otherwise={})

    @property
    def was_paid(self) -> bool:
        return bool(self.date_paid_gmt or self.date_paid or self.paid)

    @property
    def is_part(self) -> bool:
        """Whether it is a vendor's part of another order."""
        made_by_vendors = self.created_via in ("dokan", "yith_wcmv_vendor_suborder") or any(
            VENDOR.fullmatch(key) for key in self.notes
        )
        return self.parent_id not in (None, "", "0") and made_by_vendors


class DeletedOrder(Exact):
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
    options = TaughtOptions
    reads = {
        **dict.fromkeys("order.created order.updated order.restored".split(), WooCommerceOrder),
        "order.deleted": DeletedOrder,
    }
    ignores = frozenset("action.* coupon.* customer.* product.*".split())
    statuses = status_map(
        # The third and fourth are of WooCommerce Deposits, the last of WooCommerce Pre-Orders.
        pending="pending on-hold pending-deposit scheduled-payment pre-ordered",
        partially_paid="partially-paid partial-payment partial-paid deposit-paid",  # of plugins for deposits
        paid="processing completed",  # the first with a date of payment, see above
        canceled="cancelled trash",
        refunded="refunded",
        failed="failed",
    )

    def handshake(self, delivery: Delivery) -> str | None:
        """The ping when a webhook is saved: a form, neither signed nor named; only a plain 200 activates it."""
        signed = "x-wc-webhook-signature" in delivery.headers
        return "the ping of a new webhook" if not signed and PING.fullmatch(delivery.body) else None

    def document_of(self, delivery: Delivery) -> Any:
        """The order itself. Raises Unreadable, also for a refusal that the shop sent in its place."""
        document = super().document_of(delivery)
        if not isinstance(document, dict):
            return document
        code = document.get("code")
        if "id" not in document and "message" in document and isinstance(code, str) and ERROR.fullmatch(code):
            raise Unreadable(_error(code, document.get("data")))
        wrapped = document.get("order")
        return wrapped if isinstance(wrapped, dict) else document

    def orders(self, payload: Payload, event: Event[Payload]) -> Iterable[Order]:
        match payload:
            case WooCommerceOrder():
                yield self._order(payload, event)
            case DeletedOrder():
                yield Order(external_id=payload.id, at=None, status=Status.CANCELED)

    def _order(self, order: WooCommerceOrder, event: Event[Payload]) -> Order:
        word = (order.status or "").removeprefix("wc-")
        if word in DRAFTS:
            raise Ignored("a draft of the checkout: a cart")
        taught = event.options.statuses
        status = taught.get(word) or taught.get(order.status or "") or self.status(word)
        if word == "processing" and not order.was_paid:
            status = Status.PENDING
        taken = order.was_paid and status is not Status.PARTIALLY_PAID
        value, part = Money.major(order.total, order.currency), order.is_part
        deposit = None if status is Status.PAID or part else _deposit(order)
        payment = Payment(value=deposit or value, state=PaymentState.TAKEN, at=order.date_paid_gmt, all=deposit is None)
        items = None if part or order.line_items is None else tuple(_item(line, order) for line in order.line_items)
        return Order(
            external_id=order.parent_id or "" if part else order.id,
            at=None if event.kind == "order.restored" else order.date_modified_gmt,
            sequence=max((refund.id or 0 for refund in order.refunds or ()), default=None),
            status=Status.PAID if part and taken and isinstance(status, Unknown) else status,
            source_status=order.status,
            title=None if part else order_title(order.number, items or ()),
            bills=(Bill(id=order.id, value=value, part=True) if part else Bill(value=value),),
            payments=(payment,) if deposit or (taken and not part) else (),
            refunds=_refunds(order, status, timed=event.kind != "order.restored"),
            ordered_at=order.date_created_gmt,
            paid_at=order.date_paid_gmt,
            customer=_customer(order, order.billing or Address(), order.shipping or Address()),
            items=items,
            test=True if any(order.notes.get(key) == mode for key, mode in TEST_MODES.items()) else None,
            deal_id=order.notes.get("deal_id"),
        )


def _error(code: str, data: Any) -> str:
    """What an error means that the shop sent in place of an order: the API's answer to the webhook's user."""
    status = data.get("status") if isinstance(data, dict) else None
    if status in (401, 403) or "cannot" in code or "forbidden" in code:
        return (
            f"the shop sent its own refusal ({code}) in place of the order: the webhook's user was deleted or may not "
            "read orders; save the webhook again as a user who may"
        )
    if "invalid_id" in code:
        return f"the shop sent its own error ({code}) in place of the order: it was gone when the webhook was sent"
    return f"the shop sent its own error ({code}) in place of the order: look into the shop's log"


def _deposit(order: WooCommerceOrder) -> Money | None:
    """What a plugin says that was paid of an order whose rest was not."""
    for plugin in DEPOSITS:
        paid, rest, amount = (
            order.notes.get(f"{plugin}_{name}") for name in ("deposit_paid", "second_payment_paid", "deposit_amount")
        )
        if paid == "yes" and rest != "yes" and amount and PLAIN.fullmatch(amount):
            return Money.major(amount, order.currency)
    return None


def _refunds(order: WooCommerceOrder, status: Status | Unknown | None, timed: bool) -> tuple[Refund, ...]:
    """Each that has an id (they are negative here), and all of them as a total, which tells of those that are gone.

    A parent that says that it has sub-orders tells no total: theirs have ids of their own and are not in its list. Nor
    does order.restored, which is `timed` by its receipt: what the next statement lists may have happened before.
    """
    listed, payment = order.refunds, order.id if order.is_part else None
    if listed is None:
        return ()
    backs = [(one.id, Money.major(abs(one.total), order.currency) if one.total is not None else None) for one in listed]
    by_word = not backs and status is Status.REFUNDED
    if any(back is None for _, back in backs) or (by_word and not payment) or _has_parts(order) or not timed:
        return tuple(Refund(id=str(name) if name else None, value=back, payment=payment) for name, back in backs)
    named = (Refund(id=str(name), value=back, payment=payment) for name, back in backs if name)
    nothing = Money.major(order.total if by_word else 0, order.currency)
    total = Money.total([nothing, *(back for _, back in backs)])
    return (*named, Refund(value=total, total=True, payment=payment))


def _has_parts(order: WooCommerceOrder) -> bool:
    return any("sub_order" in key for key in order.notes)


def _customer(order: WooCommerceOrder, billing: Address, shipping: Address) -> Customer:
    notes, names = order.notes, ("cpf", "cnpj", "cellphone")
    kept = {name: notes.get(f"_billing_{name}") or notes.get(f"billing_{name}") for name in names}
    buyer = Customer(
        name=billing.name or billing.company,
        id=None if order.customer_id == "0" else order.customer_id,  # 0 is every guest
        crm_id=order.notes.get("crm_contact_id"),
        emails=(billing.email,),
        phones=(billing.phone_e164 or billing.phone, billing.cellphone_e164 or billing.cellphone or kept["cellphone"]),
        documents=(billing.cpf or kept["cpf"], billing.cnpj or kept["cnpj"]),
        country=billing.country,
    )
    return buyer.or_recipient(shipping.name or shipping.company, shipping.phone, shipping.country)


def _item(line: Line, order: WooCommerceOrder) -> Item:
    """`price` is after coupons; what one costs before them is the line's subtotal, taxed where the shop's prices are."""
    quantity = Decimal(1) if line.quantity is None else line.quantity
    unit = None
    if line.subtotal is not None and quantity > 0:
        tax = line.subtotal_tax or 0 if order.prices_include_tax else 0
        unit = Money.major((line.subtotal + tax) / quantity, order.currency)
    return Item(title=unescape(line.name or ""), quantity=quantity, unit_value=unit, sku=line.sku)
