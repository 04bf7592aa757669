"""Paddle: the published signatures, their age, and what a transaction and its adjustments come to."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

VECTORS = Path(__file__).parent / "vectors"
PADDLE, WIDER = Source("paddle"), Source("paddle", tolerance=60)


def said(data: dict[str, Any], kind: str = "transaction.updated") -> OrderView:
    body = {"event_id": "evt_1", "event_type": kind, "occurred_at": "2026-11-20T13:00:10.5Z", "data": data}
    assert PADDLE.delivery_id(body) == "evt_1"
    order = PADDLE.order(body)
    assert order.at == datetime(2026, 11, 20, 13, 0, 10, 500000, tzinfo=UTC)
    return order


def transaction(status: str = "completed", amount: object = "39800", currency: str = "BRL", **fields: Any) -> dict:
    totals = {"grand_total": amount, "total": "99999", "currency_code": currency}
    return {"id": "txn_1", "status": status, "currency_code": currency, "details": {"totals": totals}, **fields}


def adjustment(action: str = "refund", status: str = "approved", **fields: Any) -> dict[str, Any]:
    totals = {"total": "10000", "currency_code": "BRL"}
    named = {"id": "adj_1", "transaction_id": "txn_1", "currency_code": "BRL", "totals": totals}
    return {**named, "action": action, "status": status, **fields}


# -- Signature ----------------------------------------------------------------------------------------------------

SECRET = "pdl_ntfset_01hs0t3tw21j988db1pam5xg8m_GrOWLNef+vmtjJYq4mSnHNzvc8uWoJ1I"
PUBLISHED = [
    # PaddleHQ/paddle-python-sdk, tests/Unit/Notification/test_Verifier.py
    (
        "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
        b"hello-world",
        1696195954,
        "h1=dummy;h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02",
    ),
    (
        SECRET,
        (VECTORS / "paddle_standard.json").read_bytes(),
        1710498758,
        "h1=558bf93944dbeb4790c7a8af6cb2ea435c8ca9c8396aafc1a4e37424ac132744",
    ),
    (
        SECRET,
        (VECTORS / "paddle_special_characters.json").read_bytes(),
        1710498288,
        "h1=38219b3ba1578184e625c29d201a27cd25bd69e2ec9c3ab87dcb90d87ff73a41",
    ),
    # PaddleHQ/paddle-node-sdk, src/__tests__/notifications/webhooks-validator.edge.test.ts
    (
        "VALID_SECRET",
        b'{"data": ["1", "2"]}',
        1698796800,
        "h1=a300428748dce5c70e4da19bffd60769591ea969c99dea3105d0ec9612cf43f9",
    ),
]
# The same test, whose secrets of other destinations are refused.
OTHERS = [
    "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_TjIG2BXbm83HPXqNfziwe506sBEdqL/4",
    "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_vB/yIOnTOCWIvpBadM5jzBZPHc7OmdSo",
]


@pytest.mark.parametrize(("secret", "body", "sent_at", "macs"), PUBLISHED)
def test_published_vectors(secret: str, body: bytes, sent_at: int, macs: str) -> None:
    at = datetime.fromtimestamp(sent_at, UTC)
    delivery = arrived(body, paddle_signature=f"ts={sent_at};{macs}")
    assert PADDLE.verify(delivery, *OTHERS, secret, now=at) == secret
    assert PADDLE.refuse(delivery, *OTHERS, now=at) == Unverified.MISMATCH
    for wrong, header in ((body + b"\n", f"ts={sent_at};{macs}"), (body, f"ts={sent_at + 1};{macs}"), (body, macs)):
        PADDLE.refuse(arrived(wrong, paddle_signature=header), secret, now=at)


def test_its_age_is_bounded_both_ways_and_more_may_be_allowed() -> None:
    secret, body, sent_at, macs = PUBLISHED[3]
    delivery, at = arrived(body, paddle_signature=f"ts={sent_at};{macs}"), datetime.fromtimestamp(sent_at, UTC)
    for seconds, reason in ((6, Unverified.TOO_OLD), (-6, Unverified.TOO_NEW)):
        assert PADDLE.verify(delivery, secret, now=at + timedelta(seconds=seconds // 2)) == secret
        assert PADDLE.refuse(delivery, secret, now=at + timedelta(seconds=seconds)) == reason
        assert WIDER.verify(delivery, secret, now=at + timedelta(seconds=seconds)) == secret
        WIDER.refuse(delivery, secret, now=at + timedelta(seconds=seconds * 20))
    for tolerance in (0, 3601):
        with pytest.raises(ValueError, match="tolerance"):
            Source("paddle", tolerance=tolerance)


# -- Transactions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ready", Status.PENDING),
        ("billed", Status.PENDING),
        ("paid", Status.PAID),
        ("completed", Status.PAID),
        ("past_due", Status.OVERDUE),
        ("canceled", Status.CANCELED),
        ("on_hold", UNKNOWN),
    ],
)
def test_status(word: str, status: object) -> None:
    order = said(transaction(word))
    assert (order.status, order.source_status) == (status, word)
    assert said(transaction(word), "transaction.payment_failed").status is status


def test_a_draft_is_a_cart() -> None:
    with pytest.raises(Ignored):
        said(transaction("draft"))


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("39800", "BRL", "398.00"),
        ("39800", "JPY", "39800"),
        ("39800", "KWD", "39.800"),
        ("0", "USD", "0.00"),
        (39800, "USD", "398.00"),
    ],
)
def test_money_is_text_of_the_smallest_unit(amount: object, currency: str, text: str) -> None:
    assert said(transaction(amount=amount, currency=currency)).value == f"{text} {currency}"


@pytest.mark.parametrize("amount", ["", "x", "1" * 31])
def test_money_that_is_none(amount: str) -> None:
    with pytest.raises(Unreadable):
        said(transaction(amount=amount))


def test_paid_at_is_when_the_money_was_captured() -> None:
    attempts = [
        {"status": "error", "captured_at": None},
        {"status": "captured", "captured_at": "2026-11-20T12:59:47.635628Z"},
    ]
    paid = datetime(2026, 11, 20, 12, 59, 47, 635628, tzinfo=UTC)
    assert said(transaction(payments=attempts)).paid_at == paid
    assert said(transaction("ready", payments=attempts)).paid_at is None
    assert said(transaction(payments=None)).paid_at is None


# -- Adjustments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status", "refunds"),
    [
        ("refund", "approved", {"adj_1": "100.00 BRL"}),
        ("refund", "rejected", {"adj_1": "100.00 BRL failed"}),
        ("refund", "reversed", {"adj_1": "100.00 BRL reversed"}),
        ("refund", "pending_approval", {"adj_1": "100.00 BRL pending"}),
        ("chargeback", "approved", {"adj_1": "100.00 BRL"}),
        ("chargeback", "reversed", {"adj_1": "100.00 BRL reversed"}),
        ("chargeback_reverse", "approved", {None: "100.00 BRL reversed"}),
        ("chargeback_reverse", "rejected", None),
        ("credit", "approved", None),
        ("chargeback_warning", "approved", None),
    ],
)
def test_adjustments(action: str, status: str, refunds: dict[str, str] | None) -> None:
    if refunds is None:
        with pytest.raises(Ignored):
            said(adjustment(action, status), "adjustment.updated")
        return
    order = said(adjustment(action, status), "adjustment.updated")
    assert order.refunds == refunds
    assert (order.external_id, order.status, order.value) == ("txn_1", None, None)


@pytest.mark.parametrize(
    ("mode", "totals", "value", "credit"),
    [
        ("automatic", {"total": "10000", "credit": "2000", "grand_total": "8000"}, 10000, 2000),
        (None, {"total": "10000", "credit": "2000", "grand_total": "8000"}, 10000, 2000),
        ("manual", {"total": "10000", "credit": "2000", "grand_total": "8000"}, 8000, 0),
        ("automatic", {"total": "10000", "credit": "10000", "grand_total": "0"}, 10000, 10000),
    ],
)
@pytest.mark.parametrize("amount", [True, False])
def test_credit_pays_or_lowers(mode: str | None, totals: dict[str, str], value: int, credit: int, amount: bool) -> None:
    due = totals["grand_total"]
    attempt = {"payment_attempt_id": "pay_1", "status": "captured", **({"amount": due} if amount else {})}
    order = folded(said(transaction(collection_mode=mode, details={"totals": totals}, payments=[attempt])))
    assert (order.status, order.value, order.paid_value) == (Status.PAID, value, value)
    assert amount is False or sum(one["value"] for one in order.payments if one["id"] == "credit") == credit


def test_an_invoice_that_was_credited_altogether_is_canceled() -> None:
    totals = {"total": "10000", "credit": "10000", "grand_total": "0"}
    order = folded(said(transaction(collection_mode="manual", details={"totals": totals})))
    assert (order.status, order.value) == (Status.CANCELED, 0)


def test_a_change_of_card_is_no_purchase() -> None:
    with pytest.raises(Ignored, match="no purchase"):
        said(transaction(amount="0", origin="subscription_payment_method_change"))


# -- Documented bodies --------------------------------------------------------------------------------------------

EXPECTED = {
    "transaction.billed__1": (Status.PENDING, "27631.49 USD", "txn_01hv8m0mnx3sj85e7gxc6kga03"),
    "transaction.completed__1": (Status.PAID, "652.15 USD", "txn_01hv8wptq8987qeep44cyrewp9"),
    "transaction.paid__1": (Status.PAID, "652.15 USD", "txn_01hv8wptq8987qeep44cyrewp9"),
    "transaction.payment_failed__1": (Status.PENDING, "652.15 USD", "txn_01hv8wptq8987qeep44cyrewp9"),
    "adjustment.created__1": (None, None, "txn_01hvcc93znj3mpqt1tenkjb04y"),  # a refund that waits for approval
    "customer.created__1": None,
    "transaction.revised__1": (Status.PAID, "652.15 USD", "txn_01hv8wptq8987qeep44cyrewp9"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("paddle"):
        if "data" in (document := json.loads(path.read_bytes())):  # whole, as it is sent
            assert PADDLE.summary(document) is None, path.stem
            continue
        sent = {"event_id": "evt_1", "event_type": path.stem.partition("__")[0], "data": document}
        assert PADDLE.summary({**sent, "occurred_at": "2026-11-20T13:00:10.5Z"}) == EXPECTED[path.stem], path.stem
