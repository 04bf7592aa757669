"""Requests of the API: validated bodies and queries, pages, answers."""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function
from starlette.requests import Request
from starlette.responses import Response

from adapters.contract import Unreadable, json_body
from app.base.clock import zone_named
from app.db.engine import Store
from app.db.statements import Row
from app.service import Service
from app.store import accounts
from app.web.http.authentication import Caller
from app.web.http.errors import FoundT, Problem, existing, from_validation, invalid

MAX_REQUEST_BYTES = 4 * 1024 * 1024
MOST_PARAMETERS = 100  # of a query
_NOT_A_TEXT = re.compile("[\0\ud800-\udfff]")


# Texts of bodies and queries: an id of ours, a name, and a word that another system may have given.
Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Body(BaseModel):
    """Is the base of request bodies. Unknown fields are errors, so that a misspelt one is noticed.

    `most_bytes` is what the largest request may have: somewhat more than all fields together can hold.
    """

    most_bytes: ClassVar[int] = 64 * 1024

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)


class PatchBody(Body):
    """Is the base of changes.

    Absent fields stay as they are; null empties those in `may_be_empty`, else it is an error. pydantic cannot say "may be
    absent": the default None would appear in the document as a null, and is taken out of it.
    """

    may_be_empty: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*")
    @classmethod
    def _not_null(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.field_name not in cls.may_be_empty:
            raise ValueError("cannot be null; leave it out to leave it alone")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        schema["minProperties"] = 1
        for name, field in schema["properties"].items():
            field.pop("default", None)
            if name not in cls.may_be_empty and "anyOf" in field:
                (kind,) = (one for one in field.pop("anyOf") if one != {"type": "null"})
                field.update(kind)
        return schema


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
    """Is the base of query strings. Unknown parameters are errors; those that a model names as `several` may be repeated."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)


class Page(Query):
    """Is the base of a list's query."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500)

    @property
    def last_id(self) -> str | None:
        """Return the id that the page before ended with; None for the first page. Raises Problem."""
        last: str | None = after(self.cursor, str)
        return last


BodyT = TypeVar("BodyT", bound=Body)
QueryT = TypeVar("QueryT", bound=Query)


@dataclass(slots=True)
class ApiRequest:
    """Holds one request with its caller."""

    request: Request
    service: Service
    caller: Caller
    most_bytes: int = MAX_REQUEST_BYTES
    _raw: bytes | None = None
    _account: Row | None = None

    @property
    def store(self) -> Store:
        """Return the database."""
        return self.service.store

    async def read(self) -> bytes:
        """Return the request's body, read once. Raises Problem when it is too large."""
        if self._raw is None:
            chunks = bytearray()
            async for chunk in self.request.stream():
                chunks += chunk
                if len(chunks) > self.most_bytes:
                    raise Problem(
                        "too_large", f"this request may have {self.most_bytes} bytes", headers={"Connection": "close"}
                    )
            self._raw = bytes(chunks)
        return self._raw

    @property
    def account_id(self) -> str:
        """Return the account concerned. Raises Problem when an operator named none."""
        if not self.caller.account_id:
            raise Problem("invalid", "name an account: --account, or the header Orders-Account")
        return self.caller.account_id

    async def account(self) -> Row:
        """Return the account's row, read once. Raises Problem when there is none."""
        if self._account is None:
            self._account = existing(await accounts.find(self.store, self.account_id), "account")
        return self._account

    async def zone(self) -> tzinfo:
        """Return the account's time zone: of its months and days, and of times that name none. Raises Problem."""
        return zone_named((await self.account())["timezone"])

    async def named(self, find: Callable[[Store, str, str], Awaitable[FoundT | None]], name: str) -> FoundT:
        """Return what this part of the path is the id of, as `find` finds it. Raises Problem."""
        return existing(await find(self.store, self.account_id, self.path(name)), name)

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
        return await self.service.offload.run(len(raw), lambda: _read(raw, model, known))

    def query(self, model: type[QueryT]) -> QueryT:
        """Return the validated query. Raises Problem, naming every wrong field."""
        given = self.request.query_params.multi_items()
        if len(given) > MOST_PARAMETERS:
            raise invalid("query", f"holds more than {MOST_PARAMETERS} parameters")
        several = getattr(model, "several", ())
        values: dict[str, Any] = {}
        for name, value in given:
            if "\0" in value:
                raise invalid(name, "holds a NUL")
            if name in several:
                values.setdefault(name, []).append(value)
            elif name in values:
                raise invalid(name, "is given more than once")
            else:
                values[name] = value
        try:
            return model.model_validate(values)
        except ValidationError as fault:
            raise from_validation(fault) from None


def _read(raw: bytes, model: type[BodyT], known: dict[str, Any]) -> BodyT:
    """Return the validated body. Raises Problem."""
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


def _plain(value: Any) -> Any:
    """Return the document without NUL, which PostgreSQL's text cannot hold. Raises Problem."""
    if isinstance(value, str):
        if _NOT_A_TEXT.search(value):
            raise Problem("invalid", "the body holds a NUL or half a character (a lone surrogate)")
        return value
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def as_json(value: Any) -> bytes:
    """Return a value as JSON, compact and in UTF-8; half a character becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(as_json(content), status, media_type="application/json")


def listed(data: Sequence[Any], following: Any = None) -> dict[str, Any]:
    """Return a list's response. `following` is the key that the next page begins after; None: this is the last one."""
    return {"data": data, "next_cursor": None if following is None else cursor(following)}


def page_of(shown: Sequence[Any], limit: int, keys: Sequence[Any] | None = None) -> dict[str, Any]:
    """Return a list's response. `shown` has one more than `limit` if there is a next page.

    `keys` are what pages go by, one for each that is shown; without them pages go by ids.
    """
    if len(shown) <= limit:
        return listed(shown)
    return listed(shown[:limit], keys[limit - 1] if keys else shown[limit - 1]["id"])


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
