"""What a shop tells of its customers apart from any order: contacts by the rule for buyers, and nobody who was erased."""

import json
from typing import Any

import pytest

from adapters.contract import Delivery
from tests.house import House, signed
from tests.jobs import done

pytestmark = pytest.mark.anyio

AMY = {"id": "ctm_1", "name": "Amy Ray", "email": "amy.ray@example.com"}


def customer(nth: str, event: str = "customer.created", **said: Any) -> Delivery:
    told = {
        "event_id": f"evt_{nth}",
        "event_type": event,
        "occurred_at": "2026-11-20T12:57:00Z",
        "data": {**AMY, **said},
    }
    return signed("paddle", json.dumps(told).encode())


def sale(number: str = "txn_1") -> Delivery:
    data = {"id": number, "status": "completed", "currency_code": "USD", "customer_id": "ctm_1", "payments": []}
    data |= {"details": {"totals": {"total": "10000", "grand_total": "10000"}, "line_items": []}}
    told = {"event_id": f"evt_{number}", "event_type": "transaction.completed", "data": data}
    return signed("paddle", json.dumps(told | {"occurred_at": "2026-11-20T13:00:00Z"}).encode())


@pytest.mark.parametrize("first", ["the customer", "the order"])
async def test_the_customer_and_the_order_meet_in_any_order(house: House, first: str) -> None:
    source = await house.source("paddle")
    told = [customer("a"), sale()]
    for one in told if first == "the customer" else told[::-1]:
        assert (await house.deliver(source, one)).json()["outcome"] in ("created", "updated")
    assert (await house.deliver(source, customer("a"))).json()["outcome"] == "duplicate"
    assert (await house.deliver(source, customer("b", "customer.updated"))).json()["outcome"] == "unchanged"
    [contact] = await house.data("/v1/contacts?email=amy.ray@example.com")
    assert contact["name"] == "Amy Ray"
    [order] = await house.data(f"/v1/contacts/{contact['id']}/orders")
    assert order["external_id"] == "txn_1"


async def test_a_name_is_filled_in_and_never_replaced(house: House) -> None:
    source = await house.source("paddle")
    await house.call("PUT", "/v1/contacts/7", {"name": "Amelia Ray", "emails": [AMY["email"]]})
    assert (await house.deliver(source, customer("a"))).json()["outcome"] == "updated"  # it has learnt the shop's id
    assert (await house.get("/v1/contacts/7"))["name"] == "Amelia Ray"
    await house.deliver(source, sale())
    [order] = await house.data("/v1/contacts/7/orders")
    assert order["external_id"] == "txn_1"


async def test_a_source_that_holds_makes_no_contact_of_a_customer(house: House) -> None:
    source = await house.source("paddle", unknown_contacts="hold")
    said = (await house.deliver(source, customer("a"))).json()
    assert said["outcome"] == "ignored"
    assert await house.data("/v1/contacts?email=amy.ray@example.com") == []


async def test_a_customer_who_was_erased_does_not_come_back(house: House) -> None:
    source = await house.source("paddle")
    first = (await house.deliver(source, customer("a"))).json()
    [contact] = await house.data("/v1/contacts?email=amy.ray@example.com")
    assert (await house.call("DELETE", f"/v1/contacts/{contact['id']}")).status_code == 200
    late = (await house.deliver(source, customer("b", "customer.updated"))).json()
    assert late["outcome"] == "ignored"
    for delivery in (first, late):
        row = await house.get(f"/v1/deliveries/{delivery['delivery_id']}")
        assert (row["body_kept"], row["notes"]) == (False, ["erased"])
    assert await house.data("/v1/contacts?email=amy.ray@example.com") == []


async def test_a_remap_leaves_what_was_told_of_customers(house: House) -> None:
    source = await house.source("paddle")
    await house.deliver(source, customer("a"))
    await house.deliver(source, sale())
    job = await done(house, "/v1/remap", {"source_id": source})
    assert (job["done"], job["changed"], job["failed"]) == (2, 0, 0)
    [contact] = await house.data("/v1/contacts?email=amy.ray@example.com")
    assert len(await house.data(f"/v1/contacts/{contact['id']}/orders")) == 1
