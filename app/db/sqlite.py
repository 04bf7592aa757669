"""SQLite behind `databases`: a pool of connections that stay open, each with its own thread.

The backend that comes with `databases` opens a thread and a connection per task, which costs more than most queries.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from databases.core import DatabaseURL
from databases.interfaces import ConnectionBackend, DatabaseBackend, TransactionBackend
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import ClauseElement

from adapters.contract.names import plain

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

    @property
    def here(self) -> sqlite3.Connection:
        """Return the sqlite3 connection, for use in this thread while nothing runs in the connection's own."""
        return self._conn


class Files:
    """Watches the database's files. If others are at their path, or none, what is written to the open ones is lost."""

    def __init__(self, path: Path) -> None:
        self._paths = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
        self._opened: list[tuple[int, int] | None] = []
        self._damage: str | None = None

    def opened(self) -> None:
        """Remember the open files. An open file keeps its inode until it is closed, whatever becomes of its name."""
        self._opened = [_inode(path) for path in self._paths]

    def found_damaged(self, why: str) -> None:
        """Note that SQLite reported damage. Only a restore repairs that."""
        self._damage = self._damage or f"{self._paths[0]} is damaged ({why})"

    @property
    def fault(self) -> str | None:
        """Return what is wrong, and what to do; None when the files are those that are open."""
        why = self._damage
        for path, opened in zip(self._paths, self._opened, strict=False):
            if why is None and _inode(path) != opened:
                why = f"{path} was deleted, moved or replaced while it is open"
        return why and f"{why}: stop the server, restore the database, start again"


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
        self._forget_free()
        self.dialect = SQLiteDialect_pysqlite(paramstyle="named")

    def _forget_free(self) -> None:
        self._free: list[Connection | None] = []  # None: one that is to be opened
        # First come, first served: else the group commit, which comes again at once, would keep everybody else waiting.
        self._room = asyncio.Semaphore(0)

    def _let(self, connection: Connection | None) -> None:
        self._free.append(connection)
        self._room.release()

    async def connect(self) -> None:
        """Open every connection."""
        try:
            for _ in range(self._size):
                self._let(await self._open())
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
                connection.create_function("plain", 1, lambda text: text and plain(text), deterministic=True)
            except BaseException:
                connection.close()
                raise
            return connection

        connection: Connection = await Connection(opened, iter_chunk_size=64)  # type: ignore[assignment]  # awaiting gives itself
        self._all.append(connection)
        return connection

    async def disconnect(self) -> None:
        """Close every connection, after the work their threads still have."""
        connections, self._all = self._all, []
        self._forget_free()
        for connection in connections:
            await connection.close()

    async def take(self) -> Connection:
        """Return a free connection, once there is one. Raises sqlite3.Error."""
        await self._room.acquire()
        connection = self._free.pop()
        try:
            return connection or await self._open()
        except BaseException:
            self._let(None)
            raise

    async def give_back(self, connection: Connection, *, in_doubt: bool = False) -> None:
        """Take a connection back.

        One whose transaction could not be rolled back is closed: it would refuse for ever.
        """
        stuck = False
        try:
            # Asked in the connection's own thread: whatever still runs there, for somebody who has gone, ends first.
            stuck = in_doubt and await connection.run(lambda raw: raw.in_transaction)
        finally:
            self._let(None if stuck else connection)
        if stuck and connection in self._all:
            self._all.remove(connection)
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
        self._held = await self._backend.take()

    async def release(self, *, in_doubt: bool = False) -> None:
        """Give it back."""
        held, self._held = self._held, None
        if held is not None:
            await self._backend.give_back(held, in_doubt=in_doubt)

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
