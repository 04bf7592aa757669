"""Has PostgreSQL analyse tables that have just begun to grow.

PostgreSQL plans by its last statistics, keeps the plan, and gathers new ones only after a minute or so. Until then a
new registry's look-ups are planned for empty tables, and scan the wrong index.
"""

import asyncio
from collections.abc import Sequence

from app.base.log import log
from app.db import maintenance
from app.db.engine import Rejected, Store, Unavailable
from app.store.delivery_record import Receipt, Record

# Deliveries, or rows of files, that this process has committed when it tells: by then a plan for the size before is a wrong one.
AFTER = (256, 2_048, 16_384)


class GrowingTables:
    """Counts what is committed, and has the tables analysed a few times; never again once they are known."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._committed = 0
        self._after = list(AFTER)
        self._task: asyncio.Task[None] | None = None

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Count a batch that was committed."""
        self.grown(len(records))

    def grown(self, rows: int) -> None:
        """Count deliveries, or rows of a file, that were committed."""
        self._committed += rows
        if self._after and self._committed >= self._after[0] and (self._task is None or self._task.done()):
            del self._after[0]
            self._task = asyncio.create_task(self._tell(), name="young tables")

    async def _tell(self) -> None:
        try:
            if await maintenance.knows_its_tables(self._store, AFTER[-1]):
                self._after = []
            else:
                await maintenance.analyze(self._store)
        except (Rejected, Unavailable) as fault:
            log.warning("the tables' statistics could not be gathered", reason=str(fault)[:300])

    async def stop(self) -> None:
        """Stop."""
        self._after = []
        if self._task:
            await self._task
