"""Source health: looks for sources that begin to fail or recover, and publishes an event for each, once."""

from collections.abc import Callable
from typing import Any

from app.base import clock
from app.base.supervisor import Loop
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.observability import alerts
from app.store import source_health

EVERY = 30.0  # seconds between two looks, over all processes


class SourceHealth:
    """Publishes `source.failing` and `source.recovered`. One process looks at a time. `published` is called after any."""

    def __init__(self, store: Store, published: Callable[[], None]) -> None:
        self._store, self._published = store, published
        self.loop = Loop("source health", self._turn, EVERY, known=(Unavailable,))

    async def _turn(self) -> None:
        accounts = await source_health.watched(self._store)
        if accounts and await source_health.turn(self._store, clock.now(), int(EVERY * 1e6)):
            for account_id in accounts:
                await self.look(account_id)

    async def look(self, account_id: str) -> None:
        """Look at the account's sources once. Raises Unavailable."""
        present = clock.now()
        seen = await source_health.seen(self._store, account_id)
        found = await alerts.of_sources(self._store, account_id, seen, {}, present=present, webhooks_at="")
        grave = [one for code in alerts.FAILING for one in found if one.code == code]
        known = {row["id"]: _said(row) for row in seen if row["enabled"]}
        failing: dict[str, dict[str, Any]] = {}
        for one in grave:
            if one.source_id and one.source_id not in failing:
                failing[one.source_id] = {
                    **known[one.source_id],
                    "code": one.code,
                    "since": clock.iso(one.since),
                    "message": one.message,
                    "advice": one.advice,
                }
        if await self._store.commit(lambda: source_health.record(account_id, failing, known, present)):
            self._published()


def _said(row: Row) -> dict[str, Any]:
    return {"name": row["name"], "adapter": row["adapter"], "last_good_at": clock.iso(row["good"])}
