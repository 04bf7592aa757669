"""A recorded delivery, taken up again: read with today's adapter, what it said before taken back, committed anew."""

from adapters.contract import Delivery
from app import moments
from app.committer import Committer
from app.directory import Directory
from app.reading import read
from app.store import deliveries
from app.store.database import Store
from app.store.record import Receipt


class NotKept(Exception):
    """The delivery cannot be taken up: its body or its source is not there any more. The message says which."""


class Retry:
    """Takes deliveries up again."""

    def __init__(self, store: Store, directory: Directory, committer: Committer) -> None:
        self._store, self._directory, self._committer = store, directory, committer

    async def retry(self, account_id: str, delivery_id: str) -> Receipt | None:
        """What became of it this time; None when there is no such delivery. Raises NotKept, Busy, Unavailable."""
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
        rec = read(source, delivery, row["received_at"], again=delivery_id)
        # The key under which it was recorded stays its own, even if today's adapter would find another.
        rec.dedupe_key, rec.digest = row["dedupe_key"], row["digest"] if row["kind"] == rec.kind else rec.digest
        return await self._committer.commit(rec)
