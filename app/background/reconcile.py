"""Reconciliation: asks the CRM's API for each of our contacts, and mends those that were deleted or merged there.

A 404 counts only while another contact is answered: an API that answers 404 to everything, as behind a proxy during an
upgrade or with the wrong account's number, must not cost a single CRM id.
"""

import asyncio
from dataclasses import replace
from time import monotonic
from typing import Any

from adapters.contract import Unfetched, Unreadable
from app.base.statement import CrmContact, crm_contact
from app.base.tuning import Tuning
from app.base.vault import Vault
from app.db.engine import Store
from app.db.statements import Plan, Row
from app.ingest.source_api import NO_KEY, NotThere, SourceApi
from app.ingest.source_cache import Source, SourceCache
from app.store import contacts, crm_reconciliation, jobs
from app.store.crm_reconciliation import Mended
from app.store.jobs import JobChange, JobFailed, JobStep

NOT_ITS_ID = "its CRM id is none of this CRM's"


class ReconcileJob:
    """Runs a reconciliation, one piece at a time. `phase` holds the CRM id of a contact that was there."""

    def __init__(self, store: Store, vault: Vault, source_cache: SourceCache, api: SourceApi, tuning: Tuning) -> None:
        self._store, self._vault, self._source_cache, self._api = store, vault, source_cache, api
        self._tuning, self._next = tuning, 0.0  # when the next request may be made

    async def step(self, job: Row, until: int) -> Row | None:
        """Do the next piece of the job, claimed until then. Returns the job as it is now, or None at its end.

        Raises LeaseLost, JobFailed, Unavailable, Sealed; Unfetched when the API is to be asked again later.
        """
        source = await self._source_cache.source(job["filter"]["source_id"])
        if source is None or source.account_id != job["account_id"]:
            raise JobFailed("the source is not there any more")
        try:
            return await self._step(job, source, until)
        except Unreadable as why:
            raise JobFailed(f"the CRM's answer cannot be read: {why.reason}") from None
        except Unfetched as why:
            if why.final:
                raise JobFailed(why.reason) from None
            await self._store.commit(lambda: jobs.advance(job, JobStep(), until=until))
            raise

    async def _step(self, job: Row, source: Source, until: int) -> Row | None:
        if not job["phase"]:
            there = await self._one_that_is_there(job, source)
            return await self._on(job, JobStep(phase=there), until) if there else None
        rows = await crm_reconciliation.scan(
            self._store,
            job["account_id"],
            source.id,
            after=job["cursor"],
            upto=job["upto"],
            limit=self._tuning.reconcile_at_once,
        )
        if not rows:
            return None
        began, failures, there = monotonic(), 0, job["phase"]
        for done, row in enumerate(rows, 1):
            path = source.adapter.contact_path(row["crm_id"], source.options)
            if path is None:
                failures += 1
            elif await self._is_there(source, row["crm_id"]):
                there = row["crm_id"]
            elif not await self._is_there(source, there):
                return await self._on(job, JobStep(phase=""), until)  # another is looked for
            else:
                return await self._mend(job, source, row, _step(row, done, failures, there), until)
            if monotonic() - began > self._tuning.reconcile_longest:
                break
        return await self._on(job, _step(row, done, failures, there), until)

    async def _one_that_is_there(self, job: Row, source: Source) -> str | None:
        """Return the CRM id of a contact that the API shows; None when we have no contact of this CRM.

        Raises JobFailed when none of ours seems to be there.
        """
        rows = await crm_reconciliation.newest(
            self._store, job["account_id"], source.id, upto=job["upto"], limit=self._tuning.reconcile_tried
        )
        for row in rows:
            if await self._is_there(source, row["crm_id"]):
                crm_id: str = row["crm_id"]
                return crm_id
        if rows:
            raise JobFailed(
                f"none of our {len(rows)} newest contacts is there: are the options address and account right?"
            )
        return None

    async def _is_there(self, source: Source, crm_id: str) -> bool:
        path = source.adapter.contact_path(crm_id, source.options)
        if path is None:
            return False
        try:
            await self._read(source, path)
        except NotThere:
            return False
        return True

    async def _read(self, source: Source, path: str) -> bytes:
        api = source.adapter.api
        if api is None or source.sealed_key is None:
            raise JobFailed(f"{NO_KEY}; give the source {api.key_description if api else 'one'}")
        begins = max(monotonic(), self._next)
        self._next = begins + self._tuning.reconcile_pace
        await asyncio.sleep(begins - monotonic())
        return await self._api.read(api, source.options, self._vault.open(source.sealed_key), path)

    # -- One that is gone -------------------------------------------------------------------------------------------

    async def _mend(self, job: Row, source: Source, row: Row, step: JobStep, until: int) -> Row:
        """Mend a contact and record it, in one commit. A dry run does the same, and takes it back."""
        account_id = job["account_id"]
        stays, why = await self._who_stays(source, row["id"])

        def mended() -> Plan[Mended | None]:
            return crm_reconciliation.mend(account_id, row["id"], row["crm_id"], stays, source.id)

        def recorded(mended: Mended | None) -> Plan[None]:
            changes = [_change(row, mended, stays, why)] if mended else []  # else it has changed meanwhile
            yield from jobs.advance(job, replace(step, changes=changes), until=until)

        def for_real() -> Plan[None]:
            yield from recorded((yield from mended()))

        def rehearsed() -> Plan[None]:
            raise _TakenBack((yield from mended()))

        if not job["dry_run"]:
            await self._store.commit(for_real)
        else:
            try:
                await self._store.commit(rehearsed)
            except _TakenBack as found:
                outcome = found.mended
                await self._store.commit(lambda: recorded(outcome))
        return _advanced(job, step)

    async def _who_stays(self, source: Source, contact_id: str) -> tuple[CrmContact | None, str]:
        """Return the contact of the CRM that has the e-mail of one that is gone, else its phone; and the words for it."""
        known = await contacts.identities_of(self._store, source.account_id, [contact_id])
        for kind, word in (("email", "e-mail"), ("phone", "phone")):
            for value in [one["value"] for one in known if one["kind"] == kind][: self._tuning.reconcile_searched]:
                answer = await self._read(source, source.adapter.search_path(kind, value, source.options))
                found = [
                    crm_contact(one, source.region, source.nobodys) for one in source.adapter.contacts_found(answer)
                ]
                having = [one for one in found if (kind, value) in one.identities]
                if len(having) == 1:
                    return having[0], f"its {word} is on the contact {having[0].crm_id} there"
                if having:
                    return None, f"its {word} is on several contacts there"
        return None, "no contact there has its e-mail or phone"

    async def _on(self, job: Row, step: JobStep, until: int) -> Row:
        await self._store.commit(lambda: jobs.advance(job, step, until=until))
        return _advanced(job, step)


class _TakenBack(Exception):
    """Raised to roll back what a dry run has done."""

    def __init__(self, mended: Mended | None) -> None:
        super().__init__()
        self.mended = mended


def _step(row: Row, done: int, failures: int, there: str) -> JobStep:
    failed = {NOT_ITS_ID: failures} if failures else None
    return JobStep(phase=there, cursor=row["id"], done=done, failures=failed, counts="contact")


def _change(row: Row, mended: Mended, stays: CrmContact | None, why: str) -> JobChange:
    if stays is not None and not mended.together:
        why += ", but something speaks against their being one: see possible duplicates"
    before: dict[str, Any] = {"crm_id": row["crm_id"], "merged_into": None, "why": None}
    after = {"crm_id": mended.crm_id, "merged_into": mended.merged_into, "why": why}
    return JobChange(kind="contact", subject=row["id"], before=before, after=after)


def _advanced(job: Row, step: JobStep) -> Row:
    return {**job, "phase": step.phase, "cursor": step.cursor if step.cursor is not None else job["cursor"]}
