"""Sources: add, list, change and delete them, rotate and revoke their secrets."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationError
from starlette.responses import Response
from starlette.routing import Route

import adapters
from adapters.contract import Adapter
from app.base import clock
from app.base.clock import iso
from app.base.roles import Permission
from app.base.vault import checked_secret, made_secret, pasted, warnings_of
from app.db.statements import Row
from app.ingest.source_api import THE_KEY
from app.ingest.source_cache import Source, options_of
from app.store import fetches, rejections, sources
from app.web.http import serializers
from app.web.http.errors import ProblemGroup, from_validation, invalid, not_found
from app.web.http.request import ApiRequest, Body, Page, PatchBody, after, answer, null_only_for, page_of
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.sources import SecretMadeResponse, SourceMadeResponse, SourceResponse, SourceWhole

MAX_OVERLAP = 30 * 86400

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=8192)]


def _an_adapter(name: str) -> str:
    if name not in adapters.names():
        raise ValueError(f"is not one of {', '.join(adapters.names())}")
    return name


class SourceMade(Body):
    """A new source."""

    most_bytes = 512 * 1024  # its options may hold 40 expressions, and tables of a shop's words
    adapter: Annotated[str, AfterValidator(_an_adapter)] = Field(
        json_schema_extra=lambda schema: schema.update(enum=list(adapters.names()))
    )
    name: Name | None = None
    secret: Secret | None = None
    key: Secret | None = None
    unknown_contacts: Literal["create", "hold"] = "create"
    options: dict[str, Any] = {}


class SourceChange(PatchBody):
    """What can be changed. Fields that are not given stay as they are."""

    most_bytes = SourceMade.most_bytes
    model_config = ConfigDict(json_schema_extra=null_only_for())

    name: Name | None = None
    enabled: bool | None = None
    unknown_contacts: Literal["create", "hold"] | None = None
    key: Secret | None = None
    options: dict[str, Any] | None = None


class SecretMade(Body):
    """A new secret. The old ones stay valid for `overlap` (`24h`; `0s`: not at all)."""

    secret: Secret | None = None
    overlap: str = Field("24h", json_schema_extra={"pattern": r"^\d{1,6}[smhdw]$"})


def _checked_options(adapter: Adapter[Any], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return adapter.options.model_validate(given).model_dump(mode="json", exclude_unset=True)
    except ValidationError as fault:
        raise from_validation(fault, within="options.") from None


def _secret(adapter: Adapter[Any], options: Any, given: str | None) -> tuple[str, list[str]]:
    """Return the secret and what is to be said of it. Raises Problem."""
    if given is not None:
        bare, words = pasted(given)
        try:
            secret = checked_secret(adapter, options, bare)
            return secret, words + warnings_of(adapter, options, secret)
        except ValueError as fault:
            raise invalid("secret", str(fault)) from None
    if adapter.secret_made_by == "theirs":  # noqa: S105 - says who makes it; it is none
        raise invalid(
            "secret", f"is shown by {adapter.title}; give it here (see `orders-registry adapters {adapter.name}`)"
        )
    return made_secret(adapter), []


def _fetching(adapter: Adapter[Any]) -> None:
    """Raise Problem if the adapter has no use for a key."""
    if adapter.api is None:
        raise invalid("key", f"{adapter.title} sends whole orders; nothing is fetched, so no key is needed")


async def _serialize(asked: ApiRequest, rows: list[Row]) -> list[SourceResponse]:
    store, ids = asked.service.store, [row["id"] for row in rows]
    secrets = await sources.secrets_of(store, asked.account_id, ids)
    seen = await sources.last_seen(store, asked.account_id, ids)
    shown: list[SourceResponse] = []
    for row in rows:
        adapter = adapters.load(row["adapter"])
        scheme = adapter.scheme(options_of(adapter, row["options"]))
        shown.append(
            {
                "id": row["id"],
                "adapter": row["adapter"],
                "name": row["name"],
                "origin": adapter.origin,
                "enabled": row["enabled"],
                "unknown_contacts": row["unknown_contacts"],
                "options": row["options"],
                "has_key": row["key"] is not None,
                "strength": str(scheme.strength),
                "webhook_url": asked.service.source_cache.webhook_url(row["id"]),
                "secrets": [serializers.secret(one) for one in secrets if one["source_id"] == row["id"]],
                "last_delivery_at": iso(seen.get(row["id"])),
                "created_at": iso(row["created_at"]),
            }
        )
    return shown


async def _row(asked: ApiRequest) -> Row:
    row = await sources.find(asked.service.store, asked.account_id, asked.path("source"))
    if row is None:
        raise not_found("source")
    return row


async def source_of(asked: ApiRequest) -> Source:
    """Return the source as intake knows it, straight from the store."""
    await _row(asked)
    source = await asked.service.source_cache.fresh(asked.path("source"))
    if source is None:
        raise not_found("source")
    return source


async def make(asked: ApiRequest) -> Response:
    """Add a source. The secret is in the answer only if it was generated, and only once."""
    given = await asked.body(SourceMade)
    adapter = adapters.load(given.adapter)
    # A platform that makes the secret itself often shows it only once it knows the URL, which this source gives.
    theirs = adapter.secret_made_by == "theirs" and given.secret is None  # noqa: S105 - says who makes it; it is none
    options: dict[str, Any] = {}
    secret, wrong = None, ProblemGroup()
    words: list[str] = []
    with wrong.collect():
        options = _checked_options(adapter, given.options)
        if not theirs:
            with wrong.collect():  # only with good options: they may say how it signs
                secret, words = _secret(adapter, options_of(adapter, options), given.secret)
    if given.key:
        with wrong.collect():
            _fetching(adapter)
    wrong.raise_all()
    seal = asked.service.vault.seal
    source_id = await sources.add(
        asked.service.store,
        asked.account_id,
        adapter=adapter.name,
        name=given.name or adapter.title,
        unknown_contacts=given.unknown_contacts,
        options=options,
        sealed_key=seal(given.key) if given.key else None,
        sealed_secret=seal(secret) if secret else None,
    )
    asked.service.source_cache.forget_source(source_id)
    row = await sources.find(asked.service.store, asked.account_id, source_id)
    asked.service.metrics.source_added(asked.account_id, source_id, row["created_at"] if row else clock.now())
    (known,) = await _serialize(asked, [row] if row else [])
    shown: SourceMadeResponse = {
        **known,
        "source_id": source_id,
        "secret": secret if given.secret is None else None,
        "warnings": words,
    }
    if secret is None:
        shown["warnings"] = [
            f"there is no secret yet, so every delivery is refused; give it the one that {adapter.title} shows: "
            f"orders-registry source rotate {source_id} --secret '…'"
        ]
    if adapter.api is not None and adapter.brings == "orders" and not given.key:
        shown["warnings"].append(
            f"there is no key yet, so {'buyers cannot' if adapter.fetch_adds else 'no order can'} be read; give it {adapter.api.key_description}: "
            f"orders-registry source rotate {source_id} --key '…'"
        )
    return answer(shown, 201)


async def index(asked: ApiRequest) -> Response:
    """List the account's sources."""
    query = asked.query(Page)
    rows = await sources.page(
        asked.service.store, asked.account_id, after=after(query.cursor, str) or "", limit=query.limit + 1
    )
    shown = {one["id"]: one for one in await _serialize(asked, rows)}
    return answer(page_of(rows, query.limit, lambda row: shown[row["id"]], lambda row: row["id"]))


async def show(asked: ApiRequest) -> Response:
    """Show one source, with its rejected deliveries."""
    row = await _row(asked)
    await asked.service.refused.flush()
    (known,) = await _serialize(asked, [row])
    shown: SourceWhole = {
        **known,
        "refused": [
            {
                "outcome": one["outcome"],
                "reason": one["reason"],
                "count": one["count"],
                "first_at": iso(one["first_at"]),
                "last_at": iso(one["last_at"]),
                "samples": [{"at": iso(sample["at"]), "headers": sample["headers"]} for sample in one["samples"]],
            }
            for one in await rejections.of_source(asked.service.store, asked.account_id, row["id"])
        ],
    }
    return answer(shown)


async def change(asked: ApiRequest) -> Response:
    """Change a source. Fields that are not given stay as they are."""
    row = await _row(asked)
    given = await asked.body(SourceChange)
    changes: dict[str, Any] = given.model_dump(exclude_unset=True)
    if "options" in changes:
        changes["options"] = _checked_options(adapters.load(row["adapter"]), changes["options"])
    if "key" in changes:
        _fetching(adapters.load(row["adapter"]))
        changes["key"] = asked.service.vault.seal(changes["key"])
    store = asked.service.store
    await sources.change(store, asked.account_id, row["id"], changes)
    asked.service.source_cache.forget_source(row["id"])
    if "key" in changes:  # what the old key was refused for is asked again
        await fetches.new_key(store, asked.account_id, row["id"], clock.now(), THE_KEY)
        asked.service.group_commit.to_fetch.set()
    return await show(asked)


async def delete(asked: ApiRequest) -> Response:
    """Delete a source. Its deliveries and orders stay."""
    row = await _row(asked)
    await sources.change(asked.service.store, asked.account_id, row["id"], {"deleted_at": clock.now()})
    asked.service.source_cache.forget_source(row["id"])
    return Response(status_code=204)


async def rotate(asked: ApiRequest) -> Response:
    """Add a new secret. The old ones stay valid during the overlap."""
    row = await _row(asked)
    given = await asked.body(SecretMade)
    overlap = overlap_of(given.overlap)
    adapter = adapters.load(row["adapter"])
    secret, words = _secret(adapter, options_of(adapter, row["options"]), given.secret)
    ends = clock.now() + overlap * 1_000_000
    secret_id = await sources.add_secret(
        asked.service.store, asked.account_id, row["id"], asked.service.vault.seal(secret), older_end=ends
    )
    asked.service.source_cache.forget_source(row["id"])
    shown: SecretMadeResponse = {
        "id": secret_id,
        "secret": secret if given.secret is None else None,
        "older_secrets_end_at": iso(ends),
        "warnings": words,
    }
    return answer(shown, 201)


def overlap_of(text: str) -> int:
    """Return how many seconds old secrets stay valid. Raises Problem."""
    try:
        overlap = clock.span(text)
    except ValueError as fault:
        raise invalid("overlap", str(fault)) from None
    if overlap > MAX_OVERLAP:
        raise invalid("overlap", "is longer than 30 days")
    return overlap


async def revoke(asked: ApiRequest) -> Response:
    """Revoke a secret at once."""
    row = await _row(asked)
    if not await sources.revoke_secret(asked.service.store, asked.account_id, row["id"], asked.path("secret")):
        raise not_found("secret")
    asked.service.source_cache.forget_source(row["id"])
    return Response(status_code=204)


_ID = "/v1/sources/{source}"
ROUTES: list[Route] = [
    route("POST", "/v1/sources", make, Permission.SOURCES, takes=SourceMade, gives=SourceMadeResponse, status=201),
    route("GET", "/v1/sources", index, Permission.SOURCES, query=Page, gives=Listed[SourceResponse]),
    route("GET", _ID, show, Permission.SOURCES, gives=SourceWhole),
    route("PATCH", _ID, change, Permission.SOURCES, takes=SourceChange, gives=SourceWhole),
    route("DELETE", _ID, delete, Permission.SOURCES, status=204),
    route("POST", f"{_ID}/secrets", rotate, Permission.SOURCES, takes=SecretMade, gives=SecretMadeResponse, status=201),
    route("DELETE", f"{_ID}/secrets/{{secret}}", revoke, Permission.SOURCES, status=204),
]
