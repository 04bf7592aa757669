"""Ecwid: two fields of the body are signed, and only those; so nothing else of it is believed."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

import adapters
from adapters.contract import Delivery, Ignored, Money, Order, Status, Strength, Unreadable, Unverified
from adapters.contract.order import UNKNOWN
from app.base import clock

ECWID = adapters.load("ecwid")
OPTIONS = ECWID.options(store_id="1003", currency="BRL")
SECRET = "made-up-client-secret"
NOW = clock.moment(1_795_000_000_000_000)


def delivery(signature: str = "", **said: Any) -> Delivery:
    told = {
        "eventId": "80aece08",
        "eventCreated": 1234567,
        "storeId": 1003,
        "entityId": 103,
        "eventType": "order.created",
    }
    body = json.dumps(told | said).encode()
    return Delivery(body=body, headers={"x-ecwid-webhook-signature": signature}, received_at=NOW, url="")


def test_the_signature_is_over_time_and_id() -> None:
    signature = base64.b64encode(hmac.new(SECRET.encode(), b"1234567.80aece08", hashlib.sha256).digest()).decode()
    assert ECWID.signature.verify(delivery(signature), [SECRET], NOW) == SECRET
    assert ECWID.signature.strength is Strength.TOKEN
    for said in ({"eventId": "another"}, {"eventCreated": 1234568}, {"eventId": None}, {"eventCreated": True}):
        with pytest.raises(Unverified):
            ECWID.signature.verify(delivery(signature, **said), [SECRET], NOW)


def test_only_the_sources_own_store_is_asked() -> None:
    event = ECWID.read(delivery(storeId=9), "order.created", OPTIONS)
    with pytest.raises(Unreadable):
        ECWID.path(event.payload, event)
    event = ECWID.read(delivery(entityId=-1), "order.created", OPTIONS)
    with pytest.raises(Ignored):
        ECWID.path(event.payload, event)


def order(**said: Any) -> Order:
    event = ECWID.read(delivery(), "order.created", OPTIONS)
    [found] = ECWID.translate(ECWID.fetched(event, json.dumps({"orderNumber": 103, "total": 12.5} | said).encode()))
    return found


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
    assert found.value == Money(1250, "BRL") and str(found.at) == "2018-05-31 15:08:36+00:00"


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
    event = ECWID.read(delivery(**told), "order.created", OPTIONS)
    assert ECWID.path(event.payload, event) == f"/api/v3/1003/orders/{read}"


@pytest.mark.parametrize(("amount", "refunds"), [(2.5, {"total": Money(250, "BRL")}), (0, None), (None, None)])
def test_what_was_given_back(amount: Any, refunds: Any) -> None:
    assert order(paymentStatus="PARTIALLY_REFUNDED", refundedAmount=amount).refunds == refunds
