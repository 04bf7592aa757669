"""The one way to both engines: reads as SQL with `:named` parameters, writes as plans in one transaction."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from app.base.log import log
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.base.vault import Sealed, Vault
from app.db.faults import Rejected, Unavailable, damaged, goes_away, meaning
from app.db.planner import set_statistics
from app.db.statements import AdvisoryLock, InsertRows, InVault, Plan, Row, to_json

if TYPE_CHECKING:
    import asyncpg

    from app.db.sqlite import Connection

__all__ = ["Rejected", "Store", "Unavailable", "among", "among_many", "sqlite_scrub"]

T = TypeVar("T")

CONNECTIONS = 12  # to PostgreSQL
READERS = 4  # SQLite's connections; a read is short, and more threads would only wait for the interpreter
# Seconds after which the event loop's thread gives the interpreter to the writing one (Python's own 5 ms would be waited
# for after each of a commit's statements).
SWITCH = 0.0002
SMALL_FILE = 256 * 1024 * 1024  # bytes; rewritten in about a second, in memory
PLAN_ATTEMPTS = 6  # a deadlock or a row that another process has just made is met by doing it again


class Store:
    """Gives both engines one interface. `all` and `one` read; `commit` writes."""

    def __init__(self, settings: Settings, vault: Vault, tuning: Tuning = Tuning()) -> None:
        from app.db.engines import READER, WRITER, Database, Files

        self.on_sqlite = settings.on_sqlite
        self._vault, self._tuning, self._patience = vault, tuning, tuning.postgresql_command
        self._beside_until = 0.0  # until when quick plans run in the writer's thread, by time.monotonic()
        self._scrubbing = asyncio.Lock()
        self._to_scrub = self._scrubbed = 0
        self._files = Files(settings.database_path) if self.on_sqlite else None
        self._fault_logged: str | None = None
        if self.on_sqlite:
            url = f"sqlite:///{settings.database_path}"
            self._writer = Database(url, size=1, pragmas=WRITER)
            self._reader = Database(url, size=READERS, pragmas=READER)
        else:
            self._writer = Database(settings.database_url, size=CONNECTIONS, tuning=tuning)
            self._reader = self._writer

    async def open(self) -> None:
        """Connect. On SQLite the writer connects first: it makes the file a WAL database. Raises Unavailable."""
        if self.on_sqlite:
            sys.setswitchinterval(SWITCH)
        try:
            with self._sorted():
                await self._writer.connect()
                if self.on_sqlite:
                    await self._tell_planner()
                    await self._reader.connect()
            await self.one("SELECT 1 AS one")
            if self._files:  # the log beside the file is there once something was read
                self._files.opened()
        except BaseException:
            await self.close()
            raise

    @contextmanager
    def _sorted(self) -> Iterator[None]:
        """Raise Unavailable or Rejected in place of an engine's error."""
        try:
            yield
        except Exception as fault:
            if self._files and damaged(fault):
                self._files.found_damaged(str(fault))
            if meant := meaning(fault):
                raise meant from fault
            raise

    @property
    def fault(self) -> str | None:
        """Return why nothing can be acknowledged until a restart, and what to do; None when all is well.

        SQLite's file was deleted, replaced or damaged while it is open.
        """
        return self._files.fault if self._files else None

    def _assure(self) -> None:
        """Asked before a commit and again after it, since what was written to a file without a name is lost. Raises Unavailable."""
        if fault := self.fault:
            if fault != self._fault_logged:
                log.error("nothing is acknowledged any more", reason=fault)
                self._fault_logged = fault
            raise Unavailable(fault)

    async def _tell_planner(self) -> None:
        async with self._writer.connection() as connection:
            await connection.raw_connection.run(set_statistics)

    async def close(self) -> None:
        """Disconnect. The writer comes last, and leaves the WAL checkpointed."""
        if self._reader is not self._writer and self._reader.is_connected:
            await self._reader.disconnect()
        if self._writer.is_connected:
            if self.fault:
                await self._empty_log()
            await self._writer.disconnect()

    async def _empty_log(self) -> None:
        """Brings home what is committed to a file that has lost its name; SQLite leaves that to others.

        Else the log would be read as that of the file that is there now, and spoil it.
        """
        try:
            async with self._writer.connection() as connection:
                await connection.raw_connection.run(
                    lambda raw: raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                )
        except sqlite3.Error as fault:
            log.error("the database could not be closed well", reason=str(fault))

    async def all(self, sql: str, **values: Any) -> list[Row]:
        """Return every row of a read. Raises Unavailable, Rejected."""
        with self._sorted():
            return [dict(record._mapping) for record in await self._reader.fetch_all(sql, values)]

    async def one(self, sql: str, **values: Any) -> Row | None:
        """Return the first row of a read, or None. Raises Unavailable."""
        rows = await self.all(sql, **values)
        return rows[0] if rows else None

    async def commit(self, plan: Callable[[], Plan[T]], *, patience: float | None = None, quick: bool = False) -> T:
        """Runs a plan in one transaction; when this returns it is on disk. Raises Unavailable, Rejected.

        `plan` makes the generator, so that it can be run again from the start. What else a plan raises undoes it. After
        Unavailable it is perhaps on disk: PostgreSQL may have committed, and its answer not come. `patience` is how many
        seconds PostgreSQL has for each statement, where a sender waits. `quick`: the plan is short, and so are its
        statements (see `_on_loop`).
        """
        return await self._tried(
            lambda: (
                self._on_sqlite(plan, quick)
                if self.on_sqlite
                else self._on_postgresql(plan, patience or self._patience)
            )
        )

    async def read(self, plan: Callable[[], Plan[T]]) -> T:
        """Run a plan that only reads, in one transaction that is rolled back; on SQLite beside the writer.

        Raises Unavailable, Rejected.
        """
        return await self._tried(lambda: self._read(plan))

    async def _read(self, plan: Callable[[], Plan[T]]) -> T:
        async with self._reader.connection() as connection:
            raw = connection.raw_connection
            if self.on_sqlite:
                return await raw.run(lambda raw: _glance(raw, self._steps(plan)))  # type: ignore[no-any-return]  # databases gives Any
            return await _transaction_on_postgresql(raw, self._steps(plan), self._patience, "ROLLBACK")

    def _steps(self, plan: Callable[[], Plan[T]]) -> Plan[T]:
        """Begin a plan. What it asks of the vault is answered here; the rest is left to the engine."""
        steps = plan()
        answer: Any = None
        try:
            while True:
                step = steps.send(answer)
                answer = step.ask(self._vault) if isinstance(step, InVault) else (yield step)
        except StopIteration as end:
            result: T = end.value
            return result
        except Sealed as why:
            raise Unavailable(str(why)) from why
        finally:
            steps.close()

    async def _tried(self, run: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `run`, repeated where another process was in the way. Raises Unavailable, Rejected."""
        with self._sorted():
            for _ in range(PLAN_ATTEMPTS - 1):
                try:
                    return await run()
                except Exception as fault:
                    if not goes_away(fault):
                        raise
            return await run()

    async def _on_sqlite(self, plan: Callable[[], Plan[T]], quick: bool) -> T:
        self._assure()
        async with self._writer.connection() as connection:
            writer = connection.raw_connection
            if quick and time.monotonic() >= self._beside_until:
                result = await self._on_loop(writer, plan)
            else:
                result = await writer.run(lambda raw: _transaction(raw, self._steps(plan)))
        self._assure()
        return result

    async def _on_loop(self, writer: "Connection", plan: Callable[[], Plan[T]]) -> T:
        """Run a quick plan here, and only what may wait, for the lock and for the disk, in the writer's thread.

        In the thread each statement gives the interpreter away and waits for it: 1,435 deliveries a second, and 1,856 so.
        Where a plan takes long (the disk is slow to read), the next ones are left to the thread.
        """
        try:
            await writer.run(_begin)
            begun = time.monotonic()
            result = _all_steps(writer.here, self._steps(plan))
            ended = time.monotonic()
            if ended - begun > self._tuning.commit_quick_within:
                self._beside_until = ended + self._tuning.commit_beside
            await writer.run(_end)
        except BaseException:
            await writer.run(_undo)
            raise
        return result

    async def _on_postgresql(self, plan: Callable[[], Plan[T]], patience: float) -> T:
        async with self._writer.connection() as connection:
            return await _transaction_on_postgresql(connection.raw_connection, self._steps(plan), patience, "COMMIT")

    async def scrub(self) -> None:
        """Leave nothing of deleted rows in SQLite's files. PostgreSQL does this with its own VACUUM.

        Returns when everything that was deleted before the call is gone. Raises Unavailable.
        """
        if not self.on_sqlite:
            return
        self._to_scrub += 1
        mine = self._to_scrub
        async with self._scrubbing:
            if self._scrubbed >= mine:  # whoever came before has cleaned up after us, too
                return
            begun = self._to_scrub
            with self._sorted():
                async with self._writer.connection() as connection:
                    await connection.raw_connection.run(sqlite_scrub)
            self._scrubbed = begun

    def by(self, index: str) -> str:
        """Return the hint, after a table's name, for the index to scan. PostgreSQL decides by its statistics and gets none.

        For the few queries where the figures of `planner` mislead SQLite: sums over a span of time, and searches of the
        log, which choose their index by what is there. Of 77 queries the figures alone found the index of 73.
        """
        return f"INDEXED BY {index}" if self.on_sqlite else ""


def sqlite_scrub(connection: sqlite3.Connection) -> None:
    """Rewrite a small file whole, and empty the write-ahead log.

    `secure_delete` overwrites what is deleted. But where rows were moved between pages, a copy may have stayed in the
    old page (4 of 1,200 in a trial with 60,000 rows). A file too large to rewrite has to do without: the bytes go when
    the page is next used.
    """
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size <= SMALL_FILE:
        connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def _end(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def _transaction(connection: sqlite3.Connection, steps: Plan[T]) -> T:
    _begin(connection)
    try:
        result = _all_steps(connection, steps)
        _end(connection)
    except BaseException:
        _undo(connection)
        raise
    return result


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite ends one by itself when the disk is full
        connection.execute("ROLLBACK")


def _glance(connection: sqlite3.Connection, steps: Plan[T]) -> T:
    connection.execute("BEGIN")
    try:
        return _all_steps(connection, steps)
    finally:
        _undo(connection)


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


async def _transaction_on_postgresql(connection: "asyncpg.Connection", steps: Plan[T], patience: float, end: str) -> T:
    """Each statement has `patience` seconds. A transaction that is not ended here is undone where the connection is given back.

    The server is waited for as seldom as possible: locks go with BEGIN, and rows to insert, which give nothing back, are
    kept until a statement looks at their table.
    """
    answer: Any = None
    result: T
    begun = False
    kept: dict[str, InsertRows] = {}  # by table

    async def within(asked: Awaitable[Any]) -> Any:
        async with asyncio.timeout(patience):
            return await asked

    async def insert() -> None:
        await within(InsertRows.together(connection, list(kept.values())))
        kept.clear()

    try:
        while True:
            statement = steps.send(answer)
            answer, reads = None, statement.reads
            if not begun:
                lock = statement if isinstance(statement, AdvisoryLock) else None
                await within(connection.execute(f"BEGIN; {lock.postgresql}" if lock else "BEGIN"))
                begun = True
                if lock:
                    continue
            if kept and (reads is None or not reads.isdisjoint(kept)):
                await insert()
            if isinstance(statement, InsertRows):
                kept[statement.table] = statement
            else:
                answer = await within(statement.on_postgresql(connection))
    except StopIteration as stop:
        result = stop.value
    finally:
        steps.close()
    if kept:
        await insert()
    if await within(connection.execute(end)) != end:  # PostgreSQL's answer to COMMIT in a transaction that has failed
        raise Unavailable("the transaction was undone")
    return result


def among(name: str, values: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """Return `IN (…)` for a read: the text after the column, and its parameters. Empty values match nothing."""
    if not values:
        return "IN (NULL)", {}
    named = {f"{name}_{at}": value for at, value in enumerate(values)}
    return f"IN ({', '.join(f':{key}' for key in named)})", named


def plainly(store: Store, column: str) -> str:
    """Return an expression of a text column without accents and capitals, as `identity.plain` makes a text."""
    return (
        f"plain({column})"
        if store.on_sqlite
        else rf"regexp_replace(normalize(lower({column}), NFKD), '[\u0300-\u036f]', '', 'g')"
    )


def among_many(store: Store, name: str, values: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the same for hundreds of texts as one parameter: SQLAlchemy takes long over each parameter."""
    each = (
        "SELECT value FROM json_each(:{})"
        if store.on_sqlite
        else "SELECT jsonb_array_elements_text(CAST(:{} AS jsonb))"
    )
    return f"IN ({each.format(name)})", {name: to_json(values)}
