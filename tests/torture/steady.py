"""One order that is told of again and again; and an ordinary load for a while, in which nothing may grow."""

import asyncio
import os
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.torture.outside import Outside
from tests.torture.server import Server
from tests.torture.source import AT, EPOCH, Line, Source, event, iso
from tests.torture.trial import Trial
from tests.torture.waiting import do, until

TOLD, ITEMS = 300, 20  # how often the order is told of, and its lines
MOST_CPU = 0.1  # seconds of the server's CPU for the last of them
MOST_WAIT = 2.0  # seconds that another order waits meanwhile

LASTS, RATE, SENDERS = 40.0, 40.0, 16  # seconds, requests a second, senders
GROWTH = {"handles": 16, "threads": 2, "MB": 30}  # of the last third over the one before it
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(server: Server) -> float:
    """Return the CPU that the server has used, in seconds."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def hot(trial: Trial) -> None:
    """An order that is told of hundreds of times: the last costs little, others do not wait for it, and it is what was said last."""
    server = trial.server()
    await do(server.prepare)
    source = await do(server.source)
    line, other = Line(server.port), Line(server.port)
    items = [{"title": f"Item {n}", "quantity": 1, "unit_value": "1.00", "sku": f"sku-{n}"} for n in range(ITEMS)]
    acknowledged: list[str] = []
    costs: list[float] = []  # of fifty each
    waits: list[float] = []
    turns = trial.random.sample(range(TOLD), TOLD)  # the order in which they arrive
    for number, turn in enumerate(turns):
        if number % 50 == 0:
            costs.append(cpu(server))
        body = event("hot", iso(EPOCH + turn), "hot@example.com", value=f"{turn + 1}.00", items=items)
        answers = [source.send(line, body, f"h{turn}")]
        if number % 50 == 49:
            answers.append(neighbour(source, other, f"n{turn}", waits))
        for status, said in await asyncio.gather(*answers):
            trial.must(status == 200, f"update {number}: {status} {said}")
            acknowledged += [said["delivery_id"]] if status == 200 else []
    costs.append(cpu(server))
    each = [(after - before) / 50 for before, after in pairwise(costs)]
    trial.must(each[-1] < MOST_CPU, f"an update after {TOLD} costs {each[-1] * 1000:.0f} ms of CPU")
    trial.must(max(waits) < MOST_WAIT * trial.patience, f"another order waited {max(waits):.1f} s")
    (order,) = server.rows("SELECT value, currency FROM orders WHERE external_id = 'hot'")
    trial.must(order["value"] == TOLD * 100, f"its value is {order['value']}, told last was {TOLD * 100}")
    trial.invariants(server.rows, acknowledged, {"created", "updated", "unchanged"})
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.figures |= {"first": f"{each[0] * 1000:.0f} ms of CPU", "last": f"{each[-1] * 1000:.0f} ms"}
    trial.figures["others waited"] = f"{max(waits):.2f} s"


async def neighbour(source: Source, line: Line, name: str, waits: list[float]) -> tuple[int, object]:
    began = time.monotonic()
    answer = await source.send(line, event(name, AT), name)
    waits.append(time.monotonic() - began)
    return answer


async def soak(trial: Trial) -> None:
    """New orders, updates, thin notices, forged ones and lists, with a receiver of events: memory, handles and threads stay."""
    outside = await Outside().start()
    server = trial.server(TORTURE_API=outside.address)
    await do(server.prepare)
    source, thin = await do(server.source), await do(server.payments)
    subscription = {"url": f"{outside.address}/events", "events": ["order.created"]}
    await do(server.api, "POST", "/v1/subscriptions", subscription)
    began, sent = time.monotonic(), iter(range(10**9))
    acknowledged: list[str] = []
    orders: set[str] = set()

    async def sender() -> None:
        line = Line(server.port)
        due = began + trial.random.random() * SENDERS / RATE
        while due < began + LASTS:
            await asyncio.sleep(max(0, due - time.monotonic()))
            due += SENDERS / RATE
            number = next(sent)
            match number % 20:
                case 7:
                    path, body, headers = thin.notice(str(131_000_000_000 + number))
                    wanted, status = 200, (await line.ask("POST", path, body, headers))[0]
                case 8:
                    wanted, status = 200, (await line.ask("GET", "/v1/orders?limit=20", b"", server.authorized))[0]
                case 9:
                    forged = source.headers(b"another body", f"w{number}")
                    wanted, status = 401, (await line.ask("POST", f"/webhooks/{source.id}", b"{}", forged))[0]
                case _:
                    name = f"o{number if number % 4 else number // 8}"
                    body = event(name, iso(EPOCH + number), f"b{number % 3000}@example.com", note="x" * 1000)
                    wanted, (status, said) = 200, await source.send(line, body, f"w{number}")
                    if status == 200:
                        acknowledged.append(said["delivery_id"])
                        orders.update(said["orders"])
            trial.must(status == wanted, f"request {number}: {status}")
        line.close()

    senders = [asyncio.create_task(sender()) for _ in range(SENDERS)]
    seen = []
    while time.monotonic() < began + LASTS:
        await asyncio.sleep(1)
        seen.append(size(server))
    await asyncio.gather(*senders)
    third = len(seen) // 3
    for what, most in GROWTH.items():
        before, after = (median(one[what] for one in part) for part in (seen[third : 2 * third], seen[-third:]))
        trial.must(after <= before + most, f"{what} grew from {before} to {after}")
        trial.figures[what] = f"{before:.0f} to {after:.0f}"

    async def told() -> bool:
        return orders <= {about for _, about in outside.events}

    trial.must(await until(told, 10 * trial.patience), "orders whose event has not come 10 s after the load")
    trial.invariants(server.rows, acknowledged)
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.figures |= {"requests": next(sent), "events": len(outside.events)}


def size(server: Server) -> dict[str, int]:
    """Return the server's file handles, threads, and memory in MB."""
    assert server.process is not None
    process = Path(f"/proc/{server.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return {
        "handles": len(os.listdir(process / "fd")),
        "threads": int(status["Threads"]),
        "MB": int(status["VmRSS"].split()[0]) >> 10,
    }
