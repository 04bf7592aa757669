"""Many rows that are alike put into a table: what all of them share is handed to SQLite once, and not with each row."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app.db.statements import Insert, SqlStatement

if TYPE_CHECKING:
    import asyncpg

AT_ONCE = 256  # rows in one statement on SQLite; after each, the writing thread waits for the interpreter


class Alike(SqlStatement):
    """Puts rows in that are given column by column, in the order of the insert's columns; gives nothing back.

    To hand a value over costs about as much as to store it, and of an import's columns most hold the same in every row.
    """

    def __init__(self, insert: Insert, columns: Sequence[Sequence[Any]]) -> None:
        self._insert, self._columns = insert, columns

    def on_sqlite(self, connection: sqlite3.Connection) -> None:
        done, count = 0, len(self._columns[0])
        shared = tuple(column.count(column[0]) == count for column in self._columns if count)
        once = [column[0] for column, same in zip(self._columns, shared, strict=False) if same]
        each = [column for column, same in zip(self._columns, shared, strict=False) if not same]
        while done < count:
            size = min(1 << ((count - done).bit_length() - 1), AT_ONCE)
            values: list[Any] = [None] * (len(each) * size)
            for at, column in enumerate(each):
                values[at :: len(each)] = column[done : done + size]
            connection.execute(_sql(self._insert, shared, size), once + values)
            done += size

    async def on_postgresql(self, connection: "asyncpg.Connection") -> None:
        if self._columns[0]:
            await connection.execute(self._insert.postgresql, *map(list, self._columns))


@lru_cache(maxsize=256)
def _sql(insert: Insert, shared: tuple[bool, ...], rows: int) -> str:
    """The statement for so many rows, the shared columns' values coming first, each once."""
    first = [str(at) for at in range(1, sum(shared) + 1)]
    following = iter(range(len(first) + 1, len(first) + 1 + rows * (len(shared) - len(first))))
    said = []
    for _ in range(rows):
        once = iter(first)
        said.append(f"({','.join(f'?{next(once) if same else next(following)}' for same in shared)})")
    return f"{insert.into}{','.join(said)}{insert.clause}"
