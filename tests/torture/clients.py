"""Signals under load; clients that trickle, hang up, or send nonsense."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.torture.invariants import rows_of_file
from tests.torture.load import Load
from tests.torture.server import Server, children
from tests.torture.source import AT, Line, Source, event
from tests.torture.trial import Trial
from tests.torture.waiting import do, until

ORDERS = {"created", "updated", "unchanged"}
SLOW = 25  # connections of each kind
ENDED_WITHIN = 100.0  # seconds for a request that trickles in

NONSENSE: dict[str, bytes] = {
    "70 kB in one header": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
    "5,000 headers": b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
    + b"".join(b"x%d: 1\r\n" % n for n in range(5000))
    + b"\r\n",
    "70 kB of path": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "two lengths": b"POST /webhooks/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a length below zero": b"POST /webhooks/x HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "a chunk of no size": b"POST /webhooks/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
}


def head(source: Source, body: bytes, name: str) -> bytes:
    lines = [f"POST /webhooks/{source.id} HTTP/1.1", "host: x", f"content-length: {len(body)}"]
    lines += [f"{field}: {value}" for field, value in source.headers(body, name).items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def good(trial: Trial, server: Server, source: Source, name: str) -> None:
    """A delivery among all that is taken."""
    status, answer = await source.send(Line(server.port), event(name), name, timeout=20 * trial.patience)
    trial.must(status == 200, f"a good delivery: {status} {answer}")


async def signals(trial: Trial) -> None:
    """Each signal ends it in good order: exit code 0, nothing acknowledged is lost."""
    for name, number, times in (("term", 15, 1), ("int", 2, 1), ("hup", 1, 1), ("quit", 3, 1), ("twice", 15, 2)):
        server = trial.server(name)
        await do(server.prepare)
        load = Load(server, await do(server.source), trial.random, clients=24).start()
        await asyncio.sleep(1.5)
        assert server.process is not None
        began = time.monotonic()
        for _ in range(times - 1):
            server.process.send_signal(number)
            await asyncio.sleep(0.02)
        code = await do(server.stop, number, 40)
        took = time.monotonic() - began
        await load.stop()
        trial.must(code == 0, f"{signal.Signals(number).name}: exit code {code} after {took:.1f} s")
        trial.invariants(rows_of_file(server.file, alone=True), load.acknowledged.values(), ORDERS, f"{name}: ")
        trial.figures[name] = f"{len(load.acknowledged)} in {took:.1f} s"


async def rude(trial: Trial) -> None:
    """Senders that hang up in the body or before the answer, and bytes that are no HTTP: no 5xx, and others are served."""
    server = trial.server()
    await do(server.prepare)
    source = await do(server.source)

    async def hang_up(number: int, kept: bool) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        body = event(f"r{number}", AT)
        writer.write(head(source, body, f"r{kept}{number}") + (body if kept else body[:20]))
        await writer.drain()
        await asyncio.sleep(0.002 * (number % 5))
        writer.transport.abort()

    for kept in (True, False):
        await asyncio.gather(*(hang_up(number, kept) for number in range(200)))
        await good(trial, server, source, f"after-{kept}")
    for name, raw in NONSENSE.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(10 * trial.patience):
                writer.write(raw)
                await writer.drain()
                answer = await reader.read(300)
        except (OSError, TimeoutError) as why:
            answer = type(why).__name__.encode()
        line = answer.split(b"\r\n")[0]
        trial.must(not line.startswith(b"HTTP/1.1 5"), f"{name}: {line!r}")
        writer.close()
    trial.must(b" 400" in await no_host(server), "HTTP/1.1 without Host is taken")
    await good(trial, server, source, "after-all")
    trial.must("Traceback" not in server.said(), "a traceback in the log")
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.invariants(rows_of_file(server.file, alone=True), [], ORDERS)
    trial.figures |= {"hung_up": 400, "nonsense": len(NONSENSE)}


async def no_host(server: Server) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(NONSENSE["no host"])
    answer = await reader.read(300)
    writer.close()
    return answer.split(b"\r\n")[0]


async def slow(trial: Trial) -> None:
    """Requests that trickle in are ended by the server; meanwhile others are served, and SIGTERM ends it."""
    server = trial.server()
    await do(server.prepare)
    source = await do(server.source)
    body = event("slow")
    begin = {
        "header": (b"POST /webhooks/x HTTP/1.1\r\nhost: x\r\nx-a: ", b"a"),
        "body": (head(source, body, "slow") + body[:10], b" "),
        "chunks": (
            head(source, body, "s").replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked"),
            b"1\r\n \r\n",
        ),
    }
    began = time.monotonic()
    ended: dict[str, list[float]] = {name: [] for name in begin}

    async def trickle(name: str) -> None:
        first, drop = begin[name]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        closed = asyncio.create_task(reader.read())
        try:
            writer.write(first)
            while not closed.done() and time.monotonic() - began < ENDED_WITHIN:
                await asyncio.wait([closed], timeout=2)
                writer.write(drop)
                await writer.drain()
        except OSError:
            pass
        if time.monotonic() - began < ENDED_WITHIN:
            ended[name].append(time.monotonic() - began)
        closed.cancel()
        await asyncio.gather(closed, return_exceptions=True)
        writer.close()

    tasks = [asyncio.create_task(trickle(name)) for name in begin for _ in range(SLOW)]
    await asyncio.sleep(3)
    await good(trial, server, source, "meanwhile")
    await asyncio.gather(*tasks)
    for name, times in ended.items():
        trial.must(len(times) == SLOW, f"{SLOW - len(times)} of {SLOW} that trickle in the {name} are still open")
        trial.figures[name] = f"ended after {max(times, default=0):.0f} s"
    await good(trial, server, source, "afterwards")
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")


async def pid1(trial: Trial) -> None:
    """As PID 1 of a container: workers are reaped and replaced, and SIGTERM under load ends every process of it."""
    server = trial.server(workers=2 if trial.engine == "postgresql" else 1)
    await do(server.prepare, wrap=("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"))
    assert server.process is not None
    (first,) = server.workers_running  # of unshare: its only child
    load = Load(server, await do(server.source), trial.random, clients=12).start()
    await asyncio.sleep(2)
    if workers := children(first):
        # What somebody leaves behind becomes a child of PID 1, and is none of its workers.
        await do(subprocess.run, ["nsenter", f"--target={first}", "--pid", "sh", "-c", "sleep 0.2 &"], check=True)
        await asyncio.sleep(2)
        trial.must(children(first) == workers, f"with an inherited child its children are {children(first)}")
        os.kill(workers[0], signal.SIGKILL)

        async def replaced() -> bool:
            return workers[0] not in children(first) and len(children(first)) == len(workers)

        trial.must(await until(replaced, 20 * trial.patience), "a worker that was killed is not replaced")
        await asyncio.sleep(2)
    trial.must(len(workers) == (2 if trial.engine == "postgresql" else 0), f"{len(workers)} workers")
    inside = [first, *children(first)]
    began = time.monotonic()
    os.kill(first, signal.SIGTERM)
    code = await do(server.process.wait, 40 * trial.patience)
    trial.figures |= {"ended after": f"{time.monotonic() - began:.1f} s"}
    await load.stop()
    trial.must(code == 0, f"exit code {code}")
    trial.must(not any(Path(f"/proc/{one}").exists() for one in inside), "a process of it is still there")
    trial.invariants(server.rows, load.acknowledged.values(), ORDERS)
    trial.figures["acknowledged"] = len(load.acknowledged)


SCENARIOS: dict[str, Callable[[Trial], Awaitable[None]]] = {"signals": signals, "rude": rude, "slow": slow}
