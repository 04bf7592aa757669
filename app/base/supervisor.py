"""Runs the background loops. One that fails is logged, waits, and goes on; closing closes every part, whatever fails.

A part that works in the background makes one `Loop` and gives it a coroutine function, its turn. Everything else is here:
when the next turn is, what becomes of a fault, work that goes on between two turns, and how it ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from app.base.log import log
from app.base.retry_delay import doubled
from app.base.tuning import Tuning

Turn = Callable[[], Awaitable[float | None]]
Close = Callable[[], Awaitable[None]]


class Loop:
    """Runs `turn` again and again: `every` seconds after the last, sooner when woken; None: only when woken.

    A turn gives the seconds until the next one instead, or None. `first` is run once before the first turn, and again
    until it succeeds. Whatever a turn raises is logged once for each kind of fault, until a turn succeeds; the words of
    a fault only when its kind is `known`, since others may quote what came in.
    """

    def __init__(
        self,
        name: str,
        turn: Turn,
        every: float | None = None,
        *,
        known: tuple[type[Exception], ...] = (),
        first: Close | None = None,
        woken: asyncio.Event | None = None,
    ) -> None:
        self.name, self._known = name, known
        self._turn, self._every, self._first = turn, every, first
        self._woken, self._ending = woken or asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._failing_since = 0.0
        self._kinds: set[str] = set()

    # -- For whoever owns it ----------------------------------------------------------------------------------------

    def start(self, tuning: Tuning) -> None:
        """Start with the first turn."""
        self._tuning, self._task = tuning, asyncio.create_task(self._run(), name=self.name)

    def wake(self) -> None:
        """Run the next turn now. A pause after a failure is not cut short."""
        self._woken.set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start work that runs beside the turns. When it ends, the loop is woken; its exception is logged."""
        task = asyncio.create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._worked)

    async def rest(self, seconds: float) -> None:
        """Wait this long within a turn or work; less when the loop is being stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    async def stop(self, patience: float | None = None) -> None:
        """Stop after the current turn and work. What is not done within `patience` seconds is cancelled."""
        self._ending.set()
        self._woken.set()
        if self._task:
            await asyncio.wait([self._task])
        if self._work:
            await asyncio.wait(self._work, timeout=patience)
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)

    # -- How it stands ----------------------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Return whether it was ever started: the command line starts none."""
        return self._task is not None

    @property
    def ending(self) -> bool:
        """Return whether it is being stopped."""
        return self._ending.is_set()

    @property
    def working(self) -> int:
        """Return how much work runs beside the turns."""
        return len(self._work)

    @property
    def fault(self) -> str | None:
        """Return why it cannot continue; None while it can, or was not started."""
        if self._task is None or self.ending:
            return None
        if self._task.done():
            return "it has ended"
        failing = monotonic() - self._failing_since
        if self._failures and failing >= self._tuning.loop_stuck:
            return f"it has failed for {failing / 60:.0f} minutes ({', '.join(sorted(self._kinds))}); see the log"
        return None

    # -- What it does -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self.ending:
            self._woken.clear()
            try:
                if self._first is not None:
                    await self._first()
                    self._first = None
                seconds = await self._turn()
            except Exception as fault:
                await self.rest(self._failed(fault))
            else:
                self._recovered()
                await self._until_next(self._every if seconds is None else seconds)

    async def _until_next(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    def _failed(self, fault: Exception) -> float:
        """Log the exception, unless one of its kind was logged. Returns the seconds to wait."""
        self._failing_since = self._failing_since if self._failures else monotonic()
        kind = type(fault).__name__
        if kind not in self._kinds:
            self._kinds.add(kind)
            if isinstance(fault, self._known):
                log.warning("a background loop waits", loop=self.name, fault=kind, reason=str(fault)[:300])
            else:
                log.error("a background loop failed; it goes on", loop=self.name, fault=kind, exc_info=fault)
        self._failures += 1
        return doubled(self._failures - 1, *self._tuning.loop_pauses)

    def _recovered(self) -> None:
        if self._failures:
            seconds = round(monotonic() - self._failing_since, 1)
            log.info("a background loop works again", loop=self.name, failures=self._failures, seconds=seconds)
            self._failures = 0
            self._kinds.clear()

    def _worked(self, task: "asyncio.Task[None]") -> None:
        self._work.discard(task)
        self.wake()  # there is room again
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("work in the background failed", work=task.get_name(), fault=type(fault).__name__, exc_info=fault)


def faults(loops: Iterable[Loop]) -> dict[str, str]:
    """Return the loops that cannot continue, by name, with the reason."""
    return {loop.name: fault for loop in loops if (fault := loop.fault) is not None}


async def close_all(stages: Sequence[Sequence[tuple[str, Close]]], tuning: Tuning) -> None:
    """Close every part by its name, the parts of a stage together, one stage after the other. Never raises.

    A part that fails or does not end is logged and left behind: it must keep neither the others open nor the process.
    """
    until = monotonic() + tuning.close_within
    for stage in stages:
        parts = {asyncio.ensure_future(close()): name for name, close in stage}
        if not parts:
            continue
        done, late = await asyncio.wait(parts, timeout=max(until - monotonic(), tuning.close_least))
        for part in late:
            part.cancel()
            log.error("a part did not close in time", part=parts[part])
        for part in done:
            if not part.cancelled() and (fault := part.exception()) is not None:
                log.error("a part could not be closed", part=parts[part], fault=type(fault).__name__, exc_info=fault)
