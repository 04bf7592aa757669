"""Sources: add, list, change and delete them, rotate and revoke their secrets."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

import adapters
from adapters.contract import Adapter
from app.base.clock import iso, now, span
from app.base.roles import Permission
from app.base.vault import checked_secret, made_secret, pasted, warnings_of
from app.db.statements import Row
from app.ingest.source_api import THE_KEY
from app.ingest.source_cache import Source, options_of
from app.store import fetches, rejections, sources
from app.web.http import serializers
from app.web.http.errors import ProblemGroup, existing, from_validation, invalid, not_found
from app.web.http.request import ApiRequest, Body, Name, Page, PatchBody, page_of
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.sources import SecretMadeResponse, SourceMadeResponse, SourceResponse, SourceWhole

MAX_OVERLAP = 30 * 86400

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
    store, ids = asked.store, [row["id"] for row in rows]
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


async def source_of(asked: ApiRequest, source_id: str) -> Source:
    """Return the account's source as intake knows it, straight from the store. Raises Problem."""
    source = await asked.service.source_cache.fresh(source_id)
    return existing(source if source and source.account_id == asked.account_id else None, "source")


async def make(asked: ApiRequest) -> SourceMadeResponse:
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
        asked.store,
        asked.account_id,
        adapter=adapter.name,
        name=given.name or adapter.title,
        unknown_contacts=given.unknown_contacts,
        options=options,
        sealed_key=seal(given.key) if given.key else None,
        sealed_secret=seal(secret) if secret else None,
    )
    asked.service.source_cache.forget_source(source_id)
    row = existing(await sources.find(asked.store, asked.account_id, source_id), "source")
    asked.service.metrics.source_added(asked.account_id, source_id, row["created_at"])
    (known,) = await _serialize(asked, [row])
    if secret is None:
        words = [
            f"there is no secret yet, so every delivery is refused; give it the one that {adapter.title} shows: "
            f"orders-registry source rotate {source_id} --secret '…'"
        ]
    if adapter.api is not None and adapter.brings == "orders" and not given.key:
        words.append(
            f"there is no key yet, so {'buyers cannot' if adapter.fetch_adds else 'no order can'} be read; give it {adapter.api.key_description}: "
            f"orders-registry source rotate {source_id} --key '…'"
        )
    return {
        **known,
        "source_id": source_id,
        "secret": secret if given.secret is None else None,
        "warnings": words,
    }


async def index(asked: ApiRequest) -> dict[str, Any]:
    """List the account's sources."""
    query = asked.query(Page)
    rows = await sources.page(asked.store, asked.account_id, after=query.last_id or "", limit=query.limit + 1)
    return page_of(await _serialize(asked, rows), query.limit)


async def show(asked: ApiRequest) -> SourceWhole:
    """Show one source, with its rejected deliveries."""
    row = await asked.named(sources.find, "source")
    await asked.service.refused.flush()
    (known,) = await _serialize(asked, [row])
    return {
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
            for one in await rejections.of_source(asked.store, asked.account_id, row["id"])
        ],
    }


async def change(asked: ApiRequest) -> SourceWhole:
    """Change a source. Fields that are not given stay as they are."""
    row = await asked.named(sources.find, "source")
    given = await asked.body(SourceChange)
    changes: dict[str, Any] = given.model_dump(exclude_unset=True)
    if "options" in changes:
        changes["options"] = _checked_options(adapters.load(row["adapter"]), changes["options"])
    if "key" in changes:
        _fetching(adapters.load(row["adapter"]))
        changes["key"] = asked.service.vault.seal(changes["key"])
    await sources.change(asked.store, asked.account_id, row["id"], changes)
    asked.service.source_cache.forget_source(row["id"])
    if "key" in changes:  # what the old key was refused for is asked again
        await fetches.new_key(asked.store, asked.account_id, row["id"], now(), THE_KEY)
        asked.service.group_commit.to_fetch.set()
    return await show(asked)


async def delete(asked: ApiRequest) -> None:
    """Delete a source. Its deliveries and orders stay."""
    row = await asked.named(sources.find, "source")
    await sources.change(asked.store, asked.account_id, row["id"], {"deleted_at": now()})
    asked.service.source_cache.forget_source(row["id"])


async def rotate(asked: ApiRequest) -> SecretMadeResponse:
    """Add a new secret. The old ones stay valid during the overlap."""
    row = await asked.named(sources.find, "source")
    given = await asked.body(SecretMade)
    ends = overlap_end(given.overlap)
    adapter = adapters.load(row["adapter"])
    secret, words = _secret(adapter, options_of(adapter, row["options"]), given.secret)
    secret_id = await sources.add_secret(
        asked.store, asked.account_id, row["id"], asked.service.vault.seal(secret), older_end=ends
    )
    asked.service.source_cache.forget_source(row["id"])
    return {
        "id": secret_id,
        "secret": secret if given.secret is None else None,
        "older_secrets_end_at": iso(ends),
        "warnings": words,
    }


def overlap_end(text: str) -> int:
    """Return until when old secrets stay valid, in microseconds since 1970. Raises Problem."""
    try:
        overlap = span(text)
    except ValueError as fault:
        raise invalid("overlap", str(fault)) from None
    if overlap > MAX_OVERLAP:
        raise invalid("overlap", "is longer than 30 days")
    return now() + overlap * 1_000_000


async def revoke(asked: ApiRequest) -> None:
    """Revoke a secret at once."""
    row = await asked.named(sources.find, "source")
    if not await sources.revoke_secret(asked.store, asked.account_id, row["id"], asked.path("secret")):
        raise not_found("secret")
    asked.service.source_cache.forget_source(row["id"])


_ID = "/v1/sources/{source}"
ROUTES = [
    route("POST", "/v1/sources", make, Permission.SOURCES, takes=SourceMade, gives=SourceMadeResponse, status=201),
    route("GET", "/v1/sources", index, Permission.SOURCES, query=Page, gives=Listed[SourceResponse]),
    route("GET", _ID, show, Permission.SOURCES, gives=SourceWhole),
    route("PATCH", _ID, change, Permission.SOURCES, takes=SourceChange, gives=SourceWhole),
    route("DELETE", _ID, delete, Permission.SOURCES, status=204),
    route("POST", f"{_ID}/secrets", rotate, Permission.SOURCES, takes=SecretMade, gives=SecretMadeResponse, status=201),
    route("DELETE", f"{_ID}/secrets/{{secret}}", revoke, Permission.SOURCES, status=204),
]
