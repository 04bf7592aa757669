"""Chargebee: invoices, and the refunds of them.

- Authentication: https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings
- Events: https://apidocs.chargebee.com/docs/api/events, invoice: https://apidocs.chargebee.com/docs/api/invoices
- Zero-decimal currencies: https://www.chargebee.com/docs/billing/2.0/kb/product-catalog/what-are-zero-decimal-currencies

Decided here, and why:

- Chargebee signs nothing; it shows user and password (HTTP Basic), and only if it is told to. Here it must.
- An event does not order itself; the invoice's own `resource_version` (milliseconds) does, as the manual asks.
- What is given back is counted by refund transaction, which payment_refunded and every credit note's event name alike.
  A credit note alone moves no money.
- `not_paid` is what dunning has given up. What was paid in part is partially_paid, also when the rest is past due.
- Amounts are in the currency's own smallest unit: JPY 10 is 10.
"""

from collections.abc import Iterable
from dataclasses import replace

from adapters.contract import (
    Adapter,
    BodyField,
    Customer,
    Event,
    Item,
    Links,
    ListOf,
    Milliseconds,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Seconds,
    Status,
    Token,
    full_name,
    order_title,
    path,
    status_map,
)

# Refunds that took place, and those that came to nothing after all; the others are still on their way.
DONE, UNDONE = frozenset({"success"}), frozenset({"voided", "failure", "timeout", "late_failure"})


class Person(Payload):
    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    crm_contact_id: str | None = path("meta_data.crm_contact_id")


class Line(Payload):
    description: str | None = None
    quantity: int | None = None
    unit_amount: int | None = None


class Invoice(Payload):
    id: str
    status: str
    currency_code: str
    total: int
    amount_paid: int | None = None
    customer_id: str | None = None
    deleted: bool | None = None
    date: Seconds | None = None
    paid_at: Seconds | None = None
    updated_at: Seconds | None = None
    resource_version: Milliseconds | None = None
    line_items: ListOf[Line] = ()
    billing_address: OptionalOf[Person] = None


class LinkedRefund(Payload):
    txn_id: str
    txn_status: str | None = None
    applied_amount: int | None = None


class CreditNote(Payload):
    reference_invoice_id: str | None = None
    currency_code: str
    resource_version: Milliseconds | None = None
    linked_refunds: ListOf[LinkedRefund] = ()


class LinkedCreditNote(Payload):
    cn_reference_invoice_id: str | None = None
    applied_amount: int | None = None


class Transaction(Payload):
    id: str
    type: str | None = None
    status: str | None = None
    currency_code: str
    amount: int
    resource_version: Milliseconds | None = None
    linked_credit_notes: ListOf[LinkedCreditNote] = ()


class Content(Payload):
    invoice: OptionalOf[Invoice] = None
    credit_note: OptionalOf[CreditNote] = None
    transaction: OptionalOf[Transaction] = None
    customer: OptionalOf[Person] = None


class Notification(Payload):
    occurred_at: Seconds | None = None
    content: Content


class Chargebee(Adapter[Notification]):
    name, title, origin = "chargebee", "Chargebee", Origin.PAYMENTS
    links = Links(
        signing="https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings",
        payload="https://apidocs.chargebee.com/docs/api/events",
    )
    topics = tuple(
        "invoice_generated invoice_updated invoice_deleted payment_succeeded payment_failed payment_refunded "
        "credit_note_created credit_note_updated".split()
    )
    signature = Token(header="authorization", basic=True)
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    secret_prefix = "registry:"  # noqa: S105 - the username that stands before the password
    kind = BodyField("event_type")
    delivery_id = BodyField("id")
    reads = dict.fromkeys((*topics, "invoice_generated_with_backdating"), Notification)
    ignores = frozenset("subscription_* customer_* card_* payment_source_* plan_* item_* coupon_*".split())
    statuses = status_map(
        pending="pending posted", overdue="payment_due", failed="not_paid", paid="paid", canceled="voided"
    )
    retry_policy = (
        "takes 2xx within 20 seconds; tries again 7 times: after 2, 6 and 30 minutes, 1 and 5 hours, 1 and 2 days"
    )

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        content = payload.content
        refunds: dict[str, dict[str, Money]] = {}
        for invoice_id, refund_id, status, amount, currency in _given_back(content):
            if invoice_id and amount is not None and status in DONE | UNDONE:
                refunds.setdefault(invoice_id, {})[refund_id] = Money.of(amount if status in DONE else 0, currency)
        if content.invoice:
            order = self._invoice(content.invoice, content.customer or Person(), event)
            yield replace(order, refunds=refunds.pop(content.invoice.id, None))
        moved = content.transaction or content.credit_note
        at = (moved and moved.resource_version) or payload.occurred_at
        for invoice_id, back in refunds.items():
            yield Order(external_id=invoice_id, at=at, refunds=back)

    def _invoice(self, invoice: Invoice, buyer: Person, event: Event[Notification]) -> Order:
        status, currency = self.status(invoice.status), invoice.currency_code
        if status in (Status.PENDING, Status.OVERDUE, Status.FAILED) and 0 < (invoice.amount_paid or 0) < invoice.total:
            status = Status.PARTIALLY_PAID
        if invoice.deleted or event.kind == "invoice_deleted":
            status = Status.CANCELED
        billed = invoice.billing_address or Person()
        items = tuple(
            Item(title=line.description, quantity=line.quantity, unit_value=Money.of(line.unit_amount, currency))
            for line in invoice.line_items
        )
        return Order(
            external_id=invoice.id,
            at=invoice.resource_version or invoice.updated_at or event.payload.occurred_at,
            status=status,
            source_status=invoice.status,
            title=order_title(invoice.id, items),
            value=Money.of(invoice.total, currency),
            ordered_at=invoice.date,
            paid_at=invoice.paid_at,
            customer=Customer(
                name=full_name(buyer.first_name, buyer.last_name) or full_name(billed.first_name, billed.last_name),
                id=buyer.id or invoice.customer_id,
                crm_id=buyer.crm_contact_id,
                emails=(buyer.email, billed.email),
                phones=(buyer.phone, billed.phone),
            ),
            items=items or None,
        )


def _given_back(content: Content) -> Iterable[tuple[str | None, str, str | None, int | None, str]]:
    """Invoice, the id and status of the transaction that gives something of it back, amount and currency."""
    invoice, note, moved = content.invoice, content.credit_note, content.transaction
    if note:
        for one in note.linked_refunds:
            yield note.reference_invoice_id, one.txn_id, one.txn_status, one.applied_amount, note.currency_code
    if moved and moved.type == "refund":
        for each in moved.linked_credit_notes:
            yield each.cn_reference_invoice_id, moved.id, moved.status, each.applied_amount, moved.currency_code
        if invoice and not moved.linked_credit_notes:
            yield invoice.id, moved.id, moved.status, moved.amount, moved.currency_code
