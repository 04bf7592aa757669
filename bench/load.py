"""Closed-loop load: N keep-alive connections, one delivery at a time on each, for so many requests or seconds.

It runs in its own process, so that what it costs is not charged to the receiver, and makes its requests beforehand, so
that the measured loop only writes, waits and counts. A fixed time ends early when the requests made for it run out; the
rate is always over the time that really passed. Loopback only: this is a bench, not a weapon.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from array import array
from collections import Counter
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.bodies import Deliveries

CONNECTIONS = 64
MOST_REQUESTS = 200_000  # held in memory at about 3 KB each
WARMUP_REQUESTS = 25_000
MOST_BROKEN = 200  # connections lost with an answer outstanding; more means that nobody is there
LONGEST = 600.0  # seconds that a fixed number of requests may take
GRACE = 30.0  # seconds that outstanding answers may take after the end
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one run measured; only `accepted`, the 2xx answers that hold the expected word, makes the rate."""

    accepted: int
    unexpected: int  # 2xx, but without the expected word: a duplicate, say, where a new order was sent
    refused: dict[str, int]  # any other status: how often
    broken: int  # connections lost while an answer was outstanding
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    connections: int
    first_answer: str


class Unframed(Exception):
    """A message that is not delimited by Content-Length or chunks: its end cannot be known."""


def message_end(data: bytes) -> int | None:
    """Where the first HTTP/1.1 message in `data` ends, or None when more bytes must come."""
    blank = data.find(b"\r\n\r\n")
    if blank < 0:
        return None
    head = data[: blank + 2].lower()
    body = blank + 4
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        end = body + int(head[at + 17 : head.index(b"\r\n", at + 17)])
        return end if len(data) >= end else None
    if b"\r\ntransfer-encoding: chunked" in head:
        return _chunks_end(data, body)
    if head[9:12] in (b"204", b"304"):
        return body
    raise Unframed(head[:200].decode("latin-1"))


def _chunks_end(data: bytes, at: int) -> int | None:
    """Where a chunked body that begins at `at` ends; trailers are not looked for."""
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].split(b";")[0], 16)
        at = line + 2 + size + 2
        if size == 0:
            break
    else:
        return None
    return at if len(data) >= at else None


class _Phase:
    """One stretch of load: the requests still to send, the connections sending them, and what came back."""

    def __init__(self, url: str, requests: list[bytes], *, seconds: float | None, expect: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests = iter(requests)
        self._seconds = seconds
        self._expect = expect.encode()
        self._loop = asyncio.get_running_loop()
        self._done = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0
        self.waits = array("d")
        self.unexpected = self.broken = 0
        self.refused: Counter[str] = Counter()
        self.first_answer = b""
        self.elapsed = 0.0

    async def run(self, connections: int) -> None:
        """Open every connection, then let them all go at once; back when the last one has its last answer."""
        opened = [await self._open() for _ in range(connections)]
        self._running = connections
        self._started = perf_counter()
        self._deadline = self._started + (self._seconds or float("inf"))
        for connection in opened:
            connection.send(self._started)
        async with asyncio.timeout((self._seconds or LONGEST) + GRACE):
            await self._done

    def take(self, now: float) -> bytes | None:
        """The next request, or None when the time or the requests are used up."""
        return next(self._requests, None) if now < self._deadline else None

    def count(self, answer: bytes, wait: float) -> None:
        """Sort one answer."""
        if not self.first_answer:
            self.first_answer = answer
        if answer[9:10] != b"2":
            self.refused[answer[9:12].decode("latin-1")] += 1
        elif self._expect not in answer:
            self.unexpected += 1
        else:
            self.waits.append(wait)

    def leave(self, now: float) -> None:
        """One connection has nothing left to send; the last one ends the phase."""
        self._running -= 1
        if self._running == 0 and not self._done.done():
            self.elapsed = now - self._started
            self._done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Nothing sensible can be measured any more."""
        if not self._done.done():
            self._done.set_exception(error)

    def lost(self) -> None:
        """A connection went away with an answer outstanding."""
        self.broken += 1
        if self.broken > MOST_BROKEN:
            self.fail(ConnectionError(f"{self.broken} connections were lost before their answer"))
        else:
            self.replace()

    def replace(self) -> None:
        """Go on over a fresh connection in the place of one that closed."""
        task = self._loop.create_task(self._reopen())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self) -> _Connection:
        _, connection = await self._loop.create_connection(lambda: _Connection(self), self._host, self._port)
        return connection

    async def _reopen(self) -> None:
        try:
            connection = await self._open()
        except OSError as error:
            self.fail(error)
        else:
            connection.send(perf_counter())


class _Connection(asyncio.Protocol):
    """One keep-alive connection in a closed loop."""

    def __init__(self, phase: _Phase) -> None:
        self._phase = phase
        self._buffer = b""
        self._sent = 0.0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's transports derive from no asyncio class

    def send(self, now: float) -> None:
        """Write the next request, or leave."""
        request = self._phase.take(now)
        if request is None:
            self._waiting = False
            self._transport.close()
            self._phase.leave(now)
        else:
            self._waiting = True
            self._sent = now
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        answer = self._buffer + data if self._buffer else data
        try:
            end = message_end(answer)
        except (ValueError, Unframed) as error:
            self._phase.fail(error)
            return
        if end is None:
            self._buffer = answer
            return
        self._buffer = b""
        now = perf_counter()
        self._phase.count(answer, now - self._sent)
        if b": close\r\n" in answer:
            self._waiting = False
            self._transport.close()
            self._phase.replace()
        else:
            self.send(now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._waiting = False
            self._phase.lost()


async def _measure(
    url: str,
    secret: str,
    requests: int | None,
    seconds: float | None,
    warmup: float,
    connections: int,
    start: int,
    expect: str,
) -> Load:
    """Warm up, make as many requests as the warm-up says will be needed, and measure."""
    deliveries = Deliveries(url, secret, start=start)
    needed = requests or MOST_REQUESTS
    if warmup:
        warm = _Phase(url, deliveries.make(WARMUP_REQUESTS), seconds=warmup, expect=expect)
        await warm.run(connections)
        if requests is None and seconds is not None:
            answers = len(warm.waits) + warm.unexpected + warm.refused.total()
            needed = min(MOST_REQUESTS, connections + int(1.5 * seconds * answers / warm.elapsed))
    phase = _Phase(url, deliveries.make(needed), seconds=seconds, expect=expect)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        await phase.run(connections)
    finally:
        gc.enable()
        gc.unfreeze()
    waits = sorted(phase.waits)
    return Load(
        accepted=len(waits),
        unexpected=phase.unexpected,
        refused=dict(phase.refused),
        broken=phase.broken,
        seconds=round(phase.elapsed, 3),
        per_second=round(len(waits) / phase.elapsed, 1),
        p50_ms=_at(waits, 0.50),
        p99_ms=_at(waits, 0.99),
        max_ms=_at(waits, 1.0),
        connections=connections,
        first_answer=phase.first_answer.partition(b"\r\n\r\n")[2][:300].decode(errors="replace"),
    )


def _at(waits: list[float], quantile: float) -> float:
    """The wait at a quantile, in milliseconds; 0 when nothing was accepted."""
    if not waits:
        return 0.0
    return round(1000 * waits[min(len(waits) - 1, int(quantile * len(waits)))], 3)


def run(
    url: str,
    secret: str,
    *,
    requests: int | None = None,
    seconds: float | None = None,
    warmup: float = 1.0,
    connections: int = CONNECTIONS,
    start: int = 0,
    expect: str = "",
) -> Load:
    """Load `url` with new orders signed with `secret`: a fixed number, or for a fixed time, after a warm-up."""
    if urlsplit(url).scheme != "http" or urlsplit(url).hostname not in LOOPBACK:
        raise ValueError(f"only plain HTTP to loopback is loaded, not {url}")
    if (requests is None) == (seconds is None):
        raise ValueError("give either a number of requests or of seconds")
    if requests is not None and not 1 <= requests <= MOST_REQUESTS:
        raise ValueError(f"between 1 and {MOST_REQUESTS} requests")
    if not 1 <= connections <= 1024:
        raise ValueError("between 1 and 1024 connections")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(url, secret, requests, seconds, warmup, connections, start, expect))


def main() -> int:
    """Load one webhook URL on this machine and print what was measured as one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.load",
        description=main.__doc__,
        epilog="example: python -m bench.load --url http://127.0.0.1:8080/webhooks/src_1 --secret S --requests 20000",
    )
    parser.add_argument("--url", required=True, help="the source's webhook URL, on loopback")
    parser.add_argument("--secret", required=True, help="what deliveries are signed with")
    extent = parser.add_mutually_exclusive_group(required=True)
    extent.add_argument("--requests", type=int, help=f"send this many (at most {MOST_REQUESTS})")
    extent.add_argument("--seconds", type=float, help="send for this long")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds before measuring (default 1)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"default {CONNECTIONS}")
    parser.add_argument("--start", type=int, default=0, help="number of the first order, to go on after an earlier run")
    parser.add_argument("--expect", default="", help="a word every accepted answer must hold, such as created")
    given = parser.parse_args()
    try:
        load = run(**vars(given))
    except (ValueError, OSError, TimeoutError, Unframed) as error:
        parser.exit(1, f"{parser.prog}: {type(error).__name__}: {error}\n")
    print(json.dumps(asdict(load)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
