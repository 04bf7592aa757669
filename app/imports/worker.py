"""Rows of large parts are checked in a process of its own, while the rows before them are written here.

The other process knows neither the database nor the master key: text comes in by its standard input, rows go out by its
standard output. It ends when its input does, and so together with the process that started it, however that ends.
"""

import asyncio
import gc
import marshal
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any

from app.base.tabular import Fault, NoFile
from app.imports.rows import ImportSettings, ParsedRows, orders_in_turn
from app.store.import_orders import OrderRow, OrderRows

PATIENCE = 30.0  # seconds without a sign after which it is given up
IDLE = 10.0  # seconds without a part after which it is let go
AHEAD = 4 << 20  # bytes that it may be ahead of the writing, twice: some 20,000 rows, what a sync to the disk lasts
_SIZE = 4  # bytes that say how long a message is


class Ended(Exception):
    """The other process is gone, or shows no sign of life."""


class Apart:
    """The other process, started with the first part and let go when there are no more."""

    def __init__(self, *, retry_policy: float = PATIENCE, nice: bool = True) -> None:
        self._patience = retry_policy
        self._words = ["--nice"] if nice else []  # webhooks come first, where any are taken
        self._process: asyncio.subprocess.Process | None = None
        self._one_part = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Starts the other process, when a large part is sure to come: it takes a while to load what it needs."""
        with suppress(Ended):  # whoever brings the part learns of it
            await self._started()

    async def orders(
        self, form: str, text: str, line: int, setting: ImportSettings
    ) -> AsyncGenerator[ParsedRows[OrderRow]]:
        """The orders of a part, some at a time, as `orders_in_turn` gives them. Raises NoFile, Ended."""
        async with self._one_part:
            if self._idle is not None:
                self._idle.cancel()
            whole = False
            try:
                process = await self._started()
                assert process.stdin and process.stdout  # noqa: S101  # they are pipes: see `_started`
                process.stdin.write(_message((form, text, line, asdict(setting))))
                while True:
                    rows, faults, notes, why = await self._next(process.stdout)
                    if rows is None:
                        break
                    yield ParsedRows(
                        OrderRows.unpacked(*rows),
                        [Fault(*one) for one in faults],
                        [Fault(*one) for one in notes],
                    )
                whole = True
                if why is not None:
                    raise NoFile(why)
            finally:
                if whole:
                    self._idle = asyncio.get_running_loop().call_later(IDLE, self._let_go)
                else:  # what it still had to say is of no use to the next part
                    await self._end()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            # Nothing secret is handed on.
            environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "app.imports.worker", *self._words, env=environment, limit=AHEAD,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
            except OSError as fault:
                raise Ended from fault
        return self._process

    async def _next(self, stream: asyncio.StreamReader) -> Any:
        try:
            async with asyncio.timeout(self._patience):
                size = int.from_bytes(await stream.readexactly(_SIZE), "big")
                return marshal.loads(await stream.readexactly(size))  # noqa: S302  # from our own process
        except (EOFError, OSError, TimeoutError) as fault:  # EOFError is also asyncio's own, for a message cut short
            raise Ended from fault

    def _let_go(self) -> None:
        self._leaving = asyncio.get_running_loop().create_task(self.close())

    async def close(self) -> None:
        """Lets the other process go, when its part is done."""
        async with self._one_part:
            if self._idle is not None:
                self._idle.cancel()
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # closes the pipes, and waits


def _message(values: tuple[Any, ...]) -> bytes:
    content = marshal.dumps(values)
    return len(content).to_bytes(_SIZE, "big") + content


def serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """Reads one part after another, until there are no more."""
    while size := asked.read(_SIZE):
        form, text, line, setting = marshal.loads(asked.read(int.from_bytes(size, "big")))  # noqa: S302  # as above
        why = None
        try:
            for read in orders_in_turn(form, text, line, ImportSettings(**setting)):
                faults, notes = (
                    [(one.line, one.field, one.message) for one in its] for its in (read.faults, read.notes)
                )
                told.write(_message((OrderRows.of(read.rows).packed(), faults, notes, None)))
                told.flush()
        except NoFile as fault:
            why = str(fault)
        told.write(_message((None, None, None, why)))
        told.flush()
        gc.collect()


def main() -> None:
    """The other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for the rows
    if "--nice" in sys.argv and hasattr(os, "nice"):
        os.nice(5)
    gc.freeze()
    gc.disable()  # rows hold no cycles; after each part it is done once
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)  # standard output may be closed: there is nothing to flush


if __name__ == "__main__":
    main()
