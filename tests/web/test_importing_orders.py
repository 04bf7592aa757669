"""Files of orders that come in over HTTP: every row once, and every bad line named."""

import json

import pytest

from tests.house import House, eventually, order_event, signed
from tests.web.test_retention import pruned
from tests.web.transfer import ROW, counts, exported, post, reasons, send, send_text, state

pytestmark = pytest.mark.anyio


async def test_a_row_becomes_an_order_with_its_history_and_its_contact(house: House) -> None:
    assert counts(await send(house, [ROW])) == (1, 0, 0, 0)
    (order,) = await house.data("/v1/contacts/42/orders")
    assert order | {"id": 0, "contact_id": 0, "created_at": 0, "updated_at": 0} == {
        "id": 0,
        "contact_id": 0,
        "crm_contact_id": "42",
        "deal_id": None,
        "title": "Running shoes",
        "value": "199.90",
        "paid_value": "199.90",
        "refunded_value": "0.00",
        "currency": "BRL",
        "status": "paid",
        "source_status": None,
        "ordered_at": "2026-01-02T13:00:00Z",
        "paid_at": "2026-01-02T13:00:05Z",
        "origin": "manual",
        "source_id": None,
        "external_id": "A-1",
        "url": None,
        "test": False,
        "items": [{"title": "Shoes", "quantity": 2, "unit_value": "99.95", "sku": "RS-1"}],
        "created_at": 0,
        "updated_at": 0,
        "buyer": "Ana Souza",
        "source_name": None,
        "owner_id": None,
        "owner_name": None,
    }
    (entry,) = await house.data(f"/v1/orders/{order['id']}/history")
    assert (entry["at"], entry["delivery_id"]) == ("2026-01-02T13:00:05Z", None)
    assert entry["said"]["imported"].startswith("mem_")
    (ana,) = await house.data("/v1/contacts?email=ana@example.com")
    assert (ana["crm_id"], ana["name"]) == ("42", "Ana Souza")
    assert (await house.data("/v1/contacts?phone=+5511987654321"))[0]["id"] == ana["id"]


async def test_the_same_file_twice_changes_nothing(house: House) -> None:
    rows = [ROW, {**ROW, "external_id": "A-2", "ordered_at": None, "paid_at": None}, {**ROW, "external_id": "A-3"}]
    assert counts(await send(house, rows)) == (3, 0, 0, 0)
    before = await state(house)
    assert counts(await send(house, rows)) == (0, 0, 3, 0)
    assert await state(house) == before


async def test_an_interrupted_import_goes_on_where_it_stopped(house: House) -> None:
    rows = [{**ROW, "external_id": f"A-{number}"} for number in range(10)]
    await send(house, rows[:4])
    assert counts(await send(house, rows)) == (6, 0, 4, 0)


async def test_a_corrected_file_wins_over_the_one_before_it(house: House) -> None:
    for moved in (
        {},
        {"ordered_at": None, "paid_at": None, "external_id": "B"},
        {"updated_at": "2026-02-01", "external_id": "C"},
    ):
        row = {**ROW, **moved}
        for number, title in enumerate(("wrong", "better", "a third", "right")):
            expected = (0, 1, 0, 0) if number else (1, 0, 0, 0)
            assert counts(await send(house, [{**row, "title": title, "value": f"{number + 1}.00"}])) == expected
        (order,) = [one for one in await house.data("/v1/orders") if one["external_id"] == row["external_id"]]
        assert (order["title"], order["value"]) == ("right", "4.00")
    for date in ("2026-03-01", "2024-03-01", "2025-03-01"):  # that the date itself was wrong is a correction as well
        assert counts(await send(house, [{**ROW, "ordered_at": date, "paid_at": None}])) == (0, 1, 0, 0)
        assert (await exported(house, "orders.csv?q=A-1")).count(f"{date}T00:00:00Z") == 1


async def test_a_later_webhook_folds_over_an_imported_order_and_an_earlier_one_does_not(house: House) -> None:
    source = await house.source()
    row = {**ROW, "external_id": "1001", "source_id": source, "status": "pending", "paid_at": None}
    assert counts(await send(house, [row])) == (1, 0, 0, 0)
    early = order_event("1001", status="overdue", at="2026-01-01T00:00:00Z", title="Early")
    await house.deliver(source, early)
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["title"], order["value"]) == ("pending", "Running shoes", "199.90")
    late = order_event("1001", status="paid", at="2026-01-03T00:00:00Z", title="Late", value="200.00")
    assert (await house.deliver(source, late)).json()["outcome"] == "updated"
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["title"], order["value"], order["origin"]) == ("paid", "Late", "200.00", "webhook")
    assert order["crm_contact_id"] == "42"


async def test_what_a_shop_said_later_stays_when_an_old_file_comes(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("1001", status="refunded", at="2026-11-20T13:00:00Z"))
    row = {**ROW, "external_id": "1001", "source_id": source, "url": "https://example.com/1001"}
    assert counts(await send(house, [row])) == (0, 1, 0, 0)  # the address was not known yet
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["value"], order["url"]) == ("refunded", "398.00", "https://example.com/1001")


async def test_a_refund_told_by_the_file_and_by_the_shop_counts_once(house: House) -> None:
    source = await house.source("shopify")
    row = {**ROW, "external_id": "5000000009", "source_id": source, "refunded_value": "50.00"}
    await send(house, [row])
    body = {
        "id": 5000000009,
        "name": "#1009",
        "financial_status": "partially_refunded",
        "total_price": "199.90",
        "currency": "BRL",
        "updated_at": "2026-11-20T13:00:00Z",
        "refunds": [{"id": 7, "transactions": [{"id": 1, "kind": "refund", "status": "success", "amount": "50.00"}]}],
    }
    sent = signed("shopify", json.dumps(body).encode(), {"X-Shopify-Topic": "orders/updated"})
    assert (await house.deliver(source, sent)).json()["outcome"] in {"updated", "unchanged"}
    (order,) = await house.data("/v1/orders")
    assert (order["refunded_value"], order["status"]) == ("50.00", "paid")


async def test_every_wrong_field_of_every_bad_line_is_named_and_the_good_ones_are_in(house: House) -> None:
    bad = [
        {**ROW, "external_id": "", "value": "1.999", "currency": "REAL", "status": "payed", "ordered_at": "20/11/2026"},
        {**ROW, "external_id": "2", "value": "1,99"},
        {**ROW, "external_id": "3", "value": 1.5},
        {**ROW, "external_id": "4", "source_id": "src_none"},
        {**ROW, "external_id": "5", "value": None},
        {
            **ROW,
            "external_id": "6",
            "contact_id": "cnt_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "crm_contact_id": None,
            "contact_email": None,
            "contact_phone": None,
        },
        {**ROW, "external_id": "7", "vlaue": "1"},
        {**ROW, "external_id": "8", "items": [{"quantity": 1}]},
        {**ROW, "external_id": "9", "items": [{"title": "x", "unit_value": "1.001"}]},
        {**ROW, "external_id": "10", "test": "perhaps"},
        {**ROW, "external_id": "11", "title": "x" * 301},
        {**ROW, "external_id": "12", "updated_at": "2199-01-01"},
        {**ROW, "external_id": "13", "value": "1" + "0" * 20},
        {**ROW, "external_id": "14", "crm_contact_id": None, "contact_phone": None, "contact_email": "nobody"},
        {**ROW, "external_id": "15", "title": "a\0b"},
        {**ROW, "external_id": "16", "origin": "heaven"},
        "no object",
    ]
    told = await send(house, [*bad, ROW])
    assert counts(told) == (1, 0, 0, len(bad))
    assert reasons(told) == [
        (1, "external_id"),
        (1, "status"),
        (1, "currency"),
        (1, "ordered_at"),
        (2, "value"),
        (3, "value"),
        (4, "source_id"),
        (5, "value"),
        (6, "contact_id"),
        (7, "vlaue"),
        (8, "items"),
        (9, "items"),
        (10, "test"),
        (11, "title"),
        (12, "updated_at"),
        (13, "value"),
        (14, "contact_email"),
        (15, None),
        (16, "origin"),
        (17, None),
    ]
    assert [one["external_id"] for one in await house.data("/v1/orders")] == ["A-1"]


async def test_amounts_are_read_exactly_or_refused(house: House) -> None:
    rows = [
        ROW | {"value": "1.500"},
        ROW | {"value": "-5"},
        ROW | {"value": "5", "refunded_value": "-0.01"},
        ROW | {"value": "1.500,00"},
    ]
    told = await send(house, rows)
    assert counts(told) == (0, 0, 0, 4)
    assert [(one["field"], one["message"].split(",")[0]) for one in told["errors"]] == [
        ("value", "has more decimals than BRL has (2)"),
        ("value", "is below 0"),
        ("refunded_value", "is below 0"),
        ("value", "must be a decimal number with a point and no thousands' marks"),
    ]
    discount = [{"title": "Discount", "unit_value": "-10.00"}]
    assert counts(await send(house, [ROW | {"items": discount}])) == (1, 0, 0, 0)
    assert counts(await send_text(house, await exported(house), "application/x-ndjson")) == (0, 0, 1, 0)


async def test_a_dry_run_tells_the_same_and_writes_nothing(house: House) -> None:
    await send(house, [ROW])
    before = await state(house)
    rows = [
        ROW,
        {**ROW, "title": "New"},
        {**ROW, "external_id": "B", "contact_email": "b@example.com"},
        {**ROW, "value": "x"},
    ]
    told = await send(house, rows, query="?dry_run=true")
    assert counts(told) == (1, 1, 1, 1) and told["dry_run"] is True
    assert await state(house) == before
    assert await house.data("/v1/contacts?email=b@example.com") == []


async def test_rows_of_one_order_in_one_part_are_taken_one_after_the_other(house: House) -> None:
    rows = [{**ROW, "title": title} for title in ("one", "two", "one", "three")]
    assert counts(await send(house, rows)) == (1, 2, 1, 0)
    (order,) = await house.data("/v1/orders")
    assert order["title"] == "three"


async def test_contacts_are_resolved_in_the_order_of_belief(house: House) -> None:
    await house.call("PUT", "/v1/contacts/1", {"emails": ["one@example.com"], "documents": ["529.982.247-25"]})
    await house.call("PUT", "/v1/contacts/2", {"emails": ["two@example.com"], "phones": ["+5511912345678"]})
    (two,) = await house.data("/v1/contacts?crm_id=2")
    bare = {**ROW, "crm_contact_id": None, "contact_email": None, "contact_phone": None, "contact_name": None}
    rows = [
        {**bare, "external_id": "by-crm", "contact": "2"},
        {**bare, "external_id": "by-id", "contact_id": two["id"]},
        {**bare, "external_id": "by-phone", "phone": "11 91234-5678"},
        {**bare, "external_id": "by-document", "document": "52998224725", "email": "two@example.com"},
        {**bare, "external_id": "by-id-first", "contact_id": two["id"], "email": "one@example.com"},
        {**bare, "external_id": "nobody"},
        {**bare, "external_id": "half-wrong", "email": "two@example.com", "document": "111.111.111-11"},
    ]
    told = await send(house, rows)
    assert counts(told) == (7, 0, 0, 0)
    assert [(one["line"], one["field"]) for one in told["notes"]] == [
        (7, "contact_document"),
        (4, "contact"),
        (5, "contact_id"),
    ]
    found = {one["external_id"]: one["crm_contact_id"] for one in await house.data("/v1/orders")}
    assert found == {
        "by-crm": "2",
        "by-id": "2",
        "by-phone": "2",
        "by-document": "1",
        "by-id-first": "2",
        "nobody": None,
        "half-wrong": "2",
    }


async def test_a_contact_of_an_id_stays_whatever_a_webhook_says_of_the_buyer(house: House) -> None:
    source = await house.source()
    await house.call("PUT", "/v1/contacts/2", {"emails": ["two@example.com"]})
    (two,) = await house.data("/v1/contacts?crm_id=2")
    row = {
        "external_id": "1001",
        "source_id": source,
        "value": "1.00",
        "contact_id": two["id"],
        "ordered_at": "2026-01-01",
    }
    await send(house, [row])
    await house.deliver(source, order_event("1001"))
    (order,) = await house.data("/v1/orders")
    assert (order["contact_id"], order["status"]) == (two["id"], "paid")


async def test_spreadsheets_have_their_ways(house: House) -> None:
    text = (
        "\ufeffsep=;\r\nExternal ID;Title;Value;Status;Ordered at;E-mail;email;Items\r\n"
        '1;"Two\r\nlines; ""quoted""";10.00;PAID;2026-01-01;;ana@example.com;"[{""title"": ""x"", ""quantity"": 1.5}]"\r\n'
        "\r\n"
        "2;'=1+1;10;paid;2026-01-01 10:00;;ana@example.com\r\n"
        "3;x;1.999,00;paid;2026-01-01;;ana@example.com;;;;;;\r\n"
        "4;x;1.999,00;paid;2026-01-01;;ana@example.com\r\n"
    )
    refused = await post(house, text)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert "'E-mail'" in refused.json()["detail"] and "contact_email" in refused.json()["detail"]
    told = await send_text(house, text, query="?ignore_unknown=true&line=3")
    assert counts(told) == (2, 0, 0, 2)
    assert reasons(told) == [(7, None), (8, "value")]
    titles = {one["external_id"]: (one["title"], one["value"]) for one in await house.data("/v1/orders")}
    assert titles == {"1": ('Two\r\nlines; "quoted"', "10.00"), "2": ("=1+1", "10.00")}


@pytest.mark.parametrize(
    ("text", "media", "says"),
    [
        (b"external_id,value\n1,2\n", "application/pdf", "Content-Type"),
        (b"external_id,value\n1,\xff\n", "text/csv", "UTF-8"),
        (b"", "text/csv", "empty"),
        (b"a,b\n1,2\n", "text/csv", "no such column"),
        (b"external_id,external id\n1,2\n", "text/csv", "mean the same"),
    ],
)
async def test_what_is_no_such_file_is_refused_whole(house: House, text: bytes, media: str, says: str) -> None:
    response = await post(house, text, media)
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert says in response.json()["detail"]


@pytest.mark.parametrize(
    "query", ["?source_id=src_none", "?sources=a", "?sources=a=src_none", "?origin=x", "?line=0", "?x=1"]
)
async def test_a_wrong_query_is_refused(house: House, query: str) -> None:
    assert (await post(house, "external_id\n1\n", query=query)).status_code == 422


async def test_sources_of_another_registry_stand_for_those_of_this(house: House) -> None:
    source = await house.source("shopify")
    rows = [
        {**ROW, "external_id": "1", "source_id": "src_old", "origin": "commerce"},
        {**ROW, "external_id": "2", "source_id": "src_gone", "origin": "commerce"},
        {**ROW, "external_id": "3", "source_id": "src_old", "origin": "payments"},
        {**ROW, "external_id": "4"},
    ]
    told = await send(house, rows, query=f"?sources=src_old={source},src_gone=&source_id={source}")
    assert counts(told) == (3, 0, 0, 1) and reasons(told) == [(3, "origin")]
    found = {one["external_id"]: (one["source_id"], one["origin"]) for one in await house.data("/v1/orders")}
    assert found == {"1": (source, "commerce"), "2": (None, "commerce"), "4": (source, "commerce")}


async def test_a_held_delivery_is_taken_up_when_an_import_brings_its_contact(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    held = (await house.deliver(source, order_event("1001"))).json()
    assert held["outcome"] == "held"
    await send(house, [ROW])
    await eventually(
        lambda: house.get(f"/v1/deliveries/{held['delivery_id']}"), lambda delivery: delivery["outcome"] == "created"
    )


async def test_a_pruned_order_of_a_source_is_not_brought_back(house: House) -> None:
    row = {**ROW, "source_id": await house.source()}
    await send(house, [{**row, "ordered_at": "2001-01-01", "paid_at": None}])
    assert await pruned(house, 0, orders_closed="365d") == {"orders_closed": 1}
    told = await send(house, [row])
    assert counts(told) == (0, 0, 1, 0) and "pruned" in told["notes"][0]["message"]
    assert await house.data("/v1/orders") == []


async def test_ids_are_kept_unless_they_are_another_orders(house: House) -> None:
    mine = "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    told = await send(
        house, [{**ROW, "id": mine}, {**ROW, "external_id": "B", "id": mine}, {**ROW, "external_id": "C", "id": "x"}]
    )
    assert counts(told) == (2, 0, 0, 1) and reasons(told) == [(2, "id")]
    assert (await house.get(f"/v1/orders/{mine}"))["external_id"] == "A-1"
    again = await send(house, [{**ROW, "external_id": "B", "id": mine}])
    assert reasons(again) == [(1, "id")]
