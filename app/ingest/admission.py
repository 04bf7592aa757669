"""Admission control: estimates how long a delivery that comes now would wait, and sheds it when that is too long."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from app.base.log import log
from app.ingest.group_commit import MOST_AT_ONCE, MOST_WAITING
from app.store.delivery_record import Receipt, Record

WAITS_AT_MOST = 1.5  # seconds; platforms wait from 5 for an answer, and an estimate may be wrong by half
SETTLES = 64  # deliveries; a batch of so many counts as much as everything that was measured before
LOG_EVERY = 10.0  # seconds between two lines that say that deliveries are shed


class Admission:
    """Counts the deliveries of one process that are not answered yet, and measures how long each takes.

    That is measured from commit to commit, so that whatever goes on beside the commits counts too.
    """

    def __init__(self) -> None:
        self.inside = 0  # deliveries whose bytes are all here, and that are not answered
        self.shed = 0  # since the start
        self._each = 0.0  # seconds from one delivery's commit to the next one's, while there is work
        self._since = monotonic()  # the last commit, or when there was work again
        self._logged_at, self._logged = -LOG_EVERY, 0

    @property
    def wait(self) -> float:
        """Return the seconds that a delivery which comes now would wait."""
        return self.inside * self._each

    @property
    def full(self) -> bool:
        """Return whether a delivery that comes now is to be shed. What fits into one batch never is."""
        return self.inside > MOST_AT_ONCE and (self.wait > WAITS_AT_MOST or self.inside >= MOST_WAITING)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a delivery while it is inside."""
        if not self.inside:
            self._since = monotonic()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    def count_shed(self) -> None:
        """Count a delivery that is shed, and log it now and then."""
        self.shed += 1
        present = monotonic()
        if present - self._logged_at >= LOG_EVERY:
            log.warning(
                "deliveries are shed: too many wait",
                deliveries=self.shed - self._logged,
                waiting=self.inside,
                seconds=round(self.wait, 2),
                per_second=round(1 / self._each) if self._each else None,
            )
            self._logged_at, self._logged = present, self.shed

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Measure: a batch was committed."""
        present = monotonic()
        each = (present - self._since) / len(records)
        share = len(records) / (len(records) + SETTLES) if self._each else 1.0
        self._each += share * (each - self._each)
        self._since = present
