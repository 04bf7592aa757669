"""What a plan's statements see of one another, on both engines, and how often PostgreSQL is waited for."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.base.settings import Settings
from app.base.tuning import Tuning
from app.base.vault import Vault, make_key
from app.db.engine import Rejected, Store
from app.db.statements import Insert, Lookup, Plan, Sql, SqlStatement
from tests.house import House, order_event

pytestmark = pytest.mark.anyio

_SALT = Insert("salts")
_DEAL = Insert("deals", columns=("account_id", "crm_id", "contact_id", "created_at", "updated_at"))
_SALTS, _DEALS = Lookup("salts", by=("account_id",)), Lookup("deals", ("crm_id",), by=("account_id", "crm_id"))


async def committed(settings: Settings, plan: Callable[[], Plan[Any]]) -> Any:
    store = Store(settings, Vault([make_key()]), Tuning())
    await store.open()
    try:
        return await store.commit(plan)
    finally:
        await store.close()


async def test_a_plan_sees_all_that_it_has_inserted(settings: Settings) -> None:
    def plan() -> Plan[list[Any]]:
        seen: list[Any] = []
        yield _SALT.many([("one", "first")])
        yield _DEAL.many([("one", name, "cnt", 0, 0) for name in "ab"])
        seen.append((yield _SALTS.many([("one",)])))
        yield _DEAL.many([("one", "c", "cnt", 0, 0)])  # the same table again
        yield _SALT.many([("two", "second")])
        seen.append((yield _DEALS.many([("one", name) for name in "abc"])))
        yield _DEAL.many([])
        yield _DEAL.many([("two", "d", "cnt", 0, 0)])
        yield Sql("UPDATE salts SET salt = 'other' WHERE account_id = 'two'")
        seen.append((yield _SALTS.many([("two",)])))
        yield _DEAL.many([("two", "e", "cnt", 0, 0)])
        return seen

    salts, deals, changed = await committed(settings, plan)
    assert salts == [{"account_id": "one", "salt": "first"}]
    assert sorted(row["crm_id"] for row in deals) == ["a", "b", "c"]
    assert changed == [{"account_id": "two", "salt": "other"}]

    def stored() -> Plan[list[str]]:
        return [row["crm_id"] for row in (yield Sql("SELECT crm_id FROM deals ORDER BY crm_id"))]

    assert await committed(settings, stored) == ["a", "b", "c", "d", "e"]


async def test_one_row_that_cannot_be_inserted_undoes_all(settings: Settings) -> None:
    def plan() -> Plan[None]:
        yield _DEAL.many([("one", "a", "cnt", 0, 0)])
        yield _SALT.many([("one", "first"), ("one", "second")])

    with pytest.raises(Rejected):
        await committed(settings, plan)

    def stored() -> Plan[list[Any]]:
        return (yield Sql("SELECT crm_id FROM deals"))  # type: ignore[no-any-return]

    assert await committed(settings, stored) == []


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 40, 63, 64, 65, 200])
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_any_number_of_rows_goes_in_a_few_statements(settings: Settings, rows: int) -> None:
    def plan() -> Plan[list[Any]]:
        yield _DEAL.many([("one", f"{row:03}", "cnt", 0, 0) for row in range(rows)])
        return [row["crm_id"] for row in (yield Sql("SELECT crm_id FROM deals ORDER BY crm_id"))]

    assert await committed(settings, plan) == [f"{row:03}" for row in range(rows)]


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_delivery_waits_for_postgresql_a_dozen_times_and_writes_in_one_statement(house: House) -> None:
    source, asked = await house.source(), list[str]()
    await house.deliver(source, order_event("first"))
    async with house.service.store._writer.connection() as connection:  # its only connection that is free comes first
        connection.raw_connection.add_query_logger(lambda query: asked.append(query.query))
    answer = await house.deliver(source, order_event("second"))
    assert answer.json()["outcome"] == "created"
    begun = max(at for at, query in enumerate(asked) if query.startswith("BEGIN; SELECT"))
    commit = asked[begun : asked.index("COMMIT", begun) + 1]
    assert len(commit) <= 12, commit
    assert sum("INSERT INTO" in query for query in commit) == 1, commit


class Thread(SqlStatement):
    """Gives the thread that a plan's statements run in."""

    def on_sqlite(self, connection: sqlite3.Connection) -> int:
        return threading.get_ident()


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(("within", "on_the_loop"), [(60.0, [False, True, True]), (-1.0, [False, True, False])])
async def test_a_quick_plan_runs_on_the_loop_until_one_takes_long(
    settings: Settings, within: float, on_the_loop: list[bool]
) -> None:
    def plan(name: str) -> Plan[int]:
        yield _DEAL.many([("one", name, "cnt", 0, 0)])
        return (yield Thread())  # type: ignore[no-any-return]

    def fails() -> Plan[None]:
        yield _DEAL.many([("one", "lost", "cnt", 0, 0)])
        raise LookupError

    here, store = threading.get_ident(), Store(settings, Vault([make_key()]), Tuning(commit_quick_within=within))
    await store.open()
    try:
        with pytest.raises(LookupError):
            await store.commit(fails, quick=True)
        seen = [
            await store.commit(lambda: plan("a")),
            await store.commit(lambda: plan("b"), quick=True),
            await store.commit(lambda: plan("c"), quick=True),
        ]
        rows = await store.all("SELECT crm_id FROM deals ORDER BY crm_id")
    finally:
        await store.close()
    assert [thread == here for thread in seen] == on_the_loop
    assert [row["crm_id"] for row in rows] == ["a", "b", "c"]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_quick_plan_that_is_given_up_leaves_no_transaction_open(settings: Settings) -> None:
    def plan(name: str) -> Plan[None]:
        yield _DEAL.many([("one", name, "cnt", 0, 0)])

    store = Store(settings, Vault([make_key()]), Tuning())
    await store.open()
    try:
        for steps in range(6):  # it waits for BEGIN, then for COMMIT
            task = asyncio.create_task(store.commit(lambda name=f"a{steps}": plan(name), quick=True))  # type: ignore[misc]
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await store.commit(lambda: plan("b"), quick=True)
        rows = await store.all("SELECT crm_id FROM deals WHERE crm_id = 'b'")
    finally:
        await store.close()
    assert len(rows) == 1
