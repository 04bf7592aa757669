"""A remap: reads a source's recorded deliveries with today's adapter, and changes their orders accordingly.

First every delivery is read and compared with its record. Only those that differ are noted, with the orders they
concern. Then these are applied order by order, all deliveries of an order together, so that its change is seen whole. A
dry run does the same in a transaction that only reads.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from adapters.contract import Adapter
from app.base.outcome import Outcome
from app.base.tuning import Tuning
from app.db.engine import Store
from app.db.statements import Plan, Row
from app.ingest.reprocess import NotRecorded, RecordedDelivery, Reprocessor
from app.store import deliveries, jobs, remap
from app.store.deliveries import DeliveryFilter
from app.store.delivery_record import Receipt, Record
from app.store.jobs import JobChange, JobFailed, JobStep
from app.store.remap import LockName, MoreLocksNeeded, RemapResult

READ, APPLY = "", "apply"  # the two phases


def refusal(adapter: Adapter[Any]) -> str | None:
    """Return why a source of this adapter cannot be remapped, or None."""
    if adapter.brings == "contacts":
        # What a CRM says of a contact is not kept as history: told again, an old word would undo a newer one.
        return "this source tells of contacts, not of orders; single deliveries of it can be retried"
    return None


class RemapJob:
    """Runs a remap, one step at a time."""

    def __init__(self, store: Store, retry: Reprocessor, tuning: Tuning) -> None:
        self._store, self._retry, self._tuning = store, retry, tuning

    async def step(self, job: Row, until: int) -> Row | None:
        """Do the next piece of the job, claimed until then. Returns the job as it is now, or None at its end.

        Raises LeaseLost, JobFailed, Unavailable, Busy.
        """
        return await (self._read(job, until) if job["phase"] == READ else self._apply(job, until))

    # -- Which deliveries read differently now ------------------------------------------------------------------

    async def _read(self, job: Row, until: int) -> Row | None:
        rows = await deliveries.newer(
            self._store,
            job["account_id"],
            DeliveryFilter(**job["filter"]),
            than=job["cursor"],
            limit=self._tuning.remap_at_once,
        )
        rows = [row for row in rows if row["id"] <= job["upto"]]
        if not rows:
            return await self._on(job, JobStep(phase=APPLY, cursor=""), until)
        read, failures = await self._records(job, rows)
        asked = [(rec, row) for rec, row in read if rec.outcome is Outcome.FETCHING]
        # What a shop says of a customer is not kept as history either.
        whole = [(rec, row) for rec, row in read if rec.outcome is not Outcome.FETCHING and not rec.customers]
        found = await self._store.read(lambda: remap.differing(whole)) if whole else {}
        changes = await self._ask_again(job, [(rec, row) for rec, row in asked if row["outcome"] != Outcome.FETCHING])
        step = JobStep(
            cursor=rows[-1]["id"], done=len(rows) - len(found), failures=failures, changes=changes, counts="order"
        )

        def plan() -> Plan[None]:
            yield from jobs.advance(job, step, until=until)
            yield from remap.link(job["account_id"], job["id"], found)

        await self._store.commit(plan)
        return {**job, "cursor": step.cursor}

    async def _records(self, job: Row, rows: Sequence[Row]) -> tuple[list[tuple[Record, Row]], dict[str, int]]:
        """Return what these deliveries say today, and how many cannot be read any more, by reason."""
        failures: dict[str, int] = {}
        read: list[tuple[Record, Row]] = []
        for at, kept in enumerate(await self._retry.kept_all(job["account_id"], rows)):
            if isinstance(kept, RecordedDelivery):
                read.append((await self._retry.read(kept), kept.row))
            elif isinstance(kept, NotRecorded):
                failures[str(kept)] = failures.get(str(kept), 0) + 1
            if (at + 1) % self._tuning.remap_breath == 0:
                await asyncio.sleep(0)
        return read, failures

    async def _ask_again(self, job: Row, asked: Sequence[tuple[Record, Row]]) -> list[JobChange]:
        """Fetch thin deliveries again: their source's answer is not stored. A dry run asks nobody."""
        if not job["dry_run"]:
            await asyncio.gather(*(self._retry.commit(rec) for rec, _ in asked))
        return [_delivery_change(row, rec, Receipt(rec.delivery_id, Outcome.FETCHING, ())) for rec, row in asked]

    # -- Told anew ----------------------------------------------------------------------------------------------

    async def _apply(self, job: Row, until: int) -> Row | None:
        account_id, dry_run = job["account_id"], job["dry_run"]
        compared, (seeds, enough) = self._tuning.remap_compared, self._tuning.remap_batch
        ids = await self._store.read(
            lambda: remap.together(
                account_id, job["id"], seeds=seeds, enough=enough, most=compared if dry_run else enough
            )
        )
        if not ids:
            return None
        if dry_run and len(ids) > compared:
            raise JobFailed(
                f"more than {compared} deliveries have to do with one order; compare a shorter time (since, until)"
            )
        rows = {row["id"]: row for row in await deliveries.find_all(self._store, account_id, ids)}
        read, failures = await self._records(job, list(rows.values()))
        asked = [(rec, row) for rec, row in read if rec.outcome is Outcome.FETCHING]
        whole = [rec for rec, _ in read if rec.outcome is not Outcome.FETCHING]
        also = await self._ask_again(job, asked)  # only when another version of the adapter began the job
        await self._tell(job, ids, whole, rows, failures, also, until)
        return job

    async def _tell(
        self,
        job: Row,
        ids: Sequence[str],
        batch: Sequence[Record],
        rows: dict[str, Row],
        failures: dict[str, int],
        also: list[JobChange],
        until: int,
    ) -> None:
        def further(remapped: RemapResult | None) -> Plan[None]:
            changes = also + (_changes(remapped, rows, dry_run=job["dry_run"]) if remapped else [])
            step = JobStep(done=len(ids), failures=failures, changes=changes, counts="order")
            yield from jobs.advance(job, step, until=until)
            yield from remap.unlink(job["account_id"], job["id"], ids)

        async def once(locked: frozenset[LockName]) -> None:
            def for_real() -> Plan[None]:
                yield from further((yield from remap.apply_again(batch, rows, locked, for_real=True)))

            found = None
            if batch and not job["dry_run"]:
                await self._store.commit(for_real)
                return
            if batch:
                found = await self._store.read(lambda: remap.apply_again(batch, rows, locked, for_real=False))
            await self._store.commit(lambda: further(found))

        locked: frozenset[LockName] = frozenset()
        while True:
            try:
                return await once(locked)
            except MoreLocksNeeded as more:
                locked = more.names

    async def _on(self, job: Row, step: JobStep, until: int) -> Row:
        await self._store.commit(lambda: jobs.advance(job, step, until=until))
        return {**job, "phase": step.phase, "cursor": step.cursor}


def _changes(remapped: RemapResult, rows: dict[str, Row], *, dry_run: bool) -> list[JobChange]:
    changes = []
    for order_id, before, now in remapped.orders:
        subject, after = order_id, now
        if dry_run and after is not None:  # ids that were made for it mean nothing
            if order_id in remapped.made:
                subject, after = f"new {after['external_id']}", {**after, "id": None}
            if after["contact_id"] in remapped.made:
                after = {**after, "contact_id": "new"}
        changes.append(JobChange(kind="order", subject=subject, before=before, after=after))
    for rec, receipt in remapped.deliveries.values():
        change = _delivery_change(rows[rec.delivery_id], rec, receipt)
        if change.before != change.after:
            changes.append(change)
    return changes


def _delivery_change(row: Row, rec: Record, receipt: Receipt) -> JobChange:
    first = rec.statements[0].names[0] if rec.statements else rec.external_id
    before = {name: row[name] for name in ("kind", "outcome", "reason", "external_id", "notes")}
    after = {
        "kind": rec.kind,
        "outcome": str(receipt.outcome),
        "reason": receipt.reason,
        "external_id": first,
        "notes": list(rec.notes),
    }
    return JobChange(kind="delivery", subject=rec.delivery_id, before=before, after=after)
