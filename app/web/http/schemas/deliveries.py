"""Response schemas: deliveries, tests of a source, previews."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from adapters.contract import Status
from app.base.outcome import Outcome
from app.web.http.schemas.base import Amount, Currency, Listed, Time
from app.web.http.schemas.contacts import IdentityResponse
from app.web.http.schemas.orders import ItemResponse


class DeliveryFields(TypedDict):
    """A row of the delivery log. `source_delivery_id` is the source's own id of it. `reason` explains the outcome; `notes` is what operators should look at."""

    id: Annotated[str, Field(examples=["dlv_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    source_id: str
    source_delivery_id: str | None
    kind: str
    external_id: str | None
    outcome: Outcome
    reason: str | None
    notes: list[str]
    strength: str
    orders: list[str]
    received_at: Time
    committed_at: Time
    attempts: int
    repeats: int
    last_repeated_at: Time | None


class OrderInLog(TypedDict):
    """An order that a delivery told of, as it is now. `buyer` as in an order."""

    order_id: str
    title: str | None
    buyer: str | None
    value: Amount
    currency: Currency


class DeliveryResponse(DeliveryFields):
    """A row of the delivery log, with its source's name and its orders as they are now.

    `about` is empty for callers who may read neither orders nor bodies. The live log has neither.
    """

    source_name: str | None
    about: list[OrderInLog]


class DeliveryList(Listed[DeliveryResponse]):
    """A page of the log. `left_out` is there when a search for a person could not look at everything, and says at what."""

    left_out: NotRequired[str]


class Opened(TypedDict):
    """The content of a delivery. `body_encoding` is `text`, or `base64` for bytes that are no text."""

    headers: dict[str, str] | None
    query: dict[str, str] | None
    body: str | None
    body_encoding: str | None


class SourceNamed(TypedDict):
    """A source by name, for readers of the log."""

    id: str
    name: str
    adapter: str
    enabled: bool
    webhook_url: str


class DeliveryWhole(DeliveryResponse):
    """A delivery with its content.

    Headers, query and body are null for callers who may not see bodies, and once they are pruned. `body_encoding` is
    `base64` for bytes that are no text. `source` is null once it was deleted.
    """

    source: SourceNamed | None
    headers: dict[str, str] | None
    query: dict[str, str] | None
    body: str | None
    body_encoding: str | None
    body_kept: bool


class ChangeResponse(TypedDict):
    """A field before and after, as an order shows it."""

    field: str
    before: Any
    after: Any


class OrderChanged(TypedDict):
    """What changed in one order. `values` says whether the caller may see values, or only the names of fields."""

    order_id: str
    external_id: str
    title: str | None
    made: bool
    values: bool
    changes: list[ChangeResponse]


class ChangesResponse(TypedDict):
    """Every order that the delivery concerns."""

    data: list[OrderChanged]
    next_cursor: None


class RetriedResponse(TypedDict):
    """The result of a retry."""

    delivery_id: str
    outcome: Outcome
    reason: str | None
    orders: list[str]


class AnsweredResponse(TypedDict):
    """The answer to a sender, once the delivery is on disk.

    `delivery_id` is null for a handshake, which stores nothing.
    """

    delivery_id: str | None
    outcome: Outcome
    orders: list[str]


class TestedResponse(AnsweredResponse, total=False):
    """The answer to the sender, and the delivery as it is in the log, with the note `sample`. Null for a handshake.

    The same again is a `duplicate`. `proves` says in words what this proves, and what it does not.
    """

    proves: str
    id: str
    source_id: str
    source_delivery_id: str | None
    kind: str
    external_id: str | None
    reason: str | None
    notes: list[str]
    strength: str
    received_at: Time
    committed_at: Time
    attempts: int
    repeats: int
    last_repeated_at: Time | None


class TriedOrder(TypedDict):
    """What an order would be if this delivery were all that is known about it."""

    external_id: str | None
    title: str | None
    value: Amount | None
    paid_value: Amount | None
    refunded_value: Amount | None
    currency: Currency | None
    status: Status
    source_status: str | None
    ordered_at: Time | None
    paid_at: Time | None
    deal_id: str | None
    url: str | None
    test: bool
    items: list[ItemResponse]
    name: str | None
    identities: list[IdentityResponse]
    aliases: list[str]


class TriedResponse(TypedDict):
    """What a delivery would become. `reason` says why it is not verified or cannot be mapped."""

    verified: bool
    reason: str | None
    strength: str
    kind: str | None
    outcome: Outcome | None
    orders: list[TriedOrder]
