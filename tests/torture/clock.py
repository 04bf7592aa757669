"""The wall clock steps while it serves; the monotonic clock goes on (libfaketime)."""

import asyncio
import json
import time

from tests.torture.machine import libfaketime
from tests.torture.outside import Outside
from tests.torture.source import AT, Line, event
from tests.torture.trial import Trial
from tests.torture.waiting import do, until

DAY = 86_400


async def run(trial: Trial) -> None:
    """A day ahead, back, three days back at a start, and 200 days ahead with a retention: nothing is lost or pruned."""
    outside = await Outside().start()
    clock = trial.folder / "clock"

    async def step(days: int) -> None:
        clock.write_text(f"{days * DAY:+d}\n")
        await asyncio.sleep(0.5)

    await step(0)
    faked = {
        "LD_PRELOAD": str(libfaketime()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    server = trial.server(TORTURE_API=outside.address)
    await do(server.prepare, **faked)
    source, thin = await do(server.source), await do(server.payments)
    acknowledged: list[str] = []

    async def sent(name: str, days: int = 0) -> str:
        line = Line(server.port)  # the server is started again between two
        status, answer = await source.send(line, event(name, AT), name, time.time() + days * DAY)
        line.close()
        trial.must(status == 200, f"{name}: {status} {answer}")
        acknowledged.append(answer["delivery_id"])
        return acknowledged[-1]

    first = await sent("now")
    await step(1)
    ahead = await sent("ahead", 1)
    line = Line(server.port)
    stale = await source.send(line, event("right"), "right")
    trial.must(stale[0] == 401, f"the clock is a day ahead of the sender's: {stale}")
    outside.fails = True
    _, raw = await line.ask("POST", *thin.notice("139000000001"))
    notice = json.loads(raw)["delivery_id"]
    acknowledged.append(notice)

    async def asked() -> bool:
        return any(row["attempts"] for row in server.rows("SELECT attempts FROM fetches"))

    trial.must(await until(asked, 20), "the API of the source is not asked")
    await step(0)
    outside.fails = False
    back = await sent("back")
    trial.must(first < ahead < back, f"ids do not grow: {first} {ahead} {back}")

    # What was to be tried again waits for the wrong clock's time; a retry by hand reads it at once.
    waits = server.rows("SELECT next_at FROM fetches")
    trial.figures["thin_waits_s"] = round(waits[0]["next_at"] / 1e6 - time.time()) if waits else 0
    retried = await do(server.api, "POST", f"/v1/deliveries/{notice}/retry", {})

    async def read() -> bool:
        return bool((await do(server.api, "GET", f"/v1/deliveries/{notice}"))["outcome"] == "created")

    trial.must(await until(read, 20 * trial.patience), f"a thin delivery is not read when it is retried: {retried}")
    line.close()
    await do(server.stop)
    await step(-3)
    await do(server.start, **faked)
    late = await sent("three days back", -3)
    trial.figures["ids_grow_after_a_restart"] = late > back  # while it runs they do; see docs/reliability.md
    await do(server.stop)
    await step(0)
    await do(server.start, **faked)
    ages = {"bodies": "30d", "deliveries": "60d", "orders_closed": "90d"}
    await do(server.api, "PATCH", "/v1/account", {"retention": ages})
    await step(200)
    status, answer = await do(server.http, "POST", "/v1/prune", b'{"dry_run": false}', server.authorized)
    trial.must(status == 409, f"prune with a clock that is 200 days ahead: {status} {answer[:200]!r}")
    doctor = await do(server.cli, "doctor", check=False, **faked)
    trial.must(doctor.returncode == 1 and "clock" in doctor.stdout, "doctor does not find the clock")
    await step(0)
    kept = {row["id"] for row in server.rows("SELECT id FROM deliveries")}
    trial.must(set(acknowledged) <= kept, f"{len(set(acknowledged) - kept)} deliveries were pruned by a wrong clock")
    trial.invariants(server.rows, acknowledged)
    trial.must("Traceback" not in server.said(), "a traceback in the log")
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.figures["acknowledged"] = len(acknowledged)
