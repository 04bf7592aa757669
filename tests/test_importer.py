"""What an import stores: the fold of each order's history, the same however the rows are cut into transactions."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.contract.fold import Entry, fold
from app.base.clock import now
from app.base.statement import UNTIMED
from app.base.tabular import CSV, JSONL, NoFile
from app.base.tuning import Tuning
from app.db.engine import Unavailable
from app.imports import importer as app_importer
from app.imports.importer import Importer
from app.imports.presets import OUR_CONTACTS
from app.imports.rows import ImportSettings
from app.store.import_orders import ImportReport
from app.store.order_aggregate import LoadedOrder, _columns
from tests.house import House

pytestmark = pytest.mark.anyio

TIMES = {"created_at", "updated_at", "recorded_at", "told_at"}

EMAILS = st.sampled_from([f"{name}@example.com" for name in "abcdef"])
ROWS = st.fixed_dictionaries(
    {
        "external_id": st.sampled_from([*"123456789", "", "ä,\n\"'"]),
        "value": st.sampled_from(["1.00", "100", "7", "x", "1.005"]),
    },
    optional={
        "currency": st.sampled_from(["BRL", "JPY", "KWD", "USD", "XX"]),
        "source_id": st.sampled_from(["src_1", "src_none"]),
        "status": st.sampled_from(["paid", "pending", "refunded", "payed"]),
        "title": st.text(max_size=3),
        "refunded_value": st.sampled_from(["1", "100", "0", "-1"]),
        "items": st.just([{"title": "x", "quantity": 2}]),
        "ordered_at": st.sampled_from(["2026-01-01", "2026-01-02T10:00:00-03:00", "yesterday"]),
        "test": st.booleans(),
        "paid_at": st.just("2026-01-03"),
        "updated_at": st.sampled_from(["2026-02-01", "2026-02-02"]),
        "deal_id": st.just("7"),
        "contact_email": EMAILS | st.lists(EMAILS, max_size=3) | st.just("nobody"),
        "contact_name": st.just("Ana"),
        "crm_contact_id": st.sampled_from(["41", "42", "43"]),
        "contact_document": st.sampled_from(["529.982.247-25", "1"]),
        "contact_id": st.just("cnt_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        "id": st.just("ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    },
)


def setting() -> ImportSettings:
    return ImportSettings(
        region="BR",
        currency="BRL",
        sources={"src_1": "commerce"},
        renamed={},
        source_id=None,
        origin="manual",
        present=now(),
    )


def files() -> list[str]:
    """Files of orders; gathered first, since an example cannot be awaited."""
    found: list[str] = []

    @hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(ROWS, min_size=1, max_size=12))
    def gather(rows: list[dict[str, Any]]) -> None:
        found.append("".join(f"{json.dumps(row)}\n" for row in rows))

    gather()
    return found


def table(count: int) -> str:
    return "external_id,value,contact_email\n" + "".join(
        f"{at},{at % 900}.90,user{at % 50}@example.com\n" for at in range(count)
    )


async def take(
    house: House, account: str, form: str, text: str, line: int = 1, *, dry_run: bool = False, rows: int = 1_000
) -> ImportReport:
    importer = Importer(house.service.store, Tuning(import_rows=rows))
    return await importer.orders(account, form, text, line, setting(), by="mem", dry_run=dry_run)


async def test_rows_are_stored_alike_however_many_a_transaction_has(house: House) -> None:
    since = now()
    sizes = {"one": 1, "many": 1000}
    for account in sizes:
        known = '{"crm_id": "42", "emails": ["a@example.com"], "documents": ["529.982.247-25"], "owner_id": "rep"}\n'
        known += '{"emails": ["b@example.com"]}\n'
        await house.service.importer.contacts(
            account, JSONL, known, 1, replace(setting(), form=OUR_CONTACTS), dry_run=False
        )
    outcomes: set[str] = set()
    for text in files():
        reports = []
        for account, size in sizes.items():
            reports.append(await take(house, account, JSONL, text, rows=size))
        one, many = reports
        assert (one.created, one.updated, one.unchanged, _lines(one)) == (
            many.created,
            many.updated,
            many.unchanged,
            _lines(many),
        )
        outcomes |= {name for name in ("created", "updated", "unchanged", "faults", "notes") if getattr(one, name)}
    assert len(outcomes) == 5, "the files try everything"
    few, many_ = [await stored(house, account, since) for account in sizes]
    assert few == many_
    assert any('"owner_id": "rep"' in row for row in few["orders"])


def _lines(report: ImportReport) -> list[list[tuple[int, str]]]:
    return [[(one.line, one.field) for one in its] for its in (report.faults, report.notes)]


async def stored(house: House, account: str, since: int) -> dict[str, list[str]]:
    """Every row in every table that an import writes, ids told by what they stand for, and times of our own left out."""
    found = {
        name: await house.service.store.all(f"SELECT * FROM {name} WHERE account_id = :account", account=account)
        for name in ("orders", "history", "aliases", "contacts", "identities", "conflicts")
    }
    means = {row["id"]: f"{row['scope']} {row['external_id']}" for row in found["orders"]}
    for row in sorted(found["identities"], key=lambda row: (row["kind"], row["value"])):
        means[row["contact_id"]] = f"{means.get(row['contact_id'], '')} {row['kind']} {row['value']}"

    def told(name: str, value: Any) -> Any:
        if name in {"id", "order_id", "contact_id"}:
            return means.get(value, value)
        if name == "said":
            said = json.loads(value)
            return said | {"contact_id": means.get(said["contact_id"])} if "contact_id" in said else said
        # A row that names no time is of the present, and its correction a moment later.
        return "present" if name in {"ordered_at", "at"} and value >= since else value

    return {
        table_: sorted(
            json.dumps({name: told(name, value) for name, value in row.items() if name not in TIMES | {"account_id"}})
            for row in rows
        )
        for table_, rows in found.items()
    }


async def test_every_order_that_was_imported_is_the_fold_of_its_history(house: House) -> None:
    for text in files():
        await take(house, "acc", JSONL, text)
    orders = await house.service.store.all("SELECT * FROM orders WHERE account_id = 'acc'")
    history = await house.service.store.all("SELECT * FROM history WHERE account_id = 'acc'")
    assert len(orders) > 10
    for row in orders:
        entries = [
            Entry(
                at=None if one["at"] == UNTIMED else one["at"],
                digest=one["digest"],
                recorded_at=one["recorded_at"],
                said=json.loads(one["said"]),
            )
            for one in history
            if one["order_id"] == row["id"]
        ]
        order = LoadedOrder(row["account_id"], row["id"], row["scope"], row["source_id"], row["origin"], row=row)
        assert row | {"test": bool(row["test"])} == _columns(order, fold(entries), row["contact_id"])


async def test_a_large_part_comes_whole_and_in_its_order(house: House) -> None:
    header, _, rest = table(3000).partition("\n")
    text = f"{header}\nx,y,\na,1.00,a@example.com | nobody\n{rest}x,y,\n1,5.00,\n"
    report = await take(house, "acc", CSV, text, 2)
    assert (report.created, report.updated) == (3001, 1)
    assert [[one.line for one in its] for its in (report.faults, report.notes)] == [[2, 3004], [3]]
    with pytest.raises(NoFile, match="no such column"):
        await take(house, "acc", CSV, "a,b\n1,2\n", 2)
    assert (await take(house, "acc", CSV, table(3000), 2)).unchanged == 3000


async def test_an_import_that_fails_half_way_goes_on_from_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun = app_importer.import_orders, 0

    def failing(*given: Any, **named: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == 3:
            raise Unavailable("full")
        return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(app_importer, "import_orders", failing)
        with pytest.raises(Unavailable):
            await take(house, "acc", CSV, table(5000), 2)
    there = await house.service.store.one("SELECT count(*) AS many FROM orders")
    assert there == {"many": 2000}
    text = table(5000) + "x,y,\n1,5.00,\n"
    rehearsed = await take(house, "acc", CSV, text, 2, dry_run=True)
    assert (rehearsed.unchanged, [one.line for one in rehearsed.faults]) == (2000, [5002])
    assert await house.service.store.one("SELECT count(*) AS many FROM orders") == there
    report = await take(house, "acc", CSV, text, 2)
    assert (report.created, report.updated, report.unchanged) == (3000, 1, 2000)
    assert [one.line for one in report.faults] == [5002]
