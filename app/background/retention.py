"""Prunes what accounts no longer keep, on request and every hour, in small steps while deliveries come in."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.background.clock_guard import CONFIRM
from app.base import clock as moments
from app.base.log import log
from app.base.supervisor import Loop
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.store import accounts, retention

EVERY = 3600.0  # seconds between two prunings of the same account by itself
LOOK = 60.0  # seconds between two looks whether one is due
AT_MOST = 10_000  # rows that one request prunes; who asked asks again


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """Holds the result for one class: how much was (or would be) deleted.

    `age` is the class's retention and `before` the time before which rows are too old; None if it is kept for ever.
    """

    name: str
    age: str | None
    before: int | None
    count: int


class ClockDoubted(Exception):
    """Raised instead of pruning while the clock cannot be trusted; the message says why, and what to do."""


class Retention:
    """Prunes. One process does it by itself: the first each hour.

    `doubt` says why the clock cannot be trusted, or None; `steps` are the rows and the orders of a transaction.
    """

    def __init__(
        self,
        store: Store,
        doubt: Callable[[], Awaitable[str | None]],
        steps: tuple[int, int],
        clock: Callable[[], int] = moments.now,
    ) -> None:
        self._store, self._doubt, self._steps, self._clock = store, doubt, steps, clock
        self.loop = Loop("retention", self.turn, LOOK, known=(ClockDoubted, Unavailable))

    async def counted(self, account: Row) -> list[PruneResult]:
        """Return how much of each class is too old now. Deletes nothing. Raises Unavailable."""
        return [
            PruneResult(
                name=name,
                age=account["retention"].get(name),
                before=before,
                count=0 if before is None else await retention.count(self._store, account["account_id"], name, before),
            )
            for name, before in self._classes(account)
        ]

    async def prune(self, account: Row, at_most: int | None = None) -> tuple[list[PruneResult], bool]:
        """Delete what is too old, at most about `at_most` rows. Returns also whether that was all.

        Raises ClockDoubted, Unavailable.
        """
        if why := await self._doubt():
            raise ClockDoubted(f"the clock is not believed: {why}; where it is right: {CONFIRM}")
        found, left = [], at_most
        done = True
        for name, before in self._classes(account):
            taken = 0
            if before is not None:
                taken, whole = await self._class(account["account_id"], name, before, left)
                done = done and whole
                left = None if left is None else max(0, left - taken)
            found.append(PruneResult(name=name, age=account["retention"].get(name), before=before, count=taken))
        return found, done

    async def sweep(self) -> dict[str, int]:
        """Prune every account that has a retention. Returns how much was deleted, by class. Raises Unavailable."""
        went: dict[str, int] = {}
        for account in await accounts.all_accounts(self._store):
            if not account["retention"] or self.loop.ending:
                continue
            found, _ = await self.prune(account)
            for one in found:
                went[one.name] = went.get(one.name, 0) + one.count
        return {name: count for name, count in went.items() if count}

    def _classes(self, account: Row) -> list[tuple[str, int | None]]:
        due = retention.due(account["retention"], self._clock())
        return [(name, due.get(name)) for name in retention.CLASSES]

    async def _class(self, account_id: str, name: str, before: int, at_most: int | None) -> tuple[int, bool]:
        taken, after = 0, None
        while at_most is None or taken < at_most:
            if self.loop.ending:
                return taken, False
            step = await retention.step(self._store, account_id, name, before, after, self._steps)
            taken, after = taken + step.taken, step.after
            if after is None:
                return taken, True
            await asyncio.sleep(0)  # a delivery that waits for the writing connection has its turn before the next step
        return taken, False

    async def turn(self) -> None:
        """Prune every account when that is due and no other process does it. Raises Unavailable."""
        if await self._doubt():  # it has been logged; and asking is what leaves the hourly mark
            return
        if await retention.turn(self._store, self._clock(), int(EVERY * 1e6)) and (went := await self.sweep()):
            log.info("pruned", **went)
