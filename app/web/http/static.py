"""Serves the console's static files, with headers that restrict them to this API."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from app.db.engine import Unavailable
from app.service import Service
from app.store import accounts
from app.web.http.errors import Problem

# Nothing but our own files, no inline code, no markup made from text, and no frame unless the account names the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors {}"
)
_HEADERS = {
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_NOBODY = "'none'"
_ACCOUNT_ID = re.compile(r"acc_[0-9A-Z]{26}")  # a stranger's other words need no look-up


def under_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return `send` with these headers, by their lower-case names, on every response that does not have them."""

    async def under(message: Message) -> None:
        if message["type"] == "http.response.start":
            more = MutableHeaders(scope=message)
            for name, value in headers.items():
                more.setdefault(name, value)
        await send(message)

    return under


# Small files stay as they are; so does the empty body of a 304, which must not become one of 20 bytes.
_FILES = GZipMiddleware(StaticFiles(packages=[("app.web", "console/assets")]), minimum_size=500)


async def _assets(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the files below `/console/assets`: Starlette's static files, compressed, with our headers."""
    await _FILES(scope, receive, under_headers(send, {**_HEADERS, "cross-origin-resource-policy": "same-origin"}))


@cache
def _page(prefix: str) -> bytes:
    """Return the console's page. It refers to its files below the public URL's path."""
    page = (files("app.web") / "console" / "index.html").read_text()
    return page.replace('="/console/', f'="{prefix}/console/').encode()


async def page(request: Request) -> Response:
    """Return the page, for every URL that a person can be at."""
    service: Service = request.app.state.service
    ancestors = await _ancestors(request, service) if request.path_params.get("path") == "panel" else _NOBODY
    headers = {**_HEADERS, "content-security-policy": _POLICY.format(ancestors)}
    return Response(_page(urlsplit(service.settings.webhooks_at).path), headers=headers, media_type="text/html")


async def _ancestors(request: Request, service: Service) -> str:
    """Return which pages may show this account's panel in a frame; none unless the account names them."""
    named = request.query_params.get("account", "")
    if not _ACCOUNT_ID.fullmatch(named):
        return _NOBODY
    try:
        account = await accounts.find(service.store, named)
    except Unavailable as why:
        raise Problem("busy", str(why)[:300], headers={"Retry-After": "5"}) from None
    return " ".join(account["panel_origins"]) if account and account["panel_origins"] else _NOBODY


ROUTES: list[BaseRoute] = [
    Mount("/console/assets", _assets),
    Route("/console", page),
    Route("/console/{path:path}", page),
]
