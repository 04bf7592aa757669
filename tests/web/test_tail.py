"""The live tail, over real ports: each delivery once, in every process, and its end when the server ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from app.base.roles import Role
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.observability.tail import TailRow, Watcher
from app.store.deliveries import DeliveryFilter
from app.web.api import tail
from app.web.application import create_app
from app.web.http.authentication import Caller
from app.web.http.request import ApiRequest
from tests.house import House, order_event
from tests.server import Server

pytestmark = pytest.mark.anyio

LONGEST = 20  # deliveries that wait for a watcher


@pytest.fixture
async def made(settings: Settings) -> tuple[str, str, str]:
    """Two sources and the admin's token, made before any server has the database."""
    async with House(settings) as house:
        return await house.source(), await house.source(), house.token


@pytest.fixture
async def servers(settings: Settings, made: tuple[str, str, str], tmp_path: Path) -> AsyncIterator[list[Server]]:
    running = [Server(settings, tmp_path, f"server-{n}") for n in range(1 if settings.on_sqlite else 2)]
    try:
        for server in running:
            await server.start()
        yield running
    finally:
        for server in running:
            server.stop()


@asynccontextmanager
async def watching(server: Server, token: str, query: str = "", last: str = "") -> AsyncIterator[AsyncIterator[Any]]:
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{server.address}/v1/deliveries/tail{query}", headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert (await anext(lines)).startswith(":")

        async def events() -> AsyncIterator[Any]:
            event: dict[str, Any] = {}
            async for line in lines:
                name, _, value = line.partition(": ")
                if name in ("id", "event", "data"):
                    event[name] = json.loads(value) if name == "data" else value
                elif not line and event:
                    yield event
                    event = {}

        yield events()


async def sent(server: Server, source: str, *numbers: int) -> list[str]:
    async with httpx.AsyncClient(timeout=30) as client:
        answers = [
            await client.post(f"{server.address}/webhooks/{source}", content=one.body, headers=dict(one.headers))
            for one in (order_event(str(number)) for number in numbers)
        ]
    return [answer.json()["delivery_id"] for answer in answers]


async def test_each_delivery_once_whichever_process_took_it(servers: list[Server], made: tuple[str, str, str]) -> None:
    source, other, token = made
    async with AsyncExitStack() as stack:
        everything = await stack.enter_async_context(watching(servers[0], token))
        mine = await stack.enter_async_context(watching(servers[-1], token, f"?source_id={source}&external_id=2"))
        known = await sent(servers[0], source, 1, 2)
        known += await sent(servers[-1], other, 3)
        again = await sent(servers[0], source, 1)  # a duplicate is no row
        assert again[0] == known[0]
        known += await sent(servers[-1], source, 4)
        seen = [await anext(everything) for _ in known]
        assert sorted(event["id"] for event in seen) == sorted(known)
        assert {event["event"] for event in seen} == {"delivery"}
        assert all(event["data"]["id"] == event["id"] for event in seen)
        only = await anext(mine)
        assert (only["id"], only["data"]["outcome"], only["data"]["external_id"]) == (known[1], "created", "2")
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
            row = (await client.get(f"{servers[0].address}/v1/deliveries/{known[1]}")).json()
        assert {name: row[name] for name in ("kind", "orders", "strength", "received_at", "notes")} == {
            name: only["data"][name] for name in ("kind", "orders", "strength", "received_at", "notes")
        }


async def test_what_came_meanwhile_is_caught_up_with(servers: list[Server], made: tuple[str, str, str]) -> None:
    source, _, token = made
    known = await sent(servers[0], source, 1, 2, 3)
    async with watching(servers[0], token, last=known[0]) as events:
        known += await sent(servers[0], source, 4)
        assert [(await anext(events))["id"] for _ in range(3)] == known[1:]


async def test_a_server_that_ends_lets_its_watchers_go(servers: list[Server], made: tuple[str, str, str]) -> None:
    source, _, token = made
    async with watching(servers[0], token) as events:
        await sent(servers[0], source, 1)
        assert (await anext(events))["data"]["outcome"] == "created"
        ending = asyncio.create_task(asyncio.to_thread(servers[0].stop))
        assert [event async for event in events] == []
        await ending


async def test_a_retry_is_shown_again(servers: list[Server], made: tuple[str, str, str]) -> None:
    source, _, token = made
    (known,) = await sent(servers[0], source, 1)
    async with watching(servers[0], token) as events, httpx.AsyncClient() as client:
        path = f"{servers[0].address}/v1/deliveries/{known}/retry"
        assert (await client.post(path, headers={"Authorization": f"Bearer {token}"}, json={})).status_code == 200
        event = await anext(events)
        assert (event["id"], event["data"]["attempts"]) == (known, 2)


async def test_what_may_not_be_asked(house: House) -> None:
    for query in ("outcome=unverified", "contact=7", "limit=5"):
        assert (await house.call("GET", f"/v1/deliveries/tail?{query}")).status_code == 422, query
    refused = await house.call("GET", "/v1/deliveries/tail", **{"Last-Event-ID": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "Last-Event-ID")


def line(number: int, source: str = "src") -> TailRow:
    return TailRow(lambda: {"id": number, "source_id": source, "received_at": 1, "reason": None, "external_id": None})


@pytest.mark.parametrize("wanted", [DeliveryFilter(), DeliveryFilter(source_id="src")])
async def test_a_slow_watcher_is_told_what_it_missed_and_holds_nobody_up(wanted: DeliveryFilter) -> None:
    watcher = Watcher("acc", wanted, Tuning(tail_waiting=LONGEST))
    for number in range(LONGEST - 1):
        watcher.offer([line(number)])
    watcher.offer([line(number) for number in range(LONGEST - 1, LONGEST + 3)])
    if wanted.source_id:
        watcher.offer([line(-1, "other")])
    lines, missed = await watcher.next(0)
    assert (len(lines), missed, lines[0].row["id"], lines[-1].row["id"]) == (LONGEST, 3, 3, LONGEST + 2)
    assert await watcher.next(0) == ([], 0)
    watcher.offer([line(1)])
    watcher.gap()
    watcher.offer([line(number) for number in range(LONGEST + 1)])
    lines, missed = await watcher.next(0)
    assert (len(lines), missed) == (LONGEST, None)


async def test_what_gathered_is_one_write_made_once_for_all(house: House) -> None:
    source = await house.source()
    watchers = [house.service.tail.watch(house.account_id, DeliveryFilter()) for _ in range(2)]
    asked = ApiRequest(
        Request({"type": "http", "headers": []}), house.service, Caller(house.account_id, None, Role.OPS)
    )
    streams = [tail._events(asked, watcher, DeliveryFilter(), "") for watcher in watchers]
    assert {await anext(one) for one in streams} == {b": the log as it grows\n\n"}
    known = [(await house.deliver(source, order_event(str(number)))).json()["delivery_id"] for number in range(3)]
    house.service.tail.committed([], [], 0.0)  # a commit of nothing is nothing to tell of
    first, second = [await anext(one) for one in streams]
    assert first == second and first.count(b"event: delivery\n") == 3 and first.endswith(b"\n\n")
    assert [event.partition(b"\n")[0].decode() for event in first.split(b"\n\n")[:-1]] == [
        f"id: {one}" for one in known
    ]
    made = TailRow(lambda: pytest.fail("it was made already"))
    made.row = {"id": "dlv_", "attempts": 1}
    made.sent = b"made before\n\n"
    for watcher in watchers:
        watcher.offer([made])
        watcher.gap()
    for one in streams:
        assert await anext(one) == b'event: missed\ndata: {"count": null}\n\nmade before\n\n'
        await one.aclose()
    assert not house.service.tail._watchers


@pytest.mark.parametrize("engine", ["postgresql"])  # on SQLite there is no other process
async def test_more_than_one_looks_at_is_told_as_a_gap(house: House) -> None:
    source = await house.source()
    other = create_app(house.settings, tuning=Tuning(tail_at_once=2, look_every=0.05))
    await other.service.open()
    try:
        watcher = other.service.tail.watch(house.account_id, DeliveryFilter())
        answers = await asyncio.gather(*(house.deliver(source, order_event(str(number))) for number in range(20)))
        known = {one.json()["delivery_id"] for one in answers}
        told: set[str] = set()
        missed: int | None = 0
        while missed is not None:
            lines, missed = await watcher.next(10)
            told |= {one.row["id"] for one in lines}
            assert lines or missed is None
        assert told < known
        other.service.tail.leave(watcher)
    finally:
        await other.service.close()
