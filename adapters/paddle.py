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
    BodyField,
    Customer,
    Event,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
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
    path,
    status_map,
)


class PaddleOptions(Options):
    """`tolerance` is how many seconds old a signature may be."""

    tolerance: Annotated[int, Range(ge=1, le=3600)] = 5


class Totals(Payload):
    """In the currency's smallest units, as text ("65215")."""

    total: str | None = None
    grand_total: str | None = None


class Line(Payload):
    name: str | None = path("product.name")
    quantity: int | None = None
    price: str | None = path("unit_totals.subtotal")


class Attempt(Payload):
    status: str | None = None
    captured_at: IsoOrBlank = None


class Transaction(Payload):
    id: str = path("data.id", otherwise=...)
    status: str = path("data.status", otherwise=...)
    currency_code: str = path("data.currency_code", otherwise=...)
    totals: Totals = path("data.details.totals", otherwise=...)
    lines: ListOf[Line] = path("data.details.line_items", otherwise=())
    customer_id: str | None = path("data.customer_id")
    invoice_number: str | None = path("data.invoice_number")
    payments: ListOf[Attempt] = path("data.payments", otherwise=())
    crm_contact_id: str | None = path("data.custom_data.crm_contact_id")
    deal_id: str | None = path("data.custom_data.deal_id")
    created_at: IsoOrBlank = path("data.created_at")
    occurred_at: IsoOrBlank = None


class Adjustment(Payload):
    id: str = path("data.id", otherwise=...)
    action: str = path("data.action", otherwise=...)
    status: str = path("data.status", otherwise=...)
    transaction_id: str = path("data.transaction_id", otherwise=...)
    currency_code: str = path("data.currency_code", otherwise=...)
    totals: Totals = path("data.totals", otherwise=...)
    occurred_at: IsoOrBlank = None


class Paddle(Adapter[Any]):
    name, title, origin = "paddle", "Paddle", Origin.PAYMENTS
    links = Links(
        signing="https://developer.paddle.com/webhooks/signature-verification",
        payload="https://developer.paddle.com/webhooks/transactions/transaction-completed",
    )
    signature = TimestampedHmac(
        header="paddle-signature", time_name="ts", mac_name="h1", between=";", joined_by=":", tolerance=5
    )
    kind = BodyField("event_type")
    delivery_id = BodyField("event_id")
    topics = tuple(
        "transaction.ready transaction.billed transaction.updated transaction.paid transaction.completed "
        "transaction.past_due transaction.payment_failed transaction.canceled "
        "adjustment.created adjustment.updated".split()
    )
    reads = {
        kind: Adjustment if kind.startswith("adjustment.") else Transaction
        for kind in ("transaction.created", "transaction.revised", *topics)
    }
    ignores = frozenset(
        "customer.* address.* business.* subscription.* product.* price.* discount*.* payout.* "
        "payment_method.* report.* api_key*.* client_token.*".split()
    )
    options = PaddleOptions
    statuses = status_map(pending="ready billed", paid="paid completed", overdue="past_due", canceled="canceled")
    retry_policy = "takes 200 within 5 seconds; tries again 60 times in 3 days (sandbox: 3 times in 15 minutes)"

    def scheme(self, options: Any) -> Signature:
        return replace(self.signature, tolerance=options.tolerance)

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        yield self._transaction(payload) if isinstance(payload, Transaction) else _adjustment(payload)

    def _transaction(self, sale: Transaction) -> Order:
        if sale.status == "draft":
            raise Ignored("a draft, which is a cart")
        status, totals = self.status(sale.status), sale.totals
        captured = [one.captured_at for one in sale.payments if one.status == "captured" and one.captured_at]
        items = tuple(
            Item(title=line.name, quantity=line.quantity, unit_value=_money(line.price or None, sale.currency_code))
            for line in sale.lines
        )
        return Order(
            external_id=sale.id,
            at=sale.occurred_at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.invoice_number, items),
            value=_money(totals.total if totals.grand_total is None else totals.grand_total, sale.currency_code),
            ordered_at=sale.created_at,
            paid_at=captured[0] if captured and status is Status.PAID else None,
            customer=Customer(id=sale.customer_id, crm_id=sale.crm_contact_id),
            items=items or None,
            deal_id=sale.deal_id,
        )


def _adjustment(adjustment: Adjustment) -> Order:
    if adjustment.action not in ("refund", "chargeback", "chargeback_reverse"):
        raise Ignored("an adjustment that gives no money back")
    if adjustment.status not in ("approved", "reversed", "rejected"):
        raise Ignored("an adjustment that is not approved yet")
    given = adjustment.status == "approved" and adjustment.action != "chargeback_reverse"
    back = _money(adjustment.totals.total or None, adjustment.currency_code) if given else None
    # What a chargeback took and its reverse brings back has two ids; it counts under one.
    name = adjustment.id if adjustment.action == "refund" else "chargeback"
    return Order(
        external_id=adjustment.transaction_id,
        at=adjustment.occurred_at,
        refunds={name: back or Money.of(0, adjustment.currency_code)},
    )


def _money(amount: str | None, currency: str) -> Money | None:
    code = currency_code(currency)
    return None if amount is None else Money.scaled(amount, decimals(code), code)
