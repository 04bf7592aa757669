"""The running registry: every part made and joined in one place, opened and closed in the right order."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.background.analyze import Young
from app.background.erasure import Erasures
from app.background.jobs import Jobs
from app.background.outbox import Outbox, Shown
from app.background.retention import Retention
from app.base.settings import Settings
from app.base.supervisor import close_all
from app.base.vault import Vault, open_vault
from app.db.engine import Store
from app.imports.importer import Importer
from app.ingest.fetch import Fetch
from app.ingest.group_commit import Committer
from app.ingest.held import Held
from app.ingest.receive import Intake
from app.ingest.rejections import Refused
from app.ingest.reprocess import Retry
from app.ingest.source_api import SourceApi
from app.ingest.source_cache import Directory
from app.observability.metrics import Metrics
from app.observability.tail import Tail

if TYPE_CHECKING:
    from app.observability.tracing import Spans


class Registry:
    """What the doors (web, and the command line through it) stand on."""

    def __init__(
        self,
        settings: Settings,
        *,
        shown: Shown,
        committer: Callable[[Store], Committer] = Committer,
        background: bool = True,
    ) -> None:
        self.settings, self._background = settings, background
        self.vault: Vault = open_vault(settings)
        self.store = Store(settings)
        self.directory = Directory(self.store, self.vault, settings)
        self.committer = committer(self.store)
        self.metrics = Metrics(self.store, lambda: self.committer.waiting)
        self.refused = Refused(self.store, self.metrics.refused)
        self.importer = Importer(self.store)
        self.tail = Tail(self.store)
        self.outbox = Outbox(
            self.store,
            self.vault,
            settings.receivers,
            shown=shown,
            counts=self.metrics.told,
            busy=lambda: self.committer.waiting > 0,
        )
        self.committer.observers += [self.tail.committed, self.metrics.committed, self.outbox.committed]
        self.young = None if self.store.on_sqlite else Young(self.store)
        if self.young:
            self.committer.observers.append(self.young.committed)
            self.importer.observers.append(self.young.grown)
        self.intake = Intake(self.directory, self.committer, self.refused)
        self.retry = Retry(self.store, self.directory, self.committer)
        self.erasures = Erasures(self.store, self.vault, self.retry)
        self.held = Held(self.store, self.retry)
        self.source_api = SourceApi()
        self.fetch = Fetch(self.store, self.vault, self.retry, self.source_api, self.committer.to_fetch)
        self.retention = Retention(self.store)
        self.jobs = Jobs(self.store, self.retry, self.committer)
        self.loops = [
            self.refused.loop, self.metrics.loop, self.held.loop, self.fetch.loop, self.retention.loop, self.jobs.loop,
            self.outbox.loop, self.tail.loop, *([self.young.loop] if self.young else []),
        ]  # fmt: skip
        self.spans = self._observed()

    def _observed(self) -> "Spans | None":
        """Where traces are exported, what tells them; elsewhere OpenTelemetry is not even loaded."""
        if not self.settings.traces:
            return None
        from app.observability.tracing import Spans

        return Spans(
            intake=self.intake,
            committer=self.committer,
            fetch=self.fetch,
            source_api=self.source_api,
            jobs=self.jobs,
        )

    async def open(self) -> None:
        """Connects and begins; without `background`, only what answers. Raises Unavailable."""
        try:
            await self.store.open()
            if self.spans:
                self.spans.start()
            self.committer.start()
            if self._background:
                for loop in self.loops:
                    loop.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends what is under way, writes what is counted, disconnects. Whatever fails, the rest is closed."""
        own = (self.jobs, self.outbox, self.fetch, self.tail, self.refused)  # with more to end than a loop
        ends = {part.loop: part.stop for part in own}
        await close_all([
            [("import", self.importer.stop), *((loop.name, ends.get(loop, loop.stop)) for loop in self.loops)],
            [("group commit", self.committer.stop)],
            [("store", self.store.close)],
            [("traces", self.spans.stop)] if self.spans else [],
        ])  # fmt: skip
