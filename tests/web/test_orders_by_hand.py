"""Orders that members and other systems write: made, edited, and every question people really have answered."""

import asyncio
from typing import Any

import pytest

from app.base import clock
from tests.house import House, order_event

pytestmark = pytest.mark.anyio

ORDER = {"contact": "42", "title": "Consulting", "value": "1500.00"}


async def ana(house: House, crm_id: str = "42", **given: Any) -> str:
    made = await house.call("PUT", f"/v1/contacts/{crm_id}", given or {"name": "Ana", "emails": ["ana@example.com"]})
    contact_id: str = made.json()["id"]
    return contact_id


async def made(house: House, **given: Any) -> dict[str, Any]:
    answer = await house.call("POST", "/v1/orders", ORDER | given)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def test_an_order_written_by_hand(house: House) -> None:
    contact_id = await ana(house)
    order = await made(
        house,
        status="paid",
        ordered_at="2026-11-20T10:00:00-03:00",
        url="https://example.com/p/1",
        items=[{"title": "An hour", "quantity": 2.5, "unit_value": "600.00", "sku": "H"}],
    )
    assert order["contact_id"] == contact_id
    shown = {
        name: order[name]
        for name in ("crm_contact_id", "value", "paid_value", "refunded_value", "currency", "status", "origin")
    }
    assert shown == {
        "crm_contact_id": "42",
        "value": "1500.00",
        "paid_value": "1500.00",
        "refunded_value": "0.00",
        "currency": "BRL",
        "status": "paid",
        "origin": "manual",
    }
    assert (order["ordered_at"], order["paid_at"]) == ("2026-11-20T13:00:00Z", "2026-11-20T13:00:00Z")
    assert order["items"] == [{"title": "An hour", "quantity": "2.5", "unit_value": "600.00", "sku": "H"}]
    assert (order["source_id"], order["source_status"], order["test"]) == (None, None, False)
    assert await house.data("/v1/contacts/42/orders") == [order]
    (currency,) = (await house.get("/v1/contacts/42/summary"))["currencies"]
    assert (currency["gross"], currency["average_order_value"]) == ("1500.00", "1500.00")


async def test_the_same_external_id_is_the_same_order(house: House) -> None:
    await ana(house)
    order = await made(house, external_id="P-1", origin="payments")
    same = ORDER | {"external_id": "P-1", "origin": "payments"}
    again = await house.call("POST", "/v1/orders", same)
    assert (again.status_code, again.json()) == (200, order)
    for otherwise, fields in (
        ({"title": "X"}, ["title"]),
        ({"value": "1.00", "status": "canceled"}, ["status", "value"]),
        ({"currency": "USD"}, ["currency"]),
        ({"items": [{"title": "Y"}]}, ["items"]),
        ({"ordered_at": "2020-01-01"}, ["ordered_at"]),
    ):
        answer = await house.call("POST", "/v1/orders", same | otherwise)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "conflict"), otherwise
        assert [one["field"] for one in problem["errors"]] == fields, problem
    await house.call("PUT", "/v1/contacts/43", {"name": "Bia"})
    answer = await house.call("POST", "/v1/orders", same | {"contact": "43"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "contact")
    await house.call("PATCH", f"/v1/orders/{order['id']}", {"title": "Edited", "status": "canceled"})
    for said in (same, same | {"title": "Edited", "status": "canceled"}):  # the first request again, and as it is now
        assert (await house.call("POST", "/v1/orders", said)).status_code == 200, said
    other = await made(house, external_id="P-1", origin="api")
    assert other["id"] != order["id"]
    many = await asyncio.gather(
        *(house.call("POST", "/v1/orders", ORDER | {"external_id": "P-2", "origin": "api"}) for _ in range(8))
    )
    assert sorted(one.status_code for one in many) == [200] * 7 + [201]
    assert len({one.json()["id"] for one in many}) == 1


async def test_an_idempotency_key_answers_the_same_again(house: House) -> None:
    await ana(house)
    first = await house.call("POST", "/v1/orders", ORDER, **{"Idempotency-Key": "k1"})
    again = await house.call("POST", "/v1/orders", ORDER, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(await house.data("/v1/orders")) == 1


async def test_edits_are_in_the_history_with_who_made_them(house: House) -> None:
    await ana(house)
    await ana(house, "43", name="Bia")
    member = (await house.call("POST", "/v1/members", {"name": "Max", "role": "manager"})).json()["id"]
    token = await house.token_of("manager", member)
    order = await made(house, url="https://example.com/1")
    path = f"/v1/orders/{order['id']}"
    changed = (
        await house.call(
            "PATCH",
            path,
            {"title": "Training", "status": "paid", "value": "20.5", "url": None, "contact": "43"},
            token=token,
        )
    ).json()
    assert {name: changed[name] for name in ("title", "status", "value", "url", "crm_contact_id")} == {
        "title": "Training",
        "status": "paid",
        "value": "20.50",
        "url": None,
        "crm_contact_id": "43",
    }
    assert changed["paid_at"] is not None
    history = (await house.get(f"{path}/history"))["data"]
    assert [entry["member_id"] for entry in history][1:] == [member]
    assert history[1]["said"] == {
        "contact_id": changed["contact_id"],
        "title": "Training",
        "value": "20.50",
        "currency": "BRL",
        "status": "paid",
        "paid_at": changed["paid_at"],
        "url": None,
    }
    back = (await house.call("PATCH", path, {"refunded_value": "5.00"})).json()
    assert (back["status"], back["refunded_value"]) == ("paid", "5.00")
    back = (await house.call("PATCH", path, {"refunded_value": "20.50"})).json()
    assert (back["status"], back["refunded_value"]) == ("refunded", "20.50")
    back = (await house.call("PATCH", path, {"refunded_value": "0.00"})).json()
    assert (back["status"], back["refunded_value"]) == ("paid", "0.00")
    yen = (await house.call("PATCH", path, {"value": "1500", "currency": "JPY"})).json()
    assert (yen["value"], yen["currency"]) == ("1500", "JPY")


async def test_what_a_member_set_stays_when_the_next_webhook_comes(house: House) -> None:
    source = await house.source()
    (order_id,) = (await house.deliver(source, order_event(status="pending"))).json()["orders"]
    await ana(house, "7", name="Clara")
    await house.call("PUT", "/v1/deals/D1", {"contact": "7", "title": "Shoes"})
    path = f"/v1/orders/{order_id}"
    changed = await house.call("PATCH", path, {"title": "Ours", "contact": "7", "deal_id": "D1", "status": "overdue"})
    assert changed.status_code == 200, changed.text
    said = await house.deliver(source, order_event(status="paid", at=clock.iso(clock.now()), title="Theirs"))
    assert said.json()["outcome"] == "updated"
    order = await house.get(path)
    assert (order["title"], order["crm_contact_id"], order["deal_id"]) == ("Ours", "7", "D1")
    assert (order["status"], order["value"]) == ("paid", "398.00")


async def test_a_members_refund_is_a_checkpoint_among_those_of_the_source(house: House) -> None:
    source = await house.source()
    refunds = [{"id": "r1", "value": "100.00"}]
    (order_id,) = (await house.deliver(source, order_event(refunds=refunds))).json()["orders"]
    path = f"/v1/orders/{order_id}"
    for total in ("40.00", "120.00"):  # below what was itemised as well: it is an entry of its time
        assert (await house.call("PATCH", path, {"refunded_value": total})).json()["refunded_value"] == total
    refunds.append({"id": "r2", "value": "30.00"})
    await house.deliver(source, order_event(status=None, at=clock.iso(clock.now()), refunds=refunds))
    order = await house.get(path)
    assert (order["status"], order["paid_value"], order["refunded_value"]) == ("paid", "398.00", "150.00")


WRONG = [
    ({"contact": "nobody"}, "contact_not_found", "contact"),
    ({"value": "10.001"}, "invalid", "value"),
    ({"value": 10}, "invalid", "value"),
    ({"value": "-1.00"}, "invalid", "value"),
    ({"value": "1e5"}, "invalid", "value"),
    ({"value": "10.50", "currency": "JPY"}, "invalid", "value"),
    ({"currency": "REAL"}, "invalid", "currency"),
    ({"currency": "BLR"}, "invalid", "currency"),
    ({"status": "done"}, "invalid", "status"),
    ({"ordered_at": "yesterday"}, "invalid", "ordered_at"),
    ({"ordered_at": "0001-01-01T00:00:00+14:00"}, "invalid", "ordered_at"),
    ({"paid_at": 5}, "invalid", "paid_at"),
    ({"deal_id": "D9"}, "invalid", "deal_id"),
    ({"origin": "commerce"}, "invalid", "origin"),
    ({"url": "javascript:alert(1)"}, "invalid", "url"),
    ({"items": [{"title": "x", "quantity": 0}]}, "invalid", "items.0.quantity"),
    ({"items": [{"title": "x", "unit_value": "1.234"}]}, "invalid", "items.0.unit_value"),
    ({"value": "1.500"}, "invalid", "value"),
    ({"value": "-1.50"}, "invalid", "value"),
    ({"value": "1.500,00"}, "invalid", "value"),
    ({"title": " "}, "invalid", "title"),
    ({"titel": "x"}, "invalid", "titel"),
]


@pytest.mark.parametrize(("given", "code", "field"), WRONG, ids=[str(one[0])[:40] for one in WRONG])
async def test_what_can_be_wrong_is_named(house: House, given: dict[str, Any], code: str, field: str) -> None:
    await ana(house)
    answer = await house.call("POST", "/v1/orders", ORDER | given)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["field"]) == (422, code, field), problem
    assert await house.data("/v1/orders") == []


async def test_wrong_edits_change_nothing(house: House) -> None:
    await ana(house)
    order = await made(house)
    path = f"/v1/orders/{order['id']}"
    for given in (
        {},
        {"title": None},
        {"status": None},
        {"contact": "nobody"},
        {"currency": "USD"},
        {"refunded_value": "1500.01"},
        {"deal_id": "D9"},
        {"external_id": "x"},
    ):
        assert (await house.call("PATCH", path, given)).status_code == 422, given
    assert (await house.call("PATCH", "/v1/orders/ord_none", {"title": "x"})).status_code == 404
    assert await house.get(path) == {
        **order,
        "buyer_name": None,
        "payments": [],
        "refunds": [],
        "notes": [],
        "merged": [],
    }
    assert len((await house.get(f"{path}/history"))["data"]) == 1


async def test_a_registry_that_is_off_says_who_turns_it_on(house: House) -> None:
    await ana(house)
    await house.call("PATCH", "/v1/account", {"orders_enabled": False})
    answer = await house.call("POST", "/v1/orders", ORDER)
    assert (answer.status_code, answer.json()["code"]) == (403, "registry_disabled")
    assert "admin" in answer.json()["detail"]


async def test_deals(house: House) -> None:
    contact_id = await ana(house)
    await ana(house, "43", name="Bia")
    first = await house.call("PUT", "/v1/deals/D1", {"contact": "42", "title": "Year one", "owner_id": "rep-1"})
    assert (first.status_code, first.json()["contact_id"]) == (201, contact_id)
    again = await house.call("PUT", "/v1/deals/D1", {"contact": "42", "title": "Year two"})
    assert (again.status_code, again.json()["title"], again.json()["owner_id"]) == (200, "Year two", "rep-1")
    assert await house.get("/v1/deals/D1") == again.json()
    order = await made(house, deal_id="D1")
    assert await house.data("/v1/deals/D1/orders") == [order]
    assert await house.data("/v1/orders?deal_id=D1&status=paid") == []
    nobody = await house.call("PUT", "/v1/deals/D2", {"contact": "nobody"})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "contact_not_found")
    assert (await house.call("GET", "/v1/deals/D2")).status_code == 404
    assert (await house.call("GET", "/v1/deals/D2/orders")).status_code == 404


async def test_a_deal_and_its_order_differ_in_their_contact_only_on_purpose(house: House) -> None:
    await ana(house)
    await ana(house, "43", name="Bia")
    await house.call("PUT", "/v1/deals/D1", {"contact": "42"})
    refused = await house.call("POST", "/v1/orders", ORDER | {"contact": "43", "deal_id": "D1"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "deal_id")
    order = await made(house, deal_id="D1")
    path = f"/v1/orders/{order['id']}"
    assert (await house.call("PATCH", path, {"contact": "43"})).status_code == 409
    meant = await house.call("PATCH", path, {"contact": "43", "deal_of_another_contact": True})
    assert (meant.status_code, meant.json()["crm_contact_id"]) == (200, "43")
    await house.call("PATCH", path, {"contact": "42"})
    # The deal goes to another contact: its orders go along, or stay, as somebody says.
    asked = await house.call("PUT", "/v1/deals/D1", {"contact": "43"})
    assert (asked.status_code, asked.json()["errors"][0]["field"]) == (409, "orders")
    kept = await house.call("PUT", "/v1/deals/D1", {"contact": "43", "orders": "keep"})
    assert (kept.status_code, (await house.get(path))["crm_contact_id"]) == (200, "42")
    await house.call("PUT", "/v1/deals/D1", {"contact": "42"})
    await house.call("PUT", "/v1/deals/D1", {"contact": "43", "orders": "move"})
    assert (await house.get(path))["crm_contact_id"] == "43"


async def test_test_orders_and_those_written_by_hand_can_be_deleted(house: House) -> None:
    await ana(house)
    order = await made(house, external_id="P-1")
    source = await house.source()
    real = (await house.deliver(source, order_event("1"))).json()["orders"][0]
    tried = (await house.deliver(source, order_event("2", test=True))).json()
    rep = await house.token_of("rep")
    assert (await house.call("DELETE", f"/v1/orders/{order['id']}", token=rep)).status_code == 403
    refused = await house.call("DELETE", f"/v1/orders/{real}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    for one in (order["id"], tried["orders"][0]):
        assert (await house.call("DELETE", f"/v1/orders/{one}")).status_code == 204
        assert (await house.call("GET", f"/v1/orders/{one}")).status_code == 404
        assert (await house.call("DELETE", f"/v1/orders/{one}")).status_code == 404
    assert [one["id"] for one in await house.data("/v1/orders")] == [real]
    again = await made(house, external_id="P-1")  # the id is free again
    assert again["id"] != order["id"]
    await house.call("POST", f"/v1/deliveries/{tried['delivery_id']}/retry", {})
    assert {one["id"] for one in await house.data("/v1/orders")} == {real, again["id"]}
    assert (await house.get(f"/v1/deliveries/{tried['delivery_id']}"))["id"] == tried["delivery_id"]
