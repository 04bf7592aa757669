"""The engines behind `databases`.

Loaded when a store is made: SQLAlchemy, which `databases` imports, is slow to load.
"""

from types import TracebackType
from typing import Self

import databases
from databases.core import Connection

from app.db.faults import sound_after
from app.db.sqlite import READER, WRITER, Files

__all__ = ["READER", "WRITER", "Database", "Files"]


class Use(Connection):
    """Is one use of a pooled connection, from `async with` to its end.

    The class of `databases` stays with the task that made it, and counts how often it was entered. Of this one nothing
    is left when its use is over.
    """

    async def __aenter__(self) -> Self:
        """Take a connection from the pool."""
        await self._connection.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        fault: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Give it back. After an error that is not about the values, the connection is in doubt."""
        in_doubt = fault is not None and not sound_after(fault)
        await self._connection.release(in_doubt=in_doubt)  # type: ignore[call-arg]  # our own two know it


class Database(databases.Database):
    """Extends `databases.Database` with pools of our own, which keep nothing per task."""

    SUPPORTED_BACKENDS = {
        "sqlite": "app.db.sqlite:SQLiteBackend",
        "postgresql": "app.db.postgresql:PostgreSQLBackend",
    }

    def connection(self) -> Use:
        """Return a connection for one use."""
        return Use(self, self._backend)
