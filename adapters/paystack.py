"""Paystack: transactions, their refunds and disputes, payment requests and the invoices of subscriptions.

- Signing: https://paystack.com/docs/payments/webhooks/#signature-validation
- Events: https://paystack.com/docs/payments/webhooks/#types-of-events
- Disputes: https://paystack.com/docs/payments/disputes/

Decided here, and why:

- Amounts are hundredths of every currency, of XOF and RWF as well, which have none ("developers must multiply the
  amount by 100 regardless", https://paystack.com/docs/api/#supported-currency).
- Everything goes by the transaction's reference. A subscription's invoice names its transaction once there is one; until
  then it goes by its own code.
- Invoices name no currency. What they are in is the account's business: the option `currency` says it, and without it
  their value stays open until the transaction is told.
- Refunds carry no time. One that is under way, or failed, says only that the transaction had been paid.
- A dispute that the merchant accepted, or let accept itself, gives the money back; one still open, or declined, leaves
  it paid.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BeforeValidator

from adapters.contract import (
    UNKNOWN,
    Adapter,
    BodyField,
    Customer,
    Event,
    Hmac,
    IsoOrBlank,
    Links,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Status,
    full_name,
    order_title,
    path,
    status_map,
)

# The money goes back; `auto-accepted` is a dispute that nobody answered in time.
ACCEPTED = frozenset({"merchant-accepted", "auto-accepted"})

# What `domain` says: whether it was made with a test key or a live one.
TEST = {"test": True, "live": False}


class PaystackOptions(Options):
    """`currency` is what the invoices of subscriptions are in; their webhooks do not say (NGN, GHS, ZAR, KES …)."""

    currency: str | None = None


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


class Thing(Payload):
    status: str
    amount: int
    domain: str | None = None
    customer: Buyer = None
    crm_contact_id: str | None = path("metadata.crm_contact_id")
    deal_id: str | None = path("metadata.deal_id")
    created_at: IsoOrBlank = None
    paid_at: IsoOrBlank = None


class Transaction(Thing):
    reference: str
    currency: str
    createdAt: IsoOrBlank = None
    paidAt: IsoOrBlank = None


class Refund(Thing):
    transaction_reference: str
    refund_reference: str | None = None
    currency: str


class Dispute(Payload):
    id: str
    resolution: str | None = None
    refund_amount: int | None = None
    currency: str | None = None
    customer: Buyer = None
    transaction: Transaction
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None


class PaymentRequest(Thing):
    request_code: str
    currency: str
    description: str | None = None
    invoice_number: str | None = None
    offline_reference: str | None = None


class Invoice(Thing):
    invoice_code: str
    description: str | None = None
    paid: bool | None = None
    reference: str | None = path("transaction.reference")
    currency: str | None = path("transaction.currency")


DataT = TypeVar("DataT", bound=Payload)


class Told(Payload, Generic[DataT]):
    data: DataT


class Paystack(Adapter[Any]):
    name, title, origin = "paystack", "Paystack", Origin.PAYMENTS
    links = Links(
        signing="https://paystack.com/docs/payments/webhooks/#signature-validation",
        payload="https://paystack.com/docs/payments/webhooks/#types-of-events",
    )
    signature = Hmac(header="x-paystack-signature", algorithm="sha512", encoding="hex")
    retry_policy = "takes 200; tries again every 3 minutes, after the fourth time hourly, for 72 hours"
    kind = BodyField("event")
    reads = {
        "charge.success": Told[Transaction],
        **dict.fromkeys("charge.dispute.create charge.dispute.remind charge.dispute.resolve".split(), Told[Dispute]),
        **dict.fromkeys("refund.pending refund.processing refund.processed refund.failed".split(), Told[Refund]),
        **dict.fromkeys("paymentrequest.pending paymentrequest.success".split(), Told[PaymentRequest]),
        **dict.fromkeys("invoice.create invoice.update invoice.payment_failed".split(), Told[Invoice]),
    }
    topics = tuple(reads)
    ignores = frozenset(
        "transfer.* subscription.* customeridentification.* dedicatedaccount.* refund.needs-attention "
        "paymentrequest.draft product.*".split()
    )
    options = PaystackOptions
    statuses = status_map(pending="pending", paid="success", failed="failed", refunded="reversed")

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        match payload.data:
            case Transaction() as charge:
                yield self._transaction(charge, charge.customer)
            case Refund() as refund:
                yield _refund(refund, event.kind)
            case Dispute() as dispute:
                yield self._dispute(dispute, event.kind)
            case PaymentRequest() as request:
                yield self._payment_request(request, event.kind)
            case invoice:
                yield self._invoice(invoice, event.kind, event.options)

    def _transaction(self, charge: Transaction, buyer: Person | None) -> Order:
        status, paid_at = self.status(charge.status), charge.paid_at or charge.paidAt
        return Order(
            external_id=charge.reference,
            at=paid_at,
            status=status,
            source_status=charge.status,
            title=order_title(charge.reference, []),
            value=_money(charge.amount, charge.currency),
            ordered_at=charge.created_at or charge.createdAt,
            paid_at=paid_at if status is Status.PAID else None,
            customer=_customer(buyer, charge.crm_contact_id),
            test=TEST.get(charge.domain or ""),
            deal_id=charge.deal_id,
        )

    def _dispute(self, dispute: Dispute, kind: str) -> Order:
        paid = dispute.transaction
        order = self._transaction(paid, dispute.customer or paid.customer)
        order = replace(order, at=dispute.updated_at or dispute.created_at)
        if kind != "charge.dispute.resolve" or dispute.resolution not in ACCEPTED:
            return order
        back = paid.amount if dispute.refund_amount is None else dispute.refund_amount
        if back >= paid.amount and order.status in (Status.PAID, Status.REFUNDED):
            # Without an amount of its own: the refund that follows tells the same money.
            return replace(order, status=Status.REFUNDED, source_status=dispute.resolution)
        return replace(order, refunds={f"dispute {dispute.id}": _money(back, dispute.currency or paid.currency)})

    def _payment_request(self, request: PaymentRequest, kind: str) -> Order:
        status = self.status(request.status)
        return Order(
            external_id=request.request_code,
            aliases=(request.offline_reference,),
            at=request.paid_at if kind == "paymentrequest.success" else request.created_at,
            status=status,
            source_status=request.status,
            title=order_title(request.invoice_number, [request.description]),
            value=_money(request.amount, request.currency),
            ordered_at=request.created_at,
            paid_at=request.paid_at if status is Status.PAID else None,
            customer=_customer(request.customer, request.crm_contact_id),
            test=TEST.get(request.domain or ""),
            deal_id=request.deal_id,
        )

    def _invoice(self, invoice: Invoice, kind: str, options: PaystackOptions) -> Order:
        status, currency = self.status(invoice.status), invoice.currency or options.currency
        if kind == "invoice.payment_failed" and status is not UNKNOWN:
            status = Status.OVERDUE
        elif status is Status.PAID and invoice.paid is False:
            status = Status.PENDING
        return Order(
            external_id=invoice.reference or invoice.invoice_code,
            preference=0 if invoice.reference else 1,
            aliases=(invoice.invoice_code,),
            at=invoice.paid_at or (invoice.created_at if kind == "invoice.create" else None),
            status=status,
            source_status=invoice.status,
            title=order_title(None, [invoice.description]),
            value=_money(invoice.amount, currency) if currency else None,
            ordered_at=invoice.created_at,
            paid_at=invoice.paid_at if status is Status.PAID else None,
            customer=_customer(invoice.customer),
            test=TEST.get(invoice.domain or ""),
        )


def _refund(refund: Refund, kind: str) -> Order:
    back = _money(refund.amount, refund.currency) if kind == "refund.processed" else None
    return Order(
        external_id=refund.transaction_reference,
        at=None,
        status=Status.PAID,  # only what was paid is refunded; when all of it came back, the fold says so
        source_status=refund.status,
        refunds={refund.refund_reference or "refund": back} if back else None,
        customer=_customer(refund.customer),
        test=TEST.get(refund.domain or ""),
    )


def _money(amount: int, currency: str) -> Money:
    return Money.scaled(amount, 2, currency)


def _customer(buyer: Person | None, crm_id: str | None = None) -> Customer:
    buyer = buyer or Person()
    return Customer(
        name=full_name(buyer.first_name, buyer.last_name),
        id=buyer.id or buyer.customer_code,
        crm_id=crm_id,
        emails=(buyer.email,),
        phones=(buyer.international_format_phone or buyer.phone,),
    )
