"""A database of the first revision, brought to today's: what waited there is taken up."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from app.migrate import _config, migrate, newest
from app.settings import Settings, read_settings
from app.store.schema import metadata

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
