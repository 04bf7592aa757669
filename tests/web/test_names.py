"""Names stand beside ids, for whoever may see them: buyers, sources, owners, members."""

import pytest

from tests.house import House, order_event

pytestmark = pytest.mark.anyio

ANA = {"name": "Ana Souza", "email": "ana@example.com"}


async def test_orders_history_contacts_and_deals_have_names(house: House) -> None:
    source = await house.source(name="Our shop")
    await house.call("POST", "/v1/members", {"name": "Rita Rep", "role": "rep", "id": "r1"})
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"], "owner_id": "r1"})
    await house.call("PUT", "/v1/deals/D1", {"contact": "1", "owner_id": "r1"})
    await house.deliver(source, order_event("a", contact=ANA))
    await house.deliver(source, order_event("b", contact={"name": "Nobody Known"}))
    found = {one["external_id"]: one for one in await house.data("/v1/orders")}
    names = [(one["buyer"], one["source_name"], one["owner_name"]) for one in (found["a"], found["b"])]
    assert names == [("Ana Souza", "Our shop", "Rita Rep"), ("Nobody Known", "Our shop", None)]
    assert (await house.get(f"/v1/orders/{found['b']['id']}"))["buyer"] == "Nobody Known"
    rep = await house.token_of(
        "manager", (await house.call("POST", "/v1/members", {"name": "Max", "role": "manager"})).json()["id"]
    )
    await house.call("PATCH", f"/v1/orders/{found['a']['id']}", {"title": "Shoes"}, token=rep)
    told = await house.data(f"/v1/orders/{found['a']['id']}/history")
    assert [one["member_name"] for one in told] == [None, "Max"]
    assert (await house.get("/v1/contacts/1"))["owner_name"] == "Rita Rep"
    assert (await house.get("/v1/deals/D1"))["owner_name"] == "Rita Rep"


async def test_the_log_says_what_a_delivery_told_of_to_whoever_may_see_it(house: House) -> None:
    source = await house.source(name="Our shop")
    first = (await house.deliver(source, order_event("a", contact=ANA))).json()["orders"]
    second = (await house.deliver(source, order_event("b", contact=ANA))).json()["orders"]
    await house.call("POST", f"/v1/orders/{second[0]}/merge", {"into": first[0]})
    for role in ("manager", "integrator", "ops"):
        token = await house.token_of(role)
        rows = (await house.get("/v1/deliveries", token=token))["data"]
        assert [one["source_name"] for one in rows] == ["Our shop", "Our shop"]
        shown = {
            "order_id": first[0],
            "title": "#1001 · Running shoes",
            "buyer": "Ana Souza",
            "value": "398.00",
            "currency": "BRL",
        }
        assert [one["about"] for one in rows] == [[] if role == "ops" else [shown]] * 2
        one = await house.get(f"/v1/deliveries/{rows[0]['id']}", token=token)
        assert one["about"] == rows[0]["about"]
        if role == "ops":
            assert "Ana" not in str(rows)


async def test_a_rep_sees_the_names_of_the_own_contacts_alone(house: House) -> None:
    source = await house.source()
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    await house.call("POST", "/v1/members", {"name": "Rita Rep", "role": "rep", "id": "r1"})
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"], "owner_id": "r1"})
    await house.call("PUT", "/v1/contacts/2", {"name": "Bia Secret", "emails": ["bia@example.com"]})
    await house.call("PUT", "/v1/deals/D1", {"contact": "1", "owner_id": "r1"})
    await house.deliver(source, order_event("a", contact=ANA))
    await house.deliver(
        source, order_event("b", contact={"name": "Bia Secret", "email": "bia@example.com"}, deal_id="D1")
    )
    await house.deliver(source, order_event("n", contact={"name": "Noah Secret"}, deal_id="D1"))
    rows = (await house.get("/v1/orders", token=await house.token_of("rep", "r1")))["data"]
    assert {one["external_id"]: one["buyer"] for one in rows} == {"a": "Ana Souza", "b": None, "n": None}
    assert "Secret" not in str(rows)


async def test_proofs_tokens_and_possible_duplicates_have_names(house: House) -> None:
    source = await house.source(name="Our shop")
    await house.deliver(source, order_event("a", contact={**ANA, "phone": "+55 11 3333-4444"}))
    await house.deliver(
        source, order_event("b", contact={"name": "Bruno", "email": "b@example.com", "phone": "+55 11 3333-4444"})
    )
    (pair,) = await house.data("/v1/possible-duplicates")
    assert (pair["told_by"], pair["told_by_name"]) == (source, "Our shop")
    (token,) = await house.data("/v1/tokens")
    assert (await house.call("DELETE", f"/v1/contacts/{pair['contact']['id']}")).status_code == 200
    (proof,) = await house.data("/v1/privacy/proofs")
    names = {one["id"]: one["name"] for one in await house.data("/v1/members")}
    assert proof["member_name"] == token["member_name"] == names[token["member_id"]]
