"""The application in this very process, asked as over a wire: answers come piece by piece, and slow readers slow it down."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp, Message, Scope

PIECES = 4  # that may wait to be read


class InProcess(httpx.AsyncBaseTransport):
    """A transport for httpx. Its own ASGITransport holds an answer until it is whole, which an export never is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Begins the request; the answer's content is read afterwards."""
        exchange = _Exchange(await request.aread())
        exchange.begin(self._app, _scope(request))
        start = await exchange.start()
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }


class _Exchange(httpx.AsyncByteStream):
    """One request, and its answer while it is being read."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=PIECES)
        self._gone = asyncio.Event()  # nobody reads the answer any more

    def begin(self, app: ASGIApp, scope: Scope) -> None:
        """Lets the application work on it."""
        self._task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            if not self._gone.is_set():
                await self._messages.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            raise OSError("nobody reads the answer")
        await self._messages.put(message)

    async def start(self) -> Message:
        """The answer's first message. Raises what the application raised."""
        message = await self._messages.get()
        if message is None:
            await self._task
            raise httpx.RemoteProtocolError("the application gave no answer")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            if content := message.get("body", b""):
                yield content
            if not message.get("more_body", False):
                break

    async def aclose(self) -> None:
        """Ends it; an application that still answers meets a closed connection."""
        self._gone.set()
        while not self._messages.empty():  # whoever waits to put one more comes to see that nobody reads
            self._messages.get_nowait()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # the service has logged it
