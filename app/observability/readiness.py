"""Readiness: would a delivery be committed within five seconds? For load balancers, `doctor`, metrics and the log."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from app.base import clock
from app.base.log import log
from app.base.supervisor import Loop, faults
from app.base.tuning import Tuning
from app.base.vault import Sealed, Vault
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.ingest.group_commit import GroupCommit
from app.store import heartbeat

DATABASE, MASTER_KEY, LOOPS = "database", "master_key", "loops"
WORDS = {
    DATABASE: "the database does not commit",
    MASTER_KEY: "the master key does not open the secrets",
    LOOPS: "work in the background cannot go on",
}
ADVICE = {
    DATABASE: "see the reason; deliveries are answered 503 until then, and their senders come again",
    MASTER_KEY: "add the key they were sealed with to ORDERS_MASTER_KEY, after the newest, and restart",
    LOOPS: "the log says what failed; it is tried again all the time",
}


def lost_secrets(vault: Vault, sealed: Iterable[Row]) -> int:
    """Return how many of these rows' `sealed` the master key does not open."""
    lost = 0
    for row in sealed:
        try:
            vault.open(row["sealed"])
        except Sealed:
            lost += 1
    return lost


class Readiness:
    """Finds what keeps this process from taking deliveries. It writes only where no delivery was committed lately."""

    def __init__(self, store: Store, vault: Vault, group_commit: GroupCommit, tuning: Tuning) -> None:
        self._store, self._vault, self._group_commit, self._tuning = store, vault, group_commit, tuning
        self.loops: list[Loop] = []  # that must run
        self._key: str | None = None
        self._probing: asyncio.Task[str | None] | None = None
        self._probed: tuple[float, str | None] | None = None  # when, and what was wrong
        self.faults: dict[str, str] = {}  # as of the last look: what is not well, and why
        self.loop = Loop("readiness", self.turn, tuning.ready_every, known=(Unavailable,))

    async def stop(self) -> None:
        """Stop, with the current probe."""
        await self.loop.stop()
        if self._probing is not None:
            await asyncio.wait([self._probing])

    async def turn(self) -> None:
        """Check everything. Raises Unavailable."""
        await self.look()
        await self.look_at_key()

    async def look(self) -> dict[str, str]:
        """Return what is wrong, and why; empty if a delivery would be committed. Takes at most two seconds."""
        found = {DATABASE: await self._database(), MASTER_KEY: self._key}
        ended = faults(self.loops)
        if not self._group_commit.alive:
            found[DATABASE] = "the group commit has ended"
        if ended:
            found[LOOPS] = "; ".join(f"{name}: {why}" for name, why in ended.items())
        before, self.faults = self.faults, {name: why for name, why in found.items() if why is not None}
        if self.faults.keys() - before.keys():
            log.error("not ready for deliveries", **self.faults)
        elif before and not self.faults:
            log.info("ready for deliveries again")
        return self.faults

    async def look_at_key(self) -> None:
        """Try the master key on every secret that deliveries are verified with. Raises Unavailable."""
        sealed = await heartbeat.sealed_in_use(self._store, clock.now())
        lost = await asyncio.to_thread(lost_secrets, self._vault, sealed)
        before, self._key = self._key, f"it opens {len(sealed) - lost} of {len(sealed)} secrets" if lost else None
        if self._key and not before:
            log.error(WORDS[MASTER_KEY], reason=self._key, advice=ADVICE[MASTER_KEY])

    # -- The database -------------------------------------------------------------------------------------------

    async def _database(self) -> str | None:
        """Return why a delivery would not be committed, or None."""
        if fault := self._store.fault:
            return fault
        commits, present = self._group_commit, monotonic()
        if commits.trouble is not None and present - commits.failed_at < self._tuning.ready_after_failure:
            return commits.trouble
        if commits.trouble is None and present - commits.succeeded_at < self._tuning.ready_after_commit:
            return None
        if self._probed and present - self._probed[0] < self._tuning.ready_remembers:
            return self._probed[1]
        if self._probing is None:
            self._probing = asyncio.create_task(self._probe(), name="write probe")
        done, _ = await asyncio.wait([self._probing], timeout=self._tuning.ready_within)
        return done.pop().result() if done else f"it has not answered for {self._tuning.ready_within:g} seconds"

    async def _probe(self) -> str | None:
        why: str | None = None
        try:
            await heartbeat.probe(self._store, clock.now(), self._tuning.commit_statement)
        except Unavailable as fault:
            why = str(fault)[:300]
        except Exception as fault:
            why = f"the write probe fails: {type(fault).__name__}"
        self._probed, self._probing = (monotonic(), why), None
        return why
