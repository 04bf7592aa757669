"""Runs imports: a part of a file is read beside the event loop, and committed in short transactions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import repeat
from typing import Generic, TypeVar

from app.base.clock import now
from app.base.log import log
from app.base.tabular import LARGE
from app.db.engine import Store
from app.db.statements import Plan
from app.imports.rows import ImportSettings, ParsedRows, RowT, read_contacts, read_orders
from app.imports.worker import Apart, Ended
from app.store.import_contacts import ContactRow, import_contacts
from app.store.import_orders import DryRunDone, ImportReport, OrderRow, OrderRows, import_orders

T = TypeVar("T")

ROWS = 1000  # in a transaction: it is short, and webhooks are committed between two
ROWS_ALONE = 2000  # at a time where nobody else waits to write, and a part is one transaction
# PostgreSQL keeps all locks of all transactions in one table of some 6,400 places (64 for each of 100 connections), and
# the group commit takes up to a thousand of them: so many names at most are locked by a transaction of an import. SQLite has
# one writer and no such locks.
NAMES = 2_000


class Importer:
    """Imports parts of files."""

    def __init__(self, store: Store, *, large: int = LARGE) -> None:
        self._store, self._large = store, large
        self.apart = Apart()
        self.observers: list[Callable[[int], None]] = []  # are told how many rows have been committed
        self._rows, self._alone = ROWS, False
        # Between two transactions webhooks are committed: an import never queues more than one.
        self._one_at_a_time = asyncio.Lock()

    async def orders(
        self, account_id: str, form: str, text: str, line: int, setting: ImportSettings, *, by: str, rehearse: bool
    ) -> ImportReport:
        """Import orders; `by` is the member who imports. With `rehearse` nothing is stored.

        Raises NoFile, Unavailable, Rejected.
        """

        def plan(rows: Sequence[OrderRow]) -> Plan[ImportReport]:
            columns = rows if isinstance(rows, OrderRows) else OrderRows.of(rows)
            return import_orders(account_id, columns, by, now(), rehearse=rehearse)

        def names(row: OrderRow) -> int:
            return 1 + len(row.identities)

        whole = ImportReport()
        async with aclosing(_OneAhead(self._read_orders(form, text, line, setting))) as reads:
            if self._alone and not rehearse:
                await self._take_together(reads, names, plan, whole)
            else:
                async for read in reads:
                    whole.add(await self._take(read, names, plan))
        whole.faults.sort(key=lambda fault: fault.line)
        return whole

    async def _take_together(
        self,
        reads: AsyncIterable[ParsedRows[OrderRow]],
        names: Callable[[OrderRow], int],
        plan: Callable[[Sequence[OrderRow]], Plan[ImportReport]],
        whole: ImportReport,
    ) -> None:
        """Import a part in one transaction: rows of one index page are then written to disk together."""

        async def plans() -> AsyncGenerator[Callable[[], Plan[ImportReport]]]:
            async for read in reads:
                whole.add(ImportReport(faults=read.faults, notes=read.notes))
                for rows in self._cut(read.rows, names):
                    yield partial(plan, rows)

        async with self._one_at_a_time:
            for report in await self._store.commit_together(plans()):
                whole.add(report)

    async def _read_orders(
        self, form: str, text: str, line: int, setting: ImportSettings
    ) -> AsyncGenerator[ParsedRows[OrderRow]]:
        """Yield the part's orders, those of a large part some at a time."""
        through = 0  # the last line of those that were given
        if len(text) >= self._large:
            try:
                async with aclosing(self.apart.orders(form, text, line, setting)) as reads:
                    async for read in reads:
                        yield read
                        through = max([through, *(row.line for row in read.rows[-1:])])
                return
            except Ended as fault:
                log.warning("the process that reads files has ended; the rest of the part is read here", exc_info=fault)
        yield (await asyncio.to_thread(read_orders, form, text, line, setting)).after(through)

    def alone(self) -> None:
        """Say that nobody else writes meanwhile."""
        self._rows, self._alone = ROWS_ALONE, True

    async def stop(self) -> None:
        """Stop."""
        await self.apart.close()

    async def contacts(
        self, account_id: str, form: str, text: str, line: int, setting: ImportSettings, *, rehearse: bool
    ) -> ImportReport:
        """Import contacts, as `orders` does."""
        read = await asyncio.to_thread(read_contacts, form, text, line, setting)

        def plan(rows: Sequence[ContactRow]) -> Plan[ImportReport]:
            return import_contacts(account_id, rows, now(), rehearse=rehearse)

        return await self._take(read, lambda row: len(row.all_identities), plan)

    async def _take(
        self, read: ParsedRows[RowT], names: Callable[[RowT], int], plan: Callable[[Sequence[RowT]], Plan[ImportReport]]
    ) -> ImportReport:
        whole = ImportReport(faults=read.faults, notes=read.notes)
        for rows in self._cut(read.rows, names):
            async with self._one_at_a_time:
                whole.add(await self._commit(lambda rows=rows: plan(rows)))  # type: ignore[misc]  # a lambda's default
            for observer in self.observers:
                observer(len(rows))
        whole.faults.sort(key=lambda fault: fault.line)
        return whole

    def _cut(self, rows: Sequence[RowT], names: Callable[[RowT], int]) -> Iterator[Sequence[RowT]]:
        return _transactions(rows, self._rows, names, None if self._store.on_sqlite else NAMES)

    async def _commit(self, plan: Callable[[], Plan[ImportReport]]) -> ImportReport:
        try:
            return await self._store.commit(plan)
        except DryRunDone as done:
            return done.report


class _OneAhead(Generic[T]):
    """Iterates over `reads` while its next item is already being made."""

    def __init__(self, reads: AsyncGenerator[T]) -> None:
        self._reads = reads
        self._coming = asyncio.ensure_future(anext(reads, None))

    async def __aiter__(self) -> AsyncGenerator[T]:
        while (read := await self._coming) is not None:
            self._coming = asyncio.ensure_future(anext(self._reads, None))
            yield read

    async def aclose(self) -> None:
        """End it, wherever it is."""
        self._coming.cancel()
        await asyncio.wait([self._coming])
        if not self._coming.cancelled():
            self._coming.exception()  # nobody waits for it any more
        await self._reads.aclose()


def _transactions(
    rows: Sequence[RowT], size: int, names: Callable[[RowT], int], most: int | None
) -> Iterator[Sequence[RowT]]:
    begun = count = 0
    for at, its in enumerate(map(names, rows) if most else repeat(0, len(rows))):
        if at > begun and (at - begun == size or (most and count + its > most)):
            yield rows[begun:at]
            begun, count = at, 0
        count += its
    if begun < len(rows):
        yield rows[begun:]
