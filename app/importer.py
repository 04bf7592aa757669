"""Imports under way: a part of a file is read beside the event loop, and committed in short transactions, one at a time."""

import asyncio
from collections.abc import Iterator, Sequence

from app.importing import Read, Setting, read_orders
from app.moments import now
from app.store.database import Store
from app.store.importing import OrderRow, Rehearsed, Report, import_orders
from app.transfer import ROWS

# PostgreSQL keeps all locks of all transactions in one table of some 6,400 places (64 for each of 100 connections), and
# the group commit takes up to a thousand of them: so many names at most are locked by a transaction of an import.
NAMES = 2_000


class Importer:
    """Takes parts of files in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Between two transactions webhooks are committed: an import never queues more than one.
        self._one_at_a_time = asyncio.Lock()

    async def read_orders(self, form: str, text: str, line: int, setting: Setting) -> Read:
        """What the part says. Raises NoFile."""
        return await asyncio.to_thread(read_orders, form, text, line, setting)

    async def orders(self, account_id: str, read: Read, by: str, *, rehearse: bool) -> Report:
        """Writes the orders; with `rehearse` nothing stays. Raises Unavailable, Rejected."""
        whole = Report(faults=list(read.faults), notes=list(read.notes))
        for rows in _transactions(read.rows):
            async with self._one_at_a_time:
                report = await self._commit(account_id, rows, by, rehearse)
            whole.add(report)
        whole.faults.sort(key=lambda fault: fault.line)
        return whole

    async def _commit(self, account_id: str, rows: Sequence[OrderRow], by: str, rehearse: bool) -> Report:
        present = now()
        try:
            return await self._store.commit(lambda: import_orders(account_id, rows, by, present, rehearse=rehearse))
        except Rehearsed as done:
            return done.report


def _transactions(rows: Sequence[OrderRow]) -> Iterator[list[OrderRow]]:
    part: list[OrderRow] = []
    names = 0
    for row in rows:
        its = 1 + len(row.identities)
        if part and (names + its > NAMES or len(part) == ROWS):
            yield part
            part, names = [], 0
        part.append(row)
        names += its
    if part:
        yield part
