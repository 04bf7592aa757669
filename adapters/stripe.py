"""Stripe: one sale is told by several objects (session, payment intent, charge, invoice) and becomes one order.

- Signing: https://docs.stripe.com/webhooks#verify-manually
- Events and objects: https://docs.stripe.com/api/events/types
- Amounts: https://docs.stripe.com/currencies

Decided here, and why:

- Every object names the ids it knows of its sale (`pi_`, `in_`, `cs_`, `ch_`), so that all of them meet in one order.
  Since API version 2025-03-31 (basil) invoice and payment no longer name each other; `invoice_payment.paid` does.
- Money back is the total that the charge tells (`charge.refunded`), and what a lost dispute took. The events of single
  refunds (`refund.*`, `charge.refund.updated`) tell the same money again and are not read.
- Not read either: `payment_intent.created` (a checkout page was opened: a cart), `*.updated` (what they change comes
  with an event of its own), and thin events (`v1.*`, `v2.*`), which carry no object.
- `created` of an event has whole seconds; events of one second are told apart by the rank of their status.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from adapters.contract import (
    Adapter,
    Customer,
    Event,
    Field,
    Ignored,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Seconds,
    Status,
    TimestampedHmac,
    Unknown,
    order_title,
)

# Decimals of Stripe's amounts, where they are not two (https://docs.stripe.com/currencies#zero-decimal). ISK and UGX
# have none in ISO 4217, but Stripe keeps two for them (#special-cases: 500 is 5 ISK), so they are not here; HUF and
# TWD are without decimals in payouts only.
NO_DECIMALS = ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
EXPONENTS = {**dict.fromkeys(NO_DECIMALS, 0), **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3)}

# What Stripe itself writes into the description of a payment that belongs to an invoice; the invoice has better words.
STOCK_DESCRIPTIONS = frozenset({"Subscription creation", "Subscription update", "Payment for Invoice"})

# A boleto or PIX that nobody paid in time (https://docs.stripe.com/error-codes#payment-intent-payment-attempt-expired).
LAPSED = "payment_intent_payment_attempt_expired"

BRAZILIAN = frozenset({"br_cpf", "br_cnpj"})


class Metadata(Payload):
    """What the shop itself wrote on the object: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class TaxId(Payload):
    type: str | None = None
    value: str | None = None


class Person(Payload):
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    tax_id: str | None = None
    tax_ids: list[TaxId] | None = None


class Thing(Payload):
    id: str
    customer: str | None = None  # null for guests
    metadata: Metadata | None = None


class Session(Thing):
    """https://docs.stripe.com/api/checkout/sessions/object; what was bought is not in it."""

    created: Seconds | None = None
    mode: str | None = None
    status: str | None = None
    payment_status: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    payment_intent: str | None = None
    invoice: str | None = None
    customer_email: str | None = None
    customer_details: Person | None = None


class PaymentError(Payload):
    code: str | None = None


class PaymentIntent(Thing):
    """https://docs.stripe.com/api/payment_intents/object"""

    created: Seconds | None = None
    status: str
    amount: int
    amount_received: int | None = None
    currency: str
    description: str | None = None
    receipt_email: str | None = None
    latest_charge: str | None = None
    last_payment_error: PaymentError | None = None
    invoice: str | None = None  # before 2025-03-31


class Boleto(Payload):
    tax_id: str | None = None


class MethodDetails(Payload):
    boleto: Boleto | None = None


class Charge(Thing):
    """https://docs.stripe.com/api/charges/object"""

    created: Seconds | None = None
    status: str | None = None  # old versions say only whether it was paid
    paid: bool | None = None
    amount: int
    amount_captured: int | None = None
    amount_refunded: int | None = None
    captured: bool | None = None
    refunded: bool | None = None
    currency: str
    description: str | None = None
    receipt_email: str | None = None
    billing_details: Person | None = None
    payment_method_details: MethodDetails | None = None
    payment_intent: str | None = None
    invoice: str | None = None  # before 2025-03-31


class Price(Payload):
    unit_amount_decimal: Decimal | None = None


class Plan(Payload):
    name: str | None = None


class Line(Payload):
    description: str | None = None
    plan: Plan | None = None  # in old versions the one that has a name
    quantity: Decimal | None = None
    price: Price | None = None  # before 2025-03-31
    pricing: Price | None = None


class Lines(Payload):
    data: list[Line] = []
    has_more: bool | None = None


class Subscribed(Payload):
    metadata: Metadata | None = None


class Parent(Payload):
    subscription_details: Subscribed | None = None


class StatusTransitions(Payload):
    paid_at: Seconds | None = None


class Invoice(Thing):
    """https://docs.stripe.com/api/invoices/object"""

    created: Seconds | None = None
    date: Seconds | None = None  # what `created` was called before 2019-03-14
    status: str | None = None  # before 2018-11-08 only `paid`
    paid: bool | None = None
    total: int
    amount_paid: int | None = None
    currency: str
    number: str | None = None
    due_date: Seconds | None = None
    next_payment_attempt: Seconds | None = None
    status_transitions: StatusTransitions | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    customer_phone: str | None = None
    customer_tax_ids: list[TaxId] | None = None
    hosted_invoice_url: str | None = None
    lines: Lines | None = None
    payment_intent: str | None = None  # before 2025-03-31
    charge: str | None = None  # before 2025-03-31
    subscription_details: Subscribed | None = None  # before 2025-03-31
    parent: Parent | None = None


class Payment(Payload):
    payment_intent: str | None = None
    charge: str | None = None


class InvoicePayment(Thing):
    """https://docs.stripe.com/api/invoice-payment/object"""

    invoice: str
    payment: Payment


class Dispute(Thing):
    """https://docs.stripe.com/api/disputes/object"""

    status: str
    amount: int
    currency: str
    charge: str | None = None
    payment_intent: str | None = None


ThingT = TypeVar("ThingT", bound=Thing)


class Data(Payload, Generic[ThingT]):
    object: ThingT


class Envelope(Payload, Generic[ThingT]):
    """https://docs.stripe.com/api/events/object"""

    created: Seconds | None = None
    livemode: bool | None = None
    data: Data[ThingT]


class Stripe(Adapter[Envelope[Any]]):
    name, title, origin = "stripe", "Stripe", Origin.PAYMENTS
    links = Links(
        signing="https://docs.stripe.com/webhooks#verify-manually",
        payload="https://docs.stripe.com/api/events/types",
    )
    setup = (
        "In the Stripe Dashboard open Developers (Workbench) → Webhooks and add a destination.",
        "Choose events of your account, payload style “snapshot”, and the events listed under topics.",
        "Choose “webhook endpoint” and give {webhook_url} as its URL.",
        "Reveal the endpoint's signing secret (whsec_…) and give all of it to this source as its secret.",
        "Optional: write crm_contact_id and deal_id into the metadata of sessions, payment intents, invoices or "
        "subscriptions; they lead straight to the CRM's contact and deal.",
    )
    signature = TimestampedHmac(
        header="stripe-signature", time_name="t", mac_name="v1", between=",", joined_by=".", tolerance=300
    )
    kind = Field("type")
    # The id alone would do for real events; Stripe's own sample events all carry evt_00000000000000, and would be
    # taken for one another.
    delivery_id = Field("id", "type", "created")
    reads = {
        "checkout.session.completed": Envelope[Session],
        "checkout.session.async_payment_succeeded": Envelope[Session],
        "checkout.session.async_payment_failed": Envelope[Session],
        "checkout.session.expired": Envelope[Session],
        "payment_intent.requires_action": Envelope[PaymentIntent],
        "payment_intent.processing": Envelope[PaymentIntent],
        "payment_intent.amount_capturable_updated": Envelope[PaymentIntent],
        "payment_intent.partially_funded": Envelope[PaymentIntent],
        "payment_intent.succeeded": Envelope[PaymentIntent],
        "payment_intent.payment_failed": Envelope[PaymentIntent],
        "payment_intent.canceled": Envelope[PaymentIntent],
        "charge.pending": Envelope[Charge],
        "charge.succeeded": Envelope[Charge],
        "charge.captured": Envelope[Charge],
        "charge.failed": Envelope[Charge],
        "charge.expired": Envelope[Charge],
        "charge.refunded": Envelope[Charge],
        "charge.dispute.closed": Envelope[Dispute],
        "invoice.created": Envelope[Invoice],
        "invoice.finalized": Envelope[Invoice],
        "invoice.payment_action_required": Envelope[Invoice],
        "invoice.paid": Envelope[Invoice],
        "invoice.payment_succeeded": Envelope[Invoice],
        "invoice.payment_failed": Envelope[Invoice],
        "invoice.overdue": Envelope[Invoice],
        "invoice.voided": Envelope[Invoice],
        "invoice.marked_uncollectible": Envelope[Invoice],
        "invoice_payment.paid": Envelope[InvoicePayment],
    }
    topics = tuple(reads)
    # The rest of what happens to sales (refund.*, charge.updated, …) is about orders, and told by the events above.
    ignores = frozenset(
        {
            "account.*",
            "balance.*",
            "coupon.*",
            "customer.*",
            "payment_method.*",
            "payout.*",
            "plan.*",
            "price.*",
            "product.*",
            "setup_intent.*",
            "subscription_schedule.*",
        }
    )
    statuses = {
        "checkout.session.unpaid": Status.PENDING,
        "checkout.session.paid": Status.PAID,
        "checkout.session.no_payment_required": Status.PAID,
        "payment_intent.requires_payment_method": Status.FAILED,  # said by payment_failed; before it, a cart
        "payment_intent.requires_confirmation": Status.PENDING,
        "payment_intent.requires_action": Status.PENDING,
        "payment_intent.requires_source": Status.FAILED,  # what the two were called before 2019-02-11
        "payment_intent.requires_source_action": Status.PENDING,
        "payment_intent.processing": Status.PENDING,
        "payment_intent.requires_capture": Status.PENDING,
        "payment_intent.succeeded": Status.PAID,
        "payment_intent.canceled": Status.CANCELED,
        "charge.pending": Status.PENDING,
        "charge.succeeded": Status.PAID,
        "charge.failed": Status.FAILED,
        "invoice.open": Status.PENDING,
        "invoice.paid": Status.PAID,
        "invoice.void": Status.CANCELED,
        "invoice.uncollectible": Status.OVERDUE,  # it can still be paid
    }

    def orders(self, payload: Envelope[Any], event: Event[Envelope[Any]]) -> Iterable[Order]:
        thing, at = payload.data.object, payload.created
        match thing:
            case Session():
                order = self._session(thing, event.kind, at)
            case PaymentIntent():
                order = self._intent(thing, event.kind, at)
            case Charge():
                order = self._charge(thing, event.kind, at)
            case Invoice():
                order = self._invoice(thing, event.kind, at)
            case InvoicePayment():
                order = _named(pi=thing.payment.payment_intent, invoice=thing.invoice, charge=thing.payment.charge)
            case _:
                order = self._dispute(thing)
        metadata = thing.metadata or Metadata()
        yield replace(
            order,
            at=at,
            test=None if payload.livemode is None else not payload.livemode,
            deal_id=metadata.deal_id or order.deal_id,
        )

    def _session(self, session: Session, kind: str, at: datetime | None) -> Order:
        if session.mode == "setup":
            raise Ignored("a checkout session that only saves a payment method")
        if kind == "checkout.session.expired" and not session.payment_intent:
            raise Ignored("a checkout session expired without a payment: a cart")
        status: Status | Unknown | None = self._status("checkout.session", session.payment_status)
        if kind == "checkout.session.expired":
            status = Status.CANCELED
        elif kind == "checkout.session.async_payment_failed":
            status = Status.FAILED
        known = session.amount_total is not None and session.currency
        person = session.customer_details or Person()
        return replace(
            _named(pi=session.payment_intent, invoice=session.invoice, session=session.id),
            status=status,
            source_status=session.status if session.status == "expired" else session.payment_status,
            value=money(session.amount_total or 0, session.currency or "") if known else None,
            # What pays a session is made when it is completed; the session itself, when the cart is opened.
            ordered_at=None if session.payment_intent or session.invoice else session.created,
            paid_at=at if status is Status.PAID else None,
            customer=_customer(session, person, session.customer_email),
        )

    def _intent(self, intent: PaymentIntent, kind: str, at: datetime | None) -> Order:
        status = self._status("payment_intent", intent.status)
        if kind == "payment_intent.partially_funded" and status is Status.PENDING:
            status = Status.PARTIALLY_PAID
        elif status is Status.FAILED and intent.last_payment_error and intent.last_payment_error.code == LAPSED:
            status = Status.CANCELED
        paid = status is Status.PAID
        return replace(
            _named(pi=intent.id, invoice=intent.invoice, charge=intent.latest_charge),
            status=status,
            source_status=intent.status,
            title=_title(intent.description),
            value=money((paid and intent.amount_received) or intent.amount, intent.currency),
            ordered_at=None if intent.invoice else intent.created,
            paid_at=at if paid else None,
            customer=_customer(intent, Person(), intent.receipt_email),
        )

    def _charge(self, charge: Charge, kind: str, at: datetime | None) -> Order:
        word = charge.status or ("succeeded" if charge.paid else "failed")
        status = self._status("charge", word)
        value, refunded = charge.amount, charge.amount_refunded or 0
        if kind == "charge.expired" or (charge.captured is False and charge.refunded):
            # An authorisation that was let go counts as refunded at Stripe, though no money had moved.
            status, refunded = Status.CANCELED, 0
        elif charge.captured is False and status is Status.PAID:
            status = Status.PENDING
        elif status is Status.PAID:
            # What was authorised and not captured is among the refunded as well ("any additional amount will be
            # automatically refunded", https://docs.stripe.com/api/charges/capture): it was never part of the order.
            value = charge.amount_captured or charge.amount
            refunded = max(0, refunded - (charge.amount - value))
            status = Status.REFUNDED if charge.refunded else Status.PAID
        details = charge.payment_method_details
        boleto = details.boleto.tax_id if details and details.boleto else None
        return replace(
            _named(pi=charge.payment_intent, invoice=charge.invoice, charge=charge.id),
            status=status,
            source_status=word,
            title=_title(charge.description),
            value=money(value, charge.currency),
            refunds={charge.id: money(refunded, charge.currency)} if refunded else None,
            ordered_at=None if charge.payment_intent or charge.invoice else charge.created,
            paid_at=at if status is Status.PAID and kind in ("charge.succeeded", "charge.captured") else None,
            customer=_customer(charge, charge.billing_details or Person(), charge.receipt_email, boleto),
        )

    def _invoice(self, invoice: Invoice, kind: str, at: datetime | None) -> Order:
        word = invoice.status or ("paid" if invoice.paid else "open")
        if word == "draft":
            raise Ignored("a draft invoice is not an order yet")
        if invoice.total < 0:
            raise Ignored("an invoice with a total below zero is a credit to the customer's balance")
        status = self._status("invoice", word)
        if status is Status.PENDING:
            late = bool(at and invoice.due_date and invoice.due_date < at)
            if 0 < (invoice.amount_paid or 0) < invoice.total:
                status = Status.PARTIALLY_PAID
            elif kind == "invoice.payment_failed" and not invoice.next_payment_attempt:
                status = Status.FAILED
            elif late or kind in ("invoice.payment_failed", "invoice.overdue"):
                status = Status.OVERDUE
        lines = invoice.lines or Lines()
        whole = bool(lines.data) and not lines.has_more  # a body holds the first ten lines
        person = Person(
            email=invoice.customer_email,
            name=invoice.customer_name,
            phone=invoice.customer_phone,
            tax_ids=invoice.customer_tax_ids,
        )
        subscribed = (invoice.parent.subscription_details if invoice.parent else None) or invoice.subscription_details
        metadata = (subscribed.metadata if subscribed else None) or Metadata()
        customer = _customer(invoice, person, None, crm_id=metadata.crm_contact_id)
        transitions = invoice.status_transitions
        return replace(
            _named(pi=invoice.payment_intent, invoice=invoice.id, charge=invoice.charge),
            status=status,
            source_status=word,
            title=order_title(invoice.number, [_name(line) for line in (lines.data if whole else lines.data[:1])]),
            value=money(invoice.total, invoice.currency),
            ordered_at=invoice.created or invoice.date,
            paid_at=transitions.paid_at if transitions and status is Status.PAID else None,
            customer=customer,
            items=tuple(_item(line, invoice.currency) for line in lines.data) if whole else None,
            url=invoice.hosted_invoice_url,
            deal_id=metadata.deal_id,
        )

    def _dispute(self, dispute: Dispute) -> Order:
        if dispute.status != "lost":
            raise Ignored("a dispute that is not lost says nothing of the order")
        return replace(
            _named(pi=dispute.payment_intent, charge=dispute.charge),
            source_status=dispute.status,
            refunds={dispute.id: money(dispute.amount, dispute.currency)},
        )

    def _status(self, thing: str, word: str | None) -> Status | Unknown | None:
        """Words are known per object: an invoice's `open` is not a session's."""
        return self.status(f"{thing}.{word}") if word else None


def money(amount: Decimal | int, currency: str) -> Money:
    """Stripe's amounts: whole numbers of a currency's smallest unit, as Stripe counts it. Raises Unreadable."""
    return Money.scaled(amount, EXPONENTS.get(currency.strip().upper(), 2), currency)


def _named(
    *, pi: str | None = None, invoice: str | None = None, session: str | None = None, charge: str | None = None
) -> Order:
    """An order under the best id that is known of the sale, the others beside it."""
    found = [(rank, given) for rank, given in enumerate((pi, invoice, session, charge)) if given]
    if not found:
        raise Ignored("it names neither a payment nor an invoice")
    (rank, best), *rest = found
    return Order(external_id=best, preference=rank, aliases=tuple(given for _, given in rest), at=None)


def _customer(
    thing: Thing, person: Person, email: str | None, *documents: str | None, crm_id: str | None = None
) -> Customer | None:
    metadata = thing.metadata or Metadata()
    taxes = [tax.value for tax in person.tax_ids or [] if tax.type in BRAZILIAN]
    customer = Customer(
        name=person.name or None,
        id=thing.customer or None,
        crm_id=metadata.crm_contact_id or crm_id or None,
        emails=tuple(dict.fromkeys(each for each in (person.email, email) if each)),
        phones=(person.phone,) if person.phone else (),
        documents=tuple(dict.fromkeys(each for each in (*taxes, person.tax_id, *documents) if each)),
    )
    return None if customer == Customer() else customer


def _title(description: str | None) -> str | None:
    return None if description in STOCK_DESCRIPTIONS else order_title(None, [description])


def _name(line: Line) -> str | None:
    return line.description or (line.plan.name if line.plan else None)


def _item(line: Line, currency: str) -> Item:
    price = line.pricing or line.price or Price()
    unit = price.unit_amount_decimal
    return Item(
        title=_name(line) or "–",
        quantity=1 if line.quantity is None else line.quantity,
        unit_value=None if unit is None else money(unit, currency),
    )
