"""What becomes of normal traffic when too much comes, when clients are slow, when 1,000 are connected, and of events beside it.

One real `serve`, on cores of its own; the load comes from this process, on another. Capacity is measured in the same run,
before and after, because a machine drifts. Every rate is that of deliveries that were answered 200.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop
from rich.console import Console

from app.base.vault import make_key
from bench.bodies import Deliveries, mean_size
from bench.contenders import free_port
from bench.harness import RUNS, fresh_directory, fsync_ms
from bench.load import message_end
from bench.ours import SECRET, postgresql

CONNECTIONS, MANY = 64, 1_000
MOST_OPEN = 4_000  # connections of the open model
SLOW = 1_000  # half requests, and as many that trickle
EVENTS = 250  # deliveries a second beside their events
SETTLE = 2.0  # seconds after an overload in which normal traffic is to be normal again
READY_WITHIN = 60.0
FILLING = 240.0  # seconds at capacity before the soak: some 200,000 deliveries
LATE = 15.0  # seconds for outstanding answers
COMES_AGAIN = 1.0  # seconds after which a connection of the closed loop goes on that was told to come again


@dataclass(kw_only=True)
class Answers:
    """What came back in one phase. Waits count from the moment in which a delivery was due."""

    seconds: float
    offered: int = 0
    waits: list[float] = field(default_factory=list)  # of those answered 200
    others: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answered 200, a second."""
        return len(self.waits) / self.seconds

    @property
    def missing(self) -> int:
        """Not answered yet."""
        return self.offered - len(self.waits) - self.others.total()

    def at(self, quantile: float) -> float:
        """The wait at a quantile, in milliseconds."""
        waits = sorted(self.waits)
        return round(1000 * waits[min(len(waits) - 1, int(quantile * len(waits)))], 1) if waits else 0.0

    def figures(self) -> dict[str, Any]:
        """For the table."""
        return {
            "offered": round(self.offered / self.seconds),
            "per_second": round(self.rate),
            "p50_ms": self.at(0.5),
            "p99_ms": self.at(0.99),
            "max_ms": self.at(1.0),
            **({"others": dict(self.others)} if self.others else {}),
        }


class _Connection(asyncio.Protocol):
    """Sends one request at a time."""

    def __init__(self, client: Client) -> None:
        self._client, self._buffer = client, b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if message_end(self._buffer) is None or self._due is None:
            return
        answer, self._buffer = self._buffer, b""
        due, self._due = self._due, None
        status = answer[9:12].decode()
        if status == "503" and b"\r\nretry-after:" not in answer.lower():
            status = "503 without Retry-After"
        self._client.answered(status, due)
        if b"connection: close" in answer.lower():
            self.transport.close()
        elif status == "503":
            self._client.shed(self)
        else:
            self._client.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due is not None:
            self._client.answered("cut off", self._due)
        self._client.gone(self)


class Client:
    """Sends deliveries: in a closed loop, or at a rate that does not depend on the answers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._deliveries = Deliveries(url, SECRET)
        self._idle: deque[_Connection] = deque()
        self._open = 0
        self._phase = Answers(seconds=1.0)
        self._closed: Iterator[bytes] | None = None  # what the closed loop still has to send
        self._until = 0.0

    # -- What connections tell --------------------------------------------------------------------------------------

    def answered(self, status: str, due: float) -> None:
        if status == "200":
            self._phase.waits.append(time.perf_counter() - due)
        else:
            self._phase.others[status] += 1

    def free(self, connection: _Connection) -> None:
        now = time.perf_counter()
        if self._closed is not None and now < self._until and (request := next(self._closed, None)) is not None:
            self._phase.offered += 1
            connection.send(request, now)
        else:
            self._idle.append(connection)

    def shed(self, connection: _Connection) -> None:
        if self._closed is None:
            self.free(connection)
        else:
            asyncio.get_running_loop().call_later(COMES_AGAIN, self.free, connection)

    def gone(self, connection: _Connection) -> None:
        self._open -= 1
        with suppress(ValueError):
            self._idle.remove(connection)

    # -- Phases -----------------------------------------------------------------------------------------------------

    async def closed(self, connections: int, seconds: float, expected: float = 3_000) -> Answers:
        """So many connections, each with one delivery at a time."""
        requests = iter(self._deliveries.make(int(seconds * expected)))
        await self.close()
        self._phase = phase = Answers(seconds=seconds)
        opened = await asyncio.gather(*(self._connect() for _ in range(connections)))
        self._closed, self._until = requests, time.perf_counter() + seconds
        for one in opened:
            self.free(one)
        await asyncio.sleep(seconds)
        self._closed = None
        await self._outstanding(phase)
        return phase

    async def open(self, rate: float, seconds: float) -> Answers:
        """A delivery every 1/rate seconds, whatever becomes of those before."""
        requests = self._deliveries.make(int(rate * seconds))
        self._phase = phase = Answers(seconds=seconds)
        tasks: set[asyncio.Task[None]] = set()
        begun = time.perf_counter()
        while phase.offered < len(requests):
            due = min(int((time.perf_counter() - begun) * rate) + 1, len(requests))
            for number in range(phase.offered, due):
                self._send(requests[number], begun + number / rate, tasks)
            phase.offered = due
            await asyncio.sleep(0.001)
        await self._outstanding(phase)
        return phase

    def _send(self, request: bytes, due: float, tasks: set[asyncio.Task[None]]) -> None:
        while self._idle:
            connection = self._idle.popleft()
            if not connection.transport.is_closing():
                connection.send(request, due)
                return
        if self._open >= MOST_OPEN:
            self._phase.others["the client had too many connections"] += 1
            return
        task = asyncio.ensure_future(self._first(request, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _first(self, request: bytes, due: float) -> None:
        try:
            (await self._connect()).send(request, due)
        except OSError as fault:
            self.answered(type(fault).__name__, due)

    async def _connect(self) -> _Connection:
        self._open += 1
        try:
            loop = asyncio.get_running_loop()
            return (await loop.create_connection(lambda: _Connection(self), self._host, self._port))[1]
        except OSError:
            self._open -= 1
            raise

    async def _outstanding(self, phase: Answers) -> None:
        until = time.perf_counter() + LATE
        while phase.missing and time.perf_counter() < until:  # noqa: ASYNC110 - answers are counted, not waited for
            await asyncio.sleep(0.01)
        if phase.missing:
            phase.others["no answer"] = phase.missing

    async def close(self) -> None:
        for one in [*self._idle]:
            one.transport.abort()
        await asyncio.sleep(0.05)


class Sink(asyncio.Protocol):
    """A subscriber that takes every event at once."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := message_end(self._buffer)) is not None:
            self._buffer = self._buffer[end:]
            Sink.taken += 1
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


@asynccontextmanager
async def slow_clients(url: str) -> Any:
    """Half requests, and as many that trickle; one that is ended comes again."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n".encode()
    ended = Counter[str]()

    async def one(kind: str) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            except OSError:
                await asyncio.sleep(1)
                continue
            try:
                writer.write(head if kind == "half" else head + b"content-length: 2000\r\n\r\n")
                while kind == "half" or not writer.is_closing():
                    try:
                        async with asyncio.timeout(None if kind == "half" else 1.0):
                            if not await reader.read(1000):
                                break
                    except TimeoutError:
                        writer.write(b".")
            except OSError:
                pass
            finally:
                writer.transport.abort()
            ended[kind] += 1

    tasks = [asyncio.create_task(one(kind)) for kind in ("half", "trickle") for _ in range(SLOW)]
    try:
        yield ended
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Registry:
    """A real `serve`, on the cores that are given."""

    def __init__(self, directory: Path, engine: str, workers: int, cores: set[int], stack: ExitStack) -> None:
        self.directory, self._workers, self._cores, self._stack = directory, workers, cores, stack
        self.address = f"http://127.0.0.1:{free_port()}"
        url = f"sqlite:///{directory / 'orders.db'}" if engine == "sqlite" else postgresql(directory, stack)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERS_", "OTEL_"))}
        self._environment = {
            **kept,
            "ORDERS_DATABASE_URL": url,
            "ORDERS_MASTER_KEY": make_key(),
            "ORDERS_PORT": self.address.rpartition(":")[2],
            "ORDERS_LOG_FORMAT": "json",
            "ORDERS_PRIVATE_RECEIVERS": "127.0.0.0/8",
        }
        self.log = directory / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> Any:
        """What a command of `orders-registry` says."""
        whole = [sys.executable, "-m", "app.cli", *words, "--json"]
        done = subprocess.run(whole, check=True, env=self._environment, capture_output=True, text=True)
        return json.loads(done.stdout)

    def start(self) -> None:
        """Returns once it listens."""
        workers = ["--workers", str(self._workers)] if self._workers > 1 else []
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "serve", *workers],
                env=self._environment,
                stdout=out,
                stderr=out,
            )
        os.sched_setaffinity(self._process.pid, self._cores)
        self._stack.callback(self.stop)
        until = time.monotonic() + READY_WITHIN
        while not self.lines("listening"):
            if self._process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"serve does not listen: {self.log.read_text()[-500:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Lines of the log."""
        found = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in found if line["event"] == event]

    def _pids(self) -> list[int]:
        if self._process is None:
            raise AssertionError("not started")
        pid = self._process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used."""
        ticks = 0
        for one in self._pids():
            said = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(said[11]) + int(said[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def held(self) -> dict[str, int]:
        """Memory of all its processes, and their handles: sockets, which follow the connections, and others."""
        pids = self._pids()
        pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in pids)
        handles: list[str] = []
        for handle in (handle for one in pids for handle in Path(f"/proc/{one}/fd").iterdir()):
            with suppress(FileNotFoundError):  # closed meanwhile
                handles.append(os.readlink(handle))
        sockets = sum(one.startswith("socket:") for one in handles)
        return {
            "rss_mb": pages * resource.getpagesize() >> 20,
            "files": len(handles) - sockets,
            "sockets": sockets,
        }


# -- The run ----------------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench load` takes."""
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--workers", type=int, help="processes; default 1, with PostgreSQL 2")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each phase (default 12)")
    parser.add_argument(
        "--soak",
        type=float,
        default=0.0,
        help="seconds at half capacity at the end, once the caches are full (default none)",
    )
    parser.add_argument("--dir", type=Path, default=RUNS, help="where the database goes while it runs; a real disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(given: argparse.Namespace) -> int:
    """Measure and print; end with 0 whatever the figures: a bench reports, a test judges."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    workers = given.workers or (2 if given.engine == "postgresql" else 1)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("the load and the server need a core each")
    progress = Console(stderr=True)
    with ExitStack() as stack:
        directory = stack.enter_context(fresh_directory(given.dir))
        fsync = fsync_ms(given.dir)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        registry = Registry(directory, given.engine, workers, set(cores[:-1]), stack)
        account = registry.command("account", "create", "bench", "--enable")["account_id"]
        source = registry.command("source", "add", "shopify", "--account", account, "--secret", SECRET)
        registry.start()
        stack.enter_context(_on({cores[-1]}))
        conditions = {
            "engine": given.engine,
            "workers": workers,
            "python": platform.python_version(),
            "cores_of_the_server": len(cores) - 1,
            "seconds": given.seconds,
            "body_bytes": round(mean_size()),
            "fsync_ms": fsync,
            "load_average_before": os.getloadavg()[0],
        }
        url = f"{registry.address}/webhooks/{source['source_id']}"
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            phases, bars = runner.run(_measured(registry, url, account, given, progress))
        conditions["load_average_after"] = os.getloadavg()[0]
    if given.json:
        print(json.dumps({"bench": "load", "conditions": conditions, "phases": phases, "bars": bars}))
        return 0
    out = Console(highlight=False, soft_wrap=True)
    out.print(", ".join(f"{name} {value}" for name, value in conditions.items()), style="dim")
    for name, figures in phases.items():
        out.print(f"[bold]{name}[/]  " + ", ".join(f"{word} {value}" for word, value in figures.items()))
    for words, value, good in bars:
        out.print(f"{'pass' if good else 'miss':>6}  {words}  ({value})", style="green" if good else "bold red")
    return 0


@contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _measured(
    registry: Registry, url: str, account: str, given: argparse.Namespace, progress: Console
) -> tuple[dict[str, Any], list[tuple[str, str, bool]]]:
    client, seconds = Client(url), given.seconds
    phases: dict[str, Any] = {}
    bars: list[tuple[str, str, bool]] = []

    def bar(words: str, value: float, good: bool) -> None:
        bars.append((words, f"{value:.2f}", good))

    spent = registry.cpu()

    def note(name: str, answers: Answers) -> Answers:
        nonlocal spent
        before, spent = spent, registry.cpu()
        each = (spent - before) / max(1, len(answers.waits))
        phases[name] = {**answers.figures(), "cpu_ms_each": round(1000 * each, 2)}
        progress.print(f"{name}: {phases[name]}", highlight=False)
        return answers

    note("warm-up", await client.closed(CONNECTIONS, 2.0))
    first = note("64 connections", await client.closed(CONNECTIONS, seconds))
    many = note("1,000 connections", await client.closed(MANY, seconds))
    await client.close()
    normal = note("half of capacity", await client.open(first.rate / 2, seconds))
    over = note("twice capacity", await client.open(first.rate * 2, seconds))
    await asyncio.sleep(SETTLE)
    after = note("half, two seconds later", await client.open(first.rate / 2, seconds))
    await client.close()
    second = note("64 connections again", await client.closed(CONNECTIONS, seconds))
    await client.close()
    capacity = (first.rate + second.rate) / 2
    bar("twice capacity: accepted >= 0.85 x capacity", over.rate / capacity, over.rate >= 0.85 * capacity)
    bar("twice capacity: p99 <= 3 s", over.at(0.99) / 1000, over.at(0.99) <= 3000)
    bar(
        "two seconds later: p99 <= 2 x that of before",
        after.at(0.99) / normal.at(0.99),
        after.at(0.99) <= 2 * normal.at(0.99),
    )
    bar("1,000 connections: rate >= 0.9 x that of 64", many.rate / capacity, many.rate >= 0.9 * capacity)
    bar(
        "1,000 connections: p99 <= 2 x their share of a second",
        many.at(0.99) / (1e3 * MANY / many.rate),
        many.at(0.99) <= 2e3 * MANY / many.rate,
    )
    async with slow_clients(url) as ended:
        await asyncio.sleep(1.0)
        beside = note("half, beside 2,000 slow clients", await client.open(capacity / 2, max(seconds, 12.0)))
        phases["half, beside 2,000 slow clients"]["ended"] = dict(ended)
    bar(
        "beside slow clients: p99 <= 2 x that of before",
        beside.at(0.99) / normal.at(0.99),
        beside.at(0.99) <= 2 * normal.at(0.99),
    )
    told = registry.lines("connections were ended")
    bar("the log says which were ended", len(told), bool(told))
    await _events(registry, client, account, seconds, phases, bar, capacity)
    if given.soak:
        await _soak(registry, client, given.soak, capacity, phases, note, bar)
    await client.close()
    return phases, bars


async def _soak(
    registry: Registry,
    client: Client,
    seconds: float,
    capacity: float,
    phases: dict[str, Any],
    note: Callable[[str, Answers], Answers],
    bar: Callable[[str, float, bool], None],
) -> None:
    """Looks at memory and handles over the time, once the database's caches are full.

    SQLite's hold 128 MB, which fill with what was written: memory that grows until then is not lost.
    """
    note("filling the caches", await client.closed(CONNECTIONS, FILLING))
    await client.close()
    await asyncio.sleep(SETTLE)
    held, begun = [registry.held()], time.monotonic()
    while time.monotonic() - begun < seconds:
        note("soak at half of capacity", await client.open(capacity / 2, min(30.0, seconds)))
        held.append(registry.held())
    phases["soak: memory and handles"] = {"rows": held}
    middle = len(held) // 2
    before, after = (max(one["rss_mb"] for one in half) for half in (held[:middle], held[middle:]))
    bar("soak: memory of the second half <= 1.03 x that of the first", after / before, after <= 1.03 * before)
    files = [one["files"] for one in held]
    bar("soak: files at most 4 more than at its begin", max(files) - files[0], max(files) <= files[0] + 4)


async def _events(
    registry: Registry, client: Client, account: str, seconds: float, phases: dict[str, Any], bar: Any, capacity: float
) -> None:
    """Deliveries and the events that tell of them, beside each other."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    words = ("subscription", "add", url, "--account", account, "--event", "order.created")
    await asyncio.to_thread(registry.command, *words)
    rate = min(EVENTS, capacity / 2)
    answers = await client.open(rate, seconds)
    at_end = len(answers.waits) - Sink.taken
    until = time.monotonic() + SETTLE
    while Sink.taken < len(answers.waits) and time.monotonic() < until:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.02)
    left = len(answers.waits) - Sink.taken
    phases["deliveries and events"] = {
        **answers.figures(),
        "events": Sink.taken,
        "behind": at_end,
        "behind_2_s_later": left,
    }
    bar(f"events: none behind after {rate:.0f}/s of both", left, left <= 0)
    server.close()
