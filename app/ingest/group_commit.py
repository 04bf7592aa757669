"""The group commit: deliveries wait here while the last commit runs, then all of them are committed as one.

There is no timer: a delivery that comes alone is committed alone, and under load the batches grow by themselves.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.base.log import log
from app.base.outcome import Outcome
from app.base.spans import Span, span, trace
from app.db.engine import Rejected, Store, Unavailable
from app.store.delivery_commit import commit_batch
from app.store.delivery_record import Receipt, Record

MOST_WAITING = 2_000  # more than this and a sender is better served by "come again" than by waiting
MOST_AT_ONCE = 128


# A delivery, what its sender waits for, and the span of that wait.
Waiting = tuple[Record, "asyncio.Future[Receipt]", Span]
# What was committed, what became of it, and how many seconds the commit took.
Observer = Callable[[Sequence[Record], Sequence[Receipt], float], None]


class Busy(Exception):
    """Nothing was acknowledged: the queue is full, or the database cannot commit. The sender is to come again."""


class GroupCommit:
    """One process's queue of proven deliveries."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[Waiting] = deque()
        self._came = asyncio.Event()
        self.observers: list[Observer] = []  # told of every commit
        self.to_fetch = asyncio.Event()  # set when a thin delivery is on disk, for whoever fetches
        self._task: asyncio.Task[None] | None = None
        self._ending = False

    def start(self) -> None:
        """Begins to commit."""
        self._task = asyncio.create_task(self._run(), name="committer")

    async def stop(self) -> None:
        """Commits what waits, then ends."""
        self._ending = True
        self._came.set()
        if self._task:
            await self._task
            self._task = None

    @property
    def waiting(self) -> int:
        """How many deliveries wait for the next commit."""
        return len(self._waiting)

    async def commit(self, rec: Record) -> Receipt:
        """What became of the delivery; when this returns, it is on disk. Raises Busy."""
        if len(self._waiting) >= MOST_WAITING or self._ending:
            raise Busy("too many deliveries are waiting")
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        with span("commit.wait") as wait:
            wait.set(delivery_id=rec.delivery_id, source_id=rec.source_id, kind=rec.kind)
            self._waiting.append((rec, done, wait))
            self._came.set()
            receipt = await done
            wait.set(outcome=receipt.outcome)
            return receipt

    async def _run(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
                await self._commit(batch)
            if self._ending:
                return

    async def _commit(self, batch: list[Waiting]) -> None:
        records = [rec for rec, _, _ in batch]
        begun = time.perf_counter()
        try:
            # A trace of its own, for it belongs to many: linked to each of those that wait, and they to it.
            with trace("commit", links=[wait for _, _, wait in batch]) as commit:
                commit.set(batch_size=len(batch))
                receipts = await self._store.commit(lambda: commit_batch(records))
        except Unavailable as fault:
            log.error("the database cannot commit", reason=str(fault)[:300], deliveries=len(batch))
            for _, done, _ in batch:
                if not done.done():
                    done.set_exception(Busy("the database cannot commit"))
        except Exception as fault:
            await self._without_the_poisoned(batch, fault)
        else:
            if any(rec.outcome is Outcome.FETCHING for rec in records):
                self.to_fetch.set()
            took = time.perf_counter() - begun
            for (_, done, _), receipt in zip(batch, receipts, strict=True):
                if not done.done():  # whoever waited may have gone; the delivery is recorded all the same
                    done.set_result(receipt)
            self._tell(records, receipts, took)

    def _tell(self, records: Sequence[Record], receipts: Sequence[Receipt], took: float) -> None:
        """Tells those who look on, after the senders: a fault of theirs must hold up no answer and no further commit."""
        for observer in self.observers:
            try:
                observer(records, receipts, took)
            except Exception as fault:
                log.error("a commit could not be told of", fault=type(fault).__name__, exc_info=fault)

    async def _without_the_poisoned(self, batch: list[Waiting], fault: Exception) -> None:
        """One delivery that cannot be committed must not sink the others: halves are tried until it stands alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        rec, done, wait = batch[0]
        log.error(
            "a delivery cannot be committed",
            delivery_id=rec.delivery_id,
            source_id=rec.source_id,
            exc_info=None if isinstance(fault, Rejected) else fault,
            fault=type(fault).__name__,
        )
        if rec.statements:
            kept = replace(
                rec,
                statements=(),
                outcome=Outcome.UNREADABLE,
                reason="the registry could not store what this says",
                notes=[],
            )
            await self._commit([(kept, done, wait)])
        elif not done.done():
            done.set_exception(Busy("the delivery cannot be stored"))
