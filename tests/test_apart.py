"""Rows that another process has read are those that this one reads: the same is stored, whatever becomes of that process."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.contract.fold import Entry, fold
from app.base.clock import now
from app.base.statement import UNTIMED
from app.base.tabular import CSV, JSONL, NoFile
from app.db.engine import Unavailable
from app.imports import importer as app_importer
from app.imports.importer import Importer
from app.imports.rows import ImportSettings
from app.imports.worker import Apart, Ended
from app.store.import_orders import ImportReport
from app.store.order_aggregate import LoadedOrder, _columns
from tests.house import House, eventually

pytestmark = pytest.mark.anyio

HERE, APART = 10**9, 0  # characters from which on a part is read apart
TIMES = {"created_at", "updated_at", "recorded_at", "told_at"}

EMAILS = st.sampled_from([f"{name}@example.com" for name in "abcdef"])
ROWS = st.fixed_dictionaries(
    {"external_id": st.sampled_from([*"123456789", "", "ä,\n\"'"]), "value": st.sampled_from(["1.00", "100", "7", "x", "1.005"])},
    optional={
        "currency": st.sampled_from(["BRL", "JPY", "KWD", "USD", "XX"]), "source_id": st.sampled_from(["src_1", "src_none"]),
        "status": st.sampled_from(["paid", "pending", "refunded", "payed"]), "title": st.text(max_size=3),
        "refunded_value": st.sampled_from(["1", "100", "0", "-1"]), "items": st.just([{"title": "x", "quantity": 2}]),
        "ordered_at": st.sampled_from(["2026-01-01", "2026-01-02T10:00:00-03:00", "yesterday"]), "test": st.booleans(),
        "paid_at": st.just("2026-01-03"), "updated_at": st.sampled_from(["2026-02-01", "2026-02-02"]), "deal_id": st.just("7"),
        "contact_email": EMAILS | st.lists(EMAILS, max_size=3) | st.just("nobody"), "contact_name": st.just("Ana"),
        "crm_contact_id": st.sampled_from(["41", "42", "43"]), "contact_document": st.sampled_from(["529.982.247-25", "1"]),
        "contact_id": st.just("cnt_01ARZ3NDEKTSV4RRFFQ69G5FAV"), "id": st.just("ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    },
)  # fmt: skip


def setting() -> ImportSettings:
    return ImportSettings(
        region="BR", currency="BRL", sources={"src_1": "commerce"}, renamed={}, source_id=None, origin="manual", present=now()
    )  # fmt: skip


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


async def take(importer: Importer, account: str, form: str, text: str, line: int = 1) -> ImportReport:
    return await importer.orders(account, form, text, line, setting(), by="mem", rehearse=False)


async def test_what_is_read_apart_is_stored_as_what_is_read_here(house: House) -> None:
    store, since = house.service.store, now()
    both = [("here", Importer(store, large=HERE)), ("apart", Importer(store, large=APART))]
    both[1][1].alone()
    for _, importer in both:
        for account in ("here", "apart"):
            known = '{"crm_id": "42", "emails": ["a@example.com"], "documents": ["529.982.247-25"]}\n{"emails": ["b@example.com"]}\n'
            await importer.contacts(account, JSONL, known, 1, setting(), rehearse=False)
    outcomes: set[str] = set()
    for text in files():
        one, other = [await take(importer, account, JSONL, text) for account, importer in both]
        assert one == other
        outcomes |= {name for name in ("created", "updated", "unchanged", "faults", "notes") if getattr(one, name)}
    assert len(outcomes) == 5, "the files try everything"
    assert await stored(house, "here", since) == await stored(house, "apart", since)
    for _, importer in both:
        await importer.stop()


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
    importer = Importer(house.service.store, large=HERE)
    for text in files():
        await take(importer, "acc", JSONL, text)
    orders = await house.service.store.all("SELECT * FROM orders WHERE account_id = 'acc'")
    history = await house.service.store.all("SELECT * FROM history WHERE account_id = 'acc'")
    assert len(orders) > 10
    for row in orders:
        entries = [
            Entry(at=None if one["at"] == UNTIMED else one["at"], digest=one["digest"], recorded_at=one["recorded_at"],
                  said=json.loads(one["said"]))
            for one in history if one["order_id"] == row["id"]
        ]  # fmt: skip
        order = LoadedOrder(row["account_id"], row["id"], row["scope"], row["source_id"], row["origin"], row=row)
        assert row | {"test": bool(row["test"])} == _columns(order, fold(entries), row["contact_id"])


async def test_a_large_part_comes_whole_and_in_its_order(house: House) -> None:
    importer = Importer(house.service.store, large=APART)
    header, _, rest = table(3000).partition("\n")
    text = f"{header}\nx,y,\na,1.00,a@example.com | nobody\n{rest}x,y,\n1,5.00,\n"
    report = await take(importer, "acc", CSV, text, 2)
    assert (report.created, report.updated) == (3001, 1)
    assert [[one.line for one in its] for its in (report.faults, report.notes)] == [[2, 3004], [3]]
    with pytest.raises(NoFile, match="no such column"):
        await take(importer, "acc", CSV, "a,b\n1,2\n", 2)
    assert (await take(importer, "acc", CSV, table(3000), 2)).unchanged == 3000
    await importer.stop()


async def test_many_new_contacts_are_stored_as_a_few_at_a_time_are(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer, since = Importer(house.service.store, large=HERE), now()
    text = "external_id,value,crm_contact_id,contact_email,contact_phone,contact_name\n" + "".join(
        f"{at},1.00,{at % 700 if at % 9 else ''},u{at % 650}@example.com,{'11 91234-5678' if at % 50 == 3 else ''},Ana {at % 5}\n"
        for at in range(1000)
    )
    for account, rows in (("few", 50), ("many", 1000)):
        await importer.contacts(account, JSONL, '{"crm_id": "42", "owner_id": "rep"}\n', 1, setting(), rehearse=False)
        monkeypatch.setattr(importer, "_rows", rows)
        assert (await take(importer, account, CSV, text, 2)).created == 1000
    one, other = await stored(house, "few", since), await stored(house, "many", since)
    assert one == other
    assert len(one["contacts"]) > 600 and one["conflicts"]
    assert sum('"owner_id": "rep"' in row for row in one["orders"]) == 3


async def test_when_the_other_process_dies_the_rest_is_read_here(house: House) -> None:
    importer, apart = Importer(house.service.store, large=APART), Apart()
    importer.apart = apart
    # Rows are long and many, so that most are still to be told when the process dies, however far it is ahead.
    text = "".join(
        f'{{"external_id": "{at}", "value": "1.00", "title": "{"x" * 300}", "url": "https://e/{"x" * 1900}"}}\n'
        for at in range(12_000)
    )
    task = asyncio.create_task(take(importer, "acc", JSONL, text + "{}\n[]\n"))
    await eventually(lambda: house.service.store.all("SELECT id FROM orders LIMIT 1"), bool)
    process = apart._process
    assert process is not None and not task.done()
    process.kill()
    report = await task
    assert (report.created, report.unchanged, [one.line for one in report.faults]) == (12_000, 0, [12_002])
    assert apart._process is None and process.returncode is not None


async def test_whoever_stops_half_way_leaves_nothing_running() -> None:
    apart = Apart()
    async with aclosing(apart.orders(CSV, table(20_000), 2, setting())) as reads:
        async for read in reads:
            process = apart._process
            assert process is not None and len(read.rows) == 250
            break
    assert process.returncode is not None
    async with aclosing(apart.orders(CSV, table(3), 2, setting())) as reads:
        assert [len(read.rows) async for read in reads] == [3]
    process = apart._process
    assert process is not None and process.returncode is None  # it waits for the next part
    await apart.close()
    assert process.returncode is not None


async def test_an_import_that_fails_half_way_leaves_nothing_running(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer = Importer(house.service.store, large=APART)
    await importer.apart.begin()
    process, commits = importer.apart._process, 0
    assert process is not None
    real = importer._commit

    async def failing(plan: Any) -> ImportReport:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise Unavailable("full")
        return await real(plan)

    monkeypatch.setattr(importer, "_commit", failing)
    with pytest.raises(Unavailable):
        await take(importer, "acc", CSV, table(20_000), 2)
    assert process.returncode is not None and importer.apart._process is None
    assert (await take(importer, "acc", CSV, table(500), 2)).unchanged == 250
    await importer.stop()


async def test_whoever_is_alone_takes_a_part_in_whole_or_not_at_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = house.service.store
    importer = Importer(store, large=APART)
    importer.alone()
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
            await take(importer, "acc", CSV, table(5000), 2)
    assert begun >= 3 and importer.apart._process is None
    there = await store.one("SELECT count(*) AS many FROM orders")
    assert there is not None and there["many"] == (0 if store.on_sqlite else 750)
    text = table(5000) + "x,y,\n1,5.00,\n"
    rehearsed = await importer.orders("acc", CSV, text, 2, setting(), by="mem", rehearse=True)
    # Nothing stays of some rows when the next are looked at: the last row's order is new.
    assert (rehearsed.created, [one.line for one in rehearsed.faults]) == (
        5000 - there["many"] + store.on_sqlite,
        [5002],
    )
    assert await store.one("SELECT count(*) AS many FROM orders") == there
    report = await take(importer, "acc", CSV, text, 2)
    assert (report.created, report.updated) == (5000 - there["many"], 1)
    assert report.unchanged == there["many"] and [one.line for one in report.faults] == [5002]
    await importer.stop()


@pytest.mark.parametrize(("nice", "steps"), [(True, 5), (False, 0)])
async def test_it_steps_back_where_webhooks_may_come(nice: bool, steps: int) -> None:
    apart = Apart(nice=nice)
    async with aclosing(apart.orders(CSV, table(3), 2, setting())) as reads:
        assert [len(read.rows) async for read in reads] == [3]
    assert apart._process is not None
    mine, its = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, apart._process.pid))
    assert its == min(mine + steps, 19)
    await apart.close()


async def test_a_process_that_says_nothing_is_given_up() -> None:
    apart = Apart(retry_policy=0.0)
    with pytest.raises(Ended):
        async with aclosing(apart.orders(CSV, table(3), 2, setting())) as reads:
            async for _ in reads:
                pass
    assert apart._process is None


def test_it_ends_with_whoever_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "app.imports.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        other.stdin.close()
        assert other.wait(30) == 0
