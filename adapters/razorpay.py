"""Razorpay: an order and the payments, invoice, payment link, refund or dispute that tell of it.

- Signing: https://razorpay.com/docs/webhooks/validate-test/
- Events and payloads: https://razorpay.com/docs/webhooks/payments/ (and orders, refunds, invoices, payment-links,
  disputes beside it)

Decided here, and why:

- The sale is the order. A payment without one goes by its own id; an invoice or a payment link joins by its order, or by
  the payment, which names it (`invoice_id`; a link's id without `plink_` as its description).
- The bill is the order, invoice or payment link that an event brings along. A payment alone does not know what its
  order comes to: what was taken counts until order.paid, or the invoice or link, says it, and what was paid in parts
  before (`amount_paid`; beside an offer of Razorpay's it is not known what that counts). Once it is paid nothing more
  comes (https://razorpay.com/docs/api/orders/entity/), also where an offer of Razorpay's let the buyer pay less.
- A fee that the buyer bears stands in the payment's amount and is no part of the sale (`fee_bearer`:
  https://razorpay.com/docs/payments/payment-gateway/customer-fee-bearer/).
- A payment that was only authorised is given back by itself (`captured` false): nothing was sold.
- An order to be paid in cash on delivery is placed by payment.pending, and waits: Razorpay is not told when it is paid
  (https://razorpay.com/docs/payments/payment-gateway/web-integration/standard/cod).
- A refund counts once it is processed. A dispute that is lost takes `amount_deducted`, which is 0 where the payment had
  been refunded (https://razorpay.com/docs/api/disputes/entity/).
- Events of a payment link carry the time when the link was made; `updated_at` of the link, or when it was
  cancelled or expired, is when it happened.
"""

import re
from collections.abc import Iterable

from adapters.contract import (
    SO_FAR,
    Adapter,
    Bill,
    BodyField,
    Customer,
    Event,
    Header,
    Hmac,
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
    Seconds,
    Status,
    Unknown,
    Unreadable,
    latest,
    order_title,
    path,
    status_map,
)

# What Razorpay's checkout fills in for people who give no address.
NOBODY = "void@razorpay.com"

# Where a phone without a country code is, by the currency, where no address says it.
COUNTRIES = {"INR": "IN", "MYR": "MY", "SGD": "SG"}

STATES = {
    "authorized": PaymentState.AUTHORIZED,
    "captured": PaymentState.TAKEN,
    "refunded": PaymentState.TAKEN,
    "failed": PaymentState.FAILED,
}
# By the last word of the kind, else of what is given back.
BACK = {
    "processed": RefundState.DONE,
    "failed": RefundState.FAILED,
    "lost": RefundState.DONE,
    "won": RefundState.REVERSED,
    "closed": RefundState.REVERSED,  # the buyer was refunded, or the goods proved
}


class Line(Payload):
    name: str | None = None
    quantity: int | None = None
    amount: int | None = path("unit_amount", "amount")


class Thing(Payload):
    """A payment, order, invoice or payment link."""

    id: str
    status: str
    amount: int
    currency: str
    order_id: str | None = None
    invoice_id: str | None = None
    description: str | None = None
    receipt: str | None = path("receipt", "reference_id")
    fee: int | None = None
    fee_bearer: str | None = None
    offer_id: str | None = None
    amount_paid: int | None = None
    captured: bool | None = None
    short_url: str | None = None
    created_at: Seconds | None = None
    updated_at: Seconds | None = None
    cancelled_at: Seconds | None = None  # 0 where it was not
    expired_at: Seconds | None = None
    paid_at: Seconds | None = None
    line_items: ListOf[Line] = ()  # of an invoice
    name: str | None = path("customer_details.name", "customer.name", "card.name")
    email: str | None = path("customer_details.email", "customer.email", "email")
    contact: str | None = path("customer_details.contact", "customer.contact", "contact")
    customer_id: str | None = path("customer_details.id", "customer.id", "customer_id")
    country: str | None = path("customer_details.billing_address.country", "customer_details.shipping_address.country")
    crm_contact_id: str | None = path("notes.crm_contact_id")
    deal_id: str | None = path("notes.deal_id")


class Back(Payload):
    """A refund or a dispute; no notification tells of both."""

    id: str
    status: str | None = None
    amount: int
    amount_deducted: int | None = None
    currency: str


class Notification(Payload):
    created_at: Seconds | None = None
    payment: Thing | None = path("payload.payment.entity")
    order: Thing | None = path("payload.order.entity")
    invoice: Thing | None = path("payload.invoice.entity")
    payment_link: Thing | None = path("payload.payment_link.entity")
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
        "order.paid payment.pending payment.authorized payment.captured payment.failed payment.dispute.created payment.dispute.won "
        "payment.dispute.lost payment.dispute.closed subscription.charged refund.created refund.processed refund.failed "
        "invoice.partially_paid invoice.paid invoice.expired "
        "payment_link.partially_paid payment_link.paid payment_link.cancelled payment_link.expired".split()
    )
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset(
        "payment.dispute.under_review payment.dispute.action_required payment.downtime.* refund.speed_changed "
        "subscription.* qr_code.* virtual_account.* transfer.* settlement.* payout* fund_account.* account.* "
        "product.*".split()
    )
    statuses = (
        status_map(
            "payment", pending="created pending authorized", paid="captured", refunded="refunded", failed="failed"
        )
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
        group, _, what = event.kind.partition(".")
        paid, at = payload.payment, payload.created_at
        bill = {"payment_link": payload.payment_link, "invoice": payload.invoice, "order": payload.order}.get(group)
        told = bill or paid
        if told is None:
            raise Unreadable("payload.payment.entity: Field required")
        if group == "payment_link" and bill:
            at = latest(bill.updated_at, bill.cancelled_at, bill.expired_at) or at
        # In the sample of payment_link.paid, the order itself has its id without the prefix that all others give it.
        order_id = (paid and paid.order_id) or told.order_id or (told.id if group == "order" else None)
        link = re.fullmatch(r"#([A-Za-z0-9]{14})", (paid and paid.description) or "")
        status = self.status(f"{group if bill else 'payment'}.{told.status}")
        if not bill and told.status == "refunded" and told.captured is False:
            status = Status.CANCELED
        if bill:
            title = order_title(bill.receipt, [bill.description or (paid.description if paid else None)])
        else:  # a refund or a dispute comes when the order has its name; an invoice or a link has a better one
            named = payload.back or told.invoice_id or link
            title = None if named else order_title(None, [told.description])
        sides = [one for one in (bill, paid) if one]
        buyers = sides[:1] if bill and paid and _pays_for_another(paid, bill) else sides
        items = tuple(
            Item(title=line.name, quantity=line.quantity, unit_value=Money.of(line.amount, told.currency))
            for line in told.line_items
        )
        yield Order(
            external_id=order_id or told.id,
            preference=0 if order_id else 1,
            aliases=(told.id, *((paid.id, paid.invoice_id) if paid else ()), f"plink_{link[1]}" if link else None),
            at=at,
            status=status,
            source_status=told.status,
            title=title,
            bills=(_bill(bill, order_id, status),) if bill else (),
            payments=_payments(paid, bill),
            refunds=(_back(payload.back, paid, what),) if payload.back else (),
            ordered_at=bill.created_at if bill else None,
            paid_at=(bill.paid_at or at) if bill and status is Status.PAID else None,
            customer=Customer(
                name=next((one.name for one in buyers if one.name), None),
                id=next((one.customer_id for one in reversed(buyers) if one.customer_id), None),
                crm_id=next((one.crm_contact_id for one in sides if one.crm_contact_id), None),
                emails=tuple(one.email for one in buyers if one.email != NOBODY),
                phones=tuple(one.contact for one in reversed(buyers)),
                country=(told.country or "").upper() or COUNTRIES.get(told.currency),
            ),
            items=items or None,
            url=bill.short_url if bill else None,
            deal_id=next((one.deal_id for one in sides if one.deal_id), None),
        )


def _pays_for_another(paid: Thing, bill: Thing) -> bool:
    """Whether whoever paid left another address and another phone than whom the bill is for."""
    told = [(one.email if one.email != NOBODY else None, (one.contact or "")[-10:]) for one in (paid, bill)]
    both = [(ours, theirs) for ours, theirs in zip(*told, strict=True) if ours and theirs]
    return bool(both) and all(ours.casefold() != theirs.casefold() for ours, theirs in both)


def _bill(bill: Thing, order_id: str | None, status: Status | Unknown | None) -> Bill:
    value = Money.of(bill.amount, bill.currency)
    return Bill(id=order_id or bill.id, value=value, closed=True if status is Status.PAID else None)


def _payments(paid: Thing | None, bill: Thing | None) -> tuple[Payment, ...]:
    """The payment of an event, and what was paid in all where that is more: of several parts an event tells the last."""
    told: tuple[Payment, ...] = (_payment(paid, bill),) if paid else ()
    so_far = (bill.amount_paid or 0) if bill else 0
    if bill and so_far > (paid.amount if paid else 0) and not (paid and paid.offer_id):
        told += (Payment(id=SO_FAR, value=Money.of(so_far, bill.currency), state=PaymentState.TAKEN),)
    return told


def _payment(paid: Thing, bill: Thing | None) -> Payment:
    fee = paid.fee or 0
    on_top = paid.fee_bearer == "customer" or (bill and paid.amount - fee == bill.amount)
    state = STATES.get(paid.status)
    if paid.status == "refunded" and paid.captured is False:
        state = PaymentState.CANCELED
    return Payment(
        id=paid.id,
        value=Money.of(paid.amount - fee if on_top and fee < paid.amount else paid.amount, paid.currency),
        state=state,
    )


def _back(back: Back, paid: Thing | None, what: str) -> Refund:
    dispute = what.startswith("dispute.")
    lost = what == "dispute.lost" and back.amount_deducted is not None
    word = what.rpartition(".")[2]
    return Refund(
        id=back.id,
        value=Money.of(back.amount_deducted if lost else back.amount, back.currency),
        state=BACK.get(word) or BACK.get(back.status or "", RefundState.PENDING),
        kind=RefundKind.CHARGEBACK if dispute else RefundKind.REFUND,
        payment=paid.id if paid else None,
    )
