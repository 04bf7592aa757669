"""BigCommerce: Standard Webhooks, but with the client secret as it stands for a key; what payment says of a status."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Delivery, StandardWebhooks, Status, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

BIGCOMMERCE = Source("bigcommerce", store_hash="madeup1")
SECRET = "made-up-client-secret"
SENT = datetime.fromtimestamp(1_795_000_000, UTC)
BODY = b'{"scope":"store/order/updated","data":{"type":"order","id":250}}'


def delivery(signature: str = "", body: bytes = BODY) -> Delivery:
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1795000000", "webhook-signature": signature}
    return arrived(body, headers, at=SENT)


def test_the_key_is_the_secret_as_it_stands() -> None:
    mac = hmac.new(SECRET.encode(), b"msg_1.1795000000." + BODY, hashlib.sha256).digest()
    good = delivery(f"v1,{base64.b64encode(mac).decode()}")
    assert BIGCOMMERCE.verify(good, SECRET) == SECRET
    BIGCOMMERCE.refuse(good, base64.b64encode(SECRET.encode()).decode())


def test_the_vector_of_standard_webhooks_is_not_one_of_bigcommerce() -> None:
    """standard-webhooks/standard-webhooks, libraries/python/tests: there the secret is base64; here it is the key."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sent = datetime.fromtimestamp(1_614_265_330, UTC)
    vector = arrived(b'{"test": 2432232314}', headers, at=sent)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert StandardWebhooks().verify(vector, [secret], sent) == secret
    assert BIGCOMMERCE.refuse(vector, secret) == Unverified.MISMATCH


def order(**more: Any) -> OrderView:
    document = {"id": 250, "status_id": 11, "total_inc_tax": "10.0000", "default_currency_code": "BRL"} | more
    return BIGCOMMERCE.order(delivery(), document)


@pytest.mark.parametrize(
    ("status_id", "payment", "status"),
    [
        (11, "captured", Status.PAID),
        (11, "", Status.PAID),
        (11, "authorized", Status.PENDING),
        (2, "capture pending", Status.PENDING),
        (7, "authorized", Status.PENDING),
        (5, "authorized", Status.CANCELED),
        (13, "captured", Status.PAID),
        (4, "refunded", Status.REFUNDED),
    ],
)
def test_what_payment_says_of_a_status(status_id: int, payment: str, status: Status) -> None:
    assert order(status_id=status_id, payment_status=payment).status is status


def test_an_old_order_without_a_transactional_currency_is_in_the_one_that_was_shown() -> None:
    assert order(default_currency_code="", currency_code="EUR").value == "10.00 EUR"


def test_money_with_four_decimals_is_exact() -> None:
    found = order(total_inc_tax="361.9500", refunded_amount="0.0000")
    assert (found.value, found.refunds) == ("361.95 BRL", {})


@pytest.mark.parametrize("store_hash", ["", "../x", "a/b", "A", "x" * 33, "a\n"])
def test_a_store_hash_cannot_lead_elsewhere(store_hash: str) -> None:
    with pytest.raises(ValidationError):
        Source("bigcommerce", store_hash=store_hash)


def test_real_bodies(payloads: Payloads) -> None:
    for file in payloads("bigcommerce", "order_rest*.json"):
        assert order(**json.loads(file.read_bytes())).status is Status.PENDING  # authorised, not captured
    for file in payloads("bigcommerce", "*statusUpdated*.json"):
        assert BIGCOMMERCE.path(delivery(body=file.read_bytes())) == "/stores/madeup1/v2/orders/250"
