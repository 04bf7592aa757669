"""Paystack: transactions, their refunds and disputes, payment requests and the invoices of subscriptions.

- Signing: https://paystack.com/docs/payments/webhooks/#signature-validation
- Events: https://paystack.com/docs/payments/webhooks/#types-of-events
- Disputes: https://paystack.com/docs/payments/disputes/

Decided here, and why:

- Amounts are hundredths of every currency, of XOF and RWF as well, which have none ("developers must multiply the
  amount by 100 regardless", https://paystack.com/docs/api/#supported-currency).
- The sale is the transaction's reference. A subscription's invoice names its transaction once there is one; until then
  it goes by its own code. A payment request goes by its own code.
- Refunds carry no time, so no statement does here: they stand in the order in which they were received.
- Some bodies name no currency (invoices, some refunds). What they are in is the account's business: the option
  `currency` says it. Without it an invoice's value stays open until its transaction is told, and a refund is noted.
- A refund has a reference only from some processors, and only when it was sent. One without a reference counts when it
  is done, and one under way says only that the transaction had been paid.
- A dispute that the merchant accepted, or let accept itself, gives `refund_amount` back; one still open, or declined,
  leaves it paid. The refund that follows tells the same money under its own name, and nothing links the two: a dispute
  and a refund of one transaction and one amount are the same.
- All bodies are read by one model, for most of their fields are the same.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.contract import (
    Adapter,
    Bill,
    BodyField,
    Customer,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Status,
    Unreadable,
    full_name,
    order_title,
    path,
    status_map,
)

# The money goes back; `auto-accepted` is a dispute that nobody answered in time.
ACCEPTED = frozenset({"merchant-accepted", "auto-accepted"})

# What `domain` says: whether it was made with a test key or a live one.
TEST = {"test": True, "live": False}

# Where a phone without a country code is, by the currency; where several countries have it, the card's bank says it.
COUNTRIES = {"NGN": "NG", "GHS": "GH", "ZAR": "ZA", "KES": "KE", "XOF": "CI", "EGP": "EG", "RWF": "RW"}

STATES = {
    Status.PAID: PaymentState.TAKEN,
    Status.REFUNDED: PaymentState.TAKEN,
    Status.FAILED: PaymentState.FAILED,
}


class PaystackOptions(Options):
    """`currency` is what bodies that do not say it are in: the invoices of subscriptions (NGN, GHS, ZAR, KES …)."""

    currency: str | None = None


# Where a phone without a country's number is read: where the currency is at home.
COUNTRIES = {"EGP": "EG", "GHS": "GH", "KES": "KE", "NGN": "NG", "RWF": "RW", "XOF": "CI", "ZAR": "ZA"}


class Person(Payload):
    id: str | None = None
    customer_code: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    international_format_phone: str | None = None


def _by_number(value: Any) -> Any:
    return {"id": value} if isinstance(value, int | str) and value and not isinstance(value, bool) else value


# Payment requests name the customer by number alone.
Buyer = Annotated[Person | None, BeforeValidator(_by_number)]


class Line(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    amount: int | None = None


class Told(Payload):
    """What an event tells: a dispute by its transaction."""

    id: str | None = path("data.id")
    status: str = path("data.transaction.status", "data.status", otherwise=...)
    amount: int = path("data.amount", "data.transaction.amount", otherwise=...)
    currency: str | None = path("data.currency", "data.transaction.currency")
    reference: str | None = path("data.reference", "data.transaction.reference", "data.transaction_reference")
    code: str | None = path("data.request_code", "data.invoice_code")
    refund_reference: str | None = path("data.refund_reference")
    refund_amount: int | None = path("data.refund_amount")
    resolution: str | None = path("data.resolution")
    resolved_at: IsoOrBlank = path("data.resolvedAt", "data.resolved_at")  # of a dispute, by which it is known
    paid: bool | None = path("data.paid")
    description: str | None = path("data.description")
    lines: ListOf[Line] = path("data.line_items", otherwise=())  # of a payment request
    invoice_number: str | None = path("data.invoice_number")
    offline_reference: str | None = path("data.offline_reference")
    domain: str | None = path("data.domain")
    customer: Buyer = path("data.customer")
    payer: Buyer = path("data.transaction.customer")
    holder: str | None = path("data.authorization.sender_name", "data.authorization.account_name")
    country: str | None = path("data.authorization.country_code", "data.transaction.authorization.country_code")
    crm_contact_id: str | None = path("data.metadata.crm_contact_id", "data.transaction.metadata.crm_contact_id")
    deal_id: str | None = path("data.metadata.deal_id", "data.transaction.metadata.deal_id")
    created_at: IsoOrBlank = path("data.transaction.created_at", "data.created_at")
    createdAt: IsoOrBlank = path("data.transaction.createdAt", "data.createdAt")
    paid_at: IsoOrBlank = path("data.transaction.paid_at", "data.paid_at")
    paidAt: IsoOrBlank = path("data.transaction.paidAt", "data.paidAt")


class Paystack(Adapter[Told]):
    name, title, origin = "paystack", "Paystack", Origin.PAYMENTS
    links = Links(
        signing="https://paystack.com/docs/payments/webhooks/#signature-validation",
        payload="https://paystack.com/docs/payments/webhooks/#types-of-events",
    )
    signature = Hmac(header="x-paystack-signature", algorithm="sha512", encoding="hex")
    retry_policy = "takes 200; tries again every 3 minutes, after the fourth time hourly, for 72 hours"
    kind = BodyField("event")
    topics = tuple(
        "charge.success charge.dispute.create charge.dispute.remind charge.dispute.resolve refund.pending "
        "refund.processing refund.processed refund.failed paymentrequest.pending paymentrequest.success "
        "invoice.create invoice.update invoice.payment_failed".split()
    )
    reads = dict.fromkeys(topics, Told)
    ignores = frozenset(
        "transfer.* subscription.* customeridentification.* dedicatedaccount.* refund.needs-attention "
        "paymentrequest.draft product.*".split()
    )
    options = PaystackOptions
    statuses = status_map(pending="pending", paid="success", failed="failed", refunded="reversed")

    def orders(self, payload: Told, event: Event[Told]) -> Iterable[Order]:
        group, _, what = event.kind.partition(".")
        told, status = payload, self.status(payload.status)
        currency = told.currency or event.options.currency
        code = told.code if group in ("paymentrequest", "invoice") else None
        name = (code if group == "paymentrequest" else told.reference) or code
        if name is None:
            raise Unreadable("data.reference: Field required")
        value = _scaled(told.amount, currency)
        bills: tuple[Bill, ...] = ()
        payments: tuple[Payment, ...] = ()
        refunds: tuple[Refund, ...] = ()
        paid_at, title = told.paid_at or told.paidAt, None
        if group == "charge":
            if value is None:
                raise Unreadable("data.currency: Field required, or the option `currency`")
            state = STATES.get(status) if isinstance(status, Status) else None
            payments = (Payment(id=name, value=value, state=state, at=paid_at),)
            title = order_title(name, [])
            if what == "dispute.resolve" and told.resolution in ACCEPTED:
                back = value if told.refund_amount is None else Money.scaled(told.refund_amount, 2, value.currency)
                refunds = (Refund(value=back, kind=RefundKind.CHARGEBACK, at=told.resolved_at, payment=name),)
        elif group == "refund":
            status = Status.PAID  # only what was paid is refunded; when all of it came back, the fold says so
            known = {"processed": RefundState.DONE, "failed": RefundState.FAILED}.get(what, RefundState.PENDING)
            own = told.refund_reference or told.id
            if own or known is not RefundState.PENDING:
                refunds = (Refund(id=own, value=value, state=known, payment=name),)
        else:
            bills = (Bill(id=code or name, value=value),)
            title = order_title(told.invoice_number, [told.description])
            if what == "payment_failed" and isinstance(status, Status | None):
                status = Status.OVERDUE
            elif status is Status.PAID and told.paid is False:
                status = Status.PENDING
        buyer = told.customer or told.payer or Person()
        items = tuple(
            Item(title=line.name, quantity=line.quantity, unit_value=_scaled(line.amount, currency))
            for line in told.lines
        )
        yield Order(
            external_id=name,
            preference=1 if group == "invoice" and not told.reference else 0,
            aliases=(code, told.offline_reference),
            at=None,
            status=status,
            source_status=told.status,
            title=title,
            bills=bills,
            payments=payments,
            refunds=refunds,
            ordered_at=None if group == "refund" else told.created_at or told.createdAt,
            paid_at=paid_at if status is Status.PAID and group != "refund" else None,
            customer=Customer(
                name=full_name(buyer.first_name, buyer.last_name) or told.holder,
                id=buyer.id or buyer.customer_code,
                crm_id=told.crm_contact_id,
                emails=(buyer.email,),
                phones=(buyer.international_format_phone or buyer.phone,),
                country=COUNTRIES.get(currency or "") or told.country,
            ),
            items=items or None,
            test=TEST.get(told.domain or ""),
            deal_id=told.deal_id,
        )


def _scaled(amount: int | None, currency: str | None) -> Money | None:
    return None if amount is None or not currency else Money.scaled(amount, 2, currency)
