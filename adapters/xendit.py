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
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.contract import (
    Adapter,
    Customer,
    Delivery,
    Event,
    Field,
    Header,
    IfObject,
    Ignored,
    IsoOrBlank,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    either,
    order_title,
)


class Capture(Payload):
    capture_amount: Decimal
    capture_timestamp: IsoOrBlank = None


class Details(Payload):
    payer_name: str | None = None


class Metadata(Payload):
    """What the shop itself wrote on the payment: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class Payment(Payload):
    payment_id: str = either("payment_id", "id", otherwise=...)
    payment_request_id: str | None = None
    reference_id: str | None = None
    type: str | None = None
    status: str
    currency: str
    request_amount: Decimal | None = either("request_amount", "amount", "capture_amount", "charge_amount")
    description: str | None = None
    customer_id: str | None = None
    created: IsoOrBlank = None
    updated: IsoOrBlank = None
    captures: list[Capture] | None = None
    payment_details: Annotated[Details | None, IfObject] = None
    metadata: Annotated[Metadata | None, IfObject] = None


class Refund(Payload):
    id: str
    payment_id: str | None = None
    invoice_id: str | None = None
    status: str
    amount: Decimal
    currency: str
    updated: IsoOrBlank = None


class Buyer(Payload):
    id: str | None = None
    given_names: str | None = None
    surname: str | None = None
    email: str | None = None
    mobile_number: str | None = None


class Invoice(Payload):
    id: str
    external_id: str | None = None
    status: str
    amount: Decimal
    currency: str | None = None  # the oldest callbacks name none
    description: str | None = None
    payer_email: str | None = None
    customer: Annotated[Buyer | None, IfObject] = None
    metadata: Annotated[Metadata | None, IfObject] = None
    created: IsoOrBlank = None
    updated: IsoOrBlank = None
    paid_at: IsoOrBlank = None


class PaymentEvent(Payload):
    created: IsoOrBlank = None
    data: Payment


def _inner(value: Any) -> Any:
    return value["data"] if isinstance(value, dict) and isinstance(value.get("data"), dict) else value


class RefundEvent(Payload):
    created: IsoOrBlank = None
    data: Annotated[Refund, BeforeValidator(_inner)]  # the manual's sample has the envelope twice


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
    setup = (
        "In the Xendit Dashboard open Settings → Webhooks.",
        "Copy the Webhook verification token there, and give it to this source as its secret.",
        "Give {webhook_url} as the URL of “Payment requests v3 – payment status” and of “Unified refunds” (succeeded and "
        "failed), and of “Invoices paid” if you use them; Test and save each.",
        "Optional: write crm_contact_id and deal_id into the metadata of your payment requests; they lead straight to "
        "the CRM's contact and deal.",
    )
    signature = Token(header="x-callback-token")
    patience = "takes 2xx; tries again up to 6 times"
    kind = Field("event")
    delivery_id = Header("webhook-id")
    reads = {
        "payment.authorization": PaymentEvent,
        "payment.capture": PaymentEvent,
        "payment.failure": PaymentEvent,
        "payment.expiry": PaymentEvent,
        "payment.succeeded": PaymentEvent,  # from here on, of version 2
        "payment.pending": PaymentEvent,
        "payment.awaiting_capture": PaymentEvent,
        "payment.failed": PaymentEvent,
        "ewallet.capture": PaymentEvent,
        "refund.succeeded": RefundEvent,
        "refund.failed": RefundEvent,
        "invoice": Invoice,
    }
    topics = tuple(reads)
    ignores = frozenset(
        {
            "payment_request.*",
            "payment_token.*",
            "payment_session.*",
            "split.*",
            "payout.*",
            *set(EVENTLESS.values()),
        }
    )
    statuses = {
        "AUTHORIZED": Status.PENDING,
        "AWAITING_CAPTURE": Status.PENDING,
        "PENDING": Status.PENDING,
        "SUCCEEDED": Status.PAID,
        "FAILED": Status.FAILED,
        "EXPIRED": Status.CANCELED,
        "CANCELED": Status.CANCELED,
        "PAID": Status.PAID,  # from here on, words of invoices
        "SETTLED": Status.PAID,
    }

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
        match payload:
            case PaymentEvent():
                yield self._payment(payload)
            case RefundEvent():
                yield self._refund(payload)
            case _:
                yield self._invoice(payload)

    def _payment(self, payload: PaymentEvent) -> Order:
        payment, captures = payload.data, payload.data.captures or []
        status, metadata = self.status(payment.status), payment.metadata or Metadata()
        request = None if payment.type == "REUSABLE_PAYMENT_CODE" else payment.payment_request_id
        value = None if payment.request_amount is None else Money.major(payment.request_amount, payment.currency)
        if captures:
            taken = [Money.major(capture.capture_amount, payment.currency) for capture in captures]
            value = Money(sum(each.minor for each in taken), taken[0].currency)
        details = payment.payment_details or Details()
        customer = Customer(
            name=details.payer_name or None, id=payment.customer_id or None, crm_id=metadata.crm_contact_id or None
        )
        at = payment.updated or payload.created
        return Order(
            external_id=payment.payment_id,
            aliases=(request,) if request and request != payment.payment_id else (),
            at=at,
            status=status,
            source_status=payment.status,
            title=order_title(payment.reference_id, [payment.description]),
            value=value,
            ordered_at=payment.created,
            paid_at=((captures[-1].capture_timestamp if captures else None) or at) if status is Status.PAID else None,
            customer=None if customer == Customer() else customer,
            deal_id=metadata.deal_id or None,
        )

    def _refund(self, payload: RefundEvent) -> Order:
        refund = payload.data
        of = refund.invoice_id or refund.payment_id
        if not of:
            raise Ignored("a refund that names neither a payment nor an invoice")
        if refund.status not in ("SUCCEEDED", "FAILED", "CANCELLED"):
            raise Ignored("a refund that is under way says nothing of the order yet")
        back = Money.major(refund.amount if refund.status == "SUCCEEDED" else 0, refund.currency)
        return Order(external_id=of, at=refund.updated or payload.created, refunds={refund.id: back})

    def _invoice(self, invoice: Invoice) -> Order:
        status, buyer = self.status(invoice.status), invoice.customer or Buyer()
        metadata = invoice.metadata or Metadata()
        emails = dict.fromkeys(email for email in (buyer.email, invoice.payer_email) if email)
        customer = Customer(
            name=f"{buyer.given_names or ''} {buyer.surname or ''}".strip() or None,
            id=buyer.id or None,
            crm_id=metadata.crm_contact_id or None,
            emails=tuple(emails),
            phones=(buyer.mobile_number,) if buyer.mobile_number else (),
        )
        return Order(
            external_id=invoice.id,
            at=invoice.updated or invoice.paid_at,
            status=status,
            source_status=invoice.status,
            title=order_title(invoice.external_id, [invoice.description]),
            value=Money.major(invoice.amount, invoice.currency) if invoice.currency else None,
            ordered_at=invoice.created,
            paid_at=invoice.paid_at if status is Status.PAID else None,
            customer=None if customer == Customer() else customer,
            deal_id=metadata.deal_id or None,
        )
