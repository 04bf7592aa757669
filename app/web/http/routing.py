"""Routes of the API: permission, the registry's switch, idempotency, and what `/openapi.json` says of them."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.background.retention import ClockDoubted
from app.base.roles import GRANTS, Permission, Role
from app.base.vault import Sealed
from app.db.engine import Rejected, Unavailable
from app.ingest.group_commit import Busy
from app.service import Service
from app.store import idempotency
from app.store.accounts import NameTaken
from app.store.contact_merges import ContactGone, MergeRejected
from app.store.contact_splits import SplitRejected
from app.store.jobs import TooManyJobs
from app.store.manual_orders import NotDeletable
from app.web.http.authentication import Caller, identify
from app.web.http.errors import Problem, invalid, not_found
from app.web.http.limits import RETRY_AFTER, Limit, Limits
from app.web.http.request import MAX_REQUEST_BYTES, ApiRequest, Body, Query, answer, as_json

# What a handler gives: the content of a JSON response with the route's status, None for no content, or a response of its own.
Answer = Response | Mapping[str, Any] | None
Handler = Callable[[ApiRequest], Awaitable[Answer]]
Respond = Callable[[ApiRequest], Awaitable[Response]]
# What cannot be done as things stand; the message says why.
CONFLICTS = (NameTaken, MergeRejected, SplitRejected, NotDeletable, ClockDoubted)
NOBODY = Caller("", None, Role.OPS, panel=True)  # may do nothing: of this role a panel leaves nothing


@dataclass(frozen=True, slots=True)
class Stream:
    """Describes a body or response that is not one JSON document: lines of CSV, events, a page, bytes.

    It is declared where a model or a type is, also several at once: `gives=Stream("text/csv", "one line per order")`,
    `takes=(Stream("text/csv"), Stream("application/x-ndjson"))`. `words` describe the content; `binary` means it is no
    text.
    """

    media_type: str
    words: str = ""
    binary: bool = False


Takes = type[Body] | Stream | tuple[Stream, ...] | None


@dataclass(frozen=True, slots=True)
class Description:
    """Holds what a route requires, takes and returns (see `route`)."""

    handler: Handler
    permissions: tuple[Permission, ...]
    anybody: bool
    needs_registry: bool
    operator: bool
    takes: Takes
    query: type[Query] | None
    gives: Any
    status: int
    also: tuple[int, ...]
    fails: tuple[str, ...]


class Described(Route):
    """Is a route with its description."""

    def __init__(self, path: str, endpoint: Any, *, method: str, description: Description) -> None:
        super().__init__(path, endpoint, methods=[method], name=f"{method} {path}")
        self.description = description


def route(
    method: str,
    path: str,
    handler: Handler,
    permission: Permission | tuple[Permission, ...] | None,
    *,
    anybody: bool = False,
    needs_registry: bool = False,
    operator: bool = False,
    takes: Takes = None,
    query: type[Query] | None = None,
    gives: Any = None,
    status: int = 200,
    also: tuple[int, ...] = (),
    fails: tuple[str, ...] = (),
    limit: Limit | None = None,
) -> Route:
    """Return a route. A caller without the permission (of several: without any of them) gets 403, with the roles that have it.

    `anybody`: no token is required, and the caller is not looked up (health, metrics, documents, signing in). With
    `needs_registry` the route is refused while the account's registry is off. `operator` routes exist only on the
    operator's Unix socket. `limit` says how much of it may go on at once, until the end of the response. The rest
    describes the route for `/openapi.json`:

    - `takes`: the body's model, or a Stream (or several) if it is no JSON document; `Body` itself: an empty object or none.
    - `query`: the query's model. A route without one refuses every parameter.
    - `gives`: the response's type (a TypedDict of typing_extensions, a pydantic model, a Stream or several); None for 204.
    - `status`: the successful status; `also`: further ones with the same response (201 created, 200 exists already).
    - `fails`: codes of problems (app/web/http/errors.py) beyond those that follow from method, path, permission, body and
      query.
    """
    body = takes or Body
    most_bytes = body.most_bytes if isinstance(body, type) else MAX_REQUEST_BYTES
    permissions = (permission,) if isinstance(permission, Permission) else permission or ()

    async def respond(asked: ApiRequest) -> Response:
        if takes is Body:
            await asked.body(Body)  # a field is an error here
        told = await handler(asked)
        if told is None:
            return Response(status_code=status)
        return told if isinstance(told, Response) else answer(told, status)

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        try:
            caller = NOBODY if anybody else await identify(request, service)
            asked = ApiRequest(request, service, caller, most_bytes)
            if anybody:
                return await respond(asked)
            if operator and not caller.operator:
                raise Problem("not_found", "there is no such address")
            _check(caller, permissions)
            if needs_registry and not (await asked.account())["orders_enabled"]:
                raise Problem(
                    "registry_disabled",
                    'an admin of the account turns it on: PATCH /v1/account {"orders_enabled": true}',
                )
            if query is None and not operator:
                asked.query(Query)  # unknown ones are an error here, too
            if method == "POST" and (key := request.headers.get("idempotency-key")):
                return await _once(asked, key, respond)
            if limit is not None:
                return await _limited(asked, limit, respond)
            return await respond(asked)
        except CONFLICTS as why:
            raise Problem("conflict", str(why)) from None
        except ContactGone as what:
            raise not_found(str(what)) from None
        except TooManyJobs as why:
            raise Problem("too_many", str(why), headers={"Retry-After": RETRY_AFTER}) from None
        except (Unavailable, Busy) as why:
            raise Problem("busy", str(why)[:300], headers={"Retry-After": "5"}) from None
        except Sealed as why:
            raise Problem("busy", str(why), headers={"Retry-After": "60"}) from None
        except Rejected:
            raise Problem("invalid", "the database refuses these values") from None

    description = Description(
        handler,
        permissions,
        anybody,
        needs_registry,
        operator,
        takes,
        query,
        gives,
        status,
        also,
        (*fails, "too_many") if limit else fails,
    )
    return Described(path, endpoint, method=method, description=description)


def roles_with(permissions: tuple[Permission, ...]) -> list[Role]:
    """Return the roles that have one of these permissions; all of them if none is wanted."""
    return [role for role, granted in GRANTS.items() if not permissions or not granted.isdisjoint(permissions)]


def _check(caller: Caller, permissions: tuple[Permission, ...]) -> None:
    if permissions and not any(caller.may(one) for one in permissions):
        words = " or ".join(f"“{one}”" for one in permissions)
        raise Problem("forbidden", f"{words} is for {', '.join(roles_with(permissions))}; this token is {caller.role}")


class _Held(Response):
    """Is a streamed response that gives back its place once it has ended, however it ends."""

    def __init__(self, response: Response, place: AsyncExitStack) -> None:
        self._response, self._place = response, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with self._place:
            await self._response(scope, receive, send)


async def _limited(asked: ApiRequest, limit: Limit, respond: Respond) -> Response:
    limits: Limits = asked.request.app.state.limits
    async with AsyncExitStack() as place:
        await place.enter_async_context(limits.within(limit, asked.caller))
        response = await respond(asked)
        if isinstance(response, StreamingResponse):
            response = _Held(response, place.pop_all())
    return response


_running: dict[tuple[str, str], asyncio.Lock] = {}

# Fields of a response that are shown once, when they are made; an answer that is given again has null there.
SHOWN_ONCE = ("secret", "token", "admin_token")


def _fingerprint(asked: ApiRequest, raw: bytes) -> str:
    """Return a digest of all that decides what a request does: method, path, query, type and bytes of the body."""
    scope, form = asked.request.scope, asked.request.headers.get("content-type", "")
    parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], form.encode(), raw)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


def _callers(caller: Caller, key: str) -> str:
    """Return the key as it is stored: nobody meets somebody else's."""
    return hashlib.sha256(f"{caller.member_id or caller.token_id}\n{key}".encode()).hexdigest()


def _kept(response: Response) -> str:
    """Return the response as it is kept: without what is shown once."""
    body = bytes(response.body).decode()
    if any(f'"{name}":' in body for name in SHOWN_ONCE):
        blanked = {name: None if name in SHOWN_ONCE else value for name, value in json.loads(body).items()}
        body = as_json(blanked).decode()
    return json.dumps([response.status_code, body])


async def _once(asked: ApiRequest, given: str, respond: Respond) -> Response:
    """Return the stored response if the caller used the idempotency key before, else answer it once and store it."""
    if len(given) > 255:
        raise invalid("Idempotency-Key", "is longer than 255 characters")
    raw = await asked.read()
    account_id, store, vault = asked.account_id, asked.store, asked.service.vault
    key, request = _callers(asked.caller, given), _fingerprint(asked, raw)
    lock = _running.setdefault((account_id, key), asyncio.Lock())
    try:
        async with lock:
            kept = await idempotency.begin(store, account_id, key, request)
            if kept is not None:
                if kept["request"] != request:
                    raise Problem("conflict", "this Idempotency-Key came with another request before")
                if not kept["sealed"]:
                    raise Problem(
                        "conflict",
                        "the request with this Idempotency-Key is still running",
                        headers={"Retry-After": "1"},
                    )
                status, body = json.loads(vault.open(kept["sealed"]))
                return Response(body, status, media_type="application/json", headers={"Idempotent-Replayed": "true"})
            try:
                response = await respond(asked)
            except BaseException:
                await idempotency.forget(store, account_id, key)
                raise
            if isinstance(response, StreamingResponse):  # too much to keep, and it does no harm a second time
                await idempotency.forget(store, account_id, key)
                return response
            await idempotency.keep(store, account_id, key, vault.seal(_kept(response)))
            return response
    finally:
        if not lock.locked():
            _running.pop((account_id, key), None)
