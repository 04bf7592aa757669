"""The service: makes and joins every part, opens and closes them in the right order."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from app.background.analyze import GrowingTables
from app.background.clock_guard import ClockGuard
from app.background.erasure import ErasureService
from app.background.jobs import Jobs
from app.background.outbox import Outbox, Shown
from app.background.retention import Retention
from app.base.settings import Settings
from app.base.supervisor import close_all
from app.base.tuning import Tuning
from app.base.vault import Vault, open_vault
from app.db.engine import Store, Unavailable
from app.imports.importer import Importer
from app.ingest.admission import Admission
from app.ingest.fetch import FetchWorker
from app.ingest.group_commit import GroupCommit
from app.ingest.held import OnHoldWorker
from app.ingest.offload import Offload
from app.ingest.receive import Receiver
from app.ingest.rejections import RejectionCounter
from app.ingest.reprocess import Reprocessor
from app.ingest.source_api import SourceApi
from app.ingest.source_cache import SourceCache
from app.observability.metrics import Metrics
from app.observability.readiness import Readiness
from app.observability.source_health import SourceHealth
from app.observability.tail import Tail
from app.store import tombstones

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


class Service:
    """Holds all parts of the running service. The web application uses it, and through that the command line."""

    def __init__(
        self,
        settings: Settings,
        *,
        shown: Shown,
        tuning: Tuning = Tuning(),
        group_commit: Callable[[Store, Tuning], GroupCommit] = GroupCommit,
        background: bool = True,
    ) -> None:
        self.settings, self.tuning, self._background = settings, tuning, background
        self.vault: Vault = open_vault(settings)
        self.store = Store(settings, self.vault, tuning)
        self.source_cache = SourceCache(self.store, self.vault, settings, tuning)
        self.group_commit = group_commit(self.store, tuning)
        self.admission = Admission(tuning)
        self.readiness = Readiness(self.store, self.vault, self.group_commit, tuning)
        self.metrics = Metrics(
            self.store,
            lambda: self.group_commit.waiting,
            lambda: self.readiness.faults,
            lambda: self.admission.shed,
        )
        self.refused = RejectionCounter(self.store, self.metrics.refused)
        self.importer = Importer(self.store, tuning)
        self.clock_guard = ClockGuard(self.store)
        self.tail = Tail(self.store, tuning)
        self.outbox = Outbox(
            self.store,
            self.vault,
            settings.receivers,
            tuning,
            shown=shown,
            counts=self.metrics.told,
            busy=lambda: self.group_commit.waiting > 0,
            doubt=self.clock_guard.doubt,
        )
        self.source_health = SourceHealth(self.store, self.outbox.wake)
        self.group_commit.observers += [
            self.admission.committed,
            self.tail.committed,
            self.metrics.committed,
            self.outbox.committed,
        ]
        self.young = None if self.store.on_sqlite else GrowingTables(self.store)
        if self.young:
            self.group_commit.observers.append(self.young.committed)
            self.importer.observers.append(self.young.grown)
        self.offload = Offload()
        self.receiver = Receiver(self.source_cache, self.group_commit, self.refused, self.offload, self.vault)
        self.retry = Reprocessor(self.store, self.source_cache, self.group_commit, self.offload)
        self.erasures = ErasureService(self.store, self.vault, self.retry)
        self.held = OnHoldWorker(self.store, self.retry)
        self.source_api = SourceApi(settings.receivers)
        self.fetch = FetchWorker(
            self.store, self.vault, self.retry, self.source_api, self.group_commit.to_fetch, tuning
        )
        self.retention = Retention(self.store, self.clock_guard.doubt, tuning.prune_steps)
        self.jobs = Jobs(
            self.store, self.retry, self.group_commit, self.vault, self.source_cache, self.source_api, tuning
        )
        self.loops = [
            self.refused.loop,
            self.metrics.loop,
            self.held.loop,
            self.fetch.loop,
            self.retention.loop,
            self.jobs.loop,
            self.outbox.loop,
            self.tail.loop,
            self.readiness.loop,
            self.source_health.loop,
            *([self.young.loop] if self.young else []),
        ]
        self.readiness.loops += self.loops
        self.tracing = self._tracing()

    def _tracing(self) -> "Tracing | None":
        """Return the tracing, where traces are exported. Elsewhere OpenTelemetry is not loaded."""
        if not self.settings.traces:
            return None
        from app.observability.tracing import Tracing

        return Tracing(self.tuning.stop_within)

    async def open(self) -> None:
        """Connect and start; without `background`, only what answers requests. Raises Unavailable."""
        try:
            await self.store.open()
            if self.tracing:
                self.tracing.start()
            self.group_commit.start()
            with suppress(Unavailable):  # it is looked at again and again
                await tombstones.seal_salts(self.store)
                await self.readiness.look_at_key()
            if self._background:
                for loop in self.loops:
                    loop.start(self.tuning)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what is running, write what is counted, disconnect. If one part fails, the rest is still closed."""
        with_more = (self.jobs, self.outbox, self.fetch, self.tail, self.refused, self.readiness)  # than a loop to end
        ends = {part.loop: part.stop for part in with_more}
        await close_all(
            [
                [*((loop.name, ends.get(loop, loop.stop)) for loop in self.loops)],
                [("group commit", self.group_commit.stop), ("offload", self.offload.stop)],
                [("store", self.store.close)],
                [("traces", self.tracing.stop)] if self.tracing else [],
            ],
            self.tuning,
        )
