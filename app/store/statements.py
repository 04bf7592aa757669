"""Statements that a plan yields: each knows how to say itself on both engines, for many rows at once.

A plan is a generator: it yields statements, is given their results, and returns what became of it. It runs inside one
transaction, on SQLite in the writing connection's thread and on PostgreSQL over asyncpg, and does not know which.
"""

import re
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import asyncpg
import pydantic_core
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger, Table

Row = dict[str, Any]


def to_json(value: Any) -> str:
    """Lists and objects as they stand in text columns. Several times as fast as the standard library's encoder."""
    return pydantic_core.to_json(value).decode()


T = TypeVar("T")

FEW = 4  # keys for which a statement each is the cheaper way on SQLite
MOST_ROWS = 64  # in one statement; SQLite takes 32,766 values

_ARRAYS = {BigInteger: "bigint", Integer: "integer", SmallInteger: "smallint", Boolean: "boolean", LargeBinary: "bytea"}


def _array(table: Table, column: str) -> str:
    return f"{_ARRAYS.get(type(table.c[column].type), 'text')}[]"


class Statement:
    """What a plan can yield."""

    def on_sqlite(self, connection: sqlite3.Connection) -> Any:
        """Runs it in the writing connection's thread."""
        raise NotImplementedError

    async def on_postgresql(self, connection: "asyncpg.Connection") -> Any:
        """Runs it inside the transaction."""
        raise NotImplementedError


Plan = Generator[Statement, Any, T]


class Insert:
    """Puts rows into a table: `many(rows)`, each row in the order of `columns`.

    `on_conflict` says what happens to a row whose primary key exists: "fail", "skip", or "replace" (its other columns
    are set). The index is the judge, not a look-up before. `at_once` rows at most are one statement on SQLite.
    """

    def __init__(
        self, table: Table, *, on_conflict: str = "fail", columns: Sequence[str] = (), at_once: int = MOST_ROWS
    ) -> None:
        self.at_once = at_once
        self.columns = tuple(columns) or tuple(column.name for column in table.columns)
        self._key = [column.name for column in table.primary_key]
        names = ", ".join(self.columns)
        clause = ""
        if on_conflict == "skip":
            clause = " ON CONFLICT DO NOTHING"
        elif on_conflict == "replace":
            sets = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self._key)
            clause = f" ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {sets}"
        self._into, self._clause = f"INSERT INTO {table.name} ({names}) VALUES ", clause
        self._row = f"({', '.join('?' * len(self.columns))})"
        arrays = ", ".join(f"${at}::{_array(table, name)}" for at, name in enumerate(self.columns, start=1))
        # Rows go in by key, so that two processes take their locks in the same order.
        order = ", ".join(str(self.columns.index(name) + 1) for name in self._key)
        self.postgresql = f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}) ORDER BY {order}{clause}"

    def on_sqlite(self, rows: int) -> str:
        """The statement for so many rows at once."""
        return f"{self._into}{', '.join([self._row] * rows)}{self._clause}"

    def many(self, rows: Sequence[Sequence[Any]]) -> Statement:
        """These rows; gives nothing back."""
        return _InsertRows(self, rows)


class _InsertRows(Statement):
    def __init__(self, insert: Insert, rows: Sequence[Sequence[Any]]) -> None:
        self._insert, self._rows = insert, rows

    def on_sqlite(self, connection: sqlite3.Connection) -> None:
        # Many rows in one statement: between two rows of `executemany` the thread gives the interpreter away, and waits
        # for it while the event loop is busy. In powers of two, so that there are few statements to prepare.
        done, left = 0, len(self._rows)
        while left:
            size = min(1 << (left.bit_length() - 1), self._insert.at_once)
            values = [value for row in self._rows[done : done + size] for value in row]
            connection.execute(self._insert.on_sqlite(size), values)
            done, left = done + size, left - size

    async def on_postgresql(self, connection: "asyncpg.Connection") -> None:
        if self._rows:
            await connection.execute(
                self._insert.postgresql, *(list(column) for column in zip(*self._rows, strict=True))
            )


class Lookup:
    """Finds rows by many keys at once: `many(keys)` gives the rows, in no order. Nulls match nothing.

    With `for_update`, rows are locked on PostgreSQL, in the order of their keys.
    """

    def __init__(self, table: Table, columns: Sequence[str], *, by: Sequence[str], for_update: bool = False) -> None:
        self.columns = tuple(columns)
        names = ", ".join(f"t.{name}" for name in columns)
        where = " AND ".join(f"t.{name} = ?" for name in by)
        self.sqlite = f"SELECT {names} FROM {table.name} t WHERE {where}"
        each = " AND ".join(f"t.{name} = json_extract(k.value, '$[{at}]')" for at, name in enumerate(by))
        self.sqlite_many = f"SELECT {names} FROM json_each(?) k CROSS JOIN {table.name} t ON {each}"
        arrays = ", ".join(f"${at}::{_array(table, name)}" for at, name in enumerate(by, start=1))
        on = " AND ".join(f"t.{name} = k.{name}" for name in by)
        lock = f" ORDER BY {', '.join(f't.{name}' for name in by)} FOR UPDATE OF t" if for_update else ""
        self.postgresql = f"SELECT {names} FROM unnest({arrays}) k({', '.join(by)}) JOIN {table.name} t ON {on}{lock}"

    def many(self, keys: Sequence[Sequence[Any]]) -> Statement:
        """The rows under these keys (each in the order of `by`)."""
        return _LookupRows(self, keys)


class _LookupRows(Statement):
    def __init__(self, lookup: Lookup, keys: Sequence[Sequence[Any]]) -> None:
        self._lookup, self._keys = lookup, keys

    def on_sqlite(self, connection: sqlite3.Connection) -> list[Row]:
        # The keys go in as one JSON list: a statement of its own per key costs several times as much.
        if len(self._keys) > FEW:
            rows = connection.execute(self._lookup.sqlite_many, (to_json(self._keys),)).fetchall()
        else:
            rows = [row for key in self._keys for row in connection.execute(self._lookup.sqlite, key)]
        return [dict(zip(self._lookup.columns, row, strict=True)) for row in rows]

    async def on_postgresql(self, connection: "asyncpg.Connection") -> list[Row]:
        if not self._keys:
            return []
        columns = (list(column) for column in zip(*self._keys, strict=True))
        return [dict(row) for row in await connection.fetch(self._lookup.postgresql, *columns)]


class Among:
    """Finds rows by many values of one column, the rest of the key being the same for all: half the cost of a `Lookup`.

    `many(values, **fixed)` gives the rows as tuples, in no order. With `for_update`, rows are locked on PostgreSQL, in the
    order of the values.
    """

    def __init__(
        self, table: Table, columns: Sequence[str], *, fixed: Sequence[str], by: str, for_update: bool = False
    ) -> None:
        names = ", ".join(f"t.{name}" for name in columns)
        self.fixed = tuple(fixed)
        same = " AND ".join(f"t.{name} = ?" for name in fixed)
        self.sqlite = f"SELECT {names} FROM json_each(?) k CROSS JOIN {table.name} t ON {same} AND t.{by} = k.value"
        numbered = " AND ".join(f"t.{name} = ${at}" for at, name in enumerate(fixed, start=2))
        lock = f" ORDER BY t.{by} FOR UPDATE OF t" if for_update else ""
        self.postgresql = (
            f"SELECT {names} FROM unnest($1::{_array(table, by)}) k(v) JOIN {table.name} t "
            f"ON {numbered} AND t.{by} = k.v{lock}"
        )

    def many(self, values: Sequence[Any], **fixed: Any) -> Statement:
        """The rows with these values, and `fixed` for the other columns."""
        return _RowsAmong(self, values, [fixed[name] for name in self.fixed])


class _RowsAmong(Statement):
    def __init__(self, among: Among, values: Sequence[Any], fixed: list[Any]) -> None:
        self._among, self._values, self._fixed = among, values, fixed

    def on_sqlite(self, connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return connection.execute(self._among.sqlite, (to_json(self._values), *self._fixed)).fetchall()

    async def on_postgresql(self, connection: "asyncpg.Connection") -> list[tuple[Any, ...]]:
        if not self._values:
            return []
        rows = await connection.fetch(self._among.postgresql, list(self._values), *self._fixed)
        return [tuple(row) for row in rows]


class Lock(Statement):
    """Waits until no other transaction holds any of these names, and holds them until this one ends.

    On SQLite there is one writer and nothing to wait for.
    """

    def __init__(self, names: Iterable[tuple[str, ...]]) -> None:
        self._names = names

    def on_sqlite(self, connection: sqlite3.Connection) -> None:
        pass

    async def on_postgresql(self, connection: "asyncpg.Connection") -> None:
        digests = (blake2b("\0".join(name).encode(), digest_size=8).digest() for name in self._names)
        # In one order everywhere, or two processes would wait for each other.
        numbers = sorted({int.from_bytes(digest, "big", signed=True) for digest in digests})
        await connection.execute("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) k", numbers)


class Sql(Statement):
    """Any statement with `:named` parameters; gives its rows."""

    def __init__(self, sql: str, **values: Any) -> None:
        self._sql, self._values = sql, values

    def on_sqlite(self, connection: sqlite3.Connection) -> list[Row]:
        cursor = connection.execute(self._sql, self._values)
        if cursor.description is None:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    async def on_postgresql(self, connection: "asyncpg.Connection") -> list[Row]:
        sql, names = _numbered(self._sql)
        return [dict(row) for row in await connection.fetch(sql, *(self._values[name] for name in names))]


@lru_cache(maxsize=512)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """`:named` parameters as PostgreSQL's `$1`."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<![:\w]):([a-z_][a-z_0-9]*)", number, sql), tuple(names)
