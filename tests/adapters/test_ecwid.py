"""Ecwid: two fields of the body are signed, and only those; so nothing else of it is believed."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from adapters.contract import Delivery, Ignored, Status, Strength, Unreadable
from adapters.contract.order import UNKNOWN
from tests.reading import OrderView, Source, arrived, folded

ECWID = Source("ecwid", store_id="1003", currency="BRL")
SECRET = "made-up-client-secret"


def delivery(signature: str = "", **said: Any) -> Delivery:
    told = {
        "eventId": "80aece08",
        "eventCreated": 1234567,
        "storeId": 1003,
        "entityId": 103,
        "eventType": "order.created",
    }
    return arrived(told | said, x_ecwid_webhook_signature=signature)


def test_the_signature_is_over_time_and_id() -> None:
    signature = base64.b64encode(hmac.new(SECRET.encode(), b"1234567.80aece08", hashlib.sha256).digest()).decode()
    assert ECWID.verify(delivery(signature), SECRET) == SECRET
    assert ECWID.scheme.strength is Strength.TOKEN
    for said in ({"eventId": "another"}, {"eventCreated": 1234568}, {"eventId": None}, {"eventCreated": True}):
        ECWID.refuse(delivery(signature, **said), SECRET)


def test_only_the_sources_own_store_is_asked() -> None:
    with pytest.raises(Unreadable):
        ECWID.path(delivery(storeId=9))
    with pytest.raises(Ignored):
        ECWID.path(delivery(entityId=-1))


def order(**said: Any) -> OrderView:
    return ECWID.order(delivery(), {"orderNumber": 103, "total": 12.5} | said)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("AWAITING_PAYMENT", Status.PENDING),
        ("PAID", Status.PAID),
        ("CUSTOM_PAYMENT_STATUS_1", UNKNOWN),
        ("REFUNDED", Status.REFUNDED),
        ("CANCELLED", Status.CANCELED),
    ],
)
def test_statuses(word: str, status: Any) -> None:
    assert order(paymentStatus=word).status is status


def test_money_and_time() -> None:
    found = order(updateDate="2018-05-31 15:08:36 +0000")
    assert found.value == "12.50 BRL" and str(found.at) == "2018-05-31 15:08:36+00:00"


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"data": {"orderId": "SHOP-XJ12H"}}, "SHOP-XJ12H"),
        ({}, "103"),
        ({"data": None}, "103"),
        ({"data": {"orderId": ""}}, "103"),
        ({"data": {"orderId": "../../9/orders/1"}}, "103"),
        ({"data": {"orderId": ".."}}, "103"),
        ({"data": {"orderId": "a?b"}}, "103"),
        ({"data": {"orderId": "1\n"}}, "103"),
        ({"data": {"orderId": "x" * 65}}, "103"),
    ],
)
def test_the_order_is_read_by_the_id_that_the_manual_says(told: dict[str, Any], read: str) -> None:
    assert ECWID.path(delivery(**told)) == f"/api/v3/1003/orders/{read}"


@pytest.mark.parametrize(
    ("amount", "refunds"), [(2.5, {"total": "2.50 BRL"}), (0, {"total": "0.00 BRL"}), (None, None)]
)
def test_what_was_given_back(amount: Any, refunds: Any) -> None:
    found = order(paymentStatus="PARTIALLY_REFUNDED", refundedAmount=amount)
    assert found.refunds == (refunds or {})
    assert found.notes == (() if amount else ("refund_without_amount",))


@pytest.mark.parametrize(
    ("word", "amount", "status", "paid", "back"),
    [
        ("AWAITING_PAYMENT", 0, "pending", 0, 0),
        ("PAID", 0, "paid", 1250, 0),
        ("PARTIALLY_REFUNDED", 2.5, "paid", 1250, 250),
        ("REFUNDED", 12.5, "refunded", 1250, 1250),
        ("REFUNDED", 0, "refunded", 1250, 1250),
        ("CANCELLED", 0, "canceled", 0, 0),
        ("CUSTOM_PAYMENT_STATUS_1", 0, "pending", 0, 0),
    ],
)
def test_what_was_taken(word: str, amount: float, status: str, paid: int, back: int) -> None:
    result = folded(order(paymentStatus=word, refundedAmount=amount))
    assert (result.status, result.value, result.paid_value, result.refunded_value) == (status, 1250, paid, back)


def test_a_paid_order_that_is_cancelled_keeps_its_money() -> None:
    paid = order(paymentStatus="PAID", updateDate="2026-11-20 13:00:00 +0000")
    result = folded(paid, order(paymentStatus="CANCELLED", updateDate="2026-11-21 13:00:00 +0000"))
    assert (result.status, result.notes) == ("paid", ("canceled_unrefunded",))


def test_a_word_that_the_shop_taught() -> None:
    source = Source("ecwid", store_id="1003", currency="BRL", statuses={"CUSTOM_PAYMENT_STATUS_1": "paid"})
    found = source.order(delivery(), {"orderNumber": 103, "total": 12.5, "paymentStatus": "CUSTOM_PAYMENT_STATUS_1"})
    assert (found.status, found.payments) == (Status.PAID, {"": "12.50 BRL taken"})


@pytest.mark.parametrize(
    ("billing", "name", "phones", "country"),
    [
        (None, "Bia", ("+1 212 555 0144",), "US"),
        ({"name": "Ana", "countryCode": "BR"}, "Ana", (), "BR"),  # the parcel is another's
        ({"name": "Bia", "phone": ""}, "Bia", ("+1 212 555 0144",), "US"),
    ],
)
def test_who_bought(billing: dict[str, str] | None, name: str, phones: tuple[str, ...], country: str) -> None:
    shipping = {"name": "Bia", "phone": "+1 212 555 0144", "countryCode": "US"}
    customer = order(billingPerson=billing, shippingPerson=shipping).customer
    assert customer
    assert (customer.name, customer.phones, customer.country) == (name, phones, country)


def test_what_an_order_can_be_without_is_left_out() -> None:
    found = order(paymentStatus="PAID", createDate="soon", items=[{"quantity": "x"}], email=["x"])
    assert (found.value, found.status, found.ordered_at, found.notes) == (
        "12.50 BRL",
        Status.PAID,
        None,
        ("field_left_out",),
    )
