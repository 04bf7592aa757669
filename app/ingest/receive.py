"""The whole way of one delivery, from its bytes to the answer. Start reading here."""

from msgspec import Struct

from adapters.contract import Delivery, Strength, Unverified
from app.base import clock, samples
from app.base.outcome import ANSWERS, Outcome
from app.base.spans import span
from app.base.vault import Sealed, Vault
from app.db.engine import Unavailable
from app.ingest.group_commit import Busy, GroupCommit
from app.ingest.offload import Offload
from app.ingest.parse import read
from app.ingest.proof import proven
from app.ingest.rejections import RejectionCounter
from app.ingest.source_cache import Source, SourceCache
from app.store.delivery_record import Record

CLOCK_STEP = 1_000_000  # microseconds by which a clock may be set back unnoticed

RawHeaders = list[tuple[bytes, bytes]]


class WebhookAnswer(Struct, frozen=True):
    """Holds the answer to a sender. `orders` and `delivery_id` are set only once they are on disk.

    `kind` and `reason` (why it was rejected) are for the trace; the sender does not get them.
    """

    outcome: Outcome
    delivery_id: str | None = None
    orders: tuple[str, ...] = ()
    body: str | None = None  # where a platform insists on a certain answer
    kind: str | None = None
    reason: str | None = None

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return ANSWERS[self.outcome]


class Receiver:
    """Takes one delivery from its bytes to its answer."""

    def __init__(
        self,
        source_cache: SourceCache,
        group_commit: GroupCommit,
        refused: RejectionCounter,
        offload: Offload,
        vault: Vault,
    ) -> None:
        self._source_cache, self._group_commit, self._refused = source_cache, group_commit, refused
        self._offload, self._vault = offload, vault
        self._last_receipt = 0

    async def admit(self, source_id: str) -> Source | WebhookAnswer:
        """Return the source if it accepts deliveries, else the answer. Called before the body is read."""
        try:
            source = self._source_cache.source_at_once(source_id) or await self._source_cache.source(source_id)
        except (Unavailable, Sealed):
            return WebhookAnswer(Outcome.BUSY)
        if source is None:
            return WebhookAnswer(Outcome.NOT_FOUND)
        if not (source.enabled and source.account_enabled):
            return self.refuse(source, Outcome.DISABLED, "source_off" if not source.enabled else "registry_off")
        return source

    async def receive(self, source: Source, headers: RawHeaders, query_string: bytes, body: bytes) -> WebhookAnswer:
        """Verify the delivery, read it, commit it, and return the answer."""
        received_at = self._receipt_time()
        delivery = Delivery.arrived(
            headers, body, received_at=clock.moment(received_at), query_string=query_string, url=source.url
        )
        rec: Record | None = None
        try:
            rec = await self._offload.run(
                len(body), lambda: self._read(source, delivery, received_at), inline=source.adapter.inline
            )
            if rec is None:  # a greeting is unsigned, so nothing of it is believed or kept
                return WebhookAnswer(Outcome.IGNORED, body=source.adapter.answer)
            if rec.strength == Strength.FETCHED and rec.outcome is not Outcome.FETCHING:
                return self._leads_nowhere(source, rec, delivery)
            if rec.strength == Strength.FETCHED and await self._source_cache.crowded(source):
                return WebhookAnswer(Outcome.BUSY, kind=rec.kind)
            receipt = await self._group_commit.commit(rec)
        except Unverified as why:
            return self.refuse(source, Outcome.UNVERIFIED, why.reason, delivery)
        except (Busy, Unavailable):
            return WebhookAnswer(Outcome.BUSY, kind=rec.kind if rec else None)
        return WebhookAnswer(receipt.outcome, receipt.delivery_id, receipt.orders, source.adapter.answer, rec.kind)

    def _read(self, source: Source, delivery: Delivery, received_at: int) -> Record | None:
        """Return the record of a proven delivery; None for a greeting, which proves nothing. Raises Unverified."""
        if source.adapter.handshake(delivery) is not None:
            return None
        with span("delivery.proof"):
            believed = proven(source, delivery, received_at)
            sample = samples.is_marked(self._vault, delivery, source.id, received_at)
        with span("delivery.reading"):
            rec = read(source, believed, received_at, sample=sample)
        delivery.forget_document()
        return rec

    def _leads_nowhere(self, source: Source, rec: Record, delivery: Delivery) -> WebhookAnswer:
        """Count what nobody signed and what names nothing that could be fetched; it is not stored."""
        if rec.outcome is Outcome.IGNORED:  # of a kind that is not about an order: the platform need not send it again
            self.refuse(source, Outcome.UNVERIFIED, "not_about_an_order", delivery)
            return WebhookAnswer(Outcome.IGNORED, body=source.adapter.answer, kind=rec.kind)
        return self.refuse(source, Outcome.UNVERIFIED, Unverified.NO_DOCUMENT, delivery)

    def _receipt_time(self) -> int:
        """Return the time, later than that of any delivery before: where sources tell none, first receipt orders what they say."""
        present = clock.now()
        if self._last_receipt - CLOCK_STEP < present <= self._last_receipt:
            present = self._last_receipt + 1
        self._last_receipt = present
        return present

    def refuse(self, source: Source, outcome: Outcome, reason: str, delivery: Delivery | None = None) -> WebhookAnswer:
        """Count a rejected delivery and return the answer."""
        self._refused.count(source.account_id, source.id, outcome, reason, delivery.headers if delivery else {})
        return WebhookAnswer(outcome, reason=reason)
