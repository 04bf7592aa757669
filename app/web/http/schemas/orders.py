"""Response schemas: orders, their history, sums over them, deals."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from adapters.contract import Origin, Status
from app.web.http.schemas.base import Amount, Currency, Time
from app.web.http.schemas.contacts import IdentityResponse


class ItemResponse(TypedDict):
    """One line of an order. `quantity` is a string if it is no whole number."""

    title: str
    quantity: int | str
    unit_value: Amount | None
    sku: str | None


class OrderFields(TypedDict):
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


class OrderResponse(OrderFields):
    """An order with the names of what it names: `buyer` is the contact's name, or what the source calls a buyer without one.

    The owner is that of the deal, else of the contact. A rep with a wallet sees the names of the own contacts.
    """

    buyer: str | None
    source_name: str | None
    owner_id: str | None
    owner_name: str | None


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


class MergedOrder(TypedDict):
    """An order that a member merged into this one, and that a split gives back."""

    id: str
    source_id: str | None
    external_id: str
    title: str | None


class OrderWhole(OrderResponse):
    """An order with its payments and refunds, each as it was told last, and `notes`: what does not fit, a word each.

    `buyer_name` is the buyer's name as the source tells it, also where no identity leads to a contact. A rep with a wallet
    sees the buyers whose identities are all the contact's, if that is theirs.
    """

    buyer_name: str | None
    payments: list[MoneyLine]
    refunds: list[MoneyLine]
    notes: list[str]
    merged: list[MergedOrder]


class OrderSplit(TypedDict):
    """What a split took apart: the order that stood for the sale, and those that were taken out of it."""

    order: OrderResponse
    split_off: list[OrderResponse]


class MoneySaid(TypedDict, total=False):
    """What bills, payments and refunds have in common."""

    id: str
    value: Amount
    currency: Currency


class BillSaid(MoneySaid, total=False):
    """What the sale comes to, as a source said it; `also` is the same total in the buyer's currency."""

    part: bool
    also: str
    closed: bool
    given_up: bool


class PaymentSaid(MoneySaid, total=False):
    """One payment that a source told of; `captures` is the authorisation that it takes, `all` says that it is all of the bill."""

    state: str
    at: Time
    captures: str
    all: bool


class RefundSaid(MoneySaid, total=False):
    """One refund or chargeback that was told of; without `state` it is done. `total`: so much in all until then."""

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

    `erased`: the person has been erased since, and their data with them. `sample`: this registry sent it itself, and it
    says nothing of an order that its source tells of.
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
    sample: bool
    deal_id: str | None
    contact_id: str | None
    erased: bool
    merged: str
    split_off: str


class EntryFields(TypedDict):
    """One entry of an order's history. `at` is the source's own time; null: it gave none, and `recorded_at` counts.

    `order_id` is the order that it was said of: this one, or one that was merged into it.
    `words` is what was said, in a sentence. Buyers are shown as in `OrderWhole`.
    """

    at: Time | None
    recorded_at: Time
    delivery_id: str | None
    member_id: str | None
    order_id: str
    words: str
    said: Said


class EntryResponse(EntryFields):
    """An entry of the history with the name of the member who said it."""

    member_name: str | None


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
    owner_name: str | None
    created_at: Time
    updated_at: Time
