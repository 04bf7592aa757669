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
from typing import Annotated, Generic, TypeVar

from adapters.contract import (
    Adapter,
    Customer,
    Event,
    Field,
    Header,
    Hmac,
    IfObject,
    Ignored,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Seconds,
    Status,
    Unknown,
    currency_code,
    order_title,
)

# Events of one try to pay.
TRIES = ("payment.authorized", "payment.captured", "payment.failed", "subscription.charged")

# What Razorpay's checkout fills in for people who give no address.
NOBODY = "void@razorpay.com"


class Notes(Payload):
    """What the shop itself wrote on it: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class Person(Payload):
    id: str | None = None
    name: str | None = None
    email: str | None = None
    contact: str | None = None


class Thing(Payload):
    id: str
    status: str
    amount: int
    currency: str
    notes: Annotated[Notes | None, IfObject] = None
    created_at: Seconds | None = None


class Payment(Thing):
    order_id: str | None = None
    invoice_id: str | None = None
    description: str | None = None
    email: str | None = None
    contact: str | None = None
    customer_id: str | None = None


class Bill(Thing):
    """An order, an invoice or a payment link."""

    order_id: str | None = None
    receipt: str | None = None
    reference_id: str | None = None
    description: str | None = None
    short_url: str | None = None
    updated_at: Seconds | None = None
    cancelled_at: Seconds | None = None  # 0 where it was not
    expired_at: Seconds | None = None
    paid_at: Seconds | None = None
    customer_details: Annotated[Person | None, IfObject] = None
    customer: Annotated[Person | None, IfObject] = None


class Refund(Thing):
    pass


class Dispute(Thing):
    amount_deducted: int | None = None


EntityT = TypeVar("EntityT", bound=Thing)


class Holds(Payload, Generic[EntityT]):
    entity: EntityT


class Contents(Payload):
    payment: Annotated[Holds[Payment] | None, IfObject] = None
    order: Annotated[Holds[Bill] | None, IfObject] = None
    invoice: Annotated[Holds[Bill] | None, IfObject] = None
    payment_link: Annotated[Holds[Bill] | None, IfObject] = None
    refund: Annotated[Holds[Refund] | None, IfObject] = None
    dispute: Annotated[Holds[Dispute] | None, IfObject] = None


class Notification(Payload):
    created_at: Seconds | None = None
    payload: Contents


class Razorpay(Adapter[Notification]):
    name, title, origin = "razorpay", "Razorpay", Origin.PAYMENTS
    links = Links(
        signing="https://razorpay.com/docs/webhooks/validate-test/",
        payload="https://razorpay.com/docs/webhooks/payments/",
    )
    setup = (
        "In the Razorpay Dashboard open Account & Settings → Webhooks → + Add New Webhook.",
        "Give {webhook_url} as the Webhook URL, and paste this source's secret as Secret.",
        "Give an Alert Email: after a day of failures Razorpay turns the webhook off and writes to it.",
        "Choose the Active Events listed under topics, and create the webhook; test mode and live mode have one each.",
        "Optional: write crm_contact_id and deal_id into the notes of your orders; they lead straight to the CRM's "
        "contact and deal.",
    )
    signature = Hmac(header="x-razorpay-signature", encoding="hex")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    patience = "takes 2xx within 5 seconds; tries again for 24 hours, then turns the webhook off"
    kind = Field("event")
    delivery_id = Header("x-razorpay-event-id")
    topics = (
        "order.paid",
        "payment.authorized",
        "payment.captured",
        "payment.failed",
        "payment.dispute.lost",
        "subscription.charged",
        "refund.created",
        "refund.processed",
        "refund.failed",
        "invoice.partially_paid",
        "invoice.paid",
        "invoice.expired",
        "payment_link.partially_paid",
        "payment_link.paid",
        "payment_link.cancelled",
        "payment_link.expired",
    )
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset(
        {
            "payment.dispute.*",
            "payment.downtime.*",
            "refund.speed_changed",
            "subscription.*",
            "qr_code.*",
            "virtual_account.*",
            "transfer.*",
            "settlement.*",
            "payout*",
            "fund_account.*",
            "account.*",
            "product.*",
        }
    )
    statuses = {
        "payment.created": Status.PENDING,
        "payment.authorized": Status.PENDING,
        "payment.captured": Status.PAID,
        "payment.refunded": Status.REFUNDED,
        "payment.failed": Status.FAILED,
        "order.created": Status.PENDING,
        "order.attempted": Status.PENDING,
        "order.paid": Status.PAID,
        "invoice.issued": Status.PENDING,
        "invoice.partially_paid": Status.PARTIALLY_PAID,
        "invoice.paid": Status.PAID,
        "invoice.expired": Status.CANCELED,
        "invoice.cancelled": Status.CANCELED,
        "payment_link.created": Status.PENDING,
        "payment_link.partially_paid": Status.PARTIALLY_PAID,
        "payment_link.paid": Status.PAID,
        "payment_link.expired": Status.CANCELED,
        "payment_link.cancelled": Status.CANCELED,
    }

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        held, at = payload.payload, payload.created_at
        payment = held.payment.entity if held.payment else None
        for name, holds in (("payment_link", held.payment_link), ("invoice", held.invoice), ("order", held.order)):
            if holds and event.kind.startswith(f"{name}."):
                yield self._bill(name, holds.entity, payment, at)
                return
        if payment is None:
            raise Ignored("it names no payment")
        refunds = None
        if event.kind == "payment.dispute.lost" and held.dispute:
            lost = held.dispute.entity
            refunds = {lost.id: _money(lost, lost.amount_deducted or lost.amount)}
        elif event.kind in ("refund.processed", "refund.failed") and held.refund:
            back = held.refund.entity
            refunds = {back.id: _money(back, 0 if event.kind == "refund.failed" else back.amount)}
        yield self._payment(payment, event.kind, refunds, payment.created_at if event.kind == "payment.failed" else at)

    def _payment(self, payment: Payment, kind: str, refunds: dict[str, Money] | None, at: datetime | None) -> Order:
        bill = kind != "subscription.charged" and _bill_of(payment)
        status: Status | Unknown | None = None if bill else self.status(f"payment.{payment.status}")
        notes = payment.notes or Notes()
        return Order(
            external_id=payment.order_id or payment.id,
            preference=0 if payment.order_id else 1,
            aliases=(payment.id,) if payment.order_id and payment.id else (),
            at=at,
            status=status,
            source_status=None if bill else payment.status,
            # A refund or a dispute comes when the order has its name.
            title=order_title(None, [payment.description]) if kind in TRIES and not bill else None,
            value=None if bill else _money(payment, payment.amount),
            refunds=refunds,
            paid_at=at if status is Status.PAID and kind in ("payment.captured", "subscription.charged") else None,
            customer=_customer(payment, Person(), notes),
            deal_id=notes.deal_id or None,
        )

    def _bill(self, name: str, bill: Bill, payment: Payment | None, at: datetime | None) -> Order:
        status = self.status(f"{name}.{bill.status}")
        # In the sample of payment_link.paid, the order itself has its id without the prefix that all others give it.
        order_id = (payment.order_id if payment else None) or bill.order_id
        changed = [time for time in (bill.updated_at, bill.cancelled_at, bill.expired_at) if time]
        moment = max(changed, default=at) if name == "payment_link" else at
        notes = bill.notes or (payment.notes if payment else None) or Notes()
        names = (bill.id, payment.id if payment else None)
        external_id = order_id or bill.id
        return Order(
            external_id=external_id,
            preference=0 if order_id or name == "order" else 1,
            aliases=tuple(dict.fromkeys(each for each in names if each and each != external_id)),
            at=moment,
            status=status,
            source_status=bill.status,
            title=order_title(
                bill.receipt or bill.reference_id, [bill.description or (payment.description if payment else None)]
            ),
            value=_money(bill, bill.amount),
            ordered_at=bill.created_at,
            paid_at=(bill.paid_at or moment) if status is Status.PAID else None,
            customer=_customer(payment, bill.customer_details or bill.customer or Person(), notes),
            url=bill.short_url if re.match(r"https://\S+\Z", bill.short_url or "") else None,
            deal_id=notes.deal_id or None,
        )


def _bill_of(payment: Payment) -> bool:
    """Whether the payment is of an invoice or a payment link, and so perhaps of a part of it."""
    return bool(payment.invoice_id) or bool(re.fullmatch(r"#[A-Za-z0-9]{14}", payment.description or ""))


def _money(thing: Thing, amount: int) -> Money:
    return Money(amount, currency_code(thing.currency))


def _customer(payment: Payment | None, person: Person, notes: Notes) -> Customer | None:
    emails = (person.email, payment.email if payment else None)
    phones = (payment.contact if payment else None, person.contact)
    customer = Customer(
        name=person.name or None,
        id=(payment.customer_id if payment else None) or person.id or None,
        crm_id=notes.crm_contact_id or None,
        emails=tuple(dict.fromkeys(email for email in emails if email and email != NOBODY)),
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
    )
    return None if customer == Customer() else customer
