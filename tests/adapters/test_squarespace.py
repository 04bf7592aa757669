"""Squarespace: the key is the secret's bytes in hexadecimal, over the raw body."""

import hashlib
import hmac

import pytest

import adapters
from adapters.contract import Delivery, Unreadable, Unverified
from app.base import clock

SQUARESPACE = adapters.load("squarespace")
SECRET = "0badc0de" * 8
BODY = b'{"topic":"order.update","data":{"orderId":"585d498fdee9f31a60284a37"}}'
NOW = clock.moment(1_795_000_000_000_000)


def delivery(signature: str, body: bytes = BODY) -> Delivery:
    return Delivery(body=body, headers={"squarespace-signature": signature}, received_at=NOW, url="")


def test_the_secret_is_hexadecimal() -> None:
    signature = hmac.new(bytes.fromhex(SECRET), BODY, hashlib.sha256).hexdigest()
    assert SQUARESPACE.signature.verify(delivery(signature), [SECRET], NOW) == SECRET
    as_text = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    with pytest.raises(Unverified):
        SQUARESPACE.signature.verify(delivery(as_text), [SECRET], NOW)
    with pytest.raises(Unverified):
        SQUARESPACE.signature.verify(delivery(signature), ["not hexadecimal"], NOW)


@pytest.mark.parametrize("told", ["", "../../1.0/inventory", "a/b", "a?b", "é", "x" * 65])
def test_an_id_cannot_lead_elsewhere(told: str) -> None:
    one = delivery("", b'{"topic":"order.update","data":{"orderId":"%s"}}' % told.encode())
    with pytest.raises(Unreadable, match=r"data\.orderId"):
        event = SQUARESPACE.read(one, "order.update", SQUARESPACE.options())
        SQUARESPACE.path(event.payload, event)
