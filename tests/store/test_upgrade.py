"""A database of the first revision, brought to today's: what waited there is taken up."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from app.base.settings import Settings, read_settings
from app.base.vault import make_key
from app.db.migrate import _config, _run, migrate, newest, standing
from app.db.schema import metadata
from tests.conftest import admin, named, now

pytestmark = pytest.mark.anyio


async def test_thin_deliveries_of_an_older_version_are_fetched_after_the_upgrade(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    engine = create_engine(f"sqlite:///{file}")
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        for name, outcome in (("dlv_1", "fetching"), ("dlv_2", "created")):
            connection.execute(
                "INSERT INTO deliveries VALUES ('acc', ?, 'src', ?, 'd', 'payment', NULL, ?, NULL, '[]', 'mac', '[]', 5, 6, 1)",
                (name, name, outcome),
            )
    before, after = await migrate(read_settings(database_url=f"sqlite:///{file}"))
    assert (before, after) == ("0001", newest())
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT * FROM fetches").fetchall() == [("acc", "dlv_1", "src", 0, 5, 0)]


def test_the_newest_revision_is_the_one_that_the_revisions_lead_to() -> None:
    assert newest() == ScriptDirectory.from_config(_config()).get_current_head()


async def test_what_is_up_to_date_needs_no_alembic(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("alembic.config", "alembic.migration", "sqlalchemy.ext.asyncio"):
        monkeypatch.setitem(sys.modules, module, None)  # how Python says "not to be found"
    assert await migrate(settings) == await standing(settings) == (newest(), newest())


@pytest.fixture
def unmigrated(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """The settings of a database without any tables."""
    if engine == "sqlite":
        return read_settings(database_url=f"sqlite:///{tmp_path}/older.db")
    address, name = request.getfixturevalue("postgresql"), f"older_{uuid4().hex}"
    now(admin(address, f"CREATE DATABASE {name}"))
    return read_settings(database_url=named(address, name), master_key=make_key())


async def to_revision(settings: Settings, revision: str, *statements: str) -> None:
    """Brings the database to this revision, and runs these statements there."""

    def upgrade(connection: Connection) -> tuple[str | None, str]:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.exec_driver_sql(statement)
        return None, revision

    await _run(settings, upgrade)


async def rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    """What a read of the database gives."""
    found: list[tuple[object, ...]] = []

    def read(connection: Connection) -> tuple[str | None, str]:
        found.extend(tuple(row) for row in connection.exec_driver_sql(sql))
        return None, ""

    await _run(settings, read)
    return found


async def test_whose_an_order_is_is_carried_into_its_history(unmigrated: Settings) -> None:
    orders = [
        "INSERT INTO orders (account_id, id, scope, external_id, origin, contact_id, refunded_value, status, test, items, "
        f"created_at, updated_at) VALUES ('acc', '{order}', 's', '{order}', 'webhook', {contact}, 0, 'paid', false, '[]', 1, 1)"
        for order, contact in (("ord_1", "'cnt_1'"), ("ord_2", "NULL"))
    ]
    history = [
        "INSERT INTO history (account_id, order_id, at, rank, digest, recorded_at, delivery_id, said) "
        f"VALUES ('acc', '{order}', {at}, 0, 'd', 1, {delivery}, '{{}}')"
        for order in ("ord_1", "ord_2")
        for at, delivery in enumerate(("'dlv_1'", "NULL"))
    ]
    await to_revision(unmigrated, "0008", *orders, *history)
    assert await migrate(unmigrated) == ("0008", newest())
    found = await rows(unmigrated, "SELECT order_id, contact_id FROM history ORDER BY order_id, at")
    assert found == [("ord_1", "cnt_1")] * 2 + [("ord_2", None)] * 2


async def test_whose_contacts_and_deals_are_is_carried_to_their_orders(unmigrated: Settings) -> None:
    people = [
        f"INSERT INTO contacts (account_id, id, owner_id, by_webhook, created_at, updated_at) VALUES ('acc', '{name}', {owner}, false, 1, 1)"
        for name, owner in (("cnt_1", "'rep'"), ("cnt_2", "NULL"))
    ]
    deal = "INSERT INTO deals (account_id, crm_id, contact_id, owner_id, created_at, updated_at) VALUES ('acc', 'd', 'cnt_1', 'boss', 1, 1)"
    orders = [
        "INSERT INTO orders (account_id, id, scope, external_id, origin, contact_id, deal_id, value, refunded_value, status, test, "
        f"items, created_at, updated_at) VALUES ('acc', '{order}', 's', '{order}', 'webhook', {contact}, {deal_id}, {value}, 0, 'paid', "
        "false, '[]', 1, 1)"
        for order, contact, deal_id, value in (
            ("1", "'cnt_1'", "NULL", 5), ("2", "'cnt_2'", "'d'", 5), ("3", "'cnt_1'", "'d'", "NULL"), ("4", "NULL", "'gone'", 5),
        )
    ]  # fmt: skip
    await to_revision(unmigrated, "0008", *people, deal, *orders)
    await migrate(unmigrated)
    found = await rows(unmigrated, "SELECT id, owner_id, deal_owner_id FROM orders ORDER BY id")
    assert found == [("1", "rep", None), ("2", None, "boss"), ("3", None, None), ("4", None, None)]


async def test_the_migrations_and_the_tables_tell_the_same(settings: Settings) -> None:
    """Tables, columns, indexes and keys, on both engines."""
    address = settings.database_url
    if settings.on_sqlite:
        engine = create_engine(address)
        with engine.connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection), metadata)
        engine.dispose()
    else:
        on_postgresql = create_async_engine(address.replace("postgresql://", "postgresql+asyncpg://", 1))
        async with on_postgresql.connect() as held:
            found = await held.run_sync(lambda one: compare_metadata(MigrationContext.configure(one), metadata))
        await on_postgresql.dispose()
    assert [change for change in found if "alembic_version" not in str(change)] == []
