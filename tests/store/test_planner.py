"""What SQLite's planner is told: in an account of any size an index is walked where one leads to the few that are wanted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.base.settings import read_settings
from app.base.vault import Vault, make_key
from app.db.engine import Store
from app.db.planner import set_statistics
from app.store import order_list

pytestmark = pytest.mark.anyio

# What many routes stand on, and the index that leads there. Untold, each of them walks all that the account has.
LED = {
    "SELECT currency, sum(value) FROM orders WHERE account_id = ? AND contact_id = ? AND value IS NOT NULL GROUP BY currency": "orders_of_contact (account_id=? AND contact_id=?)",
    "SELECT currency, sum(value) FROM orders WHERE account_id = ? AND deal_id = ? AND value IS NOT NULL GROUP BY currency": "orders_of_deal (account_id=? AND deal_id=?)",
    "SELECT count(*) FROM orders WHERE account_id = ? AND value IS NOT NULL AND owner_id = ?": "orders_of_owner (account_id=? AND owner_id=?)",
    "SELECT * FROM identities WHERE account_id = ? AND contact_id = ?": "identities_by_contact (account_id=? AND contact_id=?)",
    "SELECT * FROM deals WHERE account_id = ? AND contact_id = ? ORDER BY crm_id": "deals_of_contact (account_id=? AND contact_id=?)",
    "UPDATE orders SET owner_id = NULL WHERE account_id = ? AND contact_id = ?": "orders_of_contact (account_id=? AND contact_id=?)",
    "SELECT count(*) FROM deliveries WHERE account_id = ? AND outcome = 'held'": "deliveries_by_outcome (account_id=? AND outcome=?)",
    "SELECT reason FROM deliveries WHERE account_id = ? AND outcome = 'unfetched' ORDER BY id DESC LIMIT 200": "deliveries_by_outcome (account_id=? AND outcome=?)",
    "SELECT id FROM orders WHERE account_id = ? AND value IS NOT NULL AND deal_owner_id = ? ORDER BY ordered_at DESC, id DESC": "orders_of_deal_owner (account_id=? AND deal_owner_id=?",
    "SELECT sum(value) FROM orders WHERE account_id = ? AND contact_id = ? AND value IS NOT NULL AND ordered_at >= ?": "orders_of_contact (account_id=? AND contact_id=? AND ordered_at>?)",
    "SELECT sum(value) FROM orders WHERE account_id = ? AND deal_id = ? AND value IS NOT NULL AND ordered_at < ?": "orders_of_deal (account_id=? AND deal_id=?",
    "DELETE FROM held WHERE account_id = ? AND delivery_id = ?": "held_of_delivery (account_id=? AND delivery_id=?)",
    "SELECT h.said FROM orders o JOIN history h ON h.account_id = o.account_id AND h.order_id = o.id WHERE o.account_id = ? AND o.contact_id = ?": "orders_of_contact (account_id=? AND contact_id=?)",
}


@pytest.fixture
def file(migrated_file: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "orders.db"
    copy.write_bytes(migrated_file.read_bytes())
    return copy


@pytest.fixture
def database(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def plan(connection: sqlite3.Connection, sql: str) -> str:
    return "; ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", ["x"] * sql.count("?")))


@pytest.mark.parametrize("sql", LED)
async def test_an_index_is_walked(database: sqlite3.Connection, sql: str) -> None:
    set_statistics(database)
    assert LED[sql] in plan(database, sql)


async def test_a_contact_by_either_of_its_ids(database: sqlite3.Connection) -> None:
    set_statistics(database)
    found = plan(database, "SELECT id FROM contacts WHERE account_id = ? AND (id = ? OR crm_id = ?)")
    assert "(account_id=? AND id=?)" in found
    assert "contacts_by_crm_id (account_id=? AND crm_id=?)" in found


async def test_every_index_has_its_figures_when_a_store_has_been_opened(
    file: Path, database: sqlite3.Connection
) -> None:
    store = Store(read_settings(database_url=f"sqlite:///{file}"), Vault([make_key()]))
    await store.open()
    await store.close()
    indexes = {
        (table, index)
        for (table,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for _, index, *_ in database.execute(f"PRAGMA index_list({table})").fetchall()
    }
    figures = database.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
    assert len(figures) == len(indexes) > 20
    assert all(int(each) >= 1 for _, _, stat in figures for each in stat.split())


async def test_what_is_known_is_not_written_again(database: sqlite3.Connection) -> None:
    set_statistics(database)
    written = database.total_changes
    set_statistics(database)
    assert database.total_changes == written


async def test_what_somebody_counted_gives_way(database: sqlite3.Connection) -> None:
    set_statistics(database)
    figures = database.execute("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2").fetchall()
    database.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'orders'")
    database.execute("ANALYZE")
    set_statistics(database)
    assert database.execute("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2").fetchall() == figures


@pytest.mark.parametrize("of", ["", "AND o.status = :status"])
async def test_runs_are_stepped_through_without_reading_all_orders_first(database: sqlite3.Connection, of: str) -> None:
    set_statistics(database)
    values = {"account_id": "x", "most": 200, "status": "paid"}
    steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {order_list._RUNS.format(of=of)}", values)]
    assert not [step for step in steps if "BLOOM" in step or "AUTOMATIC" in step]
    assert len([step for step in steps if "orders_by_traits" in step]) == 1 + len(order_list.TRAITS)
