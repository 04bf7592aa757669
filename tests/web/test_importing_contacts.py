"""Files of contacts that come in over HTTP, and what they find: contacts of webhooks, erased ones, merged ones."""

import pytest

from tests.house import House, order_event
from tests.web.transfer import ROW, counts, exported, reasons, send, send_text, state

pytestmark = pytest.mark.anyio


async def test_contacts_come_in_and_take_over_those_of_webhooks(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("1001"))
    rows = [
        {"crm_id": "42", "name": "Ana S.", "emails": ["ana@example.com", "ana@work.example"], "owner_id": "mem_1"},
        {"crm_id": "43", "emails": "bia@example.com | bia2@example.com", "document": "529.982.247-25"},
        {"name": "Nobody"},
        {"crm_id": "44", "emails": ["ana@example.com"]},
        {"crm_id": "45", "phones": ["123"]},
    ]
    told = await send(house, rows, to="contacts")
    assert counts(told) == (3, 1, 0, 1) and reasons(told) == [(3, None)]
    assert [(one["line"], one["field"]) for one in told["notes"]] == [(5, "phones"), (4, "email")]
    (order,) = await house.data("/v1/orders")
    assert order["crm_contact_id"] == "42"
    assert (await house.get("/v1/contacts/42"))["name"] == "Ana S."
    assert (await house.data("/v1/contacts?email=bia2@example.com"))[0]["crm_id"] == "43"
    before = await exported(house, "contacts.jsonl")
    assert counts(await send(house, rows, to="contacts")) == (0, 0, 4, 1)
    assert await exported(house, "contacts.jsonl") == before


async def test_an_old_file_of_contacts_fills_gaps_only(house: House) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana", "emails": ["ana@example.com"]})
    row = {"crm_id": "42", "name": "Older", "owner_id": "mem_1", "updated_at": "2020-01-01"}
    assert counts(await send(house, [row], to="contacts")) == (0, 1, 0, 0)
    ana = await house.get("/v1/contacts/42")
    assert (ana["name"], ana["owner_id"]) == ("Ana", "mem_1")
    assert counts(await send(house, [{**row, "updated_at": None}], to="contacts")) == (0, 1, 0, 0)
    assert (await house.get("/v1/contacts/42"))["name"] == "Older"


async def test_an_erased_person_is_not_brought_back(house: House) -> None:
    await send(house, [ROW])
    assert (await house.call("DELETE", "/v1/contacts/42")).status_code in (200, 204)
    await send(
        house,
        [
            {
                **ROW,
                "external_id": "B-1",
                "crm_contact_id": "43",
                "contact_email": "b@example.com",
                "contact_phone": None,
            }
        ],
    )
    before = await state(house)
    told = await send(house, [{**ROW, "external_id": "A-2"}, ROW, {**ROW, "external_id": "B-2", "contact_phone": None}])
    assert counts(told) == (0, 0, 1, 2) and reasons(told) == [(1, "contact"), (3, "contact")]
    told = await send(house, [{"crm_id": "42", "name": "Ana"}, {"emails": ["ana@example.com"]}], to="contacts")
    assert counts(told) == (0, 0, 0, 2)
    assert counts(await send_text(house, await exported(house, "orders.csv"))) == (0, 0, 2, 0)
    assert await state(house) == before
    assert "ana@" not in str(before).lower()


async def test_merged_contacts_answer_in_files_under_their_old_ids(house: House) -> None:
    for crm_id in ("1", "2"):
        await house.call("PUT", f"/v1/contacts/{crm_id}", {"emails": [f"{crm_id}@example.com"]})
    old = (await house.get("/v1/contacts/2"))["id"]
    assert (await house.call("POST", "/v1/contacts/2/merge", {"into": "1"})).status_code == 200
    one = (await house.get("/v1/contacts/1"))["id"]
    bare = {"value": "1.00", "ordered_at": "2026-01-01"}
    rows = [{**bare, "external_id": "a", "contact_id": old}, {**bare, "external_id": "b", "crm_contact_id": "2"}]
    assert counts(await send(house, rows)) == (2, 0, 0, 0)
    assert {order["contact_id"] for order in await house.data("/v1/orders")} == {one}
    told = await send(house, [{"crm_id": "2", "name": "Two"}, {"id": old, "phones": ["+5511987654321"]}], to="contacts")
    assert counts(told) == (0, 2, 0, 0)
    found = await house.get("/v1/contacts/1")
    assert (found["id"], found["crm_id"], found["name"]) == (one, "1", "Two")
