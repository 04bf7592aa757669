"""PayPal: nothing of a notice is believed but an id, and what the API then says of orders, captures, refunds and sales."""

import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Status, Strength, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, folded, lines

PAYPAL, SANDBOX = Source("paypal"), Source("paypal", environment="sandbox")
HOST = "https://api.paypal.com"


def notice(kind: str, path: str | None = None, **resource: Any) -> dict[str, Any]:
    links = [{"rel": "up", "href": f"{HOST}/v2/checkout/orders/UP"}]
    links += [{"rel": "self", "href": path if "://" in path else HOST + path}] if path else []
    return {"id": "WH-1", "event_type": kind, "resource": {"links": links, **resource}}


def answered(path: str, answer: object, source: Source = PAYPAL) -> OrderView:
    return source.order(notice("PAYMENT.CAPTURE.COMPLETED", path), answer)


def amount(value: object, currency: str = "BRL") -> dict[str, Any]:
    return {"value": value, "currency_code": currency}


def one(status: str, value: object = "100.00", name: str = "C1", **fields: Any) -> dict[str, Any]:
    return {"id": name, "status": status, "amount": amount(value), "create_time": "2026-11-20T13:00:00Z", **fields}


def order(status: str = "COMPLETED", *, value: object = "100.00", **payments: list[dict[str, Any]]) -> OrderView:
    unit = {"amount": amount(value), "payments": payments}
    document = {"id": "O1", "status": status, "purchase_units": [unit], "create_time": "2026-11-20T12:00:00Z"}
    return answered("/v2/checkout/orders/O1", document)


# -- The notice ---------------------------------------------------------------------------------------------------


def test_it_is_unsigned_and_says_why() -> None:
    assert PAYPAL.scheme.strength is Strength.FETCHED
    assert "CRC-32" in PAYPAL.scheme.description
    assert not PAYPAL.adapter.reads


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (notice("CHECKOUT.ORDER.APPROVED", "/v2/checkout/orders/5O1"), "/v2/checkout/orders/5O1"),
        (notice("CHECKOUT.PAYMENT-APPROVAL.REVERSED", order_id="5O1"), "/v2/checkout/orders/5O1"),
        (
            notice(
                "PAYMENT.CAPTURE.COMPLETED",
                "/v2/payments/captures/2G1",
                supplementary_data={"related_ids": {"order_id": "5O1"}},
            ),
            "/v2/checkout/orders/5O1",
        ),
        (notice("PAYMENT.CAPTURE.COMPLETED", "/v2/payments/captures/2G1"), "/v2/payments/captures/2G1"),
        (notice("PAYMENT.CAPTURE.REFUNDED", "/v2/payments/refunds/1J1"), "/v2/payments/refunds/1J1"),
        (notice("PAYMENT.AUTHORIZATION.VOIDED", "/v2/payments/authorizations/0A1"), "/v2/payments/authorizations/0A1"),
        (notice("PAYMENT.SALE.COMPLETED", "/v1/payments/sale/4E1"), "/v1/payments/sale/4E1"),
        (notice("PAYMENT.SALE.REFUNDED", "/v1/payments/refund/4E1"), "/v1/payments/refund/4E1"),
        (notice("PAYMENT.CAPTURE.COMPLETED", "/v1/payments/capture/6B1"), "/v1/payments/capture/6B1"),
        # Without a link that can be read, by its kind and id: an order has the same id in both versions.
        (
            notice("CHECKOUT.ORDER.COMPLETED", "/v1/checkout/orders/5O1", id="5O1")
            | {"resource_type": "checkout-order"},
            "/v2/checkout/orders/5O1",
        ),
        (
            notice("PAYMENT.CAPTURE.COMPLETED", id="2G1", links=None) | {"resource_type": "capture"},
            "/v2/payments/captures/2G1",
        ),
        # Of another's address nothing but the kind of thing and its id is taken; the origin stays PayPal's.
        (notice("PAYMENT.SALE.COMPLETED", "https://evil.example/v1/payments/sale/4E1"), "/v1/payments/sale/4E1"),
    ],
)
def test_what_is_read_back(document: dict[str, Any], path: str) -> None:
    assert PAYPAL.path(document) == path


@pytest.mark.parametrize(
    "document",
    [
        notice("PAYMENT.SALE.COMPLETED"),
        notice("PAYMENT.SALE.COMPLETED", "/v1/payments/sale/../../identity"),
        notice("PAYMENT.SALE.COMPLETED", "/v1/payments/sale/4E1?fields=all"),
        notice("PAYMENT.SALE.COMPLETED", "/v1/payments/sale/" + "A" * 65),
        notice("PAYMENT.SALE.COMPLETED", "/v1/payments/sale/4E1\n"),
        notice("PAYMENT.SALE.COMPLETED", "/v1/reporting/balances/4E1"),
        notice("CHECKOUT.PAYMENT-APPROVAL.REVERSED", order_id="../x"),
        notice("CHECKOUT.PAYMENT-APPROVAL.REVERSED", order_id="A\n"),
        notice("PAYMENT.SALE.COMPLETED", links=None),
        notice("PAYMENT.CAPTURE.COMPLETED", id="../x", links=None) | {"resource_type": "capture"},
        notice("PAYMENT.CAPTURE.COMPLETED", id="2G1", links=None) | {"resource_type": "payout"},
        notice("PAYMENT.SALE.COMPLETED", links=[{"rel": "self"}]),
    ],
)
def test_nothing_else_can_be_asked_for(document: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        PAYPAL.path(document)


def test_the_two_worlds_of_paypal() -> None:
    api = PAYPAL.adapter.api
    assert api is not None
    assert api.origin_for(PAYPAL.options) == "https://api-m.paypal.com"
    assert api.origin_for(SANDBOX.options) == "https://api-m.sandbox.paypal.com"
    assert api.token_path == "/v1/oauth2/token"
    assert api.authorize("a token", PAYPAL.options) == {"authorization": "Bearer a token"}
    capture = {**one("COMPLETED"), "id": "C1"}
    for source, test in ((PAYPAL, False), (SANDBOX, True)):
        assert answered("/v2/payments/captures/C1", capture, source).test is test


# -- Orders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "captures", "authorizations", "status"),
    [
        ("CREATED", [], [], Status.PENDING),
        ("APPROVED", [], [], Status.PENDING),
        ("PAYER_ACTION_REQUIRED", [], [], Status.PENDING),
        ("VOIDED", [], [], Status.CANCELED),
        ("COMPLETED", [], [], None),
        ("IN_REVIEW", [], [], UNKNOWN),
        ("COMPLETED", [one("COMPLETED")], [], Status.PAID),
        ("COMPLETED", [one("PENDING")], [], Status.PENDING),
        ("COMPLETED", [one("DECLINED")], [], Status.FAILED),
        ("COMPLETED", [one("FAILED")], [], Status.FAILED),
        ("COMPLETED", [one("REFUNDED")], [], Status.REFUNDED),
        ("COMPLETED", [one("PARTIALLY_REFUNDED")], [], Status.PAID),
        ("COMPLETED", [one("DECLINED"), one("COMPLETED", name="C2")], [], Status.PAID),
        ("COMPLETED", [one("COMPLETED", "60.00"), one("COMPLETED", "40.00", "C2")], [], Status.PAID),
        ("COMPLETED", [one("REFUNDED", "60.00"), one("COMPLETED", "40.00", "C2")], [], Status.PAID),
        ("COMPLETED", [one("COMPLETED", "60.00")], [one("PARTIALLY_CAPTURED", name="A1")], Status.PAID),
        ("COMPLETED", [one("IN_REVIEW"), one("COMPLETED", name="C2")], [], UNKNOWN),
        ("COMPLETED", [], [one("CREATED")], Status.PENDING),
        ("COMPLETED", [], [one("DENIED")], Status.FAILED),
        ("COMPLETED", [], [one("VOIDED")], Status.CANCELED),
    ],
)
def test_status_of_an_order(word: str, captures: list, authorizations: list, status: object) -> None:
    told = order(word, captures=captures, authorizations=authorizations)
    assert told.status is status
    assert told.aliases == tuple(dict.fromkeys(each["id"] for each in captures + authorizations))


A1 = one("CAPTURED", name="A1")
PART = one("PARTIALLY_CAPTURED", name="A1")


@pytest.mark.parametrize(
    ("captures", "authorizations", "status", "value", "paid"),
    [
        ([one("COMPLETED")], [], "paid", 10000, 10000),
        # A part: more may come, unless the capture is final or the rest is released.
        ([one("COMPLETED", "60.00")], [PART], "partially_paid", 10000, 6000),
        ([one("COMPLETED", "60.00", final_capture=False)], [PART], "partially_paid", 10000, 6000),
        ([one("COMPLETED", "60.00", final_capture=True)], [PART], "paid", 6000, 6000),
        ([one("COMPLETED", "60.00")], [one("VOIDED", name="A1")], "paid", 6000, 6000),
        ([one("COMPLETED", "60.00"), one("COMPLETED", "40.00", "C2")], [A1], "paid", 10000, 10000),
        (
            [one("COMPLETED", "60.00"), one("PENDING", "40.00", "C2", final_capture=True)],
            [A1],
            "partially_paid",
            10000,
            6000,
        ),
        ([one("DECLINED", final_capture=True)], [A1], "failed", 10000, 0),
        ([one("REFUNDED")], [], "refunded", 10000, 10000),
        ([], [A1], "pending", 10000, 0),
    ],
)
def test_what_was_taken(captures: list, authorizations: list, status: str, value: int, paid: int) -> None:
    found = folded(order(captures=captures, authorizations=authorizations))
    assert (found.status, found.value, found.paid_value) == (status, value, paid)


def test_one_of_two_captures_that_was_given_back_without_a_refund_beside_it() -> None:
    found = folded(order(captures=[one("REFUNDED", "60.00"), one("COMPLETED", "40.00", "C2")]))
    assert (found.status, found.value, found.refunded_value) == ("paid", 10000, 6000)


def test_refunds_of_an_order() -> None:
    refunds = [one("COMPLETED", "30.00", "R1"), one("PENDING", "20.00", "R2"), one("CANCELLED", "10.00", "R3")]
    told = order(captures=[one("PARTIALLY_REFUNDED")], refunds=[*refunds, one("COMPLETED", None, "R4")])
    assert told.refunds == {"R1": "30.00 BRL", "R2": "20.00 BRL pending", "R3": "10.00 BRL failed", "R4": ""}
    found = folded(told)
    assert (found.status, found.refunded_value, found.notes) == ("paid", 3000, ("refund_without_amount",))


def test_a_refund_that_fails_is_taken_back() -> None:
    refund = one("COMPLETED", "100.00", "R1", update_time="2026-11-21T09:00:00Z")
    failed = one("FAILED", "100.00", "R1", update_time="2026-11-22T09:00:00Z")
    back = order(captures=[one("REFUNDED")], refunds=[refund])
    assert folded(back).status == "refunded"
    found = folded(back, order(captures=[one("COMPLETED")], refunds=[failed]))
    assert (found.status, found.refunded_value) == ("paid", 0)


def test_an_authorisation_that_was_voided_and_another_that_was_captured() -> None:
    voided = order(authorizations=[one("VOIDED", name="A1")])
    assert folded(voided).status == "canceled"
    more = [one("VOIDED", name="A1"), one("CAPTURED", name="A2", create_time="2026-11-23T09:00:00Z")]
    up = [{"rel": "up", "href": f"{HOST}/v2/payments/authorizations/A2"}]
    captures = [one("COMPLETED", create_time="2026-11-23T09:00:00Z", links=up)]
    found = folded(voided, order(authorizations=more, captures=captures))
    assert (found.status, found.value) == ("paid", 10000)
    assert lines(found.payments) == {"A1": "canceled 10000 BRL", "C1": "taken 10000 BRL"}


def test_the_buyer_and_where_goods_go() -> None:
    unit = {"amount": amount("1.00"), "shipping": {"name": {"full_name": "Jo Doe"}, "address": {"country_code": "US"}}}
    document = {"id": "O1", "status": "APPROVED", "purchase_units": [unit]}
    who = answered("/v2/checkout/orders/O1", document).customer
    assert who
    assert (who.name, who.country) == ("Jo Doe", "US")
    paypal = {"account_id": "P1", "email_address": "ana@example.com", "name": {"given_name": "Ana", "surname": "Souza"}}
    document["payment_source"] = {"paypal": paypal | {"address": {"country_code": "BR"}}}
    who = answered("/v2/checkout/orders/O1", document).customer
    assert who
    assert (who.id, who.name, who.emails, who.country) == ("P1", "Ana Souza", ("ana@example.com",), "BR")


def test_the_time_is_that_of_its_last_change() -> None:
    refund = one("COMPLETED", "1.00", "R1", create_time="2026-11-22T09:00:00-03:00", update_time="2026-11-22T13:00:00")
    told = order(captures=[one("PARTIALLY_REFUNDED", update_time="2026-11-21T00:00:00Z")], refunds=[refund])
    assert told.at == datetime(2026, 11, 22, 13, tzinfo=UTC)
    assert [payment.at for payment in told.order.payments] == [datetime(2026, 11, 20, 13, tzinfo=UTC)]
    assert told.ordered_at == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_several_units_are_one_order_of_one_currency() -> None:
    units: list[dict[str, Any]] = [{"amount": amount("60.00")}, {"amount": amount("40.50")}, {"amount": None}]
    document: dict[str, Any] = {"id": "O1", "status": "APPROVED", "purchase_units": units}
    assert answered("/v2/checkout/orders/O1", document).value == "100.50 BRL"
    units[1]["amount"] = amount("40.50", "USD")
    with pytest.raises(Unreadable):
        answered("/v2/checkout/orders/O1", document)


# -- Captures, refunds, sales by themselves -----------------------------------------------------------------------


def test_a_capture_without_an_order_is_one() -> None:
    told = answered("/v2/payments/captures/C1", one("COMPLETED"))
    assert (told.external_id, told.preference, told.value, told.status) == ("C1", 1, "100.00 BRL", Status.PAID)
    named = {**one("COMPLETED"), "supplementary_data": {"related_ids": {"order_id": "O1"}}}
    told = answered("/v2/payments/captures/C1", named)
    assert (told.external_id, told.aliases, told.preference, told.value) == ("O1", ("C1",), 0, "100.00 BRL")
    # The order that it belongs to says what the sale comes to.
    assert folded(told, order("APPROVED", value="250.00")).value == 25000


@pytest.mark.parametrize(
    ("word", "state"), [("COMPLETED", ""), ("FAILED", " failed"), ("CANCELLED", " failed"), ("PENDING", " pending")]
)
def test_a_refund_names_the_capture(word: str, state: str) -> None:
    up = {"rel": "up", "href": f"{HOST}/v2/payments/captures/C1"}
    told = answered("/v2/payments/refunds/R1", {**one(word, "30.00", "R1"), "links": [up]})
    assert (told.external_id, told.status, told.refunds) == ("C1", None, {"R1": f"30.00 BRL{state}"})
    with pytest.raises(Unreadable):
        answered("/v2/payments/refunds/R1", one(word, "30.00", "R1"))


def test_what_version_1_tells_of_one_payment_is_one_order() -> None:
    def told(path: str, state: str, at: str, total: str = "7.47", **more: Any) -> OrderView:
        document = {"state": state, "amount": {"total": total, "currency": "USD"}, "create_time": at}
        return answered(path, document | {"id": path.rpartition("/")[2], "parent_payment": "PAY-1"} | more)

    held = told("/v1/payments/authorization/A1", "authorized", "2026-11-20T09:00:00Z")
    link = {"rel": "authorization", "href": f"{HOST}/v1/payments/authorization/A1"}
    got = told("/v1/payments/capture/C1", "completed", "2026-11-21T09:00:00Z", "5.00", links=[link])
    back = told("/v1/payments/refund/R1", "completed", "2026-11-22T09:00:00Z", "-2.00", capture_id="C1")
    assert all("PAY-1" in each.aliases for each in (held, got, back))
    assert (folded(held).status, folded(held).value) == ("pending", 747)
    found = folded(held, got, back)
    assert (found.external_id, found.status, found.value, found.refunded_value) == ("C1", "paid", 500, 200)


def test_a_refund_of_version_1_is_less_than_nothing() -> None:
    document = {"id": "R1", "state": "completed", "sale_id": "S1", "amount": {"total": "-7.47", "currency": "USD"}}
    told = answered("/v1/payments/refund/R1", document)
    assert (told.external_id, told.refunds) == ("S1", {"R1": "7.47 USD"})


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("completed", Status.PAID),
        ("partially_refunded", Status.PAID),
        ("pending", Status.PENDING),
        ("refunded", Status.REFUNDED),
        ("denied", Status.FAILED),
        ("in_review", UNKNOWN),
        (None, None),
    ],
)
def test_status_of_a_sale(state: str | None, status: object) -> None:
    document = {"id": "S1", "state": state, "amount": {"total": "7.47", "currency": "USD"}}
    told = answered("/v1/payments/sale/S1", document)
    assert (told.status, told.value) == (status, "7.47 USD")


# -- The signature that is not used -------------------------------------------------------------------------------


PUBLISHED = 2771810304


def stretched_to(body: bytes, wanted: int) -> bytes:
    """The body with four more bytes, so that its CRC-32 is the one that is wanted."""
    table = [zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") for byte in range(256)]
    by_top = {value >> 24: byte for byte, value in enumerate(table)}
    left, steps = wanted ^ 0xFFFFFFFF, []
    for _ in range(4):
        steps.append(by_top[left >> 24])
        left = ((left ^ table[steps[-1]]) << 8) & 0xFFFFFFFF
    register = zlib.crc32(body) ^ 0xFFFFFFFF
    for step in reversed(steps):
        body += bytes([(register ^ step) & 0xFF])
        register = (register >> 8) ^ table[step]
    return body


def test_what_the_published_signature_covers_fits_another_body_as_well() -> None:
    """PayPal-Python-SDK, test/unit_tests/notifications_test.py: of the body nothing but this number is signed."""
    assert zlib.crc32(stretched_to(b'{"made": "up by anybody"}', PUBLISHED)) == PUBLISHED


def test_the_published_number_is_that_of_the_published_body(payloads: Payloads) -> None:
    [file] = payloads("paypal", "PAYMENT.SALE.COMPLETED__1.json")
    assert zlib.crc32(file.read_bytes()) == PUBLISHED


# -- Documented bodies --------------------------------------------------------------------------------------------

EXPECTED = {
    "PAYMENT.SALE.COMPLETED__1": (Status.PAID, "20.00 USD", "4EU7004268015634R"),
    "verify_webhook_signature_request__1": (Status.PENDING, "7.47 USD", "2DC87612EK520411B"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    """What a notice shows of the thing is what the API answers of it."""
    for path in payloads("paypal"):
        document = json.loads(path.read_bytes())
        document = document.get("webhook_event", document)
        assert PAYPAL.summary(document, document["resource"]) == EXPECTED[path.stem], path.stem
