"""Adyen: the published signatures, what they do not cover, and one payment out of everything that is told of it."""

import base64
import hmac
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.adyen import Adyen, AdyenOptions
from adapters.contract import UNKNOWN, Delivery, Ignored, Order, Status, Strength, Unreadable, Unverified
from adapters.contract.fold import Entry, Folded, fold

ROOT = Path(__file__).parents[2]
# Bodies as the platform documents them, where the checkout has such a folder beside it; none of them is ours to keep.
PAYLOADS = ROOT.parent / "shared" / "payloads" / "adyen"
VECTORS = Path(__file__).parent / "vectors"
NOW = datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
ADYEN = Adyen()
MANUAL = AdyenOptions(capture="manual")

# Adyen/adyen-python-api-library, test/UtilTest.py
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ODD_KEY = "74F490DD33F7327BAECC88B2947C011FC02D014A473AAA33A8EC93E4DC069174"


def arrived(document: object, **headers: str) -> Delivery:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Delivery(body=body, headers=headers, received_at=NOW)


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


def read(document: object, options: AdyenOptions | None = None) -> list[Order]:
    delivery = arrived(document)
    return ADYEN.translate(ADYEN.read(delivery, ADYEN.kind_of(delivery, options), options))


def said(*items: dict[str, Any], options: AdyenOptions | None = None) -> Order:
    [order] = read(notification(*items), options)
    return order


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
        assert ADYEN.signature.verify(arrived(notification(signed)), secrets, NOW) == secrets[-1]
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
        with pytest.raises(Unverified) as refused:
            ADYEN.signature.verify(arrived(notification({**signed, **change})), [key], NOW)
        assert refused.value.reason == Unverified.MISMATCH


@pytest.mark.parametrize("signed", ODD[:2] + ODD[3:])
def test_escaping_as_a_third_partys_guide_has_it_is_wrong(signed: dict[str, Any]) -> None:
    """It would turn `\\` and `:` of a value into `\\\\` and `\\:`; the published signatures are not over that."""
    escaped = signed["merchantReference"].replace("\\", "\\\\").replace(":", "\\:")
    message = f"{signed['pspReference']}::AntoniStroinski:{escaped}:1000:EUR:AUTHORISATION:true"
    mac = base64.b64encode(hmac.digest(bytes.fromhex(ODD_KEY), message.encode(), "sha256")).decode()
    assert mac != signed["additionalData"]["hmacSignature"]
    with pytest.raises(Unverified):
        forged = {**signed, "additionalData": {"hmacSignature": mac}}
        ADYEN.signature.verify(arrived(notification(forged)), [ODD_KEY], NOW)


def test_published_vector_of_a_body_that_is_signed_whole() -> None:
    body = (VECTORS / "adyen_whole.txt").read_bytes()
    mac = "fX74xUdztFmaXAn3IusMFFUBUSkLmDQUK0tm8xL6ZTU="
    assert ADYEN.signature.verify(arrived(body, hmacsignature=mac), [KEY], NOW) == KEY
    for wrong, sent in ((body.strip(), mac), (body, "MismatchingHmacKey="), (body, "")):
        with pytest.raises(Unverified):
            ADYEN.signature.verify(arrived(wrong, hmacsignature=sent), [KEY], NOW)
    assert ADYEN.kind_of(arrived(body), None) == "merchant.created"


def test_every_item_must_be_proven_and_under_one_key() -> None:
    forged = {**PLAIN, "pspReference": "other"}
    for items in ([PLAIN, forged], [forged, PLAIN], [PLAIN, ODD[0]]):
        with pytest.raises(Unverified):
            ADYEN.signature.verify(arrived(notification(*items)), [KEY, ODD_KEY], NOW)
    assert ADYEN.signature.verify(arrived(notification(*ODD)), [KEY, ODD_KEY], NOW) == ODD_KEY
    with pytest.raises(Unverified) as refused:
        ADYEN.signature.verify(arrived(notification()), [KEY], NOW)
    assert refused.value.reason == Unverified.MISSING


def test_what_is_not_covered_can_be_changed_and_so_it_is_not_called_a_mac() -> None:
    changed = {**PLAIN, "eventDate": "1999-01-01T00:00:00Z", "reason": "x"}
    changed["additionalData"] = {**PLAIN["additionalData"], "shopperEmail": "someone@example.org"}
    assert ADYEN.signature.verify(arrived(notification(changed, live="false")), [KEY], NOW) == KEY
    assert ADYEN.signature.strength is Strength.TOKEN
    assert "not covered" in ADYEN.signature.description


def test_a_key_that_is_not_hexadecimal_is_none() -> None:
    with pytest.raises(Unverified) as refused:
        ADYEN.signature.sign(arrived(notification(PLAIN)), "not hexadecimal", NOW)
    assert refused.value.reason == Unverified.NO_SECRET


def test_old_accounts_want_a_certain_answer() -> None:
    assert ADYEN.answer == "[accepted]"


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
        ("CHARGEBACK", "true", None, Status.REFUNDED),
        ("CHARGEBACK_REVERSED", "true", None, Status.PAID),
        ("SECOND_CHARGEBACK", "true", None, Status.REFUNDED),
        ("REFUND", "true", None, None),
    ],
)
def test_status(code: str, success: object, options: AdyenOptions | None, status: object) -> None:
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
    assert f"{order.value} {order.value.currency if order.value else ''}" == text


def test_an_authorisation_of_nothing_checks_a_card() -> None:
    with pytest.raises(Ignored):
        said(item(amount={"value": 0, "currency": "EUR"}))


def test_live_and_test() -> None:
    for live, test in (("true", False), ("false", True), (True, False), ("", None), (None, None)):
        [order] = read(notification(item(), live=live))
        assert order.test is test


def test_a_batch_holds_several_orders_and_passes_over_the_rest() -> None:
    orders = read(notification(item("REPORT_AVAILABLE", "report"), item(psp="A"), item(psp="B"), item("MADE_UP", "C")))
    assert [order.external_id for order in orders] == ["A", "B"]
    assert ADYEN.kind_of(arrived(notification(item("REPORT_AVAILABLE"), item())), None) == "AUTHORISATION"
    assert ADYEN.kind_of(arrived(notification(item("REPORT_AVAILABLE"))), None) == "REPORT_AVAILABLE"
    with pytest.raises(Unreadable):
        ADYEN.kind_of(arrived({"live": "true"}), None)


# -- One payment --------------------------------------------------------------------------------------------------


def folded(*orders: Order) -> Folded:
    entries = []
    for number, order in enumerate(orders):
        told: dict[str, Any] = {"external_id": order.external_id}
        if isinstance(order.status, Status):
            told["status"] = str(order.status)
        if order.value:
            told |= {"value": order.value.minor, "currency": order.value.currency}
        if order.refunds:
            told["refunds"] = {name: [money.minor, money.currency] for name, money in order.refunds.items()}
        at = int(order.at.timestamp() * 1_000_000) if order.at else None
        entries.append(Entry(at=at, digest=str(number), recorded_at=number, said=told))
    return fold(entries)


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
    for orders in itertools.permutations(told):
        order = folded(*orders)
        assert (order.status, order.refunded_value, order.value) == (status, refunded, 10000)


def test_two_refunds_at_one_time_in_one_batch_are_one_statement() -> None:
    order = said(
        item("REFUND", "R1", originalReference="PAY", amount={"value": 1000, "currency": "EUR"}),
        item("REFUND", "R2", originalReference="PAY", amount={"value": 500, "currency": "EUR"}),
    )
    assert {name: money.minor for name, money in (order.refunds or {}).items()} == {"R1": 1000, "R2": 500}


# -- Documented bodies --------------------------------------------------------------------------------------------

EXPECTED: dict[str, tuple[Status | None, str, str]] = {
    "AUTHORISATION__1": (Status.PAID, "10.00", "QFQTPCQ8HXSKGK82"),
    "CANCEL_OR_REFUND__1": (Status.CANCELED, "10.00", "9913140798220028"),
    "CAPTURE__1": (Status.PAID, "10.00", "9913140798220028"),
    "OFFER_CLOSED__1": (Status.CANCELED, "10.00", "QFQTPCQ8HXSKGK82"),
    "REFUND__1": (None, "None", "9913140798220028"),
    "authorisation-true__1": (Status.PAID, "101.00", "123456789"),
    "cancellation-true__1": (Status.CANCELED, "5.00", "8313547924770610"),
    "capture-true__1": (Status.PAID, "236.23", "ORIGINAL_PSP"),
    "chargeback__1": (Status.REFUNDED, "None", "9913333333333333"),
    "refund-false__1": (None, "None", "ORIGINAL_PSP"),
    "refundFalse__1": (None, "None", "ORIGINAL_PSP"),
}


def test_documented_bodies() -> None:
    found = sorted(PAYLOADS.glob("*.json"))
    print(f"{len(found)} documented bodies found")
    for path in found:
        document = json.loads(path.read_bytes())
        expected = EXPECTED.get(path.stem)
        if expected is None:
            assert ADYEN.signature.verify(arrived(notification(document)), [ODD_KEY], NOW) == ODD_KEY
            document, expected = notification(document), (Status.PAID, "10.00", document["pspReference"])
        [order] = read(document)
        assert (order.status, str(order.value), order.external_id) == expected, path.stem
