"""The client for sources' APIs: fixed origin, no redirects, bounded size and time; the key goes to its origin only.

An origin that a source's owner gives whole (`Api.anywhere`) passes the SSRF guard, as events do.
"""

import asyncio
import base64
import socket
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pydantic_core

from adapters.contract import Api, Unfetched
from app.base.retry_delay import asked_to_wait
from app.base.spans import span
from app.base.ssrf_guard import NOT_PUBLIC, Network, NotPublic, addresses_of

if TYPE_CHECKING:
    import httpx

MOST_BYTES = 4 * 1024 * 1024
WHOLE = 30.0  # seconds for one document, whatever it is made of
TIMEOUT, CONNECT = 10.0, 5.0  # seconds

# How the reason begins that a new key puts an end to.
THE_KEY = "the key is "
NO_KEY = f"{THE_KEY}missing"  # it was never given, so nobody refused it
NO_SUCH_ORDER = "the source says that there is no such order"


class SourceApi:
    """Is the one client for all sources. It keeps connections, but no cookies, and follows no redirects.

    `named` are the private networks that may be reached.
    """

    def __init__(self, named: Sequence[Network] = ()) -> None:
        self._named = named
        self._made: httpx.AsyncClient | None = None
        self._tokens: dict[str, tuple[str, float]] = {}  # by what was changed for them; until when

    @property
    def _client(self) -> "httpx.AsyncClient":
        """Return the client, created with the first request: without thin sources it is never loaded."""
        import httpx

        if self._made is None:
            self._made = httpx.AsyncClient(
                timeout=httpx.Timeout(TIMEOUT, connect=CONNECT),
                follow_redirects=False,
                trust_env=False,
                headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": "orders-registry"},
            )
        return self._made

    async def close(self) -> None:
        """Disconnect."""
        if self._made is not None:
            await self._made.aclose()

    async def read(self, api: Api, options: Any, key: str, path: str) -> bytes:
        """Return the document at this path of the source's API. Raises Unfetched, and NotThere where there is none."""
        origin = api.origin_for(options)
        with span("fetch.read", "client") as asked:
            asked.set(server_address=urlsplit(origin).hostname)  # the origin alone: the path holds what a payload named
            return await self._read(api, options, key, origin, path)

    async def _read(self, api: Api, options: Any, key: str, origin: str, path: str) -> bytes:
        try:
            async with asyncio.timeout(WHOLE):
                if api.token_path is None:
                    return await self._get(origin, path, api.authorize(key, options), guarded=api.anywhere)
                for fresh in (False, True):
                    bearer = await self._token(origin + api.token_path, key, fresh=fresh)
                    try:
                        return await self._get(origin, path, api.authorize(bearer, options))
                    except _KeyRejected:
                        if fresh:  # with a token that was given a moment ago
                            raise
        except TimeoutError:
            raise Unfetched(f"the source did not answer within {WHOLE:.0f} seconds") from None
        raise AssertionError("unreachable")

    async def _get(self, origin: str, path: str, headers: Mapping[str, str], *, guarded: bool = False) -> bytes:
        url = _url(origin, path)
        extensions: dict[str, Any] = {}
        if guarded:  # connected to by the address that was checked; the name stays in the header and in TLS
            # Connections are kept by address, and the certificate of one name proves nothing for another there.
            headers = {**headers, "host": url.netloc.decode(), "connection": "close"}
            extensions = {"sni_hostname": url.host}
            url = url.copy_with(host=await self._checked(url))
        try:
            request = self._client.build_request("GET", url, headers=dict(headers), extensions=extensions)
        except (ValueError, TypeError, UnicodeError):
            raise Unfetched(f"{THE_KEY}not one that can be sent in a header", final=True) from None
        return await self._send(request)

    async def _checked(self, url: "httpx.URL") -> str:
        plain = url.scheme == "http"
        try:
            return (await addresses_of(url.host, url.port or (80 if plain else 443), self._named, plain=plain))[0]
        except NotPublic:
            raise Unfetched(f"the source's address {NOT_PUBLIC}", final=True) from None
        except (socket.gaierror, UnicodeError):
            raise Unfetched("the name of the source's address could not be looked up") from None

    async def _send(self, request: "httpx.Request") -> bytes:
        import httpx

        self._client.cookies.clear()
        try:
            response = await self._client.send(request, stream=True)
            try:
                _judge(response)
                return await _bounded(response)
            finally:
                await response.aclose()
        except httpx.HTTPError as fault:
            raise Unfetched(f"the source could not be reached ({type(fault).__name__})") from None

    async def _token(self, url: str, key: str, *, fresh: bool) -> str:
        """Return a bearer token for client credentials (RFC 6749, section 4.4), cached until shortly before its end."""
        known = self._tokens.get(f"{url} {key}")
        if known and not fresh and known[1] > time.monotonic():
            return known[0]
        basic = base64.b64encode(key.encode()).decode()
        request = self._client.build_request(
            "POST", url, headers={"authorization": f"Basic {basic}"}, data={"grant_type": "client_credentials"}
        )
        try:
            answer = pydantic_core.from_json(await self._send(request))
            token, lives = answer["access_token"], float(answer.get("expires_in") or 0)
            if not isinstance(token, str) or not token:
                raise ValueError
        except (ValueError, TypeError, LookupError, AttributeError):
            raise Unfetched("the source gave no access token for the key") from None
        if len(self._tokens) > 1000:
            self._tokens.clear()
        self._tokens[f"{url} {key}"] = (token, time.monotonic() + min(lives, 86400.0) - 60)
        return token


class _KeyRejected(Unfetched):
    """Raised when the source does not accept the key."""


class NotThere(Unfetched):
    """Raised when the source says that there is no such thing (404, 410)."""


def _url(origin: str, path: str) -> "httpx.URL":
    """Return the URL. No path can lead away from the origin."""
    import httpx

    base = httpx.URL(origin)
    try:
        url = httpx.URL(origin + path)
    except (httpx.InvalidURL, ValueError):
        raise Unfetched("the delivery names no usable path", final=True) from None
    same = (url.scheme, url.host, url.port, url.userinfo) == (base.scheme, base.host, base.port, b"")
    if not path.startswith("/") or not same or any(part in {"..", "."} for part in url.path.split("/")):
        raise Unfetched("the delivery names no usable path", final=True)
    return url


def _judge(response: "httpx.Response") -> None:
    """Raise Unfetched for everything but 200."""
    status = response.status_code
    if status == 200:
        return
    if status in (401, 403):
        raise _KeyRejected(f"{THE_KEY}refused by the source (HTTP {status}); give the source another key", final=True)
    if status in (404, 410):
        raise NotThere(f"{NO_SUCH_ORDER} (HTTP {status})", final=True)
    if 300 <= status < 400:
        raise Unfetched(f"the source sends us elsewhere (HTTP {status}); redirects are not followed", final=True)
    if status == 429 or status >= 500 or status in (408, 409, 423, 425):
        raise Unfetched(
            f"the source answered HTTP {status}", retry_after=asked_to_wait(response.headers.get("retry-after", ""))
        )
    raise Unfetched(f"the source answered HTTP {status}", final=True)


async def _bounded(response: "httpx.Response") -> bytes:
    """Return the body, unpacked. Both the packed and the unpacked size are bounded."""
    packed = bytearray()
    async for chunk in response.aiter_raw():
        packed += chunk
        if len(packed) > MOST_BYTES:
            raise Unfetched(f"the source's answer is larger than {MOST_BYTES} bytes", final=True)
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return bytes(packed)
    if coding not in ("gzip", "x-gzip"):
        raise Unfetched("the source's answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(packed, MOST_BYTES + 1)
    except zlib.error:
        raise Unfetched("the source's answer cannot be unpacked") from None
    if len(body) > MOST_BYTES:
        raise Unfetched(f"the source's answer is larger than {MOST_BYTES} bytes", final=True)
    if not unpacker.eof:
        raise Unfetched("the source's answer ended too early")
    return body
