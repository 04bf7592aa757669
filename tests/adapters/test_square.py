"""Square: the vectors of its SDK, and what an order that is read back becomes."""

from typing import Any

import pytest

from adapters.contract import Delivery, Ignored, Status, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded, lines

SQUARE = Source("square")
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


def delivery(body: object, signature: str = "", url: str = "") -> Delivery:
    return arrived(body, x_square_hmacsha256_signature=signature, url=url)


@pytest.mark.parametrize(("secret", "url", "body", "signature"), VECTORS)
def test_published_vectors(secret: str, url: str, body: bytes, signature: str) -> None:
    assert SQUARE.verify(delivery(body, signature, url), secret) == secret
    for one in (delivery(body, signature, url + "/"), delivery(body + b" ", signature, url)):
        SQUARE.refuse(one, secret)


def order(**said: Any) -> OrderView:
    notice = {"type": "order.updated", "event_id": "e", "data": {"id": "o1"}}
    document = {"order": {"id": "o1", "total_money": {"amount": 1000, "currency": "USD"}} | said}
    return SQUARE.order(notice, document)


@pytest.mark.parametrize(
    ("state", "due", "status"),
    [
        ("OPEN", 1000, "pending"),
        ("OPEN", 0, "paid"),
        ("OPEN", 400, "partially_paid"),
        ("COMPLETED", 0, "paid"),
        ("COMPLETED", 1000, "paid"),
        ("CANCELED", 1000, "canceled"),
    ],
)
def test_states(state: str, due: int, status: str) -> None:
    one = folded(order(state=state, net_amount_due_money={"amount": due, "currency": "USD"}))
    assert (one.status, one.value, one.notes) == (status, 1000, ())
    assert one.paid_value == (0 if status in ("pending", "canceled") else 1000 - due if state == "OPEN" else 1000)


def test_an_order_of_nothing_is_paid_and_a_draft_is_none() -> None:
    nothing = {"amount": 0, "currency": "USD"}
    free = folded(order(state="OPEN", total_money=nothing, net_amount_due_money=nothing))
    assert (free.status, free.value, free.payments) == ("paid", 0, [])
    with pytest.raises(Ignored, match="draft"):
        order(state="DRAFT", total_money=nothing)


def test_tenders_are_payments_and_replace_what_was_only_no_longer_due() -> None:
    due = {"amount": 600, "currency": "USD"}
    early = order(state="OPEN", net_amount_due_money=due, updated_at="2026-11-20T10:00:00Z", version=1)
    cash = {"id": "a1", "amount_money": {"amount": 400, "currency": "USD"}}
    card = {"id": "t2", "payment_id": "a2", "amount_money": {"amount": 600, "currency": "USD"}}
    card |= {"card_details": {"status": "CAPTURED"}}
    # Two statements of one time stand in the order of the order's own version.
    late = order(state="COMPLETED", tenders=[cash, card], updated_at="2026-11-20T10:00:00Z", version=2)
    one = folded(early, late)
    assert (one.status, one.value, one.paid_value) == ("paid", 1000, 1000)
    assert lines(one.payments) == {"a1": "taken 400 USD", "a2": "taken 600 USD"}
    assert folded(late, early) == one


def test_a_payment_is_a_notice_of_its_order_and_says_who_paid() -> None:
    paid = {"id": "a1", "status": "COMPLETED", "order_id": "o1", "buyer_email_address": "ana@example.com"}
    paid |= {"billing_address": {"first_name": "Ana", "last_name": "Souza", "address_line_1": "Rua 1"}}
    notice = {"type": "payment.updated", "data": {"id": "a1", "object": {"payment": paid}}}
    assert SQUARE.path(notice) == "/v2/orders/o1"
    document = {"order": {"id": "o1", "state": "COMPLETED", "total_money": {"amount": 1000, "currency": "USD"}}}
    found = SQUARE.order(notice, document)
    assert found.customer
    assert (found.external_id, found.status, found.value) == ("o1", Status.PAID, "10.00 USD")
    assert (found.customer.name, found.customer.emails) == ("Ana Souza", ("ana@example.com",))


@pytest.mark.parametrize(("order_id", "fault"), [(None, Ignored), ("", Ignored), ("../x", Unreadable)])
def test_a_payment_that_names_no_order(order_id: str | None, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        SQUARE.path({"type": "payment.updated", "data": {"object": {"payment": {"order_id": order_id}}}})


@pytest.mark.parametrize("due", [0, 1000])
def test_a_card_that_is_only_authorised_has_paid_nothing(due: int) -> None:
    tenders = [{"id": "t1", "payment_id": "a1", "card_details": {"status": "AUTHORIZED"}}]
    told = order(state="OPEN", tenders=tenders, net_amount_due_money={"amount": due, "currency": "USD"})
    assert told.payments == {"a1": "authorized"}
    assert folded(told).status == "pending"


def dispute(**said: Any) -> OrderView:
    told = {"id": "d1", "state": "LOST", "amount_money": {"amount": 250, "currency": "USD"}}
    told |= {"disputed_payment": {"payment_id": "a1"}, "updated_at": "2026-12-21T10:00:00Z"} | said
    return SQUARE.order({"type": "dispute.state.updated", "data": {"object": {"dispute": told}}})


@pytest.mark.parametrize("state", ["LOST", "ACCEPTED"])
def test_a_lost_dispute_takes_the_money(state: str) -> None:
    found = dispute(state=state)
    assert (found.external_id, found.status) == ("a1", None)
    assert found.refunds == {"dispute:d1": "2.50 USD"}


def test_a_dispute_that_is_open_or_won_takes_nothing() -> None:
    assert dispute(state="PROCESSING").refunds == {"dispute:d1": "2.50 USD pending"}
    assert dispute(state="WON").refunds == {"dispute:d1": "2.50 USD reversed"}
    sale = order(state="COMPLETED", updated_at="2026-11-20T10:00:00Z", tenders=[{"id": "a1", **AMOUNT}])
    lost = dispute()
    won = dispute(state="WON", updated_at="2026-12-22T10:00:00Z")
    assert folded(sale, lost).refunded_value == 250
    one = folded(sale, lost, won)
    assert (one.status, one.refunded_value) == ("paid", 0)
    with pytest.raises(Ignored):
        dispute(disputed_payment=None)


def refund(**said: Any) -> OrderView:
    told = {"id": "r1", "status": "COMPLETED", "amount_money": {"amount": 250, "currency": "USD"}, "payment_id": "a1"}
    told |= {"order_id": "the return", "updated_at": "2026-11-21T10:00:00Z"} | said
    return SQUARE.order({"type": "refund.updated", "data": {"object": {"refund": told}}})


AMOUNT = {"amount_money": {"amount": 1000, "currency": "USD"}}


@pytest.mark.parametrize("tender", [{"id": "a1", "payment_id": "a1"}, {"id": "a1"}, {"id": "t1", "payment_id": "a1"}])
@pytest.mark.parametrize(("amount", "status"), [(250, "paid"), (1000, "refunded")])
def test_a_refund_meets_its_sale_in_the_payment(tender: dict[str, str], amount: int, status: str) -> None:
    sale = order(state="COMPLETED", updated_at="2026-11-20T10:00:00Z", tenders=[tender | AMOUNT])
    back = refund(amount_money={"amount": amount, "currency": "USD"})
    assert back.external_id in sale.aliases
    one = folded(sale, back, back)
    assert (one.external_id, one.status, one.value, one.refunded_value) == ("o1", status, 1000, amount)


def test_the_order_of_a_return_is_not_the_sale() -> None:
    """A refund's `order_id` is that of the order which Square made for the return."""
    said = refund()
    assert "the return" not in (said.external_id, *said.aliases)


@pytest.mark.parametrize("word", ["APPROVED", "COMPLETED"])
def test_refunds_that_an_order_lists_do_not_count_again(word: str) -> None:
    listed = {"id": "other", "status": word, "amount_money": {"amount": 250, "currency": "USD"}}
    assert order(state="COMPLETED", refunds=[listed]).refunds == {}


def test_a_refund_counts_once_it_is_completed() -> None:
    sale = order(state="COMPLETED", updated_at="2026-11-20T10:00:00Z", tenders=[{"id": "a1", **AMOUNT}])
    waits = refund(status="PENDING")
    failed = refund(status="FAILED", updated_at="2026-11-22T10:00:00Z")
    assert waits.refunds == {"r1": "2.50 USD pending"}
    for told in (waits, failed):
        one = folded(sale, told)
        assert (one.status, one.refunded_value) == ("paid", 0)
    one = folded(sale, refund(), failed)
    assert (one.status, one.refunded_value) == ("paid", 0)
    with pytest.raises(Ignored):
        refund(payment_id=None)


def test_a_refund_without_an_amount_is_noted() -> None:
    sale = order(state="COMPLETED", updated_at="2026-11-20T10:00:00Z", tenders=[{"id": "a1", **AMOUNT}])
    one = folded(sale, refund(amount_money=None))
    assert (one.status, one.refunded_value, one.notes) == ("paid", 0, ("refund_without_amount",))


# -- Who bought ---------------------------------------------------------------------------------------------------


def recipient(where: str = "pickup_details", **said: Any) -> dict[str, Any]:
    told = {"display_name": "Jo Doe", "email_address": "jo@example.com", "phone_number": "+14155550111"}
    return {"type": "PICKUP", where: {"recipient": told | {"address": {"country": "US"}} | said}}


@pytest.mark.parametrize("where", ["shipment_details", "pickup_details", "delivery_details"])
def test_the_recipient_where_nobody_else_is_named(where: str) -> None:
    who = order(fulfillments=[{"type": "SHIPMENT"}, recipient(where)]).customer
    assert who
    assert (who.name, who.emails, who.phones, who.country) == ("Jo Doe", ("jo@example.com",), ("+14155550111",), "US")


def test_the_recipient_of_another_customers_order_is_not_the_buyer() -> None:
    told = order(customer_id="CU1", fulfillments=[recipient(customer_id="CU2")]).customer
    assert told
    assert (told.id, told.name, told.emails, told.phones) == ("CU1", None, (), ())
    told = order(customer_id="CU1", fulfillments=[recipient(customer_id="CU1")]).customer
    assert told
    assert (told.id, told.name) == ("CU1", "Jo Doe")
    paid = {"order_id": "o1", "buyer_email_address": "ana@example.com"}
    notice = {"type": "payment.updated", "data": {"id": "a1", "object": {"payment": paid}}}
    document = {"order": {"id": "o1", "total_money": {"amount": 1, "currency": "USD"}, "fulfillments": [recipient()]}}
    told = SQUARE.order(notice, document).customer
    assert told
    assert (told.name, told.emails, told.phones) == (None, ("ana@example.com",), ())


def test_real_bodies(payloads: Payloads) -> None:
    for file in payloads("square"):
        body = file.read_bytes()
        if file.stem == "order.created__1":
            assert SQUARE.path(body) == "/v2/orders/eA3vssLHKJrv9H0IdJCM3gNqfdcZY"
        elif file.stem == "refund.created__1":
            assert list(SQUARE.order(body).refunds.values()) == ["10.00 USD pending"]
        else:
            with pytest.raises(Ignored):  # what is not read
                SQUARE.orders(body)
