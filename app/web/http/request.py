"""Requests of the API: permission, the registry's switch, validated bodies and queries, pages, idempotency."""

import asyncio
import base64
import binascii
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from adapters.contract import Unreadable, json_body
from app.base.roles import GRANTS, Permission
from app.base.vault import Sealed
from app.db.engine import Rejected, Unavailable
from app.db.statements import Row
from app.ingest.group_commit import Busy
from app.service import Service
from app.store import accounts, idempotency
from app.store.accounts import NameTaken
from app.web.http.authentication import Caller, identify
from app.web.http.errors import Problem, from_validation, invalid

MAX_REQUEST_BYTES = 4 * 1024 * 1024


class Body(BaseModel):
    """Is the base of request bodies. Unknown fields are errors, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)


class PatchBody(Body):
    """Is the base of changes.

    Absent fields stay as they are; null empties those in `may_be_empty`, else it is an error.
    """

    may_be_empty: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*")
    @classmethod
    def _not_null(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.field_name not in cls.may_be_empty:
            raise ValueError("cannot be null; leave it out to leave it alone")
        return value


@dataclass(frozen=True, slots=True)
class TextPattern:
    """Checks a text against a pattern, with a message that spares people the pattern."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def matching(text: str) -> str:
            if not re.fullmatch(self.pattern, text):
                raise ValueError(self.words)
            return text

        return no_info_after_validator_function(matching, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": self.pattern}


class Query(BaseModel):
    """Is the base of query strings. Unknown parameters are errors."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)


class Page(Query):
    """Is the base of a list's query."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500)


def null_only_for(*names: str) -> Callable[[dict[str, Any]], None]:
    """Return a change's `json_schema_extra`, in which null is allowed for these names only.

    pydantic cannot say "may be absent". Its default None would appear in the document as a null.
    """

    def over(schema: dict[str, Any]) -> None:
        schema["minProperties"] = 1
        for name, field in schema["properties"].items():
            field.pop("default", None)
            if name not in names and "anyOf" in field:
                (kind,) = (one for one in field.pop("anyOf") if one != {"type": "null"})
                field.update(kind)

    return over


BodyT = TypeVar("BodyT", bound=Body)
QueryT = TypeVar("QueryT", bound=Query)


@dataclass(slots=True)
class ApiRequest:
    """Holds one request with its caller."""

    request: Request
    service: Service
    caller: Caller
    _raw: bytes | None = None

    async def read(self) -> bytes:
        """Return the request's body, read once. Raises Problem when it is too large."""
        if self._raw is None:
            self._raw = await read_limited(self.request)
        return self._raw

    @property
    def account_id(self) -> str:
        """Return the account concerned. Raises Problem when an operator named none."""
        if not self.caller.account_id:
            raise Problem("invalid", "name an account: --account, or the header Orders-Account")
        return self.caller.account_id

    def path(self, name: str) -> str:
        """Return a part of the path. Raises Problem when it cannot be an id."""
        value: str = self.request.path_params[name]
        if len(value) > 255 or "\0" in value or not value.strip():
            if self.request.method == "PUT":  # it would be made
                raise invalid(name, "must have 1 to 255 characters, not blanks alone, and no NUL")
            raise Problem("not_found", "there is no such thing")
        return value

    async def body(self, model: type[BodyT], **known: Any) -> BodyT:
        """Return the validated body. `known` is context for the model. Raises Problem, naming every wrong field."""
        raw = await self.read()
        try:
            document = json_body(raw) if raw.strip() else {}
        except Unreadable as why:
            raise Problem("invalid", why.reason) from None
        if not isinstance(document, dict):
            raise Problem("invalid", "the body must be a JSON object")
        try:
            return model.model_validate(_plain(document), context=known)
        except ValidationError as fault:
            raise from_validation(fault) from None

    def query(self, model: type[QueryT]) -> QueryT:
        """Return the validated query. Raises Problem, naming every wrong field."""
        given = self.request.query_params
        for name in given:
            if len(given.getlist(name)) > 1:
                raise invalid(name, "is given more than once")
            if "\0" in given[name]:
                raise invalid(name, "holds a NUL")
        try:
            return model.model_validate(dict(given))
        except ValidationError as fault:
            raise from_validation(fault) from None


def _plain(value: Any) -> Any:
    """Return the document without NUL, which PostgreSQL's text cannot hold. Raises Problem."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise Problem("invalid", "the body holds a NUL or half a character (a lone surrogate)")
        return value
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


async def read_limited(request: Request) -> bytes:
    """Return the body, up to a limit. Raises Problem."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_REQUEST_BYTES:
            raise Problem("too_large", f"a request may have {MAX_REQUEST_BYTES} bytes", headers={"Connection": "close"})
    return bytes(chunks)


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON response."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, status, media_type="application/json")


def page_of(rows: list[Row], limit: int, shape: Callable[[Row], Any], key: Callable[[Row], Any]) -> dict[str, Any]:
    """Return a list's response. `rows` has one more than `limit` if there is a next page."""
    following = cursor(key(rows[limit - 1])) if len(rows) > limit else None
    return {"data": [shape(row) for row in rows[:limit]], "next_cursor": following}


def cursor(key: Any) -> str:
    """Return a key as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def after(word: str | None, *kinds: type) -> Any:
    """Return the key in a cursor: one value, or a tuple for several kinds. Raises Problem."""
    if word is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        parts = key if len(kinds) > 1 else [key]
        if len(parts) != len(kinds) or any(type(part) is not kind for part, kind in zip(parts, kinds, strict=True)):
            raise ValueError
        if any(isinstance(part, int) and abs(part) >= 2**63 for part in parts) or any(
            "\0" in str(part) for part in parts
        ):
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise invalid("cursor", "is not one that this list gave") from None
    return tuple(parts) if len(kinds) > 1 else parts[0]


Handler = Callable[[ApiRequest], Awaitable[Response]]


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
    """Holds what a route takes and returns, for its documentation. `also` are further statuses of the same response."""

    handler: Callable[..., Awaitable[Response]]
    permission: Permission | None
    any_of: tuple[Permission, ...]
    needs_registry: bool
    operator: bool
    takes: Takes
    query: type[Query] | None
    gives: Any
    status: int
    also: tuple[int, ...] = ()
    anybody: bool = False
    fails: tuple[str, ...] = ()


class Described(Route):
    """Is a route with its description."""

    def __init__(self, path: str, endpoint: Any, *, methods: list[str], name: str, description: Description) -> None:
        super().__init__(path, endpoint, methods=methods, name=name)
        self.description = description


def route(
    method: str,
    path: str,
    handler: Handler,
    permission: Permission | None,
    *,
    needs_registry: bool = False,
    operator: bool = False,
    any_of: tuple[Permission, ...] = (),
    takes: Takes = None,
    query: type[Query] | None = None,
    gives: Any = None,
    status: int = 200,
    also: tuple[int, ...] = (),
    fails: tuple[str, ...] = (),
) -> Route:
    """Return a route. A caller without the permission gets 403, with the roles that have it.

    With `needs_registry` the route is refused while the account's registry is off. `operator` routes exist only on the
    operator's Unix socket. The rest describes the route for `/openapi.json`:

    - `takes`: the body's model, or a Stream (or several) if it is no JSON document.
    - `query`: the query's model. A route without one refuses every parameter.
    - `gives`: the response's type (a TypedDict of typing_extensions, a pydantic model, a Stream or several); None for 204.
    - `status`: the successful status; `also`: further ones with the same response (201 created, 200 exists already).
    - `fails`: codes of problems (app/web/http/errors.py) beyond those that follow from method, path, permission, body and
      query.
    """

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        try:
            caller = await identify(request, service)
            asked = ApiRequest(request, service, caller)
            if operator and not caller.operator:
                raise Problem("not_found", "there is no such address")
            _check(caller, permission, any_of)
            if needs_registry:
                await _check_enabled(asked)
            if query is None and not operator:
                asked.query(Query)  # unknown ones are an error here, too
            if method == "POST" and (key := request.headers.get("idempotency-key")):
                return await _once(asked, key, handler)
            return await handler(asked)
        except NameTaken as why:
            raise Problem("conflict", str(why)) from None
        except (Unavailable, Busy) as why:
            raise Problem("busy", str(why)[:300], headers={"Retry-After": "5"}) from None
        except Sealed as why:
            raise Problem("busy", str(why), headers={"Retry-After": "60"}) from None
        except Rejected:
            raise Problem("invalid", "the database refuses these values") from None

    return Described(
        path,
        endpoint,
        methods=[method],
        name=f"{method} {path}",
        description=Description(
            handler, permission, any_of, needs_registry, operator, takes, query, gives, status, also, fails=fails
        ),
    )


def open_route(
    method: str,
    path: str,
    handler: Callable[[Request], Awaitable[Response]],
    *,
    gives: Any,
    status: int = 200,
    fails: tuple[str, ...] = (),
) -> Route:
    """Return a route that requires no token (health, metrics, documents). The handler gets the plain request."""
    described = Description(handler, None, (), False, False, None, None, gives, status, anybody=True, fails=fails)
    return Described(path, handler, methods=[method], name=f"{method} {path}", description=described)


def _check(caller: Caller, permission: Permission | None, any_of: tuple[Permission, ...]) -> None:
    wanted = any_of or ((permission,) if permission else ())
    if wanted and not any(caller.may(one) for one in wanted):
        roles = [role for role, granted in GRANTS.items() if any(one in granted for one in wanted)]
        words = " or ".join(f"“{one}”" for one in wanted)
        raise Problem("forbidden", f"{words} is for {', '.join(roles)}; this token is {caller.role}")


async def _check_enabled(asked: ApiRequest) -> None:
    account = await accounts.find(asked.service.store, asked.account_id)
    if account is None or not account["orders_enabled"]:
        raise Problem(
            "registry_disabled",
            'an admin of the account turns it on: PATCH /v1/account {"orders_enabled": true}',
        )


_running: dict[tuple[str, str], asyncio.Lock] = {}


async def _once(asked: ApiRequest, key: str, handler: Handler) -> Response:
    """Return the stored response if the idempotency key was used before, else run the handler once and store it."""
    if len(key) > 255:
        raise invalid("Idempotency-Key", "is longer than 255 characters")
    raw = await asked.read()
    account_id, store, vault = asked.account_id, asked.service.store, asked.service.vault
    digest = hashlib.sha256(f"{asked.request.method} {asked.request.url.path}\n".encode() + raw).hexdigest()
    lock = _running.setdefault((account_id, key), asyncio.Lock())
    try:
        async with lock:
            kept = await idempotency.begin(store, account_id, key, digest)
            if kept is not None:
                if kept["request"] != digest:
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
                response = await handler(asked)
            except BaseException:
                await idempotency.forget(store, account_id, key)
                raise
            if isinstance(response, StreamingResponse):  # too much to keep, and it does no harm a second time
                await idempotency.forget(store, account_id, key)
                return response
            sealed = vault.seal(json.dumps([response.status_code, bytes(response.body).decode()]))
            await idempotency.keep(store, account_id, key, sealed)
            return response
    finally:
        if not lock.locked():
            _running.pop((account_id, key), None)
