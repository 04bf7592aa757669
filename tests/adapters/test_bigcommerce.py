"""BigCommerce: Standard Webhooks, but with the client secret as it stands for a key; what payment says of a status."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import adapters
from adapters.contract import Delivery, Money, Order, StandardWebhooks, Status, Unverified
from app.base import clock

BIGCOMMERCE = adapters.load("bigcommerce")
SECRET = "made-up-client-secret"
NOW = clock.moment(1_795_000_000_000_000)
BODY = b'{"scope":"store/order/updated","data":{"type":"order","id":250}}'
REAL = Path(__file__).parents[3] / "shared" / "payloads" / "bigcommerce"


def delivery(signature: str = "", body: bytes = BODY) -> Delivery:
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1795000000", "webhook-signature": signature}
    return Delivery(body=body, headers=headers, received_at=NOW, url="")


def test_the_key_is_the_secret_as_it_stands() -> None:
    mac = hmac.new(SECRET.encode(), b"msg_1.1795000000." + BODY, hashlib.sha256).digest()
    good = delivery(f"v1,{base64.b64encode(mac).decode()}")
    assert BIGCOMMERCE.signature.verify(good, [SECRET], NOW) == SECRET
    with pytest.raises(Unverified):
        BIGCOMMERCE.signature.verify(good, [base64.b64encode(SECRET.encode()).decode()], NOW)


def test_the_vector_of_standard_webhooks_is_not_one_of_bigcommerce() -> None:
    """standard-webhooks/standard-webhooks, libraries/python/tests: there the secret is base64; here it is the key."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sent = clock.moment(1_614_265_330_000_000)
    vector = Delivery(body=b'{"test": 2432232314}', headers=headers, received_at=sent, url="")
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert StandardWebhooks().verify(vector, [secret], sent) == secret
    with pytest.raises(Unverified) as refused:
        BIGCOMMERCE.signature.verify(vector, [secret], sent)
    assert refused.value.reason == Unverified.MISMATCH


def order(**more: Any) -> Order:
    options = BIGCOMMERCE.options(store_hash="madeup1")
    event = BIGCOMMERCE.read(delivery(), "store/order/updated", options)
    document = {"id": 250, "status_id": 11, "total_inc_tax": "10.0000", "default_currency_code": "BRL"} | more
    [found] = BIGCOMMERCE.translate(BIGCOMMERCE.fetched(event, json.dumps(document).encode()))
    return found


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
    found = order(default_currency_code="", currency_code="EUR")
    assert found.value
    assert found.value.currency == "EUR"


def test_money_with_four_decimals_is_exact() -> None:
    found = order(total_inc_tax="361.9500", refunded_amount="0.0000")
    assert (found.value, found.refunds) == (Money(36195, "BRL"), None)


@pytest.mark.parametrize("store_hash", ["", "../x", "a/b", "A", "x" * 33, "a\n"])
def test_a_store_hash_cannot_lead_elsewhere(store_hash: str) -> None:
    with pytest.raises(ValidationError):
        BIGCOMMERCE.options(store_hash=store_hash)


def test_real_bodies() -> None:
    """What lies in the folder of real bodies, where there is one."""
    found = sorted(REAL.glob("*.json"))
    print(f"{len(found)} real bodies of BigCommerce beside the project")
    options = BIGCOMMERCE.options(store_hash="madeup1")
    for file in found:
        body = file.read_bytes()
        if file.name.startswith("order_rest"):
            assert order(**json.loads(body)).status is Status.PENDING  # authorised, not captured
        elif "statusUpdated" in file.name:
            event = BIGCOMMERCE.read(delivery(body=body), "store/order/statusUpdated", options)
            assert BIGCOMMERCE.path(event.payload, event) == "/stores/madeup1/v2/orders/250"
