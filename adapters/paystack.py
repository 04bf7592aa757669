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
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Customer,
    Event,
    Field,
    Hmac,
    IfObject,
    IsoOrBlank,
    Links,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Status,
    order_title,
)

# The money goes back; `auto-accepted` is a dispute that nobody answered in time.
ACCEPTED = frozenset({"merchant-accepted", "auto-accepted"})


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


class Metadata(Payload):
    """What the shop itself wrote on the transaction: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class Transaction(Payload):
    reference: str
    status: str
    amount: int
    currency: str
    domain: str | None = None
    paid_at: IsoOrBlank = None
    paidAt: IsoOrBlank = None
    created_at: IsoOrBlank = None
    createdAt: IsoOrBlank = None
    customer: Buyer = None
    metadata: Annotated[Metadata | None, IfObject] = None


class Refund(Payload):
    status: str
    transaction_reference: str
    refund_reference: str | None = None
    amount: int
    currency: str
    domain: str | None = None
    customer: Buyer = None


class Dispute(Payload):
    id: str
    status: str | None = None
    resolution: str | None = None
    refund_amount: int | None = None
    currency: str | None = None
    updated_at: IsoOrBlank = None
    created_at: IsoOrBlank = None
    transaction: Transaction
    customer: Buyer = None


class PaymentRequest(Payload):
    request_code: str
    status: str
    amount: int
    currency: str
    domain: str | None = None
    description: str | None = None
    invoice_number: str | None = None
    offline_reference: str | None = None
    paid_at: IsoOrBlank = None
    created_at: IsoOrBlank = None
    customer: Buyer = None
    metadata: Annotated[Metadata | None, IfObject] = None


class Charged(Payload):
    reference: str | None = None
    currency: str | None = None


class Invoice(Payload):
    invoice_code: str
    status: str
    amount: int
    domain: str | None = None
    description: str | None = None
    paid: bool | None = None
    paid_at: IsoOrBlank = None
    created_at: IsoOrBlank = None
    transaction: Annotated[Charged | None, IfObject] = None
    customer: Buyer = None


class TransactionEvent(Payload):
    data: Transaction


class RefundEvent(Payload):
    data: Refund


class DisputeEvent(Payload):
    data: Dispute


class PaymentRequestEvent(Payload):
    data: PaymentRequest


class InvoiceEvent(Payload):
    data: Invoice


class Paystack(Adapter[Any]):
    name, title, origin = "paystack", "Paystack", Origin.PAYMENTS
    links = Links(
        signing="https://paystack.com/docs/payments/webhooks/#signature-validation",
        payload="https://paystack.com/docs/payments/webhooks/#types-of-events",
    )
    setup = (
        "In the Paystack Dashboard open Settings → API Keys & Webhooks.",
        "Give {webhook_url} as the Live Webhook URL (or the test one, for a source of its own), and save.",
        "Give the secret key on the same page (sk_live_… or sk_test_…) to this source as its secret: Paystack signs with it.",
        "If you take subscriptions, set the option currency to what they are billed in.",
        "Optional: write crm_contact_id and deal_id into the metadata of your transactions; they lead straight to the "
        "CRM's contact and deal.",
    )
    signature = Hmac(header="x-paystack-signature", algorithm="sha512", encoding="hex")
    patience = "takes 200; tries again every 3 minutes, after the fourth time hourly, for 72 hours"
    kind = Field("event")
    reads = {
        "charge.success": TransactionEvent,
        "charge.dispute.create": DisputeEvent,
        "charge.dispute.remind": DisputeEvent,
        "charge.dispute.resolve": DisputeEvent,
        "refund.pending": RefundEvent,
        "refund.processing": RefundEvent,
        "refund.processed": RefundEvent,
        "refund.failed": RefundEvent,
        "paymentrequest.pending": PaymentRequestEvent,
        "paymentrequest.success": PaymentRequestEvent,
        "invoice.create": InvoiceEvent,
        "invoice.update": InvoiceEvent,
        "invoice.payment_failed": InvoiceEvent,
    }
    topics = tuple(reads)
    ignores = frozenset(
        {
            "transfer.*",
            "subscription.*",
            "customeridentification.*",
            "dedicatedaccount.*",
            "refund.needs-attention",
            "paymentrequest.draft",
            "product.*",
        }
    )
    options = PaystackOptions
    statuses = {
        "success": Status.PAID,
        "pending": Status.PENDING,
        "failed": Status.FAILED,
        "reversed": Status.REFUNDED,
    }

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        thing = payload.data
        match thing:
            case Transaction():
                yield self._transaction(thing, thing.paid_at or thing.paidAt)
            case Refund():
                yield self._refund(thing, event.kind)
            case Dispute():
                yield self._dispute(thing, event.kind)
            case PaymentRequest():
                yield self._payment_request(thing, event.kind)
            case _:
                yield self._invoice(thing, event.kind, event.options)

    def _transaction(self, thing: Transaction, at: datetime | None, buyer: Person | None = None, **said: Any) -> Order:
        metadata = thing.metadata or Metadata()
        status = self.status(thing.status)
        known = {
            "external_id": thing.reference,
            "at": at,
            "status": status,
            "source_status": thing.status,
            "title": order_title(thing.reference, []),
            "value": _money(thing.amount, thing.currency),
            "ordered_at": thing.created_at or thing.createdAt,
            "paid_at": (thing.paid_at or thing.paidAt) if status is Status.PAID else None,
            "customer": _customer(buyer or thing.customer, metadata),
            "test": _test(thing.domain),
            "deal_id": metadata.deal_id or None,
        }
        return Order(**{**known, **said})

    def _refund(self, thing: Refund, kind: str) -> Order:
        back = _money(thing.amount, thing.currency) if kind == "refund.processed" else None
        return Order(
            external_id=thing.transaction_reference,
            at=None,
            status=Status.PAID,  # only what was paid is refunded; when all of it came back, the fold says so
            source_status=thing.status,
            refunds={thing.refund_reference or "refund": back} if back else None,
            customer=_customer(thing.customer, Metadata()),
            test=_test(thing.domain),
        )

    def _dispute(self, thing: Dispute, kind: str) -> Order:
        at, paid = thing.updated_at or thing.created_at, thing.transaction
        said: dict[str, Any] = {}
        if kind == "charge.dispute.resolve" and thing.resolution in ACCEPTED:
            back = paid.amount if thing.refund_amount is None else thing.refund_amount
            if back >= paid.amount and self.status(paid.status) in (Status.PAID, Status.REFUNDED):
                # Without an amount of its own: the refund that follows tells the same money.
                said = {"status": Status.REFUNDED, "source_status": thing.resolution}
            else:
                said = {"refunds": {f"dispute {thing.id}": _money(back, thing.currency or paid.currency)}}
        return self._transaction(paid, at, thing.customer, **said)

    def _payment_request(self, thing: PaymentRequest, kind: str) -> Order:
        status, metadata = self.status(thing.status), thing.metadata or Metadata()
        return Order(
            external_id=thing.request_code,
            aliases=(thing.offline_reference,) if thing.offline_reference else (),
            at=thing.paid_at if kind == "paymentrequest.success" else thing.created_at,
            status=status,
            source_status=thing.status,
            title=order_title(thing.invoice_number, [thing.description]),
            value=_money(thing.amount, thing.currency),
            ordered_at=thing.created_at,
            paid_at=thing.paid_at if status is Status.PAID else None,
            customer=_customer(thing.customer, metadata),
            test=_test(thing.domain),
            deal_id=metadata.deal_id or None,
        )

    def _invoice(self, thing: Invoice, kind: str, options: PaystackOptions) -> Order:
        charged, status = thing.transaction or Charged(), self.status(thing.status)
        if kind == "invoice.payment_failed" and status is not UNKNOWN:
            status = Status.OVERDUE
        elif status is Status.PAID and thing.paid is False:
            status = Status.PENDING
        currency = charged.currency or options.currency
        return Order(
            external_id=charged.reference or thing.invoice_code,
            preference=0 if charged.reference else 1,
            aliases=(thing.invoice_code,) if charged.reference and thing.invoice_code else (),
            at=thing.paid_at or (thing.created_at if kind == "invoice.create" else None),
            status=status,
            source_status=thing.status,
            title=order_title(None, [thing.description]),
            value=_money(thing.amount, currency) if currency else None,
            ordered_at=thing.created_at,
            paid_at=thing.paid_at if status is Status.PAID else None,
            customer=_customer(thing.customer, Metadata()),
            test=_test(thing.domain),
        )


def _money(amount: int, currency: str) -> Money:
    return Money.scaled(amount, 2, currency)


def _test(domain: str | None) -> bool | None:
    return {"test": True, "live": False}.get(domain or "")


def _customer(person: Person | None, metadata: Metadata) -> Customer | None:
    buyer = person or Person()
    customer = Customer(
        name=f"{buyer.first_name or ''} {buyer.last_name or ''}".strip() or None,
        id=buyer.id or buyer.customer_code or None,
        crm_id=metadata.crm_contact_id or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=tuple(phone for phone in (buyer.international_format_phone or buyer.phone,) if phone),
    )
    return None if customer == Customer() else customer
