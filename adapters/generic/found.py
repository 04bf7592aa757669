"""What the expressions find in a body: an order, its items, payments and refunds, each checked."""

from decimal import Decimal
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import AfterValidator, BeforeValidator

from adapters.contract import Payload


def _each(value: Any) -> Any:
    """One, or a list of them; those that are null or empty are none."""
    return tuple(one for one in (value if isinstance(value, list) else [value]) if one not in (None, ""))


def _sequence(value: Any) -> int | str | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise ValueError("Input should be a number or a text")
    return value


Several = Annotated[tuple[str, ...], BeforeValidator(_each)]


def _web_address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or len(text) > 2000:
        raise ValueError("is no address of a page")
    return text


def _country(text: str) -> str:
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise ValueError("is no country of two letters")
    return text.upper()


WebAddress = Annotated[str, AfterValidator(_web_address)]
Amount = Annotated[Decimal, Ge(0)]


class Found(Payload):
    external_id: str
    sequence: Annotated[Any, BeforeValidator(_sequence)] = None
    status: str | None = None
    number: str | None = None
    title: str | None = None
    value: Amount | None = None
    currency: str | None = None
    payments: list[Any] | None = None
    refunded_value: Amount | None = None
    refunds: list[Any] | None = None
    url: WebAddress | None = None
    test: bool | None = None
    deal_id: str | None = None
    crm_id: str | None = None
    customer_id: str | None = None
    name: str | None = None
    email: Several = ()
    phone: Several = ()
    document: Several = ()
    country: Annotated[str, AfterValidator(_country)] | None = None
    items: list[Any] | None = None


class FoundItem(Payload):
    item_title: str
    item_quantity: Amount | None = None
    item_unit_value: Amount | None = None
    item_sku: str | None = None


class FoundPayment(Payload):
    payment_id: str | None = None
    payment_value: Amount | None = None
    payment_state: str | None = None


class FoundRefund(Payload):
    refund_id: str | None = None
    refund_value: Amount | None = None
    refund_state: str | None = None
    refund_payment: str | None = None
    refund_chargeback: bool | None = None


FOUND_IN_ITEM = tuple(FoundItem.model_fields)
OF_A_PAYMENT = (*FoundPayment.model_fields, "payment_at")
OF_A_REFUND = (*FoundRefund.model_fields, "refund_at")
AMOUNTS = ("value", "payment_value", "refunded_value", "refund_value", "item_unit_value")

# What an order cannot be without: where it is told and cannot be read, the delivery is unreadable.
NEEDED = frozenset(AMOUNTS) - {"item_unit_value"} | {
    *("external_id", "status", "currency", "payments", "refunds"),
    *("payment_id", "payment_state", "refund_id", "refund_state"),
}
