"""Serves the console's static files, with headers that restrict them to this API."""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.db.engine import Unavailable
from app.service import Service
from app.store import accounts
from app.web.http.errors import Problem

_ASSETS = "assets/"
_PAGE = "index.html"
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
    "vary": "accept-encoding",
}
_NOBODY = "'none'"
_ACCOUNT_ID = re.compile(r"acc_[0-9A-Z]{26}")  # a stranger's other words need no look-up


@dataclass(frozen=True, slots=True)
class File:
    """Holds a file with its headers."""

    content: bytes
    packed: bytes
    media_type: str
    etag: str


def _file(name: str, content: bytes) -> File:
    media_type = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    return File(content, gzip.compress(content, mtime=0), media_type or "application/octet-stream", etag)


@cache
def _files(prefix: str) -> dict[str, File]:
    """Read every file of the console once. The page refers to the others below the public URL's path."""
    found: dict[str, File] = {}

    def gather(folder: Traversable, at: str) -> None:
        for one in folder.iterdir():
            if one.is_dir():
                gather(one, f"{at}{one.name}/")
            else:
                found[at + one.name] = _file(one.name, one.read_bytes())

    gather(files("app.web") / "console", "")
    page = found[_PAGE].content.decode().replace('="/console/', f'="{prefix}/console/')
    found[_PAGE] = _file(_PAGE, page.encode())
    return found


async def serve(request: Request) -> Response:
    """Return a file, or the page for every URL that a person can be at."""
    service: Service = request.app.state.service
    path = request.path_params.get("path", "")
    known = _files(urlsplit(service.settings.webhooks_at).path)
    if path.startswith(_ASSETS):
        if path not in known:
            raise Problem("not_found", "there is no such file")
        return _sent(request, known[path], {**_HEADERS, "cross-origin-resource-policy": "same-origin"})
    ancestors = await _ancestors(request, service) if path == "panel" else _NOBODY
    return _sent(request, known[_PAGE], {**_HEADERS, "content-security-policy": _POLICY.format(ancestors)})


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


def _sent(request: Request, file: File, headers: dict[str, str]) -> Response:
    headers = {**headers, "etag": file.etag}
    if file.etag in (word.strip().removeprefix("W/") for word in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers={**headers, "content-encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


ROUTES = [Route("/console", serve), Route("/console/{path:path}", serve)]
