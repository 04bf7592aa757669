"""`orders-registry`, which also logs how much it worked, at the longest, between two turns of its event loop."""

import asyncio
import time
from socket import socket

from app.base.log import log
from app.cli import main, server

EVERY = 0.005  # seconds


class _Counting(server.Server):
    """Counts the CPU of the whole process, since a thread that does not let go of the interpreter holds up the loop too.

    CPU and not time: what else the machine does adds nothing to it.
    """

    _longest = 0.0

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self._turn(time.monotonic(), time.process_time())

    def _turn(self, at: float, worked: float) -> None:
        now, cpu = time.monotonic(), time.process_time()
        # Two threads can work beside each other: nobody waits for longer than the time that went by.
        self._longest = max(self._longest, min(now - at, cpu - worked))
        asyncio.get_running_loop().call_later(EVERY, self._turn, now, cpu)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        log.info("turns", longest=self._longest)
        await super().shutdown(sockets)


if __name__ == "__main__":
    server.Server = _Counting  # type: ignore[misc]
    main()
