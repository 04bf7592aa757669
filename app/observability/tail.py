"""The live log: what this process commits is pushed to watchers; other processes' commits are polled.

A watcher costs a queue, not a query. It gets what has gathered a few times a second, serialized once for all. A watcher
that is too slow gets the newest and the number it missed. Intake never waits for watchers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from time import monotonic
from typing import Any

from app.base.clock import now
from app.base.ids import first_id
from app.base.outcome import RECORDED
from app.base.supervisor import Loop
from app.base.tuning import Tuning
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.store import deliveries
from app.store.deliveries import SLACK, DeliveryFilter
from app.store.delivery_record import Receipt, Record


class TailRow:
    """Holds a row of the log on its way to watchers."""

    def __init__(self, make: Callable[[], Row]) -> None:
        self._make = make
        self.sent: bytes | None = None  # what a route has made of it, for the next watcher

    @cached_property
    def row(self) -> Row:
        """Return the row."""
        return self._make()


class Watcher:
    """Receives the log: `next` returns rows as they come."""

    def __init__(self, account_id: str, wanted: DeliveryFilter, tuning: Tuning) -> None:
        self.account_id, self._wanted, self._tuning = account_id, wanted, tuning
        self._everything = wanted == DeliveryFilter()
        self._lines: deque[TailRow] = deque(maxlen=tuning.tail_waiting)
        self._came = asyncio.Event()
        self._told_at = 0.0
        self._missed: int | None = 0
        self.ended = False

    def offer(self, lines: Sequence[TailRow]) -> None:
        """Take those rows that match the filter."""
        if not self._everything:
            lines = [line for line in lines if deliveries.matches(line.row, self._wanted)]
        if not lines:
            return
        if self._missed is not None:
            self._missed += max(0, len(self._lines) + len(lines) - self._tuning.tail_waiting)
        self._lines.extend(lines)
        self._came.set()

    def gap(self) -> None:
        """Note that some rows were not looked at; their number is unknown."""
        self._missed = None
        self._came.set()

    def end(self) -> None:
        """Note that nothing more will come."""
        self.ended = True
        self._came.set()

    async def next(self, within: float) -> tuple[list[TailRow], int | None]:
        """Return the rows that came, and how many were missed since the last call.

        The number is None if it is unknown. Returns nothing if no row comes within so many seconds.
        """
        if not self._came.is_set():
            try:
                await asyncio.wait_for(self._came.wait(), within)
            except TimeoutError:
                return [], 0
        if not self.ended and (early := self._told_at + self._tuning.tail_pace - monotonic()) > 0:
            await asyncio.sleep(early)
        self._told_at = monotonic()
        self._came.clear()
        lines, missed = list(self._lines), self._missed
        self._lines.clear()
        self._missed = 0
        return lines, missed


class Tail:
    """Feeds the watchers of one process."""

    def __init__(self, store: Store, tuning: Tuning) -> None:
        self._store, self._tuning = store, tuning
        self._watchers: set[Watcher] = set()
        self._ending = False
        self._seen: dict[str, None] = {}  # on PostgreSQL: what was shown already
        self._since: int | None = None  # when the first of the watchers came
        self._upto: dict[str, str] = {}  # where the last look ended, by account
        self.loop = Loop("tail", self._look, known=(Unavailable,))

    def watch(self, account_id: str, wanted: DeliveryFilter) -> Watcher:
        """Add a watcher. The caller must remove it with `leave`."""
        watcher = Watcher(account_id, wanted, self._tuning)
        if self._ending:
            watcher.end()
        self._watchers.add(watcher)
        if not self._store.on_sqlite:
            self.loop.wake()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher."""
        self._watchers.discard(watcher)

    def end(self) -> None:
        """End every watcher: the server is stopping, and would wait for them."""
        self._ending = True
        for watcher in self._watchers:
            watcher.end()

    async def stop(self) -> None:
        """Stop polling."""
        self.end()
        await self.loop.stop(patience=0)

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Show what this process has just committed."""
        if not self._watchers:
            return
        present = now()
        new: dict[str, list[TailRow]] = {account_id: [] for account_id in self._accounts()}
        again: dict[str, list[str]] = {}
        for rec, receipt in zip(records, receipts, strict=True):
            if rec.account_id not in new or receipt.outcome not in RECORDED:
                continue
            if rec.again:  # its row holds more than is known here
                again.setdefault(rec.account_id, []).append(rec.delivery_id)
            elif rec.delivery_id == receipt.delivery_id and self._first(rec.delivery_id):
                new[rec.account_id].append(TailRow(partial(_row, rec, receipt, present)))
        for account_id, lines in new.items():
            self._show(account_id, lines)
        for account_id, ids in again.items():
            self._soon(account_id, ids)

    def _accounts(self) -> set[str]:
        return {watcher.account_id for watcher in self._watchers}

    def _first(self, delivery_id: str) -> bool:
        """Return whether the row was not shown yet. On SQLite nobody else could have shown it."""
        if self._store.on_sqlite:
            return True
        if delivery_id in self._seen:
            return False
        self._seen[delivery_id] = None
        return True

    def _show(self, account_id: str, lines: Sequence[TailRow]) -> None:
        for watcher in self._watchers:
            if watcher.account_id == account_id:
                watcher.offer(lines)

    def _soon(self, account_id: str, delivery_ids: list[str]) -> None:
        async def show() -> None:
            with suppress(Unavailable):
                rows = await deliveries.find_all(self._store, account_id, delivery_ids)
                self._show(account_id, [_line(row) for row in rows])

        self.loop.spawn(show(), "tail: taken up again")

    async def _look(self) -> float | None:
        """Show what other processes have committed: rows with recent ids that were not shown yet."""
        if not self._watchers or self._store.on_sqlite:
            self._since, self._upto = None, {}
            return None
        if self._since is None:
            self._since = now()
            return self._tuning.look_every
        for account_id in self._accounts():
            than = first_id("dlv", max(self._since, now() - SLACK))
            ids = await deliveries.newest_ids(self._store, account_id, than=than, limit=self._tuning.tail_at_once)
            if ids:
                gap = len(ids) == self._tuning.tail_at_once and ids[-1] > self._upto.get(account_id, than)
                self._upto[account_id] = ids[0]
                await self._of_others(account_id, ids, gap=gap)
        for old in list(self._seen)[: -10 * self._tuning.tail_at_once]:
            del self._seen[old]
        return self._tuning.look_every

    async def _of_others(self, account_id: str, delivery_ids: list[str], *, gap: bool) -> None:
        await asyncio.sleep(self._tuning.tail_settles)
        unseen = [one for one in delivery_ids if one not in self._seen]
        if not unseen:
            return
        rows = await deliveries.find_all(self._store, account_id, unseen)
        self._show(account_id, [_line(row) for row in rows if self._first(row["id"])])
        if gap:  # more came than is looked at, and not all of it from here
            for watcher in self._watchers:
                if watcher.account_id == account_id:
                    watcher.gap()


def _line(row: Row) -> TailRow:
    return TailRow(lambda: row)


def _row(rec: Record, receipt: Receipt, committed_at: int) -> Row:
    named: Any = rec.statements[0].names[0] if rec.statements else rec.external_id
    return {
        "account_id": rec.account_id,
        "id": rec.delivery_id,
        "source_id": rec.source_id,
        "source_delivery_id": rec.source_delivery_id,
        "kind": rec.kind,
        "external_id": named,
        "outcome": str(receipt.outcome),
        "reason": receipt.reason,
        "notes": rec.notes,
        "strength": rec.strength,
        "orders": list(receipt.orders),
        "received_at": rec.received_at,
        "committed_at": committed_at,
        "attempts": 1,
        "repeats": 0,
        "last_repeated_at": None,
    }
