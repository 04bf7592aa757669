"""The client for outgoing events, before receivers that answer in unusual ways."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.background.http_client import EventHttpClient, Unreachable
from app.base.ssrf_guard import networks
from app.base.tuning import Tuning
from tests.house import eventually

pytestmark = pytest.mark.anyio

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


class Receiver:
    """Reads requests and answers as the test says: `answer(reader, writer, number of the request)`."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self.connections, self.requests = answer, 0, list[bytes]()
        self.url = ""
        self.open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open[asyncio.create_task(self._serve(reader, writer))] = writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                await self._answer(reader, writer, len(self.requests))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def answering(answer: Answer | bytes, **tuned: Any) -> AsyncIterator[tuple[Receiver, EventHttpClient]]:
    async def always(_: Any, writer: asyncio.StreamWriter, number: int) -> None:
        assert isinstance(answer, bytes)
        writer.write(answer)

    receiver = Receiver(always if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(receiver.accepted, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/e?x=1"
    client = EventHttpClient(networks("127.0.0.0/8"), Tuning(**tuned))
    try:
        yield receiver, client
    finally:
        await client.close()
        server.close()
        for writer in receiver.open.values():
            writer.transport.abort()
        await asyncio.gather(*receiver.open)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


async def test_a_connection_is_used_again() -> None:
    async with answering(OK) as (receiver, client):
        for body in (b"{}", b"[1]"):
            assert (await client.post(receiver.url, {"a": "b"}, body)).status == 200
        assert receiver.connections == 1
        host = receiver.url.split("/")[2].encode()
        first = b"POST /e?x=1 HTTP/1.1\r\nhost: %s\r\ncontent-length: 2\r\na: b\r\n\r\n{}" % host
        assert receiver.requests == [first, first.replace(b": 2", b": 3").replace(b"{}", b"[1]")]


@pytest.mark.parametrize(
    ("answer", "status", "connections"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 1),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200, 1),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", 500, 1),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}", 200, 2),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", 200, 2),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n" + b"." * 90_000, 200, 2),
        (OK + b"more", 200, 2),
    ],
)
async def test_what_an_answer_may_look_like(answer: bytes, status: int, connections: int) -> None:
    async with answering(answer) as (receiver, client):
        for _ in range(2):
            assert (await client.post(receiver.url, {}, b"{}")).status == status
        assert receiver.connections == connections


async def test_an_answer_of_no_given_length_ends_with_the_connection() -> None:
    async def ends(_: Any, writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(b"HTTP/1.1 503 No\r\nretry-after: 7\r\n\r\nsome words")
        writer.close()

    async with answering(ends) as (receiver, client):
        answer = await client.post(receiver.url, {}, b"{}")
        assert (answer.status, answer.retry_after) == (503, 7.0)


async def test_a_connection_that_the_receiver_has_closed_meanwhile_is_replaced() -> None:
    async def closes(_: Any, writer: asyncio.StreamWriter, number: int) -> None:
        if number == 2:  # closes the kept one when it is used again, without a word
            writer.transport.abort()
        else:
            writer.write(OK)

    async with answering(closes) as (receiver, client):
        for _ in range(2):
            assert (await client.post(receiver.url, {}, b"{}")).status == 200
        assert (receiver.connections, len(receiver.requests)) == (2, 3)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 20", b"SSH-2.0-OpenSSH_9.2\r\n"])
async def test_what_is_no_answer(answer: bytes) -> None:
    async def ends(_: Any, writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(answer)
        writer.close()

    async with answering(ends) as (receiver, client):
        with pytest.raises(Unreachable, match="it could not be reached"):
            await client.post(receiver.url, {}, b"{}")
        assert receiver.connections == 1  # a new connection is not tried a second time


async def test_a_receiver_that_trickles_is_not_waited_for() -> None:
    async def trickles(_: Any, writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not writer.is_closing():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(trickles, event_within=0.2) as (receiver, client):
        with pytest.raises(Unreachable, match="it did not answer within"):
            await client.post(receiver.url, {}, b"{}")


async def test_unused_connections_are_few() -> None:
    together = asyncio.Event()

    async def waits(_: Any, writer: asyncio.StreamWriter, number: int) -> None:
        await together.wait()
        writer.write(OK)

    async with answering(waits, event_unused=(2, 20.0)) as (receiver, client):
        posts = [asyncio.create_task(client.post(receiver.url, {}, b"{}")) for _ in range(5)]
        await eventually(lambda: asyncio.sleep(0, receiver.connections), (5).__eq__)
        together.set()
        await asyncio.gather(*posts)
        assert [len(unused) for unused in client._unused.values()] == [2]


async def test_unused_connections_are_not_kept_for_long() -> None:
    async with answering(OK, event_unused=(64, 0.0)) as (receiver, client):
        for _ in range(2):
            await client.post(receiver.url, {}, b"{}")
        assert receiver.connections == 2


async def test_a_header_cannot_begin_a_second_one() -> None:
    client = EventHttpClient(networks("127.0.0.0/8"), Tuning())
    with pytest.raises(ValueError, match="more than one line"):
        await client.post("http://127.0.0.1:9/", {"a": "b\r\nc: d"}, b"{}")


async def test_every_address_of_a_name_is_judged_and_the_next_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(OK) as (receiver, client):
        port = int(receiver.url.split(":")[2].split("/")[0])
        found = ["127.0.0.2", "127.0.0.1"]  # nobody listens on the first

        async def look_up(*_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
        named = receiver.url.replace("127.0.0.1", "receiver.example")
        assert (await client.post(named, {}, b"{}")).status == 200
        await client.close()
        found.append("10.0.0.1")
        with pytest.raises(Unreachable, match="not public"):
            await client.post(named, {}, b"{}")
        assert len(receiver.requests) == 1
