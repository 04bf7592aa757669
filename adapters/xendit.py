"""Xendit: payments and refunds of the Payments API v3 and v2, and the e-wallet charges and invoices before them.

- Verification: https://docs.xendit.co/docs/handling-webhooks
- Payments: https://docs.xendit.co/docs/payments-api-webhooks and
  https://docs.xendit.co/apidocs/payment-status-callback-webhook
- Refunds: https://docs.xendit.co/apidocs/refund-webhook-notification

Decided here, and why:

- One order is one payment; a second try at the same payment request is the same order. A reusable payment code (a static
  virtual account or QR code) takes many payments for one request: there each stands alone.
- What counts is what was captured; what was asked for is only until then.
- Version 2 names its events otherwise (payment.succeeded …) and its fields more shortly (`id`, `amount`).
- An expired payment request has no payment that could be cancelled, and tokens are no orders.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from adapters.contract import (
    Adapter,
    BodyField,
    Customer,
    Delivery,
    Event,
    Header,
    Ignored,
    IsoOrBlank,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    full_name,
    order_title,
    path,
    status_map,
)


class Capture(Payload):
    capture_amount: Decimal
    capture_timestamp: IsoOrBlank = None


class Payment(Payload):
    """Names of version 3 first, those of version 2 after them."""

    id: str = path("data.payment_id", "data.id", otherwise=...)
    request_id: str | None = path("data.payment_request_id")
    reference_id: str | None = path("data.reference_id")
    type: str | None = path("data.type")
    status: str = path("data.status", otherwise=...)
    currency: str = path("data.currency", otherwise=...)
    asked: Decimal | None = path("data.request_amount", "data.amount", "data.capture_amount", "data.charge_amount")
    description: str | None = path("data.description")
    customer_id: str | None = path("data.customer_id")
    payer_name: str | None = path("data.payment_details.payer_name")
    captures: ListOf[Capture] = path("data.captures", otherwise=())
    crm_contact_id: str | None = path("data.metadata.crm_contact_id")
    deal_id: str | None = path("data.metadata.deal_id")
    ordered_at: IsoOrBlank = path("data.created")
    updated: IsoOrBlank = path("data.updated")
    created: IsoOrBlank = None


class Refund(Payload):
    """The manual's sample has the envelope twice."""

    id: str = path("data.id", "data.data.id", otherwise=...)
    invoice_id: str | None = path("data.invoice_id", "data.data.invoice_id")
    payment_id: str | None = path("data.payment_id", "data.data.payment_id")
    status: str = path("data.status", "data.data.status", otherwise=...)
    amount: Decimal = path("data.amount", "data.data.amount", otherwise=...)
    currency: str = path("data.currency", "data.data.currency", otherwise=...)
    updated: IsoOrBlank = path("data.updated", "data.data.updated")
    created: IsoOrBlank = None


class Invoice(Payload):
    id: str
    external_id: str | None = None
    status: str
    amount: Decimal
    currency: str | None = None  # the oldest callbacks name none
    description: str | None = None
    payer_email: str | None = None
    customer_id: str | None = path("customer.id")
    given_names: str | None = path("customer.given_names")
    surname: str | None = path("customer.surname")
    email: str | None = path("customer.email")
    mobile_number: str | None = path("customer.mobile_number")
    crm_contact_id: str | None = path("metadata.crm_contact_id")
    deal_id: str | None = path("metadata.deal_id")
    created: IsoOrBlank = None
    updated: IsoOrBlank = None
    paid_at: IsoOrBlank = None


# What is no invoice either, by a field that only it has.
EVENTLESS = {
    "callback_virtual_account_id": "virtual_account",
    "account_number": "virtual_account",
    "disbursement_description": "disbursement",
}


class Xendit(Adapter[Any]):
    name, title, origin = "xendit", "Xendit", Origin.PAYMENTS
    links = Links(
        signing="https://docs.xendit.co/docs/handling-webhooks",
        payload="https://docs.xendit.co/apidocs/payment-status-callback-webhook",
    )
    signature = Token(header="x-callback-token")
    retry_policy = "takes 2xx; tries again up to 6 times"
    kind = BodyField("event")
    delivery_id = Header("webhook-id")
    reads = {
        **dict.fromkeys("payment.authorization payment.capture payment.failure payment.expiry".split(), Payment),
        # Of version 2:
        **dict.fromkeys("payment.succeeded payment.pending payment.awaiting_capture payment.failed".split(), Payment),
        "ewallet.capture": Payment,
        "refund.succeeded": Refund,
        "refund.failed": Refund,
        "invoice": Invoice,
    }
    topics = tuple(reads)
    ignores = frozenset(
        {"payment_request.*", "payment_token.*", "payment_session.*", "split.*", "payout.*", *EVENTLESS.values()}
    )
    statuses = status_map(
        pending="AUTHORIZED AWAITING_CAPTURE PENDING",
        paid="SUCCEEDED PAID SETTLED",  # the last two of invoices
        failed="FAILED",
        canceled="EXPIRED CANCELED",
    )

    def kind_of(self, delivery: Delivery, options: object) -> str:
        """The event; the callback of an invoice, a virtual account or a disbursement names none: it is the thing."""
        document = self.document_of(delivery)
        if isinstance(document, dict) and "event" not in document and "external_id" in document:
            for field, kind in EVENTLESS.items():
                if field in document:
                    return kind
            if document.keys() >= {"id", "status"}:
                return "invoice"
        return super().kind_of(delivery, options)

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        if isinstance(payload, Refund):
            yield _refund(payload)
        else:
            yield self._payment(payload) if isinstance(payload, Payment) else self._invoice(payload)

    def _payment(self, payment: Payment) -> Order:
        status, at, captures = self.status(payment.status), payment.updated or payment.created, payment.captures
        taken = Money.total(Money.major(capture.capture_amount, payment.currency) for capture in captures)
        return Order(
            external_id=payment.id,
            aliases=() if payment.type == "REUSABLE_PAYMENT_CODE" else (payment.request_id,),
            at=at,
            status=status,
            source_status=payment.status,
            title=order_title(payment.reference_id, [payment.description]),
            value=taken or Money.major(payment.asked, payment.currency),
            ordered_at=payment.ordered_at,
            paid_at=((captures[-1].capture_timestamp if captures else None) or at) if status is Status.PAID else None,
            customer=Customer(name=payment.payer_name, id=payment.customer_id, crm_id=payment.crm_contact_id),
            deal_id=payment.deal_id,
        )

    def _invoice(self, invoice: Invoice) -> Order:
        status = self.status(invoice.status)
        return Order(
            external_id=invoice.id,
            at=invoice.updated or invoice.paid_at,
            status=status,
            source_status=invoice.status,
            title=order_title(invoice.external_id, [invoice.description]),
            value=Money.major(invoice.amount, invoice.currency) if invoice.currency else None,
            ordered_at=invoice.created,
            paid_at=invoice.paid_at if status is Status.PAID else None,
            customer=Customer(
                name=full_name(invoice.given_names, invoice.surname),
                id=invoice.customer_id,
                crm_id=invoice.crm_contact_id,
                emails=(invoice.email, invoice.payer_email),
                phones=(invoice.mobile_number,),
            ),
            deal_id=invoice.deal_id,
        )


def _refund(refund: Refund) -> Order:
    sale_id = refund.invoice_id or refund.payment_id
    if not sale_id:
        raise Ignored("a refund that names neither a payment nor an invoice")
    if refund.status not in ("SUCCEEDED", "FAILED", "CANCELLED"):
        raise Ignored("a refund that is under way says nothing of the order yet")
    back = Money.major(refund.amount if refund.status == "SUCCEEDED" else 0, refund.currency)
    return Order(external_id=sale_id, at=refund.updated or refund.created, refunds={refund.id: back})
