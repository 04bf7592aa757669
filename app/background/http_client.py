"""The HTTP client for outgoing events: checks the address, follows no redirect, has short timeouts, keeps no answer.

Of an answer only the status is kept. A small part of the body is read, so that the connection can be reused.
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any

import httpcore

from app.base.retry_delay import asked_to_wait
from app.base.ssrf_guard import NOT_PUBLIC, Network, allowed

WHOLE = 15.0  # seconds for one event, whatever they are spent on
CONNECT, READ = 5.0, 10.0  # seconds
MOST_BYTES = 16 * 1024  # of an answer
CONNECTIONS, KEPT, KEPT_FOR = 64, 32, 20.0  # at once; unused; seconds

# httpcore imports sniffio, which is not installed, several times a request, and Python remembers no failed import: each
# time it searches its whole path again. Measured on loopback: 1.00 to 1.20 ms of CPU a request, 0.74 to 0.86 with this line.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # marks the module as missing


class Unreachable(Exception):
    """Raised when there was no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class EventResponse:
    """Holds a receiver's answer: the status, and the seconds to wait that it asked for."""

    status: int
    retry_after: float | None


class EventHttpClient:
    """Keeps connections to all receivers. `named` are the private networks that may be reached."""

    def __init__(self, named: Sequence[Network], trusted: ssl.SSLContext | None = None) -> None:
        import httpx

        trusted = trusted or httpx.create_ssl_context(trust_env=False)
        self._pools = {
            plain: httpcore.AsyncConnectionPool(
                ssl_context=None if plain else trusted,
                max_connections=CONNECTIONS,
                max_keepalive_connections=KEPT,
                keepalive_expiry=KEPT_FOR,
                network_backend=_GuardedBackend(named, plain=plain),
            )
            for plain in (False, True)
        }

    async def close(self) -> None:
        """Disconnect."""
        for pool in self._pools.values():
            await pool.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> EventResponse:
        """Send an event. Raises Unreachable."""
        try:
            async with asyncio.timeout(WHOLE):
                return await self._post(url, headers, body)
        except TimeoutError:
            raise Unreachable(f"it did not answer within {WHOLE:.0f} seconds") from None
        except _NotPublic:
            raise Unreachable(f"the URL {NOT_PUBLIC}") from None
        except httpcore.ConnectTimeout:
            raise Unreachable(f"it could not be connected to within {CONNECT:.0f} seconds") from None
        except httpcore.TimeoutException:
            raise Unreachable(f"it did not answer within {READ:.0f} seconds") from None
        except socket.gaierror:
            raise Unreachable("its name could not be looked up") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as fault:
            if _tls(fault):
                raise Unreachable("its certificate, or its TLS, is not good") from None
            raise Unreachable(f"it could not be reached ({type(fault).__name__})") from None

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> EventResponse:
        retry_policy = {"connect": CONNECT, "read": READ, "write": READ, "pool": WHOLE}
        pool = self._pools[url.startswith("http:")]
        async with pool.stream(
            "POST", url, headers=list(headers.items()), content=body, extensions={"timeout": retry_policy}
        ) as response:
            size = 0
            async for chunk in response.aiter_stream():
                size += len(chunk)
                if size > MOST_BYTES:  # the connection is not used again
                    break
            asked = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
            return EventResponse(response.status, asked_to_wait(asked.decode("latin-1")))


def _tls(fault: BaseException | None) -> bool:
    """Return whether TLS is the cause: the layers in between wrap each other's errors."""
    while fault is not None:
        if isinstance(fault, ssl.SSLError):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


class _NotPublic(Exception):
    """Raised for an address where nothing may be sent."""


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, never to names.

    Between two look-ups a name could mean another address.
    """

    def __init__(self, named: Sequence[Network], *, plain: bool) -> None:
        self._named, self._plain = named, plain
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the host's first address that answers, if all may be reached. Raises _NotPublic, OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not all(allowed(ip_address(one), self._named, plain=self._plain) for one in addresses):
            raise _NotPublic
        *others, last = addresses
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: events never go to a Unix socket."""
        raise _NotPublic

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
