"""Square: the vectors of its SDK, and what an order that is read back becomes."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters.contract import Delivery, Ignored, Order, Status, Unreadable, Unverified
from adapters.contract.fold import Entry, fold
from app.base import clock

SQUARE = adapters.load("square")
NOW = clock.moment(1_795_000_000_000_000)
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
        ("OPEN", 400, Status.PARTIALLY_PAID),
        ("COMPLETED", 0, Status.PAID),
        ("CANCELED", 0, Status.CANCELED),
    ],
)
def test_states(state: str, due: int, status: Status) -> None:
    assert order(state=state, net_amount_due_money={"amount": due, "currency": "USD"}).status is status


def test_a_payment_is_a_notice_of_its_order_and_says_who_paid() -> None:
    paid = {"id": "a1", "status": "COMPLETED", "order_id": "o1", "buyer_email_address": "ana@example.com"}
    paid |= {"billing_address": {"first_name": "Ana", "last_name": "Souza", "address_line_1": "Rua 1"}}
    body = json.dumps({"type": "payment.updated", "data": {"id": "a1", "object": {"payment": paid}}}).encode()
    event = SQUARE.read(delivery(body), "payment.updated", SQUARE.options())
    assert SQUARE.path(event.payload, event) == "/v2/orders/o1"
    document = {"order": {"id": "o1", "state": "COMPLETED", "total_money": {"amount": 1000, "currency": "USD"}}}
    [found] = SQUARE.translate(SQUARE.fetched(event, json.dumps(document).encode()))
    assert found.customer
    assert (found.external_id, found.status, str(found.value)) == ("o1", Status.PAID, "10.00")
    assert (found.customer.name, found.customer.emails) == ("Ana Souza", ("ana@example.com",))


@pytest.mark.parametrize(("order_id", "fault"), [(None, Ignored), ("", Ignored), ("../x", Unreadable)])
def test_a_payment_that_names_no_order(order_id: str | None, fault: type[Exception]) -> None:
    body = json.dumps({"type": "payment.updated", "data": {"object": {"payment": {"order_id": order_id}}}}).encode()
    with pytest.raises(fault):
        event = SQUARE.read(delivery(body), "payment.updated", SQUARE.options())
        SQUARE.path(event.payload, event)


@pytest.mark.parametrize("due", [0, 1000])
def test_a_card_that_is_only_authorised_has_paid_nothing(due: int) -> None:
    tenders = [{"id": "t1", "payment_id": "a1", "card_details": {"status": "AUTHORIZED"}}]
    told = order(state="OPEN", tenders=tenders, net_amount_due_money={"amount": due, "currency": "USD"})
    assert told.status is Status.PENDING


def dispute(**said: Any) -> list[Order]:
    told = {"id": "d1", "state": "LOST", "amount_money": {"amount": 250, "currency": "USD"}}
    told |= {"disputed_payment": {"payment_id": "a1"}, "updated_at": "2026-12-21T10:00:00Z"} | said
    body = json.dumps({"type": "dispute.state.updated", "data": {"object": {"dispute": told}}}).encode()
    return SQUARE.translate(SQUARE.read(delivery(body), "dispute.state.updated", SQUARE.options()))


@pytest.mark.parametrize("state", ["LOST", "ACCEPTED"])
def test_a_lost_dispute_takes_the_money(state: str) -> None:
    [found] = dispute(state=state)
    assert (found.external_id, found.status) == ("a1", None)
    assert {name: str(money) for name, money in (found.refunds or {}).items()} == {"dispute:d1": "2.50"}


@pytest.mark.parametrize("said", [{"state": "WON"}, {"state": "PROCESSING"}, {"disputed_payment": None}, {"id": ""}])
def test_other_disputes_say_nothing(said: dict[str, Any]) -> None:
    with pytest.raises(Ignored, match="not lost"):
        dispute(**said)


def refund(**said: Any) -> Order:
    told = {"id": "r1", "status": "COMPLETED", "amount_money": {"amount": 250, "currency": "USD"}, "payment_id": "a1"}
    told |= {"order_id": "the return", "updated_at": "2026-11-21T10:00:00Z"} | said
    body = json.dumps({"type": "refund.updated", "data": {"object": {"refund": told}}}).encode()
    [found] = SQUARE.translate(SQUARE.read(delivery(body), "refund.updated", SQUARE.options()))
    return found


def entry(said: Order) -> Entry:
    """The order as a line of its history, as far as these tests look at it."""
    words: dict[str, object] = {
        "external_id": said.external_id,
        "aliases": said.aliases,
        "preference": said.preference,
        "refunds": {name: [money.minor, money.currency] for name, money in (said.refunds or {}).items()},
    }
    if said.status is not None:
        words["status"] = said.status
    if said.value is not None:
        words |= {"value": said.value.minor, "currency": said.value.currency}
    assert said.at is not None
    return Entry(at=int(said.at.timestamp()) * 1_000_000, digest=said.external_id, recorded_at=0, said=words)


@pytest.mark.parametrize("tender", [{"id": "a1", "payment_id": "a1"}, {"id": "a1"}, {"id": "t1", "payment_id": "a1"}])
@pytest.mark.parametrize(("amount", "status"), [(250, "paid"), (1000, "refunded")])
def test_a_refund_meets_its_sale_in_the_payment(tender: dict[str, str], amount: int, status: str) -> None:
    sale = order(state="COMPLETED", updated_at="2026-11-20T10:00:00Z", tenders=[tender])
    back = refund(amount_money={"amount": amount, "currency": "USD"})
    assert back.external_id in sale.aliases
    for arrival in itertools.permutations([sale, back, back]):
        folded = fold(entry(one) for one in arrival)
        assert (folded.external_id, folded.status, folded.value, folded.refunded_value) == ("o1", status, 1000, amount)


def test_the_order_of_a_return_is_not_the_sale() -> None:
    """A refund's `order_id` is that of the order which Square made for the return."""
    said = refund()
    assert "the return" not in (said.external_id, *said.aliases)


@pytest.mark.parametrize("word", ["APPROVED", "COMPLETED"])
def test_refunds_that_an_order_lists_do_not_count_again(word: str) -> None:
    listed = {"id": "other", "status": word, "amount_money": {"amount": 250, "currency": "USD"}}
    assert order(state="COMPLETED", refunds=[listed]).refunds is None


@pytest.mark.parametrize("said", [{"status": "PENDING"}, {"status": "FAILED"}, {"payment_id": None}])
def test_refunds_that_say_nothing(said: dict[str, Any]) -> None:
    with pytest.raises(Ignored):
        refund(**said)


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
