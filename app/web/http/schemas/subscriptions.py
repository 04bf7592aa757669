"""Response schemas: subscriptions and attempts to deliver events."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from app.store.outbox import Event
from app.web.http.schemas.base import Time
from app.web.http.schemas.sources import SecretResponse


class SubscriptionResponse(TypedDict):
    """A webhook subscription.

    `state`: `working`, `failing` when the last event was not accepted, `off`. `off_reason` says why, unless somebody
    here switched it off. `headers` are the names of its own ones; their values are never shown. `waiting` counts events still to be sent, up to 10,000.
    """

    id: Annotated[str, Field(examples=["sub_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    url: str
    events: list[Event]
    filter: dict[str, Any]
    headers: list[str] | None
    enabled: bool
    state: Literal["working", "failing", "off"]
    off_reason: str | None
    failing_since: Time | None
    failing_reason: str | None
    waiting: int
    oldest_waiting_at: Time | None
    last_sent_at: Time | None
    secrets: list[SecretResponse]
    created_at: Time


class SubscriptionMadeResponse(SubscriptionResponse):
    """A new subscription with its secret, which is shown only this once: null where an Idempotency-Key is used again."""

    secret: str | None


class TriedResponse(TypedDict):
    """How a test of a subscription ended. `status` is null when there was no answer."""

    event_id: str
    type: Event
    delivered: bool
    status: int | None
    reason: str | None
    took_ms: float


class ResentResponse(TypedDict):
    """How many events were put in line."""

    events: int


class AttemptResponse(TypedDict):
    """One attempt to deliver an event.

    `status` is null if there was no answer, `took_ms` also if the event was given up. `order_id` is null for events
    about contacts. `next_at` is when it is tried again.
    """

    id: str
    event_id: str
    type: Event
    order_id: str | None
    number: int
    at: Time
    took_ms: float | None
    delivered: bool
    status: int | None
    reason: str | None
    next_at: Time | None
