"""Work on bytes from outside, beside the event loop: what is small is done at once, the rest in a few threads.

Nobody waits for somebody else's body: neither for the proof of a large one, nor for the expressions of a source's owner.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.ingest.group_commit import Busy

INLINE = 16 * 1024  # bytes that are read at once: some milliseconds of work, whatever they are
THREADS = 2  # more would take turns with the loop, and be no faster
MOST_WAITING = 100  # pieces of work; each holds a body

T = TypeVar("T")


class Offload:
    """Runs one process's work on large bodies."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="offload")
        self._waiting = 0

    async def run(self, size: int, work: Callable[[], T], *, inline: bool = True) -> T:
        """Return what `work` does with so many bytes; in a thread unless they are few, and `inline`. Raises Busy."""
        if inline and size <= INLINE:
            return work()
        if self._waiting >= MOST_WAITING:
            raise Busy("too many large bodies are waiting")
        self._waiting += 1
        try:
            context = contextvars.copy_context()  # the trace goes on in the thread
            return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, work)
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """Let go of the threads. What they do has no effect any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
