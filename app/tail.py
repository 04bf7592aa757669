"""The log as it grows, for whoever watches: what this process commits is handed on; what others do is looked for.

A watcher costs a queue, not a query. One that reads too slowly loses the oldest and is told so; nobody waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from app.ids import first_id
from app.log import log
from app.moments import now
from app.outcome import RECORDED
from app.store import deliveries
from app.store.database import Rejected, Store, Unavailable
from app.store.deliveries import Filter
from app.store.record import Receipt, Record
from app.store.statements import Row

LONGEST = 500  # deliveries that wait for a watcher
EVERY = 1.0  # seconds between two looks at what other processes have committed; only on PostgreSQL, only with watchers
LATE = 5_000_000  # microseconds by which a delivery may be committed after one that came later
AT_ONCE = 1000


class Watcher:
    """One who watches: `next` gives rows of the log as they come."""

    def __init__(self, account_id: str, wanted: Filter) -> None:
        self.account_id, self._wanted = account_id, wanted
        self._rows: deque[Row] = deque(maxlen=LONGEST)
        self._came = asyncio.Event()
        self.missed = 0
        self.ended = False

    def offer(self, row: Row) -> None:
        """Takes the row, if it is wanted."""
        if not deliveries.matches(row, self._wanted):
            return
        self.missed += len(self._rows) == LONGEST
        self._rows.append(row)
        self._came.set()

    def end(self) -> None:
        """Nothing will come any more."""
        self.ended = True
        self._came.set()

    async def next(self, patience: float) -> tuple[list[Row], int]:
        """What has come, and how many were missed since the last time; nothing after so many seconds in which none did."""
        if not self._rows and not self.ended:
            try:
                await asyncio.wait_for(self._came.wait(), patience)
            except TimeoutError:
                return [], 0
        self._came.clear()
        rows, missed = list(self._rows), self.missed
        self._rows.clear()
        self.missed = 0
        return rows, missed


class Tail:
    """The watchers of one process, and what they are shown."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watchers: set[Watcher] = set()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[str, None] = {}  # on PostgreSQL: what was shown already
        self._again: set[asyncio.Task[None]] = set()

    def watch(self, account_id: str, wanted: Filter) -> Watcher:
        """A new watcher; it must leave again."""
        watcher = Watcher(account_id, wanted)
        if self._ending:
            watcher.end()
        self._watchers.add(watcher)
        if not self._store.on_sqlite and self._task is None and not self._ending:
            self._task = asyncio.create_task(self._look(), name="tail")
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """It watches no more."""
        self._watchers.discard(watcher)

    def end(self) -> None:
        """Lets every watcher go: the server is ending, and would wait for them."""
        self._ending = True
        for watcher in self._watchers:
            watcher.end()

    async def stop(self) -> None:
        """Ends the looking."""
        self.end()
        for task in (self._task, *self._again):
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, (self._task, *self._again)), return_exceptions=True)

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """What this process has just written."""
        if not self._watchers:
            return
        present = now()
        for rec, receipt in zip(records, receipts, strict=True):
            if receipt.outcome not in RECORDED:
                continue
            if rec.again:  # its row holds more than is known here
                self._soon(rec.account_id, rec.delivery_id)
            elif rec.delivery_id == receipt.delivery_id:
                self._show(rec.account_id, _row(rec, receipt, present))

    def _show(self, account_id: str, row: Row) -> None:
        if not self._store.on_sqlite:
            self._seen[row["id"]] = None
        for watcher in self._watchers:
            if watcher.account_id == account_id:
                watcher.offer(row)

    def _soon(self, account_id: str, delivery_id: str) -> None:
        async def show() -> None:
            try:
                row = await deliveries.find(self._store, account_id, delivery_id)
            except (Unavailable, Rejected):
                return
            if row is not None:
                self._show(account_id, row)

        task = asyncio.create_task(show(), name="tail: taken up again")
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    async def _look(self) -> None:
        """What other processes have committed: rows with ids from a little before now on that were not shown yet."""
        since = now()
        while not self._ending:
            await asyncio.sleep(EVERY)
            accounts = {watcher.account_id for watcher in self._watchers}
            try:
                for account_id in accounts:
                    rows = await deliveries.newer(
                        self._store, account_id, Filter(), than=first_id("dlv", max(since, now() - LATE)), limit=AT_ONCE
                    )
                    for row in rows:
                        if row["id"] not in self._seen:
                            self._show(account_id, row)
            except (Unavailable, Rejected) as fault:
                log.warning("the log cannot be followed", reason=str(fault)[:300])
            for old in list(self._seen)[: -10 * AT_ONCE]:
                del self._seen[old]


def _row(rec: Record, receipt: Receipt, committed_at: int) -> Row:
    named: Any = rec.statements[0].names[0] if rec.statements else rec.external_id
    return {
        "account_id": rec.account_id, "id": rec.delivery_id, "source_id": rec.source_id, "kind": rec.kind,
        "external_id": named, "outcome": str(receipt.outcome), "reason": receipt.reason, "notes": rec.notes,
        "strength": rec.strength, "orders": list(receipt.orders), "received_at": rec.received_at,
        "committed_at": committed_at, "attempts": 1,
    }  # fmt: skip
