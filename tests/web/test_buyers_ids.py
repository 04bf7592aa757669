"""CRM ids that buyers can write: off unless the source says so, and even then they lose and teach nothing."""

import json
from typing import Any

import pytest

from tests.house import House, order_event, signed

pytestmark = pytest.mark.anyio


def sale(number: int, email: str, crm_id: str | None, deal_id: str | None = None) -> Any:
    noted = [("crm_contact_id", crm_id), ("deal_id", deal_id)]
    body = {
        "id": number,
        "name": f"#{number}",
        "currency": "BRL",
        "total_price": "10.00",
        "financial_status": "paid",
        "created_at": "2026-11-20T13:00:00Z",
        "updated_at": "2026-11-20T13:00:00Z",
        "email": email,
        "note_attributes": [{"name": name, "value": value} for name, value in noted if value],
    }
    headers = {"x-shopify-topic": "orders/paid", "x-shopify-webhook-id": f"w{number}"}
    return signed("shopify", json.dumps(body).encode(), headers)


async def contact_of(house: House, number: int) -> str:
    (order,) = [one for one in await house.data("/v1/orders") if one["external_id"] == str(number)]
    contact: str = order["contact_id"]
    return contact


async def test_an_attacker_gets_nobodys_orders(house: House) -> None:
    attacker = (await house.call("PUT", "/v1/contacts/66", {"name": "Mallory"})).json()["id"]
    await house.call("PUT", "/v1/deals/D1", {"contact": "66"})
    source = await house.source("shopify")
    said = (await house.deliver(source, sale(1, "victim@example.com", "66", "D1"))).json()
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert row["notes"] == ["buyers_id_not_used"]
    assert (await house.get(f"/v1/orders/{said['orders'][0]}"))["deal_id"] is None
    await house.deliver(source, sale(2, "victim@example.com", None))
    assert await contact_of(house, 1) == await contact_of(house, 2) != attacker
    alerts = (await house.get("/v1/stats"))["alerts"]
    (alert,) = [one for one in alerts if one["code"] == "buyers_id_not_used"]
    assert alert["source_id"] == source and "buyers_ids=true" in alert["advice"]


async def test_with_the_option_it_counts_where_nothing_says_otherwise_and_teaches_nothing(house: House) -> None:
    known = (await house.call("PUT", "/v1/contacts/66", {"name": "Rita"})).json()["id"]
    ana = (await house.call("PUT", "/v1/contacts/67", {"emails": ["ana@example.com"]})).json()["id"]
    source = await house.source("shopify", options={"buyers_ids": True})
    await house.deliver(source, sale(1, "new@example.com", "66"))
    assert await contact_of(house, 1) == known
    assert [one["kind"] for one in (await house.get("/v1/contacts/66"))["identities"]] == ["crm"]
    await house.deliver(source, sale(2, "new@example.com", None))
    assert await contact_of(house, 2) != known
    await house.deliver(source, sale(3, "ana@example.com", "66"))  # the e-mail says otherwise
    assert await contact_of(house, 3) == ana
    await house.deliver(source, sale(4, "eva@example.com", "99"))  # nobody has this id
    (eva,) = await house.data("/v1/contacts?email=eva@example.com")
    assert (await contact_of(house, 4), eva["crm_id"]) == (eva["id"], None)
    assert not [one for one in (await house.get("/v1/stats"))["alerts"] if one["code"] == "buyers_id_not_used"]


async def test_an_order_on_hold_is_taken_up_for_the_id_that_a_buyer_wrote(house: House) -> None:
    source = await house.source("shopify", options={"buyers_ids": True}, unknown_contacts="hold")
    held = (await house.deliver(source, sale(1, "new@example.com", "66"))).json()
    assert held["outcome"] == "held"
    await house.call("PUT", "/v1/contacts/66", {"name": "Rita"})
    await house.service.held.sweep()
    assert [one["external_id"] for one in await house.data("/v1/contacts/66/orders")] == ["1"]


async def test_one_delivery_teaches_a_contact_a_few_identities(house: House) -> None:
    source = await house.source()
    contact = {"emails": [f"p{number}@example.com" for number in range(9)], "email": "ana@example.com"}
    said = (await house.deliver(source, order_event(contact=contact))).json()
    (found,) = await house.data("/v1/contacts?email=ana@example.com")
    assert len(found["identities"]) <= 5
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert ("identity_left_out" in row["notes"]) == (len(found["identities"]) == 5)
