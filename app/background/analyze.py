"""Has PostgreSQL analyse tables that have just begun to grow.

PostgreSQL plans by its last statistics, keeps the plan, and gathers new ones only after a minute or so. Until then a
new registry's look-ups are planned for empty tables, and scan the wrong index.
"""

from collections.abc import Sequence

from app.base.log import log
from app.base.supervisor import Loop
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
        self.loop = Loop("analyze", self.tell)

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Count a batch that was committed."""
        self.grown(len(records))

    def grown(self, rows: int) -> None:
        """Count deliveries, or rows of a file, that were committed."""
        self._committed += rows
        if self._after and self._committed >= self._after[0]:
            self.loop.wake()

    async def tell(self) -> None:
        """Have statistics gathered where that is due. Nothing depends on it: if it fails, it is left."""
        if not self._after or self._committed < self._after[0]:
            return
        del self._after[0]
        try:
            if await maintenance.knows_its_tables(self._store, AFTER[-1]):
                self._after = []
            else:
                await maintenance.analyze(self._store)
        except (Rejected, Unavailable) as fault:
            log.warning("the tables' statistics could not be gathered", reason=str(fault)[:300])
