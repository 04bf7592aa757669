"""On-hold deliveries: processed by themselves once their contact appears."""

from app.base.log import log
from app.base.supervisor import Loop
from app.db.engine import Store, Unavailable
from app.ingest.group_commit import Busy
from app.ingest.reprocess import NotRecorded, Reprocessor, SourceOutdated
from app.store import contacts

EVERY = 5.0  # seconds between two sweeps; a contact written here is met at once
AT_ONCE = 200
MOST_FAILED = 1_000  # deliveries whose fault is not logged again


class OnHoldWorker:
    """Finds deliveries on hold whose contact has appeared."""

    def __init__(self, store: Store, retry: Reprocessor) -> None:
        self._store, self._retry = store, retry
        self._failed: set[str] = set()  # deliveries whose fault was logged
        self.loop = Loop("held", self.turn, EVERY, known=(Unavailable, Busy))

    def contact_appeared(self) -> None:
        """Ask for a sweep soon: a contact has new identities."""
        self.loop.wake()

    async def turn(self) -> None:
        """Process every delivery on hold whose contact exists. Raises Unavailable, Busy."""
        await self.sweep()

    async def sweep(self) -> int:
        """Process every delivery on hold whose contact exists. Returns how many. Raises Unavailable, Busy."""
        taken = 0
        while rows := await contacts.awaited_by_now(self._store, AT_ONCE):
            before = taken
            for row in rows:
                if self.loop.ending:
                    return taken
                try:
                    await self._retry.retry(row["account_id"], row["delivery_id"])
                    taken += 1
                except SourceOutdated as fault:  # it waits until the options are set
                    self._log(row["delivery_id"], fault)
                except NotRecorded as why:
                    log.warning("a held delivery cannot be taken up", delivery_id=row["delivery_id"], reason=str(why))
                    await contacts.no_longer_awaited(self._store, row["account_id"], row["delivery_id"])
                except (Unavailable, Busy):
                    raise
                except Exception as fault:  # the others are taken up all the same
                    self._log(row["delivery_id"], fault)
            if taken == before:
                break
        return taken

    def _log(self, delivery_id: str, fault: Exception) -> None:
        if delivery_id not in self._failed:
            self._failed = {*self._failed, delivery_id} if len(self._failed) < MOST_FAILED else {delivery_id}
            log.error(
                "a held delivery failed; it stays held",
                delivery_id=delivery_id,
                fault=type(fault).__name__,
                exc_info=fault,
            )
