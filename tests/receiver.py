"""A real HTTP server on a real port that is told of events, and says what a test wants it to."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from adapters.contract import Delivery
from app.base import clock


@dataclass
class Told:
    """One request: its headers and its exact body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def delivery(self) -> Delivery:
        """As our own schemes verify it."""
        return Delivery(body=self.body, headers=self.headers, received_at=clock.moment(clock.now()), url="")


@dataclass
class Receiver:
    """Keeps what it was told. `answers` are given one after the other, then `answer` for ever: status, headers, body."""

    url: str = ""
    told: list[Told] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    before: Callable[[Told], Any] | None = None  # awaited before an answer

    def events(self, kind: str | None = None) -> list[Any]:
        """What was said, of one type or of all."""
        return [one.said for one in self.told if kind is None or one.said["type"] == kind]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        told = Told(scope["path"], headers, body)
        self.told.append(told)
        status, given, content = self.answers.pop(0) if self.answers else self.answer
        if self.before:
            await self.before(told)
        listed = [(name.encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": listed})
        await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def receiving(**options: Any) -> AsyncIterator[Receiver]:
    """A receiver that listens on this machine; `options` are uvicorn's."""
    receiver = Receiver()
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    door.listen(100)
    server = uvicorn.Server(uvicorn.Config(receiver, lifespan="off", log_config=None, interface="asgi3", **options))
    running = asyncio.create_task(server.serve(sockets=[door]))
    receiver.url = f"{'https' if options else 'http'}://127.0.0.1:{door.getsockname()[1]}/orders"
    try:
        yield receiver
    finally:
        server.should_exit = True
        await running
        door.close()
