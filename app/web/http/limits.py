"""Limits on what takes long: how much of it an account may have at once, so that it holds up nobody else.

They hold for one process. What the operator does on the machine itself is not limited.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.web.http.authentication import Caller
from app.web.http.errors import Problem

RETRY_AFTER = "10"  # seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """Says how much of something may go on at once. `waits`: so many more of an account are not refused, but wait."""

    what: str  # in words, in the plural
    account: int
    token: int | None = None
    everybody: int | None = None
    waits: int = 0


LIVE_LOGS = Limit("live logs", account=50, token=10)
EXPORTS = Limit("exports", account=4)
# A report is one query that may take seconds. SQLite has four readers, and a delivery may need one of them.
REPORTS = Limit("reports", account=2, everybody=3, waits=16)


class _Room:
    """Has places for so many at once; the others wait in turn."""

    def __init__(self, size: int) -> None:
        self.inside = 0  # those that wait, too
        self.turn = asyncio.Semaphore(size)


class Limits:
    """Counts what goes on in one process."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, ...], _Room] = {}

    @asynccontextmanager
    async def within(self, limit: Limit, caller: Caller) -> AsyncIterator[None]:
        """Hold a place for as long as the block runs, once there is one. Raises Problem where too many wait already."""
        if caller.operator:
            yield
            return
        async with (
            self._place(limit, ("account", caller.account_id), limit.account, limit.waits),
            self._place(limit, ("token", caller.account_id, caller.token_id or ""), limit.token, 0),
            self._place(limit, ("everybody",), limit.everybody, None),
        ):
            yield

    @asynccontextmanager
    async def _place(
        self, limit: Limit, of: tuple[str, ...], size: int | None, waits: int | None
    ) -> AsyncIterator[None]:
        """Hold a place in one room; `size` None: there is no limit. `waits` None: whoever comes may wait."""
        if size is None:
            yield
            return
        key = (limit.what, *of)
        room = self._rooms.setdefault(key, _Room(size))
        if waits is not None and room.inside >= size + waits:
            more = f", and {waits} more may wait" if waits else ""
            raise Problem(
                "too_many",
                f"this {of[0]} has {room.inside} {limit.what} under way; {size} may be at once{more}",
                headers={"Retry-After": RETRY_AFTER},
            )
        room.inside += 1
        try:
            async with room.turn:
                yield
        finally:
            room.inside -= 1
            if not room.inside:
                self._rooms.pop(key, None)
