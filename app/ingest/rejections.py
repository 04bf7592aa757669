"""Counts rejected deliveries in memory and writes them now and then: a forged one costs a number, not a row."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from app.base.clock import now
from app.base.log import log
from app.base.outcome import Outcome
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
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def count(self, account_id: str, source_id: str, outcome: Outcome, reason: str, headers: Mapping[str, str]) -> None:
        """Count one rejection."""
        if self._counted is not None:
            self._counted(account_id, source_id, outcome, reason)
        present = now()
        refusal = Rejection(account_id, source_id, str(outcome), reason, 0, present, present)
        refusal = self._counts.setdefault(refusal.key, refusal)
        refusal.count += 1
        refusal.last_at = present
        shown = {name: _told(headers[name]) for name in _SHOWN if name in headers}
        refusal.samples = [*refusal.samples[-(SAMPLES - 1) :], {"at": present, "headers": shown}]

    def start(self) -> None:
        """Start to write."""
        self._task = asyncio.create_task(self._run(), name="refused")

    async def stop(self) -> None:
        """Write what is left, then stop."""
        self._ending.set()
        if self._task:
            await self._task
            self._task = None

    async def flush(self) -> None:
        """Write what was counted since the last time."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await rejections.add(self._store, list(counts.values()))
        except (Unavailable, Rejected) as fault:
            log.warning(
                "refusals could not be written", reason=str(fault)[:300], lost=sum(one.count for one in counts.values())
            )

    async def _run(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), EVERY)
            await self.flush()
