"""The one door to both engines: reads as `:named` SQL, writes as plans in one transaction."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from app.base.settings import Settings
from app.db.planner import set_statistics
from app.db.statements import Plan, Row, to_json

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

READERS = 4  # connections; a read is short, and more threads would only wait for the interpreter
# Seconds after which the event loop's thread gives the interpreter to the writing one (Python's own 5 ms would be waited
# for after each of a commit's statements).
SWITCH = 0.0002
SMALL_FILE = 256 * 1024 * 1024  # bytes; rewritten in about a second, in memory
PLAN_ATTEMPTS = 6  # a deadlock or a row that another process has just made is met by doing it again


class Unavailable(Exception):
    """The database cannot commit or answer now (gone, full, locked); nothing was changed."""

    def __init__(self, why: BaseException | str) -> None:
        # Of a time-out nothing is said by itself, and whoever reads the log would have an empty reason.
        super().__init__("the database did not answer in time" if isinstance(why, TimeoutError) else str(why))


class Rejected(Exception):
    """The database refuses this very data; the same again would be refused again."""


@dataclass(frozen=True)
class _Faults:
    """What an engine's faults mean."""

    away: tuple[type[BaseException], ...]  # says nothing about the data: the engine is gone, full or interrupted
    again: tuple[type[BaseException], ...]  # met by doing it once more
    data: tuple[type[BaseException], ...]


def _faults(on_sqlite: bool) -> _Faults:
    if on_sqlite:
        away: tuple[type[BaseException], ...] = (sqlite3.OperationalError, OSError, TimeoutError)
        return _Faults(away, (), (sqlite3.Error, OverflowError, UnicodeError))
    import asyncpg

    return _Faults(
        away=(
            asyncpg.PostgresConnectionError,
            asyncpg.InsufficientResourcesError,
            asyncpg.OperatorInterventionError,
            asyncpg.PostgresSystemError,
            asyncpg.InvalidTransactionStateError,
            asyncpg.ReadOnlySQLTransactionError,
            asyncpg.InterfaceError,
            OSError,
            TimeoutError,
        ),
        again=(asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError),
        data=(asyncpg.PostgresError, asyncpg.DataError, OverflowError, UnicodeError),
    )


class Store:
    """Both engines behind one face. `all` and `one` read; `commit` writes."""

    def __init__(self, settings: Settings) -> None:
        from app.db.engines import READER, WRITER, Database

        self.on_sqlite = settings.on_sqlite
        self._faults = _faults(self.on_sqlite)
        self._scrubbing = asyncio.Lock()
        self._to_scrub = self._scrubbed = 0
        if self.on_sqlite:
            url = f"sqlite:///{settings.database_path}"
            self._writer = Database(url, size=1, pragmas=WRITER)
            self._reader = Database(url, size=READERS, pragmas=READER)
        else:
            # A commit is on disk before it is answered, whatever the server's default.
            session = {"synchronous_commit": "on", "application_name": "orders-registry"}
            self._writer = Database(
                settings.database_url, min_size=2, max_size=12, command_timeout=60, server_settings=session
            )
            self._reader = self._writer

    async def open(self) -> None:
        """Connects. On SQLite the writer comes first: it makes the file a WAL database. Raises Unavailable."""
        if self.on_sqlite:
            sys.setswitchinterval(SWITCH)
        try:
            await self._writer.connect()
            if self.on_sqlite:
                await self._tell_planner()
            if self._reader is not self._writer:
                await self._reader.connect()
        except self._faults.away as fault:
            await self.close()
            raise Unavailable(fault) from fault

    async def _tell_planner(self) -> None:
        async with self._writer.connection() as connection:
            await connection.raw_connection.run(set_statistics)

    async def close(self) -> None:
        """Disconnects; the writer last, which leaves the WAL checkpointed."""
        if self._reader is not self._writer and self._reader.is_connected:
            await self._reader.disconnect()
        if self._writer.is_connected:
            await self._writer.disconnect()

    async def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row of a read. Raises Unavailable, Rejected."""
        try:
            return [dict(record._mapping) for record in await self._reader.fetch_all(sql, values)]
        except self._faults.away as fault:
            raise Unavailable(fault) from fault
        except self._faults.data as fault:
            raise Rejected(str(fault)) from fault

    async def one(self, sql: str, **values: Any) -> Row | None:
        """The first row of a read, or None. Raises Unavailable."""
        rows = await self.all(sql, **values)
        return rows[0] if rows else None

    async def commit(self, plan: Callable[[], Plan[T]]) -> T:
        """Runs a plan in one transaction; when this returns it is on disk. Raises Unavailable, Rejected.

        `plan` makes the generator, so that it can be run again from the start. What else a plan raises undoes it.
        """
        return await self._tried(lambda: self._on_sqlite(plan) if self.on_sqlite else self._on_postgresql(plan))

    async def commit_together(self, plans: AsyncGenerator[Callable[[], Plan[T]]]) -> list[T]:
        """Runs plans as they come, on SQLite in one transaction: nobody else writes until they are through.

        It is all of them or nothing, and what they write to the same page is written to the disk once. On PostgreSQL, where
        a plan may have to be done again, each is committed by itself. Raises Unavailable, Rejected, and what `plans` raises.
        """
        async with aclosing(plans):
            if not self.on_sqlite:
                return [await self.commit(plan) async for plan in plans]
            try:
                return await self._together(plans)
            except self._faults.away as fault:
                raise Unavailable(fault) from fault
            except self._faults.data as fault:
                raise Rejected(str(fault)) from fault

    async def _together(self, plans: AsyncGenerator[Callable[[], Plan[T]]]) -> list[T]:
        done: list[T] = []
        async with self._writer.connection() as connection:
            run = connection.raw_connection.run
            running: asyncio.Future[T] | None = None
            await run(lambda raw: raw.execute("BEGIN IMMEDIATE"))
            try:
                # The next plan waits in the thread's own queue, so that it need not wait for the event loop.
                async for plan in plans:
                    before, running = running, asyncio.ensure_future(run(partial(_further, plan=plan)))
                    if before is not None:
                        done.append(await before)
                if running is not None:
                    done.append(await running)
                await run(lambda raw: raw.execute("COMMIT"))
            except BaseException:
                if running is not None:
                    await asyncio.wait([running])
                    if not running.cancelled():
                        running.exception()  # the first fault is the one that counts
                await run(_undo)
                raise
        return done

    async def read(self, plan: Callable[[], Plan[T]]) -> T:
        """Runs a plan that only reads, in one transaction that is undone; on SQLite beside the writer, not in its way.

        Raises Unavailable, Rejected.
        """
        return await self._tried(lambda: self._read(plan))

    async def _read(self, plan: Callable[[], Plan[T]]) -> T:
        async with self._reader.connection() as connection:
            raw = connection.raw_connection
            if self.on_sqlite:
                return await raw.run(lambda raw: _glance(raw, plan()))  # type: ignore[no-any-return]  # databases gives Any
            transaction = raw.transaction()
            await transaction.start()
            try:
                return await _steps(raw, plan())
            finally:
                await transaction.rollback()
        raise AssertionError("unreachable")

    async def _tried(self, run: Callable[[], Awaitable[T]]) -> T:
        """What `run` gives, done again where another process was in the way. Raises Unavailable, Rejected."""
        for attempt in range(PLAN_ATTEMPTS):
            try:
                return await run()
            except self._faults.again as fault:
                if attempt == PLAN_ATTEMPTS - 1:
                    raise Rejected(str(fault)) from fault
                await asyncio.sleep(0)
            except self._faults.away as fault:
                raise Unavailable(fault) from fault
            except self._faults.data as fault:
                raise Rejected(str(fault)) from fault
        raise AssertionError("unreachable")

    async def _on_sqlite(self, plan: Callable[[], Plan[T]]) -> T:
        async with self._writer.connection() as connection:
            return await connection.raw_connection.run(lambda raw: _transaction(raw, plan()))  # type: ignore[no-any-return]  # databases gives Any

    async def _on_postgresql(self, plan: Callable[[], Plan[T]]) -> T:
        async with self._writer.connection() as connection:
            raw = connection.raw_connection
            async with raw.transaction():
                return await _steps(raw, plan())
        raise AssertionError("unreachable")

    async def scrub(self) -> None:
        """Leaves nothing of what was deleted in SQLite's files; PostgreSQL sees to that with its own VACUUM.

        Returns when whatever was committed before the call is gone. Raises Unavailable.
        """
        if not self.on_sqlite:
            return
        self._to_scrub += 1
        mine = self._to_scrub
        async with self._scrubbing:
            if self._scrubbed >= mine:  # whoever came before has cleaned up after us, too
                return
            begun = self._to_scrub
            try:
                async with self._writer.connection() as connection:
                    await connection.raw_connection.run(sqlite_scrub)
            except self._faults.away as fault:
                raise Unavailable(fault) from fault
            self._scrubbed = begun

    def by(self, index: str) -> str:
        """Said after a table's name: the index to walk. PostgreSQL knows from its statistics; SQLite by `planner`, which is rough."""
        return f"INDEXED BY {index}" if self.on_sqlite else ""

    async def check(self) -> None:
        """Whether the engine answers. Raises Unavailable."""
        await self.one("SELECT 1 AS one")


def sqlite_scrub(connection: sqlite3.Connection) -> None:
    """Rewrites a small file whole, and empties the log beside it.

    `secure_delete` overwrites what is deleted; but where rows were moved from page to page, a copy may have stayed in the
    old one (4 of 1,200 in a trial with 60,000 rows). A file too large for that in passing has to do without: the bytes go
    when the page is next used.
    """
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size <= SMALL_FILE:
        connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _transaction(connection: sqlite3.Connection, steps: Plan[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = _all_steps(connection, steps)
        connection.execute("COMMIT")
    except BaseException:
        _undo(connection)
        raise
    return result


def _further(connection: sqlite3.Connection, *, plan: Callable[[], Plan[T]]) -> T:
    """A plan within a transaction that was begun before."""
    if not connection.in_transaction:
        raise sqlite3.OperationalError("the transaction was undone")
    return _all_steps(connection, plan())


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite ends one by itself when the disk is full
        connection.execute("ROLLBACK")


def _glance(connection: sqlite3.Connection, steps: Plan[T]) -> T:
    connection.execute("BEGIN")
    try:
        return _all_steps(connection, steps)
    finally:
        connection.execute("ROLLBACK")


def _all_steps(connection: sqlite3.Connection, steps: Plan[T]) -> T:
    answer: Any = None
    try:
        while True:
            answer = steps.send(answer).on_sqlite(connection)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


async def _steps(connection: "asyncpg.Connection", steps: Plan[T]) -> T:
    answer: Any = None
    try:
        while True:
            answer = await steps.send(answer).on_postgresql(connection)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def among(name: str, values: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """`IN (…)` for a read: the text after the column, and the parameters it needs. Empty matches nothing."""
    if not values:
        return "IN (NULL)", {}
    named = {f"{name}_{at}": value for at, value in enumerate(values)}
    return f"IN ({', '.join(f':{key}' for key in named)})", named


def among_many(store: Store, name: str, values: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The same for hundreds of texts: they go as one parameter, since SQLAlchemy takes long over each."""
    each = (
        "SELECT value FROM json_each(:{})"
        if store.on_sqlite
        else "SELECT jsonb_array_elements_text(CAST(:{} AS jsonb))"
    )
    return f"IN ({each.format(name)})", {name: to_json(values)}
