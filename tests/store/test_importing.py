"""What an import writes straight is what the fold would have given; nasty texts survive a file; a million rows are cut alike."""

import csv
import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.contract import Status
from adapters.contract.fold import Entry, fold, given_back
from app.base.ids import new_ids
from app.base.settings import Settings, read_settings
from app.base.statement import UNTIMED
from app.base.tabular import CSV, JSONL, ORDER_COLUMNS, ORDERS, Fault, NoFile, guarded, parts, rows_of, unguarded
from app.db.migrate import migrate
from app.imports.rows import ORDER_ID, ImportSettings, read_contacts, read_orders
from app.store.import_orders import OrderRows, columns_of
from app.store.order_aggregate import LoadedOrder, _columns
from app.web.http.request import MAX_REQUEST_BYTES
from tests.house import House

PRESENT = 1_790_000_000_000_000
SETTING = ImportSettings(
    region="BR",
    currency="BRL",
    sources={"src_1": "commerce"},
    renamed={},
    source_id=None,
    origin="manual",
    present=PRESENT,
)

TIMES = st.one_of(
    st.none(),
    st.datetimes(min_value=datetime.datetime(1970, 1, 1), max_value=datetime.datetime(2199, 1, 1)).map(
        lambda at: at.isoformat()
    ),
)
NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("'\"=+-@\t\r\n,;|\\ \u00a0\u2028\ufeff\x1c\x0b{}[]")),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=12,
)
ROWS = st.fixed_dictionaries(
    {
        "external_id": NASTY.filter(str.strip), "value": st.sampled_from(["0", "1.00", "100.5", "99999999.99", "-3.00"]),
        "currency": st.sampled_from(["BRL", "JPY", "KWD"]),
    },
    optional={
        "title": NASTY, "status": st.sampled_from(Status).map(str), "source_status": NASTY, "url": NASTY.map(lambda t: f"https://e/{t}"),
        "refunded_value": st.sampled_from(["0", "1", "100", "200"]), "ordered_at": TIMES, "paid_at": TIMES,
        "updated_at": st.none() | st.datetimes(min_value=datetime.datetime(1970, 1, 1),
                                               max_value=datetime.datetime(2026, 1, 1)).map(lambda at: at.isoformat()),
        "test": st.booleans(), "deal_id": NASTY, "source_id": st.just("src_1"), "contact_name": NASTY,
        "contact_email": st.sampled_from(["a@example.com", "b@example.com", "A@example.com | c@example.com"]),
        "crm_contact_id": NASTY, "contact_customer_id": st.just("77"),
        "items": st.lists(
            st.fixed_dictionaries({"title": NASTY}, optional={"quantity": st.sampled_from([1, "1.50", "2"]), "sku": NASTY}), max_size=3
        ),
    },
)  # fmt: skip


def amounts_fit(row: dict[str, Any]) -> dict[str, Any]:
    if row["currency"] == "JPY":
        row["value"] = row["value"].partition(".")[0]
    return row


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@given(ROWS.map(amounts_fit))
def test_the_row_of_a_new_order_is_the_fold_of_its_one_entry(row: dict[str, Any]) -> None:
    read = read_orders(JSONL, lines([row]), 1, SETTING)
    assert read.faults == []
    (made,) = read.rows
    written = dict(zip(OWN_COLUMNS, columns_of(made.said, made.at), strict=True))
    written["ordered_at"] = PRESENT if written["ordered_at"] is None else written["ordered_at"]
    entry = Entry(
        at=None if made.at == UNTIMED else made.at,
        digest=made.digest,
        recorded_at=PRESENT,
        said=json.loads(made.text) | {"imported": "mem"},
    )
    assert made.columns == columns_of(made.said, made.at)
    order = LoadedOrder("acc", "ord", made.scope, made.source_id, made.origin)
    folded = _columns(order, fold([entry]), "cnt")
    assert written == {name: folded[name] for name in OWN_COLUMNS} and made.external_id == folded["external_id"]


OWN_COLUMNS = (
    "deal_id", "title", "value", "refunded_value", "currency", "status", "source_status", "ordered_at", "paid_at", "url",
    "test", "items",
)  # fmt: skip


@pytest.mark.parametrize(
    ("refunds", "back"),
    [({"import": 50}, 50), ({"import": 50, "7": 50}, 50), ({"import": 50, "7": 50, "8": 10}, 60), ({"import": 50, "7": 20}, 50),
     ({"7": 20, "8": 10}, 30), ({"import": 50, "7": 50, "member": 5}, 55), ({}, 0)],
)  # fmt: skip
def test_what_an_import_tells_as_given_back_is_not_added_to_what_the_source_itemises(
    refunds: dict[str, int], back: int
) -> None:
    assert given_back(refunds) == back


def test_rows_that_are_cut_know_their_identities() -> None:
    text = "external_id,value,currency,contact_email\n" + "".join(
        f"{at},1.00,BRL,user{at % 3}@example.com\n" for at in range(5)
    )
    rows = OrderRows.of(read_orders("csv", text, 1, SETTING).rows)
    count, columns, identities = rows.packed()
    came = OrderRows.unpacked(count, columns, identities)
    # What the process that reads has sorted is not sorted again for the sake of a cut that takes all.
    assert came[0:] is came and came[0:5].identities() is identities
    assert came[:1].identities() == {"email": ["user0@example.com"]}
    assert list(came[1:]) == list(rows)[1:]
    assert came[::-1].each.external_id == ["4", "3", "2", "1", "0"]


def test_ids_that_are_made_together_sort_as_they_were_made() -> None:
    made = [new_ids("ord", 3000) for _ in range(20)]  # some of them within one millisecond
    assert all(ids == sorted(ids) for ids in made)
    together = [one for ids in made for one in ids]
    assert len(set(together)) == len(together) and all(ORDER_ID.fullmatch(one) for one in together)


@given(NASTY | st.text())
def test_a_guarded_cell_is_no_formula_and_gives_its_text_back(text: str) -> None:
    cell = guarded(text)
    assert unguarded(cell) == text
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"} or not cell


@given(st.lists(st.lists(NASTY, min_size=3, max_size=3), max_size=20), st.sampled_from(",;\t|"), st.integers(1, 4))
def test_a_file_is_read_alike_whole_and_in_parts(cells: list[list[str]], delimiter: str, size: int) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["External ID", "title", "source status"])
    writer.writerows([[guarded(cell) for cell in row] for row in cells])
    whole = text.getvalue()
    faults: list[Fault] = []
    cut = list(parts(CSV, io.StringIO(whole, newline="\n"), ORDERS, size))
    found = [row for part in cut for row in rows_of(CSV, part.text, part.line, ORDERS, faults)]
    assert faults == []
    names = ("external_id", "title", "source_status")
    given_ = [{name: cell for name, cell in zip(names, row, strict=True) if cell} for row in cells]
    assert [row for _, row in found] == [row for row in given_ if row]
    begins = [2 + at + sum(cell.count("\n") for row in cells[:at] for cell in row) for at in range(len(cells))]
    assert [line for line, _ in found] == [line for line, row in zip(begins, given_, strict=True) if row]


@pytest.mark.parametrize("form", [CSV, JSONL])
@pytest.mark.parametrize("word", ["shoes", "靴" * 300])
def test_a_part_is_never_larger_than_a_request_may_be(form: str, word: str) -> None:
    lines = ["external_id,title\n"] if form == CSV else []
    lines += [
        f"{at},{word}\n" if form == CSV else f'{{"external_id": "{at}", "title": "{word}"}}\n' for at in range(60_000)
    ]
    cut = list(parts(form, lines, ORDERS))
    assert sum(part.rows for part in cut) == 60_000 and len(cut) > 2
    assert max(part.rows for part in cut) <= 25_000
    assert max(len(part.text.encode()) for part in cut) < MAX_REQUEST_BYTES


def test_a_stray_quote_costs_its_own_row_and_one_that_never_closes_is_named() -> None:
    text = 'external_id,title\n1,Monitor 5" wide\n2,b\n3,"open\n4,d\n'
    found = [
        row
        for part in parts(CSV, io.StringIO(text, newline="\n"), ORDERS, 1)
        for row in rows_of(CSV, part.text, part.line, ORDERS, [])
    ]
    assert [(line, row["external_id"]) for line, row in found] == [(2, "1"), (3, "2"), (4, "3")]
    with pytest.raises(NoFile, match="line 2: a row is longer"):
        list(parts(CSV, ["external_id\n", '"', *["x" * 1000] * 1001], ORDERS))


def test_a_row_is_the_same_in_csv_and_in_json_lines() -> None:
    row = {
        "external_id": "1", "value": "1.00", "test": "true", "items": '[{"title": "x", "quantity": 2}]',
        "contact_email": "a@example.com | b@example.com", "deal_id": "7",
    }  # fmt: skip
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(row)
    writer.writerow(row.values())
    listed = row | {
        "test": True,
        "items": [{"title": "x", "quantity": 2}],
        "contact_email": ["a@example.com", "b@example.com"],
        "deal_id": 7,
    }
    one = read_orders(CSV, text.getvalue(), 1, SETTING).rows
    other = read_orders(JSONL, lines([listed]), 1, SETTING).rows
    assert one == other and one[0].digest


@pytest.mark.parametrize(
    "line",
    ["[]", "1", "null", "{", '{"external_id": NaN}', '{"external_id": 1e400}', '{"external_id": "\\ud800"}', '{"items": {}}',
     '{"external_id": [1]}', '{"value": ' + "9" * 5000 + "}", '{"contact_email": {"a": 1}}', "[" * 5000, '{"items": "[1]"}',
     '{"items": [{"title": "x", "quantity": 1e999}]}', '{"items": [{"title": "x", "unit_value": 1.5}]}', '{"deal": "1", "deal_id": "2"}',
     '{"external_id": "\\u0000"}', '{"items": "[{\\"title\\": \\"\\\\u0000\\"}]"}', "\x00", '{"crm_contact_id": true, "external_id": {}}'],
)  # fmt: skip
def test_a_strangers_line_is_a_fault_and_no_crash(line: str) -> None:
    assert read_orders(JSONL, line + "\n", 7, SETTING).faults[0].line == 7
    for text in (f"external_id\n{line}\n", f"id,external_id,value\n,{line},\n"):
        read_orders(CSV, text, 2, SETTING)
        read_contacts(CSV, text.replace("external_id", "emails").replace("value", "name"), 2, SETTING)
    read_contacts(JSONL, line + "\n", 1, SETTING)


@pytest.fixture
def empty(settings: Settings, tmp_path: Path) -> Settings:
    """A second registry, on SQLite."""
    made = read_settings(database_url=f"sqlite:///{tmp_path}/second.db")
    return made


@pytest.mark.anyio
async def test_what_was_exported_gives_the_same_orders_in_an_empty_registry(house: House, empty: Settings) -> None:
    await migrate(empty)
    async with House(empty) as other:
        number = 0

        async def round_trip(rows: list[dict[str, Any]]) -> None:
            nonlocal number
            number += 1
            rows = [{**row, "external_id": f"{number}{row['external_id']}"} for row in rows]
            for row in rows:
                row.pop("source_id", None)
            await _send(house, lines(rows), JSONL, "orders")
            for what in ("contacts", "orders"):
                for form in (CSV, JSONL):
                    text = await _export(house, what, form)
                    assert (await _send(house, text, form, what))[0] == 0  # nothing changed here
                    assert (await _send(other, text, form, what))[1] == 0
                    assert _rows(await _export(other, what, form), form, what) == _rows(text, form, what)

        for example in examples():
            await round_trip(example)


async def _send(house: House, text: str, form: str, what: str) -> tuple[int, int]:
    media = "text/csv" if form == CSV else "application/x-ndjson"
    headers = {"Authorization": f"Bearer {house.token}", "Content-Type": media}
    response = await house.client.post(f"/v1/{what}/import", content=text.encode(), headers=headers)
    assert response.status_code == 200, response.text
    told = response.json()
    return told["created"] + told["updated"], told["refused"]


def _rows(text: str, form: str, what: str) -> list[dict[str, Any]]:
    """All that was exported; but when a contact that both have learnt something is each registry's own."""
    table = csv.DictReader(io.StringIO(text, newline="")) if form == CSV else map(json.loads, text.split("\n")[:-1])
    own = "updated_at" if what == "contacts" else ""
    return [{name: value for name, value in row.items() if name != own} for row in table]


async def _export(house: House, what: str, form: str) -> str:
    return (await house.call("GET", f"/v1/{what}.{form}")).text


def examples() -> list[list[dict[str, Any]]]:
    """Files of orders; gathered first, since an example cannot be awaited."""
    found: list[list[dict[str, Any]]] = []

    @hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(ROWS.map(amounts_fit), min_size=1, max_size=8))
    def gather(rows: list[dict[str, Any]]) -> None:
        found.append(rows)

    gather()
    return found


def test_columns_are_what_the_interface_shows_of_an_order() -> None:
    assert {"id", "contact_id", "crm_contact_id", "deal_id", "title", "value", "refunded_value", "currency", "status",
            "source_status", "ordered_at", "paid_at", "origin", "source_id", "external_id", "url", "test", "items",
            "created_at", "updated_at"} <= set(ORDER_COLUMNS)  # fmt: skip
