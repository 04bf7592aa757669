"""Webhook subscriptions, their secrets, and the attempts to deliver events."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from adapters.contract import Status
from app.base.clock import iso, now
from app.base.roles import Permission
from app.base.ssrf_guard import URL, URL_WORDS, checked_url
from app.base.vault import Sealed, whsec
from app.db.statements import Row
from app.store import resend as resending
from app.store import sources, subscriptions
from app.store.outbox import Event
from app.web.api.manual_orders import Amount, Currency
from app.web.api.sources import overlap_end
from app.web.http import serializers
from app.web.http.errors import Problem, existing, invalid, not_found, quoted
from app.web.http.filters import Since, period_of
from app.web.http.request import ApiRequest, Body, Id, Page, PatchBody, TextPattern, page_of
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.sources import SubscriptionSecretResponse
from app.web.http.schemas.subscriptions import (
    AttemptResponse,
    ResentResponse,
    SubscriptionMadeResponse,
    SubscriptionResponse,
    TriedResponse,
)

# What proves us is the signature: who reads the log may read the URL, too.
Url = Annotated[
    str, StringConstraints(max_length=2000), TextPattern(URL, URL_WORDS), Field(examples=["https://example.com/orders"])
]
Events = Annotated[list[Event], Field(min_length=1, max_length=20)]
READS = (Permission.SUBSCRIPTIONS, Permission.LOG)


class EventFilter(Body):
    """Which orders events are sent about: all that is given must hold. `source_id` holds for sources' events too."""

    status: list[Status] | None = Field(None, min_length=1, max_length=len(Status))
    source_id: list[Id] | None = Field(None, min_length=1, max_length=200)
    currency: list[Currency] | None = Field(None, min_length=1, max_length=50)
    minimum_value: Amount | None = Field(None, description="in the order's own currency")
    include_test: bool | None = Field(None, description="false: nothing about test orders")


def _headers(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("webhook-"):
            raise ValueError(f"{quoted(name)} is no header that may be set; content-type, host and webhook-… are ours")
        if not value.isascii() or not value.isprintable() or len(value) > 2000:
            raise ValueError(f"{quoted(name)} must have at most 2,000 printable ASCII characters")
    return {name.lower(): value for name, value in given.items()}


_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = frozenset(
    [
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "expect",
        "upgrade",
        "te",
        "trailer",
        "user-agent",
        "keep-alive",
        "proxy-connection",
    ]
)
Headers = Annotated[
    dict[str, str],
    Field(max_length=20, description="sent along with every event; kept encrypted, and never shown again"),
    AfterValidator(_headers),
]


class SubscriptionBody(Body):
    """A new subscription."""

    url: Url
    events: Events
    filter: EventFilter | None = None
    headers: Headers | None = None


class ResendBody(Body):
    """From when on orders and erasures are sent again, and until when."""

    since: Since
    until: Since | None = None


class SubscriptionChange(PatchBody):
    """What can be changed. Fields that are not given stay as they are.

    After a change, events are sent again at once.
    """

    url: Url | None = None
    events: Events | None = None
    filter: EventFilter | None = Field(None, description="takes the place of the old one; {}: all orders")
    headers: Headers | None = Field(None, description="take the place of the old ones; {}: none")
    enabled: bool | None = None


class SubscriptionSecretMade(Body):
    """A new secret. For `overlap` (`24h`; `0s`: not at all) events are signed with the old ones too."""

    overlap: str = Field("24h", json_schema_extra={"pattern": r"^\d{1,6}[smhdw]$"})


async def _serialize(asked: ApiRequest, rows: list[Row]) -> list[SubscriptionResponse]:
    secrets = await subscriptions.secrets_of(asked.store, asked.account_id, [row["id"] for row in rows])
    shown: list[SubscriptionResponse] = []
    for row in rows:
        waiting, oldest = await subscriptions.waiting(asked.store, asked.account_id, row["id"])
        shown.append(
            {
                "id": row["id"],
                "url": row["url"],
                "events": row["events"],
                "filter": row["filter"],
                "headers": _names_of(asked, row),
                "enabled": row["enabled"],
                "state": "off" if not row["enabled"] else "failing" if row["failing_since"] else "working",
                "off_reason": row["off_reason"],
                "failing_since": iso(row["failing_since"]),
                "failing_reason": row["failing_reason"],
                "waiting": waiting,
                "oldest_waiting_at": iso(oldest),
                "last_sent_at": iso(row["last_sent_at"]),
                "secrets": [serializers.secret(one) for one in secrets if one["source_id"] == row["id"]],
                "created_at": iso(row["created_at"]),
            }
        )
    return shown


def _names_of(asked: ApiRequest, row: Row) -> list[str] | None:
    """Return the names of the headers; None where they cannot be opened."""
    try:
        return sorted(json.loads(asked.service.vault.open(row["headers"]))) if row["headers"] else []
    except Sealed:
        return None


async def _stored(asked: ApiRequest, given: SubscriptionBody | SubscriptionChange) -> dict[str, Any]:
    """Return what is given as it is stored, by column. Raises Problem for a URL or a source that cannot be."""
    stored = given.model_dump(exclude_unset=True)
    if given.url is not None:
        try:
            stored["url"] = checked_url(given.url, asked.service.settings.receivers)
        except ValueError as why:
            raise invalid("url", str(why)) from None
    if given.events is not None:
        stored["events"] = [str(event) for event in Event if event in given.events]  # each once
    if given.filter is not None:
        wanted = given.filter.source_id or []
        there = await sources.adapters_of(asked.store, asked.account_id) if wanted else {}
        for one in wanted:
            if one not in there:
                raise invalid("filter.source_id", f"there is no source {quoted(one)}")
        stored["filter"] = given.filter.model_dump(mode="json", exclude_none=True)
    if given.headers is not None:
        stored["headers"] = asked.service.vault.seal(json.dumps(given.headers)) if given.headers else None
    return stored


async def make(asked: ApiRequest) -> SubscriptionMadeResponse:
    """Create a webhook subscription. Its secret is generated, and shown only once."""
    stored = await _stored(asked, await asked.body(SubscriptionBody))
    secret = whsec()
    subscription_id = await subscriptions.add(
        asked.store,
        asked.account_id,
        url=stored["url"],
        events=stored["events"],
        filter_=stored.get("filter") or {},
        sealed_headers=stored.get("headers"),
        sealed_secret=asked.service.vault.seal(secret),
    )
    asked.service.outbox.wake()
    row = existing(await subscriptions.find(asked.store, asked.account_id, subscription_id), "subscription")
    (known,) = await _serialize(asked, [row])
    return {**known, "secret": secret}


async def index(asked: ApiRequest) -> dict[str, Any]:
    """List the account's subscriptions."""
    query = asked.query(Page)
    rows = await subscriptions.page(asked.store, asked.account_id, after=query.last_id or "", limit=query.limit + 1)
    return page_of(await _serialize(asked, rows), query.limit)


async def show(asked: ApiRequest) -> SubscriptionResponse:
    """Show one subscription: its state, its backlog, and since when and why it is failing."""
    (shown,) = await _serialize(asked, [await asked.named(subscriptions.find, "subscription")])
    return shown


async def change(asked: ApiRequest) -> SubscriptionResponse:
    """Change a subscription. Switching it off drops its waiting events."""
    row = await asked.named(subscriptions.find, "subscription")
    changes = await _stored(asked, await asked.body(SubscriptionChange))
    if changes:
        await subscriptions.change(asked.store, asked.account_id, row["id"], changes)
        asked.service.outbox.wake()
    return await show(asked)


async def delete(asked: ApiRequest) -> None:
    """Delete a subscription and its attempts. Waiting events are dropped."""
    row = await asked.named(subscriptions.find, "subscription")
    await subscriptions.delete(asked.store, asked.account_id, row["id"])
    asked.service.outbox.wake()


async def rotate(asked: ApiRequest) -> SubscriptionSecretResponse:
    """Generate a new secret, shown only once. During the overlap events are signed with the old ones too."""
    row = await asked.named(subscriptions.find, "subscription")
    given = await asked.body(SubscriptionSecretMade)
    secret, ends = whsec(), overlap_end(given.overlap)
    secret_id = await subscriptions.add_secret(
        asked.store, asked.account_id, row["id"], asked.service.vault.seal(secret), older_end=ends
    )
    return {"id": secret_id, "secret": secret, "older_secrets_end_at": iso(ends)}


async def revoke(asked: ApiRequest) -> None:
    """Revoke a secret at once. The last valid one can only be rotated."""
    row = await asked.named(subscriptions.find, "subscription")
    usable = await subscriptions.usable_secrets(asked.store, asked.account_id, row["id"], now())
    if [one["id"] for one in usable] == [asked.path("secret")]:
        raise Problem(
            "conflict", "it is the only one, and nothing is sent unsigned; make a newer one with an overlap of 0s"
        )
    if not await subscriptions.revoke_secret(asked.store, asked.account_id, row["id"], asked.path("secret")):
        raise not_found("secret")


async def test(asked: ApiRequest) -> TriedResponse:
    """Send a sample event now, signed, and show how it ended. It is tried once."""
    row = await asked.named(subscriptions.find, "subscription")
    ended = await asked.service.outbox.try_out(row)
    return {
        "event_id": ended.row["id"],
        "type": ended.row["event"],
        "delivered": ended.reason is None,
        "status": ended.status,
        "reason": ended.reason,
        "took_ms": ended.took / 1000,
    }


async def resend(asked: ApiRequest) -> ResentResponse:
    """Send again every order that changed in a time, as it stands now, and every erasure, to this subscription alone."""
    row = await asked.named(subscriptions.find, "subscription")
    given = await asked.body(ResendBody)
    if not row["enabled"]:
        raise Problem("conflict", "the subscription is off; enable it first")
    since, until = await period_of(asked, given.since, given.until)
    many = await resending.resend(asked.store, row, since, until)
    asked.service.outbox.wake()
    return {"events": many}


async def attempts(asked: ApiRequest) -> dict[str, Any]:
    """List the attempts to deliver events, newest first, and events that were given up."""
    query = asked.query(Page)
    row = await asked.named(subscriptions.find, "subscription")
    rows = await subscriptions.attempts(
        asked.store, asked.account_id, row["id"], before=query.last_id or "", limit=query.limit + 1
    )
    return page_of([_attempt(one) for one in rows], query.limit)


def _attempt(row: Row) -> AttemptResponse:
    return {
        "id": row["id"],
        "event_id": row["event_id"],
        "type": row["event"],
        "order_id": row["order_id"],
        "number": row["number"],
        "at": iso(row["at"]),
        "took_ms": None if row["took"] is None else row["took"] / 1000,
        "delivered": row["reason"] is None,
        "status": row["status"],
        "reason": row["reason"],
        "next_at": iso(row["next_at"]),
    }


_ID, _MAY = "/v1/subscriptions/{subscription}", Permission.SUBSCRIPTIONS
ROUTES = [
    route(
        "POST",
        "/v1/subscriptions",
        make,
        _MAY,
        takes=SubscriptionBody,
        gives=SubscriptionMadeResponse,
        status=201,
    ),
    route("GET", "/v1/subscriptions", index, READS, query=Page, gives=Listed[SubscriptionResponse]),
    route("GET", _ID, show, READS, gives=SubscriptionResponse),
    route("PATCH", _ID, change, _MAY, takes=SubscriptionChange, gives=SubscriptionResponse),
    route("DELETE", _ID, delete, _MAY, status=204),
    route(
        "POST",
        f"{_ID}/secrets",
        rotate,
        _MAY,
        takes=SubscriptionSecretMade,
        gives=SubscriptionSecretResponse,
        status=201,
    ),
    route("DELETE", f"{_ID}/secrets/{{secret}}", revoke, _MAY, status=204),
    route("POST", f"{_ID}/test", test, _MAY, takes=Body, gives=TriedResponse),
    route("POST", f"{_ID}/resend", resend, _MAY, takes=ResendBody, gives=ResentResponse, status=202),
    route("GET", f"{_ID}/attempts", attempts, READS, query=Page, gives=Listed[AttemptResponse]),
]
