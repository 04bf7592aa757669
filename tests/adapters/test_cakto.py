"""Cakto: signed in the headers or by the body's secret, one order or several, the event as the status."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.contract import Delivery, Ignored, Status, Strength, Unreadable, Unverified
from tests.reading import NOW, OrderView, Source, arrived

SECRET = "0b5f3a1e-made-up-secret"
CAKTO = Source("cakto")


def said(event: str, **fields: Any) -> OrderView:
    return CAKTO.order({"secret": "", "event": event, "data": {"id": "o-1", **fields}})


def signed(body: bytes, sent_at: str = "1795179606", secret: str = SECRET) -> dict[str, str]:
    mac = hmac.new(secret.encode(), sent_at.encode() + b"." + body, "sha256").hexdigest()
    return {"x-cakto-timestamp": sent_at, "x-cakto-signature": f"v1={mac}"}


def test_the_headers_sign_time_and_body() -> None:
    body = b'{"event":"purchase_approved","data":{"id":"1"}}'  # without the body's own secret
    # printf %s '1795179606.{"event":…}' | openssl dgst -sha256 -hmac 0b5f3a1e-made-up-secret
    assert signed(body)["x-cakto-signature"] == "v1=12f11c4d381ea7f46cb5173122613c3f54edfde548ec39e26ab2beea4fecb41f"
    assert CAKTO.verify(arrived(body, signed(body)), "old", SECRET) == SECRET
    for headers in (
        {"x-cakto-signature": signed(body)["x-cakto-signature"]},
        {**signed(body), "x-cakto-timestamp": "1795179607"},
        {**signed(body), "x-cakto-signature": signed(body)["x-cakto-signature"].removeprefix("v1=")},
        signed(body, secret="another"),
    ):
        CAKTO.refuse(arrived(body, headers), SECRET)
    CAKTO.refuse(arrived(body + b" ", signed(body)), SECRET)


@pytest.mark.parametrize(("age", "reason"), [(301, Unverified.TOO_OLD), (-301, Unverified.TOO_NEW)])
def test_a_signature_lasts_five_minutes(age: int, reason: str) -> None:
    assert CAKTO.refuse(arrived(b"{}", signed(b"{}")), SECRET, now=NOW + timedelta(seconds=age)) == reason


def test_older_webhooks_show_the_secret_in_the_body() -> None:
    def shown(secret: object) -> Delivery:
        return arrived({"secret": secret, "event": "refund", "data": {}})

    assert CAKTO.verify(shown(SECRET), "old", SECRET) == SECRET
    for secret in (SECRET[:-1], SECRET + " ", "", None, 1, [SECRET]):
        CAKTO.refuse(shown(secret), SECRET)
    for body in (b"", b"[]", b"null", b"{}", b"\xff"):
        CAKTO.refuse(body, SECRET)
    # The secret alone proves the sender, not the body: no more is promised of the source.
    assert CAKTO.scheme.strength is Strength.TOKEN


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("pix_gerado", "waiting_payment", Status.PENDING),
        ("boleto_gerado", "waiting_payment", Status.PENDING),
        ("picpay_gerado", "waiting_payment", Status.PENDING),
        ("openfinance_nubank_gerado", "waiting_payment", Status.PENDING),
        ("purchase_approved", "paid", Status.PAID),
        ("purchase_approved", "waiting_payment", Status.PAID),  # as the manual's own example has it
        ("purchase_refused", "refused", Status.FAILED),
        ("refund", "paid", Status.REFUNDED),
        ("chargeback", "paid", Status.REFUNDED),
        ("subscription_renewed", "paid", Status.PAID),
        ("subscription_renewal_refused", "refused", Status.OVERDUE),
        ("subscription_renewal_refused", "paid", Status.PAID),
    ],
)
def test_the_event_is_the_status(event: str, word: str, status: object) -> None:
    order = said(event, status=word)
    assert (order.status, order.source_status) == (status, event)


def test_money_is_what_the_buyer_pays() -> None:
    order = said(
        "purchase_approved",
        amount=127.99,
        baseAmount=127,
        fees=2.49,
        offer={"price": 127, "currency": "BRL"},
        product={"name": "Planilha"},
        commissions=[{"type": "coproducer", "totalAmount": 37.35}],
    )
    assert order.items
    assert (order.value, str(order.items[0].unit_value)) == ("127.99 BRL", "127.00")
    assert said("purchase_approved", amount="5.0").value == "5.00 BRL"
    assert said("purchase_approved", amount=None, baseAmount=100.0).value == "100.00 BRL"
    assert said("purchase_approved").value is None
    assert said("purchase_approved", amount=5, offer={"currency": "USD"}).value == "5.00 USD"


TIMES = {
    "createdAt": "2026-11-20T10:00:00.596836-03:00",
    "paidAt": "2026-11-20T10:00:05-03:00",
    "refundedAt": "2026-11-25T09:30:00-03:00",
    "chargedbackAt": "2026-12-02T15:00:00-03:00",
}


@pytest.mark.parametrize("event", ["pix_gerado", "purchase_approved", "refund", "chargeback", "purchase_refused"])
def test_the_times_are_the_orders_and_none_is_the_statements_own(event: str) -> None:
    order = said(event, **TIMES)
    assert order.at is None
    assert order.ordered_at == datetime(2026, 11, 20, 13, 0, 0, 596836, tzinfo=UTC)
    assert order.paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert [str(one.at) for one in order.order.refunds or ()] == {
        "refund": ["2026-11-25 12:30:00+00:00"],
        "chargeback": ["2026-12-02 18:00:00+00:00"],
    }.get(event, [])


def test_one_delivery_may_hold_several_orders() -> None:
    data = [{"id": "bump", "amount": 10.9, "offer_type": "orderbump"}, {"id": "main", "amount": 127}]
    orders = CAKTO.orders({"event": "purchase_approved", "data": data})
    assert [(order.external_id, order.value) for order in orders] == [("bump", "10.90 BRL"), ("main", "127.00 BRL")]
    with pytest.raises(Ignored):
        CAKTO.orders({"event": "purchase_approved", "data": []})


def test_all_ways_to_pay_at_once_is_a_test() -> None:
    blocks: dict[str, Any] = {"card": {"brand": "visa"}, "boleto": {}, "pix": {"qrCode": "x"}, "picpay": {}}
    assert said("purchase_approved", **blocks).test is True
    for name in blocks:
        assert said("purchase_approved", **{**blocks, name: None}).test is None


def test_the_customer() -> None:
    customer = said(
        "refund", customer={"id": 481001, "name": "Ana", "phone": "5511900000001", "docNumber": "1"}
    ).customer
    assert customer
    assert (customer.id, customer.phones, customer.documents, customer.emails) == (
        "481001",
        ("5511900000001",),
        ("1",),
        (),
    )


@pytest.mark.parametrize(
    "event",
    ["initiate_checkout", "checkout_abandonment", "refund_requested", "subscription_created", "subscription_canceled"],
)
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        CAKTO.orders({"event": event, "data": {"customerName": "Ana"}})


@pytest.mark.parametrize(
    "data", [None, 1, "x", {}, [None], [{"id": "1"}, {}], {"id": ""}, {"id": "1", "amount": "free"}]
)
def test_an_order_without_the_needed_is_unreadable(data: object) -> None:
    with pytest.raises(Unreadable):
        CAKTO.orders({"event": "purchase_approved", "data": data})
