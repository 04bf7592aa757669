"""Any shop or platform, without code: its options say how it signs and where in its body an order stands.

- How to: docs/generic.md, with an example that a test runs
- Expressions: https://jmespath.org/specification.html

There is no default for the signature: a source whose options leave it out cannot be saved. Every expression is compiled
when the options are validated, and every wrong option is named; one that fails on a delivery makes it unreadable.

Amounts are exact: more decimals than the currency has, and a currency that is none of ISO 4217's, are unreadable, for
nobody knows what was meant. Prices of items are rounded: fuel and screws have three decimals.

This is longer than 400 lines: options are a language, and every wrong word of it is named where it is saved.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import jmespath
import jmespath.functions
from annotated_types import Ge, Le, MinLen
from pydantic import (
    AfterValidator,
    BeforeValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from adapters.contract import (
    CODES,
    FIELD_LEFT_OUT,
    UNKNOWN,
    Adapter,
    Bill,
    BodyField,
    Constant,
    Customer,
    Delivery,
    Event,
    Header,
    Hmac,
    Ignored,
    Iso,
    Item,
    Links,
    Milliseconds,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Query,
    Refund,
    RefundKind,
    RefundState,
    Seconds,
    Signature,
    StandardWebhooks,
    Status,
    Token,
    Unreadable,
    Unverified,
    Where,
    body_token,
    decimals,
    form_body,
    hex_key,
    json_body,
    order_title,
    text_key,
    validated,
    whsec_key,
)

PARSE: Mapping[str, Callable[[bytes], Any]] = {"json": json_body, "form": form_body}


# -- Expressions --------------------------------------------------------------------------------------------------

takes: Callable[..., Callable[[Any], Any]] = jmespath.functions.signature


class Exact(jmespath.functions.Functions):  # type: ignore[misc]  # published without types
    """JMESPath's functions, for exact decimals: no number turns into a float on its way through an expression."""

    def _get_allowed_pytypes(self, types: list[str]) -> Any:
        allowed, inner = super()._get_allowed_pytypes(types)
        return (
            [*allowed, "Decimal"] if "float" in allowed else allowed,
            [(*each, "Decimal") if "float" in each else each for each in inner],
        )

    def _convert_to_jmespath_type(self, name: str) -> Any:
        return "number" if name == "Decimal" else super()._convert_to_jmespath_type(name)

    @takes({"types": []})
    def _func_to_number(self, given: Any) -> Decimal | int | None:
        if isinstance(given, Decimal | int) and not isinstance(given, bool):
            return given
        try:
            number = Decimal(given) if isinstance(given, str) else None
        except InvalidOperation:
            return None
        # As in the contract's JSON: 1e999999999 is a number too, and rounding it would take the machine along.
        return number if number is not None and number.is_finite() and abs(number.adjusted()) <= 40 else None

    @takes({"types": ["array-number"]})
    def _func_avg(self, given: list[Any]) -> Decimal | None:
        return Decimal(sum(given)) / len(given) if given else None

    @takes({"types": []})
    def _func_to_string(self, given: Any) -> Any:
        return str(given) if isinstance(given, Decimal) else super()._func_to_string(given)

    @takes({"types": []})
    def _func_type(self, given: Any) -> Any:
        return "number" if isinstance(given, Decimal) else super()._func_type(given)


EXACT = jmespath.Options(custom_functions=Exact())
# What a sound expression can raise on a document it was not made for.
FAILS = (jmespath.exceptions.JMESPathError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


@lru_cache(maxsize=4096)
def compiled(expression: str) -> Any:
    """The expression, ready to search. Raises ValueError for one that could never work."""
    try:
        ready = jmespath.compile(expression)
    except (jmespath.exceptions.JMESPathError, RecursionError) as fault:
        words = str(fault).removeprefix("Invalid jmespath expression: ").splitlines()[0].rstrip(":")
        raise ValueError(f"is no JMESPath expression: {words}") from None
    _check(ready.parsed)
    return ready


def _check(node: Any) -> None:
    if node["type"] == "function_expression":
        known = Exact.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise ValueError(f"calls the function {node['value']}(), which JMESPath does not have")
        wanted, given = known["signature"], len(node["children"])
        if given < len(wanted) or (given > len(wanted) and not wanted[-1].get("variadic")):
            raise ValueError(f"calls {node['value']}() with {given} arguments; it takes {len(wanted)}")
    if node["type"] == "literal" and _has_float(node["value"]):
        raise ValueError("holds a number with a point; write it as text, '19.90'")
    for child in node["children"]:
        if isinstance(child, dict):
            _check(child)


def _has_float(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


def _compilable(expression: str) -> str:
    compiled(expression)
    return expression


def search(name: str, expression: str | None, document: Any) -> Any:
    """What the expression finds; None for "" as well, which many sources write for nothing. Raises Unreadable."""
    if expression is None:
        return None
    try:
        found = compiled(expression).search(document, EXACT)
    except (ValueError, *FAILS) as fault:
        raise Unreadable(f"{name}: the expression fails on this delivery ({type(fault).__name__})") from None
    return None if isinstance(found, str) and not found else found


# -- The options --------------------------------------------------------------------------------------------------


def _wrong(*faults: tuple[str, str]) -> None:
    """Raises one ValidationError that names every one of these options."""
    found = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{words}", {"words": words}), loc=(*name.split("."),), input=None
        )
        for name, words in faults
    ]
    if found:
        raise ValidationError.from_exception_data("options", found)


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


def _zone(name: str) -> tzinfo:
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
    _zone(name)
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


def _place(text: str) -> Where:
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
    _place(text)
    return text


def _id_place(text: str) -> str:
    if isinstance(_place(text), Constant):
        raise ValueError(
            "is in a header:NAME, query:NAME or field:PATH; always the same, no delivery would be a new one"
        )
    return text


PART = re.compile(r"\{(body|timestamp|url|header:[^{}]+|query:[^{}]+)\}")


def _template(text: str) -> str:
    if re.search(r"[{}]", PART.sub("", text)) or not PART.search(text):
        raise ValueError("is made of {body}, {timestamp}, {url}, {header:NAME}, {query:NAME} and what stands between")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$", to_lower=True)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_compilable)]
# Our words for where an order stands; with `none`, a word of theirs that says nothing about it.
Word = Literal["pending", "overdue", "failed", "partially_paid", "paid", "canceled", "refunded", "none"]
PaymentWord = Literal["authorized", "taken", "failed", "canceled", "none"]
RefundWord = Literal["pending", "done", "failed", "reversed"]
Patterns = Annotated[tuple[Name, ...], BeforeValidator(_several)]

# What each scheme may say, beside its name.
SAYS = {
    "hmac": {
        *("header", "query", "algorithm", "encoding", "prefix", "key", "signed"),
        *("timestamp", "timestamp_unit", "tolerance"),
    },
    "token": {"header", "query", "field", "prefix"},
    "basic": set[str](),
    "standard": {"key", "tolerance"},
}
KEYS = {"text": text_key, "hex": hex_key, "base64": whsec_key}


class Signing(Options):
    """How a delivery is proven."""

    scheme: Literal["hmac", "token", "basic", "standard"]
    header: HeaderName | None = None
    query: Name | None = None
    field: Name | None = None
    algorithm: Literal["sha1", "sha256", "sha512"] | None = None
    encoding: Literal["hex", "base64"] | None = None
    prefix: Annotated[str, StringConstraints(max_length=50)] = ""
    key: Literal["text", "hex", "base64"] | None = None
    signed: Annotated[str, StringConstraints(max_length=500), AfterValidator(_template)] = "{body}"
    timestamp: HeaderName | None = None
    timestamp_unit: Literal["seconds", "milliseconds"] = "seconds"
    tolerance: Annotated[int, Ge(1), Le(86_400)] = 300

    @model_validator(mode="after")
    def _coherent(self) -> "Signing":
        says = SAYS[self.scheme]
        faults = [
            (name, f"means nothing to the scheme {self.scheme}")
            for name in sorted(self.model_fields_set - says - {"scheme"})
        ]
        if self.scheme == "hmac":
            faults += [(name, "is needed") for name in ("algorithm", "encoding") if getattr(self, name) is None]
            if "{timestamp}" in self.signed and self.timestamp is None:
                faults.append(("timestamp", "is needed: name the header that {timestamp} stands for"))
            if self.timestamp and "{timestamp}" not in self.signed:
                faults.append(("signed", "leaves out {timestamp}: a time that is not signed can be changed"))
        places = [name for name in ("header", "query", "field") if name in says]
        if places and sum(getattr(self, name) is not None for name in places) != 1:
            faults.append(("header", f"is needed, or one of the others: exactly one of {', '.join(places)}"))
        if self.prefix and self.header is None:
            faults.append(("prefix", "stands only in a header"))
        _wrong(*faults)
        return self


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


class MoneyOptions(Options):
    """What an amount counts: units (major), the currency's smallest unit (minor), or 10**-n units (n, for every one).

    `currencies` says what the source's own words for currencies stand for: {"IRHT": "10000 IRR", "R$": "BRL"}.
    """

    unit: Annotated[str, BeforeValidator(_digit), StringConstraints(pattern=r"^(major|minor|[0-8])$")]
    currency: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True), AfterValidator(_currency)] | None
    ) = None
    currencies: Annotated[dict[Name, Annotated[str, AfterValidator(_named)]], BeforeValidator(_group)] = {}
    decimal: Literal[".", ","] = "."  # with a comma, "R$ 1.234,50" is read as well


class Fields(Options):
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
        _wrong(*faults)
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
                _wrong((group, "is given as a whole and in parts: choose one"))
            if parts or group in given:
                plain[group] = parts or given[group]
        return plain

    @model_validator(mode="after")
    def _coherent(self) -> "GenericOptions":
        for thing in ("payment", "refund"):
            if getattr(self.fields, f"{thing}_state") and not getattr(self, f"{thing}_states"):
                _wrong((f"{thing}_states", f"is needed: what the words that fields.{thing}_state finds mean"))
        amounts = [name for name in AMOUNTS if getattr(self.fields, name)]
        if amounts and self.money is None:
            _wrong(("money", f"is needed: fields.{amounts[0]} is an amount"))
        if amounts and self.money and not (self.money.currency or self.fields.currency):
            _wrong(("money.currency", "is needed, or fields.currency"))
        return self


# -- What the expressions find ------------------------------------------------------------------------------------


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


class Document(Payload):
    """The whole parsed body."""

    document: Any


FOUND_IN_ITEM = tuple(FoundItem.model_fields)
OF_A_PAYMENT = (*FoundPayment.model_fields, "payment_at")
OF_A_REFUND = (*FoundRefund.model_fields, "refund_at")
AMOUNTS = ("value", "payment_value", "refunded_value", "refund_value", "item_unit_value")
# What an order cannot be without: where it is told and cannot be read, the delivery is unreadable.
NEEDED = frozenset(AMOUNTS) - {"item_unit_value"} | {
    *("external_id", "status", "currency", "payments", "refunds"),
    *("payment_id", "payment_state", "refund_id", "refund_state"),
}
READ_TIME = {"iso": TypeAdapter(Iso), "seconds": TypeAdapter(Seconds), "milliseconds": TypeAdapter(Milliseconds)}


class Generic(Adapter[Document]):
    name, title, origin = "generic", "Any signed webhook", Origin.WEBHOOK
    links = Links(signing="docs/generic.md", payload="docs/generic.md")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    options = GenericOptions
    reads = {}  # the options say which

    def scheme(self, options: Any) -> Signature:
        settled = _settled(options)
        return _scheme(settled.signature, settled.body)

    def document_of(self, delivery: Delivery) -> Any:
        form = delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        return delivery.document(PARSE["form" if form else "json"])

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        place = _place(options.kind)
        kind = place.read(delivery, lambda: delivery.document(PARSE[options.body]))
        if kind is None:
            raise Unreadable(f"the delivery does not say what happened: {options.kind} (option kind) is missing")
        return kind

    def delivery_id_of(self, delivery: Delivery, options: Any) -> str | None:
        if options.delivery_id is None:
            return None
        try:
            return _place(options.delivery_id).read(delivery, lambda: delivery.document(PARSE[options.body]))
        except Unreadable:
            return None

    def read(self, delivery: Delivery, kind: str, options: Any) -> Event[Document]:
        if any(fnmatchcase(kind, pattern) for pattern in options.ignores):
            raise Ignored(f"{kind[:100]} is among the kinds that the options ignore")
        if not any(fnmatchcase(kind, pattern) for pattern in options.reads):
            raise Ignored(f"{kind[:100]} is not among the kinds that the options read")
        document = delivery.document(PARSE[options.body])
        return Event(kind=kind, payload=Document(document=document), delivery=delivery, options=options)

    def orders(self, payload: Document, event: Event[Document]) -> Iterable[Order]:
        fields: Fields = event.options.fields
        if fields.orders is None:
            yield self._order(payload.document, event)
            return
        found = search("orders", fields.orders, payload.document)
        if not isinstance(found, list | None):
            raise Unreadable("orders: is not a list")
        for each in found or []:
            yield self._order(each, event)

    def _order(self, document: Any, event: Event[Document]) -> Order:
        return _Reading(event.options, document).order(event.kind)


def _settled(options: Any) -> GenericOptions:
    """The options, validated: they are read from the store as they were saved. Raises Unverified when they no longer are."""
    if isinstance(options, GenericOptions) and isinstance(getattr(options, "signature", None), Signing):
        return options
    try:
        return GenericOptions.model_validate(dict(getattr(options, "__dict__", {})))
    except ValidationError:
        raise Unverified(Unverified.NO_SECRET) from None


@lru_cache(maxsize=1024)
def _scheme(signing: Signing, body: Literal["json", "form"]) -> Signature:
    match signing.scheme:
        case "token":
            if signing.field:
                return body_token(signing.field, body)
            return Token(header=signing.header, query=signing.query, prefix=signing.prefix)
        case "basic":
            return Token(header="authorization", basic=True)
        case "standard":
            return StandardWebhooks(key=KEYS[signing.key or "base64"], tolerance=signing.tolerance)
    if signing.algorithm is None or signing.encoding is None:
        raise Unverified(Unverified.NO_SECRET)
    return Hmac(
        header=signing.header or (),
        query=signing.query,
        algorithm=signing.algorithm,
        encoding=signing.encoding,
        prefix=signing.prefix,
        key=KEYS[signing.key or "text"],
        message=_message(signing),
        proves_body="{body}" in signing.signed,
        signed_words=f"`{signing.signed}`",
        time_header=signing.timestamp,
        time_unit=1000 if signing.timestamp_unit == "milliseconds" else 1,
        tolerance=signing.tolerance,
    )


def _message(signing: Signing) -> Callable[[Delivery], bytes]:
    """What is signed, put together as the template says; what the delivery lacks is empty."""
    parts = re.split(r"\{([^{}]+)\}", signing.signed)

    def message(delivery: Delivery) -> bytes:
        made = b""
        for at, part in enumerate(parts):
            source, _, name = part.partition(":")
            if at % 2 == 0:
                made += part.encode()
            elif part == "body":
                made += delivery.body
            elif part == "url":
                made += delivery.url.encode()
            elif source == "query":
                made += delivery.query.get(name, "").encode("utf-8", "surrogateescape")
            else:
                header = (signing.timestamp or "") if part == "timestamp" else name.lower()
                made += delivery.headers.get(header, "").encode("latin-1", "replace")
        return made

    return message


def _with_point(amount: str) -> str:
    """R$ 1.234,50 → 1234.50"""
    return re.sub(r"[^\d,-]", "", amount).replace(",", ".")


class _FieldUnreadable(Unreadable):
    """Raised where a thing lacks what it needs: an order its id, an item its title."""


class _Reading:
    """One order of a delivery, as the options say where it stands. `notes` are what was left out or not known."""

    def __init__(self, options: GenericOptions, document: Any) -> None:
        self.options, self.document = options, document
        self.notes: list[str] = []
        self.found: Found = self._found(Found, document)

    def order(self, kind: str) -> Order:
        found, options = self.found, self.options
        word = kind if options.fields.status is None else found.status
        ours = options.statuses.get(word or "")
        items = None if found.items is None else tuple(self._items(found.items))
        value = self._money(found.value)
        return Order(
            external_id=found.external_id,
            status=(UNKNOWN if word else None) if ours is None else None if ours == "none" else Status(ours),
            source_status=word,
            title=found.title or order_title(found.number, items or ()),
            bills=() if value is None else (Bill(value=value),),
            payments=tuple(self._payments()),
            refunds=tuple(self._refunds()),
            customer=Customer(
                crm_id=found.crm_id,
                id=found.customer_id,
                name=found.name,
                emails=found.email,
                phones=found.phone,
                documents=found.document,
                country=found.country,
            ),
            items=items,
            url=found.url,
            test=found.test,
            deal_id=found.deal_id,
            at=self._time("at", self.document),
            sequence=found.sequence,
            ordered_at=self._time("ordered_at", self.document),
            paid_at=self._time("paid_at", self.document),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _payments(self) -> Iterable[Payment]:
        for place, one in self._each("payment", self.found.payments):
            told = self._found(FoundPayment, one, place)
            word = self._word(told.payment_state, self.options.payment_states)
            value = self._money(told.payment_value)
            if value is not None or word is not None:
                yield Payment(
                    id=told.payment_id or "",
                    value=value,
                    state=None if word in (None, "none") else PaymentState(word),
                    at=self._time("payment_at", one, place),
                )

    def _refunds(self) -> Iterable[Refund]:
        fields = self.options.fields
        if fields.refund_value is None:
            back = self._money(self.found.refunded_value)
            name = self._found(FoundRefund, self.document).refund_id if fields.refund_id else None
            if back:
                yield Refund(id=name, value=back, total=name is None)
            return
        for place, one in self._each("refund", self.found.refunds):
            told = self._found(FoundRefund, one, place)
            value = self._money(told.refund_value)
            if fields.refunds is None and value is None and not told.refund_id:
                continue  # this delivery tells of none
            word = "done" if fields.refund_state is None else self._word(told.refund_state, self.options.refund_states)
            yield Refund(
                id=told.refund_id,
                value=value,
                state=RefundState(word or "pending"),
                kind=RefundKind.CHARGEBACK if told.refund_chargeback else RefundKind.REFUND,
                at=self._time("refund_at", one, place),
                payment=told.refund_payment,
            )

    def _each(self, thing: str, listed: list[Any] | None) -> Iterable[tuple[str, Any]]:
        """The things of a list, each with its place; the order itself, where the options name no list."""
        if getattr(self.options.fields, f"{thing}s"):
            yield from ((f"{thing}s.{at}.", one) for at, one in enumerate(listed or ()))
        elif getattr(self.options.fields, f"{thing}_value"):
            yield "", self.document

    def _word(self, word: str | None, words: Mapping[str, str]) -> str | None:
        """Our word for theirs; None, with a note, for one that is not in the table."""
        if word and word not in words:
            self.notes.append("unknown_status")
        return words.get(word or "")

    def _items(self, listed: list[Any]) -> Iterable[Item]:
        for at, one in enumerate(listed):
            try:
                told = self._found(FoundItem, one, f"items.{at}.")
                quantity = Decimal(1) if told.item_quantity is None else told.item_quantity
                price = self._money(told.item_unit_value, exact=False)
                yield Item(title=told.item_title, quantity=quantity, unit_value=price, sku=told.item_sku)
            except _FieldUnreadable:
                self.notes.append(FIELD_LEFT_OUT)

    def _found(self, model: type[Any], document: Any, place: str = "") -> Any:
        """What the expressions of this model's fields find. Raises Unreadable, naming every wrong one that is needed."""
        fields, money = self.options.fields, self.options.money
        values = {name: search(place + name, getattr(fields, name), document) for name in model.model_fields}
        if money and money.decimal == ",":
            values.update({name: _with_point(values[name]) for name in AMOUNTS if isinstance(values.get(name), str)})
        try:
            found = validated(model, values)
        except Unreadable as why:
            raise _FieldUnreadable(f"{place}{why.reason}") from None
        if found.left_out:
            if any(values[name] is not None and getattr(found, name) in (None, "") for name in NEEDED & values.keys()):
                raise Unreadable(f"{place}{found.left_out}")
            self.notes.append(FIELD_LEFT_OUT)
        return found

    def _money(self, amount: Decimal | None, *, exact: bool = True) -> Money | None:
        """The amount in the order's currency. Raises Unreadable for one that is not exact, or of no currency."""
        money = self.options.money
        if amount is None or money is None:
            return None
        word = self.found.currency or money.currency
        if word is None:
            raise Unreadable("currency: is needed wherever an amount is given")
        named = NAMED.fullmatch(money.currencies.get(word, word.strip().upper()))
        if named is None or named[2] not in CODES:
            raise Unreadable("currency: is none of ISO 4217 (option money.currencies names a source's own)")
        code, times = named[2], int(named[1] or 1)
        if money.unit == "minor" and amount != amount.to_integral_value():
            raise Unreadable("an amount is no whole number of the currency's smallest unit (option money.unit)")
        steps = {"major": 0, "minor": decimals(code)}.get(money.unit)
        steps = int(money.unit) if steps is None else steps
        if amount.adjusted() > 20:
            raise Unreadable("the amount is too large to be an order's")
        if not exact:
            return Money.scaled(amount * times, steps, code)
        if steps or times > 1:  # counted in steps, a zero at the end says nothing
            amount = (amount * times).scaleb(-steps).normalize()
        return Money.exact(amount, code)

    def _time(self, name: str, document: Any, place: str = "") -> datetime | None:
        """The time; None, with a note, for one that is there and cannot be read."""
        found = search(place + name, getattr(self.options.fields, name), document)
        if found is None:
            return None
        try:
            reader = READ_TIME.get(self.options.times)
            moment = reader.validate_python(found) if reader else datetime.strptime(str(found), self.options.times)
        except ValueError:
            self.notes.append(FIELD_LEFT_OUT)
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=_zone(self.options.zone))
