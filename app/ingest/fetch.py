"""Thin deliveries: what they only announce is read from the source's API, after the answer, until it is known."""

import asyncio
from contextlib import suppress

from adapters.contract import Unfetched
from app.base import clock
from app.base.log import log
from app.base.outcome import Outcome
from app.base.retry_delay import doubled
from app.base.spans import trace
from app.base.vault import Sealed, Vault
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.ingest.group_commit import Busy
from app.ingest.reprocess import NotRecorded, Reprocessor
from app.ingest.source_api import THE_KEY, SourceApi
from app.ingest.source_cache import Source
from app.store import fetches

EVERY = 1.0  # seconds between two looks; what this process recorded itself is met at once
PER_SOURCE = 4  # fetches of one source at a time, over all processes
AT_ONCE = 32  # fetches of one process at a time
CLAIM = 120.0  # seconds; longer than a fetch can take, and short enough for another process to take over
FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0  # seconds before the second attempt; at most between two
ENDS_WITHIN = 5.0  # seconds that a stop waits for sources to answer
MOST_ATTEMPTS = 80  # about three days


class FetchWorker:
    """One process's fetches."""

    def __init__(self, store: Store, vault: Vault, retry: Reprocessor, api: SourceApi, came: asyncio.Event) -> None:
        self._store, self._vault, self._retry, self._api = store, vault, retry, api
        self._came = came
        self._running: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._ending = False

    def start(self) -> None:
        """Begins; what waits since before this start is met first."""
        self._task = asyncio.create_task(self._run(), name="fetch")

    async def stop(self) -> None:
        """Ends after the fetches at hand, or without those whose source does not answer soon."""
        self._ending = True
        self._came.set()
        if self._task:
            await self._task
            self._task = None
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=ENDS_WITHIN)
            for task in late:  # waits for its source, not for the database; the claim is let go of at the next start
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self._api.close()

    async def _run(self) -> None:
        if self._store.on_sqlite:
            with suppress(Unavailable):
                await fetches.release(self._store)
        while not self._ending:
            self._came.clear()
            try:
                while await self._begin():
                    pass
            except Unavailable as fault:
                log.warning("fetches wait for the database", reason=str(fault)[:300])
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), EVERY)

    async def _begin(self) -> int:
        """Claims what is due and begins to fetch it; gives how many."""
        room = AT_ONCE - len(self._running)
        if room <= 0 or self._ending:
            return 0
        present = clock.now()
        rows = await fetches.claim(
            self._store, present=present, until=present + int(CLAIM * 1e6), per_source=PER_SOURCE, limit=room
        )
        for row in rows:
            task = asyncio.create_task(self._one(row), name=f"fetch {row['delivery_id']}")
            self._running.add(task)
            task.add_done_callback(self._done)
        return len(rows)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._came.set()  # there is room again, also at its source

    async def _one(self, row: Row) -> None:
        """One fetch, from the claim to its outcome."""
        try:
            with trace("fetch") as whole:
                whole.set(delivery_id=row["delivery_id"], source_id=row["source_id"], attempt=row["attempts"] + 1)
                whole.set(outcome=await self._fetch(row))
        except (Unavailable, Busy, Sealed) as fault:  # the claim runs out, and it is asked for again
            log.warning("a fetch waits", delivery_id=row["delivery_id"], reason=str(fault)[:300])
        except Exception as fault:
            log.error("a fetch failed", delivery_id=row["delivery_id"], fault=type(fault).__name__, exc_info=fault)

    async def _fetch(self, row: Row) -> Outcome:
        """Reads the document of a delivery that is claimed, and commits what it says, or when it is to be tried again.

        Gives the delivery's outcome after it.
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
        rec = kept.read()
        if rec.outcome is Outcome.FETCHING:  # today's adapter may read it otherwise
            try:
                rec = kept.read(await self._document(kept.source, rec.path))
            except Unfetched as why:
                if not why.final and row["attempts"] + 1 < MOST_ATTEMPTS:
                    await self._again(row, why)
                    return Outcome.FETCHING
                rec = kept.read(why)
        rec.asked_at = asked_at
        return (await self._retry.commit(rec)).outcome

    async def _document(self, source: Source, path: str) -> bytes:
        api = source.adapter.api
        if api is None:
            raise Unfetched("the adapter does not say where the order is read", final=True)
        if source.sealed_key is None:
            raise Unfetched(f"{THE_KEY}missing; give the source {api.key_description}", final=True)
        return await self._api.read(api, source.options, self._vault.open(source.sealed_key), path)

    async def _again(self, row: Row, why: Unfetched) -> None:
        backoff = doubled(row["attempts"], FIRST_WAIT, LONGEST_WAIT)
        wait = max(backoff, why.retry_after or 0.0)
        await fetches.again(
            self._store, row, at=clock.now() + int(wait * 1e6), reason=f"{why.reason}; it is asked again",
            whole_source=why.retry_after is not None,
        )  # fmt: skip
