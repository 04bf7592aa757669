"""Taking contacts apart: split, kept apart, proposed; and the list of possible duplicates."""

import pytest

from tests.house import House, order_event
from tests.web.test_merging import contact, merge, orders_of

pytestmark = pytest.mark.anyio

LANDLINE = "+551133334444"
ANA = {"name": "Ana Prado", "email": "ana@example.com", "phone": LANDLINE}
BRUNO = {"name": "Bruno Lima", "email": "bruno@example.com", "phone": LANDLINE}


async def glued(house: House, source: str) -> str:
    """A contact with the orders of two people, as a member put it together."""
    await house.deliver(source, order_event("a1", contact=ANA))
    await house.deliver(source, order_event("b1", contact=BRUNO))
    (ana,) = await house.data("/v1/contacts?email=ana@example.com")
    (bruno,) = await house.data("/v1/contacts?email=bruno@example.com")
    await merge(house, bruno["id"], ana["id"])
    kept: str = ana["id"]
    return kept


async def test_identities_split_off_take_their_orders_and_later_ones_follow(house: House) -> None:
    source = await house.source()
    ana = await glued(house, source)
    done = await house.call(
        "POST", f"/v1/contacts/{ana}/split", {"identities": [{"kind": "email", "value": "Bruno@example.com"}]}
    )
    assert done.status_code == 200, done.text
    told = done.json()
    bruno = told["split_off"]
    assert (told["moved"], bruno["name"], told["contact"]["id"]) == ({"orders": 1, "identities": 1}, "Bruno Lima", ana)
    assert {(one["kind"], one["value"]) for one in bruno["identities"]} == {
        ("email", "bruno@example.com"),
        ("phone", LANDLINE),
    }
    await house.deliver(source, order_event("b2", contact=BRUNO))
    await house.deliver(source, order_event("b1", contact=BRUNO, status="refunded", at="2026-11-21T13:00:00Z"))
    await house.deliver(source, order_event("a2", contact=ANA))
    assert (await orders_of(house, ana), await orders_of(house, bruno["id"])) == ({"a1", "a2"}, {"b1", "b2"})
    assert await house.data("/v1/possible-duplicates") == []  # a member has said so
    await merge(house, bruno["id"], ana)
    assert await orders_of(house, ana) == {"a1", "a2", "b1", "b2"}


async def test_orders_split_off_stay_so(house: House) -> None:
    source = await house.source()
    ana = await glued(house, source)
    (order,) = [one for one in await house.data("/v1/orders") if one["external_id"] == "b1"]
    done = await house.call("POST", f"/v1/contacts/{ana}/split", {"orders": [order["id"]]})
    assert done.status_code == 200, done.text
    bruno = done.json()["split_off"]["id"]
    await house.deliver(source, order_event("b1", contact=BRUNO, status="refunded", at="2026-11-21T13:00:00Z"))
    await house.deliver(source, order_event("b2", contact=BRUNO))
    assert (await orders_of(house, ana), await orders_of(house, bruno)) == ({"a1"}, {"b1", "b2"})


async def test_a_split_that_makes_no_sense_is_refused(house: House) -> None:
    source = await house.source()
    ana = await glued(house, source)
    for body in (
        {},
        {"identities": [{"kind": "email", "value": "eva@example.com"}]},
        {"orders": ["ord_0"]},
    ):
        answer = await house.call("POST", f"/v1/contacts/{ana}/split", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), body
    wrong = await house.call("POST", f"/v1/contacts/{ana}/split", {"identities": [{"kind": "email", "value": "x"}]})
    assert wrong.status_code == 422


async def test_no_delivery_joins_whom_a_member_keeps_apart(house: House) -> None:
    source = await house.source()
    await contact(house, "1", emails=["ana@example.com"])
    await house.deliver(source, order_event("p", contact={"phone": LANDLINE}))
    (other,) = [one for one in await house.data(f"/v1/contacts?phone={LANDLINE.replace('+', '%2B')}")]
    apart = await house.call("POST", "/v1/contacts/1/keep-apart", {"other": other["id"]})
    assert apart.status_code == 200, apart.text
    await house.deliver(source, order_event("both", contact={"email": "ana@example.com", "phone": LANDLINE}))
    assert (await orders_of(house, "1"), await orders_of(house, other["id"])) == ({"both"}, {"p"})
    assert await house.data("/v1/possible-duplicates") == []


async def test_what_evidence_joined_is_undone_for_good(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("e", contact={"email": "ana@example.com"}))
    await house.deliver(source, order_event("p", contact={"phone": LANDLINE}))
    await house.deliver(source, order_event("both", contact={"email": "ana@example.com", "phone": LANDLINE}))
    (joined,) = {one["contact_id"] for one in await house.data("/v1/orders")}
    (gone,) = [one for one in await house.data("/v1/contacts?q=nobody")] or [None]
    assert gone is None
    export = await house.get(f"/v1/contacts/{joined}/export")
    (merged,) = export["merged"]
    undone = await house.call("POST", f"/v1/contacts/{merged['id']}/unmerge")
    assert undone.status_code == 200, undone.text
    await house.deliver(source, order_event("again", contact={"email": "ana@example.com", "phone": LANDLINE}))
    assert len({one["contact_id"] for one in await house.data("/v1/orders")}) == 2


async def test_possible_duplicates_say_what_speaks_for_and_against(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("a1", contact=ANA))
    said = (await house.deliver(source, order_event("b1", contact=BRUNO))).json()
    assert (await house.get(f"/v1/deliveries/{said['delivery_id']}"))["notes"] == ["identity_conflict"]
    await house.deliver(source, order_event("a2", contact=ANA))  # told again: still one pair
    (pair,) = await house.data("/v1/possible-duplicates")
    assert {pair["contact"]["name"], pair["other"]["name"]} == {"Ana Prado", "Bruno Lima"}
    assert (pair["shared"]["kind"], pair["against"], pair["told_by"]) == ("phone", ["email"], source)
    await house.call("POST", f"/v1/contacts/{pair['contact']['id']}/keep-apart", {"other": pair["other"]["id"]})
    assert await house.data("/v1/possible-duplicates") == await house.data("/v1/identity-conflicts") == []


async def test_what_was_glued_is_proposed_to_be_taken_apart(house: House) -> None:
    source = await house.source()
    for number in range(3):
        await house.deliver(source, order_event(f"a{number}", contact=ANA))
    await house.deliver(source, order_event("b", contact=BRUNO))
    orders = {one["external_id"]: one for one in await house.data("/v1/orders")}
    assert await house.data("/v1/split-proposals") == []
    # As an older version had it: one contact for one landline.
    store = house.service.store
    ana, bruno = orders["a0"]["contact_id"], orders["b"]["contact_id"]

    def plan():  # type: ignore[no-untyped-def]
        from app.db.statements import Sql

        for table in ("orders", "history"):
            yield Sql(f"UPDATE {table} SET contact_id = :ana WHERE contact_id = :bruno", ana=ana, bruno=bruno)
        yield Sql("DELETE FROM identities WHERE contact_id = :bruno AND kind = 'phone'", bruno=bruno)
        yield Sql("UPDATE identities SET contact_id = :ana WHERE contact_id = :bruno", ana=ana, bruno=bruno)
        yield Sql("DELETE FROM contacts WHERE id = :bruno", bruno=bruno)

    await store.commit(plan)
    (found,) = await house.data("/v1/split-proposals")
    stays, goes = found["parts"]
    assert (found["contact"]["id"], stays["stays"], goes["stays"]) == (ana, True, False)
    assert (len(stays["orders"]), goes["orders"], goes["name"]) == (3, [orders["b"]["id"]], "Bruno Lima")
    done = await house.call("POST", f"/v1/contacts/{ana}/split", {"orders": goes["orders"]})
    assert done.json()["moved"] == {"orders": 1, "identities": 1}
    assert await house.data("/v1/split-proposals") == []


async def test_people_are_found_by_part_of_their_name(house: House) -> None:
    await contact(house, "1", name="Ana Prado")
    await contact(house, "2", name="100%_Bruno")
    assert [one["crm_id"] for one in await house.data("/v1/contacts?q=PRA")] == ["1"]
    assert [one["crm_id"] for one in await house.data("/v1/contacts?q=%25_b")] == ["2"]
    await contact(house, "3", name="José Élio da Conceição")
    for typed in ("jose", "JOSÉ", "concei\u0063\u0327a\u0303o", "ELIO"):
        assert [one["crm_id"] for one in await house.data(f"/v1/contacts?q={typed}")] == ["3"], typed
    assert await house.data("/v1/contacts?q=nobody") == []


async def test_people_are_found_by_whatever_is_known_of_them(house: House) -> None:
    source = await house.source()
    await contact(house, "1", name="Ana Prado", emails=["ana@example.com"], documents=["529.982.247-25"])
    await contact(house, "2", name="Bruno 1 Lima", owner_id="r1", phones=["(11) 98765-4321"])
    await house.deliver(source, order_event("9000001", contact={"email": "ana@example.com"}, title="#4711 · Shoes"))
    for text, found in (
        ("1", ["1"]),
        ("ana@EXAMPLE.com", ["1"]),
        ("52998224725", ["1"]),
        ("9000001", ["1"]),
        ("#4711", ["1"]),
        ("4711", ["1"]),
        ("471", []),
        ("(11) 98765-4321", ["2"]),
        ("runo 1", ["2"]),
        ("x", []),
    ):
        rows = (
            await house.client.get(
                "/v1/contacts", params={"q": text}, headers={"Authorization": f"Bearer {house.token}"}
            )
        ).json()
        assert [one["crm_id"] for one in rows["data"]] == found, text
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "r1"})
    mine = await house.token_of("rep", "r1")
    for text, count in (("9000001", 0), ("4711", 0), ("ana@example.com", 0), ("1", 0), ("bruno", 1)):
        assert len((await house.get(f"/v1/contacts?q={text}", token=mine))["data"]) == count, text
