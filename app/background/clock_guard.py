"""Clock guard: stops pruning while the clock cannot be trusted, because what is pruned is gone for good.

The clock is compared with the machine's monotonic clock while a process runs, and with an hourly mark in the database,
which outlives the process. A quiet account makes no difference: the service itself leaves the mark.
"""

import time
from collections.abc import Callable

from app.base import clock
from app.base.clock import iso
from app.base.log import log
from app.db.engine import Store
from app.store import heartbeat

EVERY = 3_600_000_000  # microseconds between two marks
JUMP = 3_600_000_000  # microseconds by which the clock may be put forward or back while a process runs
LONGEST_GAP = 3 * 86_400_000_000  # microseconds without a mark: a service that is off over a weekend
CONFIRM = "orders-registry prune --confirm-clock"


def steady() -> int:
    """Return microseconds of a clock that nobody sets; on Linux it includes the time for which the machine slept."""
    source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(source) // 1000


class ClockGuard:
    """Checks the clock of one process."""

    def __init__(
        self, store: Store, present: Callable[[], int] = clock.now, monotonic: Callable[[], int] = steady
    ) -> None:
        self._store, self._present, self._monotonic = store, present, monotonic
        self._since = present(), monotonic()  # when they were last believed to agree
        self._confirmed: int | None = None
        self._logged = False

    async def doubt(self) -> str | None:
        """Return why the clock cannot be trusted, or None, and renew the mark when that is due. Raises Unavailable."""
        last = await heartbeat.last_beat(self._store)
        present, monotonic = self._present(), self._monotonic()
        confirmed = last.confirmed if last else 0
        if self._confirmed is not None and confirmed != self._confirmed:  # by an operator, meanwhile, in some process
            self._since = present, monotonic
        self._confirmed = confirmed
        why = self._wrong(present, monotonic, last.at if last else None)
        if why and not self._logged:
            log.error("the clock is not believed, and nothing is pruned", reason=why, advice=CONFIRM)
        self._logged = why is not None
        if why is None:
            self._since = present, monotonic
            if last is None or present - last.at >= EVERY:
                await heartbeat.beat(self._store, present)
        return why

    def _wrong(self, present: int, monotonic: int, last_at: int | None) -> str | None:
        jumped = (present - self._since[0]) - (monotonic - self._since[1])
        if abs(jumped) > JUMP:
            return f"it says {iso(present)}: it was put {'forward' if jumped > 0 else 'back'} by {_span(jumped)}"
        if last_at is not None and not -JUMP <= present - last_at <= LONGEST_GAP:
            way = "after" if present > last_at else "before"
            return f"it says {iso(present)}, {_span(present - last_at)} {way} the last mark in the database"
        return None

    async def confirm(self) -> int:
        """Record that an operator confirmed the clock. Returns its time. Raises Unavailable."""
        said = await heartbeat.beat(self._store, self._present(), confirms=True)
        self._since = self._present(), self._monotonic()
        self._confirmed = said.confirmed
        return said.at


def _span(micros: int) -> str:
    hours = abs(micros) / 3_600_000_000
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"
