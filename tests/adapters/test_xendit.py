"""Xendit: the verification token, payments and refunds of API v3, and invoices."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

XENDIT = Source("xendit")


def said(event: str, status: str = "SUCCEEDED", **fields: Any) -> OrderView:
    data = {"payment_id": "py-1", "status": status, "currency": "PHP", "request_amount": 398.01, **fields}
    return XENDIT.order({"event": event, "created": "2026-11-20T13:00:07Z", "data": data})


def invoice(status: str, **fields: Any) -> OrderView:
    return XENDIT.order(
        {"id": "i1", "external_id": "1001", "status": status, "amount": 150000, "currency": "IDR", **fields}
    )


def test_the_token_is_compared_whole() -> None:
    token = "made-up-verification-token"
    assert XENDIT.verify(arrived(b"{}", x_callback_token=token), "old", token) == token
    assert XENDIT.scheme.strength is Strength.TOKEN
    for shown in (token[:-1], token + "x", token.upper()):
        XENDIT.refuse(arrived(b"{}", x_callback_token=shown), token)
    assert XENDIT.refuse(arrived(b"{}", x_callback_signature=token), token) == Unverified.MISSING


def test_delivery_id() -> None:
    assert XENDIT.delivery_id(arrived(b"{}", webhook_id="w1")) == "w1"


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("payment.authorization", "AUTHORIZED", Status.PENDING),
        ("payment.capture", "PENDING", Status.PENDING),
        ("payment.capture", "SUCCEEDED", Status.PAID),
        ("payment.failure", "FAILED", Status.FAILED),
        ("payment.expiry", "EXPIRED", Status.CANCELED),
        ("payment.expiry", "CANCELED", Status.CANCELED),
        ("payment.succeeded", "SUCCEEDED", Status.PAID),
        ("payment.pending", "PENDING", Status.PENDING),
        ("payment.awaiting_capture", "AWAITING_CAPTURE", Status.PENDING),
        ("payment.failed", "FAILED", Status.FAILED),
        ("ewallet.capture", "SUCCEEDED", Status.PAID),
        ("payment.capture", "SOMETHING_NEW", UNKNOWN),
    ],
)
def test_statuses(event: str, word: str, status: object) -> None:
    assert said(event, word).status is status


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({}, "398.01"),
        ({"request_amount": "10000"}, "10000.00"),
        ({"request_amount": None}, "None"),
        ({"captures": []}, "398.01"),
        ({"captures": [{"capture_amount": 198.5}]}, "198.50"),  # a part of what was authorised
        ({"captures": [{"capture_amount": 100}, {"capture_amount": "0.1"}]}, "100.10"),
        ({"request_amount": 10001, "currency": "IDR"}, "10001.00"),
        ({"request_amount": 10001, "currency": "VND"}, "10001"),
    ],
)
def test_money_is_in_units(fields: dict[str, object], value: str) -> None:
    expected = None if value == "None" else f"{value} {fields.get('currency', 'PHP')}"
    assert said("payment.capture", **fields).value == expected


def test_tries_at_one_request_are_one_order_and_a_reusable_codes_are_not() -> None:
    tried = said("payment.failure", "FAILED", payment_request_id="pr-1", type="PAY")
    assert (tried.external_id, tried.aliases) == ("pr-1", ("py-1",))
    reused = said("payment.capture", payment_request_id="pr-1", type="REUSABLE_PAYMENT_CODE")
    assert (reused.external_id, reused.aliases) == ("py-1", ())


def test_times() -> None:
    times = {"created": "2026-11-20T13:00:00Z", "updated": "2026-11-20T13:00:06Z"}
    captures = [{"capture_amount": 1, "capture_timestamp": "2026-11-20T13:00:05Z"}]
    order = said("payment.capture", **times, captures=captures)
    assert order.ordered_at == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert order.order.payments[0].at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert order.at == datetime(2026, 11, 20, 13, 0, 6, tzinfo=UTC)
    assert said("payment.capture").at == datetime(2026, 11, 20, 13, 0, 7, tzinfo=UTC)
    assert folded(said("payment.failure", "FAILED", **times)).paid_at is None


def test_the_payer() -> None:
    order = said(
        "payment.capture", customer_id="cust-1", payment_details={"payer_name": "Ana"}, metadata={"deal_id": 7}
    )
    assert order.customer
    assert (order.customer.id, order.customer.name, order.deal_id) == ("cust-1", "Ana", "7")
    assert said("payment.capture", payment_details=[], metadata=None).customer is None


# -- Refunds ------------------------------------------------------------------------------------------------------

REFUND = {
    "id": "rfd-1",
    "payment_id": "py-1",
    "invoice_id": None,
    "amount": 99.5,
    "currency": "PHP",
    "status": "SUCCEEDED",
}


@pytest.mark.parametrize(
    ("fields", "name", "refunds"),
    [
        ({}, "py-1", {"rfd-1": "99.50 PHP"}),
        ({"invoice_id": "i1"}, "i1", {"rfd-1": "99.50 PHP"}),
        ({"status": "FAILED"}, "py-1", {"rfd-1": "99.50 PHP failed"}),
        ({"status": "PENDING"}, "py-1", {"rfd-1": "99.50 PHP pending"}),
    ],
)
def test_refunds(fields: dict[str, object], name: str, refunds: dict[str, str]) -> None:
    order = XENDIT.order({"event": "refund.succeeded", "data": {**REFUND, **fields}})
    assert (order.external_id, order.refunds, order.status) == (name, refunds, None)


def test_the_envelope_that_the_manuals_refund_has_twice() -> None:
    inner = {"event": "refund.succeeded", "created": "2020-08-29T09:12:33.001Z", "data": REFUND}
    order = XENDIT.order({"event": "refund.succeeded", "created": "2021-12-02T14:52:21.566Z", "data": inner})
    assert order.refunds == {"rfd-1": "99.50 PHP"}


def test_a_refund_of_nothing_known_is_ignored() -> None:
    with pytest.raises(Ignored):
        XENDIT.orders({"event": "refund.succeeded", "data": {**REFUND, "payment_id": None}})


def test_refunds_of_one_payment_count_by_their_ids() -> None:
    paid = said("payment.capture", payment_request_id="pr-1", request_amount=398, updated="2026-11-20T13:00:00Z")
    told = [
        XENDIT.order(
            {
                "event": "refund.succeeded",
                "data": {**REFUND, "id": name, "status": word, "updated": f"2026-11-{day}T13:00:00Z"},
            }
        )
        for name, word, day in (("rfd-1", "SUCCEEDED", 21), ("rfd-2", "SUCCEEDED", 22), ("rfd-1", "FAILED", 23))
    ]
    assert folded(paid, *told[:2]).refunded_value == 19900
    assert folded(paid, *told).refunded_value == 9950


CHARGE = {
    "id": "ewc_1",
    "reference_id": "1001",
    "currency": "IDR",
    "charge_amount": 1000,
    "capture_amount": 1000,
    "channel_code": "ID_DANA",
}


def wallet(event: str, day: int, **fields: object) -> OrderView:
    data = {**CHARGE, "status": "SUCCEEDED", "updated": f"2026-11-{day}T13:00:00Z", **fields}
    return XENDIT.order({"event": event, "created": "2026-11-20T13:00:00Z", "data": data})


@pytest.mark.parametrize(
    ("void", "status", "refunded"),
    [
        ({"status": "VOIDED", "void_status": "SUCCEEDED", "voided_at": "2026-11-21T13:00:00Z"}, "refunded", 100000),
        ({"void_status": "SUCCEEDED"}, "refunded", 100000),
        ({"status": "VOIDED"}, "refunded", 100000),
        ({"void_status": "PENDING"}, "paid", 0),
        ({"void_status": "FAILED"}, "paid", 0),
    ],
)
def test_an_e_wallets_void(void: dict[str, object], status: str, refunded: int) -> None:
    order = folded(wallet("ewallet.capture", 20), wallet("ewallet.void", 21, **void))
    assert (order.status, order.value, order.refunded_value) == (status, 100000, refunded)
    alone = folded(wallet("ewallet.void", 21, **void))
    assert (alone.status, alone.refunded_value) == (status, refunded)


@pytest.mark.parametrize("currency", ["IDR", None])
def test_an_e_wallets_refund_names_its_charge(currency: str | None) -> None:
    back = {"id": "ewr_1", "charge_id": "ewc_1", "status": "SUCCEEDED", "refund_amount": 400, "currency": currency}
    told = XENDIT.order({"event": "ewallet.refund", "data": {**back, "channel_code": "ID_SHOPEEPAY"}})
    order = folded(wallet("ewallet.capture", 20), told)
    assert (order.status, order.refunded_value, told.external_id) == ("paid", 40000, "ewc_1")
    unknown = XENDIT.order({"event": "ewallet.refund", "data": {**back, "currency": None}})
    assert unknown.order.refunds[0].value is None  # type: ignore[index]


# -- Invoices -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", Status.PENDING),
        ("PAID", Status.PAID),
        ("SETTLED", Status.PAID),
        ("EXPIRED", Status.CANCELED),
        ("SOMETHING_NEW", UNKNOWN),
    ],
)
def test_invoices(word: str, status: object) -> None:
    order = invoice(word, payer_email="ana@example.com", description="Shoes", paid_at="2026-11-20T13:00:05Z")
    assert (order.external_id, order.status, order.value) == ("i1", status, "150000.00 IDR")
    assert order.title == "#1001 · Shoes"
    assert order.customer
    assert order.customer.emails == ("ana@example.com",)
    assert (folded(order).paid_at is not None) is (status is Status.PAID)


def test_the_oldest_invoices_name_no_currency() -> None:
    assert invoice("PAID", currency=None, bank_code="PERMATA").value == "150000.00 IDR"
    with pytest.raises(Unreadable, match="option `currency`"):
        invoice("PAID", currency=None)
    told = {"id": "i1", "external_id": "1001", "status": "PAID", "amount": 150000}
    assert Source("xendit", currency="IDR").order(told).value == "150000.00 IDR"


@pytest.mark.parametrize(
    ("amount", "value", "notes"),
    [(150000, 15000000, ()), (149000, 14900000, ("captured_in_part",)), (151000, 15000000, ())],
)
def test_what_was_paid_of_an_invoice(amount: int, value: int, notes: tuple[str, ...]) -> None:
    order = folded(invoice("PAID", paid_amount=amount, payment_id="ewc_1", paid_at="2026-11-20T13:00:05Z"))
    assert (order.status, order.value, order.paid_value, order.notes) == ("paid", value, amount * 100, notes)


def test_an_invoice_and_its_payment_are_one_sale() -> None:
    bill = invoice("PAID", payment_id="ewc_1", amount=1000, paid_amount=1000, updated="2026-11-20T13:00:00Z")
    order = folded(bill, wallet("ewallet.capture", 20))
    assert (order.external_id, order.aliases, order.value, order.paid_value) == ("i1", {"ewc_1"}, 100000, 100000)
    back = XENDIT.order({"event": "refund.succeeded", "data": {**REFUND, "invoice_id": "i1", "payment_id": "ewc_1"}})
    assert (back.external_id, back.aliases) == ("i1", ("ewc_1",))


# -- Accounts, outlets, QR codes ----------------------------------------------------------------------------------

ACCOUNT = {
    "id": "cb1",
    "payment_id": "p1",
    "callback_virtual_account_id": "va1",
    "external_id": "1001",
    "account_number": "8808999",
    "bank_code": "BCA",
    "amount": 150000,
    "currency": "IDR",
    "country": "ID",
    "transaction_timestamp": "2026-11-20T13:00:00Z",
    "sender_name": "Ana Example",
}
OUTLET = {
    "id": "fp1",
    "external_id": "1002",
    "payment_code": "TEST123",
    "retail_outlet_name": "ALFAMART",
    "name": "Ana Example",
    "amount": 50000,
    "status": "COMPLETED",
    "transaction_timestamp": "2026-11-20T13:00:00Z",
    "payment_id": "1502450097080",
    "fixed_payment_code_payment_id": "x1",
    "fixed_payment_code_id": "fpc1",
}
QRIS = {
    "event": "qr.payment",
    "id": "qrpy_1",
    "amount": 1500,
    "created": "2026-11-20T13:00:00Z",
    "qr_code": {"id": "qr_1", "external_id": "1003", "type": "DYNAMIC"},
    "status": "COMPLETED",
}
QR_DATA = {
    "id": "qrpy_1",
    "qr_id": "qr_1",
    "reference_id": "1003",
    "amount": 1500,
    "currency": "PHP",
    "status": "SUCCEEDED",
}


@pytest.mark.parametrize(
    ("document", "kind", "name", "title", "value"),
    [
        (ACCOUNT, "virtual_account_payment", "p1", "#1001", "150000.00 IDR"),
        (OUTLET, "retail_outlet_payment", "x1", "#1002", "50000.00 IDR"),
        (QRIS, "qr.payment", "qr_1", "#1003", "1500.00 IDR"),
        ({"event": "qr.payment", "data": QR_DATA}, "qr.payment", "qr_1", "#1003", "1500.00 PHP"),
        (
            {"event": "qr.payment", "data": {**QR_DATA, "type": "STATIC"}},
            "qr.payment",
            "qrpy_1",
            "#1003",
            "1500.00 PHP",
        ),
    ],
)
def test_what_is_paid_at_a_bank_a_shop_or_by_a_code(
    document: dict[str, Any], kind: str, name: str, title: str, value: str
) -> None:
    assert XENDIT.kind(document) == kind
    order = XENDIT.order(document)
    assert (order.external_id, order.title, order.value) == (name, title, value)
    assert folded(order).status == "paid"


def test_a_fixed_account_is_paid_many_times() -> None:
    first, second = XENDIT.order(ACCOUNT), XENDIT.order({**ACCOUNT, "id": "cb2", "payment_id": "p2"})
    assert first.external_id != second.external_id
    assert not set(first.aliases) & set(second.aliases)


def test_a_currency_comes_from_somewhere_or_the_callback_is_unreadable() -> None:
    nameless = {**OUTLET, "retail_outlet_name": "MADE UP"}
    with pytest.raises(Unreadable, match="option"):
        XENDIT.orders(nameless)
    assert Source("xendit", currency="PHP").order(nameless).value == "50000.00 PHP"


@pytest.mark.parametrize(
    "thing",
    [
        {"owner_id": "u1", "account_number": "9999000001", "status": "ACTIVE", "is_closed": True},
        {"user_id": "u1", "disbursement_description": "Shoes", "amount": 90000, "status": "COMPLETED"},
    ],
)
def test_what_else_comes_without_an_event_is_no_invoice(thing: dict[str, Any]) -> None:
    with pytest.raises(Ignored):
        XENDIT.orders({"id": "i1", "external_id": "1001", **thing})


# -- The rest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["payment_token.activation", "payment_request.expiry", "split.payment", "new"])
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        XENDIT.orders({"event": event, "data": {}})


@pytest.mark.parametrize("document", [{}, [], {"event": "payment.capture"}, {"event": None, "id": "i1"}, {"id": "i1"}])
def test_what_lacks_the_needed_is_unreadable(document: object) -> None:
    with pytest.raises(Unreadable):
        XENDIT.orders(document)


EXPECTED = {
    "payment.authorization__1": (Status.PENDING, "10000.00 IDR"),
    "payment.capture__1": (Status.PAID, "10001.00 IDR"),
    "payment.capture__3": (Status.PAID, "10000.00 IDR"),
    "payment.capture__4": (Status.PAID, "10000.01 PHP"),
    "payment_token.activation__1": None,
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("xendit"):
        found = XENDIT.summary(path.read_bytes())
        assert (found and found[:2]) == EXPECTED[path.stem], path.stem
