"""Stripe: one sale is told by several objects (session, payment intent, charge, invoice) and becomes one order.

- Signing: https://docs.stripe.com/webhooks#verify-manually
- Events and objects: https://docs.stripe.com/api/events/types
- Amounts: https://docs.stripe.com/currencies

Decided here, and why:

- Every object names the ids it knows of its sale (`pi_`, `in_`, `cs_`, `ch_`), so that all of them meet in one order.
  Since API version 2025-03-31 (basil) an invoice does not name its payments; they name it in
  `payment_details.order_reference` (`in_…`; a shop's own text elsewhere), and `invoice_payment.paid` names both. One
  payment may be of several invoices (https://docs.stripe.com/api/invoice-payment): each stays an order of its own.
- The bill is the invoice, else the session. What is taken is told by the payment intent and its charge, under the id of
  the intent. The customer's credit balance is a payment too, told once the invoice is paid or paid in part: what an
  invoice comes to (`total` less credit notes before payment) above what is due of it (`amount_due`). What else was paid
  of it in all (`amount_paid`, since basil) came past Stripe.
- A capture takes what it says; the rest is released, unless the intent still waits for a further one. `refund` objects
  for such a rest, or for an authorisation that expired, give nothing back (`reason`), and what was never captured is
  not part of `amount_refunded` here.
- Refunds are told by themselves (`re_`), and in all by their charge. Stripe counts those that are under way among
  `amount_refunded`; one that fails is taken from it. A credit note after payment gives back what no refund carries.
- A dispute counts once it is lost, and no more when it is won or its funds are reinstated. One that was prevented
  (API 2025-08-27) took money only where its balance transaction says so.
- What tells of a payment may name its customer by id alone; `customer.created` and `customer.updated` tell who that is.
- `uncollectible` is overdue, not canceled: such an invoice can still be paid.
- Not read: `payment_intent.created` (a checkout page was opened: a cart), other `*.updated` (what they change comes
  with an event of its own), and thin events (`v1.*`, `v2.*`), which carry no object.
- This is longer than 400 lines: nine objects tell of a sale, and each tells its money in another way.
- All objects are read by one model, for most of their fields are the same; what a kind needs is asked where it is used.
- `created` of an event has whole seconds; of charges of one second, the one that has given back more is the later.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from adapters.contract import (
    SO_FAR,
    Adapter,
    Bill,
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
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Seconds,
    Status,
    TimestampedHmac,
    Unknown,
    Unreadable,
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

# Reasons of refunds of what was authorised and never taken.
RELEASED = frozenset({"partial_capture", "expired_uncaptured_charge"})

# Where payment intents, refunds and disputes stand. What is not here is under way.
STATES = {
    "requires_capture": PaymentState.AUTHORIZED,
    "succeeded": PaymentState.TAKEN,
    "requires_payment_method": PaymentState.FAILED,
    "requires_source": PaymentState.FAILED,
    "canceled": PaymentState.CANCELED,
}
REFUNDS = {"succeeded": RefundState.DONE, "failed": RefundState.FAILED, "canceled": RefundState.FAILED}
DISPUTES = {
    "lost": RefundState.DONE,
    "won": RefundState.REVERSED,
    "warning_closed": RefundState.REVERSED,  # an inquiry that took no money
    "prevented": RefundState.REVERSED,
    "charge_refunded": RefundState.REVERSED,  # until 2023: a refund took the dispute's place
}


Word = Status | Unknown | None


class TaxId(Payload):
    type: str | None = None
    value: str | None = None


class Line(Payload):
    description: str | None = None
    plan: str | None = path("plan.name")  # in old versions the one that has a name
    quantity: Decimal | None = None
    unit_amount: Decimal | None = path("pricing.unit_amount_decimal", "price.unit_amount_decimal")  # before 2025-03-31


class Carried(Payload):
    """A part of a credit note, and the refund that carries it."""

    refund: str | None = None
    amount_refunded: int | None = None


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else ()


# Where objects tell of the buyer, and of who gets the goods. Before 2022-11-15 a payment intent held its charges.
BUYER = (
    *("customer_details", "billing_details", "charges.data.0.billing_details"),
    "last_payment_error.payment_method.billing_details",
)
RECEIVER = ("shipping", "customer_shipping", "shipping_details", "collected_information.shipping_details")
# What the shop itself wrote: on the object, or on the subscription whose invoice it is (the last before 2025-03-31).
NOTED = ("metadata", "parent.subscription_details.metadata", "subscription_details.metadata")


def _in(places: tuple[str, ...], name: str, *more: str) -> Any:
    return path(*(f"{place}.{name}" for place in places), *more)


class Thing(Payload):
    """A session, payment intent, charge, invoice, invoice payment, dispute, refund or credit note."""

    id: str
    created: Seconds | None = path("created", "date")  # what it was called before 2019-03-14
    status: str | None = None
    paid: bool | None = None  # of old versions, that have no status
    currency: str | None = None
    amount: int | None = path("amount", "amount_total", "total")
    description: str | None = None
    # The ids that it knows of its sale.
    payment_intent: str | None = path("payment_intent", "payment.payment_intent")
    charge: str | None = path("charge", "payment.charge", "latest_charge")
    invoice: str | None = None
    order_reference: str | None = path("payment_details.order_reference")
    # Who paid.
    customer: str | None = None  # null for guests
    name: str | None = _in(BUYER, "name", "customer_name")
    cardholder: str | None = path("source.name", "card.name")  # of a charge in old versions
    email: str | None = _in(BUYER, "email")
    other_email: str | None = path("customer_email", "receipt_email")
    phone: str | None = _in(BUYER, "phone", "customer_phone")
    country: str | None = _in(BUYER, "address.country", "customer_address.country")
    cards_country: str | None = path("payment_method_details.card.country")
    receiver: str | None = _in(RECEIVER, "name")
    receivers_phone: str | None = _in(RECEIVER, "phone")
    receivers_country: str | None = _in(RECEIVER, "address.country")
    tax_ids: ListOf[TaxId] = path("customer_details.tax_ids", "customer_tax_ids", otherwise=())
    tax_id: str | None = path("billing_details.tax_id")
    boleto_tax_id: str | None = path("payment_method_details.boleto.tax_id")
    crm_contact_id: str | None = _in(NOTED, "crm_contact_id")
    deal_id: str | None = _in(NOTED, "deal_id")
    # Of a session; what was bought is not in it.
    mode: str | None = None
    payment_status: str | None = None
    # Of a payment intent.
    amount_received: int | None = None
    amount_remaining: int | None = path("next_action.display_bank_transfer_instructions.amount_remaining")
    error: str | None = path("last_payment_error.code")
    # Of a charge.
    amount_captured: int | None = None
    amount_refunded: int | None = None
    captured: bool | None = None
    refunded: bool | None = None
    # Of an invoice, or of a payment of it.
    amount_due: int | None = None
    amount_paid: int | None = None
    attempted: bool | None = None
    credited: int | None = path("pre_payment_credit_notes_amount")
    number: str | None = None
    due_date: Seconds | None = None
    next_payment_attempt: Seconds | None = None
    paid_at: Seconds | None = path("status_transitions.paid_at")
    hosted_invoice_url: str | None = None
    lines: ListOf[Line] = path("lines.data", otherwise=())
    has_more: bool | None = path("lines.has_more")  # a body holds the first ten lines
    # Of a refund, a dispute or a credit note.
    reason: str | None = None
    withdrawn: int | None = path("balance_transactions.0.amount")
    reinstated: int | None = path("balance_transactions.1.amount")
    type: str | None = None
    post_payment_amount: int | None = None  # since 2024
    refund: str | None = None
    refunds: Annotated[ListOf[Carried], BeforeValidator(_listed)] = ()  # those of a charge are an object or a list


class Person(Payload):
    """https://docs.stripe.com/api/customers/object"""

    id: str = path("data.object.id", otherwise=...)
    name: str | None = path("data.object.name")
    email: str | None = path("data.object.email")
    phone: str | None = path("data.object.phone")
    country: str | None = path("data.object.address.country", "data.object.shipping.address.country")
    crm_contact_id: str | None = path("data.object.metadata.crm_contact_id")


class Envelope(Payload):
    """https://docs.stripe.com/api/events/object"""

    created: Seconds | None = None
    livemode: bool | None = None
    thing: Thing = path("data.object", otherwise=...)


KINDS = {
    "checkout.session": "completed async_payment_succeeded async_payment_failed expired",
    "payment_intent": "requires_action processing amount_capturable_updated partially_funded succeeded payment_failed "
    "canceled",
    "charge": "pending succeeded captured failed expired refunded",
    "charge.dispute": "created closed funds_reinstated",
    "refund": "created updated failed",
    "charge.refund": "updated",  # what refund.updated was called before
    "invoice": "created updated finalized payment_action_required paid payment_succeeded payment_failed overdue voided "
    "marked_uncollectible",
    "invoice_payment": "paid",
    "credit_note": "created voided",
}


class Stripe(Adapter[Any]):
    name, title, origin = "stripe", "Stripe", Origin.PAYMENTS
    links = Links(
        signing="https://docs.stripe.com/webhooks#verify-manually",
        payload="https://docs.stripe.com/api/events/types",
    )
    signature = TimestampedHmac(
        header="stripe-signature", time_name="t", mac_name="v1", between=",", joined_by=".", tolerance=300
    )
    secret_prefix = "whsec_"  # noqa: S105 - what every such secret starts with; an API key (sk_…) signs nothing
    kind = BodyField("type")
    # The id alone would do for real events; Stripe's own sample events all carry evt_00000000000000, and would be
    # taken for one another.
    delivery_id = BodyField("id", "type", "created")
    customer_kinds = frozenset(("customer.created", "customer.updated"))
    topics = (
        *(f"{group}.{word}" for group, words in KINDS.items() for word in words.split()),
        *sorted(customer_kinds),
    )
    reads = dict.fromkeys(topics, Envelope) | dict.fromkeys(customer_kinds, Person)
    ignores = frozenset(
        "account.* balance.* coupon.* customer.deleted customer.discount.* customer.source.* customer.subscription.* "
        "customer.tax_id.* payment_method.* payout.* plan.* price.* product.* setup_intent.* "
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
        | status_map("invoice", pending="open", paid="paid", canceled="void", overdue="uncollectible")
    )

    def people(self, payload: Person, event: Event[Any]) -> Iterable[Customer]:
        yield Customer(
            name=payload.name,
            id=payload.id,
            crm_id=payload.crm_contact_id,
            emails=(payload.email,),
            phones=(payload.phone,),
            country=payload.country,
        )

    def orders(self, payload: Envelope, event: Event[Any]) -> Iterable[Order]:
        thing, (group, _, what) = payload.thing, event.kind.rpartition(".")
        session = group == "checkout.session"
        ids = Ids.of(thing, group)
        # Old versions say of charges and invoices only whether they were paid.
        unpaid, paid = {"charge": ("failed", "succeeded"), "invoice": ("open", "paid")}.get(group, (None, None))
        word = thing.payment_status if session else thing.status or (paid if thing.paid else unpaid)
        status = self.status(word and f"{group}.{word}")
        match group:
            case "checkout.session":
                told = _session(thing, ids, self.statuses.get(event.kind) or status, payload.created)
            case "payment_intent":
                told = _intent(thing, ids, status, what)
            case "charge":
                told = _charge(thing, ids, status, what)
            case "invoice":
                told = _invoice(thing, status, what, payload.created)
            case "invoice_payment":
                payments = _taken(ids.payment or thing.id, thing.amount_paid or 0, thing)
                told = {"bills": (Bill(id=ids.invoice),) if ids.invoice else (), "payments": payments}
            case "credit_note":
                told = {"refunds": (_credit_note(thing),)}
            case _:
                told = {"refunds": (_given_back(thing, ids, event.kind),)}
        found = [(rank, name) for rank, name in enumerate(ids) if name]
        shared = [ids.payment] if group == "invoice_payment" and ids.invoice else []
        found = [each for each in found if each[1] not in shared] or found
        if not found:
            raise Ignored("it names neither a payment nor an invoice")
        brazilian = [tax.value for tax in thing.tax_ids if tax.type in ("br_cpf", "br_cnpj")]
        yield Order(
            external_id=found[0][1],
            preference=found[0][0],
            aliases=tuple(name for _, name in found[1:]),
            attempt_of=tuple(shared),
            at=payload.created,
            source_status=thing.status if session and thing.status == "expired" else word if "status" in told else None,
            ordered_at=thing.created if ids.is_best(thing.id) else None,  # what pays leaves it to what is paid
            customer=Customer(
                name=thing.name or thing.cardholder,
                id=thing.customer,
                crm_id=thing.crm_contact_id,
                emails=(thing.email, thing.other_email),
                phones=(thing.phone,),
                documents=(*brazilian, thing.tax_id, thing.boleto_tax_id),
                country=thing.country or thing.cards_country,
            ).or_recipient(thing.receiver, thing.receivers_phone, thing.receivers_country),
            test=None if payload.livemode is None else not payload.livemode,
            deal_id=thing.deal_id,
            **told,
        )


class Ids(NamedTuple):
    """The ids that an object knows of its sale, the best name for it first."""

    intent: str | None
    invoice: str | None
    session: str | None
    charge: str | None

    @classmethod
    def of(cls, thing: Thing, group: str) -> "Ids":
        named = thing.order_reference or ""
        return cls(
            thing.id if group == "payment_intent" else thing.payment_intent,
            thing.id if group == "invoice" else thing.invoice or (named if named.startswith("in_") else None),
            thing.id if group == "checkout.session" else None,
            thing.id if group == "charge" else thing.charge,
        )

    def is_best(self, name: str) -> bool:
        """Whether an object stands for the sale: the invoice, else the payment intent, else what there is."""
        return name == (self.invoice or self.intent or self.session or self.charge)

    @property
    def payment(self) -> str:
        """The id of the payment: its intent's, where there is none its charge's."""
        return self.intent or self.charge or ""


def _session(session: Thing, ids: Ids, status: Word, at: datetime | None) -> dict[str, Any]:
    if session.mode == "setup":
        raise Ignored("a checkout session that only saves a payment method")
    if session.status == "expired" and not ids.intent:
        raise Ignored("a checkout session expired without a payment: a cart")
    value = None if session.amount is None else money(session.amount, session.currency)
    bill = Bill(id=ids.invoice or ids.intent or session.id, value=value)
    return {"status": status, "bills": (bill,), "paid_at": at if status is Status.PAID else None}


def _intent(intent: Thing, ids: Ids, status: Word, what: str) -> dict[str, Any]:
    whole, received = _needed(intent), intent.amount_received or 0
    state, taken, bill = STATES.get(intent.status or ""), received or whole, None
    if what == "partially_funded" and status is Status.PENDING:  # a bank transfer, of which a part has come
        status, bill = Status.PARTIALLY_PAID, Bill(id=ids.payment, value=money(whole, intent.currency))
        if intent.amount_remaining is not None:
            state, taken = PaymentState.TAKEN, max(0, whole - intent.amount_remaining)
    elif state is PaymentState.AUTHORIZED and received:  # a capture of which more may follow
        state, bill = PaymentState.TAKEN, Bill(id=ids.payment, value=money(whole, intent.currency), closed=False)
    elif state is PaymentState.TAKEN and taken < whole:
        bill = Bill(id=ids.payment, closed=True)
    elif state is PaymentState.FAILED and intent.error == LAPSED:
        status, state, bill = Status.CANCELED, None, Bill(id=ids.payment)
    elif state is PaymentState.CANCELED:
        bill = Bill(id=ids.payment)
    return _attempt(intent, ids, status, state, taken, bill)


def _charge(charge: Thing, ids: Ids, status: Word, what: str) -> dict[str, Any]:
    whole, back, state = _needed(charge), charge.amount_refunded or 0, None
    taken = whole
    if what == "expired" or (charge.captured is False and charge.refunded):
        # An authorisation that was let go counts as refunded at Stripe, though no money had moved.
        status, state = Status.CANCELED, PaymentState.CANCELED
    elif charge.captured is False and status is Status.PAID:
        status, state = Status.PENDING, PaymentState.AUTHORIZED
    elif status is Status.PAID:
        state, taken = PaymentState.TAKEN, charge.amount_captured or whole
        status = Status.REFUNDED if charge.refunded else Status.PAID
    elif status is Status.FAILED:
        state = PaymentState.FAILED
    told = _attempt(charge, ids, status, state, taken, Bill(id=ids.payment, closed=True) if taken < whole else None)
    if back and state is PaymentState.TAKEN:
        # What was not captured is given back by itself (https://docs.stripe.com/api/charges/capture).
        total = money(max(0, back - (whole - taken)), charge.currency)
        told |= {"sequence": back, "refunds": (Refund(value=total, payment=ids.payment, total=True),)}
    return told


def _attempt(
    thing: Thing, ids: Ids, status: Word, state: PaymentState | None, amount: int, bill: Bill | None
) -> dict[str, Any]:
    """With a bill, the word is the sale's and not the attempt's. Of an invoice, only the invoice is the bill."""
    return {
        "status": status,
        "title": None if thing.description in STOCK_DESCRIPTIONS else order_title(None, [thing.description]),
        "bills": (bill,) if bill and not ids.invoice else (),
        "payments": (Payment(id=ids.payment, value=money(amount, thing.currency), state=state),),
    }


def _invoice(invoice: Thing, status: Word, what: str, at: datetime | None) -> dict[str, Any]:
    total, paid = _needed(invoice), invoice.amount_paid or 0
    if invoice.status == "draft":
        raise Ignored("a draft invoice is not an order yet")
    if total < 0:
        raise Ignored("an invoice with a total below zero is a credit to the customer's balance")
    value = max(0, total - (invoice.credited or 0))
    if status is Status.PENDING:
        if 0 < paid < value:
            status = Status.PARTIALLY_PAID
        elif what == "payment_failed" and not invoice.next_payment_attempt:
            status = Status.FAILED
        elif what in ("payment_failed", "overdue") or (at and invoice.due_date and invoice.due_date < at):
            status = Status.OVERDUE
        elif what == "updated" and invoice.attempted:
            status = None  # an edit says nothing of the try that failed before it
    balance = 0 if invoice.amount_due is None or not (paid or status is Status.PAID) else value - invoice.amount_due
    named = invoice.payment_intent or invoice.charge  # before basil: it is told by itself, and nothing else is counted
    so_far = 0 if named or not paid else paid + balance
    if balance > 0 and status is Status.PAID:  # before basil `amount_paid` does not tell what came past Stripe
        so_far = max(so_far, value)
    lines = invoice.lines[:1] if invoice.has_more else invoice.lines
    items = tuple(_item(line, invoice.currency) for line in lines)
    credited = value == 0 < total
    return {
        "status": status,
        "title": order_title(invoice.number, items),
        "bills": (Bill(id=invoice.id, value=money(value, invoice.currency), given_up=credited or None),),
        "payments": _taken(f"balance:{invoice.id}", balance, invoice) + _taken(SO_FAR, so_far, invoice),
        "paid_at": invoice.paid_at if status is Status.PAID else None,
        "items": None if invoice.has_more else items or None,
        "url": invoice.hosted_invoice_url,
    }


def _given_back(back: Thing, ids: Ids, kind: str) -> Refund:
    if back.reason in RELEASED:
        raise Ignored("a release of money that was never taken")
    dispute = kind.startswith("charge.dispute.")
    state = (DISPUTES if dispute else REFUNDS).get(back.status or "", RefundState.PENDING)
    if kind.endswith(".funds_reinstated"):
        state = RefundState.REVERSED
    elif back.status == "prevented" and (back.withdrawn or 0) + (back.reinstated or 0) < 0:
        state = RefundState.DONE
    return Refund(
        id=back.id,
        value=money(_needed(back), back.currency),
        state=state,
        kind=RefundKind.CHARGEBACK if dispute else RefundKind.REFUND,
        at=None if dispute else back.created,  # by which it is known whether the charge's total counts it
        payment=ids.payment or None,
    )


def _credit_note(note: Thing) -> Refund:
    """What a credit note gives back after payment, without the refunds that carry a part of it."""
    after = note.post_payment_amount
    if after is None:
        after = _needed(note) if note.type == "post_payment" and not note.refund else 0
    rest = after - sum(one.amount_refunded or 0 for one in note.refunds if one.refund)
    if rest <= 0:
        raise Ignored("a credit note that gives nothing back by itself: it lowers the invoice, or a refund carries it")
    state = RefundState.REVERSED if note.status == "void" else RefundState.DONE
    return Refund(id=note.id, value=money(rest, note.currency), state=state)


def _taken(name: str, amount: int, thing: Thing) -> tuple[Payment, ...]:
    return (Payment(id=name, value=money(amount, thing.currency), state=PaymentState.TAKEN),) if amount > 0 else ()


def money(amount: Decimal | int, currency: str | None) -> Money:
    """Stripe's amounts: whole numbers of a currency's smallest unit, as Stripe counts it. Raises Unreadable."""
    if not currency:
        raise Unreadable("data.object.currency: Field required")
    return Money.scaled(amount, EXPONENTS.get(currency.strip().upper(), 2), currency)


def _needed(thing: Thing) -> int:
    if thing.amount is None:
        raise Unreadable("data.object.amount: Field required")
    return thing.amount


def _item(line: Line, currency: str | None) -> Item:
    unit = None if line.unit_amount is None else money(line.unit_amount, currency)
    return Item(title=line.description or line.plan, quantity=line.quantity, unit_value=unit)
