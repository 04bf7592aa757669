"""An imported order is the fold of its history; nasty texts survive a file; however rows are cut, the same is stored."""

import csv
import datetime
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.contract import Status
from adapters.contract.fold import Entry, fold
from app.base.settings import Settings, read_settings
from app.base.tabular import CSV, JSONL, ORDER_COLUMNS, ORDERS, Fault, NoFile, guarded, parts, rows_of, unguarded
from app.db.migrate import migrate
from app.imports.presets import OUR_CONTACTS
from app.imports.rows import Batch, ContactReader, ImportSettings, OrderReader
from app.store.import_contacts import ContactRow
from app.store.import_orders import OrderRow
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
CONTACT_SETTING = replace(SETTING, form=OUR_CONTACTS)

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
        "external_id": NASTY.filter(str.strip),
        "value": st.sampled_from(["0", "1.00", "100.5", "99999999.99", "-3.00"]),
        "currency": st.sampled_from(["BRL", "JPY", "KWD"]),
    },
    optional={
        "title": NASTY,
        "status": st.sampled_from(Status).map(str),
        "source_status": NASTY,
        "url": NASTY.map(lambda t: f"https://e/{t}"),
        "refunded_value": st.sampled_from(["0", "1", "100", "200"]),
        "ordered_at": TIMES,
        "paid_at": TIMES,
        "updated_at": st.none()
        | st.datetimes(min_value=datetime.datetime(1970, 1, 1), max_value=datetime.datetime(2026, 1, 1)).map(
            lambda at: at.isoformat()
        ),
        "test": st.booleans(),
        "deal_id": NASTY,
        "source_id": st.just("src_1"),
        "contact_name": NASTY,
        "contact_email": st.sampled_from(["a@example.com", "b@example.com", "A@example.com | c@example.com"]),
        "crm_contact_id": NASTY,
        "contact_customer_id": st.just("77"),
        "items": st.lists(
            st.fixed_dictionaries(
                {"title": NASTY}, optional={"quantity": st.sampled_from([1, "1.50", "2"]), "sku": NASTY}
            ),
            max_size=3,
        ),
    },
)


def amounts_fit(row: dict[str, Any]) -> dict[str, Any]:
    if row["currency"] == "JPY":
        row["value"] = row["value"].partition(".")[0]
    return row


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read_orders(form: str, text: str, line: int) -> Batch[OrderRow]:
    (batch,) = OrderReader(SETTING).batches(form, text, line)
    return batch


def read_contacts(form: str, text: str, line: int) -> Batch[ContactRow]:
    (batch,) = ContactReader(CONTACT_SETTING).batches(form, text, line)
    return batch


@pytest.mark.parametrize(
    ("refunds", "back"),
    [
        ({"import": 50}, 50),
        ({"import": 50, "7": 50}, 50),
        ({"import": 50, "7": 50, "8": 10}, 60),
        ({"import": 50, "7": 20}, 50),
        ({"7": 20, "8": 10}, 30),
        ({"import": 50, "7": 50, "member": 5}, 55),
        ({}, 0),
    ],
)
def test_what_an_import_tells_as_given_back_is_not_added_to_what_the_source_itemises(
    refunds: dict[str, int], back: int
) -> None:
    said = {"external_id": "1", "status": "paid", "value": 1000, "currency": "BRL"}
    told = [said] + [{"external_id": "1", "refunds": {name: [amount, "BRL"]}} for name, amount in refunds.items()]
    entries = [Entry(at=at, digest="d", recorded_at=at, said=one) for at, one in enumerate(told)]
    for history in (entries, entries[::-1]):
        assert fold(history).refunded_value == back


@given(NASTY | st.text())
def test_a_guarded_cell_is_no_formula_and_gives_its_text_back(text: str) -> None:
    cell = guarded(text)
    assert unguarded(cell) == text
    assert cell[:1] not in set("=+-@＝＋－＠|%\t\r\n")


@pytest.mark.parametrize("text", ["=1+1", "＝1+1", "＋1", "－1", "＠SUM(1)", "\t=1", "\r=1", "|calc", "%0a", "'=1"])
def test_what_begins_a_formula_gets_an_apostrophe_before_it(text: str) -> None:
    assert guarded(text) == f"'{text}"


def test_a_transaction_takes_few_rows_and_few_names() -> None:
    """PostgreSQL's table of locks is for all transactions, and webhooks are committed between two of an import's."""
    plain = "".join(f'{{"external_id": "{at}", "value": "1"}}\n' for at in range(2500))
    assert [len(batch.rows) for batch in OrderReader(SETTING).batches(JSONL, plain, 1)] == [1000, 1000, 500]
    known = " | ".join(f"u{{0}}x{at}@example.com" for at in range(9))
    text = "emails\n" + "".join(known.format(at) + "\n" for at in range(600)) + "nobody\n"
    batches = list(ContactReader(CONTACT_SETTING).batches(CSV, text, 2))
    assert [len(batch.rows) for batch in batches] == [200, 200, 200]
    assert [[one.line for one in batch.faults] for batch in batches] == [[], [], [602]]


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
    assert max(part.rows for part in cut) <= 5_000
    assert max(len(part.text.encode()) for part in cut) < MAX_REQUEST_BYTES


def test_a_stray_quote_costs_its_own_row_and_one_that_never_closes_is_named() -> None:
    text = 'external_id,title\n1,Monitor 5" wide\n2,b\n3,"open\n4,d\n'
    faults: list[Fault] = []
    found = [
        row
        for part in parts(CSV, io.StringIO(text, newline="\n"), ORDERS, 1)
        for row in rows_of(CSV, part.text, part.line, ORDERS, faults)
    ]
    assert [(line, row["external_id"]) for line, row in found] == [(2, "1"), (3, "2")]
    (fault,) = faults
    assert fault.line == 4 and "lines 4 to 5 were read as one: is a quote open?" in fault.message
    with pytest.raises(NoFile, match="line 2: a row is longer"):
        list(parts(CSV, ["external_id\n", '"', *["x" * 1000] * 1001], ORDERS))


def test_a_row_is_the_same_in_csv_and_in_json_lines() -> None:
    row = {
        "external_id": "1",
        "value": "1.00",
        "test": "true",
        "items": '[{"title": "x", "quantity": 2}]',
        "contact_email": "a@example.com | b@example.com",
        "deal_id": "7",
    }
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
    one, other = read_orders(CSV, text.getvalue(), 1).rows, read_orders(JSONL, lines([listed]), 1).rows
    assert one == other and one[0].statement.digest


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "1",
        "null",
        "{",
        '{"external_id": NaN}',
        '{"external_id": 1e400}',
        '{"external_id": "\\ud800"}',
        '{"items": {}}',
        '{"external_id": [1]}',
        '{"value": ' + "9" * 5000 + "}",
        '{"contact_email": {"a": 1}}',
        "[" * 5000,
        '{"items": "[1]"}',
        '{"items": [{"title": "x", "quantity": 1e999}]}',
        '{"items": [{"title": "x", "unit_value": 1.5}]}',
        '{"deal": "1", "deal_id": "2"}',
        '{"external_id": "\\u0000"}',
        '{"items": "[{\\"title\\": \\"\\\\u0000\\"}]"}',
        "\x00",
        '{"crm_contact_id": true, "external_id": {}}',
    ],
)
def test_a_strangers_line_is_a_fault_and_no_crash(line: str) -> None:
    assert read_orders(JSONL, line + "\n", 7).faults[0].line == 7
    for text in (f"external_id\n{line}\n", f"id,external_id,value\n,{line},\n"):
        read_orders(CSV, text, 2)
        read_contacts(CSV, text.replace("external_id", "emails").replace("value", "name"), 2)
    read_contacts(JSONL, line + "\n", 1)


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
    assert {
        "id",
        "contact_id",
        "crm_contact_id",
        "deal_id",
        "title",
        "value",
        "refunded_value",
        "currency",
        "status",
        "source_status",
        "ordered_at",
        "paid_at",
        "origin",
        "source_id",
        "external_id",
        "url",
        "test",
        "items",
        "created_at",
        "updated_at",
    } <= set(ORDER_COLUMNS)
