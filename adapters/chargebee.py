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
from datetime import datetime
from typing import Annotated

from adapters.contract import (
    Adapter,
    Customer,
    Event,
    Field,
    IfObject,
    Item,
    Links,
    Milliseconds,
    Money,
    Order,
    Origin,
    Payload,
    Seconds,
    Status,
    Token,
    currency_code,
    order_title,
)

# Refunds that took place, and those that came to nothing after all; the others are still on their way.
DONE, UNDONE = frozenset({"success"}), frozenset({"voided", "failure", "timeout", "late_failure"})


class Metadata(Payload):
    crm_contact_id: str | None = None


class Person(Payload):
    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    meta_data: Annotated[Metadata | None, IfObject] = None


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
    line_items: list[Line] | None = None
    billing_address: Annotated[Person | None, IfObject] = None


class LinkedRefund(Payload):
    txn_id: str
    txn_status: str | None = None
    applied_amount: int | None = None


class CreditNote(Payload):
    reference_invoice_id: str | None = None
    currency_code: str
    resource_version: Milliseconds | None = None
    linked_refunds: list[LinkedRefund] | None = None


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
    linked_credit_notes: list[LinkedCreditNote] | None = None


class Content(Payload):
    invoice: Annotated[Invoice | None, IfObject] = None
    credit_note: Annotated[CreditNote | None, IfObject] = None
    transaction: Annotated[Transaction | None, IfObject] = None
    customer: Annotated[Person | None, IfObject] = None


class Notification(Payload):
    occurred_at: Seconds | None = None
    content: Content


class Chargebee(Adapter[Notification]):
    name, title, origin = "chargebee", "Chargebee", Origin.PAYMENTS
    links = Links(
        signing="https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings",
        payload="https://apidocs.chargebee.com/docs/api/events",
    )
    setup = (
        "In Chargebee open Settings → Configure Chargebee → Webhooks → Add Webhook.",
        "Give {webhook_url} as the Webhook URL, and choose API Version 2.",
        "Tick Protect webhook URL with basic authentication. This source's secret is written user:password: give what "
        "stands before the colon as the username, and what stands after it as the password.",
        "Choose the events listed under topics, and create the webhook; a test site has its own.",
        "Optional: crm_contact_id in a customer's meta data leads straight to the CRM's contact.",
    )
    topics = (
        "invoice_generated",
        "invoice_updated",
        "invoice_deleted",
        "payment_succeeded",
        "payment_failed",
        "payment_refunded",
        "credit_note_created",
        "credit_note_updated",
    )
    signature = Token(header="authorization", basic=True)
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    secret_prefix = "registry:"  # noqa: S105 - the username that stands before the password
    kind = Field("event_type")
    delivery_id = Field("id")
    reads = dict.fromkeys((*topics, "invoice_generated_with_backdating"), Notification)
    ignores = frozenset({"subscription_*", "customer_*", "card_*", "payment_source_*", "plan_*", "item_*", "coupon_*"})
    statuses = {
        "pending": Status.PENDING,
        "posted": Status.PENDING,
        "payment_due": Status.OVERDUE,
        "not_paid": Status.FAILED,
        "paid": Status.PAID,
        "voided": Status.CANCELED,
    }
    patience = (
        "takes 2xx within 20 seconds; tries again 7 times: after 2, 6 and 30 minutes, 1 and 5 hours, 1 and 2 days"
    )

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        content = payload.content
        refunds = _refunds(content)
        if content.invoice:
            order = self._invoice(content.invoice, content.customer, payload.occurred_at, event.kind)
            yield replace(order, refunds=refunds.pop(content.invoice.id, None))
        moved = content.transaction or content.credit_note
        at = (moved.resource_version if moved else None) or payload.occurred_at
        for invoice_id, back in refunds.items():
            yield Order(external_id=invoice_id, at=at, refunds=back)

    def _invoice(self, invoice: Invoice, buyer: Person | None, told_at: datetime | None, kind: str) -> Order:
        status, currency = self.status(invoice.status), currency_code(invoice.currency_code)
        if status in (Status.PENDING, Status.OVERDUE, Status.FAILED) and 0 < (invoice.amount_paid or 0) < invoice.total:
            status = Status.PARTIALLY_PAID
        if invoice.deleted or kind == "invoice_deleted":
            status = Status.CANCELED
        lines = invoice.line_items or []
        return Order(
            external_id=invoice.id,
            at=invoice.resource_version or invoice.updated_at or told_at,
            status=status,
            source_status=invoice.status,
            title=order_title(invoice.id, [line.description for line in lines]),
            value=Money(invoice.total, currency),
            ordered_at=invoice.date,
            paid_at=invoice.paid_at,
            customer=_customer(buyer or Person(), invoice.billing_address or Person(), invoice.customer_id),
            items=tuple(
                Item(
                    title=line.description or "–",
                    quantity=1 if line.quantity is None else line.quantity,
                    unit_value=None if line.unit_amount is None else Money(line.unit_amount, currency),
                )
                for line in lines
            )
            or None,
        )


def _refunds(content: Content) -> dict[str, dict[str, Money]]:
    """What was given back of which invoice, each under the id of the transaction that did it."""
    refunds: dict[str, dict[str, Money]] = {}

    def add(invoice_id: str | None, refund_id: str, status: str | None, amount: int | None, currency: str) -> None:
        if invoice_id and amount is not None and status in DONE | UNDONE:
            money = Money(amount if status in DONE else 0, currency_code(currency))
            refunds.setdefault(invoice_id, {})[refund_id] = money

    note, moved = content.credit_note, content.transaction
    if note:
        for one in note.linked_refunds or []:
            add(note.reference_invoice_id, one.txn_id, one.txn_status, one.applied_amount, note.currency_code)
    if moved and moved.type == "refund":
        for each in moved.linked_credit_notes or []:
            add(each.cn_reference_invoice_id, moved.id, moved.status, each.applied_amount, moved.currency_code)
        if not moved.linked_credit_notes and content.invoice:
            add(content.invoice.id, moved.id, moved.status, moved.amount, moved.currency_code)
    return refunds


def _customer(buyer: Person, billed: Person, customer_id: str | None) -> Customer | None:
    names = [f"{each.first_name or ''} {each.last_name or ''}".strip() for each in (buyer, billed)]
    customer = Customer(
        name=names[0] or names[1] or None,
        id=buyer.id or customer_id or None,
        crm_id=(buyer.meta_data.crm_contact_id if buyer.meta_data else None) or None,
        emails=tuple(dict.fromkeys(each.email for each in (buyer, billed) if each.email)),
        phones=tuple(dict.fromkeys(each.phone for each in (buyer, billed) if each.phone)),
    )
    return None if customer == Customer() else customer
