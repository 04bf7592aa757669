"""One run of a scenario on one engine, and what it waits for and checks."""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.invariants import Rows, wrong
from tests.torture.load import Load
from tests.torture.own_postgresql import Postgres
from tests.torture.server import Server, ready

RECOVERS = 5.0  # seconds until deliveries are taken again after a fault has gone
READY = 2.0  # seconds for an answer of /readyz


@dataclass
class Trial:
    """One run of a scenario on one engine: its random numbers, its folder, and what it found."""

    engine: str
    seed: int
    folder: Path
    kills: int
    cuts: int
    patience: float
    postgresql: Postgres | None = None
    broken: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def must(self, holds: object, what: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.broken.append(what)

    def server(self, name: str = "server", *, url: str | None = None, **more: Any) -> Server:
        """Return a server that is not started, with an empty database unless there is a `url`."""
        if url is None and self.engine == "postgresql":
            url = self.database.fresh()
        made = Server(self.folder / name, url, self.postgresql, **more)
        self.servers.append(made)
        return made

    @property
    def database(self) -> Postgres:
        """The PostgreSQL of the run."""
        assert self.postgresql is not None
        return self.postgresql

    async def recovers(self, load: Load, since: float) -> None:
        """Wait until a delivery that was sent after this time is taken, and note how long it took."""
        limit = RECOVERS * self.patience
        while time.monotonic() < since + limit and not load.taken_after(since):
            await asyncio.sleep(0.02)
        after = load.taken_after(since)
        self.must(after is not None, f"no delivery taken within {limit:.0f} s after the fault")
        if after is not None:
            self.figures["recovered_s"] = max(self.figures.get("recovered_s", 0.0), round(after - since, 2))

    async def becomes(self, server: Server, status: int, within: float = RECOVERS) -> None:
        """Wait until /readyz answers this."""
        until = time.monotonic() + within * self.patience
        while (found := await ready(server)) != status:
            if time.monotonic() > until:
                self.must(False, f"/readyz is {found}, not {status}")
                return
            await asyncio.sleep(0.1)

    def invariants(
        self, rows: Rows, acknowledged: Iterable[str], outcomes: set[str] | None = None, when: str = ""
    ) -> None:
        """Check the database against the ledger."""
        self.broken += [when + one for one in wrong(rows, acknowledged, outcomes)]
