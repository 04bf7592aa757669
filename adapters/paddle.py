"""Paddle (Billing): transactions, and the adjustments that give money back.

- Signing: https://developer.paddle.com/webhooks/signature-verification
- Transactions: https://developer.paddle.com/webhooks/transactions/transaction-completed (others beside it)
- Adjustments: https://developer.paddle.com/webhooks/adjustments/adjustment-created

Decided here, and why:

- Paddle's own SDKs take a signature that is at most 5 seconds old, and so do we; a machine whose clock is off may be
  given more (`tolerance`). The same event twice is one in any case.
- A transaction names its customer by id alone (`ctm_…`); `customer.created` and `customer.updated` tell who that is.
- A failed payment is one try: its transaction stays `ready` (pending) or becomes `past_due`.
- The bill is `grand_total`, what is due after credit. Credit lowers a manual invoice (an adjustment of what was billed,
  https://developer.paddle.com/api-reference/adjustments/create-adjustment); with automatic collection it is the
  customer's own balance, which pays: then the bill is what there was before. It has paid once the transaction is paid; until
  then it is kept ready, and a canceled one gives it back (https://developer.paddle.com/api-reference/customers/list-credit-balances).
- A refund or chargeback counts once Paddle has approved it, and no more once it is reversed. There may be several
  chargebacks; `chargeback_reverse` has an id of its own and names none of them, so it takes back one of its amount, once: it is known by when it was made.
- A change of card is a transaction of nothing, and no purchase. Drafts are carts.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field as Range

from adapters.contract import (
    Adapter,
    Bill,
    BodyField,
    BuyersIdsOptions,
    Customer,
    Event,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Signature,
    Status,
    TimestampedHmac,
    Unreadable,
    currency_code,
    decimals,
    order_title,
    path,
    status_map,
)

# Where an adjustment stands; what is not here waits for approval.
STATES = {
    "approved": RefundState.DONE,
    "rejected": RefundState.FAILED,
    "reversed": RefundState.REVERSED,
}


class PaddleOptions(BuyersIdsOptions):
    """`tolerance` is how many seconds old a signature may be."""

    tolerance: Annotated[int, Range(ge=1, le=3600)] = 5


class Totals(Payload):
    """In the currency's smallest units, as text ("65215")."""

    total: str | None = None
    grand_total: str | None = None
    credit: str | None = None


class Line(Payload):
    name: str | None = path("product.name")
    quantity: int | None = None
    price: str | None = path("unit_totals.subtotal")


class Person(Payload):
    id: str = path("data.id", otherwise=...)
    name: str | None = path("data.name")
    email: str | None = path("data.email")


class Attempt(Payload):
    id: str | None = path("payment_attempt_id")
    status: str | None = None
    amount: str | None = None
    captured_at: IsoOrBlank = None


class Transaction(Payload):
    id: str = path("data.id", otherwise=...)
    status: str = path("data.status", otherwise=...)
    currency_code: str = path("data.currency_code", otherwise=...)
    totals: Totals = path("data.details.totals", otherwise=...)
    lines: ListOf[Line] = path("data.details.line_items", otherwise=())
    origin: str | None = path("data.origin")
    collection_mode: str | None = path("data.collection_mode")
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
    created_at: IsoOrBlank = path("data.created_at")
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
        "adjustment.created adjustment.updated customer.created customer.updated".split()
    )
    customer_kinds = frozenset(("customer.created", "customer.updated"))
    reads = {
        kind: Adjustment if kind.startswith("adjustment.") else Transaction
        for kind in ("transaction.created", "transaction.revised", *topics)
    } | dict.fromkeys(customer_kinds, Person)
    ignores = frozenset(
        "customer.imported address.* business.* subscription.* product.* price.* discount*.* payout.* "
        "payment_method.* report.* api_key*.* client_token.*".split()
    )
    options = PaddleOptions
    statuses = status_map(pending="ready billed", paid="paid completed", overdue="past_due", canceled="canceled")
    retry_policy = "takes 200 within 5 seconds; tries again 60 times in 3 days (sandbox: 3 times in 15 minutes)"

    def scheme(self, options: Any) -> Signature:
        return replace(self.signature, tolerance=options.tolerance)

    def people(self, payload: Person, event: Event[Any]) -> Iterable[Customer]:
        yield Customer(id=payload.id, name=payload.name, emails=(payload.email,))

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        yield self._transaction(payload) if isinstance(payload, Transaction) else _adjustment(payload)

    def _transaction(self, sale: Transaction) -> Order:
        if sale.status == "draft":
            raise Ignored("a draft, which is a cart")
        if sale.origin == "subscription_payment_method_change":
            raise Ignored("a change of the payment method, and no purchase")
        status, totals, currency = self.status(sale.status), sale.totals, sale.currency_code
        due = _money(totals.total if totals.grand_total is None else totals.grand_total, currency)
        if due is None:
            raise Unreadable("data.details.totals.grand_total: Field required")
        credit = None if sale.collection_mode == "manual" else _money(totals.credit or None, currency)
        value = Money.total((due, credit)) if credit else due
        captured = [one for one in sale.payments if one.status == "captured"]
        taken = [_taken(one.id or "", _money(one.amount or None, currency), one.captured_at) for one in captured]
        if credit and credit.minor > 0 and status is Status.PAID:
            taken.append(_taken("credit", credit, None))
        whole = sum(one.value.minor for one in taken if one.value) >= value.minor if value else False
        items = tuple(
            Item(title=line.name, quantity=line.quantity, unit_value=_money(line.price or None, currency))
            for line in sale.lines
        )
        times = [one.captured_at for one in captured if one.captured_at]
        credited = sale.collection_mode == "manual" and due.minor == 0 and (totals.total or "0") != "0"
        return Order(
            external_id=sale.id,
            at=sale.occurred_at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.invoice_number, items),
            bills=(Bill(id=sale.id, value=value, given_up=credited or None),),
            # Old bodies tell captures without amounts; then the word says that all of it was paid.
            payments=tuple(taken) if whole else (),
            ordered_at=sale.created_at,
            paid_at=times[0] if times and status is Status.PAID else None,
            customer=Customer(id=sale.customer_id, crm_id=sale.crm_contact_id),
            items=items or None,
            deal_id=sale.deal_id,
        )


def _taken(name: str, value: Money | None, at: datetime | None) -> Payment:
    return Payment(id=name, value=value, state=PaymentState.TAKEN, at=at)


def _adjustment(adjustment: Adjustment) -> Order:
    action, state = adjustment.action, STATES.get(adjustment.status, RefundState.PENDING)
    if action not in ("refund", "chargeback", "chargeback_reverse"):
        raise Ignored("an adjustment that gives no money back")
    reverse = action == "chargeback_reverse"
    if reverse and state is not RefundState.DONE:
        raise Ignored("a chargeback's reversal that is not approved")
    refund = Refund(
        id=None if reverse else adjustment.id,
        value=_money(adjustment.totals.total or None, adjustment.currency_code),
        state=RefundState.REVERSED if reverse else state,
        kind=RefundKind.REFUND if action == "refund" else RefundKind.CHARGEBACK,
        at=adjustment.created_at if reverse else None,  # by which it is the same when it is told again
        payment=adjustment.transaction_id,
    )
    return Order(external_id=adjustment.transaction_id, at=adjustment.occurred_at, refunds=(refund,))


def _money(amount: str | None, currency: str) -> Money | None:
    code = currency_code(currency)
    return None if amount is None else Money.scaled(amount, decimals(code), code)
