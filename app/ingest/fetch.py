"""Thin deliveries: the order they name is read from the source's API after the answer, with retries."""

import asyncio
from collections import deque
from itertools import count
from time import monotonic

from adapters.contract import Strength, Unfetched
from app.base import clock
from app.base.log import log
from app.base.outcome import Outcome
from app.base.retry_delay import doubled
from app.base.spans import trace
from app.base.supervisor import Loop
from app.base.tuning import Tuning
from app.base.vault import Sealed, Vault
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.ingest.group_commit import Busy
from app.ingest.reprocess import NotRecorded, Reprocessor
from app.ingest.source_api import NO_KEY, NO_SUCH_ORDER, SourceApi
from app.ingest.source_cache import Source
from app.store import fetches


class FetchWorker:
    """Runs the fetches of one process."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        retry: Reprocessor,
        api: SourceApi,
        came: asyncio.Event,
        tuning: Tuning,
    ) -> None:
        self._store, self._vault, self._retry, self._api, self._tuning = store, vault, retry, api, tuning
        self._begun: dict[str, deque[float]] = {}  # when fetches of a source were begun, in the last minute
        first = (lambda: fetches.LEASE.release(store)) if store.on_sqlite else None
        self.loop = Loop("fetch", self._turn, tuning.look_every, known=(Unavailable,), first=first, woken=came)

    async def stop(self) -> None:
        """Stop after the current fetches, or without those whose source does not answer soon.

        Their claims expire.
        """
        await self.loop.stop(self._tuning.stop_within)
        await self._api.close()

    async def _turn(self) -> None:
        while await self._begin():
            pass

    async def _begin(self) -> int:
        """Claim what is due and start to fetch it. Returns how many."""
        room = self._tuning.fetch_at_once - self.loop.working
        if room <= 0 or self.loop.ending:
            return 0
        present = clock.now()
        rows = await fetches.claim(
            self._store,
            present=present,
            until=present + int(self._tuning.fetch_claim * 1e6),
            per_source=self._tuning.fetch_per_source,
            limit=room,
            resting=self._resting(),
        )
        for row in rows:
            self._begun.setdefault(row["source_id"], deque()).append(monotonic())
            self.loop.spawn(self._one(row), f"fetch {row['delivery_id']}")
        return len(rows)

    def _resting(self) -> list[str]:
        """Return the sources that have had their fetches of this minute."""
        since = monotonic() - 60
        for source_id, times in list(self._begun.items()):
            while times and times[0] < since:
                times.popleft()
            if not times:
                del self._begun[source_id]
        return [source_id for source_id, times in self._begun.items() if len(times) >= self._tuning.fetch_a_minute]

    async def _one(self, row: Row) -> None:
        """Run one fetch, from the claim to its outcome. If it fails, the claim expires, and it is fetched again."""
        ends = monotonic() + self._tuning.fetch_claim
        for failures in count():
            try:
                with trace("fetch") as whole:
                    whole.set(delivery_id=row["delivery_id"], source_id=row["source_id"], attempt=row["attempts"] + 1)
                    whole.set(outcome=await self._fetch(row))
                return
            except (Unavailable, Busy) as fault:
                if failures == 0:
                    log.warning("a fetch waits", delivery_id=row["delivery_id"], reason=str(fault)[:300])
            except Sealed as fault:
                log.warning("a fetch waits", delivery_id=row["delivery_id"], reason=str(fault))
                return
            wait = doubled(failures, *self._tuning.loop_pauses)
            if self.loop.ending or monotonic() + wait > ends:
                return
            await self.loop.rest(wait)

    async def _fetch(self, row: Row) -> Outcome:
        """Read the document of a claimed delivery, and commit its content, or the time of the next attempt.

        Returns the delivery's outcome after it.
        """
        account_id, delivery_id = row["account_id"], row["delivery_id"]
        try:
            kept = await self._retry.kept(account_id, delivery_id)
        except NotRecorded as why:
            await fetches.give_up(self._store, account_id, delivery_id, f"not fetched: {why}")
            return Outcome.UNFETCHED
        if kept is None:  # pruned meanwhile
            await fetches.give_up(self._store, account_id, delivery_id, "")
            return Outcome.UNFETCHED
        asked_at = clock.now()
        rec = await self._retry.read(kept)
        if rec.outcome is Outcome.FETCHING:  # today's adapter may read it otherwise
            try:
                rec = await self._retry.read(kept, await self._document(kept.source, rec.path))
            except Unfetched as why:
                if not why.final and row["attempts"] + 1 < self._tuning.fetch_attempts:
                    await self._again(row, why)
                    return Outcome.FETCHING
                rec = await self._retry.read(kept, why)
        rec.asked_at = asked_at
        ended = (await self._retry.commit(rec)).outcome
        if ended is Outcome.UNFETCHED and rec.strength == Strength.FETCHED:
            await fetches.forget_unfetched(
                self._store, account_id, row["source_id"], NO_SUCH_ORDER, self._tuning.fetch_unproven_kept
            )
        return ended

    async def _document(self, source: Source, path: str) -> bytes:
        api = source.adapter.api
        if api is None:
            raise Unfetched("the adapter does not say where the order is read", final=True)
        if source.sealed_key is None:
            raise Unfetched(f"{NO_KEY}; give the source {api.key_description}", final=True)
        return await self._api.read(api, source.options, self._vault.open(source.sealed_key), path)

    async def _again(self, row: Row, why: Unfetched) -> None:
        wait = max(doubled(row["attempts"], *self._tuning.retry_waits), why.retry_after or 0.0)
        await fetches.again(
            self._store,
            row,
            at=clock.now() + int(wait * 1e6),
            reason=f"{why.reason}; it is asked again",
            whole_source=why.retry_after is not None,
        )
