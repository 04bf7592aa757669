"""Shopify: the order as Shopify's REST API tells it, sent whole with most topics.

- Signing: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
- Topics and bodies: https://shopify.dev/docs/api/webhooks, headers: /docs/apps/build/webhooks/delivery-structure
- Order, Refund, Transaction, Dispute: https://shopify.dev/docs/api/admin-rest/latest/resources/order (…/refund, …)

Decided here, and why:

- The delivery's id is X-Shopify-Webhook-Id, which a retry repeats ("ignore duplicate deliveries using
  X-Shopify-Webhook-Id"). X-Shopify-Event-Id names what the merchant did: orders/paid and orders/updated share one.
- "Events", Shopify's coming way to deliver (a preview), sends the same headers without `X-`, signed alike. Its bodies
  (topic `Order`) are no orders of the REST API and are ignored.
- The value is `total_price` ("before returns"), not `current_total_price`, which shrinks with every refund: refunds
  are told beside the value, and gross − refunded is what the shop kept. For orders edited down see `_value`.
- Money is in the shop's `currency`. Refunds of an order sold in another one come in the buyer's currency (manual of
  Transaction) and are converted by the order's own two totals, so that all of it back is all of the value.
- A refund counts when its transactions have succeeded. The order tells it again, under the same id.
- orders/edited is not read: it names lines and quantities but no totals, and orders/updated comes with it. Nor is
  order_transactions/create: what payments come to is `financial_status`.
- No URL: the admin's is not in the body, and `order_status_url` opens the buyer's page to whoever holds it.
- `crm_contact_id` and `deal_id` are read from `note_attributes`, which a cart's attributes become. Buyers can write
  there as well, so they are worth no more than the e-mail that a buyer types.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from adapters.contract import (
    Adapter,
    Customer,
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
    Privacy,
    Request,
    Status,
    Unknown,
    Unreadable,
    order_title,
)

Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]  # "398.00"

GIVEN_BACK = frozenset({"refunded", "partially_refunded"})

# X-Shopify-Test comes with the button "Send test notification", whose order is made up.
TEST = Header("x-shopify-test")
TRIGGERED_AT = Header("x-shopify-triggered-at", "shopify-triggered-at")


class ShopMoney(Payload):
    amount: Amount | None = None
    currency_code: str | None = None


class MoneySet(Payload):
    shop_money: ShopMoney | None = None
    presentment_money: ShopMoney | None = None


class Transaction(Payload):
    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None
    currency: str | None = None


class Refund(Payload):
    id: str
    order_id: str | None = None
    created_at: IsoOrBlank = None
    processed_at: IsoOrBlank = None
    transactions: list[Transaction] | None = None
    total_duties_set: MoneySet | None = None


class CreatedRefund(Refund):
    """refunds/create: alone, it has to say whose it is."""

    order_id: str


class Address(Payload):
    name: str | None = None
    phone: str | None = None


class Buyer(Payload):
    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    default_address: Address | None = None


class Line(Payload):
    title: str | None = None
    name: str | None = None
    quantity: Amount | None = None
    price: Amount | None = None
    sku: str | None = None


NOBODY, NOWHERE = Buyer(), Address()


class NoteAttribute(Payload):
    name: str | None = None
    value: Any = None


class ShopifyOrder(Payload):
    """Everything but the id may be missing: `include_fields` of a subscription trims the body."""

    id: str
    name: str | None = None
    order_number: str | None = None
    test: bool | None = None
    financial_status: str | None = None
    created_at: IsoOrBlank = None
    processed_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    cancelled_at: IsoOrBlank = None
    currency: str | None = None
    total_price: Amount | None = None
    total_price_set: MoneySet | None = None
    current_total_price: Amount | None = None
    total_outstanding: Amount | None = None  # below zero: the buyer has paid more than the order comes to now
    refunds: list[Refund] | None = None
    email: str | None = None
    contact_email: str | None = None
    phone: str | None = None
    customer: Buyer | None = None
    billing_address: Address | None = None
    line_items: list[Line] | None = None
    note_attributes: list[NoteAttribute] | None = None


class DeletedOrder(Payload):
    id: str


class Dispute(Payload):
    id: str
    order_id: str | None = None
    type: str | None = None
    status: str | None = None
    amount: Amount
    currency: str
    finalized_on: IsoOrBlank = None


class Shopify(Adapter[Payload]):
    name, title, origin = "shopify", "Shopify", Origin.COMMERCE
    links = Links(
        signing="https://shopify.dev/docs/apps/build/webhooks/verify-deliveries",
        payload="https://shopify.dev/docs/api/webhooks",
    )
    setup = (
        "In the shop's admin open Settings → Notifications → Webhooks.",
        "Create a webhook for each of: Order creation, Order update, Order payment, Order cancellation, Order deletion, "
        "Refund create. Format JSON, URL {webhook_url}, the latest stable API version.",
        "Below the list stands “Your webhooks will be signed with …”: give that value to this source as its secret.",
        "Of an app's own webhooks the secret is the app's client secret. They can send disputes/update as well (a lost "
        "chargeback counts as refunded). Do not trim the bodies with include_fields.",
        "Optional: cart or draft order attributes named crm_contact_id and deal_id lead to the CRM's contact and deal.",
    )
    topics = (
        "orders/create",
        "orders/updated",
        "orders/paid",
        "orders/cancelled",
        "orders/delete",
        "refunds/create",
        "disputes/update",
    )
    signature = Hmac(header=("x-shopify-hmac-sha256", "shopify-hmac-sha256"), encoding="base64")
    kind = Header("x-shopify-topic", "shopify-topic")
    delivery_id = Header("x-shopify-webhook-id", "shopify-webhook-id")
    reads = {
        "orders/create": ShopifyOrder,
        "orders/updated": ShopifyOrder,
        "orders/paid": ShopifyOrder,
        "orders/cancelled": ShopifyOrder,
        "orders/fulfilled": ShopifyOrder,
        "orders/partially_fulfilled": ShopifyOrder,
        "orders/delete": DeletedOrder,
        "refunds/create": CreatedRefund,
        "disputes/create": Dispute,
        "disputes/update": Dispute,
    }
    ignores = frozenset(
        {
            "app/*",
            "bulk_operations/*",
            "carts/*",
            "checkouts/*",
            "collections/*",
            "customer*/*",
            "draft_orders/*",
            "fulfillment*/*",
            "inventory_*/*",
            "locations/*",
            "product*/*",
            "shop/*",
            "themes/*",
        }
    )
    # https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance: to be fulfilled within 30 days
    privacy = {
        "customers/data_request": Privacy(Request.EXPORT, 30),
        "customers/redact": Privacy(Request.ERASE, 30),
        "shop/redact": Privacy(Request.ERASE_SHOP, 30),
    }
    statuses = {  # financial_status; who cancels (`cancelled_at`) is asked for separately
        "pending": Status.PENDING,
        "authorized": Status.PENDING,
        "partially_paid": Status.PARTIALLY_PAID,
        "paid": Status.PAID,
        "partially_refunded": Status.PAID,
        "refunded": Status.REFUNDED,
        "voided": Status.CANCELED,
        "expired": Status.CANCELED,
    }

    def orders(self, payload: Payload, event: Event[Payload]) -> Iterable[Order]:
        at, test = _triggered_at(event), TEST.read(event.delivery, dict) == "true" or None
        match payload:
            case ShopifyOrder():
                yield self._order(payload, event.kind, payload.updated_at or at, test)
            case CreatedRefund():
                back = _given_back(payload, None)
                if back is None:
                    raise Ignored("a refund that has moved no money (yet)")
                at = payload.processed_at or payload.created_at or at
                yield Order(external_id=payload.order_id, at=at, refunds={payload.id: back}, test=test)
            case Dispute():
                # An inquiry is no chargeback, and what the merchant gives back on one comes as a refund.
                if payload.type != "chargeback" or payload.status not in ("lost", "accepted") or not payload.order_id:
                    raise Ignored("a dispute that is not a lost chargeback on an order")
                lost = {f"dispute:{payload.id}": Money.major(payload.amount, payload.currency)}
                yield Order(external_id=payload.order_id, at=payload.finalized_on or at, refunds=lost, test=test)
            case DeletedOrder():
                yield Order(external_id=payload.id, at=at, status=Status.CANCELED, test=test)

    def _order(self, order: ShopifyOrder, kind: str, at: datetime | None, test: bool | None) -> Order:
        status = self._status(order, kind)
        refunds = {refund.id: back for refund in order.refunds or () if (back := _given_back(refund, order))}
        lines = order.line_items
        return Order(
            external_id=order.id,
            at=at,
            status=status,
            source_status=order.financial_status or None,
            title=order_title(order.name or order.order_number, [line.title or line.name for line in lines or ()]),
            value=_value(order, status, refunds),
            refunds=refunds or None,
            ordered_at=order.processed_at or order.created_at,  # what the admin shows; an imported order has its own
            paid_at=_paid_at(order, kind, status, at),
            customer=_customer(order),
            items=None if lines is None else tuple(_item(line, order) for line in lines),
            test=test or order.test,
            deal_id=_note(order, "deal_id"),
        )

    def _status(self, order: ShopifyOrder, kind: str) -> Status | Unknown | None:
        status = self.status(order.financial_status)
        # A cancelled order that was paid back in full carries both; that the money went back is the later truth.
        if (order.cancelled_at or kind == "orders/cancelled") and status is not Status.REFUNDED:
            return Status.CANCELED
        return Status.PAID if status is None and kind == "orders/paid" else status


def _triggered_at(event: Event[Payload]) -> datetime | None:
    try:
        return datetime.fromisoformat(TRIGGERED_AT.read(event.delivery, dict) or "")
    except ValueError:
        return None


def _paid_at(order: ShopifyOrder, kind: str, status: Status | Unknown | None, at: datetime | None) -> datetime | None:
    """No field tells it: it is when orders/paid was said, or when an order was made that was paid at once."""
    if status is not Status.PAID or order.financial_status == "partially_refunded":
        return None
    if kind == "orders/create":
        return order.processed_at or order.created_at
    return at if kind == "orders/paid" else None


def _money(amount: Decimal | None, order: ShopifyOrder) -> Money | None:
    if amount is None:
        return None
    if not order.currency:
        raise Unreadable("currency: is needed wherever an amount is given")
    return Money.major(amount, order.currency)


def _value(order: ShopifyOrder, status: Status | Unknown | None, refunds: dict[str, Money]) -> Money | None:
    """What the buyer pays in total, before refunds.

    A line that an edit takes off before it is paid stays in `total_price` and leaves only `current_total_price`; no
    money goes back. So what the order comes to now and what went back, together, are the value when that is less.
    It cannot be told while a refund is on its way or still to be made, nor where the body leaves refunds out.
    """
    placed, now = _money(order.total_price, order), _money(order.current_total_price, order)
    if placed is None or now is None or status is Status.CANCELED or _foreign(order):
        return placed
    open_refund = any(
        transaction.kind == "refund" and transaction.status != "success"
        for refund in order.refunds or ()
        for transaction in refund.transactions or ()
    )
    left_out = order.refunds is None or (order.financial_status in GIVEN_BACK and not refunds)
    if open_refund or left_out or (order.total_outstanding or 0) < 0:
        return placed
    back = sum(money.minor for money in refunds.values() if money.currency == placed.currency)
    return Money(min(placed.minor, now.minor + back), placed.currency)


def _foreign(order: ShopifyOrder) -> tuple[Decimal, Decimal, str] | None:
    """What the order comes to in the shop's and in the buyer's currency, and the latter, where they differ."""
    totals = order.total_price_set
    if totals is None or (shop := totals.shop_money) is None or (buyer := totals.presentment_money) is None:
        return None
    if not shop.amount or not buyer.amount or not buyer.currency_code or buyer.currency_code == order.currency:
        return None
    return shop.amount, buyer.amount, buyer.currency_code


def _given_back(refund: Refund, order: ShopifyOrder | None) -> Money | None:
    """The money of a refund that went back: its successful transactions. None when there is none."""
    foreign = _foreign(order) if order else None
    duties = refund.total_duties_set.shop_money if refund.total_duties_set else None
    usual = order.currency if order else duties.currency_code if duties else None
    back: dict[str, Decimal] = {}
    for transaction in refund.transactions or ():
        if transaction.kind != "refund" or transaction.status != "success" or not transaction.amount:
            continue
        currency, amount = transaction.currency or usual, transaction.amount
        if not currency:
            raise Unreadable("transactions.currency: is needed wherever an amount is given")
        if foreign and currency == foreign[2] and usual:
            currency, amount = usual, amount * foreign[0] / foreign[1]
        back[currency] = back.get(currency, Decimal(0)) + amount
    if not back:
        return None
    currency = usual if usual in back else next(iter(back))
    return Money.major(back[currency], currency)


def _note(order: ShopifyOrder, name: str) -> str | None:
    for note in order.note_attributes or ():
        if note.name == name and isinstance(note.value, str | int) and not isinstance(note.value, bool):
            return str(note.value).strip() or None
    return None


def _customer(order: ShopifyOrder) -> Customer | None:
    buyer, billing = order.customer or NOBODY, order.billing_address or NOWHERE
    home = buyer.default_address or NOWHERE
    name = " ".join(part.strip() for part in (buyer.first_name, buyer.last_name) if part and part.strip())
    customer = Customer(
        name=name or billing.name or home.name or None,
        id=buyer.id or None,
        crm_id=_note(order, "crm_contact_id"),
        emails=_each(buyer.email, order.email, order.contact_email),
        phones=_each(buyer.phone, order.phone, billing.phone, home.phone),
    )
    return None if customer == Customer() else customer


def _each(*values: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _item(line: Line, order: ShopifyOrder) -> Item:
    return Item(
        title=line.title or line.name or "–",
        quantity=1 if line.quantity is None else line.quantity,
        unit_value=_money(line.price, order),
        sku=line.sku or None,
    )
