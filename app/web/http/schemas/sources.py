"""Response schemas: sources, their secrets and rejections, adapters."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from adapters.contract import Origin, Status
from app.base.outcome import Outcome
from app.web.http.schemas.base import Time


class AdapterLinks(TypedDict):
    """The platform's own manual."""

    signing: str
    payload: str


class AdapterResponse(TypedDict):
    """An adapter: what it supports, and how to set it up. `options` are JSON schemas, by name."""

    name: str
    title: str
    origin: Origin
    signature: str
    strength: str | None
    kinds: list[str]
    ignores: list[str]
    statuses: dict[str, Status | None]
    topics: list[str]
    secret_made_by: str
    key: str | None
    setup: list[str]
    links: AdapterLinks
    options: dict[str, Any]


class SecretResponse(TypedDict):
    """When a secret was created and ends, without the secret."""

    id: str
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None


class SourceResponse(TypedDict):
    """A source.

    `strength`: `mac` proves the body, `token` the sender; `fetched` is believed only because it is read back.
    """

    id: Annotated[str, Field(examples=["src_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    adapter: str
    name: str
    origin: Origin
    enabled: bool
    unknown_contacts: str
    options: dict[str, Any]
    has_key: bool
    strength: str
    webhook_url: str
    secrets: list[SecretResponse]
    last_delivery_at: Time | None
    created_at: Time


class RefusedSample(TypedDict):
    """A sample of a rejected delivery, without its body."""

    at: Time
    headers: dict[str, str]


class RefusedResponse(TypedDict):
    """How often a source rejected deliveries for one reason, with the last few samples."""

    outcome: Outcome
    reason: str
    count: int
    first_at: Time
    last_at: Time
    samples: list[RefusedSample]


class SourceWhole(SourceResponse):
    """A source, with its rejected deliveries."""

    refused: list[RefusedResponse]


class SourceMadeResponse(SourceResponse):
    """A new source. `secret` is present only if it was generated, and only this once."""

    source_id: str
    secret: str | None
    warnings: list[str]


class SubscriptionSecretResponse(TypedDict):
    """A new secret, shown only this once: null where an Idempotency-Key is used again."""

    id: str
    secret: str | None
    older_secrets_end_at: Time


class SecretMadeResponse(SubscriptionSecretResponse):
    """A new secret. The secret itself is present only if it was generated, and only this once."""

    warnings: list[str]
