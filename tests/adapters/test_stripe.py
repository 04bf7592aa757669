"""Stripe: the published signature, Stripe's own decimals, and one order out of several objects."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable, Unverified
from adapters.stripe import money
from tests import samples
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

SENT = 1_790_859_605
AT = datetime.fromtimestamp(SENT, UTC)
STRIPE = Source("stripe")


def said(kind: str, thing: dict, **envelope: object) -> OrderView:
    event = {"id": "evt_1", "type": kind, "created": SENT, "livemode": True, "data": {"object": thing}, **envelope}
    return STRIPE.order(event)


def sample(name: str) -> OrderView:
    return STRIPE.order(samples.sample("stripe", name).delivery)


def intent(**fields: object) -> dict:
    return {"id": "pi_1", "status": "succeeded", "amount": 1000, "currency": "brl", "created": SENT - 60, **fields}


def charge(**fields: object) -> dict:
    return {
        "id": "ch_1",
        "payment_intent": "pi_1",
        "status": "succeeded",
        "captured": True,
        "refunded": False,
        "amount": 1000,
        "amount_captured": 1000,
        "amount_refunded": 0,
        "currency": "brl",
        **fields,
    }


def invoice(**fields: object) -> dict:
    return {"id": "in_1", "status": "open", "total": 1000, "currency": "brl", "created": SENT - 60, **fields}


def session(**fields: object) -> dict:
    return {"id": "cs_1", "mode": "payment", "status": "complete", "payment_status": "paid", **fields}


# -- Signature ----------------------------------------------------------------------------------------------------

# stripe/stripe-dotnet, src/StripeTests/Services/Events/EventUtilityTest.cs and Resources/event_test_signature.json
VECTOR_TEXT = json.dumps(
    {
        "id": "evt_123",
        "object": "event",
        "account": "acct_123",
        "api_version": "2017-05-25",
        "created": 1533204620,
        "data": {
            "object": {
                "id": "cus_123",
                "object": "customer",
                "created": 123456789,
                "email": "test@stripe.com",
                "livemode": False,
                "metadata": {},
            }
        },
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_123", "idempotency_key": "idempotency-key-123"},
        "type": "customer.created",
    },
    indent=2,
)
VECTOR = f"{VECTOR_TEXT}\n".encode()  # the file ends with a newline, and it is signed
VECTOR_AT = datetime.fromtimestamp(1533204620, UTC)
VECTOR_MAC = "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7"


@pytest.mark.parametrize(
    "header",
    [
        f"t=1533204620,v1={VECTOR_MAC}",
        f"t=1533204620,v1={VECTOR_MAC},v0={'0' * 64}",
        f"t=1533204620,v1={'0' * 64},v1={VECTOR_MAC}",  # while a secret is rolled
    ],
)
def test_published_vector(header: str) -> None:
    assert len(VECTOR) == 484
    found = STRIPE.verify(arrived(VECTOR, stripe_signature=header), "other", "webhook_secret", now=VECTOR_AT)
    assert found == "webhook_secret"


@pytest.mark.parametrize(
    ("header", "seconds", "reason"),
    [
        (f"t=1533204620,v1={VECTOR_MAC}", 301, Unverified.TOO_OLD),
        (f"t=1533204620,v1={VECTOR_MAC}", -301, Unverified.TOO_NEW),
        (f"t=1533204621,v1={VECTOR_MAC}", 0, Unverified.MISMATCH),
        (f"t=1533204620,v0={VECTOR_MAC}", 0, Unverified.MALFORMED),
        (f"v1={VECTOR_MAC}", 0, Unverified.MALFORMED),
        (f"t=1533204620,t=1533204620,v1={VECTOR_MAC}", 0, Unverified.MALFORMED),
        (f"t=1533204620,v1={VECTOR_MAC.upper()}", 0, Unverified.MISMATCH),
    ],
)
def test_refused(header: str, seconds: int, reason: str) -> None:
    delivery, now = arrived(VECTOR, stripe_signature=header), VECTOR_AT + timedelta(seconds=seconds)
    assert STRIPE.refuse(delivery, "webhook_secret", now=now) == reason


def test_the_delivery_is_told_apart_by_more_than_its_id() -> None:
    """Stripe's sample events share one id; the same event again has the same type and time as well."""
    events = [
        b'{"id": "evt_00000000000000", "type": "invoice.paid", "created": 1326853478}',
        b'{"id": "evt_00000000000000", "type": "charge.succeeded", "created": 1326853478}',
    ]
    ids = {STRIPE.delivery_id(body) for body in events}
    assert len(ids) == 2
    assert all(found and found.startswith("evt_00000000000000:") for found in ids)


# -- Money --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (19990, "brl", "199.90"),
        (500, "jpy", "500"),
        (500, "mga", "500.00"),  # Stripe counts whole ariary, ISO 4217 two decimals
        (500, "isk", "5"),  # Stripe keeps two decimals, ISO 4217 none
        (500, "ugx", "5"),
        (500, "clp", "500"),
        (5120, "kwd", "5.120"),
        (1045, "huf", "10.45"),  # without decimals in payouts only
        (1045, "twd", "10.45"),
    ],
)
def test_decimals_are_stripes_own(amount: int, currency: str, text: str) -> None:
    order = said("payment_intent.succeeded", intent(amount=amount, amount_received=amount, currency=currency))
    assert order.payments == {"pi_1": f"{text} {currency.upper()} taken"}


@pytest.mark.parametrize(
    ("fields", "status", "value", "refunded"),
    [
        ({}, Status.PAID, "10.00", None),
        ({"amount_refunded": 300}, Status.PAID, "10.00", "3.00"),
        ({"amount_refunded": 1000, "refunded": True}, Status.REFUNDED, "10.00", "10.00"),
        # 4.00 of 10.00 were never captured, and Stripe counts them among the refunded.
        ({"amount_captured": 600, "amount_refunded": 400}, Status.PAID, "6.00", None),
        ({"amount_captured": 600, "amount_refunded": 500}, Status.PAID, "6.00", "1.00"),
        ({"amount_captured": 600, "amount_refunded": 1000, "refunded": True}, Status.REFUNDED, "6.00", "6.00"),
        # An authorisation that was let go: no money had moved.
        (
            {"captured": False, "amount_captured": 0, "amount_refunded": 1000, "refunded": True},
            "canceled",
            "10.00",
            None,
        ),
        ({"captured": False, "amount_captured": 0}, Status.PENDING, "10.00", None),
        ({"amount_captured": None, "amount_refunded": None}, Status.PAID, "10.00", None),  # before 2020
    ],
)
def test_charge_money(fields: dict, status: str, value: str, refunded: str | None) -> None:
    order = folded(said("charge.refunded", charge(**fields)))
    assert (order.status, f"{(order.value or 0) / 100:.2f}") == (status, value)
    assert f"{order.refunded_value / 100:.2f}" == (refunded or "0.00")


# -- Statuses -----------------------------------------------------------------------------------------------------

DAY = 86400


@pytest.mark.parametrize(
    ("kind", "thing", "status"),
    [
        ("payment_intent.succeeded", intent(), Status.PAID),
        ("payment_intent.succeeded", intent(status="levitating"), UNKNOWN),
        ("payment_intent.processing", intent(status="processing"), Status.PENDING),
        ("payment_intent.requires_action", intent(status="requires_action"), Status.PENDING),
        ("payment_intent.requires_action", intent(status="requires_source_action"), Status.PENDING),
        ("payment_intent.amount_capturable_updated", intent(status="requires_capture"), Status.PENDING),
        ("payment_intent.partially_funded", intent(status="requires_action"), Status.PARTIALLY_PAID),
        ("payment_intent.partially_funded", intent(status="succeeded"), Status.PAID),
        ("payment_intent.payment_failed", intent(status="requires_payment_method"), Status.FAILED),
        (
            "payment_intent.payment_failed",
            intent(
                status="requires_payment_method",
                last_payment_error={"code": "payment_intent_payment_attempt_expired"},
            ),
            Status.CANCELED,
        ),
        ("payment_intent.canceled", intent(status="canceled"), Status.CANCELED),
        ("charge.pending", charge(status="pending", captured=False), Status.PENDING),
        ("charge.failed", charge(status="failed", captured=False), Status.FAILED),
        ("charge.succeeded", charge(status="levitating"), UNKNOWN),
        ("charge.expired", charge(captured=False), Status.CANCELED),
        ("checkout.session.completed", session(), Status.PAID),
        ("checkout.session.completed", session(payment_status="unpaid"), Status.PENDING),
        ("checkout.session.completed", session(payment_status="no_payment_required"), Status.PAID),
        ("checkout.session.completed", session(payment_status="levitating"), UNKNOWN),
        ("checkout.session.completed", session(payment_status=None), None),
        ("checkout.session.async_payment_succeeded", session(), Status.PAID),
        ("checkout.session.async_payment_failed", session(payment_status="unpaid"), Status.FAILED),
        (
            "checkout.session.expired",
            session(payment_status="unpaid", status="expired", payment_intent="pi_1"),
            Status.CANCELED,
        ),
        ("invoice.finalized", invoice(), Status.PENDING),
        ("invoice.finalized", invoice(due_date=SENT + DAY), Status.PENDING),
        ("invoice.finalized", invoice(due_date=SENT - DAY), Status.OVERDUE),
        ("invoice.overdue", invoice(due_date=SENT - DAY), Status.OVERDUE),
        ("invoice.overdue", invoice(due_date=SENT - DAY, amount_paid=400), Status.PARTIALLY_PAID),
        ("invoice.payment_failed", invoice(next_payment_attempt=SENT + DAY), Status.OVERDUE),
        ("invoice.payment_failed", invoice(), Status.FAILED),
        ("invoice.payment_action_required", invoice(), Status.PENDING),
        ("invoice.paid", invoice(status="paid", amount_paid=1000), Status.PAID),
        ("invoice.paid", invoice(status="paid", due_date=SENT - DAY), Status.PAID),
        ("invoice.voided", invoice(status="void"), Status.CANCELED),
        ("invoice.marked_uncollectible", invoice(status="uncollectible"), Status.OVERDUE),
        ("invoice.finalized", invoice(status="levitating"), UNKNOWN),
    ],
)
def test_status(kind: str, thing: dict, status: object) -> None:
    order = said(kind, thing)
    assert order.status is status
    tells_when = not kind.startswith("invoice.") or "amount_paid" in thing
    assert (folded(order).paid_at is not None) == (status is Status.PAID and tells_when)


@pytest.mark.parametrize(
    ("kind", "thing", "reason"),
    [
        ("checkout.session.expired", session(payment_status="unpaid", status="expired"), "a cart"),
        ("checkout.session.completed", session(mode="setup"), "saves a payment method"),
        ("charge.dispute.closed", {"id": "du_1", "status": "lost", "amount": 1, "currency": "brl"}, "names neither"),
        ("invoice.created", invoice(status="draft"), "draft"),
        ("invoice.paid", invoice(status="paid", total=-1000), "credit"),
        ("payment_intent.created", intent(status="requires_payment_method"), "not among"),
        (
            "refund.created",
            {"id": "re_1", "reason": "partial_capture", "amount": 1, "currency": "brl", "payment_intent": "pi_1"},
            "never taken",
        ),
        (
            "credit_note.created",
            {"id": "cn_1", "invoice": "in_1", "type": "pre_payment", "amount": 1, "currency": "brl"},
            "gives nothing back",
        ),
        ("customer.subscription.updated", {"id": "sub_1"}, "not about an order"),
        ("v1.billing.meter.error_report_triggered", {"id": "mtr_1"}, "not among"),
    ],
)
def test_no_order(kind: str, thing: dict, reason: str) -> None:
    with pytest.raises(Ignored, match=reason):
        said(kind, thing)


def test_a_thin_event_is_ignored() -> None:
    body = b'{"id": "evt_1", "object": "v2.core.event", "type": "v2.core.account.updated", "created": "2026-10-01T13:00:00Z"}'
    with pytest.raises(Ignored):
        STRIPE.order(body)


@pytest.mark.parametrize(
    ("thing", "field"),
    [
        (intent(currency=None), "data.object.currency"),
        (intent(amount="much"), "data.object.amount"),
        (intent(amount=10**30), "too large"),
        (intent(currency="real"), "ISO 4217"),
        (intent(id=""), "id is empty"),
        (intent(amount=None), "data.object.amount"),
    ],
)
def test_unreadable_names_the_field(thing: dict, field: str) -> None:
    with pytest.raises((Unreadable, Ignored), match=field if thing["id"] else "names neither"):
        said("payment_intent.succeeded", thing)


# -- Which order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "thing", "ids", "preference"),
    [
        ("payment_intent.succeeded", intent(latest_charge="ch_1"), ["pi_1", "ch_1"], 0),
        ("payment_intent.succeeded", intent(invoice="in_1"), ["pi_1", "in_1"], 0),
        ("charge.succeeded", charge(), ["pi_1", "ch_1"], 0),
        ("charge.succeeded", charge(payment_intent=None), ["ch_1"], 3),
        ("checkout.session.completed", session(payment_intent="pi_1"), ["pi_1", "cs_1"], 0),
        ("checkout.session.completed", session(mode="subscription", invoice="in_1"), ["in_1", "cs_1"], 1),
        ("checkout.session.completed", session(), ["cs_1"], 2),
        ("invoice.paid", invoice(status="paid"), ["in_1"], 1),
        ("invoice.paid", invoice(status="paid", payment_intent="pi_1", charge="ch_1"), ["pi_1", "in_1", "ch_1"], 0),
        (
            "invoice_payment.paid",
            {"id": "inpay_1", "invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}},
            ["in_1", "pi_1"],
            1,
        ),
        (
            "invoice_payment.paid",
            {"id": "inpay_1", "invoice": "in_1", "payment": {"type": "charge", "charge": "ch_1"}},
            ["in_1", "ch_1"],
            1,
        ),
        (
            "charge.dispute.closed",
            {
                "id": "du_1",
                "status": "lost",
                "amount": 1000,
                "currency": "brl",
                "charge": "ch_1",
                "payment_intent": None,
            },
            ["ch_1"],
            3,
        ),
    ],
)
def test_ids(kind: str, thing: dict, ids: list[str], preference: int) -> None:
    order = said(kind, thing)
    assert [order.external_id, *order.aliases, *order.attempt_of] == ids
    assert order.preference == preference


@pytest.mark.parametrize(
    ("names", "status", "value", "refunded", "title"),
    [
        (["session_completed", "intent_succeeded", "charge_succeeded"], "paid", 19990, 0, "Running shoes"),
        (["session_completed", "charge_refunded_partly", "intent_succeeded"], "paid", 19990, 5000, "Running shoes"),
        (["charge_succeeded", "charge_refunded_partly", "charge_refunded"], "refunded", 19990, 19990, "Running shoes"),
        (["session_completed", "intent_succeeded", "dispute_lost"], "refunded", 19990, 19990, "Running shoes"),
        (["session_completed_boleto", "intent_requires_action", "session_async_paid"], "paid", 19990, 0, None),
        (["session_completed_boleto", "charge_pending", "intent_lapsed"], "canceled", 19990, 0, None),
        (["intent_authorized", "charge_authorized", "charge_captured_partly"], "paid", 42000, 0, "Order 1002"),
        (["charge_voided", "intent_canceled"], "canceled", 19990, 0, None),
        (
            ["session_completed_subscription", "invoice_finalized", "invoice_paid", "invoice_payment_paid"],
            "paid",
            16500,
            0,
            "#LOJA-0007 · 1 × Team plan (at R$ 120.00 / month) +1",
        ),
        (
            ["invoice_payment_failed_retrying", "invoice_payment_failed_last"],
            "failed",
            12000,
            0,
            "#LOJA-0009 · 1 × Team plan (at R$ 120.00 / month)",
        ),
    ],
)
def test_one_sale_is_one_order(names: list[str], status: str, value: int, refunded: int, title: str | None) -> None:
    orders = [sample(name) for name in names]
    met = {orders[0].external_id, *orders[0].aliases}
    for _ in orders:
        for order in orders:
            if met & {order.external_id, *order.aliases}:
                met |= {order.external_id, *order.aliases}
    assert all(order.external_id in met for order in orders), "an object of the sale names none of the others"
    best = sorted(met, key=lambda name: ["pi", "in", "cs", "ch", "py"].index(name.split("_")[0]))[0]
    one = folded(*orders)
    assert (one.status, one.value, one.refunded_value) == (status, value, refunded)
    assert one.external_id == best
    assert one.title == title


def test_a_dispute_in_another_currency_is_noted() -> None:
    lost = {
        "id": "du_1",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "amount": 900,
        "currency": "eur",
        "status": "lost",
    }
    order = folded(said("charge.succeeded", charge()), said("charge.dispute.closed", lost))
    assert (order.status, order.refunded_value, order.notes) == (Status.PAID, 0, ("other_currency",))


@pytest.mark.parametrize(
    ("kind", "fields", "refunded"),
    [
        ("closed", {"status": "lost"}, 400),
        ("closed", {"status": "won"}, 0),
        ("closed", {"status": "warning_closed"}, 0),
        ("closed", {"status": "prevented"}, 0),
        ("closed", {"status": "prevented", "balance_transactions": [{"amount": -400}]}, 400),
        ("closed", {"status": "prevented", "balance_transactions": [{"amount": -400}, {"amount": 400}]}, 0),
        ("created", {"status": "needs_response"}, 0),
        ("funds_reinstated", {"status": "lost"}, 0),
    ],
)
def test_what_a_dispute_takes(kind: str, fields: dict, refunded: int) -> None:
    dispute = {"id": "du_1", "charge": "ch_1", "payment_intent": "pi_1", "amount": 400, "currency": "brl", **fields}
    order = folded(said("charge.succeeded", charge()), said(f"charge.dispute.{kind}", dispute))
    assert (order.status, order.refunded_value) == (Status.PAID, refunded)


@pytest.mark.parametrize(
    ("fields", "back"),
    [
        ({"type": "post_payment", "amount": 400}, 400),  # before 2024
        ({"post_payment_amount": 400, "amount": 900}, 400),
        ({"post_payment_amount": 400, "amount": 400, "refunds": [{"refund": "re_1", "amount_refunded": 300}]}, 100),
        ({"post_payment_amount": 400, "amount": 400, "refunds": [{"payment_record_refund": {}}]}, 400),
    ],
)
def test_a_credit_note_gives_back_what_no_refund_carries(fields: dict, back: int) -> None:
    note = said("credit_note.created", {"id": "cn_1", "invoice": "in_1", "currency": "brl", **fields})
    order = folded(said("invoice.paid", invoice(status="paid", amount_due=1000, amount_paid=1000)), note)
    assert (order.status, order.value, order.refunded_value) == (Status.PAID, 1000, back)


def test_the_receiver_is_taken_where_nobody_else_is_named() -> None:
    sent = {"name": "Rui", "phone": "+351910000000", "address": {"country": "PT"}}
    alone = said("payment_intent.succeeded", intent(shipping=sent)).customer
    assert alone and (alone.name, alone.phones, alone.country) == ("Rui", ("+351910000000",), "PT")
    billed = {"name": "Ana", "phone": "11900000000", "address": {"country": "BR"}}
    both = said("charge.succeeded", charge(billing_details=billed, shipping=sent)).customer
    assert both and (both.name, both.phones, both.country) == ("Ana", ("11900000000",), "BR")


# -- Contact, title, items ----------------------------------------------------------------------------------------


def test_contact_of_a_session() -> None:
    customer = sample("session_completed").customer
    assert customer
    assert (customer.id, customer.crm_id, customer.name) == ("cus_MadeUpAna", "42", "Ana Souza")
    assert customer.emails == ("ana.souza@example.com",)
    assert customer.documents == ("111.444.777-35",)


def test_other_countries_tax_ids_are_no_documents() -> None:
    tax_ids = [{"type": "eu_vat", "value": "IT52998224725"}, {"type": "br_cnpj", "value": "11.222.333/0001-81"}]
    order = said("checkout.session.completed", session(customer_details={"tax_ids": tax_ids}))
    assert order.customer
    assert order.customer.documents == ("11.222.333/0001-81",)


def test_a_guest_who_left_nothing_is_nobody() -> None:
    assert said("payment_intent.succeeded", intent(customer=None, receipt_email="")).customer is None


def test_the_subscriptions_metadata_serves_its_invoices() -> None:
    order = sample("invoice_paid")
    assert order.deal_id == "D-9"
    assert order.customer
    assert order.customer.crm_id == "77"
    own = said(
        "invoice.paid",
        invoice(
            status="paid",
            metadata={"deal_id": "D-1", "crm_contact_id": "1"},
            subscription_details={"metadata": {"deal_id": "D-2", "crm_contact_id": "2"}},
        ),
    )
    assert own.deal_id == "D-1"
    assert own.customer
    assert own.customer.crm_id == "1"


@pytest.mark.parametrize("words", ["Subscription creation", "Subscription update", "Payment for Invoice", "", None])
def test_stock_descriptions_are_no_titles(words: str | None) -> None:
    assert said("payment_intent.succeeded", intent(description=words)).title is None


def test_a_cut_list_of_lines_is_not_taken_for_all_of_them() -> None:
    lines = {"data": [{"description": "Plan", "quantity": 1}, {"description": "Seat", "quantity": 2}], "has_more": True}
    order = said("invoice.finalized", invoice(number="A-1", lines=lines))
    assert order.items is None
    assert order.title == "#A-1 · Plan"


def test_items_of_both_shapes() -> None:
    lines = {
        "data": [
            {"description": "Old", "quantity": 2, "price": {"unit_amount_decimal": "1250"}},
            {"description": "New", "quantity": 1, "pricing": {"unit_amount_decimal": "99.5"}},
            {"description": None, "quantity": None},
        ]
    }
    order = said("invoice.finalized", invoice(lines=lines))
    assert order.items
    assert [str(item.unit_value) for item in order.items] == ["12.50", "1.00", "None"]


@pytest.mark.parametrize(("livemode", "test"), [(True, False), (False, True), (None, None)])
def test_test_mode(livemode: bool | None, test: bool | None) -> None:
    assert said("payment_intent.succeeded", intent(), livemode=livemode).test is test


def test_times() -> None:
    order = said("payment_intent.succeeded", intent())
    assert order.at == AT
    assert folded(order).paid_at == SENT * 1_000_000
    assert order.ordered_at == AT - timedelta(seconds=60)
    # What belongs to something larger leaves the time of ordering to it.
    assert said("charge.succeeded", charge(created=SENT)).ordered_at is None
    assert said("payment_intent.succeeded", intent(invoice="in_1")).ordered_at is None
    assert said("invoice.paid", invoice(status="paid", status_transitions={"paid_at": SENT - 5})).paid_at == (
        AT - timedelta(seconds=5)
    )


def test_money_is_never_rounded_away() -> None:
    assert money(1, "brl").minor == 1
    assert money(1, "jpy").minor == 1


# -- Bodies of the platform ---------------------------------------------------------------------------------------


def test_bodies_of_the_platform_are_read_or_ignored(payloads: Payloads) -> None:
    for path in payloads("stripe"):
        body = path.read_bytes()
        kind = STRIPE.kind(body)
        try:
            orders = STRIPE.orders(body)
        except Ignored:
            no_sale = {"invoice.created", "charge.dispute.closed", *STRIPE.adapter.customer_kinds}
            assert kind not in STRIPE.adapter.reads or kind in no_sale, path.name
        else:
            told = [order for order in orders if not order.refunds]
            assert all(folded(order).value is not None for order in told), path.name
            assert all(order.status in set(Status) for order in told), path.name
