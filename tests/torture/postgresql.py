"""PostgreSQL that is stopped, cut, slow, silent, locked or full: bounded answers, nothing lost or twice, back by itself."""

import asyncio
import json
import random
import re
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.torture.load import Load
from tests.torture.outside import Outside
from tests.torture.server import Server, ready
from tests.torture.source import AT, Line, event
from tests.torture.trial import READY, Trial
from tests.torture.waiting import do, until

ANSWERED = 6.0  # seconds: a delivery that waited four is answered
ORDERS = {"created", "updated", "unchanged"}
CUT_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-registry'"


class Proxy:
    """Hands bytes on between the product and PostgreSQL, late, in drops, not at all, or until a COMMIT was sent."""

    def __init__(self, port: int, numbers: random.Random) -> None:
        self._server, self._random = port, numbers
        self._wires: set[asyncio.StreamWriter] = set()
        self.mode, self.delay, self.commits_cut = "pass", 0.0, 0

    async def start(self) -> "Proxy":
        self._listening = await asyncio.start_server(self._one, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def cut(self) -> None:
        """Break every connection."""
        for wire in list(self._wires):
            wire.transport.abort()

    def close(self) -> None:
        self._listening.close()
        self.cut()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "refuse":
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            writer.transport.abort()
            return
        wires = {writer, to_server}
        self._wires |= wires
        await asyncio.gather(
            self._hand_on(reader, to_server, wires, up=True), self._hand_on(from_server, writer, wires, up=False)
        )
        self._wires -= wires

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wires: set[asyncio.StreamWriter], *, up: bool
    ) -> None:
        try:
            while data := await reader.read(65_536):
                while self.mode == "silent":
                    await asyncio.sleep(0.05)
                await asyncio.sleep(self.delay)
                drop = 16 if self.mode == "trickle" else len(data)
                for at in range(0, len(data), drop):
                    writer.write(data[at : at + drop])
                    await writer.drain()
                    if drop < len(data):
                        await asyncio.sleep(0.01)
                if up and self.mode == "cut-after-commit" and b"COMMIT" in data and self._random.random() < 0.3:
                    self.commits_cut += 1
                    await asyncio.sleep(0.05)  # the server has committed; its word never arrives
                    break
        except OSError:
            pass
        for wire in wires:
            wire.transport.abort()


class Stage:
    """What a fault can reach."""

    def __init__(self, trial: Trial, proxy: Proxy, server: Server, load: Load) -> None:
        self.trial, self.proxy, self.server, self.load = trial, proxy, server, load
        self.postgresql = trial.database

    async def sql(self, *statements: str, name: str = "orders") -> None:
        await do(self.postgresql.sql, *statements, name=name)

    async def default(self, setting: str, value: str | None) -> None:
        """Change a setting of the server's, or take that back."""
        change = f"ALTER SYSTEM SET {setting} = {value}" if value else f"ALTER SYSTEM RESET {setting}"
        await self.sql(change, "SELECT pg_reload_conf()", name="postgres")


# -- the faults --------------------------------------------------------------------------------------------------------
async def stop_start(stage: Stage) -> None:
    await do(stage.postgresql.stop)
    await asyncio.sleep(8)
    await do(stage.postgresql.start)


async def crash(stage: Stage) -> None:
    await do(stage.postgresql.kill)
    await asyncio.sleep(2)
    await do(stage.postgresql.start)


async def terminate(stage: Stage) -> None:
    for _ in range(40):
        await stage.sql(f"{CUT_ALL} AND random() < 0.5")
        await asyncio.sleep(0.1)


async def terminate_once(stage: Stage) -> None:
    await stage.sql(CUT_ALL)


async def latency(stage: Stage) -> None:
    stage.proxy.delay = 0.05
    await asyncio.sleep(8)
    stage.proxy.delay = 0


def mode(name: str, seconds: float, *, cut: bool = False) -> "Fault":
    async def fault(stage: Stage) -> None:
        stage.proxy.mode = name
        if name == "refuse":
            stage.proxy.cut()
        await asyncio.sleep(seconds)
        stage.proxy.mode = "pass"
        if cut:
            stage.proxy.cut()

    return fault


async def commit_unknown(stage: Stage) -> None:
    await mode("cut-after-commit", 10)(stage)
    stage.trial.figures["commits_cut"] = stage.proxy.commits_cut
    stage.trial.must(stage.proxy.commits_cut, "no COMMIT was cut off")


async def locked(stage: Stage, seconds: float) -> None:
    lock = (
        f"SET statement_timeout = 0; SET lock_timeout = 0; BEGIN; LOCK TABLE orders; SELECT pg_sleep({seconds}); COMMIT"
    )
    holding = subprocess.Popen([*stage.postgresql.psql(), "-c", lock], stdout=subprocess.DEVNULL)
    trial, began = stage.trial, time.monotonic()
    await asyncio.sleep(seconds - 3)  # an answer may take two
    trial.must(await ready(stage.server) == 503, "/readyz is not red while a table is locked")
    await do(holding.wait)
    trial.figures["refused"] = stage.load.between(began, time.monotonic())[503]


async def table_lock(stage: Stage) -> None:
    await locked(stage, 20)


async def lock_timeout(stage: Stage) -> None:
    """DDL of somebody's holds a table for longer than the product waits for a lock."""
    await locked(stage, 9)


async def read_only(stage: Stage) -> None:
    await stage.default("default_transaction_read_only", "on")
    await asyncio.sleep(5)
    stage.trial.must(await ready(stage.server) == 503, "/readyz is not red while the database is read only")
    await stage.default("default_transaction_read_only", None)


async def connections(stage: Stage) -> None:
    """Others take every connection."""
    holding: list[subprocess.Popen[bytes]] = []
    sleep = [*stage.postgresql.psql("postgres"), "-c", "SELECT pg_sleep(9)"]
    for _ in range(7):
        holding += [subprocess.Popen(sleep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(10)]
        stage.proxy.cut()
        await asyncio.sleep(0.3)
    await asyncio.sleep(5)
    for one in holding:
        await do(one.wait)


async def renamed(stage: Stage) -> None:
    """A table is away for four seconds."""
    await stage.sql("ALTER TABLE orders RENAME TO orders_away")
    await asyncio.sleep(4)
    stage.trial.must(await ready(stage.server) == 503, "/readyz is not red while a table is away")
    await stage.sql("ALTER TABLE orders_away RENAME TO orders")


async def refused(stage: Stage) -> None:
    """The database refuses one order in ten: those end as unreadable, and their neighbours are taken."""
    await stage.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.external_id ~ '0$' THEN "
        "RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER no BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION no()",
    )
    await asyncio.sleep(5)
    await stage.sql("DROP TRIGGER no ON orders")


Fault = Callable[[Stage], Awaitable[None]]


@asynccontextmanager
async def watched(server: Server) -> AsyncIterator[list[tuple[float, float, int | str]]]:
    """Ask /readyz all the time: when, how long it took, the answer."""
    seen: list[tuple[float, float, int | str]] = []
    ending = asyncio.Event()

    async def ask() -> None:
        while not ending.is_set():
            began = time.monotonic()
            status = await ready(server)
            seen.append((began, time.monotonic() - began, status))
            await asyncio.sleep(0.3)

    task = asyncio.create_task(ask())
    try:
        yield seen
    finally:
        ending.set()
        await task


def scenario(fault: Fault, *, red: bool = True, slow: bool = False, outcomes: set[str] = ORDERS) -> Any:
    """One fault under load through the proxy. `red`: nothing can be taken meanwhile; `slow`: answers may be."""

    async def run(trial: Trial) -> None:
        url = trial.database.fresh()
        proxy = await Proxy(trial.database.port, trial.random).start()
        server = trial.server(url=re.sub(r":\d+/", f":{proxy.port}/", url))
        await do(server.prepare)
        load = Load(server, await do(server.source), trial.random, clients=16).start()
        async with watched(server) as seen:
            await asyncio.sleep(2)
            began = time.monotonic()
            await fault(Stage(trial, proxy, server, load))
            gone = time.monotonic()
            await trial.recovers(load, gone)
            await trial.becomes(server, 200)
        await load.stop()
        during = [(took, status) for at, took, status in seen if began <= at <= gone]
        slowest = max((took for took, _ in during), default=0.0)
        trial.must(slowest < READY * trial.patience + 0.5, f"/readyz took {slowest:.1f} s")
        trial.must(not red or any(status == 503 for _, status in during), f"/readyz was never red: {during}")
        waited = load.slowest()
        trial.must(slow or waited < ANSWERED * trial.patience, f"a sender waited {waited:.1f} s for its answer")
        trial.invariants(trial.database.rows, load.acknowledged.values(), outcomes)
        trial.must("Traceback" not in server.said(), "a traceback in the log")
        trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
        proxy.close()
        trial.figures |= {"acknowledged": len(load.acknowledged), "slowest_s": round(waited, 1)}

    return run


# -- every part of it, afterwards --------------------------------------------------------------------------------------
def alive(fault: Callable[[Trial], Awaitable[None]]) -> Any:
    """After the fault each part works again: intake, events, fetches, held deliveries, jobs, counts of refusals."""

    async def run(trial: Trial) -> None:
        outside = await Outside().start()
        server = trial.server(TORTURE_API=outside.address)
        await do(server.prepare)
        source, thin = await do(server.source), await do(server.payments)
        hold = await do(server.source, unknown_contacts="hold")
        subscription = {"url": f"{outside.address}/events", "events": ["order.created"]}
        await do(server.api, "POST", "/v1/subscriptions", subscription)
        load = Load(server, source, trial.random, clients=8).start()

        async def others() -> None:
            line = Line(server.port)
            for number in range(10**6):
                try:
                    await line.ask("POST", *thin.notice(str(130_000_000_000 + number)))
                    await line.ask("POST", f"/webhooks/{source.id}", b"x", {"webhook-id": "1"})
                except (OSError, EOFError, TimeoutError):
                    pass
                await asyncio.sleep(0.05)

        more = asyncio.create_task(others())
        await asyncio.sleep(1)
        await fault(trial)
        await trial.recovers(load, time.monotonic())
        more.cancel()
        await load.stop()
        dead = await parts(trial, server, outside, source, thin, hold)
        trial.must(not dead, f"does not work any more: {dead}")
        await trial.becomes(server, 200)
        log = {"fetching", "unfetched", "held", *ORDERS}
        trial.invariants(trial.database.rows, load.acknowledged.values(), log)
        trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
        trial.figures["acknowledged"] = len(load.acknowledged)

    return run


async def parts(trial: Trial, server: Server, outside: Outside, source: Any, thin: Any, hold: Any) -> list[str]:
    """Return which parts do nothing."""
    within, line = 30 * trial.patience, Line(server.port)

    async def became(delivery: str, outcome: str) -> bool:
        return bool((await do(server.api, "GET", f"/v1/deliveries/{delivery}"))["outcome"] == outcome)

    status, said = await source.send(line, event("after"), "after")
    if status != 200:
        return ["intake"]

    async def told() -> bool:
        return ("order.created", said["orders"][0]) in outside.events

    _, raw = await line.ask("POST", *thin.notice("139999999999"))
    notice = json.loads(raw)["delivery_id"]
    _, waits = await hold.send(line, event("held", AT, "held@example.com"), "held")
    await do(server.api, "PUT", "/v1/contacts/crm-9", {"name": "x", "emails": ["held@example.com"]})
    job = await do(server.api, "POST", "/v1/deliveries/retry", {"filter": {"external_id": "after"}})

    async def job_done() -> bool:
        return bool((await do(server.api, "GET", f"/v1/jobs/{job['job_id']}"))["state"] == "done")

    async def refusals() -> int:
        return sum(one["count"] for one in (await do(server.api, "GET", f"/v1/sources/{source.id}"))["refused"])

    before = await refusals()
    await line.ask("POST", f"/webhooks/{source.id}", b"x", {"webhook-id": "1"})

    async def counted() -> bool:
        return await refusals() > before

    work = {
        "events": told,
        "fetches": lambda: became(notice, "created"),
        "held": lambda: became(waits["delivery_id"], "created"),
        "jobs": job_done,
        "refusals": counted,
    }
    return [name for name, what in work.items() if not await until(what, within)]


async def cut_thrice(trial: Trial) -> None:
    for _ in range(3):
        await asyncio.sleep(1)
        for _ in range(8):
            await do(trial.database.sql, CUT_ALL)
            await asyncio.sleep(0.15)


async def restarted(trial: Trial) -> None:
    for _ in range(3):
        await asyncio.sleep(1)
        await do(trial.database.stop)
        await asyncio.sleep(0.5)
        await do(trial.database.start)


async def tables_locked(trial: Trial) -> None:
    lock = "SET lock_timeout = 0; BEGIN; LOCK TABLE fetches, jobs, held, outbox, refusals; SELECT pg_sleep(9); COMMIT"
    await do(trial.database.sql, lock)


SCENARIOS: dict[str, Callable[[Trial], Awaitable[None]]] = {
    "stop-start": scenario(stop_start),
    "crash": scenario(crash),
    "terminate": scenario(terminate, red=False),
    "terminate-once": scenario(terminate_once, red=False),
    "latency": scenario(latency, red=False),
    "trickle": scenario(mode("trickle", 10), red=False),
    "silent": scenario(mode("silent", 40)),
    "silent-cut": scenario(mode("silent", 12, cut=True)),
    "refuse": scenario(mode("refuse", 8)),
    "commit-unknown": scenario(commit_unknown, red=False),
    "lock-timeout": scenario(lock_timeout),
    "table-lock": scenario(table_lock),
    "read-only": scenario(read_only),
    "connections": scenario(connections, red=False),
    "refused": scenario(refused, red=False, outcomes=ORDERS | {"unreadable"}),
    "renamed": scenario(renamed),
    "alive-cut": alive(cut_thrice),
    "alive-restart": alive(restarted),
    "alive-locked": alive(tables_locked),
}
