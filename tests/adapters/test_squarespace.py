"""Squarespace: the key is the secret's bytes in hexadecimal, over the raw body."""

import hashlib
import hmac

import pytest

from adapters.contract import Delivery, Unreadable
from tests.reading import Source, arrived

SQUARESPACE = Source("squarespace")
SECRET = "0badc0de" * 8
BODY = b'{"topic":"order.update","data":{"orderId":"585d498fdee9f31a60284a37"}}'


def delivery(signature: str, body: bytes = BODY) -> Delivery:
    return arrived(body, squarespace_signature=signature)


def test_the_secret_is_hexadecimal() -> None:
    signature = hmac.new(bytes.fromhex(SECRET), BODY, hashlib.sha256).hexdigest()
    assert SQUARESPACE.verify(delivery(signature), SECRET) == SECRET
    as_text = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    SQUARESPACE.refuse(delivery(as_text), SECRET)
    SQUARESPACE.refuse(delivery(signature), "not hexadecimal")


@pytest.mark.parametrize("told", ["", "../../1.0/inventory", "a/b", "a?b", "é", "x" * 65])
def test_an_id_cannot_lead_elsewhere(told: str) -> None:
    with pytest.raises(Unreadable, match=r"data\.orderId"):
        SQUARESPACE.path({"topic": "order.update", "data": {"orderId": told}})
