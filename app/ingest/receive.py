"""One delivery's way in, whole: from the bytes at the door to the answer. Start reading here."""

from dataclasses import dataclass

from adapters.contract import Delivery, Unverified
from app.base import clock
from app.base.outcome import ANSWERS, Outcome
from app.base.vault import Sealed
from app.db.engine import Unavailable
from app.ingest.group_commit import Busy, Committer
from app.ingest.parse import read
from app.ingest.rejections import Refused
from app.ingest.source_cache import Directory, Source

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told. `orders` and `delivery_id` only once they are durably committed."""

    outcome: Outcome
    delivery_id: str | None = None
    orders: tuple[str, ...] = ()
    body: str | None = None  # where a platform insists on a certain answer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return ANSWERS[self.outcome]


class Intake:
    """The story of one delivery."""

    def __init__(self, directory: Directory, committer: Committer, refused: Refused) -> None:
        self._directory, self._committer, self._refused = directory, committer, refused

    async def admit(self, source_id: str) -> Source | Answer:
        """The source, if it takes deliveries; else the answer. Asked before a body is read."""
        try:
            source = self._directory.source_at_once(source_id) or await self._directory.source(source_id)
        except (Unavailable, Sealed):
            return Answer(Outcome.BUSY)
        if source is None:
            return Answer(Outcome.NOT_FOUND)
        if not (source.enabled and source.account_enabled):
            self.refuse(source, Outcome.DISABLED, "source_off" if not source.enabled else "registry_off")
            return Answer(Outcome.DISABLED)
        return source

    async def receive(self, source: Source, headers: RawHeaders, query_string: bytes, body: bytes) -> Answer:
        """Proves the delivery, reads it, commits it, answers."""
        received_at = clock.now()
        delivery = Delivery.arrived(
            headers, body, received_at=clock.moment(received_at), query_string=query_string, url=source.url
        )
        if source.adapter.handshake(delivery) is not None:
            return Answer(Outcome.IGNORED, body=source.adapter.answer)  # unsigned, so nothing of it is believed or kept
        try:
            proven_by = self.prove(source, delivery, received_at)
        except Unverified as why:
            self.refuse(source, Outcome.UNVERIFIED, why.reason, delivery)
            return Answer(Outcome.UNVERIFIED)
        rec = self.read(source, delivery, received_at, proven_by=proven_by)
        try:
            receipt = await self._committer.commit(rec)
        except Busy:
            return Answer(Outcome.BUSY)
        return Answer(receipt.outcome, receipt.delivery_id, receipt.orders, source.adapter.answer)

    def prove(self, source: Source, delivery: Delivery, received_at: int) -> str:
        """The secret that the signature was made with. Raises Unverified."""
        return source.adapter.scheme(source.options).verify(
            delivery, source.usable_secrets(received_at), delivery.received_at
        )

    read = staticmethod(read)  # what it says, as the group commit takes it

    def refuse(self, source: Source, outcome: Outcome, reason: str, delivery: Delivery | None = None) -> None:
        """Counts what was refused."""
        self._refused.count(source.account_id, source.id, outcome, reason, delivery.headers if delivery else {})
