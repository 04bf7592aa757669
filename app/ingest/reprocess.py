"""Retries a recorded delivery: read with today's adapter, its old statements removed, committed again."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from adapters.contract import Delivery, Outdated, Unfetched
from app.base import clock
from app.base.statement import entry_digest
from app.db.engine import Store
from app.db.statements import Row
from app.ingest.group_commit import GroupCommit
from app.ingest.offload import Offload
from app.ingest.parse import read
from app.ingest.source_cache import Source, SourceCache
from app.store import deliveries
from app.store.delivery_record import SAMPLE, Receipt, Record


class NotRecorded(Exception):
    """Raised when a delivery cannot be retried: its body or its source no longer exists. The message says which."""


class SourceOutdated(NotRecorded):
    """Raised when today's adapter does not take the options of the delivery's source any more. It can be retried once they are set."""

    def __init__(self) -> None:
        super().__init__("the options of its source are not valid any more; set them again")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDelivery:
    """Holds a recorded delivery: its log row, its source today, and what arrived."""

    row: Row
    source: Source
    delivery: Delivery

    def read(self, document: bytes | Unfetched | None = None) -> Record:
        """Read it with today's adapter. `document` is as in `parse.read`."""
        rec = read(
            self.source,
            self.delivery,
            self.row["received_at"],
            again=self.row["id"],
            document=document,
            sample=SAMPLE in self.row["notes"],
        )
        # The key under which it was recorded stays its own, even if today's adapter would find another.
        rec.dedupe_key = self.row["dedupe_key"]
        if self.row["kind"] == rec.kind and self.row["digest"] != rec.digest:
            # A token in the body was blanked before it was kept: what the body was when it came still tells entries apart.
            rec.digest = self.row["digest"]
            rec.statements = [
                replace(said, digest=entry_digest(rec.digest, said.said["external_id"])) for said in rec.statements
            ]
        return rec


class Reprocessor:
    """Retries deliveries."""

    def __init__(self, store: Store, source_cache: SourceCache, group_commit: GroupCommit, offload: Offload) -> None:
        self._store, self._source_cache, self._group_commit = store, source_cache, group_commit
        self._offload = offload

    async def kept(self, account_id: str, delivery_id: str) -> RecordedDelivery | None:
        """Return a recorded delivery; None if there is no such delivery. Raises NotRecorded, Unavailable."""
        row = await deliveries.find(self._store, account_id, delivery_id)
        if row is None:
            return None
        [kept] = await self.kept_all(account_id, [row])
        if isinstance(kept, NotRecorded):
            raise kept
        return kept

    async def kept_all(self, account_id: str, rows: Sequence[Row]) -> list[RecordedDelivery | NotRecorded]:
        """Return the recorded deliveries of these log rows, in their order; NotRecorded where it cannot be retried.

        Raises Unavailable.
        """
        bodies = await deliveries.bodies(self._store, account_id, [row["id"] for row in rows])
        found: list[RecordedDelivery | NotRecorded] = []
        for row in rows:
            source = await self._source_cache.source(row["source_id"])
            if source is None:
                found.append(NotRecorded("its source was deleted"))
            elif isinstance(source.adapter.scheme(source.options), Outdated):
                found.append(SourceOutdated())  # read with such options, it would lose what it told
            elif row["id"] not in bodies:
                found.append(NotRecorded("its body is not kept any more"))
            else:
                body, envelope = bodies[row["id"]]
                delivery = Delivery(
                    body=body,
                    headers=envelope["headers"],
                    query=envelope.get("query"),
                    received_at=clock.moment(row["received_at"]),
                    url=source.url,
                )
                found.append(RecordedDelivery(row=row, source=source, delivery=delivery))
        return found

    async def read(self, kept: RecordedDelivery, document: bytes | Unfetched | None = None) -> Record:
        """Read it with today's adapter. `document` is as in `parse.read`. Raises Busy."""
        size = len(kept.delivery.body) + (len(document) if isinstance(document, bytes) else 0)
        return await self._offload.run(size, lambda: kept.read(document), inline=kept.source.adapter.inline)

    async def commit(self, rec: Record) -> Receipt:
        """Commit the new reading. Raises Busy."""
        return await self._group_commit.commit(rec)

    async def retry(self, account_id: str, delivery_id: str) -> Receipt | None:
        """Read and commit a delivery again; a thin one is fetched again. Returns None if there is no such delivery.

        Raises NotRecorded, Busy, Unavailable.
        """
        kept = await self.kept(account_id, delivery_id)
        return await self.commit(await self.read(kept)) if kept else None
