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
from tests.reading import OrderView, Source, arrived, folded

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
        (11, "pending", Status.PENDING),
        (11, "held for review", Status.PENDING),
        (11, "void pending", Status.PENDING),
        (11, "void", Status.CANCELED),
        (10, "declined", Status.FAILED),
        (11, "a new word", Status.PAID),
        (5, "authorized", Status.CANCELED),
        (13, "captured", Status.PAID),
        (4, "refunded", Status.REFUNDED),
        (11, "refunded", Status.REFUNDED),  # said of all of it
        (5, "refunded", Status.REFUNDED),
    ],
)
def test_what_payment_says_of_a_status(status_id: int, payment: str, status: Status) -> None:
    assert order(status_id=status_id, payment_status=payment).status is status


def test_an_old_order_without_a_transactional_currency_is_in_the_one_that_was_shown() -> None:
    assert order(default_currency_code="", currency_code="EUR").value == "10.00 EUR"


def test_money_with_four_decimals_is_exact() -> None:
    found = order(total_inc_tax="361.9500", refunded_amount="0.0000")
    assert (found.value, found.refunds) == ("361.95 BRL", {"total": "0.00 BRL"})


@pytest.mark.parametrize(
    ("fields", "status", "paid", "back"),
    [
        ({"payment_status": "captured"}, "paid", 1000, 0),
        ({"payment_status": ""}, "paid", 1000, 0),  # offline: the status decides
        ({"payment_status": "authorized"}, "pending", 0, 0),
        ({"payment_status": "void"}, "canceled", 0, 0),
        ({"payment_status": "declined"}, "failed", 0, 0),
        ({"payment_status": "partially refunded", "refunded_amount": "4.0000"}, "paid", 1000, 400),
        ({"payment_status": "refunded", "refunded_amount": "10.0000", "status_id": 4}, "refunded", 1000, 1000),
        ({"payment_status": "", "refunded_amount": "0.0000", "status_id": 4}, "refunded", 1000, 1000),
        ({"payment_status": "captured", "status_id": 7}, "paid", 1000, 0),  # the money decides
        ({"payment_status": "captured", "status_id": 5}, "paid", 1000, 0),  # cancelled, and nothing went back
    ],
)
def test_what_was_taken(fields: dict[str, Any], status: str, paid: int, back: int) -> None:
    result = folded(order(**fields))
    assert (result.status, result.value, result.paid_value, result.refunded_value) == (status, 1000, paid, back)


def test_a_captured_payment_that_is_voided_went_back() -> None:
    day = "Fri, {} Nov 2026 13:00:00 +0000"
    taken = order(payment_status="captured", date_modified=day.format(20))
    assert folded(taken, order(payment_status="void", date_modified=day.format(21))).status == "refunded"


CONSIGNMENTS = [
    {
        "shipping": [
            {
                "first_name": "Bia",
                "last_name": "Alves",
                "phone": "+1 212 555 0144",
                "country_iso2": "US",
                "line_items": [{"name": "Running shoes", "sku": "RS-1", "quantity": 2, "price_inc_tax": "5.0000"}],
            }
        ],
        "downloads": [{"line_items": [{"name": "Song", "quantity": "x"}, {"name": "Book", "quantity": 1}]}],
        "pickups": None,
    }
]


def test_what_was_bought_comes_with_the_consignments() -> None:
    found = order(consignments=CONSIGNMENTS)
    assert [(item.title, item.sku, str(item.unit_value)) for item in found.items] == [
        ("Running shoes", "RS-1", "5.00"),
        ("Song", None, "None"),
        ("Book", None, "None"),
    ]
    assert (found.title, found.notes) == ("#250 · Running shoes +2", ("field_left_out",))
    assert order(consignments={"url": "https://api.example.com/", "resource": "/orders/250/consignments"}).items is None


@pytest.mark.parametrize(
    ("billing", "name", "phones", "country"),
    [
        ({}, "Bia Alves", ("+1 212 555 0144",), "US"),
        ({"first_name": "Ana", "country_iso2": "BR"}, "Ana", (), "BR"),  # the parcel is another's
        ({"first_name": "Ana", "phone": "+5511900000000"}, "Ana", ("+5511900000000",), "US"),
    ],
)
def test_who_bought(billing: dict[str, str], name: str, phones: tuple[str, ...], country: str) -> None:
    customer = order(consignments=CONSIGNMENTS, billing_address=billing).customer
    assert customer
    assert (customer.name, customer.phones, customer.country) == (name, phones, country)


def test_a_date_that_cannot_be_is_left_out() -> None:
    found = order(date_created="Mon, 01 Jan 1900 00:00:00 +0000", date_modified="soon")
    assert (found.value, found.at, found.ordered_at, found.notes) == ("10.00 BRL", None, None, ("field_left_out",))


@pytest.mark.parametrize("store_hash", ["", "../x", "a/b", "A", "x" * 33, "a\n"])
def test_a_store_hash_cannot_lead_elsewhere(store_hash: str) -> None:
    with pytest.raises(ValidationError):
        Source("bigcommerce", store_hash=store_hash)


def test_real_bodies(payloads: Payloads) -> None:
    for file in payloads("bigcommerce", "order_rest*.json"):
        assert order(**json.loads(file.read_bytes())).status is Status.PENDING  # authorised, not captured
    for file in payloads("bigcommerce", "*statusUpdated*.json"):
        assert (
            BIGCOMMERCE.path(delivery(body=file.read_bytes()))
            == "/stores/madeup1/v2/orders/250?include=consignments.line_items"
        )
