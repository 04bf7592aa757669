"""Reports: computed from the orders, per currency, without test orders, within the wallet; scores never without their reason."""

from typing import Any

import pytest

from tests.house import House, order_event

pytestmark = pytest.mark.anyio


async def filled(house: House) -> str:
    """Two contacts with two owners; gives the source."""
    source = await house.source(name="Shop")
    await house.call("POST", "/v1/members", {"name": "Rep One", "role": "rep", "id": "rep-1"})
    await house.call("PUT", "/v1/contacts/a", {"emails": ["ana@example.com"], "owner_id": "rep-1"})
    await house.call("PUT", "/v1/contacts/b", {"emails": ["bia@example.com"], "owner_id": "rep-2"})
    ana, bia = {"email": "ana@example.com"}, {"email": "bia@example.com"}
    for external_id, at, said in (
        ("1", "2026-09-30T23:30:00Z", {"value": "100.00", "contact": ana}),
        ("2", "2026-10-01T01:00:00Z", {"value": "51.01", "contact": ana, "refunds": [{"id": "r", "value": "20.00"}]}),
        ("3", "2026-10-15T12:00:00Z", {"value": "30.00", "contact": bia, "status": "pending"}),
        ("4", "2026-11-02T12:00:00Z", {"value": "1500", "currency": "JPY", "contact": bia}),
        ("5", "2026-11-03T12:00:00Z", {"value": "999.00", "contact": ana, "test": True}),
        ("6", "2024-02-29T12:00:00Z", {"value": "10.00", "contact": bia, "status": "failed"}),
    ):
        event = order_event(external_id, at=at, ordered_at=at, **said)
        assert (await house.deliver(source, event)).json()["outcome"] == "created"
    return source


def short(report: dict[str, Any]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What a report says, by group and currency."""
    fields = ("orders", "paid_orders", "gross", "refunded", "net", "open", "average_order_value")
    return {
        one["group"]: {sums["currency"]: tuple(sums[name] for name in fields) for sums in one["currencies"]}
        for one in report["data"]
    }


async def test_by_month_in_utc_and_where_months_begin_elsewhere(house: House) -> None:
    await filled(house)
    report = await house.get("/v1/reports/orders?group_by=month")
    assert (report["group_by"], report["zone"], report["next_cursor"]) == ("month", "UTC", None)
    assert short(report) == {
        "2024-02": {"BRL": (1, 0, "0.00", "0.00", "0.00", "0.00", None)},
        "2026-09": {"BRL": (1, 1, "100.00", "0.00", "100.00", "0.00", "100.00")},
        "2026-10": {"BRL": (2, 1, "51.01", "20.00", "31.01", "30.00", "51.01")},
        "2026-11": {"JPY": (1, 1, "1500", "0", "1500", "0", "1500")},
    }
    assert [one["group"] for one in report["data"]] == ["2024-02", "2026-09", "2026-10", "2026-11"]
    there = await house.get("/v1/reports/orders?group_by=month&zone=America/Sao_Paulo")
    assert short(there)["2026-09"]["BRL"] == (2, 2, "151.01", "20.00", "131.01", "0.00", "75.51")
    assert short(await house.get("/v1/reports/orders")) == short(report)


async def test_by_each_other_thing(house: House) -> None:
    source = await filled(house)
    await house.call("PUT", "/v1/deals/d1", {"contact": "a", "title": "Big one", "owner_id": "rep-2"})
    (paid,) = await house.data("/v1/orders?contact=a&until=2026-10-01T00:00:00Z")
    moved = await house.call("PATCH", f"/v1/orders/{paid['id']}", {"deal_id": "d1"})
    assert moved.status_code == 200, moved.text
    groups = {}
    for what in ("status", "currency", "origin", "source", "deal", "owner"):
        report = await house.get(f"/v1/reports/orders?group_by={what}")
        groups[what] = {one["group"]: one["label"] for one in report["data"]}
        assert sum(sums["orders"] for one in report["data"] for sums in one["currencies"]) == 5, what
    assert groups == {
        "status": {"failed": None, "paid": None, "pending": None},
        "currency": {"BRL": None, "JPY": None},
        "origin": {"webhook": None},
        "source": {source: "Shop"},
        "deal": {None: None, "d1": "Big one"},
        "owner": {"rep-1": "Rep One", "rep-2": None},
    }
    # An order on a deal is the deal's owner's, and counts once.
    owners = short(await house.get("/v1/reports/orders?group_by=owner"))
    assert (owners["rep-1"]["BRL"][2], owners["rep-2"]["BRL"][2]) == ("51.01", "100.00")
    one = short(await house.get("/v1/reports/orders?group_by=deal&deal_id=d1"))
    assert one == {"d1": {"BRL": (1, 1, "100.00", "0.00", "100.00", "0.00", "100.00")}}


async def test_the_filters_of_the_list_hold(house: House) -> None:
    source = await filled(house)
    for query, orders in (
        ("status=paid", 3),
        ("currency=jpy", 1),
        ("contact=b", 3),
        ("contact=nobody", 0),
        (f"source_id={source}", 5),
        ("source_id=src_none", 0),
        ("since=2026-10-01T00:00:00Z", 3),
        ("until=2026-10-01T00:00:00Z", 2),
        ("since=2026-10-01T00:00:00Z&until=2026-11-01T00:00:00Z&status=pending", 1),
        ("deal_id=none", 0),
    ):
        for what in ("month", "status", "deal", "owner"):
            report = await house.get(f"/v1/reports/orders?group_by={what}&{query}")
            found = sum(sums["orders"] for one in report["data"] for sums in one["currencies"])
            assert found == orders, (what, query)
    for wrong in (
        "group_by=moon",
        "zone=Mars/Base",
        "zone=../etc",
        "since=x",
        "cursor=x",
        "cursor=Ijk5OTktMTIi",
        "q=x",
    ):
        answer = await house.call("GET", f"/v1/reports/orders?{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wrong


async def test_pages_of_groups_go_by_key(house: House) -> None:
    source = await filled(house)
    for number in range(5):
        await house.call("PUT", f"/v1/deals/d{number}", {"contact": "a", "owner_id": f"rep-{number}"})
        event = order_event(f"deal-{number}", at=f"2025-0{number + 1}-03T10:00:00Z", deal_id=f"d{number}")
        await house.deliver(source, event)
        (made,) = [one for one in await house.data("/v1/orders?limit=200") if one["external_id"] == f"deal-{number}"]
        await house.call("PATCH", f"/v1/orders/{made['id']}", {"deal_id": f"d{number}"})
    for what in ("month", "deal", "owner", "status"):
        whole = (await house.get(f"/v1/reports/orders?group_by={what}"))["data"]
        paged: list[Any] = []
        cursor = ""
        while True:
            page = await house.get(f"/v1/reports/orders?group_by={what}&limit=1{cursor}")
            paged += page["data"]
            assert len(page["data"]) <= 1
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert paged == whole, what


async def test_a_reps_reports_cover_their_wallet_alone(house: House) -> None:
    await filled(house)
    token = await house.token_of("rep", "rep-1")
    everything = short(await house.get("/v1/reports/orders?group_by=currency", token=token))
    assert everything["BRL"]["BRL"][0] == 4
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    for what in ("month", "status", "currency", "origin", "source", "deal", "owner"):
        report = await house.get(f"/v1/reports/orders?group_by={what}", token=token)
        sums = [one for group in report["data"] for one in group["currencies"]]
        assert {one["currency"] for one in sums} == {"BRL"}, what
        assert sum(one["orders"] for one in sums) == 2, what
    buyers = await house.get("/v1/reports/contacts", token=token)
    assert [one["crm_contact_id"] for one in buyers["data"]] == ["a"]
    assert buyers["rule"]["average_order_value"] == "75.51"
    assert (await house.get("/v1/reports/contacts?currency=JPY", token=token))["data"] == []
    assert (await house.get("/v1/reports/orders?contact=b", token=token))["data"] == []


async def test_more_than_64_bits_of_money_is_summed_exactly(house: House) -> None:
    source = await house.source()
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"]})
    from app.db.engine import Store
    from app.db.statements import Plan, Sql

    await house.deliver(source, order_event("1"))
    store = Store(house.settings, house.service.vault)
    await store.open()

    def plan() -> Plan[None]:
        yield Sql("UPDATE orders SET value = 6000000000000000001, paid_value = 6000000000000000001")
        yield Sql(
            "INSERT INTO orders SELECT account_id, 'ord_2', scope, 'second', source_id, origin, contact_id, deal_id, title, "
            "value, refunded_value, currency, status, source_status, ordered_at, paid_at, url, test, items, created_at, "
            "updated_at, owner_id, deal_owner_id, paid_value, notes, sale_id FROM orders"
        )

    await store.commit(plan)
    await store.close()
    (sums,) = (await house.get("/v1/contacts/1/summary"))["currencies"]
    assert sums["gross"] == "120000000000000000.02"


async def test_contacts_by_recency_frequency_and_money_with_the_rule(house: House) -> None:
    source = await filled(house)
    report = await house.get("/v1/reports/contacts?recency=1,2,3,99999&money=10,20,131.01,500")
    rule = report["rule"]
    assert (rule["currency"], rule["recency_days"], rule["frequency"]) == ("BRL", [1, 2, 3, 99999], [2, 3, 5, 10])
    assert (rule["average_order_value"], rule["money"]) == ("75.51", ["10.00", "20.00", "131.01", "500.00"])
    assert "Test orders" in rule["words"]
    (ana,) = report["data"]  # who has not paid is no buyer, nor who paid in another currency
    assert (ana["crm_contact_id"], ana["frequency"], ana["gross"], ana["money"]) == ("a", 2, "151.01", "131.01")
    days = ana["recency_days"]
    assert ana["scores"] == {
        "recency": {"score": 2, "because": f"last bought {days} days ago: at most 99999"},
        "frequency": {"score": 2, "because": "2 paid orders: at least 2"},
        "money": {"score": 4, "because": "131.01 BRL: at least 131.01"},
    }
    usual = await house.get("/v1/reports/contacts")
    assert usual["rule"]["money"] == ["75.51", "151.02", "377.55", "755.10"]
    (bia,) = (await house.get("/v1/reports/contacts?currency=JPY&recency=1,2,3,4"))["data"]
    assert (bia["money"], bia["scores"]["frequency"]["score"]) == ("1500", 1)
    assert bia["scores"]["frequency"]["because"] == "1 paid orders: less than 2"
    assert bia["scores"]["recency"]["score"] in (1, 5)
    for wrong in ("recency=1,2,3", "recency=4,3,2,1", "money=1,2,3,x", "currency=XXXX", "origin=moon", "cursor=x"):
        answer = await house.call("GET", f"/v1/reports/contacts?{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wrong
    assert source


async def test_pages_of_buyers_share_one_rule(house: House) -> None:
    source = await filled(house)
    for number in range(5):
        event = order_event(f"n{number}", contact={"email": f"c{number}@example.com"}, value=f"{number + 1}00.00")
        await house.deliver(source, event)
    first = await house.get("/v1/reports/contacts?limit=2")
    await house.deliver(source, order_event("later", contact={"email": "zoe@example.com"}, value="9000.00"))
    page, seen = first, [*first["data"]]
    while page["next_cursor"]:
        page = await house.get(f"/v1/reports/contacts?limit=2&cursor={page['next_cursor']}")
        assert page["rule"] == first["rule"]
        seen += page["data"]
    assert len(seen) == 7
    assert [one["contact_id"] for one in seen] == sorted(one["contact_id"] for one in seen)
