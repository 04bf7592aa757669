"""The options of any signed webhook. Every wrong one is named when they are saved."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from annotated_types import MinLen
from pydantic import AfterValidator, BeforeValidator, StringConstraints, model_validator

from adapters.contract import (
    CODES,
    BodyField,
    Constant,
    Header,
    OptionGroup,
    Options,
    Query,
    Unreadable,
    Where,
    json_body,
)
from adapters.generic.expressions import Expression
from adapters.generic.found import AMOUNTS, FOUND_IN_ITEM, OF_A_PAYMENT, OF_A_REFUND
from adapters.generic.signing import Name, Signing, refuse


def _group(value: Any) -> Any:
    """From the command line a group may come as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json_body(value.encode())
    except Unreadable:
        raise ValueError('is a group: give its parts (group.part=value) or a JSON object ({"part": "value"})') from None


def _several(value: Any) -> Any:
    """From the command line a list comes as JSON text, or with commas between."""
    if not isinstance(value, str):
        return value
    return _group(value) if value.startswith("[") else [part.strip() for part in value.split(",") if part.strip()]


def _digit(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def zone_of(name: str) -> tzinfo:
    if name in {"UTC", "Z"}:
        return UTC
    if match := re.fullmatch(r"([+-])(\d\d):([0-5]\d)", name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if offset < timedelta(hours=24):
            return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError("is neither a zone's name (America/Sao_Paulo) nor an offset (-03:00)") from None


def _zone_name(name: str) -> str:
    zone_of(name)
    return name


def _times(form: str) -> str:
    if form in {"iso", "seconds", "milliseconds"}:
        return form
    example = datetime(2026, 11, 20, tzinfo=UTC)
    try:
        if datetime.strptime(example.strftime(form), form).replace(tzinfo=UTC) == example:
            return form
    except (ValueError, re.error):
        pass
    raise ValueError("is iso, seconds, milliseconds or a pattern with at least a day, like %d/%m/%Y %H:%M")


def place_of(text: str) -> Where:
    kind, _, name = text.partition(":")
    if name.strip() == name != "":
        match kind:
            case "header":
                return Header(name.lower())
            case "query":
                return Query(name)
            case "field":
                return BodyField(name)
            case "always":
                return Constant(name)
    raise ValueError("is written header:NAME, query:NAME, field:PATH or always:WORD")


def _place_text(text: str) -> str:
    place_of(text)
    return text


def _id_place(text: str) -> str:
    if isinstance(place_of(text), Constant):
        raise ValueError(
            "is in a header:NAME, query:NAME or field:PATH; always the same, no delivery would be a new one"
        )
    return text


# Our words for where an order stands; with `none`, a word of theirs that says nothing about it.
Word = Literal["pending", "overdue", "failed", "partially_paid", "paid", "canceled", "refunded", "none"]
PaymentWord = Literal["authorized", "taken", "failed", "canceled", "none"]
RefundWord = Literal["pending", "done", "failed", "reversed"]
Patterns = Annotated[tuple[Name, ...], BeforeValidator(_several)]
NAMED = re.compile(r"(?:([1-9]\d{0,8}) )?([A-Z]{3})")


def _currency(code: str) -> str:
    if code not in CODES:
        raise ValueError("is no currency of ISO 4217")
    return code


def _named(text: str) -> str:
    """What a word for a currency stands for: "BRL", or "10000 IRR" for a unit of its own."""
    match = NAMED.fullmatch(text)
    if not match or match[2] not in CODES:
        raise ValueError('is written BRL, or "10000 IRR": how many units of which currency of ISO 4217 one is')
    return text


class MoneyOptions(OptionGroup):
    """What an amount counts: units (major), the currency's smallest unit (minor), or 10**-n units (n, for every one).

    `currencies` says what the source's own words for currencies stand for: {"IRHT": "10000 IRR", "R$": "BRL"}.
    """

    unit: Annotated[str, BeforeValidator(_digit), StringConstraints(pattern=r"^(major|minor|[0-8])$")]
    currency: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True), AfterValidator(_currency)] | None
    ) = None
    currencies: Annotated[dict[Name, Annotated[str, AfterValidator(_named)]], BeforeValidator(_group)] = {}
    decimal: Literal[".", ","] = "."  # with a comma, "R$ 1.234,50" is read as well


class Fields(OptionGroup):
    """Where each field of an order stands. `orders` gives a list of orders; the others then start from each of them,
    and those of an item, a payment, a refund from each of `items`, `payments`, `refunds`."""

    external_id: Expression
    orders: Expression | None = None
    status: Expression | None = None
    at: Expression | None = None
    sequence: Expression | None = None
    number: Expression | None = None
    title: Expression | None = None
    value: Expression | None = None
    currency: Expression | None = None
    payments: Expression | None = None
    payment_id: Expression | None = None
    payment_value: Expression | None = None
    payment_state: Expression | None = None
    payment_at: Expression | None = None
    refunded_value: Expression | None = None
    refunds: Expression | None = None
    refund_id: Expression | None = None
    refund_value: Expression | None = None
    refund_state: Expression | None = None
    refund_at: Expression | None = None
    refund_payment: Expression | None = None
    refund_chargeback: Expression | None = None
    ordered_at: Expression | None = None
    paid_at: Expression | None = None
    url: Expression | None = None
    test: Expression | None = None
    deal_id: Expression | None = None
    crm_id: Expression | None = None
    customer_id: Expression | None = None
    name: Expression | None = None
    email: Expression | None = None
    phone: Expression | None = None
    document: Expression | None = None
    country: Expression | None = None
    items: Expression | None = None
    item_title: Expression | None = None
    item_quantity: Expression | None = None
    item_unit_value: Expression | None = None
    item_sku: Expression | None = None

    @model_validator(mode="after")
    def _coherent(self) -> "Fields":
        parts = [name for name in FOUND_IN_ITEM if getattr(self, name)]
        faults = [(name, "is searched in each of `items`, which is missing") for name in parts if not self.items]
        if self.items and not self.item_title:
            faults.append(("item_title", "is needed: an item has a title"))
        if any(getattr(self, name) for name in ("payments", *OF_A_PAYMENT)):
            faults += [
                (name, "is needed: a payment has an amount and a state")
                for name in ("payment_value", "payment_state")
                if not getattr(self, name)
            ]
        itemised = any(getattr(self, name) for name in ("refunds", *OF_A_REFUND))
        if itemised and not self.refund_value and (self.refunds or not self.refunded_value):
            faults.append(("refund_value", "is needed: a refund has an amount"))
        if self.refunded_value and self.refund_value:
            faults.append(("refunded_value", "tells the same money as `refund_value`: choose one"))
        refuse(*faults)
        return self


class GenericOptions(Options):
    """Everything that is particular to the source."""

    signature: Annotated[Signing, BeforeValidator(_group)]
    body: Literal["json", "form"] = "json"
    kind: Annotated[str, StringConstraints(max_length=200), AfterValidator(_place_text)]
    delivery_id: Annotated[str, StringConstraints(max_length=200), AfterValidator(_id_place)] | None = None
    reads: Patterns = ("*",)
    ignores: Patterns = ()
    fields: Annotated[Fields, BeforeValidator(_group)]
    statuses: Annotated[dict[Name, Word], MinLen(1), BeforeValidator(_group)]
    payment_states: Annotated[dict[Name, PaymentWord], BeforeValidator(_group)] = {}
    refund_states: Annotated[dict[Name, RefundWord], BeforeValidator(_group)] = {}
    money: Annotated[MoneyOptions, BeforeValidator(_group)] | None = None
    times: Annotated[str, StringConstraints(max_length=50), AfterValidator(_times)] = "iso"
    zone: Annotated[str, StringConstraints(max_length=100), AfterValidator(_zone_name)] = "UTC"

    @model_validator(mode="before")
    @classmethod
    def _unfold(cls, given: Any) -> Any:
        """From the command line the parts of a group come one by one: signature.header, statuses.order.paid."""
        if not isinstance(given, dict):
            return given
        groups = ("signature", "fields", "statuses", "payment_states", "refund_states", "money")
        plain = {name: value for name, value in given.items() if str(name).partition(".")[0] not in groups}
        for group in groups:
            parts = {name.removeprefix(f"{group}."): given[name] for name in given if str(name).startswith(f"{group}.")}
            if parts and group in given:
                refuse((group, "is given as a whole and in parts: choose one"))
            if parts or group in given:
                plain[group] = parts or given[group]
        return plain

    @model_validator(mode="after")
    def _coherent(self) -> "GenericOptions":
        for thing in ("payment", "refund"):
            if getattr(self.fields, f"{thing}_state") and not getattr(self, f"{thing}_states"):
                refuse((f"{thing}_states", f"is needed: what the words that fields.{thing}_state finds mean"))
        amounts = [name for name in AMOUNTS if getattr(self.fields, name)]
        if amounts and self.money is None:
            refuse(("money", f"is needed: fields.{amounts[0]} is an amount"))
        if amounts and self.money and not (self.money.currency or self.fields.currency):
            refuse(("money.currency", "is needed, or fields.currency"))
        return self
