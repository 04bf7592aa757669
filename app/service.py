"""The running registry: every part made and joined in one place, opened and closed in the right order."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.background.analyze import GrowingTables
from app.background.erasure import ErasureService
from app.background.jobs import Jobs
from app.background.outbox import Outbox, Shown
from app.background.retention import Retention
from app.base.settings import Settings
from app.base.vault import Vault, open_vault
from app.db.engine import Store
from app.imports.importer import Importer
from app.ingest.fetch import FetchWorker
from app.ingest.group_commit import GroupCommit
from app.ingest.held import OnHoldWorker
from app.ingest.receive import Receiver
from app.ingest.rejections import RejectionCounter
from app.ingest.reprocess import Reprocessor
from app.ingest.source_api import SourceApi
from app.ingest.source_cache import SourceCache
from app.observability.metrics import Metrics
from app.observability.tail import Tail

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


class Service:
    """What the doors (web, and the command line through it) stand on."""

    def __init__(
        self, settings: Settings, *, shown: Shown, group_commit: Callable[[Store], GroupCommit] = GroupCommit
    ) -> None:
        self.settings = settings
        self.vault: Vault = open_vault(settings)
        self.store = Store(settings)
        self.source_cache = SourceCache(self.store, self.vault, settings)
        self.group_commit = group_commit(self.store)
        self.metrics = Metrics(self.store, lambda: self.group_commit.waiting)
        self.refused = RejectionCounter(self.store, self.metrics.refused)
        self.importer = Importer(self.store)
        self.tail = Tail(self.store)
        self.outbox = Outbox(
            self.store,
            self.vault,
            settings.receivers,
            shown=shown,
            counts=self.metrics.told,
            busy=lambda: self.group_commit.waiting > 0,
        )
        self.group_commit.observers += [self.tail.committed, self.metrics.committed, self.outbox.committed]
        self.young = None if self.store.on_sqlite else GrowingTables(self.store)
        if self.young:
            self.group_commit.observers.append(self.young.committed)
            self.importer.observers.append(self.young.grown)
        self.receiver = Receiver(self.source_cache, self.group_commit, self.refused)
        self.retry = Reprocessor(self.store, self.source_cache, self.group_commit)
        self.erasures = ErasureService(self.store, self.vault, self.retry)
        self.held = OnHoldWorker(self.store, self.retry)
        self.source_api = SourceApi()
        self.fetch = FetchWorker(self.store, self.vault, self.retry, self.source_api, self.group_commit.to_fetch)
        self.retention = Retention(self.store)
        self.jobs = Jobs(self.store, self.retry, self.group_commit)
        self.tracing = self._tracing()

    def _tracing(self) -> "Tracing | None":
        """What exports spans, where that is configured; elsewhere OpenTelemetry is not even loaded."""
        if not self.settings.traces:
            return None
        from app.observability.tracing import Tracing

        return Tracing()

    async def open(self) -> None:
        """Connects and begins. Raises Unavailable."""
        await self.store.open()
        if self.tracing:
            self.tracing.start()
        self.group_commit.start()
        self.refused.start()
        self.metrics.start()
        self.held.start()
        self.fetch.start()
        self.retention.start()
        self.jobs.start()
        self.outbox.start()

    async def close(self) -> None:
        """Ends what is under way, writes what is counted, disconnects."""
        await self.importer.stop()
        await self.jobs.stop()
        await self.outbox.stop()
        await self.retention.stop()
        await self.tail.stop()
        await self.fetch.stop()
        await self.held.stop()
        await self.group_commit.stop()
        if self.young:
            await self.young.stop()
        await self.metrics.stop()
        await self.refused.stop()
        await self.store.close()
        if self.tracing:
            await self.tracing.stop()
