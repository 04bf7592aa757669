"""Chargebee: invoices, and the refunds of them.

- Authentication: https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings
- Events: https://apidocs.chargebee.com/docs/api/events, invoice: https://apidocs.chargebee.com/docs/api/invoices
- Zero-decimal currencies: https://www.chargebee.com/docs/billing/2.0/kb/product-catalog/what-are-zero-decimal-currencies

Decided here, and why:

- Chargebee signs nothing; it shows user and password (HTTP Basic), and only if it is told to. Here it must.
- An event does not order itself; the invoice's own `resource_version` (milliseconds) does, as the manual asks.
- The bill is the invoice: `total`, less what credit notes took off before payment (`amount_adjusted`). A write-off is
  among the adjusted at Chargebee, and reduces nothing: the invoice is given up.
- What is taken is `amount_paid`, all payments so far in one figure (a payment that bounced lowers it), and
  `credits_applied`, which pays as well. What a paid invoice lacks then (tax that the buyer withholds) will not come.
- What is given back is counted by refund transaction, which payment_refunded and every credit note's event name alike,
  and by credit note where one transaction is of several.
  A credit note alone moves no money.
- `not_paid` is what dunning has given up; it can still be paid.
- Amounts are in the currency's own smallest unit: JPY 10 is 10.
"""

from collections.abc import Iterable

from adapters.contract import (
    Adapter,
    Bill,
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
    Payment,
    PaymentState,
    Refund,
    RefundState,
    Seconds,
    Status,
    Token,
    full_name,
    names_another,
    order_title,
    path,
    replace,
    status_map,
)

# Where a refund transaction stands; what is not here is under way.
REFUNDS = {"success": RefundState.DONE} | dict.fromkeys(
    "voided failure timeout late_failure".split(), RefundState.FAILED
)


class Person(Payload):
    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = path("phone", "billing_address.phone")  # the second of a customer, here and below
    country: str | None = path("country", "billing_address.country")
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
    amount_adjusted: int | None = None
    write_off_amount: int | None = None
    credits_applied: int | None = None
    customer_id: str | None = None
    deleted: bool | None = None
    date: Seconds | None = None
    paid_at: Seconds | None = None
    updated_at: Seconds | None = None
    resource_version: Milliseconds | None = None
    line_items: ListOf[Line] = ()
    billing_address: OptionalOf[Person] = None
    shipping_address: OptionalOf[Person] = None


class LinkedRefund(Payload):
    txn_id: str
    txn_status: str | None = None
    txn_amount: int | None = None
    applied_amount: int | None = None


class CreditNote(Payload):
    id: str | None = None
    reference_invoice_id: str | None = None
    currency_code: str
    resource_version: Milliseconds | None = None
    linked_refunds: ListOf[LinkedRefund] = ()


class LinkedCreditNote(Payload):
    cn_id: str | None = None
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
        refunds: dict[str, dict[str | None, Refund]] = {}  # by invoice, and by their ids
        for invoice_id, refund in _given_back(content):
            if invoice_id:
                refunds.setdefault(invoice_id, {})[refund.id] = refund
        if content.invoice:
            order = self._invoice(content.invoice, content.customer or Person(), event)
            yield replace(order, refunds=tuple(refunds.pop(content.invoice.id, {}).values()))
        moved = content.transaction or content.credit_note
        at = (moved and moved.resource_version) or payload.occurred_at
        for invoice_id, back in refunds.items():
            yield Order(external_id=invoice_id, at=at, refunds=tuple(back.values()))

    def _invoice(self, invoice: Invoice, buyer: Person, event: Event[Notification]) -> Order:
        status, currency, total = self.status(invoice.status), invoice.currency_code, invoice.total
        off, paid = invoice.write_off_amount or 0, invoice.amount_paid or 0
        value = max(0, total - max(0, (invoice.amount_adjusted or 0) - off))
        if status in (Status.PENDING, Status.OVERDUE, Status.FAILED) and 0 < paid < value:
            status = Status.PARTIALLY_PAID
        if invoice.deleted or event.kind == "invoice_deleted":
            status = Status.CANCELED
        payments = [
            Payment(id=name, value=Money.of(amount, currency), state=PaymentState.TAKEN)
            for name, amount in (
                ("paid", invoice.amount_paid),
                ("credits", invoice.credits_applied),
            )
            if amount is not None  # 0 as well: a payment may be removed from an invoice, and credits taken off again
        ]
        billed, sent = invoice.billing_address or Person(), invoice.shipping_address or Person()
        name, bills_name, recipient = (full_name(one.first_name, one.last_name) for one in (buyer, billed, sent))
        items = tuple(
            Item(title=line.description, quantity=line.quantity, unit_value=Money.of(line.unit_amount, currency))
            for line in invoice.line_items
        )
        given_up = off > 0 or value == 0 < total
        return Order(
            external_id=invoice.id,
            at=invoice.resource_version or invoice.updated_at or event.payload.occurred_at,
            status=status,
            source_status=invoice.status,
            title=order_title(invoice.id, items),
            bills=(
                Bill(
                    id=invoice.id, value=Money.of(value, currency), closed=invoice.status == "paid", given_up=given_up
                ),
            ),
            payments=tuple(payments),
            ordered_at=invoice.date,
            paid_at=None if given_up else invoice.paid_at,
            customer=Customer(
                name=name or bills_name,
                id=buyer.id or invoice.customer_id,
                crm_id=buyer.crm_contact_id,
                emails=(buyer.email or billed.email,),
                phones=(buyer.phone, None if names_another(bills_name, name) else billed.phone),
                country=billed.country or buyer.country,
            ).or_recipient(recipient, sent.phone, sent.country),
            items=items or None,
        )


def _given_back(content: Content) -> Iterable[tuple[str | None, Refund]]:
    """The refunds that are told, each with the invoice of which it gives something back."""
    invoice, note, moved = content.invoice, content.credit_note, content.transaction
    # A credit note need not say of which invoice it is: then it is the event's.
    usual = (note and note.reference_invoice_id) or (invoice and invoice.id) or None
    if note:
        for one in note.linked_refunds:
            name = _name(one.txn_id, one.txn_amount, one.applied_amount, note.id)
            yield usual, _refund(name, one.applied_amount, one.txn_status, note.currency_code)
    if moved and moved.type == "refund":
        for each in moved.linked_credit_notes:
            name = _name(moved.id, moved.amount, each.applied_amount, each.cn_id)
            back = _refund(name, each.applied_amount, moved.status, moved.currency_code)
            yield each.cn_reference_invoice_id or usual, back
        if invoice and not moved.linked_credit_notes:
            yield invoice.id, _refund(moved.id, moved.amount, moved.status, moved.currency_code)


def _name(transaction: str, whole: int | None, part: int | None, note: str | None) -> str:
    """The transaction's id; where it gives back by several credit notes, each of its parts goes by its note as well."""
    return transaction if None in (whole, part, note) or whole == part else f"{transaction}/{note}"


def _refund(name: str, amount: int | None, status: str | None, currency: str) -> Refund:
    state = REFUNDS.get(status or "", RefundState.PENDING)
    return Refund(id=name, value=Money.of(amount, currency), state=state)
