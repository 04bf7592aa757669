"""Adyen: the published signatures, what they do not cover, and one payment out of everything that is told of it."""

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

VECTORS = Path(__file__).parent / "vectors"
ADYEN = Source("adyen")
MANUAL = {"capture": "manual"}

# Adyen/adyen-python-api-library, test/UtilTest.py
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ODD_KEY = "74F490DD33F7327BAECC88B2947C011FC02D014A473AAA33A8EC93E4DC069174"


def notification(*items: dict[str, Any], live: object = "true") -> dict[str, Any]:
    return {"live": live, "notificationItems": [{"NotificationRequestItem": item} for item in items]}


def item(code: str = "AUTHORISATION", psp: str = "PSP1", success: object = "true", **fields: Any) -> dict[str, Any]:
    given = {
        "eventCode": code,
        "pspReference": psp,
        "success": success,
        "merchantAccountCode": "Made",
        "merchantReference": "1001",
        "amount": {"value": 10000, "currency": "EUR"},
        "eventDate": "2026-11-20T14:00:00+01:00",
        **fields,
    }
    return {name: value for name, value in given.items() if value is not None}


def said(*items: dict[str, Any], options: dict[str, Any] | None = None) -> OrderView:
    return Source("adyen", **(options or {})).order(notification(*items))


# -- Signature ----------------------------------------------------------------------------------------------------


def vector(reference: str, psp: str, mac: str, account: str, value: int) -> dict[str, Any]:
    return {
        "additionalData": {"hmacSignature": mac},
        "amount": {"currency": "EUR", "value": value},
        "eventCode": "AUTHORISATION",
        "merchantAccountCode": account,
        "merchantReference": reference,
        "pspReference": psp,
        "success": "true",
    }


PLAIN = vector(
    "TestPayment-1407325143704",
    "7914073381342284",
    "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=",
    "TestMerchant",
    1130,
)
ODD = [
    vector(reference, psp, mac, "AntoniStroinski", 1000)
    for reference, psp, mac in (
        ("\\\\slashes are fun", "T7FD4VM4D3RZNN82", "nIgT81gaB5oJpn2jPXupDq68iRo2wUlBsuYjtYfwKqo="),
        (":slashes are fun", "M8NB66SBZSGLNK82", "2EQYm7YJpKO4EtHSPu55SQTyWf8dkW5u2nD1tJFpViA="),
        ("//slashes are fun", "X3GWNS6KJ8NKGK82", "9Z0xdpG9Xi3zcmXv14t/BvMBut77O/Xq9D4CQXSDUi4="),
        ("\\:/\\/slashes are fun", "ZVWN7D3WSMK2WN82", "CZErGCNQaSsxbaQfZaJlakqo7KPP+mIa8a+wx3yNs9A="),
    )
]


@pytest.mark.parametrize(("key", "signed"), [(KEY, PLAIN), *((ODD_KEY, one) for one in ODD)])
def test_published_vectors(key: str, signed: dict[str, Any]) -> None:
    for secrets in ([key], [key.lower()], ["00" * 32, key]):
        assert ADYEN.verify(notification(signed), *secrets) == secrets[-1]
    for change in (
        {"pspReference": "7914073381342285"},
        {"originalReference": "x"},
        {"merchantAccountCode": "x"},
        {"merchantReference": "x"},
        {"amount": {"currency": "EUR", "value": 1}},
        {"amount": {"currency": "USD", "value": signed["amount"]["value"]}},
        {"amount": None},
        {"eventCode": "REFUND"},
        {"success": "false"},
        {"additionalData": {"hmacSignature": signed["additionalData"]["hmacSignature"].swapcase()}},
    ):
        assert ADYEN.refuse(notification({**signed, **change}), key) == Unverified.MISMATCH


@pytest.mark.parametrize("signed", ODD[:2] + ODD[3:])
def test_escaping_as_a_third_partys_guide_has_it_is_wrong(signed: dict[str, Any]) -> None:
    """It would turn `\\` and `:` of a value into `\\\\` and `\\:`; the published signatures are not over that."""
    escaped = signed["merchantReference"].replace("\\", "\\\\").replace(":", "\\:")
    message = f"{signed['pspReference']}::AntoniStroinski:{escaped}:1000:EUR:AUTHORISATION:true"
    mac = base64.b64encode(hmac.digest(bytes.fromhex(ODD_KEY), message.encode(), "sha256")).decode()
    assert mac != signed["additionalData"]["hmacSignature"]
    ADYEN.refuse(notification({**signed, "additionalData": {"hmacSignature": mac}}), ODD_KEY)


def test_published_vector_of_a_body_that_is_signed_whole() -> None:
    body = (VECTORS / "adyen_whole.txt").read_bytes()
    mac = "fX74xUdztFmaXAn3IusMFFUBUSkLmDQUK0tm8xL6ZTU="
    assert ADYEN.verify(arrived(body, hmacsignature=mac), KEY) == KEY
    for wrong, sent in ((body.strip(), mac), (body, "MismatchingHmacKey="), (body, "")):
        ADYEN.refuse(arrived(wrong, hmacsignature=sent), KEY)
    assert ADYEN.kind(body) == "merchant.created"


def test_every_item_must_be_proven_and_under_one_key() -> None:
    forged = {**PLAIN, "pspReference": "other"}
    for items in ([PLAIN, forged], [forged, PLAIN], [PLAIN, ODD[0]]):
        ADYEN.refuse(notification(*items), KEY, ODD_KEY)
    assert ADYEN.verify(notification(*ODD), KEY, ODD_KEY) == ODD_KEY
    assert ADYEN.refuse(notification(), KEY) == Unverified.MISSING


def test_what_is_not_covered_can_be_changed_and_so_it_is_not_called_a_mac() -> None:
    changed = {**PLAIN, "eventDate": "1999-01-01T00:00:00Z", "reason": "x"}
    changed["additionalData"] = {**PLAIN["additionalData"], "shopperEmail": "someone@example.org"}
    assert ADYEN.verify(notification(changed, live="false"), KEY) == KEY
    assert ADYEN.scheme.strength is Strength.TOKEN
    assert "not covered" in ADYEN.scheme.description


def test_a_key_that_is_not_hexadecimal_is_none() -> None:
    with pytest.raises(Unverified) as refused:
        ADYEN.sign(notification(PLAIN), "not hexadecimal")
    assert refused.value.reason == Unverified.NO_SECRET


def test_old_accounts_want_a_certain_answer() -> None:
    assert ADYEN.adapter.answer == "[accepted]"


# -- Status and money ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "success", "options", "status"),
    [
        ("AUTHORISATION", "true", None, Status.PAID),
        ("AUTHORISATION", True, None, Status.PAID),
        ("AUTHORISATION", "true", MANUAL, Status.PENDING),
        ("AUTHORISATION", "false", None, Status.FAILED),
        ("AUTHORISATION", "false", MANUAL, Status.FAILED),
        ("CAPTURE", "true", MANUAL, Status.PAID),
        ("CAPTURE_FAILED", "true", None, Status.FAILED),
        ("CANCELLATION", "true", None, Status.CANCELED),
        ("TECHNICAL_CANCEL", "true", None, Status.CANCELED),
        ("EXPIRE", "true", None, Status.CANCELED),
        ("OFFER_CLOSED", "true", None, Status.CANCELED),
        ("CHARGEBACK", "true", None, None),
        ("CHARGEBACK_REVERSED", "true", None, None),
        ("SECOND_CHARGEBACK", "true", None, None),
        ("REFUND", "true", None, None),
    ],
)
def test_status(code: str, success: object, options: dict[str, Any] | None, status: object) -> None:
    order = said(item(code, success=success, originalReference="PAY"), options=options)
    assert order.status is status
    assert order.status is not UNKNOWN
    assert (order.external_id, order.title) == ("PAY", "#1001")


@pytest.mark.parametrize("code", ["CAPTURE", "CANCELLATION", "CANCEL_OR_REFUND", "CHARGEBACK"])
def test_what_was_asked_for_and_failed_changes_nothing(code: str) -> None:
    with pytest.raises(Ignored):
        said(item(code, success="false", originalReference="PAY"))


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (1050, "EUR", "10.50 EUR"),
        (1050, "JPY", "1050 JPY"),
        (1050, "KWD", "1.050 KWD"),
        (1050, "ISK", "11 ISK"),
        (105000, "CLP", "1050 CLP"),
        (1050, "IDR", "1050.00 IDR"),
        (1050, "CVE", "1050.00 CVE"),
    ],
)
def test_money_counts_adyens_own_decimals(value: int, currency: str, text: str) -> None:
    order = said(item(amount={"value": value, "currency": currency}))
    assert order.value == text


def test_an_authorisation_of_nothing_checks_a_card() -> None:
    with pytest.raises(Ignored):
        said(item(amount={"value": 0, "currency": "EUR"}))


def test_live_and_test() -> None:
    for live, test in (("true", False), ("false", True), (True, False), ("", None), (None, None)):
        assert ADYEN.order(notification(item(), live=live)).test is test


def test_a_batch_holds_several_orders_and_passes_over_the_rest() -> None:
    orders = ADYEN.orders(
        notification(item("REPORT_AVAILABLE", "report"), item(psp="A"), item(psp="B"), item("MADE_UP", "C"))
    )
    assert [order.external_id for order in orders] == ["A", "B"]
    assert ADYEN.kind(notification(item("REPORT_AVAILABLE"), item())) == "AUTHORISATION"
    assert ADYEN.kind(notification(item("REPORT_AVAILABLE"))) == "REPORT_AVAILABLE"
    with pytest.raises(Unreadable):
        ADYEN.kind({"live": "true"})


# -- One payment --------------------------------------------------------------------------------------------------


def day(number: int) -> str:
    return f"2026-11-{number:02}T10:00:00Z"


AUTHORISED = item(psp="PAY")


@pytest.mark.parametrize(
    ("later", "status", "refunded"),
    [
        ([item("REFUND", "R1", eventDate=day(21), amount={"value": 4000, "currency": "EUR"})], "paid", 4000),
        (
            [
                item("REFUND", "R1", eventDate=day(21), amount={"value": 4000, "currency": "EUR"}),
                item("REFUND", "R2", eventDate=day(21), amount={"value": 6000, "currency": "EUR"}),
            ],
            "refunded",
            10000,
        ),
        (
            [item("REFUND", "R1", eventDate=day(21)), item("REFUND_FAILED", "R1", eventDate=day(23))],
            "paid",
            0,
        ),
        ([item("REFUND", "R1", "false", eventDate=day(21))], "paid", 0),
        ([item("CHARGEBACK", "D1", eventDate=day(21))], "refunded", 10000),
        (
            [item("CHARGEBACK", "D1", eventDate=day(21)), item("CHARGEBACK_REVERSED", "D1", eventDate=day(25))],
            "paid",
            0,
        ),
        ([item("CANCELLATION", "C1", eventDate=day(21))], "canceled", 0),
    ],
)
def test_one_payment_in_whatever_order_it_is_told(later: list[dict[str, Any]], status: str, refunded: int) -> None:
    told = [said(AUTHORISED), *(said({**one, "originalReference": "PAY"}) for one in later)]
    order = folded(*told)
    assert (order.status, order.refunded_value, order.value) == (status, refunded, 10000)


def test_two_refunds_at_one_time_in_one_batch_are_one_statement() -> None:
    order = said(
        item("REFUND", "R1", originalReference="PAY", amount={"value": 1000, "currency": "EUR"}),
        item("REFUND", "R2", originalReference="PAY", amount={"value": 500, "currency": "EUR"}),
    )
    assert order.refunds == {"R1": "10.00 EUR", "R2": "5.00 EUR"}


def taken_of(psp: str, minor: int, *, code: str = "CAPTURE", at: int = 21, success: str = "true") -> dict[str, Any]:
    amount = {"value": minor, "currency": "EUR"}
    return item(code, psp, success, eventDate=day(at), amount=amount, originalReference="PAY")


@pytest.mark.parametrize(
    ("later", "status", "value", "paid"),
    [
        ([], "pending", 10000, 0),
        ([taken_of("C1", 4000)], "paid", 4000, 4000),
        ([taken_of("C1", 4000), taken_of("C2", 6000, at=22)], "paid", 10000, 10000),
        ([taken_of("C1", 4000), taken_of("X1", 6000, code="CANCELLATION", at=22)], "paid", 4000, 4000),
        ([taken_of("C1", 4000), taken_of("C2", 6000, at=22, success="false")], "paid", 4000, 4000),
        (
            [
                taken_of("C1", 4000),
                taken_of("C2", 6000, at=22),
                taken_of("C2", 6000, code="CAPTURE_FAILED", at=23),
            ],
            "paid",
            4000,
            4000,
        ),
        ([taken_of("C1", 10000), taken_of("C1", 10000, code="CAPTURE_FAILED", at=23)], "failed", 10000, 0),
        ([taken_of("PAY", 10000, code="EXPIRE")], "canceled", 10000, 0),
        ([taken_of("PAY", 10000, code="EXPIRE"), taken_of("C1", 10000, at=22)], "paid", 10000, 10000),
    ],
)
def test_captures_by_hand(later: list[dict[str, Any]], status: str, value: int, paid: int) -> None:
    told = [said(one, options=MANUAL) for one in (AUTHORISED, *later) if one["success"] == "true"]
    order = folded(*told)
    assert (order.status, order.value, order.paid_value) == (status, value, paid)


@pytest.mark.parametrize(
    ("options", "action", "status", "refunded"),
    [
        (None, "cancel", "canceled", 0),
        (None, "refund", "refunded", 10000),
        (None, None, "refunded", 10000),
        (MANUAL, None, "canceled", 0),
    ],
)
def test_what_was_cancelled_or_refunded(
    options: dict[str, Any] | None, action: str | None, status: str, refunded: int
) -> None:
    more = {"modification.action": action} if action else {}
    back = item("CANCEL_OR_REFUND", "X1", eventDate=day(21), originalReference="PAY", additionalData=more)
    order = folded(said(AUTHORISED, options=options), said(back, options=options))
    assert (order.status, order.refunded_value) == (status, refunded)


@pytest.mark.parametrize("won", ["CHARGEBACK_REVERSED", "PREARBITRATION_WON", "SCHEME_ARBITRATION_WON"])
@pytest.mark.parametrize("lost", ["SECOND_CHARGEBACK", "PREARBITRATION_LOST", "SCHEME_ARBITRATION_LOST"])
def test_a_dispute_stands_as_it_was_told_last(won: str, lost: str) -> None:
    told = [
        said(AUTHORISED),
        said(taken_of("D1", 4000, code="CHARGEBACK")),
        said(taken_of("D1", 4000, code=won, at=22)),
    ]
    order = folded(*told)
    assert (order.status, order.refunded_value) == ("paid", 0)
    order = folded(*told, said(taken_of("D1", 4000, code=lost, at=23)))
    assert (order.status, order.refunded_value) == ("paid", 4000)


def test_attempts_share_the_shops_reference_and_the_shopper() -> None:
    shopper = {"shopperReference": "S1", "shopperEmail": "ana@example.com"}
    assert said(item(additionalData=shopper)).attempt_of == ("1001 S1", "1001")
    assert said(item(additionalData={"shopperEmail": "ana@example.com"})).attempt_of == ("1001 ana@example.com", "1001")
    assert said(item()).attempt_of == ("1001",)
    assert said(item(merchantReference=None)).attempt_of == ()
    assert said(item("REFUND", "R1", originalReference="PAY")).attempt_of == ()


PARTS = {
    "order-1-pspReference": "GIFT",
    "order-1-success": "true",
    "order-2-pspReference": "CARD",
    "order-2-success": "false",
}


def test_an_order_of_several_payments_names_them() -> None:
    closed = said(item("ORDER_CLOSED", "ORDER", additionalData=PARTS))
    assert (closed.external_id, closed.aliases, closed.value) == ("ORDER", ("GIFT", "CARD"), "100.00 EUR")
    assert (closed.payments, closed.attempt_of) == ({}, ())
    unpaid = said(item("ORDER_CLOSED", "ORDER", "false", additionalData=PARTS))
    assert unpaid.payments == {"GIFT": "canceled"}, "what was refused holds nothing to let go"


# -- Documented bodies --------------------------------------------------------------------------------------------

EXPECTED = {
    "AUTHORISATION__1": (Status.PAID, "10.00 EUR", "QFQTPCQ8HXSKGK82"),
    "CANCEL_OR_REFUND__1": (Status.CANCELED, "10.00 EUR", "9913140798220028"),
    "CAPTURE__1": (Status.PAID, "10.00 EUR", "9913140798220028"),
    "OFFER_CLOSED__1": (Status.CANCELED, "10.00 EUR", "QFQTPCQ8HXSKGK82"),
    "REFUND__1": (None, None, "9913140798220028"),
    "authorisation-true__1": (Status.PAID, "101.00 EUR", "123456789"),
    "cancellation-true__1": (Status.CANCELED, "5.00 EUR", "8313547924770610"),
    "capture-true__1": (Status.PAID, "236.23 USD", "ORIGINAL_PSP"),
    "chargeback__1": (None, None, "9913333333333333"),
    "refund-false__1": (None, None, "ORIGINAL_PSP"),
    "refundFalse__1": (None, None, "ORIGINAL_PSP"),
    "signature_vector_backslash__1": (Status.PAID, "10.00 EUR", "T7FD4VM4D3RZNN82"),
    "signature_vector_colon__1": (Status.PAID, "10.00 EUR", "M8NB66SBZSGLNK82"),
    "signature_vector_forwardslash__1": (Status.PAID, "10.00 EUR", "X3GWNS6KJ8NKGK82"),
    "signature_vector_mixed__1": (Status.PAID, "10.00 EUR", "ZVWN7D3WSMK2WN82"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("adyen"):
        document = json.loads(path.read_bytes())
        if path.stem.startswith("signature_vector_"):
            document = notification(document)
            assert ADYEN.verify(document, ODD_KEY) == ODD_KEY
        assert ADYEN.summary(document) == EXPECTED[path.stem], path.stem
