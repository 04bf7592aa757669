"""A recorded delivery, taken up again: read with today's adapter, what it said before taken back, committed anew."""

from dataclasses import dataclass

from adapters.contract import Delivery, Unfetched
from app import moments
from app.committer import Committer
from app.directory import Directory, Source
from app.reading import read
from app.store import deliveries
from app.store.database import Store
from app.store.record import Receipt, Record
from app.store.statements import Row


class NotKept(Exception):
    """The delivery cannot be taken up: its body or its source is not there any more. The message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A delivery as it was recorded: its log row, its source today, and what arrived."""

    row: Row
    source: Source
    delivery: Delivery

    def read(self, document: bytes | Unfetched | None = None) -> Record:
        """What it says to today's adapter; `document` as in `reading.read`."""
        rec = read(self.source, self.delivery, self.row["received_at"], again=self.row["id"], document=document)
        # The key under which it was recorded stays its own, even if today's adapter would find another.
        rec.dedupe_key = self.row["dedupe_key"]
        rec.was = self.row["outcome"]
        rec.digest = self.row["digest"] if self.row["kind"] == rec.kind else rec.digest
        return rec


class Retry:
    """Takes deliveries up again."""

    def __init__(self, store: Store, directory: Directory, committer: Committer) -> None:
        self._store, self._directory, self._committer = store, directory, committer

    async def kept(self, account_id: str, delivery_id: str) -> Kept | None:
        """What is kept of a delivery; None when there is no such delivery. Raises NotKept, Unavailable."""
        row = await deliveries.find(self._store, account_id, delivery_id)
        if row is None:
            return None
        source = await self._directory.source(row["source_id"])
        if source is None:
            raise NotKept("its source was deleted")
        kept = await deliveries.body(self._store, account_id, delivery_id)
        if kept is None:
            raise NotKept("its body is not kept any more")
        body, envelope = kept
        delivery = Delivery(
            body=body,
            headers=envelope["headers"],
            query=envelope.get("query"),
            received_at=moments.moment(row["received_at"]),
            url=source.url,
        )
        return Kept(row=row, source=source, delivery=delivery)

    async def commit(self, rec: Record) -> Receipt:
        """What became of it this time. Raises Busy."""
        return await self._committer.commit(rec)

    async def retry(self, account_id: str, delivery_id: str) -> Receipt | None:
        """Reads and commits it anew; a thin one is fetched again. None when there is no such delivery.

        Raises NotKept, Busy, Unavailable.
        """
        kept = await self.kept(account_id, delivery_id)
        return await self.commit(kept.read()) if kept else None
