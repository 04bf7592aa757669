"""Runs jobs: bulk retries, remaps and reconciliations, which survive a restart, a crash and an upgrade.

A job is a row with a claim: whoever holds the claim does the next piece and records the progress, until the job ends or
is stopped. Between two pieces it rests as long as the last one took, so that incoming deliveries get at least half the
time.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from time import monotonic

from adapters.contract import Unfetched
from app.background.reconcile import ReconcileJob
from app.background.remap import RemapJob
from app.base import clock
from app.base.ids import new_id
from app.base.log import log
from app.base.outcome import Outcome
from app.base.retry_delay import doubled
from app.base.spans import trace
from app.base.supervisor import Loop
from app.base.tuning import Tuning
from app.base.vault import Sealed, Vault
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.ingest.group_commit import Busy, GroupCommit
from app.ingest.reprocess import NotRecorded, RecordedDelivery, Reprocessor
from app.ingest.source_api import SourceApi
from app.ingest.source_cache import Source, SourceCache
from app.store import crm_reconciliation, deliveries, fetches, jobs
from app.store.deliveries import DeliveryFilter
from app.store.delivery_record import Receipt
from app.store.jobs import JobChange, JobFailed, JobStep, LeaseLost


class Jobs:
    """Runs one process's share of the jobs."""

    def __init__(
        self,
        store: Store,
        retry: Reprocessor,
        group_commit: GroupCommit,
        vault: Vault,
        source_cache: SourceCache,
        api: SourceApi,
        tuning: Tuning,
    ) -> None:
        self._store, self._retry, self._group_commit, self._tuning = store, retry, group_commit, tuning
        self._remap = RemapJob(store, retry, tuning)
        self._reconcile = ReconcileJob(store, vault, source_cache, api, tuning)
        first = (lambda: jobs.LEASE.release(store)) if store.on_sqlite else None
        self.loop = Loop("jobs", self._begin, tuning.look_every, known=(Unavailable,), first=first)

    async def stop(self) -> None:
        """Stop after the current pieces, or without those that do not end soon: their claims expire.

        The jobs continue at the next start, or in another process.
        """
        await self.loop.stop(self._tuning.job_stop_within)

    # -- Asked for ----------------------------------------------------------------------------------------------

    async def count(self, account_id: str, wanted: DeliveryFilter) -> int:
        """Return how many deliveries a bulk retry or a remap would process. Raises Unavailable."""
        return await deliveries.count(self._store, account_id, wanted, upto=new_id("dlv"))

    async def begin(
        self, account_id: str, kind: str, wanted: DeliveryFilter, *, dry_run: bool, member_id: str | None
    ) -> Row:
        """Start a job over what matches now; what arrives later is not part of it. Raises TooManyJobs, Unavailable."""
        upto = new_id("dlv")  # sorts after every delivery so far
        total = await deliveries.count(self._store, account_id, wanted, upto=upto)
        filter_ = {name: value for name, value in asdict(wanted).items() if value not in (None, (), [])}
        return await self._added(
            await jobs.add(
                self._store,
                account_id,
                kind=kind,
                filter_=filter_,
                dry_run=dry_run,
                upto=upto,
                total=total,
                member_id=member_id,
                most=self._tuning.job_waiting,
            )
        )

    async def reconcile(self, source: Source, *, dry_run: bool, member_id: str | None) -> Row:
        """Start to look for contacts that are gone in the source's CRM. Raises TooManyJobs, Unavailable."""
        upto = new_id("cnt")
        return await self._added(
            await jobs.add(
                self._store,
                source.account_id,
                kind=jobs.RECONCILE,
                filter_={"source_id": source.id},
                dry_run=dry_run,
                upto=upto,
                total=await crm_reconciliation.count(self._store, source.account_id, source.id, upto),
                member_id=member_id,
                most=self._tuning.job_waiting,
            )
        )

    async def _added(self, job: Row) -> Row:
        if self.loop.started:
            self.loop.wake()
        else:  # a command that has no server: it does its own job, and nothing else
            await self._begin(only=job["id"])
        return job

    # -- Done ---------------------------------------------------------------------------------------------------

    async def _begin(self, only: str | None = None) -> None:
        """Start jobs that nobody works on, as far as there is room; or only the one named by `only`."""
        room = self._tuning.job_at_once - self.loop.working if only is None else 1
        if room <= 0 or self.loop.ending:
            return
        rows = await jobs.claim(
            self._store, claim=new_id("clm"), present=clock.now(), until=self._until(), limit=room, only=only
        )
        for row in rows:
            self.loop.spawn(self._one(row), f"job {row['id']}")

    def _until(self) -> int:
        return clock.now() + int(self._tuning.claim * 1e6)

    async def _one(self, job: Row) -> None:
        """Run one job, piece by piece, until it ends or this process stops."""
        further: Row | None = job
        while not self.loop.ending:
            began = monotonic()
            try:
                further = await self.piece(job)
                if further is None:
                    await jobs.finish(self._store, job, jobs.DONE)
                    return
                job = further
                if job["kind"] == jobs.REMAP and not job["dry_run"]:
                    await self._until_few_fetches(job["account_id"], job["filter"]["source_id"])
            except LeaseLost:
                return
            except (Unavailable, Busy, Sealed, Unfetched) as fault:
                log.warning("a job waits", job_id=job["id"], reason=str(fault)[:300])
                job = await self._after_the_wait(job, self._wait(fault))
            except Exception as fault:
                await self._failed(job, fault)
                return
            await self._rest(monotonic() - began)
        with suppress(Unavailable):
            await jobs.let_go(self._store, job)

    async def piece(self, job: Row) -> Row | None:
        """Do the next piece of a claimed job. Returns the job as it is then, None if that was its end."""
        steps = {jobs.REMAP: self._remap.step, jobs.RECONCILE: self._reconcile.step, jobs.RETRY: self._retry_some}
        step = steps[job["kind"]]
        with trace("job.piece") as piece:
            piece.set(job_id=job["id"], job_kind=job["kind"], dry_run=job["dry_run"])
            further = await step(job, self._until())
            piece.set(ended=further is None)
            return further

    async def _after_the_wait(self, job: Row, seconds: float) -> Row:
        """Return the job as it is stored: whether the last piece was committed is not known."""
        await self.loop.rest(seconds)
        with suppress(Unavailable):
            found = await jobs.find(self._store, job["account_id"], job["id"])
            if found is not None:
                return {**found, "claim": job["claim"]}
        return job

    async def _failed(self, job: Row, fault: Exception) -> None:
        reason = (
            str(fault)
            if isinstance(fault, JobFailed)
            else f"a fault of ours ({type(fault).__name__}); it is in the log"
        )
        log.error(
            "a job failed",
            job_id=job["id"],
            fault=type(fault).__name__,
            exc_info=None if isinstance(fault, JobFailed) else fault,
        )
        with suppress(Unavailable):
            await jobs.finish(self._store, job, jobs.FAILED, reason)

    async def _rest(self, took: float) -> None:
        """Leave the database to incoming deliveries, for as long as the last piece took."""
        await self.loop.rest(min(took, self._tuning.job_rest))
        for _ in range(100):
            if self._group_commit.waiting < self._tuning.commit_at_once or self.loop.ending:
                return
            await asyncio.sleep(0.02)

    # -- Bulk retry ---------------------------------------------------------------------------------------------

    async def _retry_some(self, job: Row, until: int) -> Row | None:
        """Retry the next deliveries of a bulk retry, oldest first. Returns None when there are no more."""
        account_id = job["account_id"]
        rows = await deliveries.newer(
            self._store, account_id, DeliveryFilter(**job["filter"]), than=job["cursor"], limit=self._tuning.job_batch
        )
        rows = [row for row in rows if row["id"] <= job["upto"]]
        if not rows:
            return None
        kept = await self._retry.kept_all(account_id, rows)
        ended = await asyncio.gather(*(self._once_more(one) for one in kept))
        failures = Counter(one for one in ended if isinstance(one, str))
        changes = [
            _change(row, one)
            for row, one in zip(rows, ended, strict=True)
            if isinstance(one, Receipt) and _differs(row, one)
        ]
        step = JobStep(cursor=rows[-1]["id"], done=len(rows), failures=failures, changes=changes)
        await self._store.commit(lambda: jobs.advance(job, step, until=until))
        for source_id in {row["source_id"] for row, one in zip(rows, ended, strict=True) if _fetches(one)}:
            await self._until_few_fetches(account_id, source_id)
        return {**job, "cursor": step.cursor}

    async def _once_more(self, kept: RecordedDelivery | NotRecorded) -> Receipt | str:
        """Return the result of a retry, or why it cannot be retried."""
        if isinstance(kept, NotRecorded):
            return str(kept)
        for attempt in range(self._tuning.job_tries):
            try:
                return await self._retry.commit(await self._retry.read(kept))
            except Busy as why:  # too many wait, or this very delivery cannot be stored
                if self.loop.ending:
                    raise
                if attempt == self._tuning.job_tries - 1:
                    return str(why)
            await self.loop.rest(doubled(attempt, *self._tuning.loop_pauses))
        raise AssertionError("unreachable")

    async def _until_few_fetches(self, account_id: str, source_id: str) -> None:
        """Wait until few fetches are queued: new thin deliveries must not wait behind old ones."""
        few, longest = self._tuning.job_fetches
        ends = monotonic() + longest
        while self.loop.started and not self.loop.ending and monotonic() < ends:  # else nobody fetches
            if await fetches.waiting_of(self._store, account_id, source_id) <= few:
                return
            await self.loop.rest(0.2)

    def _wait(self, fault: Exception) -> float:
        """Return how many seconds to wait after this."""
        if not isinstance(fault, Unfetched):
            return self._tuning.job_away
        first, longest = self._tuning.job_asks_again
        return min(fault.retry_after or first, longest)


def _fetches(ended: Receipt | str) -> bool:
    return isinstance(ended, Receipt) and ended.outcome is Outcome.FETCHING


def _differs(row: Row, receipt: Receipt) -> bool:
    told = {Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED}
    if receipt.outcome is Outcome.UPDATED:
        return True
    return receipt.outcome != row["outcome"] and not {receipt.outcome, row["outcome"]} <= told


def _change(row: Row, receipt: Receipt) -> JobChange:
    return JobChange(
        kind="delivery",
        subject=row["id"],
        before={"outcome": row["outcome"], "reason": row["reason"]},
        after={"outcome": str(receipt.outcome), "reason": receipt.reason},
    )
