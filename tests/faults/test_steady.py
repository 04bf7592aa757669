"""What goes on in the background goes on, whatever fails; and the service says so itself when it cannot take deliveries."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.background import clock_guard
from app.background.clock_guard import ClockGuard
from app.background.retention import ClockDoubted, Retention
from app.base import clock
from app.base.outcome import Outcome
from app.base.settings import Settings
from app.base.supervisor import Loop, close_all, faults
from app.base.tuning import Tuning
from app.base.vault import make_key
from app.db.engine import Store, Unavailable
from app.db.statements import Plan, Row, Sql
from app.store import accounts, delivery_rollups, fetches, jobs, retention
from app.store import outbox as outbox_store
from app.store.deliveries import DeliveryFilter
from app.web.application import create_app
from tests.faults.proxy import proxied
from tests.faults.test_engine import altered
from tests.house import House, eventually, order_event
from tests.server import Server

pytestmark = pytest.mark.anyio

on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])


# Each question is a probe of its own, with little patience.
probed_at_once = pytest.mark.tuned(
    ready_after_commit=0.0, ready_after_failure=0.0, ready_remembers=0.0, ready_within=0.2
)


async def ready(house: House) -> tuple[int, str]:
    answer = await house.client.get("/readyz")
    return answer.status_code, answer.json().get("detail", "")


async def comes(house: House, status: int) -> str:
    """What /readyz says once its status is this one."""
    found: tuple[int, str] = await eventually(lambda: ready(house), lambda said: said[0] == status)
    return found[1]


# -- Loops ------------------------------------------------------------------------------------------------------------


async def test_a_loop_that_fails_is_logged_once_for_each_kind_and_goes_on() -> None:
    turns = iter([ValueError("a person's name"), ValueError("b"), OSError("c"), ValueError("d")])
    through = asyncio.Event()

    async def turn() -> None:
        if (fault := next(turns, None)) is not None:
            raise fault
        through.set()

    loop = Loop("trial", turn)
    with capture_logs() as lines:
        loop.start(Tuning(loop_pauses=(0.02, 0.02)))
        await through.wait()
        loop.spawn(turn(), "more")
        await loop.stop()
    said = [(line["log_level"], line.get("fault")) for line in lines]
    assert said == [("error", "ValueError"), ("error", "OSError"), ("info", None)]
    assert lines[-1]["failures"] == 4
    assert loop.fault is None  # it was ended on purpose


async def test_a_loop_that_cannot_go_on_says_why() -> None:
    async def fails() -> None:
        raise ValueError

    async def ends() -> None:
        raise asyncio.CancelledError

    loops = [Loop("fails", fails), Loop("ends", ends), Loop("stuck", fails)]
    for loop, stuck in zip(loops, (120.0, 120.0, 0.0), strict=True):
        loop.start(Tuning(loop_pauses=(0.0, 0.0), loop_stuck=stuck))

    async def said() -> dict[str, str]:
        return faults(loops)

    found = await eventually(said, lambda found: len(found) == 2)
    assert found["ends"] == "it has ended" and "ValueError" in found["stuck"]
    for loop in loops:
        await loop.stop()


async def test_every_part_is_closed_whatever_the_others_do() -> None:
    little = Tuning(close_within=0.0, close_least=0.05)
    closed: list[str] = []

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        raise sqlite3.DatabaseError("malformed")

    async def closes() -> None:
        closed.append("store")

    with capture_logs() as lines:
        await close_all([[("loop", fails), ("other", hangs)], [("store", closes)]], little)
    assert closed == ["store"]
    assert {line["part"] for line in lines} == {"loop", "other"}


AWAY = ("fetches", "jobs", "held", "outbox", "refusals")


@pytest.mark.tuned(loop_pauses=(0.02, 0.02), loop_stuck=0.0)
async def test_every_loop_goes_on_when_its_table_is_back(house: House) -> None:
    """Renamed away, as during a change of the schema by hand: every loop that looks there fails, and goes on after it."""
    source, held = await house.source(), await house.source(unknown_contacts="hold", name="holds")
    await house.deliver(source, order_event("1", delivery_id="1"))
    waits = (await house.deliver(held, order_event("2", delivery_id="2", contact={"email": "late@example.com"}))).json()
    assert waits["outcome"] == "held"
    service = house.service
    there = [f"ALTER TABLE {name} RENAME TO {name}_away" for name in AWAY]
    back = [f"ALTER TABLE {name}_away RENAME TO {name}" for name in AWAY]
    failing = {"fetch", "jobs", "held", "outbox"}

    async def stuck() -> set[str]:
        for loop in service.loops:
            loop.wake()
        return set(faults(service.loops))

    async with altered(service.store, there, back):
        await eventually(stuck, lambda names: names >= failing)
        assert "work in the background cannot go on" in await comes(house, 503)
    await eventually(stuck, lambda names: not names)
    assert await comes(house, 200) == ""
    job = (await house.call("POST", "/v1/deliveries/retry", {"filter": {"source_id": source}})).json()
    await eventually(lambda: house.get(f"/v1/jobs/{job['job_id']}"), lambda found: found["state"] == "done")
    await house.call("PUT", "/v1/contacts/crm-9", {"name": "Late", "emails": ["late@example.com"]})
    path = f"/v1/deliveries/{waits['delivery_id']}"
    await eventually(lambda: house.get(path), lambda found: found["outcome"] == "created")


@on_sqlite
async def test_a_held_delivery_that_fails_keeps_none_of_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await house.source(unknown_contacts="hold")
    mail: Any = {"contact": {"email": "late@example.com"}}
    first, second = [
        (await house.deliver(source, order_event(name, delivery_id=name, **mail))).json()["delivery_id"]
        for name in "ab"
    ]
    retry = house.service.retry.retry

    async def poisoned(account_id: str, delivery_id: str) -> Any:
        if delivery_id == first:
            raise ValueError("a fault of ours")
        return await retry(account_id, delivery_id)

    monkeypatch.setattr(house.service.retry, "retry", poisoned)
    await house.call("PUT", "/v1/contacts/crm-9", {"name": "Late", "emails": ["late@example.com"]})
    await eventually(lambda: house.get(f"/v1/deliveries/{second}"), lambda found: found["outcome"] == "created")
    assert (await house.get(f"/v1/deliveries/{first}"))["outcome"] == "held"


async def test_what_was_refused_is_counted_when_the_table_is_back(house: House) -> None:
    await house.service.refused.loop.stop()  # it is done by hand
    source = await house.source()
    url = f"/webhooks/{source}"
    assert (await house.client.post(url, content=b"{}")).status_code == 401
    await house.service.refused.flush()
    there, back = "ALTER TABLE refusals RENAME TO refusals_away", "ALTER TABLE refusals_away RENAME TO refusals"
    async with altered(house.service.store, [there], [back]):
        assert (await house.client.post(url, content=b"{}")).status_code == 401
        with pytest.raises(Unavailable):
            await house.service.refused.flush()
        assert (await house.client.post(url, content=b"{}")).status_code == 401

    async def written() -> list[tuple[int, int]]:
        shown = await house.get(f"/v1/sources/{source}")
        return [(one["count"], len(one["samples"])) for one in shown["refused"]]

    await eventually(written, lambda found: found == [(3, 3)])


@on_sqlite
async def test_a_server_whose_file_is_damaged_ends_when_it_is_told(settings: Settings, tmp_path: Path) -> None:
    async with House(settings) as house:
        source = await house.source()
        for number in range(50):
            await house.deliver(source, order_event(str(number), delivery_id=str(number)))
    server = Server(settings, tmp_path)
    await server.start()
    size = settings.database_path.stat().st_size
    with settings.database_path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    server.stop()  # exit code 0, or the test fails


async def test_a_command_without_a_server_does_its_own_job_and_begins_no_loop(settings: Settings) -> None:
    async with House(settings) as house:
        await house.deliver(await house.source(), order_event())
        await house.service.jobs.stop()
        first = (await house.call("POST", "/v1/deliveries/retry", {"filter": {}})).json()["job_id"]
        account = house.account_id
    service = create_app(settings, background=False).service
    await service.open()
    try:
        job = await service.jobs.begin(account, "retry", DeliveryFilter(), dry_run=False, member_id=None)

        async def state() -> str:
            found = await jobs.find(service.store, account, job["id"])
            return str(found and found["state"])

        await eventually(state, lambda said: said == "done")
        other = await jobs.find(service.store, account, first)
        assert other is not None and other["state"] == "waiting"
        assert not any(loop.started for loop in service.loops)
    finally:
        await service.close()


# -- Ready ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def locked(settings: Settings) -> AsyncIterator[None]:
    """Somebody else holds what a delivery is written into."""
    if settings.on_sqlite:
        other = sqlite3.connect(settings.database_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()
        return
    connection = await asyncpg.connect(settings.database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE deliveries")
            yield
    finally:
        await connection.close()


@probed_at_once
async def test_not_ready_while_somebody_locks_what_a_delivery_needs(house: House) -> None:
    assert await comes(house, 200) == ""
    async with locked(house.settings):
        assert await comes(house, 503) == "the database does not commit"
        text = (await house.client.get("/metrics")).text
        assert 'orders_not_ready{check="database"} 1.0' in text and "orders_ready 0.0" in text
        doctor = (await house.operator.get("/operator/doctor")).json() if not house.settings.on_sqlite else None
        if doctor:
            [found] = [one for one in doctor["checks"] if one["check"] == "readiness"]
            assert not doctor["well"] and found["found"].startswith("the database does not commit: ")
    assert await comes(house, 200) == ""
    assert "orders_ready 1.0" in (await house.client.get("/metrics")).text


@probed_at_once
@on_postgresql
async def test_an_answer_comes_also_when_the_database_is_silent(settings: Settings, tuning: Tuning) -> None:
    async with (
        proxied(settings.database_url) as (proxy, address),
        House(settings.model_copy(update={"database_url": address}), tuning=tuning) as house,
    ):
        assert await comes(house, 200) == ""
        proxy.silence()
        try:
            assert await ready(house) == (503, "the database does not commit")
        finally:
            proxy.speak()
        assert await comes(house, 200) == ""


async def test_deliveries_that_fail_say_it_without_a_probe(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    source = await house.source()
    probes = house.service.readiness._probe
    monkeypatch.setattr(house.service.readiness, "_probe", lambda: pytest.fail("it was not needed"))
    assert (await house.deliver(source, order_event("1", delivery_id="1"))).status_code == 200
    assert (await ready(house))[0] == 200
    there, back = "ALTER TABLE tallies RENAME TO tallies_away", "ALTER TABLE tallies_away RENAME TO tallies"
    async with altered(house.service.store, [there], [back]):
        assert (await house.deliver(source, order_event("2", delivery_id="2"))).status_code == 503
        assert (await ready(house))[0] == 503
    monkeypatch.setattr(house.service.readiness, "_probe", probes)
    house.service.group_commit.failed_at -= 60.0  # a minute later
    assert await comes(house, 200) == ""  # though no delivery came since


@pytest.mark.tuned(commit_waiting=0)
async def test_shedding_load_is_ready(house: House) -> None:
    source = await house.source()
    assert (await house.deliver(source, order_event())).status_code == 503
    assert (await ready(house))[0] == 200


async def test_a_group_commit_that_ended_is_not_ready(house: House) -> None:
    await house.service.group_commit.stop()
    assert await ready(house) == (503, "the database does not commit")


async def test_a_wrong_master_key_is_said_at_the_start(settings: Settings) -> None:
    async with House(settings) as house:
        source = await house.source()
        good = house.service.settings.master_key
    other = settings.model_copy(update={"master_key": make_key()})
    with capture_logs() as lines:
        async with House(other, "another") as house:
            assert await ready(house) == (503, "the master key does not open the secrets")
            assert (await house.deliver(source, order_event())).status_code == 503
            checks = (await house.operator.get("/operator/doctor")).json()["checks"]
            assert [one["check"] for one in checks if not one["well"]] == ["master key", "readiness"]
            assert 'orders_not_ready{check="master_key"} 1.0' in (await house.client.get("/metrics")).text
    assert lines[0]["event"] == "the master key does not open the secrets" and lines[0]["log_level"] == "error"
    async with House(settings.model_copy(update={"master_key": good}), "third") as house:
        assert (await ready(house))[0] == 200
    assert json.dumps(lines, default=str).count(good or "no key") == 0


# -- Counts -----------------------------------------------------------------------------------------------------------


async def counted(house: House) -> dict[str, int]:
    """How many deliveries ended how, as the statistics have it."""
    sums: dict[str, int] = {}
    for hour in (await house.get("/v1/stats"))["hours"]:
        sums[hour["outcome"]] = sums.get(hour["outcome"], 0) + hour["count"]
    return sums


async def test_retries_of_one_delivery_at_the_same_time_are_counted_once(house: House) -> None:
    """In one batch, and in two of which the second had read the log before the first was through."""
    source = await house.source()
    delivery = (await house.deliver(source, order_event("1", delivery_id="1"))).json()["delivery_id"]
    service = house.service
    kept = await service.retry.kept(house.account_id, delivery)
    assert kept is not None and await counted(house) == {"created": 1}
    again = await asyncio.gather(*(service.retry.commit(kept.read()) for _ in range(5)))
    assert {one.outcome for one in again} == {again[0].outcome} and again[0].delivery_id == delivery
    assert await counted(house) == {"created": 1}
    assert await delivery_rollups.differences(service.store, 0) == []

    unreadable = [kept.read(), kept.read()]
    for rec in unreadable:
        rec.outcome, rec.reason, rec.statements = Outcome.UNREADABLE, "a trial", ()
    for rec in unreadable:
        await service.retry.commit(rec)
    assert await counted(house) == {"unreadable": 1}
    for rec in (kept.read(), kept.read()):
        rec.was = "created"
        await service.retry.commit(rec)
    assert await counted(house) == {(await house.get(f"/v1/deliveries/{delivery}"))["outcome"]: 1}


async def test_what_is_given_up_or_asked_for_again_is_counted_as_the_log_has_it(house: House) -> None:
    source = await house.source()
    delivery = (await house.deliver(source, order_event("1", delivery_id="1"))).json()["delivery_id"]
    service, words = house.service, "a key was refused"
    kept = await service.retry.kept(house.account_id, delivery)
    assert kept is not None
    rec = kept.read()
    rec.outcome, rec.statements, rec.reason = Outcome.UNFETCHED, (), words
    await service.fetch.loop.stop()
    await service.retry.commit(rec)
    assert await counted(house) == {"unfetched": 1}
    await fetches.new_key(service.store, house.account_id, source, clock.now(), words)
    assert await counted(house) == {"fetching": 1}
    await fetches.give_up(service.store, house.account_id, delivery, "a trial")
    assert await counted(house) == {"unfetched": 1}


async def test_a_difference_is_found_and_said_by_doctor(house: House) -> None:
    source = await house.source()
    for name in "ab":
        await house.deliver(source, order_event(name, delivery_id=name))
    store = house.service.store

    def counted_wrong(by: int) -> Plan[None]:
        yield Sql("UPDATE tallies SET count = count + :by WHERE outcome = 'created'", by=by)

    await store.commit(lambda: counted_wrong(1))
    [found] = await delivery_rollups.differences(store, 0)
    assert (found["source_id"], found["outcome"], found["logged"], found["counted"]) == (source, "created", 2, 3)
    checks = (await house.operator.get("/operator/doctor")).json()["checks"]
    [counts] = [one for one in checks if one["check"] == "counts"]
    assert not counts["well"] and "3 counted and 2 in the log" in counts["found"]
    await store.commit(lambda: counted_wrong(-1))


async def test_hours_that_were_pruned_are_not_compared(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("a", delivery_id="a"))
    await house.call("PATCH", "/v1/account", {"retention": {"deliveries": "1d"}})
    store = house.service.store
    step = await retention.step(
        store, house.account_id, "deliveries", clock.now() + 1_000_000, None, Tuning().prune_steps
    )
    assert step.taken == 1
    assert await delivery_rollups.differences(store, 0) == []


# -- The clock ----------------------------------------------------------------------------------------------------------

HOUR, DAY = 3_600_000_000, 86_400_000_000


class Clock:
    """A machine's two clocks, of which somebody sets one."""

    def __init__(self) -> None:
        self.set_by = self.passed = 0

    def wall(self) -> int:
        return clock.now() + self.set_by + self.passed

    def steady(self) -> int:
        return clock_guard.steady() + self.passed


@asynccontextmanager
async def guarded(house: House) -> AsyncIterator[tuple[Clock, ClockGuard, Retention]]:
    """Another process on the same database, whose clock can be set; with an account whose bodies are kept for 30 days."""
    store, machine = Store(house.settings, house.service.vault), Clock()
    await store.open()
    try:
        guard = ClockGuard(store, machine.wall, machine.steady)
        yield machine, guard, Retention(store, guard.doubt, Tuning().prune_steps, machine.wall)
    finally:
        await store.close()


async def account_of(house: House) -> Row:
    await house.deliver(await house.source(), order_event())
    await house.call("PATCH", "/v1/account", {"retention": {"bodies": "30d"}})
    account = await accounts.find(house.service.store, house.account_id)
    assert account is not None
    return account


async def bodies_pruned(pruning: Retention, account: Row) -> int:
    found, _ = await pruning.prune(account)
    return sum(one.count for one in found)


async def test_nothing_is_pruned_when_the_clock_jumps_until_an_operator_confirms_it(house: House) -> None:
    account = await account_of(house)
    async with guarded(house) as (machine, guard, pruning):
        assert await bodies_pruned(pruning, account) == 0
        for jump in (200 * DAY, 2 * HOUR, -2 * HOUR):
            machine.set_by = jump
            with pytest.raises(ClockDoubted, match="put forward" if jump > 0 else "put back"):
                await pruning.prune(account)
        machine.set_by = 0  # it is right again by itself
        assert await bodies_pruned(pruning, account) == 0
        machine.set_by = 200 * DAY
        await guard.confirm()
        assert await bodies_pruned(pruning, account) == 1


async def test_another_process_hears_of_what_an_operator_confirmed(house: House) -> None:
    account = await account_of(house)
    async with guarded(house) as (mine, guard, _), guarded(house) as (other, _, pruning):
        assert await bodies_pruned(pruning, account) == 0
        mine.set_by = other.set_by = 200 * DAY
        with pytest.raises(ClockDoubted):
            await pruning.prune(account)
        await guard.confirm()
        assert await bodies_pruned(pruning, account) == 1


async def test_a_clock_that_jumped_while_nothing_ran_is_met_by_the_mark(house: House) -> None:
    account = await account_of(house)
    assert await house.service.clock_guard.doubt() is None
    for jump, words in ((200 * DAY, "200 days after"), (-2 * DAY, "48 hours before")):
        async with guarded(house) as (machine, _, _):
            machine.set_by = jump
            later = ClockGuard(house.service.store, machine.wall, machine.steady)
            assert words in str(await later.doubt())
            with pytest.raises(ClockDoubted):
                await Retention(house.service.store, later.doubt, Tuning().prune_steps, machine.wall).prune(account)


async def test_a_quiet_account_is_pruned_as_before(house: House) -> None:
    """Nothing comes for 40 days; the server runs, and leaves its mark (here, to be quick, every other day)."""
    account = await account_of(house)
    async with guarded(house) as (machine, _, pruning):
        for _ in range(20):
            machine.passed += 2 * DAY
            await pruning.turn()
        assert await house.service.store.all("SELECT * FROM bodies") == []
        assert account["retention"] == {"bodies": "30d"}


async def test_no_event_is_given_up_by_a_clock_that_jumped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def doubt() -> str:
        asked.append(1)
        return "a trial"

    monkeypatch.setattr(house.service.outbox, "_doubt", doubt)
    monkeypatch.setattr(outbox_store, "clear", lambda *_: pytest.fail("events were given up"))
    house.service.outbox._cleared_at = 0.0
    await house.service.outbox._next()
    assert asked


async def test_a_doubted_clock_is_said_and_confirmed_over_http(house: House) -> None:
    await account_of(house)
    service, machine = house.service, Clock()
    assert await service.clock_guard.doubt() is None
    machine.set_by = 200 * DAY
    service.clock_guard._present = machine.wall
    assert (await house.call("POST", "/v1/prune", {"dry_run": False})).json()["code"] == "conflict"
    assert (await house.call("POST", "/v1/prune", {"dry_run": True})).status_code == 200
    checks = (await house.operator.get("/operator/doctor")).json()["checks"]
    [found] = [one for one in checks if one["check"] == "clock"]
    assert not found["well"] and "prune --confirm-clock" in found["advice"]
    assert (await house.call("POST", "/operator/confirm-clock", {})).status_code == 404  # not for an account's admin
    assert (await house.operator.post("/operator/confirm-clock", json={})).status_code == 200
    assert (await house.call("POST", "/v1/prune", {"dry_run": False})).status_code == 200


# -- Requests ---------------------------------------------------------------------------------------------------------


@on_sqlite
async def test_http_1_1_names_one_host(settings: Settings, tmp_path: Path) -> None:
    server = Server(settings, tmp_path)
    host, _, port = (await server.start()).removeprefix("http://").rpartition(":")
    lines = {
        "GET /healthz HTTP/1.1": 400,
        "GET /healthz HTTP/1.1\r\nhost: a\r\nHost: b": 400,
        "GET /healthz HTTP/1.1\r\nHost: a": 200,
        "GET /healthz HTTP/1.0": 200,
    }
    try:
        for line, status in lines.items():
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"{line}\r\n\r\n".encode())
            assert (await reader.readline()).split()[1] == str(status).encode(), line
            writer.close()
    finally:
        server.stop()
    assert "Traceback" not in server.said()
