"""The HTTP client for outgoing events: checks the address, follows no redirect, has short timeouts, keeps no answer.

Of an answer only the status is kept. A small part of the body is read, so that the connection can be reused.

It stands on asyncio and on httptools, as the server does, because events must keep up with deliveries: with httpcore one
event took 1 to 5 ms of CPU, the more the more were under way, and here 0.2 ms.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools

from app.base.retry_delay import asked_to_wait
from app.base.ssrf_guard import NOT_PUBLIC, Network, NotPublic, addresses_of
from app.base.tuning import Tuning

Origin = tuple[str, str, int]  # scheme, host, port


class Unreachable(Exception):
    """Raised when there was no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class EventResponse:
    """Holds a receiver's answer: the status, and the seconds to wait that it asked for."""

    status: int
    retry_after: float | None


class EventHttpClient:
    """Keeps connections to all receivers. `named` are the private networks that may be reached."""

    def __init__(self, named: Sequence[Network], tuning: Tuning, trusted: ssl.SSLContext | None = None) -> None:
        import httpx

        self._named, self._tuning = named, tuning
        self._trusted = trusted or httpx.create_ssl_context(trust_env=False)
        self._unused: dict[Origin, deque[_Connection]] = {}

    async def close(self) -> None:
        """Disconnect."""
        for connections in self._unused.values():
            for one in connections:
                one.close()
        self._unused.clear()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> EventResponse:
        """Send an event. Raises Unreachable."""
        try:
            async with asyncio.timeout(self._tuning.event_within):
                return await self._post(url, headers, body)
        except _NotConnected:
            raise Unreachable(f"it could not be connected to within {self._tuning.event_connect:.0f} seconds") from None
        except TimeoutError:
            raise Unreachable(f"it did not answer within {self._tuning.event_within:.0f} seconds") from None
        except NotPublic:
            raise Unreachable(f"the URL {NOT_PUBLIC}") from None
        except socket.gaierror:
            raise Unreachable("its name could not be looked up") from None
        except ssl.SSLError:
            raise Unreachable("its certificate, or its TLS, is not good") from None
        except (OSError, httptools.HttpParserError) as fault:
            raise Unreachable(f"it could not be reached ({type(fault).__name__})") from None

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> EventResponse:
        parts = urlsplit(url)
        origin = parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        message = _message(parts, headers, body)
        unused = self._unused.setdefault(origin, deque())
        while True:
            kept = bool(unused)
            connection = unused.pop() if kept else await self._connect(*origin)
            if kept and not connection.usable:
                connection.close()
                continue
            try:
                return await connection.send(message)
            except ConnectionError:
                # A receiver may close what was unused in the very moment in which it is used again.
                if not kept or connection.answering:
                    raise
            finally:
                if connection.usable and len(unused) < self._tuning.event_unused[0]:
                    unused.append(connection)
                else:
                    connection.close()

    # -- Connecting -------------------------------------------------------------------------------------------------

    async def _connect(self, scheme: str, host: str, port: int) -> "_Connection":
        """Connect to an address that was checked, never to a name: between two look-ups it could mean another address.

        Returns the connection to the first address that answers, if all may be reached. Raises NotPublic, OSError.
        """
        plain = scheme == "http"
        try:
            async with asyncio.timeout(self._tuning.event_connect):
                *others, last = await addresses_of(host, port, self._named, plain=plain)
                for address in others:
                    try:
                        return await self._open(address, port, None if plain else host)
                    except ssl.SSLError:
                        raise
                    except OSError:
                        continue
                return await self._open(last, port, None if plain else host)
        except TimeoutError:
            raise _NotConnected from None

    async def _open(self, address: str, port: int, sealed_for: str | None) -> "_Connection":
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self._tuning),
            address,
            port,
            ssl=self._trusted if sealed_for else None,
            server_hostname=sealed_for,
        )
        return connection


def _message(parts: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the request. Raises ValueError where a header is not one line."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
    lines += (f"{name}: {value}" for name, value in headers.items())
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header of an event is more than one line")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _NotConnected(Exception):
    """Raised when a receiver did not take a connection in time."""


class _Connection(asyncio.Protocol):
    """One connection to a receiver, for one request at a time."""

    _transport: asyncio.Transport | None = None
    _answer: "asyncio.Future[EventResponse] | None" = None
    answering = False  # whether an answer, or its first bytes, have come
    _status = 0  # once its head is complete

    def __init__(self, tuning: Tuning) -> None:
        self._tuning, self._unused_since, self._ends = tuning, monotonic(), False

    @property
    def usable(self) -> bool:
        """Return whether a request may be sent on it."""
        open_ = self._transport is not None and not self._transport.is_closing()
        return (
            open_
            and not self._ends
            and self._answer is None
            and monotonic() - self._unused_since < self._tuning.event_unused[1]
        )

    async def send(self, message: bytes) -> EventResponse:
        """Send a request and return the answer. Raises OSError, HttpParserError."""
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after, self._size, self._status, self.answering = b"", 0, 0, False
        self._answer = asyncio.get_running_loop().create_future()
        try:
            if self._transport is None or self._transport.is_closing():
                raise ConnectionResetError
            self._transport.write(message)
            return await self._answer
        except BaseException:
            self._ends = True
            raise
        finally:
            self._answer = None
            self._unused_since = monotonic()

    def close(self) -> None:
        """Disconnect."""
        if self._transport is not None:
            self._transport.abort()

    # -- What asyncio calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derive from no asyncio class

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that there is no connection any more, which is how an answer of no given length ends."""
        self._ends = True
        self._done()
        self._fail(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        if self._answer is None or self._answer.done():
            self._ends = True  # nothing was asked
            return
        self.answering = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as fault:
            self._fail(fault)
        except httptools.HttpParserUpgrade as fault:
            self._fail(ConnectionResetError(str(fault)))

    def _fail(self, fault: Exception) -> None:
        self._ends = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(fault)

    # -- What the parser calls ----------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note what is of interest."""
        if name.lower() == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        """Note the status, unless it is one that another follows (1xx)."""
        if (status := self._parser.get_status_code()) >= 200:
            self._status = status

    def on_body(self, body: bytes) -> None:
        """Count the body. Of a long one the rest is not read, and the connection not used again."""
        self._size += len(body)
        if self._size > self._tuning.event_answer:
            self._ends = True
            self._done()

    def on_message_complete(self) -> None:
        """Give the answer to whoever waits for it."""
        self._ends = self._ends or not self._parser.should_keep_alive()
        self._done()

    def _done(self) -> None:
        if self._status and self._answer is not None and not self._answer.done():
            self._answer.set_result(EventResponse(self._status, asked_to_wait(self._retry_after.decode("latin-1"))))
