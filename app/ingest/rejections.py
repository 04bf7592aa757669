"""Counts rejected deliveries in memory and writes them now and then: a forged one costs a number, not a row."""

from collections.abc import Callable, Mapping

from app.base.clock import now
from app.base.log import log
from app.base.outcome import Outcome
from app.base.supervisor import Loop
from app.db.engine import Rejected, Store, Unavailable
from app.store import rejections
from app.store.rejections import SAMPLES, Rejection

EVERY = 2.0  # seconds between two writings
_SHOWN = ("user-agent", "content-type", "content-length")  # of a sample; everything else may be anything

LONGEST_WORD = 36  # a secret is longer, or should be


def _told(value: str) -> str:
    """Return a header's value without what could be an address or a secret: the caller may have put anything there."""
    return " ".join(word for word in value[:200].split() if "@" not in word and len(word) < LONGEST_WORD)


class RejectionCounter:
    """Counts one process's rejections. Bounded: only existing sources, and reasons from a fixed list."""

    def __init__(self, store: Store, counted: Callable[[str, str, Outcome, str], None] | None = None) -> None:
        self._store, self._counted = store, counted
        self._counts: dict[tuple[str, str, str, str], Rejection] = {}
        self.loop = Loop("rejections", self.flush, EVERY, known=(Unavailable,))

    def count(self, account_id: str, source_id: str, outcome: Outcome, reason: str, headers: Mapping[str, str]) -> None:
        """Count one rejection."""
        if self._counted is not None:
            self._counted(account_id, source_id, outcome, reason)
        present = now()
        shown = {name: _told(headers[name]) for name in _SHOWN if name in headers}
        sample = {"at": present, "headers": shown}
        self._add(Rejection(account_id, source_id, str(outcome), reason, 1, present, present, [sample]))

    def _add(self, more: Rejection) -> None:
        known = self._counts.setdefault(more.key, more)
        if known is not more:
            known.count += more.count
            known.first_at, known.last_at = min(known.first_at, more.first_at), max(known.last_at, more.last_at)
            known.samples = sorted([*known.samples, *more.samples], key=lambda one: one["at"])[-SAMPLES:]

    async def stop(self) -> None:
        """Write what is left, then stop. Raises Unavailable."""
        await self.loop.stop()
        await self.flush()

    async def flush(self) -> None:
        """Write what was counted since the last time. Raises Unavailable; the counts are then kept."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await rejections.add(self._store, list(counts.values()))
        except Rejected as fault:
            lost = sum(one.count for one in counts.values())
            log.error("rejections cannot be written", fault=type(fault).__name__, lost=lost)
        except BaseException:
            for one in counts.values():
                self._add(one)
            raise
