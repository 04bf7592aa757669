"""Sources over HTTP: registered, listed, switched, their secrets rotated and revoked; and tried before they go live."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import StringConstraints, ValidationError
from starlette.responses import Response
from starlette.routing import Route

import adapters
from adapters.contract import Adapter, Delivery, Unverified
from app import moments, samples
from app.directory import Source, options_of
from app.moments import iso
from app.roles import Permission
from app.secrets import checked_secret, made_secret
from app.store import refusals, sources
from app.store.statements import Row
from app.trial import attempt, examine
from app.web import shapes
from app.web.problems import Problem, from_validation, invalid, not_found
from app.web.requests import Asked, Body, Page, Query, after, answer, page_of, route

MAX_OVERLAP = 30 * 86400

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=8192)]


class SourceMade(Body):
    """A new source."""

    adapter: str
    name: Name | None = None
    secret: Secret | None = None
    key: Secret | None = None
    unknown_contacts: Literal["create", "hold"] = "create"
    options: dict[str, Any] = {}


class SourceChange(Body):
    """What may be changed; what is not mentioned is left alone."""

    name: Name | None = None
    enabled: bool | None = None
    unknown_contacts: Literal["create", "hold"] | None = None
    key: Secret | None = None
    options: dict[str, Any] | None = None


class SecretMade(Body):
    """A newer secret. The older ones count for `overlap` more (`24h`; `0s`: not at all)."""

    secret: Secret | None = None
    overlap: str = "24h"


class Tried(Body):
    """A delivery as somebody has it at hand."""

    headers: dict[str, str] = {}
    body: str
    query: dict[str, str] = {}
    body_encoding: Literal["text", "base64"] = "text"


class Tested(Body):
    """Which sample to send."""

    kind: Annotated[str, StringConstraints(max_length=200)] | None = None


def adapter_of(name: str) -> Adapter[Any]:
    """The adapter. Raises Problem."""
    try:
        return adapters.load(name)
    except KeyError:
        raise invalid("adapter", f"is not one of {', '.join(adapters.names())}") from None


def _checked_options(adapter: Adapter[Any], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return adapter.options.model_validate(given).model_dump(mode="json", exclude_unset=True)
    except ValidationError as fault:
        problem = from_validation(fault)
        for error in problem.errors or []:
            error["field"] = f"options.{error['field']}"
        raise problem from None


def _secret(adapter: Adapter[Any], options: Any, given: str | None) -> str:
    if given is not None:
        try:
            return checked_secret(adapter, options, given)
        except ValueError as fault:
            raise invalid("secret", str(fault)) from None
    if adapter.secret_made_by == "theirs":  # noqa: S105 - says who makes it; it is none
        raise invalid(
            "secret", f"is shown by {adapter.title}; give it here (see `orders-registry adapters {adapter.name}`)"
        )
    return made_secret(adapter)


async def _shown(asked: Asked, rows: list[Row]) -> list[dict[str, Any]]:
    store, ids = asked.registry.store, [row["id"] for row in rows]
    secrets = await sources.secrets_of(store, asked.account_id, ids)
    seen = await sources.last_seen(store, asked.account_id, ids)
    shown = []
    for row in rows:
        adapter = adapters.load(row["adapter"])
        scheme = adapter.scheme(options_of(adapter, row["options"]) if row["options"] else adapter.options())
        shown.append({
            "id": row["id"],
            "adapter": row["adapter"],
            "name": row["name"],
            "origin": str(adapter.origin),
            "enabled": row["enabled"],
            "unknown_contacts": row["unknown_contacts"],
            "options": row["options"],
            "has_key": row["key"] is not None,
            "strength": str(scheme.strength),
            "webhook_url": asked.registry.directory.webhook_url(row["id"]),
            "secrets": [
                {"id": one["id"], **{name: iso(one[name]) for name in ("created_at", "expires_at", "revoked_at")}}
                for one in secrets
                if one["source_id"] == row["id"]
            ],
            "last_delivery_at": iso(seen.get(row["id"])),
            "created_at": iso(row["created_at"]),
        })  # fmt: skip
    return shown


async def _row(asked: Asked) -> Row:
    row = await sources.find(asked.registry.store, asked.account_id, asked.path("source"))
    if row is None:
        raise not_found("source")
    return row


async def _source(asked: Asked) -> Source:
    """The source as the door knows it, straight from the store."""
    await _row(asked)
    asked.registry.directory.forget()
    source = await asked.registry.directory.source(asked.path("source"))
    if source is None:
        raise not_found("source")
    return source


async def make(asked: Asked) -> Response:
    """A new source. The secret is in the answer only when we made it, and only this once."""
    given = await asked.body(SourceMade)
    adapter = adapter_of(given.adapter)
    options = _checked_options(adapter, given.options)
    secret = _secret(adapter, adapter.options.model_validate(given.options), given.secret)
    if given.key and adapter.api is None:
        raise invalid("key", f"{adapter.title} sends whole orders; nothing is fetched, so no key is needed")
    seal = asked.registry.vault.seal
    source_id = await sources.add(
        asked.registry.store,
        asked.account_id,
        adapter=adapter.name,
        name=given.name or adapter.title,
        unknown_contacts=given.unknown_contacts,
        options=options,
        sealed_key=seal(given.key) if given.key else None,
        sealed_secret=seal(secret),
    )
    asked.registry.directory.forget()
    row = await sources.find(asked.registry.store, asked.account_id, source_id)
    (shown,) = await _shown(asked, [row] if row else [])
    shown["source_id"] = source_id
    shown["secret"] = secret if given.secret is None else None
    shown["warnings"] = ["the secret has fewer than 16 characters"] if len(secret) < 16 else []
    return answer(shown, 201)


async def index(asked: Asked) -> Response:
    """The account's sources."""
    query = asked.query(Page)
    rows = await sources.page(
        asked.registry.store, asked.account_id, after=after(query.cursor, str) or "", limit=query.limit + 1
    )
    shown = {one["id"]: one for one in await _shown(asked, rows)}
    return answer(page_of(rows, query.limit, lambda row: shown[row["id"]], lambda row: row["id"]))


async def show(asked: Asked) -> Response:
    """One source, with what was refused at its door."""
    row = await _row(asked)
    await asked.registry.refused.flush()
    (shown,) = await _shown(asked, [row])
    shown["refused"] = [
        {
            "outcome": one["outcome"], "reason": one["reason"], "count": one["count"],
            "first_at": iso(one["first_at"]), "last_at": iso(one["last_at"]),
            "samples": [sample | {"at": iso(sample["at"])} for sample in one["samples"]],
        }
        for one in await refusals.of_sources(asked.registry.store, asked.account_id, row["id"])
    ]  # fmt: skip
    return answer(shown)


async def change(asked: Asked) -> Response:
    """Sets what is mentioned."""
    row = await _row(asked)
    given = await asked.body(SourceChange)
    changes: dict[str, Any] = {}
    for name, value in given.model_dump(exclude_unset=True).items():
        if value is None:
            raise invalid(name, "cannot be null; leave it out to leave it alone")
        changes[name] = value
    if "options" in changes:
        changes["options"] = _checked_options(adapter_of(row["adapter"]), changes["options"])
    if "key" in changes:
        changes["key"] = asked.registry.vault.seal(changes["key"])
    await sources.change(asked.registry.store, asked.account_id, row["id"], changes)
    asked.registry.directory.forget()
    return await show(asked)


async def delete(asked: Asked) -> Response:
    """Takes the source away; its deliveries and orders stay."""
    row = await _row(asked)
    await sources.change(asked.registry.store, asked.account_id, row["id"], {"deleted_at": moments.now()})
    asked.registry.directory.forget()
    return Response(status_code=204)


async def rotate(asked: Asked) -> Response:
    """A newer secret; the older ones count on during the overlap."""
    row = await _row(asked)
    given = await asked.body(SecretMade)
    try:
        overlap = moments.span(given.overlap)
    except ValueError as fault:
        raise invalid("overlap", str(fault)) from None
    if overlap > MAX_OVERLAP:
        raise invalid("overlap", "is longer than 30 days")
    adapter = adapter_of(row["adapter"])
    secret = _secret(adapter, options_of(adapter, row["options"]), given.secret)
    secret_id = await sources.add_secret(
        asked.registry.store, asked.account_id, row["id"], asked.registry.vault.seal(secret), overlap=overlap
    )
    asked.registry.directory.forget()
    ends = iso(moments.now() + overlap * 1_000_000)
    return answer(
        {"id": secret_id, "secret": secret if given.secret is None else None, "older_secrets_end_at": ends}, 201
    )


async def revoke(asked: Asked) -> Response:
    """Revokes a secret at once."""
    row = await _row(asked)
    if not await sources.revoke_secret(asked.registry.store, asked.account_id, row["id"], asked.path("secret")):
        raise not_found("secret")
    asked.registry.directory.forget()
    return Response(status_code=204)


def _given_delivery(given: Tried, source: Source) -> Delivery:
    """The delivery that a request holds. Raises Problem."""
    body = given.body.encode()
    if given.body_encoding == "base64":
        try:
            body = base64.b64decode(given.body, validate=True)
        except (binascii.Error, ValueError):
            raise invalid("body", "is not base64") from None
    return Delivery(
        body=body,
        headers={name.lower(): value for name, value in given.headers.items()},
        query=given.query,
        received_at=moments.moment(moments.now()),
        url=source.url,
    )


async def try_out(asked: Asked) -> Response:
    """What would this delivery become? Stores nothing."""
    source = await _source(asked)
    tried = attempt(source, _given_delivery(await asked.body(Tried), source))
    tried["orders"] = [_tried_order(one) for one in tried["orders"]]
    return answer(tried)


async def verify(asked: Asked) -> Response:
    """Which part of a signature differs, and why."""
    source = await _source(asked)
    delivery = _given_delivery(await asked.body(Tried), source)
    present = moments.now()
    secrets = [
        (secret_id, secret)
        for secret_id, (secret, ends) in zip(source.secret_ids, source.secrets, strict=True)
        if ends is None or ends > present
    ]
    return answer(examine(source, delivery, secrets))


def _tried_order(one: dict[str, Any]) -> dict[str, Any]:
    currency = one["currency"]
    return one | {
        "value": shapes.money(one["value"], currency),
        "refunded_value": shapes.money(one["refunded_value"], currency),
        "ordered_at": iso(one["ordered_at"]),
        "paid_at": iso(one["paid_at"]),
        "items": [shapes.item(line) for line in one["items"]],
        "identities": [shapes.identity(*identity) for identity in one["identities"]],
    }


async def test(asked: Asked) -> Response:
    """Signs a sample and sends it through the front door."""
    source = await _source(asked)
    given = await asked.body(Tested)
    delivery = signed_sample(source, given.kind)
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in delivery.headers.items()]
    admitted = await asked.registry.intake.admit(source.id)
    if not isinstance(admitted, Source):
        raise Problem(
            "registry_disabled", "the source or the account's registry is off, so its door refuses deliveries"
        )
    result = await asked.registry.intake.receive(admitted, raw, samples.query_string(delivery), delivery.body)
    return answer({"delivery_id": result.delivery_id, "outcome": str(result.outcome), "orders": list(result.orders)})


def signed_sample(source: Source, kind: str | None) -> Delivery:
    """A sample of the adapter's, as the source would send it now. Raises Problem."""
    try:
        delivery = samples.delivery(source.adapter.name, kind, now=moments.moment(moments.now()), url=source.url)
    except LookupError as fault:
        raise invalid("kind", str(fault)) from None
    secrets = source.usable_secrets(moments.now())
    if not secrets:
        raise Problem("conflict", "the source has no secret that counts now; rotate to get one")
    try:
        return source.adapter.scheme(source.options).sign(delivery, secrets[0], delivery.received_at)
    except Unverified:
        raise Problem("conflict", "the source's secret does not have the shape that its signature needs") from None


async def sign(asked: Asked) -> Response:
    """A signed sample, for `send`: the operator posts it to the address."""
    source = await _source(asked)
    given = await asked.body(Signed)
    if given.body is not None:
        delivery = Delivery(
            body=base64.b64decode(given.body),
            headers=given.headers,
            received_at=moments.moment(moments.now()),
            url=source.url,
        )
        scheme = source.adapter.scheme(source.options)
        delivery = scheme.sign(delivery, source.usable_secrets(moments.now())[0], delivery.received_at)
    else:
        delivery = signed_sample(source, given.kind)
    return answer({
        "url": source.url,
        "headers": dict(delivery.headers),
        "query": dict(delivery.query),
        "body": base64.b64encode(delivery.body).decode(),
    })  # fmt: skip


class Signed(Body):
    """What to sign: a sample of this kind, or this body (base64) under these headers."""

    kind: Annotated[str, StringConstraints(max_length=200)] | None = None
    body: str | None = None
    headers: dict[str, str] = {}


async def list_adapters(asked: Asked) -> Response:
    """Every adapter: what it reads and how to set it up."""
    asked.query(Query)
    return answer({"data": [shape_adapter(adapters.load(name)) for name in adapters.names()], "next_cursor": None})


def shape_adapter(adapter: Adapter[Any]) -> dict[str, Any]:
    """An adapter's declarations."""
    scheme = getattr(adapter, "signature", None)
    return {
        "name": adapter.name,
        "title": adapter.title,
        "origin": str(adapter.origin),
        "signature": scheme.words if scheme else "as its options say",
        "strength": str(scheme.strength) if scheme else None,
        "kinds": sorted({*adapter.reads, *adapter.fetches}),
        "ignores": sorted(adapter.ignores),
        "statuses": {word: (str(status) if status else None) for word, status in adapter.statuses.items()},
        "topics": list(adapter.topics),
        "secret_made_by": adapter.secret_made_by,
        "key": adapter.api.key_words if adapter.api else None,
        "setup": list(adapter.setup),
        "links": {"signing": adapter.links.signing, "payload": adapter.links.payload},
        "options": adapter.options.model_json_schema().get("properties", {}),
    }


_ID = "/v1/sources/{source}"
ROUTES: list[Route] = [
    route("GET", "/v1/adapters", list_adapters, None, any_of=(Permission.SOURCES, Permission.LOG, Permission.READ)),
    route("POST", "/v1/sources", make, Permission.SOURCES),
    route("GET", "/v1/sources", index, None, any_of=(Permission.SOURCES, Permission.LOG)),
    route("GET", _ID, show, None, any_of=(Permission.SOURCES, Permission.LOG)),
    route("PATCH", _ID, change, Permission.SOURCES),
    route("DELETE", _ID, delete, Permission.SOURCES),
    route("POST", f"{_ID}/secrets", rotate, Permission.SOURCES),
    route("DELETE", f"{_ID}/secrets/{{secret}}", revoke, Permission.SOURCES),
    route("POST", f"{_ID}/test", test, Permission.SOURCES),
    route("POST", f"{_ID}/try", try_out, Permission.SOURCES),
    route("POST", "/operator/sources/{source}/verify", verify, Permission.SOURCES, operator=True),
    route("POST", "/operator/sources/{source}/sign", sign, Permission.SOURCES, operator=True),
]
