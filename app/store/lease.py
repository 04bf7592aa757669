"""Leases: a row of a queue belongs to one process until a time, `claimed_until`; then it is free again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.db.engine import Store, among
from app.db.statements import AdvisoryLock, Plan, Row, Sql


@dataclass(frozen=True, slots=True)
class Lease:
    """Takes and releases leases on the rows of one table, whose primary key has these columns."""

    table: str
    key: tuple[str, ...]

    @property
    def turn(self) -> AdvisoryLock:
        """Return the lock that a claiming plan begins with.

        One process claims at a time, or each would have limits of its own.
        """
        return AdvisoryLock([(self.table,)])

    def take(self, row: Row, until: int, **also: Any) -> Sql:
        """Return the statement that leases a row until then, in microseconds; `also` are further columns to set."""
        sets = ", ".join(f"{name} = :new_{name}" for name in also)
        return Sql(
            f"UPDATE {self.table} SET claimed_until = :until{', ' if sets else ''}{sets} WHERE {self._where()}",
            until=until,
            **{f"new_{name}": value for name, value in also.items()},
            **self._named(row),
        )

    def take_all(self, rows: Sequence[Row], until: int) -> Sql:
        """Return the statement that leases these rows, which differ in the last column of their key alone."""
        *same, last = self.key
        some, values = among(last, [row[last] for row in rows])
        where = " AND ".join([*(f"{name} = :{name}" for name in same), f"{last} {some}"])
        return Sql(
            f"UPDATE {self.table} SET claimed_until = :until WHERE {where}",
            until=until,
            **{name: rows[0][name] for name in same},
            **values,
        )

    def give_back(self, row: Row) -> Sql:
        """Return the statement that releases a row."""
        return self.take(row, 0)

    async def release(self, store: Store, rows: Sequence[Row] | None = None) -> None:
        """Release these rows; all of them if none are given: only where one process uses the database.

        Raises Unavailable.
        """

        def plan() -> Plan[None]:
            if rows is None:
                yield Sql(f"UPDATE {self.table} SET claimed_until = 0 WHERE claimed_until > 0")
            for row in rows or ():
                yield self.give_back(row)

        await store.commit(plan)

    def _where(self) -> str:
        return " AND ".join(f"{name} = :{name}" for name in self.key)

    def _named(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in self.key}
