"""Square: the vectors of its SDK, and what an order that is read back becomes."""

import json
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters.contract import Delivery, Ignored, Money, Order, Status, Unverified
from app import moments

SQUARE = adapters.load("square")
NOW = moments.moment(1_795_000_000_000_000)
REAL = Path(__file__).parents[3] / "shared" / "payloads" / "square"
PING = (
    b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f",'
    b'"created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
)
# square/square-python-sdk, tests/integration/test_webhooks_helper.py
VECTORS = [
    (
        "Ibxx_5AKakO-3qeNVR61Dw",
        "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
        PING,
        "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
    ),
    (
        "signature-key",
        "https://webhook.site/webhooks",
        b'{"data":{"type":"webhooks","id":">id<"}}',
        "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U=",
    ),
]


def delivery(body: bytes, signature: str = "", url: str = "") -> Delivery:
    return Delivery(body=body, headers={"x-square-hmacsha256-signature": signature}, received_at=NOW, url=url)


@pytest.mark.parametrize(("secret", "url", "body", "signature"), VECTORS)
def test_published_vectors(secret: str, url: str, body: bytes, signature: str) -> None:
    assert SQUARE.signature.verify(delivery(body, signature, url), [secret], NOW) == secret
    for one in (delivery(body, signature, url + "/"), delivery(body + b" ", signature, url)):
        with pytest.raises(Unverified):
            SQUARE.signature.verify(one, [secret], NOW)


def order(**said: Any) -> Order:
    notice = delivery(b'{"type":"order.updated","event_id":"e","data":{"id":"o1"}}')
    event = SQUARE.read(notice, "order.updated", SQUARE.options())
    document = {"order": {"id": "o1", "total_money": {"amount": 1000, "currency": "USD"}} | said}
    [found] = SQUARE.translate(SQUARE.fetched(event, json.dumps(document).encode()))
    return found


@pytest.mark.parametrize(
    ("state", "due", "status"),
    [
        ("OPEN", 1000, Status.PENDING),
        ("OPEN", 0, Status.PAID),
        ("COMPLETED", 0, Status.PAID),
        ("CANCELED", 0, Status.CANCELED),
    ],
)
def test_states(state: str, due: int, status: Status) -> None:
    assert order(state=state, net_amount_due_money={"amount": due, "currency": "USD"}).status is status


def test_a_refund_is_the_same_whoever_tells_of_it() -> None:
    refund = {"id": "r1", "status": "COMPLETED", "amount_money": {"amount": 250, "currency": "USD"}, "order_id": "o1"}
    body = json.dumps({"type": "refund.updated", "data": {"object": {"refund": refund}}}).encode()
    [told] = SQUARE.translate(SQUARE.read(delivery(body), "refund.updated", SQUARE.options()))
    assert told.refunds == order(state="OPEN", refunds=[refund]).refunds == {"r1": Money(250, "USD")}
    assert told.external_id == "o1"


def test_real_bodies() -> None:
    """What lies in the folder of real bodies, where there is one."""
    found = sorted(REAL.glob("*.json"))
    print(f"{len(found)} real bodies of Square beside the project")
    for file in found:
        body = file.read_bytes()
        kind = json.loads(body)["type"]
        if kind == "order.created":
            event = SQUARE.read(delivery(body), kind, SQUARE.options())
            assert SQUARE.path(event.payload, event) == "/v2/orders/eA3vssLHKJrv9H0IdJCM3gNqfdcZY"
            continue
        with pytest.raises(Ignored):  # a refund that is still pending; what is not read
            SQUARE.translate(SQUARE.read(delivery(body), kind, SQUARE.options()))
