"""On-hold deliveries: processed by themselves once their contact appears."""

import asyncio
from contextlib import suppress

from app.base.log import log
from app.db.engine import Store, Unavailable
from app.ingest.group_commit import Busy
from app.ingest.reprocess import NotRecorded, Reprocessor
from app.store import contacts

EVERY = 5.0  # seconds between two sweeps; a contact written here is met at once
AT_ONCE = 200


class OnHoldWorker:
    """Finds deliveries on hold whose contact has appeared."""

    def __init__(self, store: Store, retry: Reprocessor) -> None:
        self._store, self._retry = store, retry
        self._appeared = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = False

    def contact_appeared(self) -> None:
        """Ask for a sweep soon: a contact has new identities."""
        self._appeared.set()

    def start(self) -> None:
        """Start to sweep. What was waiting before is handled first."""
        self._appeared.set()
        self._task = asyncio.create_task(self._run(), name="held")

    async def stop(self) -> None:
        """Stop after the current delivery."""
        self._ending = True
        self._appeared.set()
        if self._task:
            await self._task
            self._task = None

    async def sweep(self) -> int:
        """Process every delivery on hold whose contact exists. Returns how many. Raises Unavailable, Busy."""
        taken = 0
        while rows := await contacts.awaited_by_now(self._store, AT_ONCE):
            before = taken
            for row in rows:
                if self._ending:
                    return taken
                try:
                    await self._retry.retry(row["account_id"], row["delivery_id"])
                    taken += 1
                except NotRecorded as why:
                    log.warning("a held delivery cannot be taken up", delivery_id=row["delivery_id"], reason=str(why))
                    await contacts.no_longer_awaited(self._store, row["account_id"], row["delivery_id"])
            if taken == before:
                break
        return taken

    async def _run(self) -> None:
        while not self._ending:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._appeared.wait(), EVERY)
            self._appeared.clear()
            try:
                await self.sweep()
            except (Unavailable, Busy) as fault:
                log.warning("held deliveries wait for the database", reason=str(fault)[:300])
