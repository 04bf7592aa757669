"""Files that go out over HTTP: no row is lost, and what was exported comes in again unchanged."""

import csv
import io
import json

import pytest

from app.cli.inprocess import InProcessClient
from tests.house import House, order_event
from tests.web.transfer import ROW, counts, exported, send, send_text, state

pytestmark = pytest.mark.anyio


async def test_what_was_exported_comes_in_again_and_changes_nothing(house: House) -> None:
    source = await house.source("shopify")
    standard = await house.source()
    await house.deliver(standard, order_event("1001"))
    await house.deliver(standard, order_event("1001", status="paid", at="2026-11-21T13:00:00Z", title="Later"))
    await house.deliver(standard, order_event("1002", contact=None, status=None, value="7.00"))
    await house.call("PUT", "/v1/contacts/42", {"emails": ["ana@example.com"]})
    body = {"contact": "42", "title": "By hand", "value": "12.00", "items": [{"title": "x"}]}
    made = (await house.call("POST", "/v1/orders", body)).json()
    await house.call("PATCH", f"/v1/orders/{made['id']}", {"status": "paid", "refunded_value": "2.00"})
    await send(house, [{**ROW, "source_id": source, "external_id": "-1"}, ROW])
    before = await state(house)
    for form, media in (("csv", "text/csv"), ("jsonl", "application/x-ndjson")):
        told = await send_text(house, await exported(house, f"orders.{form}"), media)
        assert counts(told) == (0, 0, 5, 0), told
        told = await send_text(house, await exported(house, f"contacts.{form}"), media, to="contacts")
        assert told["created"] == told["updated"] == told["refused"] == 0, told
    assert await state(house) == before


async def test_csv_is_for_spreadsheets_and_holds_no_formulas(house: House) -> None:
    await send(house, [{**ROW, "external_id": "+1", "title": "=cmd|' /C calc'!A0"}])
    response = await house.call("GET", "/v1/orders.csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(response.text, newline=""))
    assert (row["external_id"], row["title"]) == ("'+1", "'=cmd|' /C calc'!A0")
    assert (row["contact_phone"], row["value"], row["refunded_value"]) == ("'+5511987654321", "199.90", "0.00")
    excel = await house.call("GET", "/v1/orders.csv?excel=true")
    assert excel.content.startswith(b"\xef\xbb\xbfid;external_id;")
    assert counts(await send_text(house, excel.content)) == (0, 0, 1, 0)


async def test_exports_take_the_lists_filters(house: House) -> None:
    rows = [
        {
            **ROW,
            "external_id": str(number),
            "status": status,
            "ordered_at": f"2026-01-0{number}",
            "paid_at": None,
            "crm_contact_id": str(number % 2),
            "contact_email": None,
            "contact_phone": None,
            "currency": currency,
            "origin": origin,
            "deal_id": f"D-{number % 2}",
            "value": "5",
        }
        for number, (status, currency, origin) in enumerate(
            [("paid", "BRL", "api"), ("pending", "USD", "api"), ("paid", "JPY", "manual"), ("failed", "BRL", "manual")],
            start=1,
        )
    ]
    rows = [row | {"items": None} for row in rows]
    assert counts(await send(house, rows)) == (4, 0, 0, 0)
    for query in (
        "",
        "?status=paid",
        "?currency=brl",
        "?origin=api",
        "?contact=1",
        "?contact=nobody",
        "?deal_id=D-0",
        "?since=2026-01-02&until=2026-01-04",
        "?q=2",
        "?source_id=none",
    ):
        listed = sorted(one["id"] for one in await house.data(f"/v1/orders{query}"))
        lines = (await exported(house, f"orders.jsonl{query}")).splitlines()
        assert [json.loads(line)["id"] for line in lines] == listed
        table = list(csv.DictReader(io.StringIO(await exported(house, f"orders.csv{query}"), newline="")))
        assert [row["id"] for row in table] == listed
    for query in ("?limit=1", "?status=payed", "?since=x", "?currency=x", "?x=1"):
        assert (await house.call("GET", f"/v1/orders.csv{query}")).status_code == 422


async def test_a_reps_export_is_their_wallet(house: House) -> None:
    rows = [
        {
            **ROW,
            "external_id": one,
            "crm_contact_id": one,
            "contact_email": f"{one}@example.com",
            "contact_phone": None,
            "deal_id": "D-1" if one == "b" else None,
        }
        for one in "abc"
    ]
    await send(house, rows)
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    await house.call("PUT", "/v1/contacts/a", {"owner_id": "rep-1"})
    await house.call("PUT", "/v1/deals/D-1", {"contact": "b", "owner_id": "rep-1"})
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    token = await house.token_of("rep", "rep-1")
    mine = [json.loads(line) for line in (await house.call("GET", "/v1/orders.jsonl", token=token)).text.splitlines()]
    # The order on their deal is theirs to see; the contact of another rep's is not.
    assert {one["external_id"]: one["contact_email"] for one in mine} == {"a": ["a@example.com"], "b": None}
    table = (await house.call("GET", "/v1/orders.csv", token=token)).text
    assert "a@example.com" in table and "b@example.com" not in table and "c@example.com" not in table
    people = (await house.call("GET", "/v1/contacts.jsonl", token=token)).text
    assert [json.loads(line)["crm_id"] for line in people.splitlines()] == ["a"]


@pytest.mark.tuned(export_page=3)
async def test_no_row_is_lost_or_told_twice_while_writes_go_on(house: House) -> None:
    rows = [{**ROW, "external_id": f"{number:02}", "ordered_at": f"2026-01-{28 - number:02}"} for number in range(20)]
    await send(house, rows)
    ids = sorted(one["id"] for one in await house.data("/v1/orders"))
    seen: list[str] = []
    headers = {"Authorization": f"Bearer {house.token}"}
    async with InProcessClient(house.app).asked("GET", "/v1/orders.jsonl", headers=headers) as (status, pieces):
        assert status == 200
        async for piece in pieces:
            for line in piece.splitlines():
                seen.append(json.loads(line)["id"])
                # Every order is told that it was placed at another time: in a walk by time it would be met twice, or not.
                told = await send(house, [{**row, "ordered_at": f"2025-02-{len(seen):02}"} for row in rows])
                assert counts(told) == (0, 20, 0, 0)
    assert seen == ids
