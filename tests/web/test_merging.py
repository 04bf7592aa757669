"""Merging contacts: everything moves along, the old ids answer as the survivor, and undoing it brings exactly that back."""

import asyncio
from typing import Any

import pytest

from tests.house import House, eventually, order_event

pytestmark = pytest.mark.anyio


async def contact(house: House, crm_id: str, **given: Any) -> str:
    made = await house.call("PUT", f"/v1/contacts/{crm_id}", given)
    assert made.status_code in (200, 201), made.text
    contact_id: str = made.json()["id"]
    return contact_id


async def merge(house: House, one: str, into: str) -> Any:
    done = await house.call("POST", f"/v1/contacts/{one}/merge", {"into": into})
    assert done.status_code == 200, done.text
    return done.json()


async def unmerge(house: House, one: str) -> Any:
    done = await house.call("POST", f"/v1/contacts/{one}/unmerge")
    assert done.status_code == 200, done.text
    return done.json()


async def refused(house: House, one: str, into: str, word: str) -> None:
    answer = await house.call("POST", f"/v1/contacts/{one}/merge", {"into": into})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert word in answer.json()["detail"]


async def orders_of(house: House, contact: str) -> set[str]:
    return {order["external_id"] for order in await house.data(f"/v1/contacts/{contact}/orders")}


ANA, BIA = {"email": "ana@example.com"}, {"email": "bia@example.com"}


async def test_everything_moves_and_both_old_ids_answer_as_the_survivor(house: House) -> None:
    source = await house.source()
    ana = await contact(house, "1", emails=["ana@example.com"], phones=["(11) 98765-4321"])
    bia = await contact(house, "2", emails=["bia@example.com"], name="Bia")
    await house.deliver(source, order_event("a", contact=ANA))
    await house.deliver(source, order_event("b", contact=BIA))
    await house.call("POST", "/v1/orders", {"contact": "1", "title": "By hand", "value": "1.00", "external_id": "m"})
    await house.call("PUT", "/v1/deals/D1", {"contact": "1"})
    done = await merge(house, "1", "2")
    assert (done["contact_id"], done["survivor_id"]) == (ana, bia)
    assert done["moved"] == {"orders": 2, "identities": 3, "deals": 1}
    for word in (ana, "1", bia, "2"):
        assert (await house.get(f"/v1/contacts/{word}"))["id"] == bia
        assert await orders_of(house, word) == {"a", "b", "m"}
    for query in ("crm_id=1", "email=ana@example.com", "phone=%2B5511987654321"):
        assert [one["id"] for one in await house.data(f"/v1/contacts?{query}")] == [bia]
    assert (await house.get("/v1/deals/D1"))["contact_id"] == bia
    assert {order["crm_contact_id"] for order in await house.data("/v1/contacts/2/orders")} == {"2"}
    # The CRM may go on writing under the old id: it is the survivor that is changed, and keeps its own id.
    put = await house.call("PUT", "/v1/contacts/1", {"owner_id": "7"})
    assert (put.status_code, put.json()["id"], put.json()["crm_id"], put.json()["owner_id"]) == (200, bia, "2", "7")


async def test_what_comes_later_lands_on_the_survivor_and_after_the_undoing_on_who_it_is(house: House) -> None:
    source = await house.source()
    ana, bia = await contact(house, "1", emails=["ana@example.com"]), await contact(house, "2", name="Bia")
    made = await house.call(
        "POST", "/v1/orders", {"contact": "1", "title": "By hand", "value": "1.00", "external_id": "m"}
    )
    await house.deliver(source, order_event("a", contact=ANA))
    await house.deliver(source, order_event("n", contact=ANA))
    await merge(house, "1", "2")
    await house.deliver(source, order_event("a", contact=ANA, status="refunded", at="2026-11-20T14:00:00Z"))
    await house.deliver(source, order_event("later", contact=ANA))
    await house.call("PATCH", f"/v1/orders/{made.json()['id']}", {"status": "paid"})  # its history names contact 1
    assert await orders_of(house, bia) == {"a", "n", "later", "m"}
    done = await unmerge(house, "1")
    assert (done["contact"]["id"], done["survivor_id"], done["moved"]["orders"]) == (ana, bia, 3)
    assert (await orders_of(house, "1"), await orders_of(house, "2")) == ({"a", "n", "m"}, {"later"})
    await house.deliver(source, order_event("new", contact=ANA))
    await house.deliver(source, order_event("n", contact=None, status="canceled", at="2026-11-20T15:00:00Z"))
    await house.call("PATCH", f"/v1/orders/{made.json()['id']}", {"status": "refunded"})
    assert await orders_of(house, "1") == {"a", "n", "m", "new"}
    assert (await house.get("/v1/contacts/1"))["id"] == ana


async def test_chains_merge_and_come_apart_in_any_order(house: House) -> None:
    source = await house.source()
    for number, name in enumerate(("ana", "bia", "eva"), start=1):
        await contact(house, str(number), emails=[f"{name}@example.com"])
        await house.deliver(source, order_event(name, contact={"email": f"{name}@example.com"}))
    await merge(house, "1", "2")
    await merge(house, "2", "3")
    assert await orders_of(house, "1") == {"ana", "bia", "eva"}
    await unmerge(house, "1")  # the first link, while the second holds
    assert (await orders_of(house, "1"), await orders_of(house, "2")) == ({"ana"}, {"bia", "eva"})
    assert await orders_of(house, "3") == {"bia", "eva"}
    await merge(house, "1", "2")  # 2 answers as 3
    assert await orders_of(house, "3") == {"ana", "bia", "eva"}
    await unmerge(house, "2")
    assert (await orders_of(house, "2"), await orders_of(house, "3")) == ({"bia"}, {"ana", "eva"})
    assert (await house.get("/v1/contacts/1"))["crm_id"] == "3"
    await unmerge(house, "1")
    for number, name in enumerate(("ana", "bia", "eva"), start=1):
        assert await orders_of(house, str(number)) == {name}
        assert [one["value"] for one in (await house.get(f"/v1/contacts/{number}"))["identities"]] == [
            str(number),
            f"{name}@example.com",
        ]


async def test_itself_and_rings_are_refused(house: House) -> None:
    ana, bia = await contact(house, "1"), await contact(house, "2")
    await contact(house, "3")
    await refused(house, "1", ana, "itself")
    await merge(house, "1", "2")
    await refused(house, bia, ana, "ring")
    await refused(house, "1", "3", "already")
    again = await merge(house, ana, bia)  # the same again, as after a lost answer
    assert again["moved"] == {"orders": 0, "identities": 0, "deals": 0}
    for one, into, status, code in (("none", "1", 404, "not_found"), ("1", "none", 422, "contact_not_found")):
        answer = await house.call("POST", f"/v1/contacts/{one}/merge", {"into": into})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    answer = await house.call("POST", "/v1/contacts/2/unmerge")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_survivor_takes_over_what_it_lacks_and_gives_it_back(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("b", contact=BIA))
    (made,) = await house.data("/v1/contacts?email=bia@example.com")
    await contact(house, "1", name="Ana", owner_id="7")
    await merge(house, "1", made["id"])
    found = await house.get(f"/v1/contacts/{made['id']}")
    assert (found["crm_id"], found["name"], found["owner_id"]) == ("1", "Ana", "7")
    assert (await house.data("/v1/orders"))[0]["crm_contact_id"] == "1"
    await house.call("PUT", "/v1/contacts/1", {"name": "Bia"})  # came later, and stays
    await unmerge(house, "1")
    found = await house.get(f"/v1/contacts/{made['id']}")
    assert (found["crm_id"], found["name"], found["owner_id"]) == (None, "Bia", None)
    found = await house.get("/v1/contacts/1")
    assert (found["crm_id"], found["name"], found["owner_id"]) == ("1", "Ana", "7")


async def test_an_order_that_a_member_has_set_since_stays_where_they_set_it(house: House) -> None:
    await contact(house, "1")
    await contact(house, "2")
    made = (await house.call("POST", "/v1/orders", {"contact": "1", "title": "T", "value": "1.00"})).json()
    await merge(house, "1", "2")
    await house.call("PATCH", f"/v1/orders/{made['id']}", {"contact": "2"})
    await unmerge(house, "1")
    assert (await house.get(f"/v1/orders/{made['id']}"))["crm_contact_id"] == "2"


async def test_held_deliveries_are_taken_up_for_the_survivor(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    held = (await house.deliver(source, order_event("h", contact=ANA))).json()
    assert held["outcome"] == "held"
    await contact(house, "2")
    await contact(house, "1")
    await merge(house, "1", "2")
    await contact(house, "1", emails=["ana@example.com"])  # the old id answers as the survivor
    await eventually(
        lambda: house.get(f"/v1/deliveries/{held['delivery_id']}"), lambda row: row["outcome"] == "created"
    )
    assert await orders_of(house, "2") == {"h"}


async def test_two_merges_at_once_and_deliveries_beside_them(house: House) -> None:
    source = await house.source()
    numbers = range(8)
    for number in numbers:
        await contact(house, str(number), emails=[f"p{number}@example.com"])

    async def order(number: int, name: str) -> None:
        said = await house.deliver(source, order_event(name, contact={"email": f"p{number}@example.com"}))
        assert said.json()["outcome"] == "created"

    async def both_ways(one: int, other: int) -> list[int]:
        answers = await asyncio.gather(
            house.call("POST", f"/v1/contacts/{one}/merge", {"into": str(other)}),
            house.call("POST", f"/v1/contacts/{other}/merge", {"into": str(one)}),
        )
        return sorted(answer.status_code for answer in answers)

    results = await asyncio.gather(
        *(both_ways(number, number + 1) for number in range(0, 8, 2)),
        *(order(number, f"o{number}-{nth}") for nth in range(5) for number in numbers),
    )
    assert results[:4] == [[200, 409]] * 4  # one way each; the other would be a ring
    for number in range(0, 8, 2):
        both = await house.get(f"/v1/contacts/{number}"), await house.get(f"/v1/contacts/{number + 1}")
        assert both[0]["id"] == both[1]["id"]
        assert len(await orders_of(house, str(number))) == 10
    assert len({order["contact_id"] for order in await house.data("/v1/orders?limit=200")}) == 4
