"""The whole way of one delivery, from its bytes to the answer. Start reading here."""

from dataclasses import dataclass

from adapters.contract import Delivery, Unverified
from app.base import clock
from app.base.outcome import ANSWERS, Outcome
from app.base.vault import Sealed
from app.db.engine import Unavailable
from app.ingest.group_commit import Busy, GroupCommit
from app.ingest.parse import read
from app.ingest.rejections import RejectionCounter
from app.ingest.source_cache import Source, SourceCache

CLOCK_STEP = 1_000_000  # microseconds by which a clock may be set back unnoticed

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What the sender is told. `orders` and `delivery_id` only once they are durably committed."""

    outcome: Outcome
    delivery_id: str | None = None
    orders: tuple[str, ...] = ()
    body: str | None = None  # where a platform insists on a certain answer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return ANSWERS[self.outcome]


class Receiver:
    """The story of one delivery."""

    def __init__(self, source_cache: SourceCache, group_commit: GroupCommit, refused: RejectionCounter) -> None:
        self._source_cache, self._group_commit, self._refused = source_cache, group_commit, refused
        self._last_receipt = 0

    async def admit(self, source_id: str) -> Source | WebhookAnswer:
        """The source, if it takes deliveries; else the answer. Asked before a body is read."""
        try:
            source = self._source_cache.source_at_once(source_id) or await self._source_cache.source(source_id)
        except (Unavailable, Sealed):
            return WebhookAnswer(Outcome.BUSY)
        if source is None:
            return WebhookAnswer(Outcome.NOT_FOUND)
        if not (source.enabled and source.account_enabled):
            self.refuse(source, Outcome.DISABLED, "source_off" if not source.enabled else "registry_off")
            return WebhookAnswer(Outcome.DISABLED)
        return source

    async def receive(self, source: Source, headers: RawHeaders, query_string: bytes, body: bytes) -> WebhookAnswer:
        """Proves the delivery, reads it, commits it, answers."""
        received_at = self._receipt_time()
        delivery = Delivery.arrived(
            headers, body, received_at=clock.moment(received_at), query_string=query_string, url=source.url
        )
        if source.adapter.handshake(delivery) is not None:
            return WebhookAnswer(
                Outcome.IGNORED, body=source.adapter.answer
            )  # unsigned, so nothing of it is believed or kept
        try:
            proven_by = self.prove(source, delivery, received_at)
        except Unverified as why:
            self.refuse(source, Outcome.UNVERIFIED, why.reason, delivery)
            return WebhookAnswer(Outcome.UNVERIFIED)
        rec = self.read(source, delivery, received_at, proven_by=proven_by)
        try:
            receipt = await self._group_commit.commit(rec)
        except Busy:
            return WebhookAnswer(Outcome.BUSY)
        return WebhookAnswer(receipt.outcome, receipt.delivery_id, receipt.orders, source.adapter.answer)

    def _receipt_time(self) -> int:
        """The time, later than that of any delivery before: where sources tell none, first receipt orders what they say."""
        present = clock.now()
        if self._last_receipt - CLOCK_STEP < present <= self._last_receipt:
            present = self._last_receipt + 1
        self._last_receipt = present
        return present

    def prove(self, source: Source, delivery: Delivery, received_at: int) -> str:
        """The secret that the signature was made with. Raises Unverified."""
        return source.adapter.scheme(source.options).verify(
            delivery, source.usable_secrets(received_at), delivery.received_at
        )

    read = staticmethod(read)  # what it says, as the group commit takes it

    def refuse(self, source: Source, outcome: Outcome, reason: str, delivery: Delivery | None = None) -> None:
        """Counts what was refused."""
        self._refused.count(source.account_id, source.id, outcome, reason, delivery.headers if delivery else {})
