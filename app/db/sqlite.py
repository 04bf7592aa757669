"""SQLite behind `databases`: a pool of connections that stay open, each with its own thread.

The backend that comes with `databases` opens a thread and a connection per task, which costs more than most queries.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import aiosqlite
from databases.core import DatabaseURL
from databases.interfaces import ConnectionBackend, DatabaseBackend, TransactionBackend
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import ClauseElement

T = TypeVar("T")

# Full sync in WAL mode: the commit's fsync is done before COMMIT returns. mmap off: an I/O error stays an error and does
# not become a signal.
_PRAGMAS = ("synchronous = FULL", "mmap_size = 0", "temp_store = MEMORY", "busy_timeout = 5000")
# The writer alone checkpoints; 4,000 pages (16 MB) between two, since each costs two more fsyncs and a copy.
WRITER = (
    "journal_mode = WAL",
    *_PRAGMAS,
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
    "cache_size = -65536",
    "secure_delete = ON",  # what is deleted is overwritten: whoever is erased is not in the file any more
)
READER = (*_PRAGMAS, "query_only = ON", "wal_autocheckpoint = 0", "cache_size = -16384")


class Connection(aiosqlite.Connection):
    """Extends aiosqlite's connection: a whole function runs in its thread, one hop instead of one per statement."""

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` with the sqlite3 connection, in the connection's own thread."""
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]  # aiosqlite's own way in
        return result


class Row(dict[str, Any]):
    """Gives a row's values by column name, as `databases` does."""

    @property
    def _mapping(self) -> "Row":
        return self


class SQLiteBackend(DatabaseBackend):
    """Keeps a pool of `size` connections to one file, each set up once with `pragmas`."""

    def __init__(self, url: DatabaseURL | str, *, size: int, pragmas: tuple[str, ...]) -> None:
        self._path = DatabaseURL(url).database
        self._size = size
        self._pragmas = pragmas
        self._all: list[Connection] = []
        self.free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        self.dialect = SQLiteDialect_pysqlite(paramstyle="named")

    async def connect(self) -> None:
        """Open every connection."""
        try:
            for _ in range(self._size):
                connection = await self._open()
                self._all.append(connection)
                self.free.put_nowait(connection)
        except BaseException:
            await self.disconnect()
            raise

    async def _open(self) -> Connection:
        def opened() -> sqlite3.Connection:
            connection = sqlite3.connect(
                self._path, isolation_level=None, cached_statements=512, check_same_thread=False
            )
            try:
                for pragma in self._pragmas:
                    connection.execute(f"PRAGMA {pragma}").fetchall()
            except BaseException:
                connection.close()
                raise
            return connection

        return await Connection(opened, iter_chunk_size=64)  # type: ignore[return-value]  # awaiting gives itself

    async def disconnect(self) -> None:
        """Close every connection, after the work their threads still have."""
        connections, self._all = self._all, []
        self.free = asyncio.LifoQueue()
        for connection in connections:
            await connection.close()

    def connection(self) -> "SQLiteConnection":
        """Return a connection that is taken from the pool when acquired."""
        return SQLiteConnection(self)


class SQLiteConnection(ConnectionBackend):
    """Lends a pooled connection to one task."""

    def __init__(self, backend: SQLiteBackend) -> None:
        self._backend = backend
        self._held: Connection | None = None

    async def acquire(self) -> None:
        """Wait for a free connection."""
        self._held = await self._backend.free.get()

    async def release(self) -> None:
        """Give the connection back."""
        held, self._held = self._held, None
        if held is not None:
            self._backend.free.put_nowait(held)

    @property
    def raw_connection(self) -> Connection:
        """Return the connection itself."""
        if self._held is None:
            raise RuntimeError("the connection is not acquired")
        return self._held

    def _compiled(self, query: ClauseElement) -> tuple[str, dict[str, Any]]:
        compiled = query.compile(dialect=self._backend.dialect, compile_kwargs={"render_postcompile": True})
        return str(compiled), dict(compiled.params)

    async def fetch_all(self, query: ClauseElement) -> list[Any]:
        """Return all rows."""
        sql, values = self._compiled(query)

        def rows(connection: sqlite3.Connection) -> list[Any]:
            cursor = connection.execute(sql, values)
            names = [column[0] for column in cursor.description or ()]
            return [Row(zip(names, row, strict=True)) for row in cursor]

        return await self.raw_connection.run(rows)

    async def fetch_one(self, query: ClauseElement) -> Any:
        """Return the first row, or None."""
        rows = await self.fetch_all(query)
        return rows[0] if rows else None

    async def fetch_val(self, query: ClauseElement, column: Any = 0) -> Any:
        """Return one value of the first row, or None."""
        row = await self.fetch_one(query)
        return None if row is None else (list(row.values())[column] if isinstance(column, int) else row[column])

    async def execute(self, query: ClauseElement) -> Any:
        """Run a statement."""
        sql, values = self._compiled(query)
        return await self.raw_connection.run(lambda connection: connection.execute(sql, values).lastrowid)

    async def execute_many(self, queries: list[ClauseElement]) -> None:
        """Run several statements."""
        for query in queries:
            await self.execute(query)

    async def iterate(self, query: ClauseElement) -> AsyncGenerator[Any, None]:
        """Yield row by row."""
        for row in await self.fetch_all(query):
            yield row

    def transaction(self) -> TransactionBackend:
        """Return a read transaction: one snapshot for several queries. Only `Store.commit` writes."""
        return SQLiteTransaction(self)


class SQLiteTransaction(TransactionBackend):
    """Runs BEGIN and COMMIT on a pooled connection."""

    def __init__(self, connection: SQLiteConnection) -> None:
        self._connection = connection

    async def start(self, is_root: bool, extra_options: dict[Any, Any]) -> None:
        """Begin. Only one level is supported."""
        if not is_root:
            raise RuntimeError("transactions are not nested here")
        await self._say("BEGIN")

    async def commit(self) -> None:
        """Commit."""
        await self._say("COMMIT")

    async def rollback(self) -> None:
        """Roll back."""
        await self._say("ROLLBACK")

    async def _say(self, sql: str) -> None:
        await self._connection.raw_connection.run(lambda connection: connection.execute(sql))
