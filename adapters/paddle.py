"""Paddle (Billing): transactions, and the adjustments that give money back.

- Signing: https://developer.paddle.com/webhooks/signature-verification
- Transactions: https://developer.paddle.com/webhooks/transactions/transaction-completed (others beside it)
- Adjustments: https://developer.paddle.com/webhooks/adjustments/adjustment-created

Decided here, and why:

- Paddle's own SDKs take a signature that is at most 5 seconds old, and so do we; a machine whose clock is off may be
  given more (`tolerance`). The same event twice is one in any case.
- The customer is only an id (`ctm_…`); customer.created tells of a person and of no order.
- A failed payment is one try: its transaction stays `ready` (pending) or becomes `past_due`.
- The value is `grand_total`, what is charged after the customer's own credit. Credits given later lower nothing here;
  a refund or chargeback counts once Paddle has approved it, and none at all once it is reversed.
- Drafts are carts.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field as Range

from adapters.contract import (
    Adapter,
    Customer,
    Event,
    Field,
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
    Signature,
    Status,
    TimestampedHmac,
    currency_code,
    decimals,
    order_title,
)


class PaddleOptions(Options):
    """`tolerance` is how many seconds old a signature may be."""

    tolerance: Annotated[int, Range(ge=1, le=3600)] = 5


class Totals(Payload):
    total: str | None = None
    grand_total: str | None = None


class UnitTotals(Payload):
    subtotal: str | None = None


class Product(Payload):
    name: str | None = None


class LineItem(Payload):
    quantity: int | None = None
    product: Annotated[Product | None, IfObject] = None
    unit_totals: Annotated[UnitTotals | None, IfObject] = None


class Details(Payload):
    totals: Totals
    line_items: list[LineItem] | None = None


class Attempt(Payload):
    status: str | None = None
    captured_at: IsoOrBlank = None


class CustomData(Payload):
    crm_contact_id: str | None = None
    deal_id: str | None = None


class Transaction(Payload):
    id: str
    status: str
    currency_code: str
    details: Details
    customer_id: str | None = None
    invoice_number: str | None = None
    payments: list[Attempt] | None = None
    custom_data: Annotated[CustomData | None, IfObject] = None
    created_at: IsoOrBlank = None


class Adjustment(Payload):
    id: str
    action: str
    status: str
    transaction_id: str
    currency_code: str
    totals: Totals


class Told(Payload):
    occurred_at: IsoOrBlank = None
    data: Transaction


class Adjusted(Payload):
    occurred_at: IsoOrBlank = None
    data: Adjustment


class Paddle(Adapter[Any]):
    name, title, origin = "paddle", "Paddle", Origin.PAYMENTS
    links = Links(
        signing="https://developer.paddle.com/webhooks/signature-verification",
        payload="https://developer.paddle.com/webhooks/transactions/transaction-completed",
    )
    setup = (
        "In Paddle open Developer tools → Notifications → New destination.",
        "Choose Webhook as the type, give {webhook_url} as the URL, and choose the events listed under topics.",
        "Save it, open its menu → Edit destination, and give the Secret key shown there (pdl_ntfset_…) to this source as "
        "its secret.",
        "Let this machine's clock be set by the network (NTP): a signature may be 5 seconds old (option tolerance).",
        "Optional: crm_contact_id and deal_id in a transaction's custom_data lead to the CRM's contact and deal.",
    )
    topics = (
        "transaction.ready",
        "transaction.billed",
        "transaction.updated",
        "transaction.paid",
        "transaction.completed",
        "transaction.past_due",
        "transaction.payment_failed",
        "transaction.canceled",
        "adjustment.created",
        "adjustment.updated",
    )
    signature = TimestampedHmac(
        header="paddle-signature", time_name="ts", mac_name="h1", between=";", joined_by=":", tolerance=5
    )
    kind = Field("event_type")
    delivery_id = Field("event_id")
    reads = {
        "transaction.created": Told,
        "transaction.revised": Told,
        **{topic: Adjusted if topic.startswith("adjustment.") else Told for topic in topics},
    }
    ignores = frozenset(
        {"customer.*", "address.*", "business.*", "subscription.*", "product.*", "price.*", "discount*.*", "payout.*"}
        | {"payment_method.*", "report.*", "api_key*.*", "client_token.*"}
    )
    options = PaddleOptions
    statuses = {
        "ready": Status.PENDING,
        "billed": Status.PENDING,
        "paid": Status.PAID,
        "completed": Status.PAID,
        "past_due": Status.OVERDUE,
        "canceled": Status.CANCELED,
    }
    patience = "takes 200 within 5 seconds; tries again 60 times in 3 days (sandbox: 3 times in 15 minutes)"

    def scheme(self, options: Any) -> Signature:
        return replace(self.signature, tolerance=options.tolerance) if options else self.signature

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        match payload:
            case Told():
                yield self._transaction(payload)
            case Adjusted():
                yield _adjustment(payload)

    def _transaction(self, told: Told) -> Order:
        sale, totals = told.data, told.data.details.totals
        if sale.status == "draft":
            raise Ignored("a draft, which is a cart")
        lines, known = sale.details.line_items or [], sale.custom_data or CustomData()
        status = self.status(sale.status)
        charged = totals.grand_total if totals.grand_total is not None else totals.total
        captured = [one.captured_at for one in sale.payments or [] if one.status == "captured" and one.captured_at]
        names = [line.product.name if line.product else None for line in lines]
        return Order(
            external_id=sale.id,
            at=told.occurred_at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.invoice_number, names),
            value=None if charged is None else _money(charged, sale.currency_code),
            ordered_at=sale.created_at,
            paid_at=captured[0] if captured and status is Status.PAID else None,
            customer=Customer(id=sale.customer_id or None, crm_id=known.crm_contact_id or None)
            if sale.customer_id or known.crm_contact_id
            else None,
            items=tuple(
                Item(
                    title=name or "–",
                    quantity=1 if line.quantity is None else line.quantity,
                    unit_value=_money(line.unit_totals.subtotal, sale.currency_code)
                    if line.unit_totals and line.unit_totals.subtotal
                    else None,
                )
                for line, name in zip(lines, names, strict=True)
            )
            or None,
            deal_id=known.deal_id or None,
        )


def _adjustment(adjusted: Adjusted) -> Order:
    adjustment = adjusted.data
    if adjustment.action not in ("refund", "chargeback", "chargeback_reverse"):
        raise Ignored("an adjustment that gives no money back")
    if adjustment.status not in ("approved", "reversed", "rejected"):
        raise Ignored("an adjustment that is not approved yet")
    given = adjustment.status == "approved" and adjustment.action != "chargeback_reverse"
    money = _money(adjustment.totals.total or "0", adjustment.currency_code)
    return Order(
        external_id=adjustment.transaction_id,
        at=adjusted.occurred_at,
        # What a chargeback took and its reverse brings back has two ids; it counts under one.
        refunds={
            adjustment.id if adjustment.action == "refund" else "chargeback": money
            if given
            else Money(0, money.currency)
        },
    )


def _money(amount: str, currency: str) -> Money:
    """Text of the currency's smallest units ("65215")."""
    code = currency_code(currency)
    return Money.scaled(amount, decimals(code), code)
