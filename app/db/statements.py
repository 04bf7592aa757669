"""Statements that a plan yields: each runs on both engines, for many rows at once.

A plan is a generator: it yields statements, receives their results, and returns its own. It runs inside one
transaction, on SQLite in the writing connection's thread and on PostgreSQL over asyncpg, and does not know on which.
"""

import re
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

# SQLAlchemy, in which the tables are described, and asyncpg are a good part of what a process has to load: statements
# name their table, and look it up when they are first run.
if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy import Table

    from app.base.vault import Vault

Row = dict[str, Any]


def to_json(value: Any) -> str:
    """Return lists and objects as they are stored in text columns. Many times faster than the standard library."""
    return msgspec.json.encode(value).decode()


T = TypeVar("T")

FEW = 4  # keys for which a statement each is the cheaper way on SQLite
MOST_ROWS = 64  # in one statement; SQLite takes 32,766 values

_ARRAYS = {
    "BigInteger": "bigint",
    "Integer": "integer",
    "SmallInteger": "smallint",
    "Boolean": "boolean",
    "LargeBinary": "bytea",
}


def _table(name: str) -> "Table":
    from app.db import schema

    return schema.metadata.tables[name]


def _array(table: "Table", column: str) -> str:
    return f"{_ARRAYS.get(type(table.c[column].type).__name__, 'text')}[]"


class SqlStatement:
    """Is what a plan can yield."""

    reads: frozenset[str] | None = None  # the tables that its result depends on; None: any

    def on_sqlite(self, connection: sqlite3.Connection) -> Any:
        """Run it in the writing connection's thread."""
        raise NotImplementedError

    async def on_postgresql(self, connection: "asyncpg.Connection") -> Any:
        """Run it inside the transaction."""
        raise NotImplementedError


Plan = Generator[SqlStatement, Any, T]


class Insert:
    """Inserts rows into a table: `many(rows)`, each row in the order of `columns`.

    `on_conflict` says what happens to a row whose primary key exists: "fail", "skip", "replace" (its other columns are
    set), or "tally" (`count` is added, `first_at` and `last_at` become the earliest and the latest). The index decides,
    not a look-up before.
    """

    def __init__(self, table: str, *, on_conflict: str = "fail", columns: Sequence[str] = ()) -> None:
        self.table, self._on_conflict, self._given = table, on_conflict, tuple(columns)
        self._texts: dict[int, str] = {}  # by the number of rows

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the columns, in the order in which a row gives them."""
        return self._given or tuple(column.name for column in _table(self.table).columns)

    @cached_property
    def _key(self) -> list[str]:
        return [column.name for column in _table(self.table).primary_key]

    @cached_property
    def clause(self) -> str:
        """Return the ON CONFLICT clause."""
        if self._on_conflict == "skip":
            return " ON CONFLICT DO NOTHING"
        if self._on_conflict in ("replace", "tally"):
            how = self._tallied if self._on_conflict == "tally" else "excluded.{0}".format
            sets = ", ".join(f"{name} = {how(name)}" for name in self.columns if name not in self._key)
            return f" ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {sets}"
        return ""

    def _tallied(self, column: str) -> str:
        old, new = f"{self.table}.{column}", f"excluded.{column}"
        if column == "count":
            return f"{old} + {new}"
        return f"CASE WHEN {old} {'<' if column == 'first_at' else '>'} {new} THEN {old} ELSE {new} END"

    @cached_property
    def into(self) -> str:
        """Return the text before the rows."""
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES "

    def postgresql(self, first: int = 1) -> str:
        """Return the statement with each column as an array; the first one is the parameter of this number."""
        table, names = _table(self.table), ", ".join(self.columns)
        arrays = ", ".join(f"${at}::{_array(table, name)}" for at, name in enumerate(self.columns, start=first))
        # Rows go in by key, so that two processes take their locks in the same order.
        order = ", ".join(str(self.columns.index(name) + 1) for name in self._key)
        return f"INSERT INTO {self.table} ({names}) SELECT * FROM unnest({arrays}) ORDER BY {order}{self.clause}"

    def on_sqlite(self, rows: int) -> str:
        """Return the statement for this many rows."""
        if rows not in self._texts:
            row = f"({', '.join('?' * len(self.columns))})"
            self._texts[rows] = f"{self.into}{', '.join([row] * rows)}{self.clause}"
        return self._texts[rows]

    def one(self, **values: Any) -> SqlStatement:
        """Insert a row given by its columns. Those that are not named become null. Raises KeyError for an unknown one."""
        row = [values.pop(name, None) for name in self.columns]
        if values:
            raise KeyError(*values)
        return self.many([row])

    def many(self, rows: Sequence[Sequence[Any]]) -> SqlStatement:
        """Return the statement that inserts these rows. It gives nothing back."""
        return InsertRows(self, rows)


class InsertRows(SqlStatement):
    """Inserts rows; see `Insert`."""

    def __init__(self, insert: Insert, rows: Sequence[Sequence[Any]]) -> None:
        self._insert, self._rows = insert, rows
        self.table = insert.table
        self.reads = frozenset((insert.table,))  # for what stands there already

    def on_sqlite(self, connection: sqlite3.Connection) -> None:
        # Many rows in one statement: between two rows of `executemany` the thread gives the interpreter away, and waits
        # for it while the event loop is busy. In eights and a rest, so that there are few statements to prepare.
        done, left = 0, len(self._rows)
        while left:
            size = left if left < 8 else min(left - left % 8, MOST_ROWS)
            values = list(chain.from_iterable(self._rows[done : done + size]))
            connection.execute(self._insert.on_sqlite(size), values)
            done, left = done + size, left - size

    async def on_postgresql(self, connection: "asyncpg.Connection") -> None:
        await self.together(connection, [self])

    @staticmethod
    async def together(connection: "asyncpg.Connection", inserts: Sequence["InsertRows"]) -> None:
        """Insert into several tables, each of them once, with one statement: each statement is a wait for the server."""
        inserts = [one for one in inserts if one._rows]
        if inserts:
            columns = (list(column) for one in inserts for column in zip(*one._rows, strict=True))
            await connection.execute(_in_one_statement(*(one._insert for one in inserts)), *columns)


@lru_cache(maxsize=256)
def _in_one_statement(*inserts: Insert) -> str:
    """Return PostgreSQL's statement for these inserts, whose parameters follow one another."""
    texts: list[str] = []
    first = 1
    for insert in inserts:
        texts.append(insert.postgresql(first))
        first += len(insert.columns)
    others = ", ".join(f"i{at} AS ({text})" for at, text in enumerate(texts[:-1]))
    return f"WITH {others} {texts[-1]}" if others else texts[-1]


class Lookup:
    """Finds rows by many keys at once: `many(keys)` gives the rows, unordered. Nulls match nothing.

    `columns` are all of the table's by default. With `for_update`, rows are locked on PostgreSQL, in the order of their
    keys. With `also`, the same statement reads a second table; expressions for the columns it lacks are given as SQL.
    """

    def __init__(
        self,
        table: str,
        columns: Sequence[str] = (),
        *,
        by: Sequence[str],
        for_update: bool = False,
        also: tuple[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._name, self._given, self._by, self._for_update = table, tuple(columns), tuple(by), for_update
        self._places: list[tuple[str, Mapping[str, str]]] = [(table, {}), *([also] if also else [])]
        self.tables = frozenset(place for place, _ in self._places)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a row."""
        return self._given or tuple(column.name for column in _table(self._name).columns)

    def _each(self, rest: Callable[[str], str]) -> str:
        """Return the statement over each table, with `rest` behind its columns."""
        return " UNION ALL ".join(
            f"SELECT {', '.join(said.get(name, f't.{name}') for name in self.columns)} FROM {rest(place)}"
            for place, said in self._places
        )

    @cached_property
    def sqlite(self) -> str:
        """Return the statement for one key."""
        where = " AND ".join(f"t.{name} = ?{at}" for at, name in enumerate(self._by, start=1))
        return self._each(lambda place: f"{place} t WHERE {where}")

    @cached_property
    def sqlite_many(self) -> str:
        """Return the statement for many keys, given as a list in JSON."""
        on = " AND ".join(f"t.{name} = json_extract(k.value, '$[{at}]')" for at, name in enumerate(self._by))
        return self._each(lambda place: f"json_each(?1) k CROSS JOIN {place} t ON {on}")

    @cached_property
    def postgresql(self) -> str:
        """Return the statement for many keys, each column as an array."""
        by, table = self._by, _table(self._name)
        arrays = ", ".join(f"${at}::{_array(table, name)}" for at, name in enumerate(by, start=1))
        on = " AND ".join(f"t.{name} = k.{name}" for name in by)
        lock = f" ORDER BY {', '.join(f't.{name}' for name in by)} FOR UPDATE OF t" if self._for_update else ""
        return self._each(lambda place: f"unnest({arrays}) k({', '.join(by)}) JOIN {place} t ON {on}{lock}")

    def many(self, keys: Sequence[Sequence[Any]]) -> SqlStatement:
        """Return the statement for the rows under these keys, each in the order of `by`."""
        return _LookupRows(self, keys)


class _LookupRows(SqlStatement):
    def __init__(self, lookup: Lookup, keys: Sequence[Sequence[Any]]) -> None:
        self._lookup, self._keys = lookup, keys
        self.reads = lookup.tables

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


class InVault(SqlStatement):
    """Gives what `ask` finds out from the vault: a plan has none of its own. `Store` answers it, and no engine."""

    def __init__(self, ask: "Callable[[Vault], Any]") -> None:
        self.ask = ask


class AdvisoryLock(SqlStatement):
    """Waits until no other transaction holds any of these names, and holds them until this one ends.

    Names that are `shared` can be held by several transactions at once; an exclusive holder waits for them, and they
    for it. On SQLite there is one writer and nothing to wait for.
    """

    def __init__(self, names: Iterable[tuple[str, ...]], *, shared: Iterable[tuple[str, ...]] = ()) -> None:
        self._names, self._shared = names, shared

    def on_sqlite(self, connection: sqlite3.Connection) -> None:
        pass

    async def on_postgresql(self, connection: "asyncpg.Connection") -> None:
        await connection.execute(self.postgresql)

    @property
    def postgresql(self) -> str:
        """Return the statement, which has no parameters: a transaction can begin with it, and wait for the server once."""
        wanted = dict.fromkeys(map(_number, self._shared), "t") | dict.fromkeys(map(_number, self._names), "f")
        # In one order everywhere, or two processes would wait for each other.
        numbers = sorted(wanted)
        return (
            "SELECT CASE WHEN shared THEN pg_advisory_xact_lock_shared(k)::text ELSE pg_advisory_xact_lock(k)::text END "
            f"FROM unnest('{{{','.join(map(str, numbers))}}}'::bigint[], "
            f"'{{{','.join(wanted[number] for number in numbers)}}}'::boolean[]) AS t(k, shared)"
        )


def _number(name: tuple[str, ...]) -> int:
    """Return the number that stands for a name: PostgreSQL's advisory locks have numbers."""
    digest = blake2b("\0".join(name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class Sql(SqlStatement):
    """Runs any statement with `:named` parameters, and gives its rows."""

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
    """Return the SQL with PostgreSQL's `$1` for `:named` parameters, and their names."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<![:\w]):([a-z_][a-z_0-9]*)", number, sql), tuple(names)
