"""Group commit: deliveries wait while a commit runs, then all of them are committed in one transaction.

There is no timer: a single delivery is committed at once, and under load the batches grow by themselves.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from app.base.log import log
from app.base.outcome import Outcome
from app.base.spans import Span, span, trace
from app.base.tuning import Tuning
from app.db.engine import Rejected, Store, Unavailable
from app.store import order_owners
from app.store.delivery_commit import commit_batch
from app.store.delivery_record import Receipt, Record

# What was committed, what became of it, and how many seconds the commit took.
Observer = Callable[[Sequence[Record], Sequence[Receipt], float], None]


class Busy(Exception):
    """Raised when nothing was acknowledged: the queue is full, or the database cannot commit.

    The sender should try again. What was in a transaction is perhaps stored; the repetition is then a duplicate.
    """


# A delivery, what its sender waits for, and the span of that wait.
_Waiting = tuple[Record, "asyncio.Future[Receipt]", Span]


class GroupCommit:
    """Queues one process's verified deliveries and commits them together."""

    def __init__(self, store: Store, tuning: Tuning) -> None:
        self._store, self._tuning = store, tuning
        self._waiting: deque[_Waiting] = deque()
        self._answers: deque[tuple[float, asyncio.Future[Receipt]]] = deque()  # until when, by the loop's time
        self._timer: asyncio.TimerHandle | None = None
        self._came = asyncio.Event()
        self.observers: list[Observer] = []  # told of every commit
        self.to_fetch = asyncio.Event()  # set when a thin delivery is on disk, for whoever fetches
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self.trouble: str | None = None  # why the last commit failed; None once one succeeds
        self.succeeded_at = self.failed_at = -tuning.log_every  # when the last one did, by time.monotonic()
        self._logged_at = -tuning.log_every

    def start(self) -> None:
        """Start to commit."""
        self._task = asyncio.create_task(self._run(), name="committer")

    async def stop(self) -> None:
        """Commit what is waiting, then stop."""
        self._ending = True
        self._came.set()
        if self._task:
            await self._task
            self._task = None
        if self._timer:
            self._timer.cancel()

    @property
    def alive(self) -> bool:
        """Return whether it commits what comes."""
        return self._task is not None and not self._task.done()

    @property
    def waiting(self) -> int:
        """Return how many deliveries are waiting for the next commit."""
        return len(self._waiting)

    async def commit(self, rec: Record) -> Receipt:
        """Commit a delivery and return its receipt. When this returns, it is on disk.

        Raises Busy after at most four seconds. A delivery whose time is over is withdrawn, unless it is already in a
        transaction.
        """
        if len(self._waiting) >= self._tuning.commit_waiting or self._ending:
            raise Busy("too many deliveries are waiting")
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        with span("commit.wait") as wait:
            wait.set(delivery_id=rec.delivery_id, source_id=rec.source_id, kind=rec.kind)
            self._waiting.append((rec, done, wait))
            self._came.set()
            self._answer_in_time(done)
            receipt = await done
            wait.set(outcome=receipt.outcome)
            return receipt

    def _answer_in_time(self, done: "asyncio.Future[Receipt]") -> None:
        """Answer Busy when the time is over. All wait equally long, so one timer is enough: a timer for each delivery
        took 7 µs, this takes 1.
        """
        answers = self._answers
        while answers and answers[0][1].done():
            answers.popleft()
        loop = asyncio.get_running_loop()
        answers.append((loop.time() + self._tuning.commit_answer, done))
        if self._timer is None:
            self._timer = loop.call_at(answers[0][0], self._time_is_over)

    def _time_is_over(self) -> None:
        answers, self._timer = self._answers, None
        loop = asyncio.get_running_loop()
        while answers and (answers[0][1].done() or answers[0][0] <= loop.time()):
            done = answers.popleft()[1]
            if not done.done():
                done.set_exception(Busy(f"not committed within {self._tuning.commit_answer:g} seconds"))
        if answers:
            self._timer = loop.call_at(answers[0][0], self._time_is_over)

    async def _run(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while batch := self._next():
                await self._commit(batch)
            if self._ending:
                return

    def _next(self) -> list[_Waiting]:
        """Return the next batch, without deliveries that nobody waits for any more."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._tuning.commit_at_once:
            waiting = self._waiting.popleft()
            if not waiting[1].done():
                batch.append(waiting)
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        """Commit the batch.

        A delivery whose values cannot be stored is recorded as unreadable, if the others can be stored.
        """
        committed, refused = await self._in_halves(batch)
        for (rec, done, wait), fault in refused:
            values = isinstance(fault, Rejected)
            log.error(
                "a delivery cannot be committed",
                delivery_id=rec.delivery_id,
                source_id=rec.source_id,
                exc_info=None if values else fault,
                fault=type(fault).__name__,
            )
            # What refuses every delivery of a batch is the engine's fault, whatever it says.
            if values and rec.statements and (committed or len(batch) == 1):
                unreadable = replace(
                    rec,
                    statements=(),
                    outcome=Outcome.UNREADABLE,
                    reason="the registry could not store what this says",
                    notes=[],
                )
                if not (await self._in_halves([(unreadable, done, wait)]))[1]:
                    continue
            if committed:
                _answer_busy([(rec, done, wait)])
            else:
                self._failed([(rec, done, wait)], f"a delivery cannot be stored: {type(fault).__name__}")

    async def _in_halves(self, batch: list[_Waiting]) -> tuple[int, list[tuple[_Waiting, Exception]]]:
        """Commit the batch, or its halves, until what cannot be committed stands alone.

        Returns how many were committed, and what was not.
        """
        records = [rec for rec, _, _ in batch]
        begun = time.perf_counter()
        try:
            # A trace of its own, for it belongs to many: linked to each of those that wait, and they to it.
            with trace("commit", links=[wait for _, _, wait in batch]) as commit:
                commit.set(batch_size=len(batch))
                receipts = await order_owners.commit(
                    self._store,
                    lambda alone: commit_batch(records, alone),
                    patience=self._tuning.commit_statement,
                    quick=self._quick(records),
                )
        except Unavailable as fault:
            self._failed(batch, str(fault)[:300])
            return 0, []
        except Exception as fault:
            if len(batch) == 1:
                return 0, [(batch[0], fault)]
            middle = len(batch) // 2
            first, second = await self._in_halves(batch[:middle]), await self._in_halves(batch[middle:])
            return first[0] + second[0], first[1] + second[1]
        self.trouble, self.succeeded_at = None, time.monotonic()
        if any(rec.outcome is Outcome.FETCHING for rec in records):
            self.to_fetch.set()
        took = time.perf_counter() - begun
        for (_, done, _), receipt in zip(batch, receipts, strict=True):
            if not done.done():  # whoever waited may have gone; the delivery is recorded all the same
                done.set_result(receipt)
        self._tell(records, receipts, took)
        return len(batch), []

    def _quick(self, records: Sequence[Record]) -> bool:
        size, statements = sum(len(rec.content) for rec in records), sum(len(rec.statements) for rec in records)
        most = self._tuning.commit_quick
        return size <= most[0] and statements <= most[1]

    def _failed(self, batch: list[_Waiting], why: str) -> None:
        now = time.monotonic()
        if why != self.trouble or now - self._logged_at >= self._tuning.log_every:
            log.error("the database cannot commit", reason=why, deliveries=len(batch))
            self._logged_at = now
        self.trouble, self.failed_at = why, now
        _answer_busy(batch)

    def _tell(self, records: Sequence[Record], receipts: Sequence[Receipt], took: float) -> None:
        """Notify the observers, after the senders: an observer's error must delay no answer and no further commit."""
        for observer in self.observers:
            try:
                observer(records, receipts, took)
            except Exception as fault:
                log.error("a commit could not be told of", fault=type(fault).__name__, exc_info=fault)


def _answer_busy(batch: list[_Waiting]) -> None:
    for _, done, _ in batch:
        if not done.done():
            done.set_exception(Busy("the database cannot commit"))
