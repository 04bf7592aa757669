"""Migrations: bring a database to this version's schema, all or nothing. A failed one leaves no trace."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import migrations
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.db.engine import Unavailable

# Alembic and what it needs are imported where they are used: whatever does not migrate starts without them, in half
# a second less.
if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_Work = Callable[["Connection"], tuple[str | None, str]]
_REVISION = "SELECT version_num FROM alembic_version"
_LOCK = 7_305_808_869  # any number of our own: two processes that start together migrate one after the other


class Newer(Exception):
    """Raised when a newer version of this program made the database."""


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


@cache
def newest() -> str:
    """Return the revision that this version needs: the last of the migration files, which are named by number."""
    versions = Path(migrations.__file__).parent / "versions"
    return max(path.name.partition("_")[0] for path in versions.glob("[0-9]*_*.py"))


def _upgrade(connection: "Connection") -> tuple[str | None, str]:
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = _config()
    before = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and before not in known:
        raise Newer(
            f"the database is at revision {before}, which this version does not know: it was made by a newer one"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before, newest()


def _look(connection: "Connection") -> tuple[str | None, str]:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision(), newest()


async def migrate(settings: Settings) -> tuple[str | None, str]:
    """Migrate to the newest revision. Returns the revisions before and after. Raises Unavailable, Newer."""
    if await _glance(settings) == newest():
        return newest(), newest()
    if settings.on_sqlite:
        with _as_unavailable("the database cannot be migrated"):
            settings.database_path.parent.mkdir(parents=True, exist_ok=True)
            settings.database_path.touch(mode=0o600)  # people's data: for the service's own user alone
    return await _run(settings, _upgrade)


async def standing(settings: Settings) -> tuple[str | None, str]:
    """Return the database's revision and the one that this version needs. Changes nothing. Raises Unavailable."""
    if settings.on_sqlite and not settings.database_path.exists():
        return None, newest()
    at = await _glance(settings)
    return (at, newest()) if at else await _run(settings, _look)


async def differences(settings: Settings) -> list[str]:
    """Return how tables, columns and indexes differ from what this version expects, in words. Changes nothing.

    Tables and indexes that somebody has added are left alone. Raises Unavailable.
    """
    found: list[str] = []

    def compare(connection: "Connection") -> tuple[str | None, str]:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        from app.db.schema import metadata

        for changes in compare_metadata(MigrationContext.configure(connection), metadata):
            # What is to be altered in one column comes as a list of its own.
            found.extend(filter(None, map(_in_words, changes if isinstance(changes, list) else [changes])))
        return None, ""

    await _run(settings, compare)
    return sorted(found)


def _in_words(change: tuple[Any, ...]) -> str | None:
    """Describe one of Alembic's changes that would make the database as expected."""
    match change:
        case ("remove_table" | "remove_index", *_):
            return None
        case ("add_table" | "add_index" | "add_constraint" | "add_fk" as what, thing):
            return f"{what.removeprefix('add_')} {thing.name} is missing"
        case ("add_column", _, table, column):
            return f"column {table}.{column.name} is missing"
        case ("remove_column", _, table, column):
            return f"column {table}.{column.name} is unknown"
        case (str(what), _, table, column, *_) if what.startswith("modify_"):
            return f"column {table}.{column} differs in its {what.removeprefix('modify_')}"
    return f"{change[0]} {change[1]}"


async def _glance(settings: Settings) -> str | None:
    """Return the database's revision, read without Alembic; None if there is none or it cannot be read."""
    if settings.on_sqlite:
        return await asyncio.to_thread(_glance_at_file, settings.database_path)
    import asyncpg

    from app.db.postgresql import connect

    try:
        connection = await connect(settings.database_url, Tuning())
        try:
            revision: str | None = await connection.fetchval(_REVISION)
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError):
        return None
    return revision


def _glance_at_file(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            row = connection.execute(_REVISION).fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


async def _run(settings: Settings, what: _Work) -> tuple[str | None, str]:
    with _as_unavailable("the database cannot be migrated" if what is _upgrade else "the database cannot be read"):
        if settings.on_sqlite:
            return await asyncio.to_thread(_on_sqlite, settings, what)
        return await _on_postgresql(settings, what)
    raise AssertionError("unreachable")


@contextmanager
def _as_unavailable(words: str) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as fault:
        # The engine's own words; around them SQLAlchemy writes the statement, its values and where to read more.
        raise Unavailable(f"{words}: {getattr(fault, 'orig', None) or fault}") from fault
    except OSError as fault:
        raise Unavailable(f"{words}: {fault}") from fault


def _on_sqlite(settings: Settings, what: _Work) -> tuple[str | None, str]:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    engine = create_engine(f"sqlite:///{settings.database_path}", poolclass=NullPool)

    # Python's sqlite3 would commit before each CREATE; told to leave transactions alone, all of it is one.
    @event.listens_for(engine, "connect")
    def own_transactions(connection: object, _: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # a sqlite3.Connection

    @event.listens_for(engine, "begin")
    def begin(connection: "Connection") -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if what is _upgrade else "BEGIN")

    try:
        with engine.begin() as connection:
            return what(connection)
    finally:
        engine.dispose()


async def _on_postgresql(settings: Settings, what: _Work) -> tuple[str | None, str]:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        settings.database_url.replace("postgresql://", "postgresql+asyncpg://", 1),
        poolclass=NullPool,
        connect_args={"timeout": Tuning().postgresql_connect},
    )
    try:
        async with engine.begin() as connection:
            if what is _upgrade:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            return await connection.run_sync(what)
    finally:
        await engine.dispose()
