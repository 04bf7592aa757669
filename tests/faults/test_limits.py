"""What is too much is shed, what is too slow is ended, and the others do not notice."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from app.base.settings import Settings
from app.base.tuning import Tuning
from app.cli import protocol
from app.cli.protocol import Connections, Shed
from app.cli.server import ACCEPTED_AT_ONCE, prepared
from app.db.statements import Plan, Sql
from app.ingest.admission import Admission
from tests.house import House, eventually, order_event

pytestmark = pytest.mark.anyio

TUNING = Tuning()
HOST = b"host: x\r\n"
POST = b"POST /webhooks/src_1 HTTP/1.1\r\n" + HOST


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """Say how long the body was; at `/large`, say much."""
    size, message = 0, await receive()
    while message["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            body = b"." * 50_000_000 if scope["path"] == "/large" else b"%d" % size
            length = (b"content-length", b"%d" % len(body))
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": body})
            return
        message = await receive()


def connections(shed: Shed = lambda url: None, **limits: Any) -> Connections:
    """A server's connections, within these limits; each line of the log is written at once."""
    tuning = Tuning(log_every=0.0, **limits)
    return Connections(tuning.connection_most, shed, tuning)


@asynccontextmanager
async def listening(state: Connections) -> AsyncIterator[Callable[[], Any]]:
    """Our protocol on a real port; gives what connects to it."""
    config = uvicorn.Config(answers, http=protocol.Protocol, lifespan="off", log_config=None, ws="none")
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol.Protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    open_: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        open_.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in open_:
            writer.transport.abort()
        server.close()
        await eventually(lambda: asyncio.sleep(0, len(state.connections)), lambda count: count == 0)


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """The status, the head and the body of the next answer."""
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return int(head[9:12]), head.lower(), await reader.readexactly(length)


async def ended(reader: asyncio.StreamReader, state: Connections) -> None:
    """Returns once the connection is ended by a sweep."""

    async def gone() -> bool:
        state.sweep()
        try:
            return await asyncio.wait_for(reader.read(65_536), 0.05) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True

    await eventually(gone, bool)


# -- Admission --------------------------------------------------------------------------------------------------------


class Time:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def commits(gate: Admission, time: Time, seconds: float, times: int = 1) -> None:
    """Batches are committed, one after the other, each in so many seconds."""
    for _ in range(times):
        time.now += seconds
        gate.committed([None] * TUNING.commit_at_once, [], seconds)  # type: ignore[list-item]  # only their number is looked at


async def test_deliveries_are_shed_when_the_wait_would_be_long() -> None:
    time = Time()
    gate = Admission(TUNING, time)
    await gate.enter()
    gate.inside = TUNING.commit_at_once * 2
    commits(gate, time, 0.1)
    gate.inside = int(TUNING.commit_at_once * 10 * TUNING.admission_wait) - 1
    assert not gate.full
    gate.inside += 2
    assert gate.full
    commits(gate, time, 0.05, times=5)  # twice as fast
    assert not gate.full
    commits(gate, time, 2.0)  # the disk was busy with something else
    assert gate.full
    gate.inside = TUNING.commit_at_once
    assert not gate.full  # the next batch takes all of them
    gate.inside = TUNING.commit_waiting
    commits(gate, time, 0.001, times=9)
    assert gate.full  # whatever the rate
    gate.inside = 1


async def test_a_pause_is_not_taken_for_slowness_and_neither_are_small_batches() -> None:
    time = Time()
    gate = Admission(TUNING, time)
    for _ in range(3):
        time.now += 3600.0
        await gate.enter()
        gate.inside += 200
        commits(gate, time, 0.1)
        gate.inside = 1
        commits(gate, time, 5.0)
        gate.leave()
    gate.inside = TUNING.commit_at_once * 2
    assert gate.wait == pytest.approx(0.2)


async def test_few_are_read_in_one_turn_of_the_loop_and_in_their_order() -> None:
    gate, turn, read = Admission(Tuning(admission_at_once=2)), 0, list[tuple[int, int]]()

    async def deliver(number: int) -> None:
        try:
            await gate.enter()
            read.append((turn, number))
        finally:
            gate.leave()

    deliveries = [asyncio.create_task(deliver(number)) for number in range(7)]
    while len(read) < 6:
        turn += 1
        await asyncio.sleep(0)
        assert sum(at == turn for at, _ in read) <= 2
        if turn == 1:
            assert gate.inside == 5  # two are done, and the others counted
            deliveries[3].cancel()  # it hung up
        assert turn < 100
    await asyncio.gather(*deliveries, return_exceptions=True)
    assert [number for _, number in read] == [0, 1, 2, 4, 5, 6]
    assert gate.inside == 0
    await deliver(7)  # nothing is in the way of the next one
    assert read[-1][1] == 7


async def test_a_delivery_that_is_shed_is_answered_busy_and_logged(house: House) -> None:
    source = await house.source()
    house.service.admission.inside = TUNING.commit_waiting
    with capture_logs() as lines:
        answer = await house.deliver(source, order_event())
        await house.deliver(source, order_event())
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "5")
    assert [line["event"] for line in lines] == ["deliveries are shed: too many wait"]
    assert "orders_shed_total 2.0" in (await house.client.get("/metrics")).text
    house.service.admission.inside = 0
    assert (await house.deliver(source, order_event())).status_code == 200
    assert house.service.admission.inside == 0


# -- Shed before the body is read -----------------------------------------------------------------------------------------


async def test_a_request_is_shed_before_its_body_and_the_connection_is_used_again(house: House) -> None:
    state = connections(house.app.shed)
    house.service.admission.inside = TUNING.commit_waiting
    async with listening(state) as connect:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(POST + b"content-length: 9\r\n\r\n")
            status, head, body = await answered(reader)
            assert status == 503
            assert b'"busy"' in body
            assert b"retry-after: 5\r\n" in head
            writer.write(b"123456789")
        writer.write(POST.replace(b"webhooks", b"v1") + b"content-length: 2\r\n\r\n12")
        assert await answered(reader) == (200, b"http/1.1 200 ok\r\ncontent-length: 1\r\n\r\n", b"2")
        writer.write(POST + b"content-length: 2\r\n\r\n12")
        assert (await answered(reader))[0] == 503
        house.service.admission.inside = 0
        writer.write(POST + b"content-length: 3\r\n\r\n123")
        assert (await answered(reader))[::2] == (200, b"3")


@pytest.mark.parametrize(
    "length", [b"content-length: 4000000", b"transfer-encoding: chunked", b"content-length: 5\r\nconnection: close"]
)
async def test_a_body_that_is_long_or_not_measured_is_not_waited_for(house: House, length: bytes) -> None:
    house.service.admission.inside = TUNING.commit_waiting
    async with listening(connections(house.app.shed)) as connect:
        reader, writer = await connect()
        writer.write(POST + length + b"\r\n\r\n")
        status, head, _ = await answered(reader)
        assert status == 503
        assert b"connection: close" in head
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_pipelined_requests_are_answered_in_order_though_some_are_shed(house: House) -> None:
    house.service.admission.inside = TUNING.commit_waiting
    async with listening(connections(house.app.shed)) as connect:
        reader, writer = await connect()
        read = POST.replace(b"webhooks", b"v1") + b"content-length: 2\r\n\r\n12"
        writer.write(read + POST + b"content-length: 1\r\n\r\n1" + read)
        # Where an answer is still being made, the next request waits for it and is not shed by the protocol.
        assert [(await answered(reader))[::2] for _ in range(3)] == [(200, b"2"), (200, b"1"), (200, b"2")]


# -- Slow clients ---------------------------------------------------------------------------------------------------------


async def trickles(begun: bytes, why: str, **limits: Any) -> None:
    state = connections(**limits)
    async with listening(state) as connect:
        reader, writer = await connect()
        with capture_logs() as lines:
            writer.write(begun)
            await ended(reader, state)
        assert [(line["event"], line[why]) for line in lines] == [("connections were ended", 1)]


async def test_a_head_that_does_not_come_is_ended() -> None:
    await trickles(b"GET / HTTP/1.1\r\nhost: ", "head", head_within=0.05)


@pytest.mark.parametrize("limit", [{"body_within": 0.05}, {"body_rate": (0.05, 500)}])
@pytest.mark.parametrize("body", [b"content-length: 9\r\n\r\nab", b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n"])
async def test_a_body_that_does_not_come_is_ended(limit: dict[str, Any], body: bytes) -> None:
    await trickles(POST + body, "body", **limit)


async def test_a_body_that_comes_fast_enough_is_not_ended() -> None:
    state = connections(body_rate=(0.0, 500))
    async with listening(state) as connect:
        reader, writer = await connect()
        writer.write(POST + b"content-length: 60002\r\n\r\n" + b"." * 60_000)
        await eventually(
            lambda: asyncio.sleep(0, [one._size for one in state.connections]), lambda sizes: sizes == [60_000]
        )
        state.sweep()
        writer.write(b"..")
        assert (await answered(reader))[2] == b"60002"


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"])
async def test_a_connection_on_which_nothing_comes_is_closed(sent: bytes) -> None:
    state = connections()
    async with listening(state) as connect:
        _, writer = await connect()
        await eventually(lambda: asyncio.sleep(0, len(state.connections)), (1).__eq__)
        [one] = state.connections
        one.timeout_keep_alive = 0.05
        writer.write(sent)

        async def open_() -> int:
            state.sweep()
            writer.write(b"\r\n")  # may come before a request, and is none
            return len(state.connections)

        with capture_logs() as lines:
            await eventually(open_, (0).__eq__)
        assert lines == []  # there is nothing to it


async def test_an_answer_that_nobody_takes_is_ended() -> None:
    state = connections(answer_taken_within=0.0)
    async with listening(state) as connect:
        _, writer = await connect()
        writer.transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")

        async def open_() -> int:
            state.sweep()
            return len(state.connections)

        await eventually(open_, lambda count: count == 0)


async def test_many_slow_connections_are_ended_a_few_at_a_time() -> None:
    """Thousands that end in one go, and all come again, keep everybody else waiting."""
    state, many = connections(head_within=0.0, connection_ended=3), 5
    async with listening(state) as connect:
        writers = [(await connect())[1] for _ in range(many)]
        for writer in writers:
            writer.write(b"GET / HTTP/1.1\r\n")
        await eventually(lambda: asyncio.sleep(0, sum(one._in_head for one in state.connections)), many.__eq__)
        state.sweep()
        left = [*state.connections]
        assert len(left) == 2
        left[0]._in_head = False  # it came meanwhile
        state.sweep(look=False)
        assert [*state.connections] == left[:1]


async def test_connections_that_wait_make_room_for_new_ones() -> None:
    state = connections(connection_most=3)
    async with listening(state) as connect:
        half = []
        for begun in (b"GET / HT", POST + b"content-length: 9\r\n\r\nab", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"):
            reader, writer = await connect()
            writer.write(begun)
            half.append((reader, writer))
            await eventually(lambda: asyncio.sleep(0, len(state.connections)), len(half).__eq__)
        assert (await answered(half[2][0]))[0] == 200
        with capture_logs() as lines:
            reader, writer = await connect()
            writer.write(POST + b"content-length: 1\r\n\r\n1")
            assert (await answered(reader))[0] == 200
            state.sweep()
        assert [(line["event"], line["no_room"], line["open"]) for line in lines] == [("connections were ended", 1, 3)]
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await half[0][0].readexactly(1)  # the oldest one went


async def test_where_all_connections_are_at_work_a_new_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol.Protocol, "waits", False)
    state = connections(connection_most=1)
    async with listening(state) as connect:
        await connect()
        reader, _ = await connect()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 20)
        with capture_logs() as lines:
            state.sweep()
        assert lines[0]["refused"] == 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whoever_writes_all_the_time_does_not_keep_the_others_waiting(house: House) -> None:
    """As the group commit does under load: its next transaction is ready when the last one ends."""
    store, many = house.service.store, 0

    def plan() -> Plan[None]:
        yield Sql("SELECT 1 AS one")

    async def again_and_again() -> None:
        nonlocal many
        while True:
            await store.commit(plan)
            many += 1

    busy = asyncio.create_task(again_and_again())
    await eventually(lambda: asyncio.sleep(0, many), lambda count: count > 3)
    before = many
    async with asyncio.timeout(20):
        await store.commit(plan)
    assert many - before < 10
    busy.cancel()
    with suppress(asyncio.CancelledError):
        await busy


# -- Handles and accepting ------------------------------------------------------------------------------------------------


def test_the_limit_of_handles_is_raised_and_the_bound_on_connections_fits_in(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    for soft, hard, most in ((1024, 4096, 4096 - 512), (1024, 1_000_000, 8192), (256, 256, 128), (-1, -1, 8192)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, both=(soft, hard): both)
        assert protocol.raise_handles(TUNING) == most
    assert limits == [(4096, 4096), (8704, 1_000_000)]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_many_connections_are_accepted_in_one_turn_of_the_loop(settings: Settings) -> None:
    """libuv accepts one connection a turn for each handle: with a single one, new senders wait while others are served."""

    async def accepted(sockets: list[socket.socket]) -> int:
        loop, made = asyncio.get_running_loop(), 0

        class Counts(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                nonlocal made
                made += 1

        servers = [await loop.create_server(Counts, sock=one) for one in sockets if one.family == socket.AF_INET]
        clients = [socket.socket() for _ in range(3 * ACCEPTED_AT_ONCE)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(sockets[0].getsockname())
        turns = 0
        while made < len(clients):
            await asyncio.sleep(0)
            turns += 1
            assert turns < 1000
        for closes in (*clients, *servers):
            closes.close()
        return turns

    with prepared(settings, "test") as (_, sockets), closing(uvloop.new_event_loop()) as loop:
        assert loop.run_until_complete(accepted(sockets)) < 30
