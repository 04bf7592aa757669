"""Mercado Pago: the manifest that is signed, the id that is fetched, and what payments and orders become."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Delivery, Ignored, Status, Strength, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import NOW, OrderView, Source, arrived, folded

MERCADO_PAGO = Source("mercadopago")

# The values of the SDKs' own tests (mercadopago 3.6.0, tests/test_webhook_signature_validator.py), which compute the
# signature; the hexadecimal ones here were computed apart from this project.
SECRET, REQUEST_ID, SENT_AT = "your_secret_key_here", "2066ca19-c6f1-498a-be75-1923005edd06", "1742505638683"
LOWER, UPPER = "ord01jq4s4ky8hwq6na5pxb65b3d3", "ORD01JQ4S4KY8HWQ6NA5PXB65B3D3"
OF_LOWER = "633f91233312dd391ec75fa0bea539cfc2d6c4918873305b84a96cc1c58db71c"
OF_UPPER = "fb15ae6472eb449173c556793205d77787d58f384d183bb5bc3b724c27bd103c"
WITHOUT_ID = "8a7b0cc777a8217c3bab41a50c95dc92debbc6f8448f1c967dfe10ac1cb8b894"
ONLY_TIME = "3f075add3ddb923bebf0bc0648457b8244cf4420b98d5b445167d379bec0ca54"


def notice(data_id: str | None, body: object = b"{}", **headers: str) -> Delivery:
    return arrived(body, query={} if data_id is None else {"data.id": data_id}, **headers)


def became(document: object, kind: str = "payment") -> OrderView:
    return MERCADO_PAGO.order(notice("1", {"type": kind, "data": {"id": "1"}}), document)


def payment(**fields: object) -> dict[str, Any]:
    return {"id": 1, "status": "approved", "currency_id": "BRL", "transaction_amount": 398, **fields}


def order(**fields: object) -> dict[str, Any]:
    return {"id": "ORD1", "status": "processed", "country_code": "BRA", "total_amount": "398.00", **fields}


# -- Signature ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data_id", "request_id", "mac"),
    [
        (LOWER, REQUEST_ID, OF_LOWER),
        (UPPER, REQUEST_ID, OF_UPPER),  # the SDKs: as it came
        (UPPER, REQUEST_ID, OF_LOWER),  # the manual: in lower case
        (None, REQUEST_ID, WITHOUT_ID),
        ("", REQUEST_ID, WITHOUT_ID),
        (None, None, ONLY_TIME),
    ],
)
def test_the_sdks_values(data_id: str | None, request_id: str | None, mac: str) -> None:
    headers = {"x_signature": f"ts={SENT_AT},v1={mac}", **({"x_request_id": request_id} if request_id else {})}
    assert MERCADO_PAGO.verify(notice(data_id, **headers), "another one", SECRET) == SECRET
    for other in ("other", "your_secret_key_her"):
        assert MERCADO_PAGO.refuse(notice(data_id, **headers), other) == Unverified.MISMATCH


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("this-is-garbage", Unverified.MALFORMED),
        (f"v1={OF_LOWER}", Unverified.MALFORMED),
        (f"ts={SENT_AT}", Unverified.MALFORMED),
        (f"ts={SENT_AT},v2={OF_LOWER}", Unverified.MALFORMED),
        (f"ts=,v1={OF_LOWER}", Unverified.MALFORMED),
        (f"ts=soon,v1={OF_LOWER}", Unverified.MALFORMED),
        (f"ts=²,v1={OF_LOWER}", Unverified.MALFORMED),
        (f"ts={SENT_AT}0,v1={OF_LOWER}", Unverified.MISMATCH),
        (f"ts={SENT_AT},v1={OF_LOWER[:-2]}00", Unverified.MISMATCH),
        (f"ts={SENT_AT},v1={OF_LOWER.upper()}", Unverified.MISMATCH),
        # What the manual shows beside its request-id and order, without the secret.
        (f"ts={SENT_AT},v1=ced36ab6d33566bb1e16c125819b8d840d6b8ef136b0b9127c76064466f5229b", Unverified.MISMATCH),
    ],
)
def test_other_headers_are_refused(header: str, reason: str) -> None:
    assert MERCADO_PAGO.refuse(notice(LOWER, x_signature=header, x_request_id=REQUEST_ID), SECRET) == reason


@pytest.mark.parametrize("header", [f" TS = {SENT_AT} , V1 = {OF_LOWER}", f"ts={SENT_AT},v1={OF_LOWER},v2=aaaa"])
def test_headers_are_read_as_the_sdks_read_them(header: str) -> None:
    delivery = notice(LOWER, x_signature=header, x_request_id=REQUEST_ID)
    assert MERCADO_PAGO.verify(delivery, SECRET) == SECRET


def test_the_id_and_the_request_are_covered_and_the_body_is_not() -> None:
    signed = MERCADO_PAGO.sign(notice("1", b"{}", x_request_id="r1"), SECRET)
    assert MERCADO_PAGO.verify(signed.changed(body=b'{"another": 1}'), SECRET) == SECRET
    assert MERCADO_PAGO.scheme.strength is Strength.TOKEN
    for changed in (signed.changed(query={"data.id": "2"}), signed.changed(headers={"x-request-id": "r2"})):
        MERCADO_PAGO.refuse(changed, SECRET)
    twice = Delivery(
        body=b"{}", headers=signed.headers, query=signed.query, received_at=NOW, repeated=frozenset({"x-request-id"})
    )
    assert MERCADO_PAGO.refuse(twice, SECRET) == Unverified.REPEATED


# -- The notice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "proven", "told", "path"),
    [
        ("payment", "999999999", "999999999", "/v1/payments/999999999"),
        ("order", UPPER, UPPER, f"/v1/orders/{UPPER}"),
        ("order", LOWER, UPPER, f"/v1/orders/{UPPER}"),
        ("payment", "1", "2", "/v1/payments/1"),  # nothing of a body is believed
        ("payment", "1", None, "/v1/payments/1"),
    ],
)
def test_what_is_fetched(kind: str, proven: str, told: str | None, path: str) -> None:
    assert MERCADO_PAGO.path(notice(proven, {"type": kind, "data": {"id": told} if told else []})) == path


@pytest.mark.parametrize("proven", [None, "", "../../users/me", "1?x=1", "1/2", "é", "1" * 65, "1\n"])
def test_what_is_never_fetched(proven: str | None) -> None:
    with pytest.raises(Unreadable):
        MERCADO_PAGO.path(notice(proven, {"type": "payment", "data": {"id": "7"}}))


def test_the_key_travels_as_a_bearer_token_to_one_address() -> None:
    api = MERCADO_PAGO.adapter.api
    assert api
    assert api.origin_for(None) == "https://api.mercadopago.com"
    assert api.authorize("APP_USR-made-up", None) == {"authorization": "Bearer APP_USR-made-up"}


@pytest.mark.parametrize("kind", ["topic_merchant_order_wh", "merchant_order", "subscription_preapproval", "new"])
def test_other_kinds_are_ignored(kind: str) -> None:
    with pytest.raises(Ignored):
        MERCADO_PAGO.orders(notice("1", {"type": kind}))


def test_what_is_told_as_ipn_as_well_is_ignored() -> None:
    told = {"resource": "/v1/payments/1", "topic": "payment"}
    delivery = arrived(told, query={"id": "1", "topic": "payment"})
    assert MERCADO_PAGO.kind(delivery) == "ipn"
    with pytest.raises(Ignored):
        MERCADO_PAGO.orders(delivery)


# -- Payments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "detail", "status"),
    [
        ("pending", "pending_waiting_transfer", Status.PENDING),
        ("in_process", "pending_review_manual", Status.PENDING),
        ("authorized", "pending_capture", Status.PENDING),
        ("approved", "accredited", Status.PAID),
        ("approved", "partially_refunded", Status.PAID),
        ("in_mediation", "pending", Status.PAID),
        ("rejected", "cc_rejected_high_risk", Status.FAILED),
        ("cancelled", "expired", Status.CANCELED),
        ("canceled", "by_payer", Status.CANCELED),
        ("refunded", "refunded", Status.REFUNDED),
        ("charged_back", "settled", Status.REFUNDED),
        ("charged_back", None, Status.REFUNDED),
        ("charged_back", "in_process", Status.PAID),
        ("charged_back", "reimbursed", Status.PAID),
        ("something_new", "accredited", UNKNOWN),
    ],
)
def test_payment_statuses(word: str, detail: str | None, status: object) -> None:
    assert became(payment(status=word, status_detail=detail)).status is status


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [(398, "BRL", "398.00"), ("24.50", "ARS", "24.50"), (1990, "CLP", "1990"), (0.1, "UYU", "0.10")],
)
def test_payment_money(amount: object, currency: str, value: str) -> None:
    assert became(payment(transaction_amount=amount, currency_id=currency)).value == f"{value} {currency}"


def test_payment_refunds() -> None:
    assert became(payment()).refunds == {}
    assert became(payment(transaction_amount_refunded=0)).refunds == {"total": "0.00 BRL"}
    assert became(payment(transaction_amount_refunded="99.5")).refunds == {"total": "99.50 BRL"}
    listed = [{"id": 7, "payment_id": 1, "amount": 99.5, "status": "approved"}]
    assert became(payment(refunds=listed, transaction_amount_refunded="99.5")).refunds == {
        "7": "99.50 BRL",
        "total": "99.50 BRL",
    }


@pytest.mark.parametrize(
    ("fields", "status", "refunded"),
    [
        ({}, "paid", 0),
        ({"transaction_amount_refunded": 98}, "paid", 9800),
        ({"status": "refunded", "transaction_amount_refunded": 398}, "refunded", 39800),
        ({"status": "refunded", "transaction_amount_refunded": 0}, "refunded", 39800),
        ({"refunds": [{"id": 7, "amount": 98, "status": "approved"}]}, "paid", 9800),
        ({"refunds": [{"id": 7, "amount": 98, "status": "in_process"}]}, "paid", 0),
        ({"refunds": [{"id": 7, "amount": 98, "status": "rejected"}], "transaction_amount_refunded": 0}, "paid", 0),
        ({"status": "charged_back", "status_detail": "in_process"}, "paid", 0),
        ({"status": "charged_back", "status_detail": "reimbursed"}, "paid", 0),
        ({"status": "charged_back", "status_detail": "settled"}, "refunded", 39800),
        ({"status": "charged_back", "status_detail": "settled", "transaction_amount_refunded": 98}, "refunded", 39800),
        ({"status": "cancelled"}, "refunded", 39800),
    ],
)
def test_what_a_payment_comes_to_later(fields: dict[str, object], status: str, refunded: int) -> None:
    at = {"date_last_updated": "2026-11-20T10:00:05.000-03:00", "date_approved": "2026-11-20T10:00:05.000-03:00"}
    later = {**at, "date_last_updated": "2026-11-29T10:00:05.000-03:00"}
    order = folded(became(payment(**at)), became(payment(**{**later, **fields})))
    assert (order.status, order.value, order.refunded_value) == (status, 39800, refunded)


def test_what_was_given_back_can_be_taken_back() -> None:
    listed = {"id": 7, "amount": 98, "status": "approved"}
    days = [f"2026-11-{day}T10:00:05.000-03:00" for day in (20, 21, 25)]
    told = [
        became(payment(date_last_updated=days[0])),
        became(payment(date_last_updated=days[1], refunds=[listed], transaction_amount_refunded=98)),
        became(
            payment(
                date_last_updated=days[2], refunds=[{**listed, "status": "rejected"}], transaction_amount_refunded=0
            )
        ),
    ]
    assert folded(*told[:2]).refunded_value == 9800
    assert folded(*told).refunded_value == 0
    without_ids = [
        became(payment(date_last_updated=days[0], transaction_amount_refunded=98)),
        became(payment(date_last_updated=days[1], transaction_amount_refunded=0)),
    ]
    assert folded(*without_ids).refunded_value == 0
    charged = {"status": "charged_back", "status_detail": "settled"}
    won = [told[0], became(payment(date_last_updated=days[1], **charged))]
    won.append(became(payment(date_last_updated=days[2], status="charged_back", status_detail="reimbursed")))
    assert (folded(*won[:2]).status, folded(*won).status) == ("refunded", "paid")


def test_attempts_and_cards_of_one_checkout_name_its_merchant_order() -> None:
    one = became(payment(order={"id": 777, "type": "mercadopago"}))
    assert (one.external_id, one.aliases) == ("777", ("1",))
    for none in ({}, {"id": None}, None, []):
        assert became(payment(order=none)).external_id == "1"
    two = became(
        payment(id=2, order={"id": 777}, transaction_amount=102, date_last_updated="2026-11-20T10:00:05.000-03:00")
    )
    both = folded(one, two)
    assert (both.status, both.value, both.paid_value) == ("paid", 50000, 50000)


def test_payment_times() -> None:
    times = {"date_created": "2026-11-20T10:00:00.000-03:00", "date_approved": "2026-11-20T10:00:05.000-03:00"}
    read = became(payment(**times, date_last_updated="2026-11-22T09:00:00.000-03:00"))
    assert read.at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert folded(read).paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC).timestamp() * 1_000_000
    assert read.ordered_at == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert became(payment(**times)).at is None, "when it was approved is not when this was said"
    assert folded(became(payment(**times, status="authorized"))).paid_at is None


@pytest.mark.parametrize(
    ("fields", "test"),
    [
        ({}, None),
        ({"live_mode": True}, False),
        ({"live_mode": False}, True),
        ({"live_mode": True, "is_test": True}, True),
        ({"live_mode": True, "is_test": False}, False),
        ({"is_test": True}, True),
    ],
)
def test_live_and_test(fields: dict[str, object], test: bool | None) -> None:
    assert became(payment(**fields)).test is test


@pytest.mark.parametrize(("currency", "country"), [("BRL", "BR"), ("MXN", "MX"), ("USD", None)])
def test_phones_are_read_in_the_accounts_country(currency: str, country: str | None) -> None:
    customer = became(payment(currency_id=currency, payer={"email": "ana@example.com"})).customer
    assert customer
    assert customer.country == country


def test_the_payer_with_what_privacy_leaves() -> None:
    hidden = {"id": None, "email": None, "identification": {"type": None, "number": None}, "phone": None}
    assert became(payment(payer=hidden)).customer is None
    assert became(payment(payer=None, metadata=None, additional_info=[])).customer is None
    sent = {"payer": {"first_name": "Ana", "last_name": "Souza", "phone": {"area_code": "11", "number": "900000000"}}}
    customer = became(payment(payer=hidden, additional_info=sent, metadata={"crm_contact_id": 42})).customer
    assert customer
    assert (customer.name, customer.phones, customer.crm_id) == ("Ana Souza", ("11900000000",), "42")
    foreign = became(payment(payer={"email": "a@example.com", "identification": {"type": "DNI", "number": "1"}}))
    assert foreign.customer
    assert foreign.customer.documents == ()


@pytest.mark.parametrize("missing", ["id", "status", "currency_id", "transaction_amount"])
def test_a_payment_without_the_needed_is_unreadable(missing: str) -> None:
    with pytest.raises(Unreadable):
        became({name: value for name, value in payment().items() if name != missing})


# -- Orders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "detail", "status"),
    [
        ("created", "created", Status.PENDING),
        ("processing", "in_process", Status.PENDING),
        ("action_required", "waiting_capture", Status.PENDING),
        ("at_terminal", "at_terminal", Status.PENDING),
        ("processed", "accredited", Status.PAID),
        ("processed", "partially_refunded", Status.PAID),
        ("processed", "refunded", Status.REFUNDED),
        ("refunded", "refunded", Status.REFUNDED),
        ("cancelled", "cancelled", Status.CANCELED),
        ("canceled", "canceled", Status.CANCELED),
        ("expired", "expired", Status.CANCELED),
        ("failed", "high_risk", Status.FAILED),
        ("charged_back", "in_process", Status.PAID),
        ("charged_back", "settled", Status.PAID),
        ("charged_back", "reimbursed", Status.REFUNDED),
        ("approved", "accredited", UNKNOWN),  # a payment's word
    ],
)
def test_order_statuses(word: str, detail: str, status: object) -> None:
    assert became(order(status=word, status_detail=detail), "order").status is status


@pytest.mark.parametrize(
    ("fields", "currency"),
    [({}, "BRL"), ({"country_code": "AR"}, "ARS"), ({"currency": "MXN"}, "MXN"), ({"country_code": "ury"}, "UYU")],
)
def test_order_currency(fields: dict[str, object], currency: str) -> None:
    assert became(order(**fields), "order").value == f"398.00 {currency}"


@pytest.mark.parametrize("fields", [{"country_code": None}, {"country_code": "XXX"}, {"total_amount": None}])
def test_an_order_without_money_is_unreadable(fields: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        became(order(**fields), "order")


def test_order_refunds_are_told_by_their_ids() -> None:
    states = [("processed", "9.50"), (None, "1.00"), ("failed", "5"), ("processing", "7")]
    refunds = [
        {"id": f"R{number}", "transaction_id": "P1", "amount": amount, "status": status}
        for number, (status, amount) in enumerate(states)
    ]
    read = became(order(transactions={"refunds": refunds}), "order")
    assert read.refunds == {
        "R0": "9.50 BRL",
        "R1": "1.00 BRL",
        "R2": "5.00 BRL failed",
        "R3": "7.00 BRL pending",
    }
    assert {refund.payment for refund in read.order.refunds or ()} == {"P1"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("payments", "fields", "status", "refunded"),
    [
        ([], {}, "paid", 0),
        ([("processed", "accredited", "398.00")], {}, "paid", 0),
        ([("processed", "accredited", "298.00"), ("processed", "accredited", "100.00")], {}, "paid", 0),
        ([("processed", "accredited", "298.00")], {"status": "processing"}, "partially_paid", 0),
        ([("failed", "high_risk", "398.00"), ("processed", "accredited", "398.00")], {}, "paid", 0),
        ([("action_required", "waiting_capture", "398.00")], {"status": "action_required"}, "pending", 0),
        ([("refunded", "refunded", "398.00")], {"status": "refunded"}, "refunded", 39800),
        (
            [("charged_back", "reimbursed", "398.00")],
            {"status": "charged_back", "status_detail": "reimbursed"},
            "refunded",
            39800,
        ),
        ([("charged_back", "settled", "398.00")], {"status": "charged_back", "status_detail": "settled"}, "paid", 0),
    ],
)
def test_an_order_is_the_bill_of_its_payments(
    payments: list[tuple[str, str, str]], fields: dict[str, object], status: str, refunded: int
) -> None:
    listed = [
        {"id": f"P{number}", "status": word, "status_detail": detail, "paid_amount": amount}
        for number, (word, detail, amount) in enumerate(payments)
    ]
    read = folded(became(order(transactions={"payments": listed}, **fields), "order"))
    assert (read.status, read.value, read.refunded_value) == (status, 39800, refunded)


# -- The manual's bodies ------------------------------------------------------------------------------------------


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("mercadopago", "*webhook*.json"):
        document = json.loads(path.read_bytes())
        assert MERCADO_PAGO.path(notice(document["data"]["id"], document)) == f"/v1/payments/{document['data']['id']}"
    for path in payloads("mercadopago", "*api_response*.json"):
        read = became(path.read_bytes())
        assert (read.external_id, read.status, read.value) == ("1", Status.PAID, "24.50 BRL")
        assert read.title == "#MP0001 · Pago Pizza"
