"""Response schemas: the types of what the API returns. `/openapi.json` is generated from them.

Times are ISO 8601 in UTC, money is a decimal string in the currency beside it. A field that can be null says when.
"""

from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar

from pydantic import Field

# Not typing's own: before Python 3.12 that one forgets what pydantic needs to know of a generic or a required field.
from typing_extensions import TypedDict

from adapters.contract import Origin, Status
from app.base.outcome import Outcome
from app.base.roles import Role
from app.store.outbox import Event

T = TypeVar("T")

# Texts all of them; what is said beside a type is for the document, and mypy sees `str`.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T13:00:00Z"])]
Amount = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["199.90"])]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["BRL"])]


class Listed(TypedDict, Generic[T]):
    """A page of a list. `next_cursor` gets the next page; null: this is the last one."""

    data: list[T]
    next_cursor: str | None


class ItemResponse(TypedDict):
    """One line of an order. `quantity` is a string if it is no whole number."""

    title: str
    quantity: int | str
    unit_value: Amount | None
    sku: str | None


class OrderResponse(TypedDict):
    """An order: the fold of everything that was said of it. `source_status` is the source's own word."""

    id: Annotated[str, Field(examples=["ord_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    contact_id: str | None
    crm_contact_id: str | None
    deal_id: str | None
    title: str | None
    value: Amount
    paid_value: Amount
    refunded_value: Amount
    currency: Currency
    status: Status
    source_status: str | None
    ordered_at: Time
    paid_at: Time | None
    origin: Origin
    source_id: str | None
    external_id: str
    url: str | None
    test: bool
    items: list[ItemResponse]
    created_at: Time
    updated_at: Time


class MoneyLine(TypedDict):
    """A payment, a refund or a chargeback. Without `id`, its source gave none; without `value`, no amount was told.

    A payment is `authorized`, `taken`, `failed` or `canceled`; the others `pending`, `done`, `failed` or `reversed`.
    """

    id: str | None
    kind: Annotated[str, Field(json_schema_extra={"enum": ["payment", "refund", "chargeback"]})]
    value: Amount | None
    currency: Currency | None
    state: Annotated[
        str,
        Field(json_schema_extra={"enum": ["authorized", "taken", "failed", "canceled", "pending", "done", "reversed"]}),
    ]
    at: Time | None


class OrderWhole(OrderResponse):
    """An order with its payments and refunds, each as it was told last, and `notes`: what does not fit, a word each.

    `buyer_name` is the buyer's name as the source tells it, also where no identity leads to a contact.
    """

    buyer_name: str | None
    payments: list[MoneyLine]
    refunds: list[MoneyLine]
    notes: list[str]


class IdentityResponse(TypedDict):
    """One identity of a contact. `source_id` is set for a shop's customer id, which counts only within that shop."""

    kind: str
    value: str
    source_id: str | None


class KnownIdentity(IdentityResponse):
    """An identity of a contact. `told_by` is the source it came from; null: a member or the CRM."""

    told_by: str | None


class BillSaid(TypedDict, total=False):
    """What the sale comes to, as a source said it; `also` is the same total in the buyer's currency."""

    id: str
    value: Amount
    currency: Currency
    part: bool
    also: str
    closed: bool
    given_up: bool


class PaymentSaid(TypedDict, total=False):
    """One payment that a source told of; `captures` is the authorisation that it takes."""

    id: str
    value: Amount
    currency: Currency
    state: str
    at: Time
    captures: str


class RefundSaid(TypedDict, total=False):
    """One refund or chargeback that was told of; without `state` it is done. `total`: so much in all until then."""

    id: str
    value: Amount
    currency: Currency
    state: str
    kind: str
    at: Time
    payment: str
    all: bool
    total: bool


class CustomerSaid(TypedDict):
    """The buyer, as the source describes them."""

    name: str | None
    identities: list[IdentityResponse]


class Said(TypedDict, total=False):
    """What one delivery or member said about an order. Fields that were not mentioned are absent.

    `erased`: the person has been erased since, and their data with them.
    """

    external_id: str
    aliases: list[str]
    status: Status
    source_status: str
    title: str
    value: Amount | None
    currency: Currency
    bills: list[BillSaid]
    payments: list[PaymentSaid]
    refunds: list[RefundSaid]
    notes: list[str]
    sequence: int | str
    ordered_at: Time | None
    paid_at: Time | None
    customer: CustomerSaid
    items: list[ItemResponse]
    url: str | None
    test: bool
    deal_id: str | None
    contact_id: str | None
    erased: bool


class EntryResponse(TypedDict):
    """One entry of an order's history. `at` is the source's own time; null: it gave none, and `recorded_at` counts.

    `words` is what was said, in a sentence.
    """

    at: Time | None
    recorded_at: Time
    delivery_id: str | None
    member_id: str | None
    words: str
    said: Said


class ContactResponse(TypedDict):
    """The person an order belongs to. `crm_id` is null for a contact that a delivery created."""

    id: Annotated[str, Field(examples=["cnt_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    crm_id: str | None
    name: str | None
    owner_id: str | None
    identities: list[KnownIdentity]
    created_at: Time
    updated_at: Time


class ConflictResponse(KnownIdentity):
    """An identity that a source gave to one contact but that belongs to another.

    The other is shown only to callers who see all contacts.
    """

    belongs_to: str | None
    told_at: Time


class ConflictOfContact(ConflictResponse):
    """An identity conflict, with the contact that the source gave it to."""

    contact_id: str


class ContactWhole(ContactResponse):
    """A contact with its identities, and with those that a source gave it but that belong to another contact."""

    identity_conflicts: list[ConflictResponse]


class SumsResponse(TypedDict):
    """Totals of orders in one currency, without test orders. The average is null if nothing was paid."""

    currency: Currency
    orders: int
    paid_orders: int
    gross: Amount
    refunded: Amount
    net: Amount
    open: Amount
    average_order_value: Amount | None
    first_ordered_at: Time
    last_ordered_at: Time
    last_paid_at: Time | None


class SummaryResponse(TypedDict):
    """The totals of a contact's orders, per currency and never converted."""

    contact_id: str
    currencies: list[SumsResponse]


class DealResponse(TypedDict):
    """A deal of the CRM."""

    crm_id: str
    contact_id: str
    crm_contact_id: str | None
    title: str | None
    owner_id: str | None
    created_at: Time
    updated_at: Time


class DeliveryResponse(TypedDict):
    """A row of the delivery log. `reason` explains the outcome; `notes` is what operators should look at."""

    id: Annotated[str, Field(examples=["dlv_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    source_id: str
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


class Opened(TypedDict):
    """The content of a delivery. `body_encoding` is `text`, or `base64` for bytes that are no text."""

    headers: dict[str, str]
    query: dict[str, str]
    body: str
    body_encoding: str


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
    """The answer to the sender, and the delivery as it is in the log. Null for a handshake.

    The same again is a `duplicate`.
    """

    id: str
    source_id: str
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


class SecretMadeResponse(TypedDict):
    """A new secret. The secret itself is present only if it was generated, and only this once."""

    id: str
    secret: str | None
    older_secrets_end_at: Time
    warnings: list[str]


class SubscriptionResponse(TypedDict):
    """A webhook subscription.

    `state`: `working`, `failing` when the last event was not accepted, `off`. `off_reason` says why, unless somebody
    here switched it off. `waiting` counts events still to be sent, up to 10,000.
    """

    id: Annotated[str, Field(examples=["sub_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    url: str
    events: list[Event]
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
    """A new subscription with its secret, which is shown only this once."""

    secret: str


class SubscriptionSecretResponse(TypedDict):
    """A new secret, shown only this once."""

    id: str
    secret: str
    older_secrets_end_at: Time


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


class AccountResponse(TypedDict):
    """The account. `retention`: how long each class is kept; a class that is not named is kept for ever."""

    account_id: str
    name: str
    orders_enabled: bool
    owner_privacy: bool
    default_currency: Currency
    default_region: str
    retention: dict[str, str]
    panel_origins: list[str]
    created_at: Time


class MemberResponse(TypedDict):
    """A person of the CRM who holds tokens."""

    id: str
    name: str
    role: Role
    created_at: Time


class TokenResponse(TypedDict):
    """A token, without the token itself."""

    id: str
    member_id: str
    role: Role
    name: str
    created_at: Time
    revoked_at: Time | None


class TokenMadeResponse(TypedDict):
    """A new token. It is shown only this once; only its hash is stored."""

    token: str
    id: str
    role: Role
    member_id: str


class PrivacyRequestResponse(TypedDict):
    """A privacy request that a shop passed on. The delivery says whom it concerns."""

    id: str
    delivery_id: str
    source_id: str
    kind: str
    request: str
    received_at: Time
    due_at: Time
    done_at: Time | None


class ProofResponse(TypedDict):
    """Proof that somebody was erased or got their data, without personal data. `counts`: how much of what."""

    id: str
    action: str
    source_id: str | None
    request_id: str | None
    member_id: str | None
    counts: dict[str, int]
    done_at: Time


class CarriedOut(PrivacyRequestResponse):
    """A privacy request that was carried out: its proof and, for an export, the data."""

    proof: ProofResponse
    export: dict[str, Any] | None


class MovedCounts(TypedDict):
    """How much moved."""

    orders: int
    identities: int
    deals: int


class MergedResponse(TypedDict):
    """The result of a merge or its undoing. `contact` is who the requested id leads to now."""

    contact: ContactWhole
    contact_id: str
    survivor_id: str
    moved: MovedCounts


class HourCount(TypedDict):
    """How many of a source's deliveries had this outcome in one hour."""

    hour: Time
    source_id: str
    outcome: Outcome
    count: int


class RefusedCount(TypedDict):
    """How often a source rejected deliveries for one reason, since it was added."""

    outcome: Outcome
    reason: str
    count: int
    last_at: Time


class UnknownWord(TypedDict):
    """A status word that the source's adapter does not know."""

    word: str
    count: int
    last_at: Time


class SourceStats(TypedDict):
    """One source: its deliveries by outcome. `only_rejected_since` is set while it gets nothing but rejections."""

    source_id: str
    name: str
    adapter: str
    last_received_at: Time | None
    last_good_at: Time | None
    last_refused_at: Time | None
    by_outcome: dict[str, int]
    refused: list[RefusedCount]
    unknown_status: list[UnknownWord]
    only_rejected_since: Time | None


class Acknowledgement(TypedDict):
    """Time from arrival to disk, in milliseconds; null if there were no deliveries."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


class WaitingResponse(TypedDict):
    """What is waiting: deliveries for a commit, orders to be fetched, deliveries on hold for their contact."""

    commit: int
    fetches: int
    oldest_fetch_at: Time | None
    held: int


class AlertResponse(TypedDict):
    """Something that needs attention: since when, what, and what to do."""

    code: str
    source_id: str | None
    since: Time | None
    message: str
    advice: str


class StatsResponse(TypedDict):
    """Counts of a period, and current alerts."""

    since: Time
    until: Time
    hours: list[HourCount]
    sources: list[SourceStats]
    acknowledgement: Acknowledgement
    waiting: WaitingResponse
    alerts: list[AlertResponse]


class HealthResponse(TypedDict):
    """The process answers."""

    status: str


class ReadyResponse(TypedDict):
    """A delivery would be committed now; so many wait for the next commit."""

    status: str
    waiting: int


class WrongField(TypedDict):
    """One wrong field, and what is wrong with it."""

    field: str
    message: str


class ProblemResponse(TypedDict):
    """An error (RFC 9457). Programs use `code`, people `detail`; `errors` names every wrong field."""

    type: str
    title: str
    status: int
    code: str
    detail: NotRequired[str]
    errors: NotRequired[list[WrongField]]
    outcome: NotRequired[Outcome]
