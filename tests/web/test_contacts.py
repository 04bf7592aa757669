"""Contacts: found through any identity, taken over by the CRM, conflicts told; and orders that turn out to be one."""

import json

import pytest

from tests.house import House, order_event, signed

pytestmark = pytest.mark.anyio


async def test_the_crm_takes_over_a_contact_that_a_webhook_had_made(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event())
    (made,) = await house.data("/v1/contacts?email=ana@example.com")
    taken = await house.call("PUT", "/v1/contacts/42", {"name": "Ana S.", "phones": ["(11) 8765-4321"]})
    assert (taken.status_code, taken.json()["id"]) == (200, made["id"])
    (order,) = await house.data("/v1/contacts/42/orders")
    assert (order["contact_id"], order["crm_contact_id"]) == (made["id"], "42")
    again = await house.call("PUT", "/v1/contacts/42", {"owner_id": "7"})
    assert (again.json()["name"], again.json()["owner_id"]) == ("Ana S.", "7")


async def test_identities_that_point_to_two_contacts_are_told_and_never_merged(house: House) -> None:
    await house.call("PUT", "/v1/contacts/1", {"documents": ["529.982.247-25"]})
    await house.call("PUT", "/v1/contacts/2", {"emails": ["bia@example.com"]})
    source = await house.source()
    said = (
        await house.deliver(source, order_event(contact={"email": "bia@example.com", "document": "52998224725"}))
    ).json()
    order = await house.get(f"/v1/orders/{said['orders'][0]}")
    assert order["crm_contact_id"] == "1"  # a document is believed before an e-mail
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert row["notes"] == ["identity_conflict"]
    put = await house.call("PUT", "/v1/contacts/1", {"emails": ["bia@example.com"]})
    assert [one["value"] for one in put.json()["identity_conflicts"]] == ["bia@example.com"]


async def test_every_wrong_field_is_named(house: House) -> None:
    wrong = await house.call(
        "PUT", "/v1/contacts/1", {"emails": ["x"], "phones": ["1"], "documents": ["111.111.111-11"]}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert [one["field"] for one in wrong.json()["errors"]] == ["emails.0", "phones.0", "documents.0"]
    unknown = await house.call("PUT", "/v1/contacts/1", {"nmae": "x"})
    assert [one["field"] for one in unknown.json()["errors"]] == ["nmae"]


async def test_summary_is_computed_per_currency_without_test_orders(house: House) -> None:
    source = await house.source()
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"]})
    await house.deliver(source, order_event("1", value="100.00"))
    await house.deliver(source, order_event("2", value="50.00", refunds=[{"id": "r", "value": "20.00"}]))
    await house.deliver(source, order_event("3", value="30.00", status="pending"))
    await house.deliver(source, order_event("4", value="1500", currency="JPY"))
    await house.deliver(source, order_event("5", value="999.00", test=True))
    brl, jpy = (await house.get("/v1/contacts/1/summary"))["currencies"]
    assert (brl["orders"], brl["paid_orders"], brl["gross"], brl["refunded"], brl["net"], brl["open"]) == (
        3,
        2,
        "150.00",
        "20.00",
        "130.00",
        "30.00",
    )
    assert brl["average_order_value"] == "75.00"
    assert (jpy["gross"], jpy["net"]) == ("1500", "1500")


async def test_pages_go_by_key(house: House) -> None:
    source = await house.source()
    for number in range(5):
        await house.deliver(source, order_event(str(number), at=f"2026-11-20T13:00:0{number}Z"))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await house.get(f"/v1/orders?limit=2{cursor}")
        seen += [one["external_id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["4", "3", "2", "1", "0"]
    wrong = await house.call("GET", "/v1/orders?cursor=junk&limit=2")
    assert wrong.status_code == 422
    wrong = await house.call("GET", "/v1/orders?limit=0&status=nope")
    assert {one["field"] for one in wrong.json()["errors"]} == {"limit", "status"}


def stripe(kind: str, event: str, at: int, **thing: object) -> bytes:
    said = {
        "id": event,
        "object": "event",
        "type": kind,
        "created": at,
        "livemode": True,
        "data": {"object": thing},
    }
    return json.dumps(said).encode()


async def test_the_ids_of_one_sale_become_one_order_and_a_merged_id_answers_as_the_survivor(house: House) -> None:
    source = await house.source("stripe")

    async def deliver(body: bytes) -> dict[str, list[str]]:
        answer = await house.deliver(source, signed("stripe", body))
        assert answer.status_code == 200
        said: dict[str, list[str]] = answer.json()
        return said

    charge = {
        "id": "ch_1",
        "object": "charge",
        "amount": 2500,
        "amount_captured": 2500,
        "amount_refunded": 0,
        "captured": True,
        "paid": True,
        "refunded": False,
        "status": "succeeded",
        "currency": "brl",
        "created": 1795366800,
    }
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 2500,
        "amount_received": 2500,
        "currency": "brl",
        "status": "succeeded",
        "created": 1795366790,
    }
    first = await deliver(stripe("charge.succeeded", "evt_1", 1795366801, **charge))
    second = await deliver(stripe("payment_intent.succeeded", "evt_2", 1795366802, **intent))
    assert first["orders"] != second["orders"]  # nothing has said yet that they are one
    await deliver(stripe("charge.captured", "evt_3", 1795366803, **charge, payment_intent="pi_1"))
    (order,) = await house.data("/v1/orders")
    assert order["external_id"] == "pi_1"
    for old in (*first["orders"], *second["orders"]):
        assert (await house.get(f"/v1/orders/{old}"))["id"] == order["id"]
    assert len(await house.data(f"/v1/orders/{order['id']}/history")) == 3


async def test_retry_with_the_same_adapter_changes_nothing(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event())).json()
    before = await house.get(f"/v1/orders/{said['orders'][0]}")
    again = await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    assert await house.get(f"/v1/orders/{said['orders'][0]}") == before
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert (row["outcome"], row["attempts"]) == ("created", 2)


async def test_the_same_idempotency_key_gives_the_same_answer(house: House) -> None:
    body = {"name": "Rui", "role": "rep"}
    first = await house.call("POST", "/v1/members", body, **{"Idempotency-Key": "k"})
    again = await house.call("POST", "/v1/members", body, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.json()) == (201, first.json())
    other = await house.call("POST", "/v1/members", {"name": "Eva", "role": "rep"}, **{"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(await house.data("/v1/members")) == 2
