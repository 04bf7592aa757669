"""Shopify: the order as Shopify's REST API tells it, sent whole with most topics.

- Signing: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
- Topics and bodies: https://shopify.dev/docs/api/webhooks, headers: /docs/apps/build/webhooks/delivery-structure
- Order, Refund, Transaction, Dispute: https://shopify.dev/docs/api/admin-rest/latest/resources/order (…/refund, …)

This is longer than 400 lines: an order, its refunds and its disputes come in bodies of their own, in two currencies.

Decided here, and why:

- The delivery's id is X-Shopify-Webhook-Id, which a retry repeats ("ignore duplicate deliveries using
  X-Shopify-Webhook-Id"). X-Shopify-Event-Id names what the merchant did: orders/paid and orders/updated share one.
- "Events", Shopify's coming way to deliver (a preview), sends the same headers without `X-`, signed alike. Its bodies
  (topic `Order`) are no orders of the REST API and are ignored.
- The bill is `total_price` ("before returns"), not `current_total_price`, which shrinks with every refund. For orders
  edited down see `_value`. It is told in the shop's `currency` and in the buyer's; refunds and disputes come in the
  buyer's (manual of Transaction), and are converted by the order's own two totals, so that all of it back is all of the
  value. Where the order does not tell the second, the sums of the refund's lines do.
- What was taken is told by `financial_status` and `total_outstanding`: also of a deposit that went back, for `refunded`
  is said of all that was paid. So an order that was paid and then cancelled
  or deleted stays paid until the money goes back. Cash that was rounded at the counter counts as it was taken; rounded down,
  that is what the order comes to.
- A refund is as far as its transactions are; the order tells it again under the same id, also when one failed. A
  chargeback that is lost or accepted is money given back, in the dispute's own id; one that is won takes it back. An
  inquiry is no chargeback: what the merchant gives back on one comes as a refund.
- The signature covers the body alone. So a topic that takes away counts only for a body of its own shape, a cancelled
  order says `cancelled_at` in its body, X-Shopify-Test is believed by nobody, and X-Shopify-Triggered-At only sorts
  what is of one second (it counts nanoseconds) and dates what says no time.
- orders/edited is not read: it names lines and quantities but no totals, and orders/updated comes with it. Nor is
  order_transactions/create: what payments come to is `financial_status`.
- No URL: the admin's is not in the body, and `order_status_url` opens the buyer's page to whoever holds it.
- The recipient's name and phone are the buyer's only where the buyer has no other name; phones of the bill and at home
  (which may be where the first parcel went) are not if another is named there. A phone at home in another country
  than the bill's is read only with its country's number: all are read in one.
- `crm_contact_id` and `deal_id` are read from `note_attributes`, which a cart's attributes become. Buyers can write
  there, so they count only with `buyers_ids`.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from adapters.contract import (
    Adapter,
    Bill,
    BuyersIdsOptions,
    BuyersRequest,
    Customer,
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
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Privacy,
    Refund,
    RefundKind,
    RefundState,
    Request,
    ShopRequest,
    Status,
    Unknown,
    Unreadable,
    decimals,
    full_name,
    names_another,
    order_title,
    path,
    status_map,
)

Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]  # "398.00"

TRIGGERED_AT = Header("x-shopify-triggered-at", "shopify-triggered-at")
NANOSECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")

TAKEN = frozenset({"paid", "partially_refunded", "refunded"})
GIVEN_BACK = frozenset({"partially_refunded", "refunded"})
MOVED = {"success": RefundState.DONE, "pending": RefundState.PENDING}  # all other words: failed
DISPUTES = {
    **dict.fromkeys(("needs_response", "under_review"), RefundState.PENDING),
    **dict.fromkeys(("lost", "accepted"), RefundState.DONE),
    **dict.fromkeys(("won", "prevented", "charge_refunded"), RefundState.REVERSED),  # the last comes as a refund
}


class Transaction(Payload):
    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None
    currency: str | None = None


class RefundLine(Payload):
    shop: Amount | None = path("subtotal_set.shop_money.amount")
    buyer: Amount | None = path("subtotal_set.presentment_money.amount")
    shops_currency: str | None = path("subtotal_set.shop_money.currency_code")
    buyers_currency: str | None = path("subtotal_set.presentment_money.currency_code")


class ListedRefund(Payload):
    id: str | None = None
    created_at: IsoOrBlank = None
    processed_at: IsoOrBlank = None
    transactions: ListOf[Transaction] = ()
    lines: ListOf[RefundLine] = path("refund_line_items", otherwise=())


class CreatedRefund(ListedRefund):
    """refunds/create: alone, it has to say whose it is."""

    order_id: str
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
    buyers_total: Amount | None = path("total_price_set.presentment_money.amount")
    buyers_currency: str | None = path("total_price_set.presentment_money.currency_code")
    current_total_price: Amount | None = None
    buyers_current: Amount | None = path("current_total_price_set.presentment_money.amount")
    current_currency: str | None = path("current_total_price_set.presentment_money.currency_code")
    total_outstanding: Amount | None = None  # below zero: the buyer has paid more than the order comes to now
    rounding: Amount | None = path("total_cash_rounding_payment_adjustment_set.shop_money.amount")
    refunds: Entries[ListedRefund] | None = None
    customer_id: str | None = path("customer.id")
    first_name: str | None = path("customer.first_name")
    last_name: str | None = path("customer.last_name")
    billing_name: str | None = path("billing_address.name")
    company: str | None = path("billing_address.company")
    home_name: str | None = path("customer.default_address.name")
    recipients_name: str | None = path("shipping_address.name")
    customer_email: str | None = path("customer.email")
    email: str | None = None
    contact_email: str | None = None
    customer_phone: str | None = path("customer.phone")
    phone: str | None = None
    billing_phone: str | None = path("billing_address.phone")
    home_phone: str | None = path("customer.default_address.phone")
    recipients_phone: str | None = path("shipping_address.phone")
    billing_country: str | None = path("billing_address.country_code")
    shipping_country: str | None = path("shipping_address.country_code")
    home_country: str | None = path("customer.default_address.country_code")
    line_items: Entries[Line] | None = None
    notes: Metadata = path("note_attributes", otherwise={})


class DeletedOrder(Exact):
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
    options = BuyersIdsOptions
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
        "customers/data_request": Privacy(Request.EXPORT, 30, BuyersRequest),
        "customers/redact": Privacy(Request.ERASE, 30, BuyersRequest),
        "shop/redact": Privacy(Request.ERASE_SHOP, 30, ShopRequest),
    }
    statuses = status_map(  # financial_status; who cancels (`cancelled_at`) is asked for separately
        pending="pending authorized",
        partially_paid="partially_paid",
        paid="paid partially_refunded",
        refunded="refunded",
        canceled="voided expired",
    )

    def orders(self, payload: Payload, event: Event[Payload]) -> Iterable[Order]:
        match payload:
            case ShopifyOrder():
                yield self._order(payload, event)
            case CreatedRefund():
                refund = _refund(payload, payload.currency)
                if refund is None:
                    raise Ignored("a refund that moves no money")
                yield Order(external_id=payload.order_id, refunds=(refund,), **_when(event, refund.at))
            case Dispute():
                state = DISPUTES.get(payload.status or "")
                if payload.type != "chargeback" or state is None or not payload.order_id:
                    raise Ignored("a dispute that is no chargeback on an order")
                lost = Refund(
                    id=f"dispute:{payload.id}",
                    value=Money.major(payload.amount, payload.currency),
                    state=state,
                    kind=RefundKind.CHARGEBACK,
                    at=payload.finalized_on,
                )
                yield Order(external_id=payload.order_id, refunds=(lost,), **_when(event, payload.finalized_on))
            case DeletedOrder():
                yield Order(external_id=payload.id, status=Status.CANCELED, **_when(event, None))

    def _order(self, order: ShopifyOrder, event: Event[Payload]) -> Order:
        status, lines = self._status(order, event.kind), order.line_items
        refunds = tuple(filter(None, (_refund(refund, order.currency) for refund in order.refunds or ())))
        bill = _bill(order, status, refunds)
        items = None if lines is None else tuple(_item(line, order.currency) for line in lines)
        return Order(
            external_id=order.id,
            status=status,
            source_status=order.financial_status,
            title=order_title(order.name or order.order_number, items or ()),
            bills=(bill,) if bill else (),
            payments=_payments(order, bill, bill.value, refunds, event.kind) if bill and bill.value else (),
            refunds=refunds,
            ordered_at=order.processed_at or order.created_at,  # what the admin shows; an imported order has its own
            customer=_customer(order),
            items=items,
            test=order.test,
            deal_id=order.notes.get("deal_id"),
            **_when(event, order.updated_at),
        )

    def _status(self, order: ShopifyOrder, kind: str) -> Status | Unknown | None:
        status = self.status(order.financial_status)
        # A cancelled order that was paid back in full carries both; that the money went back is the later truth.
        # The kind alone says it only of a body that leaves the field out: no signature covers the kind.
        told_by_kind = kind == "orders/cancelled" and "cancelled_at" not in order.model_fields_set
        if (order.cancelled_at or told_by_kind) and status is not Status.REFUNDED:
            return Status.CANCELED
        return Status.PAID if status is None and kind == "orders/paid" else status


def _when(event: Event[Payload], told: datetime | None) -> dict[str, Any]:
    """When the body says that it was true, else when Shopify sent it, which no signature covers.

    `sequence` is that to the nanosecond, as a text that sorts.
    """
    text = TRIGGERED_AT.read(event.delivery, dict) or ""
    exact = NANOSECONDS.fullmatch(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return {"at": told}
    sequence = f"{exact[1]}.{exact[2] or '':0<9}" if exact else None
    return {"at": told or at, "unsigned_at": told is None, "sequence": sequence}


def _bill(order: ShopifyOrder, status: Status | Unknown | None, refunds: tuple[Refund, ...]) -> Bill | None:
    """What the order comes to before refunds, in the shop's currency, and in the buyer's where that is another."""
    placed = Money.major(order.total_price, order.currency)
    if placed is None:
        return None
    also = None
    if order.buyers_total and order.buyers_currency and order.buyers_currency != placed.currency:
        also = Money.major(order.buyers_total, order.buyers_currency)
    kept = _kept(order, status, refunds, also or placed)
    if kept is None and (down := Money.major(min(order.rounding or 0, 0), placed.currency)).minor:
        return Bill(value=Money(max(placed.minor + down.minor, 0), placed.currency), also=also)
    if kept is None:
        return Bill(value=placed, also=also)
    if also is None:
        return Bill(value=kept)
    return Bill(value=Money(_share(placed.minor, kept.minor, also.minor), placed.currency), also=kept)


def _kept(
    order: ShopifyOrder, status: Status | Unknown | None, refunds: tuple[Refund, ...], whole: Money
) -> Money | None:
    """What an order that was edited down comes to, in the currency of `whole`; None where it was not, or nobody can tell.

    A line that an edit takes off before it is paid stays in `total_price` and leaves only `current_total_price`; no
    money goes back. So what the order comes to now and what went back, together, are the value when that is less.
    It cannot be told while a refund is on its way or still to be made, nor where the body leaves refunds out, nor when
    a cancellation has taken all lines off. A refund that failed took nothing off if it names no lines.
    """
    now = Money.major(order.current_total_price, order.currency)
    if now is None or now.currency != whole.currency:
        now = Money.major(order.buyers_current, order.current_currency) if order.current_currency else None
    if now is None or now.currency != whole.currency or whole.minor == 0:
        return None
    left_out = order.refunds is None or (order.financial_status in GIVEN_BACK and not refunds)
    if left_out or (order.total_outstanding or 0) < 0 or (status is Status.CANCELED and now.minor == 0):
        return None
    if any(_may_move(refund) for refund in order.refunds or ()):
        return None
    back = [refund.value for refund in refunds if refund.value and refund.state is RefundState.DONE]
    if any(money.currency != whole.currency for money in back):
        return None
    kept = now.minor + sum(money.minor for money in back)
    failed = sum(refund.value.minor for refund in refunds if refund.value and refund.state is RefundState.FAILED)
    unedited = failed > 0 and kept + failed == whole.minor  # what failed is all that is missing
    return Money(kept, whole.currency) if kept < whole.minor and not unedited else None


def _may_move(refund: ListedRefund) -> bool:
    """Whether a refund took something off the order whose money did not go back, or not yet."""
    states = {each.status for each in refund.transactions if each.kind == "refund"}
    return not states <= {"success"} and not (states <= {"failure", "error"} and not refund.lines)


def _share(whole: int, part: int, of: int) -> int:
    return (2 * whole * part + of) // (2 * of)


def _payments(
    order: ShopifyOrder, bill: Bill, value: Money, refunds: tuple[Refund, ...], kind: str
) -> tuple[Payment, ...]:
    """What is promised or taken. Only orders/paid, and an order that was made paid, say when."""
    if order.financial_status == "authorized":
        return (Payment(value=value, state=PaymentState.AUTHORIZED),)
    if order.financial_status in TAKEN:
        if order.rounding and order.rounding > 0:
            value = Money(value.minor + Money.major(order.rounding, order.currency).minor, value.currency)
        when = order.updated_at if kind == "orders/paid" else (order.processed_at or order.created_at)
        told = order.financial_status == "paid" and kind in ("orders/paid", "orders/create")
        value = (order.financial_status in GIVEN_BACK and _part(order, bill, value, refunds)) or value
        return (Payment(value=value, state=PaymentState.TAKEN, at=when if told else None),)
    part = _part(order, bill, value, refunds) if order.financial_status == "partially_paid" else None
    return (Payment(value=part, state=PaymentState.TAKEN),) if part else ()


def _part(order: ShopifyOrder, bill: Bill, value: Money, refunds: tuple[Refund, ...]) -> Money | None:
    """What was taken, where that is less than the value: what the order comes to now, less what is open, and what went back.

    An order of which only a deposit was paid is `refunded` when all of the deposit went back. None where nobody can tell.
    """
    open_, now = (Money.major(one, value.currency) for one in (order.total_outstanding, order.current_total_price))
    moved = [refund for refund in refunds if refund.state is not RefundState.FAILED]
    back = [_in_shop(refund.value, bill, value) for refund in moved if refund.state is RefundState.DONE]
    if order.financial_status == "partially_refunded" and now and not now.minor:
        return None  # all lines are gone, not all of the money: the rest was kept
    known = now and len(back) == len(moved) and None not in back
    if open_ is None or (order.financial_status in GIVEN_BACK and not (known and back)):
        return None
    taken = (now.minor + sum(filter(None, back)) if now and known else value.minor) - open_.minor
    rounded = 0 if bill.also is None else len(moved)  # by so much at most
    return Money(taken, value.currency) if 0 < taken < value.minor - rounded else None


def _in_shop(money: Money | None, bill: Bill, value: Money) -> int | None:
    """The amount in the shop's currency; None where the order does not convert it."""
    if money is None or money.currency == value.currency:
        return money.minor if money else None
    also = bill.also
    return _share(value.minor, money.minor, also.minor) if also and also.currency == money.currency else None


def _refund(refund: ListedRefund, usual: str | None) -> Refund | None:
    """A refund as far as its transactions are; None where none of them moves money."""
    moves = [each for each in refund.transactions if each.kind == "refund" and each.amount]
    if not moves:
        return None
    states = [MOVED.get(each.status or "", RefundState.FAILED) for each in moves]
    state = next(state for state in (RefundState.DONE, RefundState.PENDING, RefundState.FAILED) if state in states)
    told = [each for each, its in zip(moves, states, strict=True) if its is state]
    currency = told[0].currency or usual
    if not currency:
        raise Unreadable("transactions.currency: is needed wherever an amount is given")
    amount = sum((each.amount or Decimal(0) for each in told if (each.currency or usual) == currency), Decimal(0))
    at = refund.processed_at or refund.created_at
    value = Money.major(amount, currency)
    return Refund(id=refund.id, value=value, state=state, at=at, also=_by_lines(refund, value))


def _by_lines(refund: ListedRefund, value: Money) -> Money | None:
    """A refund in the buyer's currency, converted by the two sums of its lines."""
    lines = [line for line in refund.lines if line.buyers_currency == value.currency != line.shops_currency]
    shop, buyer = sum(line.shop or 0 for line in lines), sum(line.buyer or 0 for line in lines)
    if not lines or shop <= 0 or buyer <= 0:
        return None
    number = Decimal(value.minor).scaleb(-decimals(value.currency))
    return Money.major(number * shop / buyer, lines[0].shops_currency)


def _customer(order: ShopifyOrder) -> Customer:
    name = full_name(order.first_name, order.last_name)
    billing_phone = None if names_another(order.billing_name, name) else order.billing_phone
    name = name or order.billing_name
    elsewhere = order.billing_country and order.home_country not in (None, order.billing_country)
    unread = elsewhere and not (order.home_phone or "").startswith("+")
    home_phone = None if unread or names_another(order.home_name, name) else order.home_phone
    buyer = Customer(
        name=name or order.company or order.home_name,
        id=order.customer_id,
        crm_id=order.notes.get("crm_contact_id"),
        emails=(order.customer_email, order.email, order.contact_email),
        phones=(order.customer_phone, order.phone, billing_phone, home_phone),
        country=order.billing_country or order.home_country,
    )
    country = order.shipping_country or order.home_country
    return buyer.or_recipient(order.recipients_name, order.recipients_phone, country)


def _item(line: Line, currency: str | None) -> Item:
    title, price = line.title or line.name, Money.major(line.price, currency)
    return Item(title=title, quantity=line.quantity, unit_value=price, sku=line.sku)
