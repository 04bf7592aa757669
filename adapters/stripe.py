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
    BodyField,
    Customer,
    Event,
    Ignored,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Seconds,
    Status,
    TimestampedHmac,
    order_title,
    path,
    status_map,
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


class TaxId(Payload):
    type: str | None = None
    value: str | None = None


class Thing(Payload):
    """The ids that an object knows of its sale, and who paid: each says it elsewhere (session, charge, invoice)."""

    payment_intent: str | None = None
    invoice: str | None = None
    charge: str | None = None
    customer: str | None = None  # null for guests
    name: str | None = path("customer_details.name", "billing_details.name", "customer_name")
    email: str | None = path("customer_details.email", "billing_details.email")
    other_email: str | None = path("customer_email", "receipt_email")
    phone: str | None = path("customer_details.phone", "billing_details.phone", "customer_phone")
    tax_ids: ListOf[TaxId] = path("customer_details.tax_ids", "customer_tax_ids", otherwise=())
    tax_id: str | None = path("billing_details.tax_id")
    boleto_tax_id: str | None = path("payment_method_details.boleto.tax_id")
    # What the shop itself wrote: on the object, or on the subscription whose invoice it is (the last before 2025-03-31).
    crm_contact_id: str | None = path(
        "metadata.crm_contact_id",
        "parent.subscription_details.metadata.crm_contact_id",
        "subscription_details.metadata.crm_contact_id",
    )
    deal_id: str | None = path(
        "metadata.deal_id", "parent.subscription_details.metadata.deal_id", "subscription_details.metadata.deal_id"
    )


class Session(Thing):
    """https://docs.stripe.com/api/checkout/sessions/object; what was bought is not in it."""

    id: str
    created: Seconds | None = None
    mode: str | None = None
    status: str | None = None
    payment_status: str | None = None
    amount_total: int | None = None
    currency: str | None = None


class PaymentIntent(Thing):
    """https://docs.stripe.com/api/payment_intents/object"""

    payment_intent: str = path("id", otherwise=...)
    charge: str | None = path("latest_charge")
    created: Seconds | None = None
    status: str
    amount: int
    amount_received: int | None = None
    currency: str
    description: str | None = None
    error: str | None = path("last_payment_error.code")


class Charge(Thing):
    """https://docs.stripe.com/api/charges/object"""

    charge: str = path("id", otherwise=...)
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


class Line(Payload):
    description: str | None = None
    plan: str | None = path("plan.name")  # in old versions the one that has a name
    quantity: Decimal | None = None
    unit_amount: Decimal | None = path("pricing.unit_amount_decimal", "price.unit_amount_decimal")  # before 2025-03-31


class Invoice(Thing):
    """https://docs.stripe.com/api/invoices/object"""

    invoice: str = path("id", otherwise=...)
    created: Seconds | None = path("created", "date")  # what it was called before 2019-03-14
    status: str | None = None  # before 2018-11-08 only `paid`
    paid: bool | None = None
    total: int
    amount_paid: int | None = None
    currency: str
    number: str | None = None
    due_date: Seconds | None = None
    next_payment_attempt: Seconds | None = None
    paid_at: Seconds | None = path("status_transitions.paid_at")
    hosted_invoice_url: str | None = None
    lines: ListOf[Line] = path("lines.data", otherwise=())
    has_more: bool | None = path("lines.has_more")  # a body holds the first ten lines


class InvoicePayment(Thing):
    """https://docs.stripe.com/api/invoice-payment/object"""

    invoice: str
    payment_intent: str | None = path("payment.payment_intent")
    charge: str | None = path("payment.charge")


class Dispute(Thing):
    """https://docs.stripe.com/api/disputes/object"""

    id: str
    status: str
    amount: int
    currency: str


ThingT = TypeVar("ThingT", bound=Thing)


class Envelope(Payload, Generic[ThingT]):
    """https://docs.stripe.com/api/events/object"""

    created: Seconds | None = None
    livemode: bool | None = None
    thing: ThingT = path("data.object", otherwise=...)


class Stripe(Adapter[Envelope[Any]]):
    name, title, origin = "stripe", "Stripe", Origin.PAYMENTS
    links = Links(
        signing="https://docs.stripe.com/webhooks#verify-manually",
        payload="https://docs.stripe.com/api/events/types",
    )
    signature = TimestampedHmac(
        header="stripe-signature", time_name="t", mac_name="v1", between=",", joined_by=".", tolerance=300
    )
    kind = BodyField("type")
    # The id alone would do for real events; Stripe's own sample events all carry evt_00000000000000, and would be
    # taken for one another.
    delivery_id = BodyField("id", "type", "created")
    reads = {
        **dict.fromkeys(
            "checkout.session.completed checkout.session.async_payment_succeeded checkout.session.async_payment_failed "
            "checkout.session.expired".split(),
            Envelope[Session],
        ),
        **dict.fromkeys(
            "payment_intent.requires_action payment_intent.processing payment_intent.amount_capturable_updated "
            "payment_intent.partially_funded payment_intent.succeeded payment_intent.payment_failed "
            "payment_intent.canceled".split(),
            Envelope[PaymentIntent],
        ),
        **dict.fromkeys(
            "charge.pending charge.succeeded charge.captured charge.failed charge.expired charge.refunded".split(),
            Envelope[Charge],
        ),
        "charge.dispute.closed": Envelope[Dispute],
        **dict.fromkeys(
            "invoice.created invoice.finalized invoice.payment_action_required invoice.paid invoice.payment_succeeded "
            "invoice.payment_failed invoice.overdue invoice.voided invoice.marked_uncollectible".split(),
            Envelope[Invoice],
        ),
        "invoice_payment.paid": Envelope[InvoicePayment],
    }
    topics = tuple(reads)
    # The rest of what happens to sales (refund.*, charge.updated, …) is about orders, and told by the events above.
    ignores = frozenset(
        "account.* balance.* coupon.* customer.* payment_method.* payout.* plan.* price.* product.* setup_intent.* "
        "subscription_schedule.*".split()
    )
    statuses = (
        # The last two of sessions are events, whatever the session says.
        status_map(
            "checkout.session",
            pending="unpaid",
            paid="paid no_payment_required",
            failed="async_payment_failed",
            canceled="expired",
        )
        | status_map(
            "payment_intent",
            # requires_source: what requires_payment_method and requires_action were called before 2019-02-11
            pending="requires_confirmation requires_action requires_source_action processing requires_capture",
            paid="succeeded",
            failed="requires_payment_method requires_source",  # said by payment_failed; before it, a cart
            canceled="canceled",
        )
        | status_map("charge", pending="pending", paid="succeeded", failed="failed")
        # What is uncollectible can still be paid.
        | status_map("invoice", pending="open", paid="paid", canceled="void", overdue="uncollectible")
    )

    def orders(self, payload: Envelope[Any], event: Event[Envelope[Any]]) -> Iterable[Order]:
        thing, at = payload.thing, payload.created
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
                order = _named(thing)
            case _:
                order = self._dispute(thing)
        brazilian = [tax.value for tax in thing.tax_ids if tax.type in ("br_cpf", "br_cnpj")]
        yield replace(
            order,
            at=at,
            customer=Customer(
                name=thing.name,
                id=thing.customer,
                crm_id=thing.crm_contact_id,
                emails=(thing.email, thing.other_email),
                phones=(thing.phone,),
                documents=(*brazilian, thing.tax_id, thing.boleto_tax_id),
            ),
            test=None if payload.livemode is None else not payload.livemode,
            deal_id=thing.deal_id,
        )

    def _session(self, session: Session, kind: str, at: datetime | None) -> Order:
        if session.mode == "setup":
            raise Ignored("a checkout session that only saves a payment method")
        if kind == "checkout.session.expired" and not session.payment_intent:
            raise Ignored("a checkout session expired without a payment: a cart")
        word, amount, currency = session.payment_status, session.amount_total, session.currency
        status = self.statuses.get(kind) or self.status(word and f"checkout.session.{word}")
        return replace(
            _named(session, session.id),
            status=status,
            source_status=session.status if session.status == "expired" else word,
            value=money(amount, currency) if amount is not None and currency else None,
            # What pays a session is made when it is completed; the session itself, when the cart is opened.
            ordered_at=None if session.payment_intent or session.invoice else session.created,
            paid_at=at if status is Status.PAID else None,
        )

    def _intent(self, intent: PaymentIntent, kind: str, at: datetime | None) -> Order:
        status = self.status(intent.status and f"payment_intent.{intent.status}")
        if kind == "payment_intent.partially_funded" and status is Status.PENDING:
            status = Status.PARTIALLY_PAID
        elif status is Status.FAILED and intent.error == LAPSED:
            status = Status.CANCELED
        paid = status is Status.PAID
        return replace(
            _named(intent),
            status=status,
            source_status=intent.status,
            title=_title(intent.description),
            value=money((paid and intent.amount_received) or intent.amount, intent.currency),
            ordered_at=None if intent.invoice else intent.created,
            paid_at=at if paid else None,
        )

    def _charge(self, charge: Charge, kind: str, at: datetime | None) -> Order:
        word = charge.status or ("succeeded" if charge.paid else "failed")
        status, value, refunded = self.status(f"charge.{word}"), charge.amount, charge.amount_refunded or 0
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
        return replace(
            _named(charge),
            status=status,
            source_status=word,
            title=_title(charge.description),
            value=money(value, charge.currency),
            refunds={charge.charge: money(refunded, charge.currency)} if refunded else None,
            ordered_at=None if charge.payment_intent or charge.invoice else charge.created,
            paid_at=at if status is Status.PAID and kind in ("charge.succeeded", "charge.captured") else None,
        )

    def _invoice(self, invoice: Invoice, kind: str, at: datetime | None) -> Order:
        word = invoice.status or ("paid" if invoice.paid else "open")
        if word == "draft":
            raise Ignored("a draft invoice is not an order yet")
        if invoice.total < 0:
            raise Ignored("an invoice with a total below zero is a credit to the customer's balance")
        status = self.status(f"invoice.{word}")
        if status is Status.PENDING:
            late = bool(at and invoice.due_date and invoice.due_date < at)
            if 0 < (invoice.amount_paid or 0) < invoice.total:
                status = Status.PARTIALLY_PAID
            elif kind == "invoice.payment_failed" and not invoice.next_payment_attempt:
                status = Status.FAILED
            elif late or kind in ("invoice.payment_failed", "invoice.overdue"):
                status = Status.OVERDUE
        lines = invoice.lines[:1] if invoice.has_more else invoice.lines
        items = tuple(_item(line, invoice.currency) for line in lines)
        return replace(
            _named(invoice),
            status=status,
            source_status=word,
            title=order_title(invoice.number, items),
            value=money(invoice.total, invoice.currency),
            ordered_at=invoice.created,
            paid_at=invoice.paid_at if status is Status.PAID else None,
            items=None if invoice.has_more else items or None,
            url=invoice.hosted_invoice_url,
        )

    def _dispute(self, dispute: Dispute) -> Order:
        if dispute.status != "lost":
            raise Ignored("a dispute that is not lost says nothing of the order")
        return replace(
            _named(dispute),
            source_status=dispute.status,
            refunds={dispute.id: money(dispute.amount, dispute.currency)},
        )


def money(amount: Decimal | int, currency: str) -> Money:
    """Stripe's amounts: whole numbers of a currency's smallest unit, as Stripe counts it. Raises Unreadable."""
    return Money.scaled(amount, EXPONENTS.get(currency.strip().upper(), 2), currency)


def _named(thing: Thing, session: str | None = None) -> Order:
    """An order under the best id that is known of the sale, the others beside it."""
    ids = (thing.payment_intent, thing.invoice, session, thing.charge)
    found = [(rank, given) for rank, given in enumerate(ids) if given]
    if not found:
        raise Ignored("it names neither a payment nor an invoice")
    (rank, best), *rest = found
    return Order(external_id=best, preference=rank, aliases=tuple(given for _, given in rest), at=None)


def _title(description: str | None) -> str | None:
    return None if description in STOCK_DESCRIPTIONS else order_title(None, [description])


def _item(line: Line, currency: str) -> Item:
    unit = None if line.unit_amount is None else money(line.unit_amount, currency)
    return Item(title=line.description or line.plan, quantity=line.quantity, unit_value=unit)
