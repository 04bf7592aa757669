"""Calls the application in this process as over HTTP: the answer comes in pieces, at the reader's speed."""

import asyncio
import json as _json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Scope

from app.cli.output import CommandFailed

PIECES = 4  # that may wait to be read
_OF_A_PATH = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class InProcessResponse:
    """Holds the API's answer."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        """Return whether the status is a success."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the content. Raises ValueError."""
        return _json.loads(self.content)


class InProcessClient:
    """Asks an application. A client for HTTP would take long to load, and hold an answer until it is whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(self, method: str, path: str, **given: Any) -> InProcessResponse:
        """Return the whole answer. `json` or `content` is the body. Raises what the application raises."""
        async with self.asked(method, path, **given) as (status, pieces):
            return InProcessResponse(status, b"".join([piece async for piece in pieces]))

    @asynccontextmanager
    async def asked(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, bytes | str] | None = None,
    ) -> AsyncGenerator[tuple[int, AsyncIterator[bytes]]]:
        """The answer's status and its content, which is read while it is made. Raises what the application raises."""
        headers = dict(headers or {})
        if json is not None:
            content = _json.dumps(json, ensure_ascii=False, allow_nan=False).encode()
            headers["content-type"] = "application/json"
        scope = _scope(method, path, params or {}, {**headers, "content-length": str(len(content))})
        exchange = _Exchange(self._app, scope, content)
        try:
            start = await exchange.start()
            yield start["status"], aiter(exchange)
        finally:
            await exchange.aclose()


def _scope(method: str, path: str, params: Mapping[str, Any], headers: Mapping[str, bytes | str]) -> Scope:
    parts = urlsplit(path)
    raw = quote(parts.path, safe=_OF_A_PATH)
    said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
    query = "&".join(filter(None, (parts.query, urlencode(said, doseq=True))))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "headers": [
            (b"host", b"registry"),
            *(
                (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
                for name, value in headers.items()
            ),
        ],
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "server": ("registry", None),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }


class _Exchange:
    """Is one request, and its answer while it is read."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._body: bytes | None = body
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=PIECES)
        self._gone = asyncio.Event()  # nobody reads the answer any more
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
        """Return the answer's first message. Raises what the application raised, CommandFailed."""
        message = await self._messages.get()
        if message is None:
            await self._task
            raise CommandFailed("the application gave no answer")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            if content := message.get("body", b""):
                yield content
            if not message.get("more_body", False):
                break

    async def aclose(self) -> None:
        """End it. An application that is still answering meets a closed connection."""
        self._gone.set()
        while not self._messages.empty():  # whoever waits to put one more comes to see that nobody reads
            self._messages.get_nowait()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # the service has logged it
