"""Razorpay: an order and the payments, invoice, payment link, refund or dispute that tell of it.

- Signing: https://razorpay.com/docs/webhooks/validate-test/
- Events and payloads: https://razorpay.com/docs/webhooks/payments/ (and orders, refunds, invoices, payment-links,
  disputes beside it)

Decided here, and why:

- Everything goes by the id of the order; a payment without one by its own.
- A failed payment is one try: it is dated when the try began, so that it never overrides a try that came later and
  was paid, however late the failure is told.
- A payment of an invoice or a payment link (its description is the link's id) may be a part of it: where these stand is
  told by their own events and by order.paid, and the payment says only who paid.
- subscription.charged is a cycle that was paid in full: there the payment is all of its invoice.
- Events of a payment link carry the time when the link was made; `updated_at` of the link, or when it was
  cancelled or expired, is when it happened.
- A refund that failed counts as nothing given back.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from adapters.contract import (
    Adapter,
    BodyField,
    Customer,
    Event,
    Header,
    Hmac,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Seconds,
    Status,
    Unreadable,
    latest,
    order_title,
    path,
    status_map,
)

# Events of one try to pay.
TRIES = ("payment.authorized", "payment.captured", "payment.failed", "subscription.charged")

# What Razorpay's checkout fills in for people who give no address.
NOBODY = "void@razorpay.com"


class Thing(Payload):
    id: str
    status: str
    amount: int
    currency: str
    order_id: str | None = None
    description: str | None = None
    crm_contact_id: str | None = path("notes.crm_contact_id")
    deal_id: str | None = path("notes.deal_id")
    created_at: Seconds | None = None


class Payment(Thing):
    invoice_id: str | None = None
    email: str | None = None
    contact: str | None = None
    customer_id: str | None = None


class Bill(Thing):
    """An order, an invoice or a payment link."""

    receipt: str | None = None
    reference_id: str | None = None
    short_url: str | None = None
    updated_at: Seconds | None = None
    cancelled_at: Seconds | None = None  # 0 where it was not
    expired_at: Seconds | None = None
    paid_at: Seconds | None = None
    name: str | None = path("customer_details.name", "customer.name")
    email: str | None = path("customer_details.email", "customer.email")
    contact: str | None = path("customer_details.contact", "customer.contact")
    customer_id: str | None = path("customer_details.id", "customer.id")


class Back(Payload):
    """A refund or a dispute; no notification tells of both."""

    id: str
    amount: int
    amount_deducted: int | None = None
    currency: str


class Notification(Payload):
    created_at: Seconds | None = None
    payment: Payment | None = path("payload.payment.entity")
    order: Bill | None = path("payload.order.entity")
    invoice: Bill | None = path("payload.invoice.entity")
    payment_link: Bill | None = path("payload.payment_link.entity")
    back: Back | None = path("payload.refund.entity", "payload.dispute.entity")


class Razorpay(Adapter[Notification]):
    name, title, origin = "razorpay", "Razorpay", Origin.PAYMENTS
    links = Links(
        signing="https://razorpay.com/docs/webhooks/validate-test/",
        payload="https://razorpay.com/docs/webhooks/payments/",
    )
    signature = Hmac(header="x-razorpay-signature", encoding="hex")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    retry_policy = "takes 2xx within 5 seconds; tries again for 24 hours, then turns the webhook off"
    kind = BodyField("event")
    delivery_id = Header("x-razorpay-event-id")
    topics = tuple(
        "order.paid payment.authorized payment.captured payment.failed payment.dispute.lost subscription.charged "
        "refund.created refund.processed refund.failed invoice.partially_paid invoice.paid invoice.expired "
        "payment_link.partially_paid payment_link.paid payment_link.cancelled payment_link.expired".split()
    )
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset(
        "payment.dispute.* payment.downtime.* refund.speed_changed subscription.* qr_code.* virtual_account.* "
        "transfer.* settlement.* payout* fund_account.* account.* product.*".split()
    )
    statuses = (
        status_map("payment", pending="created authorized", paid="captured", refunded="refunded", failed="failed")
        | status_map("order", pending="created attempted", paid="paid")
        | status_map(
            "invoice", pending="issued", partially_paid="partially_paid", paid="paid", canceled="expired cancelled"
        )
        | status_map(
            "payment_link",
            pending="created",
            partially_paid="partially_paid",
            paid="paid",
            canceled="expired cancelled",
        )
    )

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        name, at, payment = event.kind.partition(".")[0], payload.created_at, payload.payment
        bill = {"payment_link": payload.payment_link, "invoice": payload.invoice, "order": payload.order}.get(name)
        if bill:
            yield self._bill(name, bill, payment or bill, at)
            return
        if payment is None:
            raise Unreadable("payload.payment.entity: Field required")
        yield self._payment(payment, event)

    def _payment(self, payment: Payment, event: Event[Notification]) -> Order:
        kind, told = event.kind, event.payload
        at = payment.created_at if kind == "payment.failed" else told.created_at
        link = re.fullmatch(r"#[A-Za-z0-9]{14}", payment.description or "")
        # Of an invoice or a payment link, and so perhaps of a part of it.
        part = kind != "subscription.charged" and bool(payment.invoice_id or link)
        status = None if part else self.status(f"payment.{payment.status}")
        refunds, back = None, told.back
        if back and kind in ("payment.dispute.lost", "refund.processed", "refund.failed"):
            amount = 0 if kind == "refund.failed" else back.amount_deducted or back.amount
            refunds = {back.id: Money.of(amount, back.currency)}
        return Order(
            external_id=payment.order_id or payment.id,
            preference=0 if payment.order_id else 1,
            aliases=(payment.id,),
            at=at,
            status=status,
            source_status=None if part else payment.status,
            # A refund or a dispute comes when the order has its name.
            title=order_title(None, [payment.description]) if kind in TRIES and not part else None,
            value=None if part else Money.of(payment.amount, payment.currency),
            refunds=refunds,
            paid_at=at if status is Status.PAID and kind in ("payment.captured", "subscription.charged") else None,
            customer=_customer(payment, payment),
            deal_id=payment.deal_id,
        )

    def _bill(self, name: str, bill: Bill, paid: Payment | Bill, at: datetime | None) -> Order:
        """What is said of a bill, and of who paid it: by its payment, or by itself."""
        status = self.status(f"{name}.{bill.status}")
        if name == "payment_link":
            at = latest(bill.updated_at, bill.cancelled_at, bill.expired_at) or at
        # In the sample of payment_link.paid, the order itself has its id without the prefix that all others give it.
        order_id = paid.order_id or bill.order_id
        return Order(
            external_id=order_id or bill.id,
            preference=0 if order_id or name == "order" else 1,
            aliases=(bill.id, paid.id),
            at=at,
            status=status,
            source_status=bill.status,
            title=order_title(bill.receipt or bill.reference_id, [bill.description or paid.description]),
            value=Money.of(bill.amount, bill.currency),
            ordered_at=bill.created_at,
            paid_at=(bill.paid_at or at) if status is Status.PAID else None,
            customer=_customer(bill, paid, bill.name),
            url=bill.short_url,
            deal_id=bill.deal_id or paid.deal_id,
        )


def _customer(told: Payment | Bill, paid: Payment | Bill, name: str | None = None) -> Customer:
    return Customer(
        name=name,
        id=paid.customer_id or told.customer_id,
        crm_id=told.crm_contact_id or paid.crm_contact_id,
        emails=tuple(email for email in (told.email, paid.email) if email != NOBODY),
        phones=(paid.contact, told.contact),
    )
