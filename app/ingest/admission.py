"""Admission control: estimates how long a delivery that comes now would wait, and sheds it when that is too long."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from app.base.log import log
from app.base.tuning import Tuning
from app.store.delivery_record import Receipt, Record


class Admission:
    """Counts the deliveries of one process that are not answered yet, and measures how long each takes.

    That is measured from commit to commit, so that whatever goes on beside the commits counts too.
    """

    def __init__(self, tuning: Tuning, clock: Callable[[], float] = monotonic) -> None:
        self._tuning, self._clock = tuning, clock
        self.inside = 0  # deliveries whose bytes are all here, and that are not answered
        self.shed = 0  # since the start
        self._each = 0.0  # seconds from one delivery's commit to the next one's, while there is work
        self._since = self._clock()  # the last commit, or when there was work again
        self._waiting: deque[asyncio.Future[None]] = deque()  # for their turn
        self._turns_left, self._turning = tuning.admission_at_once, False
        self._logged_at, self._logged = -tuning.log_every, 0

    @property
    def wait(self) -> float:
        """Return the seconds that a delivery which comes now would wait."""
        return self.inside * self._each

    @property
    def full(self) -> bool:
        """Return whether a delivery that comes now is to be shed. What fits into one batch never is."""
        return self.inside > self._tuning.commit_at_once and (
            self.wait > self._tuning.admission_wait or self.inside >= self._tuning.commit_waiting
        )

    async def enter(self) -> None:
        """Count a delivery from now on until it leaves, and return once it is its turn. Whoever ends meanwhile leaves, too."""
        if not self.inside:
            self._since = self._clock()
        self.inside += 1
        if self._turns_left and not self._waiting:
            self._turns_left -= 1
            self._turn_soon()
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def leave(self) -> None:
        """Count it no more."""
        self.inside -= 1

    def _turn_soon(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Let the next ones go on, in a new turn of the event loop."""
        self._turning, self._turns_left = False, self._tuning.admission_at_once
        while self._waiting and self._turns_left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._turns_left -= 1
        if self._turns_left < self._tuning.admission_at_once:
            self._turn_soon()

    def count_shed(self) -> None:
        """Count a delivery that is shed, and log it now and then."""
        self.shed += 1
        present = self._clock()
        if present - self._logged_at >= self._tuning.log_every:
            log.warning(
                "deliveries are shed: too many wait",
                deliveries=self.shed - self._logged,
                waiting=self.inside,
                seconds=round(self.wait, 2),
                per_second=round(1 / self._each) if self._each else None,
            )
            self._logged_at, self._logged = present, self.shed

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Measure: a batch was committed.

        Only while more are inside: small batches take much longer for each delivery, and say nothing of large ones.
        """
        present = self._clock()
        if self.inside - len(records) >= self._tuning.admission_at_once:
            each = (present - self._since) / len(records)
            share = len(records) / (len(records) + self._tuning.admission_settles) if self._each else 1.0
            self._each += share * (each - self._each)
        self._since = present
