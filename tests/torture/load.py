"""Many shops that send at once, and the ledger of the answers."""

import asyncio
import random
import time
from collections import Counter

from tests.torture.server import Server
from tests.torture.source import EPOCH, Line, Source, event, iso


class Load:
    """Shops that send, each the same delivery again until it is taken; the answers are the ledger."""

    def __init__(self, server: Server, source: Source, numbers: random.Random, clients: int = 12, pad: int = 0) -> None:
        self._server, self._source, self._random, self._clients, self._pad = server, source, numbers, clients, pad
        self._sent = 0
        self._ending = False
        self.acknowledged: dict[str, str] = {}  # webhook-id -> delivery
        self.answers: list[tuple[float, float, int]] = []  # sent at, answered at (monotonic), status; 0: none

    def start(self) -> "Load":
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        return self

    async def stop(self) -> None:
        self._ending = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), 120)

    async def _client(self) -> None:
        line = Line(self._server.port)
        while not self._ending:
            self._sent += 1
            number = self._sent
            external_id = f"o{number if number % 3 else self._random.randrange(number)}"  # a third are updates
            more = {"note": self._random.randbytes(self._pad // 2).hex()} if self._pad else {}
            body = event(external_id, iso(EPOCH + number), f"b{number % 200}@example.com", **more)
            while not self._ending:
                began = time.monotonic()
                status, said = await self._source.send(line, body, f"w{number}")
                self.answers.append((began, time.monotonic(), status))
                if status == 200:
                    self.acknowledged[f"w{number}"] = said["delivery_id"]
                    break
                await asyncio.sleep(0.2)
        line.close()

    def taken_after(self, since: float) -> float | None:
        """When the first delivery that was sent after this time was taken."""
        return min((end for began, end, status in self.answers if status == 200 and began > since), default=None)

    def between(self, since: float, until: float) -> Counter[int]:
        """The statuses of what was sent in this time."""
        return Counter(status for began, _, status in self.answers if since <= began <= until)

    def slowest(self) -> float:
        return max((end - began for began, end, _ in self.answers), default=0.0)
