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
from typing import Annotated

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
    ListOf,
    Metadata,
    Money,
    Order,
    Origin,
    Payload,
    Privacy,
    Request,
    Status,
    Unknown,
    Unreadable,
    full_name,
    order_title,
    path,
    status_map,
)

Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]  # "398.00"

# What an order comes to in the shop's and in the buyer's currency, and the latter, where they differ.
Foreign = tuple[Decimal, Decimal, str]

GIVEN_BACK = frozenset({"refunded", "partially_refunded"})

# X-Shopify-Test comes with the button "Send test notification", whose order is made up.
TEST = Header("x-shopify-test")
TRIGGERED_AT = Header("x-shopify-triggered-at", "shopify-triggered-at")


class Transaction(Payload):
    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None
    currency: str | None = None


class Refund(Payload):
    id: str
    transactions: ListOf[Transaction] = ()


class CreatedRefund(Refund):
    """refunds/create: alone, it has to say whose it is."""

    order_id: str
    created_at: IsoOrBlank = None
    processed_at: IsoOrBlank = None
    currency: str | None = path("total_duties_set.shop_money.currency_code")


class Line(Payload):
    title: str | None = None
    name: str | None = None
    quantity: Amount | None = None
    price: Amount | None = None
    sku: str | None = None


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
    shop_total: Amount | None = path("total_price_set.shop_money.amount")
    buyers_total: Amount | None = path("total_price_set.presentment_money.amount")
    buyers_currency: str | None = path("total_price_set.presentment_money.currency_code")
    current_total_price: Amount | None = None
    total_outstanding: Amount | None = None  # below zero: the buyer has paid more than the order comes to now
    refunds: list[Refund] | None = None
    customer_id: str | None = path("customer.id")
    first_name: str | None = path("customer.first_name")
    last_name: str | None = path("customer.last_name")
    billing_name: str | None = path("billing_address.name")
    home_name: str | None = path("customer.default_address.name")
    customer_email: str | None = path("customer.email")
    email: str | None = None
    contact_email: str | None = None
    customer_phone: str | None = path("customer.phone")
    phone: str | None = None
    billing_phone: str | None = path("billing_address.phone")
    home_phone: str | None = path("customer.default_address.phone")
    line_items: list[Line] | None = None
    notes: Metadata = path("note_attributes", otherwise={})

    @property
    def foreign(self) -> Foreign | None:
        shop, buyer, currency = self.shop_total, self.buyers_total, self.buyers_currency
        return (shop, buyer, currency) if shop and buyer and currency and currency != self.currency else None


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
    topics = tuple(
        "orders/create orders/updated orders/paid orders/cancelled orders/delete refunds/create disputes/update".split()
    )
    signature = Hmac(header=("x-shopify-hmac-sha256", "shopify-hmac-sha256"), encoding="base64")
    kind = Header("x-shopify-topic", "shopify-topic")
    delivery_id = Header("x-shopify-webhook-id", "shopify-webhook-id")
    reads = {
        **dict.fromkeys("orders/create orders/updated orders/paid orders/cancelled".split(), ShopifyOrder),
        **dict.fromkeys("orders/fulfilled orders/partially_fulfilled".split(), ShopifyOrder),
        "orders/delete": DeletedOrder,
        "refunds/create": CreatedRefund,
        **dict.fromkeys("disputes/create disputes/update".split(), Dispute),
    }
    ignores = frozenset(
        "app/* bulk_operations/* carts/* checkouts/* collections/* customer*/* draft_orders/* fulfillment*/* "
        "inventory_*/* locations/* product*/* shop/* themes/*".split()
    )
    # https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance: to be fulfilled within 30 days
    privacy = {
        "customers/data_request": Privacy(Request.EXPORT, 30),
        "customers/redact": Privacy(Request.ERASE, 30),
        "shop/redact": Privacy(Request.ERASE_SHOP, 30),
    }
    statuses = status_map(  # financial_status; who cancels (`cancelled_at`) is asked for separately
        pending="pending authorized",
        partially_paid="partially_paid",
        paid="paid partially_refunded",
        refunded="refunded",
        canceled="voided expired",
    )

    def orders(self, payload: Payload, event: Event[Payload]) -> Iterable[Order]:
        at, test = _triggered_at(event), TEST.read(event.delivery, dict) == "true" or None
        match payload:
            case ShopifyOrder():
                yield self._order(payload, event.kind, payload.updated_at or at, test)
            case CreatedRefund():
                back = _given_back(payload, payload.currency)
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
        status, currency, lines = self._status(order, kind), order.currency, order.line_items
        items = None if lines is None else tuple(_item(line, currency) for line in lines)
        returned = ((refund.id, _given_back(refund, currency, order.foreign)) for refund in order.refunds or ())
        refunds = {name: back for name, back in returned if back}
        return Order(
            external_id=order.id,
            at=at,
            status=status,
            source_status=order.financial_status,
            title=order_title(order.name or order.order_number, items or ()),
            value=_value(order, status, refunds),
            refunds=refunds,
            ordered_at=order.processed_at or order.created_at,  # what the admin shows; an imported order has its own
            paid_at=_paid_at(order, kind, status, at),
            customer=Customer(
                name=full_name(order.first_name, order.last_name) or order.billing_name or order.home_name,
                id=order.customer_id,
                crm_id=order.notes.get("crm_contact_id"),
                emails=(order.customer_email, order.email, order.contact_email),
                phones=(order.customer_phone, order.phone, order.billing_phone, order.home_phone),
            ),
            items=items,
            test=test or order.test,
            deal_id=order.notes.get("deal_id"),
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


def _value(order: ShopifyOrder, status: Status | Unknown | None, refunds: dict[str, Money]) -> Money | None:
    """What the buyer pays in total, before refunds.

    A line that an edit takes off before it is paid stays in `total_price` and leaves only `current_total_price`; no
    money goes back. So what the order comes to now and what went back, together, are the value when that is less.
    It cannot be told while a refund is on its way or still to be made, nor where the body leaves refunds out.
    """
    placed = Money.major(order.total_price, order.currency)
    now = Money.major(order.current_total_price, order.currency)
    if placed is None or now is None or status is Status.CANCELED or order.foreign:
        return placed
    moves = [transaction for refund in order.refunds or () for transaction in refund.transactions]
    open_refund = any(each.kind == "refund" and each.status != "success" for each in moves)
    left_out = order.refunds is None or (order.financial_status in GIVEN_BACK and not refunds)
    if open_refund or left_out or (order.total_outstanding or 0) < 0:
        return placed
    back = sum(money.minor for money in refunds.values() if money.currency == placed.currency)
    return Money(min(placed.minor, now.minor + back), placed.currency)


def _given_back(refund: Refund, usual: str | None, foreign: Foreign | None = None) -> Money | None:
    """The money of a refund that went back: its successful transactions. None when there is none."""
    back: dict[str, Decimal] = {}
    for transaction in refund.transactions:
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


def _item(line: Line, currency: str | None) -> Item:
    title, price = line.title or line.name, Money.major(line.price, currency)
    return Item(title=title, quantity=line.quantity, unit_value=price, sku=line.sku)
