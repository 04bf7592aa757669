"""The front door, whole: one delivery becomes one order on the right contact, on both engines."""

import asyncio

import pytest

from tests.house import House, eventually, order_event, signed

pytestmark = pytest.mark.anyio


async def test_a_signed_delivery_becomes_an_order_on_its_contact(house: House) -> None:
    source = await house.source()
    answer = await house.deliver(source, order_event())
    assert answer.status_code == 200
    said = answer.json()
    assert said["outcome"] == "created"
    (order_id,) = said["orders"]

    (contact,) = await house.data("/v1/contacts?phone=%2B551187654321")  # the old form, without the ninth digit
    (order,) = await house.data(f"/v1/contacts/{contact['id']}/orders")
    assert order["id"] == order_id
    assert (order["value"], order["currency"], order["status"]) == ("398.00", "BRL", "paid")
    assert order["contact_id"] == contact["id"]
    (row,) = await house.data("/v1/deliveries")
    assert (row["id"], row["outcome"], row["orders"]) == (said["delivery_id"], "created", [order_id])


async def test_the_same_delivery_again_is_a_duplicate_and_answers_the_same_order(house: House) -> None:
    source = await house.source()
    delivery = order_event(delivery_id="msg_1")
    first = (await house.deliver(source, delivery)).json()
    again = (await house.deliver(source, delivery)).json()
    assert again == {"delivery_id": first["delivery_id"], "outcome": "duplicate", "orders": first["orders"]}
    assert len(await house.data("/v1/deliveries")) == 1


async def test_a_late_delivery_changes_nothing_and_a_newer_one_does(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event(status="paid", at="2026-11-20T13:00:00Z"))
    late = await house.deliver(source, order_event(status="pending", at="2026-11-20T12:00:00Z"))
    # The late one is the first that the source said; it dates the order, and moves nothing else.
    assert late.json()["outcome"] in {"unchanged", "updated"}
    newer = await house.deliver(source, order_event(status="canceled", at="2026-11-21T12:00:00Z"))
    assert newer.json()["outcome"] == "updated"
    (order,) = await house.data("/v1/orders")
    assert order["status"] == "canceled"
    history = await house.data(f"/v1/orders/{order['id']}/history")
    assert [entry["said"]["status"] for entry in history] == ["pending", "paid", "canceled"]


async def test_500_copies_of_one_delivery_at_once_are_one_order(house: House) -> None:
    source = await house.source()
    delivery = order_event(delivery_id="msg_storm")
    answers = await asyncio.gather(*(house.deliver(source, delivery) for _ in range(500)))
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert sorted(set(outcomes)) == ["created", "duplicate"]
    assert outcomes.count("created") == 1
    assert len(await house.data("/v1/orders")) == 1


async def test_an_unknown_status_word_never_becomes_paid(house: House) -> None:
    source = await house.source("shopify")
    body = b'{"id": 1, "financial_status": "teleported", "total_price": "10.00", "currency": "BRL", "updated_at": "2026-11-20T13:00:00Z", "email": "ana@example.com"}'
    answer = await house.deliver(source, signed("shopify", body, {"x-shopify-topic": "orders/create"}))
    assert answer.json()["outcome"] == "created"
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["source_status"]) == ("pending", "teleported")
    (row,) = await house.data("/v1/deliveries")
    assert row["notes"] == ["unknown_status"]


async def test_a_held_delivery_is_taken_up_when_its_contact_appears(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    answer = await house.deliver(source, order_event())
    assert answer.json()["outcome"] == "held"
    assert await house.data("/v1/orders") == []
    made = await house.call("PUT", "/v1/contacts/42", {"name": "Ana", "emails": ["ANA@example.com "]})
    assert made.status_code == 201, made.text
    (order,) = await eventually(lambda: house.data("/v1/contacts/42/orders"), bool)
    assert order["crm_contact_id"] == "42"
    (row,) = await house.data("/v1/deliveries")
    assert (row["outcome"], row["orders"]) == ("created", [order["id"]])
