"""Tests of a source: preview a delivery, explain a signature, send a signed sample."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import StringConstraints
from typing_extensions import TypedDict

from adapters.contract import Delivery, Unverified
from app.base import clock, samples
from app.base.clock import iso
from app.base.outcome import Outcome
from app.base.roles import Permission
from app.base.vault import Sealed, Vault
from app.db.statements import Row
from app.ingest.group_commit import Busy
from app.ingest.preview import attempt, check_key
from app.ingest.signature_help import KnownSecret, examine
from app.ingest.source_cache import Source
from app.store import deliveries, sources
from app.web.api.sources import source_of
from app.web.http import serializers
from app.web.http.errors import Problem, invalid
from app.web.http.request import MAX_REQUEST_BYTES, ApiRequest, Body
from app.web.http.routing import route
from app.web.http.schemas.deliveries import TestedResponse, TriedResponse


class PreviewBody(Body):
    """A delivery to preview."""

    most_bytes = MAX_REQUEST_BYTES
    headers: dict[str, str] = {}
    body: str
    query: dict[str, str] = {}
    body_encoding: Literal["text", "base64"] = "text"


class SampleBody(Body):
    """Which sample to send."""

    kind: Annotated[str, StringConstraints(max_length=200)] | None = None


class SignBody(Body):
    """What to sign: a sample of this kind or name, or this body (base64) with additional headers."""

    most_bytes = MAX_REQUEST_BYTES
    kind: Annotated[str, StringConstraints(max_length=200)] | None = None
    case: Annotated[str, StringConstraints(max_length=200)] | None = None
    body: str | None = None
    headers: dict[str, str] = {}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("body", "is not base64") from None


def _given_delivery(given: PreviewBody, source: Source) -> Delivery:
    """Return the delivery in a request. Raises Problem."""
    body = given.body.encode()
    if given.body_encoding == "base64":
        body = _decoded(given.body)
    return Delivery(
        body=body,
        headers={name.lower(): value for name, value in given.headers.items()},
        query=given.query,
        received_at=clock.moment(clock.now()),
        url=source.url,
    )


async def preview(asked: ApiRequest) -> dict[str, Any]:
    """Show what a delivery would become. Nothing is stored."""
    source = await source_of(asked, asked.path("source"))
    delivery = _given_delivery(await asked.body(PreviewBody), source)
    tried = await asked.service.offload.run(
        len(delivery.body), lambda: attempt(source, delivery), inline=source.adapter.inline
    )
    return tried | {"orders": [_preview_order(one) for one in tried["orders"]]}


async def verify(asked: ApiRequest) -> dict[str, Any]:
    """Explain why a signature does not match."""
    source = await source_of(asked, asked.path("source"))
    delivery = _given_delivery(await asked.body(PreviewBody), source)
    rows = await sources.sealed_of(asked.store, asked.account_id)
    known = [one for row in rows if (one := _known(asked.service.vault, source, row)) is not None]
    return await asked.service.offload.run(len(delivery.body), lambda: examine(source, delivery, known))


def _known(vault: Vault, source: Source, row: Row) -> KnownSecret | None:
    """Return a secret of the account; None if it cannot be decrypted."""
    try:
        secret = vault.open(row["sealed"])
    except Sealed:
        return None
    because = ""
    if row["source_id"] != source.id:
        because = f"a secret of {row['source_id']} ({row['adapter']}, {row['name']})"
    elif row["revoked_at"] is not None:
        because = f"which was revoked at {iso(row['revoked_at'])}"
    elif row["expires_at"] is not None and row["expires_at"] <= clock.now():
        because = f"which ended at {iso(row['expires_at'])}"
    return KnownSecret(secret_id=row["id"], secret=secret, counts=not because, because=because)


def _preview_order(one: dict[str, Any]) -> dict[str, Any]:
    return {name: serializers.field(name, value, one["currency"]) for name, value in one.items()}


async def test(asked: ApiRequest) -> dict[str, Any]:
    """Sign a sample, post it to the webhook URL, and return the delivery it became: a test order, in no sum.

    It proves that this registry takes what is signed with the source's secret, and nothing about the shop's settings: no
    alert ends by it.
    """
    source = await source_of(asked, asked.path("source"))
    given = await asked.body(SampleBody)
    delivery = _signed_sample(source, given.kind)
    headers = {**delivery.headers, samples.MARK: _mark(asked, source, delivery)}
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    admitted = await asked.service.receiver.admit(source.id)
    if not isinstance(admitted, Source):
        raise Problem("registry_disabled", "the source or the account's registry is off, so deliveries are refused")
    result = await asked.service.receiver.receive(admitted, raw, samples.query_string(delivery), delivery.body)
    if result.outcome is Outcome.BUSY:
        raise Busy("the database cannot commit now; nothing of the test was kept")
    row = await deliveries.find(asked.store, asked.account_id, result.delivery_id or "")
    return {
        **(serializers.delivery(row) if row else {}),
        "delivery_id": result.delivery_id,
        "outcome": result.outcome,
        "orders": list(result.orders),
        "proves": samples.PROVES,
    }


def _mark(asked: ApiRequest, source: Source, delivery: Delivery) -> str:
    return samples.mark(asked.service.vault, source.id, delivery.body, clock.now())


def _signed_sample(source: Source, kind: str | None, case: str | None = None) -> Delivery:
    """Return a sample as the source would send it now. Raises Problem."""
    present = clock.moment(clock.now())
    try:
        return _proven(source, samples.delivery(source.adapter.name, kind, now=present, url=source.url, case=case))
    except LookupError as fault:
        raise invalid("case" if case else "kind", str(fault)) from None


def _proven(source: Source, delivery: Delivery) -> Delivery:
    """Return the delivery signed with the source's newest secret. Raises Problem."""
    scheme = source.adapter.scheme(source.options)
    secrets = source.usable_secrets(clock.now())
    if not secrets and scheme.can_sign:
        raise Problem("conflict", "the source has no secret that counts now; rotate to get one")
    if not secrets or not scheme.signs_with(secrets[0]):
        raise Problem("conflict", f"only {source.adapter.title} itself can sign for this source: the key is its own")
    try:
        return scheme.sign(delivery, secrets[0], delivery.received_at)
    except Unverified:
        raise Problem("conflict", "the source's secret does not have the shape that its signature needs") from None


async def sign(asked: ApiRequest) -> dict[str, Any]:
    """Return a signed sample or body for `send`, which posts it to the webhook URL with the mark of a sample."""
    source = await source_of(asked, asked.path("source"))
    given = await asked.body(SignBody)
    if given.body is None:
        delivery = _signed_sample(source, given.kind, given.case)
    else:
        present = clock.moment(clock.now())
        body = _decoded(given.body)
        unsigned = samples.around(body, source.adapter, given.kind, given.headers, now=present, url=source.url)
        delivery = _proven(source, unsigned)
    return {
        "url": source.url,
        "headers": dict(delivery.headers),
        "query": dict(delivery.query),
        "body": base64.b64encode(delivery.body).decode(),
        "mark": {samples.MARK: _mark(asked, source, delivery)},
        "proves": samples.PROVES,
    }


class KeyChecked(TypedDict):
    """Whether the source's API accepts the key. `accepted` is null if nobody can say; `words` says why."""

    needed: bool
    set: bool
    accepted: bool | None
    words: str


class SourceChecked(TypedDict):
    """The secrets that a source signs with, and the key for its API."""

    usable_secrets: int
    key: KeyChecked


async def check(asked: ApiRequest) -> SourceChecked:
    """Check how many secrets are valid, and whether the source's API accepts the key."""
    source, service = await source_of(asked, asked.path("source")), asked.service
    checked = await check_key(service.store, service.vault, service.retry, service.source_api, source)
    return {
        "usable_secrets": len(source.usable_secrets(clock.now())),
        "key": {
            "needed": bool(source.adapter.fetches),
            "set": source.sealed_key is not None,
            "accepted": checked.accepted,
            "words": checked.words,
        },
    }


_ID = "/v1/sources/{source}"
ROUTES = [
    route("POST", f"{_ID}/test", test, Permission.SOURCES, takes=SampleBody, gives=TestedResponse),
    route("POST", f"{_ID}/try", preview, Permission.SOURCES, takes=PreviewBody, gives=TriedResponse),
    route("POST", "/operator/sources/{source}/verify", verify, Permission.SOURCES, operator=True, takes=PreviewBody),
    route("POST", "/operator/sources/{source}/sign", sign, Permission.SOURCES, operator=True, takes=SignBody),
    route("POST", f"{_ID}/check", check, Permission.SOURCES, takes=Body, gives=SourceChecked),
]
