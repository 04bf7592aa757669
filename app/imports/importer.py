"""Runs imports: rows are read beside the event loop, and committed in short transactions, one at a time."""

import asyncio
from collections.abc import Callable, Iterator

from app.base.clock import now
from app.base.tuning import Tuning
from app.db.engine import Store
from app.db.statements import Plan
from app.imports.rows import Batch, ContactReader, ImportSettings, OrderReader, RowT
from app.store import order_owners
from app.store.import_contacts import import_contacts
from app.store.import_orders import DryRunDone, ImportReport, import_orders


class Importer:
    """Imports parts of files."""

    def __init__(self, store: Store, tuning: Tuning) -> None:
        self._store, self._tuning = store, tuning
        self.observers: list[Callable[[int], None]] = []  # are told how many rows have been committed
        # Between two transactions webhooks are committed: an import never queues more than one.
        self._one_at_a_time = asyncio.Lock()

    async def orders(
        self, account_id: str, form: str, text: str, line: int, setting: ImportSettings, *, by: str, dry_run: bool
    ) -> ImportReport:
        """Import a part of a file of orders; `line` is that of its first row, `by` is the member who imports.

        With `dry_run` nothing is stored. Raises NoFile, Unavailable, Rejected.
        """
        return await self._take(
            OrderReader(setting).batches(form, text, line, self._tuning),
            lambda rows, alone: import_orders(account_id, rows, by, now(), dry_run=dry_run, alone=alone),
        )

    async def contacts(
        self, account_id: str, form: str, text: str, line: int, setting: ImportSettings, *, dry_run: bool
    ) -> ImportReport:
        """Import contacts, as `orders` does."""
        return await self._take(
            ContactReader(setting).batches(form, text, line, self._tuning),
            lambda rows, _: import_contacts(account_id, rows, now(), dry_run=dry_run),
        )

    async def _take(
        self, batches: Iterator[Batch[RowT]], plan: Callable[[list[RowT], bool], Plan[ImportReport]]
    ) -> ImportReport:
        whole = ImportReport()
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            whole.add(ImportReport(faults=batch.faults, notes=batch.notes))
            if not batch.rows:
                continue
            async with self._one_at_a_time:
                whole.add(await self._commit(plan, batch.rows))
            for observer in self.observers:
                observer(len(batch.rows))
        whole.faults.sort(key=lambda fault: fault.line)
        return whole

    async def _commit(self, plan: Callable[[list[RowT], bool], Plan[ImportReport]], rows: list[RowT]) -> ImportReport:
        try:
            return await order_owners.commit(self._store, lambda alone: plan(rows, alone))
        except DryRunDone as done:
            return done.report
