"""What a row of a file says, checked: every wrong field of it at once, and nothing guessed about money or time."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic_core import from_json, to_json

from adapters.contract import RANK, Origin, currency_code
from adapters.contract.errors import Unreadable
from adapters.contract.fold import SO_FAR
from adapters.contract.money import DECIMALS, MAX_MINOR
from app.identity import document, email, phone
from app.statement import MAX_ITEMS, TITLE_LENGTH, UNTIMED, entry_digest
from app.store.importing import OrderRow
from app.transfer import BETWEEN, CSV, ORDERS, Fault, Given, NoFile, rows_of

ORDER_ID = re.compile(r"ord_[0-9A-HJKMNP-TV-Z]{26}")
CONTACT_ID = re.compile(r"cnt_[0-9A-HJKMNP-TV-Z]{26}")
_AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")
_URL = re.compile(r"https?://[^/\s]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 7_258_118_400_000_000  # 2200, in microseconds: as far as any source's times are read
_DAY = 86_400_000_000
MOST_PLACES = 1000  # pairs of source and origin that are remembered
_RANKS = {str(status): rank for status, rank in RANK.items()}
_ORIGINS = frozenset(map(str, Origin))
_LONGEST_NUMBER = 10**30
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_ITEM = {"title", "quantity", "unit_value", "sku"}

# Columns that are no plain text, and may be a list or a number in JSON.
_SHAPED = frozenset({"items", "contact_email", "contact_phone", "contact_document", "contact_customer_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a file's rows are read by: the account's own words, and what goes for rows that do not say.

    `sources` are the account's (id: origin). `renamed` says under which id here a source of another registry stands;
    None: its orders belong to no source here. `present` is in microseconds.
    """

    region: str
    currency: str
    sources: Mapping[str, str]
    renamed: Mapping[str, str | None]
    source_id: str | None
    origin: str
    present: int
    ignore_unknown: bool = False


@dataclass(slots=True)
class Read:
    """A part's rows that are well-formed, why the others are not, and what was left out."""

    rows: list[OrderRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)


class Wrong(Exception):
    """A field cannot be read; the message says why and what it should be."""


def read_orders(form: str, text: str, line: int, setting: Setting) -> Read:
    """The orders of a part. Raises NoFile when its header cannot be read."""
    reader = _Orders(setting)
    read = reader.read
    for at, given in rows_of(form, text, line, ORDERS, read.faults, ignore_unknown=setting.ignore_unknown):
        if form != CSV:
            reader.line = at
            if not reader.plain(given):
                continue
        made = reader.order(at, given)
        if made is not None:
            read.rows.append(made)
    read.faults.sort(key=lambda fault: fault.line)
    return read


class _Orders:
    """Reads one row after another. A field that is wrong is noted down, so that a row tells all its faults at once."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.read = Read()
        self.line = 0
        self._latest = setting.present + _DAY
        self._places: dict[tuple[str | None, str | None], tuple[str | None, str] | None] = {}
        self._currencies: dict[str | None, str | None] = {None: setting.currency}

    def _wrong(self, name: str, message: str) -> None:
        self.read.faults.append(Fault(self.line, name, message))

    def _note(self, name: str, message: str) -> None:
        self.read.notes.append(Fault(self.line, name, message))

    def plain(self, given: Given) -> bool:
        """Makes numbers and truth values of JSON text, where a column is text; tells whether that was possible."""
        well = True
        for name, value in given.items():
            if type(value) is str or name in _SHAPED:
                continue
            if type(value) is bool:
                given[name] = "true" if value else "false"
            elif type(value) is int and abs(value) < _LONGEST_NUMBER:
                given[name] = str(value)
            else:
                why = ': write amounts as "199.90", a binary number is not exact' if type(value) is float else ""
                self._wrong(name, f"must be text{why}")
                well = False
        return well

    def order(self, line: int, given: Given) -> OrderRow | None:
        """The row, or None when something of it is wrong."""
        self.line = line
        before = len(self.read.faults)
        get = given.get
        source_id, origin = self._source(get("source_id"), get("origin"))
        external_id = get("external_id")
        if external_id is None or not external_id.strip():
            self._wrong("external_id", "is needed: by it the same order is known again")
            external_id = ""
        elif len(external_id) > 255:
            self._wrong("external_id", "is longer than 255 characters")
        said: dict[str, Any] = {"external_id": external_id}
        rank = self._status(said, get("status"))
        if (text := get("source_status")) is not None:
            said["source_status"] = self._short("source_status", text, 200)
        if (text := get("title")) is not None and (text := text.strip()):
            said["title"] = self._short("title", text, TITLE_LENGTH)
        currency = self._money(said, get)
        at = UNTIMED
        for name in ("ordered_at", "paid_at"):
            if (text := get(name)) is not None and (moment := self._time(name, text)) is not None:
                said[name] = moment
                if at < moment <= self._latest:
                    at = moment
        contact = self._customer(said, get, source_id)
        if (items := get("items")) is not None:
            try:
                said["items"] = items_of(items, currency)
            except Wrong as why:
                self._wrong("items", str(why))
        if (text := get("url")) is not None:
            if _URL.match(text) and len(text) <= 2000:
                said["url"] = text
            else:
                self._note("url", "was left out: it is no address that begins with https:// or http://")
        if (word := get("test")) is not None:
            truth = _TRUTH.get(word.strip().lower())
            if truth is None:
                self._wrong("test", "is neither true nor false")
            said["test"] = truth
        if (text := get("deal_id")) is not None and (text := text.strip()):
            said["deal_id"] = self._short("deal_id", text, 255)
        created_at = self._past("created_at", get("created_at"))
        updated_at = self._past("updated_at", get("updated_at"))
        if len(self.read.faults) > before:
            return None
        order_id = get("id")
        if order_id is not None and not ORDER_ID.fullmatch(order_id):
            order_id = None
        spelt = to_json(said).decode()
        return OrderRow(
            line, source_id or origin, source_id, origin, external_id, at if updated_at is None else updated_at, rank,
            entry_digest(f"import\n{contact or ''}", spelt), said, spelt, contact, order_id, created_at, updated_at,
        )  # fmt: skip

    def _short(self, name: str, text: str, length: int) -> str:
        if len(text) > length:
            self._wrong(name, f"is longer than {length} characters")
        return text

    def _source(self, source_id: str | None, origin: str | None) -> tuple[str | None, str]:
        """The source here, and where the order came from. Most rows of a file name the same."""
        found = self._places.get((source_id, origin))
        if found is None:
            before = len(self.read.faults)
            found = self._placed(source_id, origin)
            if len(self.read.faults) == before and len(self._places) < MOST_PLACES:
                self._places[source_id, origin] = found
        return found

    def _placed(self, source_id: str | None, origin: str | None) -> tuple[str | None, str]:
        setting = self._setting
        if source_id is None:
            source_id = setting.source_id
        else:
            source_id = source_id.strip()
            source_id = setting.renamed.get(source_id, source_id)
        if origin is not None and (origin := origin.strip().lower()) not in _ORIGINS:
            self._wrong("origin", f"is none of {', '.join(Origin)}")
            origin = None
        if source_id is None:
            return None, origin or setting.origin
        its = setting.sources.get(source_id)
        if its is None:
            self._wrong(
                "source_id",
                f"there is no source {source_id[:64]} here; leave it empty, or say which of this account's sources it is",
            )
            return None, setting.origin
        if origin is not None and origin != its:
            self._wrong("origin", f"orders of this source are {its}")
        return source_id, its

    def _status(self, said: dict[str, Any], word: str | None) -> int:
        """Our word for where the order stands; gives its rank."""
        if word is None:
            return -1
        rank = _RANKS.get(word)
        if rank is None:
            word = word.strip().lower()
            rank = _RANKS.get(word)
            if rank is None:
                self._wrong("status", f"is none of {', '.join(_RANKS)}; the source's own word goes into source_status")
                return -1
        said["status"] = word
        return rank

    def _money(self, said: dict[str, Any], get: Callable[[str], Any]) -> str:
        """The amounts; gives the currency."""
        word = get("currency")
        currency = self._currencies.get(word)
        if currency is None:
            try:
                currency = self._currencies[word] = currency_code(word or "")
            except Unreadable:
                self._wrong("currency", "is not an ISO 4217 code of three letters, such as BRL")
                return self._setting.currency
        if (text := get("value")) is not None:
            try:
                said["value"] = minor_of(text, currency)
                said["currency"] = currency
            except Wrong as why:
                self._wrong("value", str(why))
        if (text := get("refunded_value")) is not None:
            try:
                back = minor_of(text, currency)
                if back < 0:
                    raise Wrong("is below 0")
                if back:
                    said["refunds"] = {SO_FAR: [back, currency]}
            except Wrong as why:
                self._wrong("refunded_value", str(why))
        return currency

    def _time(self, name: str, text: str) -> int | None:
        try:
            return moment_of(text)
        except Wrong as why:
            self._wrong(name, str(why))
            return None

    def _past(self, name: str, text: str | None) -> int | None:
        moment = None if text is None else self._time(name, text)
        if moment is not None and moment > self._latest:
            self._wrong(name, "lies in the future")
        return moment

    def _customer(self, said: dict[str, Any], get: Callable[[str], Any], source_id: str | None) -> str | None:
        """The identities that the row names; gives the id of the contact, if it names one."""
        contact, crm_id = get("contact_id"), get("crm_contact_id")
        if contact is not None and not CONTACT_ID.fullmatch(contact):
            contact, crm_id = None, crm_id or contact  # people write the CRM's id there: the API takes either, too
        known: list[tuple[str, str]] = []
        if crm_id is not None and (crm_id := crm_id.strip()):
            known.append(("crm", self._short("crm_contact_id", crm_id, 255)))
        if source_id is not None and (cell := get("contact_customer_id")) is not None:
            known += [
                ("source", f"{source_id}:{one[:200]}") for one in self._several("contact_customer_id", cell, whole=True)
            ]
        invalid: list[str] = []
        if (cell := get("contact_document")) is not None:
            for one in self._several("contact_document", cell):
                known.append(("document", value)) if (value := document(one)) else invalid.append("contact_document")
        if (cell := get("contact_email")) is not None:
            for one in self._several("contact_email", cell):
                known.append(("email", value)) if (value := email(one)) else invalid.append("contact_email")
        if (cell := get("contact_phone")) is not None:
            region = self._setting.region
            for one in self._several("contact_phone", cell):
                known.append(("phone", value)) if (value := phone(one, region)) else invalid.append("contact_phone")
        for name in invalid:
            what = f"is no valid {name.removeprefix('contact_')}"
            if known or contact is not None:
                self._note(name, f"was left out: it {what}")
            else:
                self._wrong(name, f"{what}, and the row names its contact by nothing else")
        name_ = get("contact_name")
        name_ = name_ and self._short("contact_name", name_.strip(), TITLE_LENGTH)
        if len(known) > 2:
            known = list(dict.fromkeys(known))
        if known or name_:
            said["customer"] = {"identities": known, "name": name_} if name_ else {"identities": known}
        return contact

    def _several(self, name: str, cell: Any, *, whole: bool = False) -> list[str]:
        try:
            return several(cell, whole=whole)
        except Wrong as why:
            self._wrong(name, str(why))
            return []


def several(cell: Any, *, whole: bool = False) -> list[str]:
    """The values of a cell that may hold several, parted by ` | `, or of a list. Raises Wrong."""
    if isinstance(cell, str):
        found = cell.split(BETWEEN) if BETWEEN in cell else [cell]
    elif isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < _LONGEST_NUMBER:
        found = [str(cell)]
    elif isinstance(cell, list) and len(cell) <= 100 and all(isinstance(one, str) for one in cell):
        found = cell
    else:
        raise Wrong("must be text, or a list of texts")
    return [one for text in found if (one := text.strip())]


def minor_of(text: str, currency: str) -> int:
    """The amount in the currency's smallest unit; exact, never rounded. Raises Wrong."""
    places = DECIMALS.get(currency, 2)
    whole, point, rest = text.partition(".")
    digits = whole + rest
    as_usual = whole and bool(point) is (places > 0) and len(rest) == places and len(digits) < 16
    if not (as_usual and digits.isdecimal() and digits.isascii()):
        text = text.strip()
        if not _AMOUNT.fullmatch(text):
            example = "199.90" if places == 2 else "1500"
            raise Wrong(f"is no amount: write it with a point and without thousands' marks, such as {example}")
        whole, point, rest = text.partition(".")
        if rest[places:].strip("0"):
            raise Wrong(f"has more decimals than {currency} has ({places})")
        digits = whole + rest[:places].ljust(places, "0")
    minor = int(digits)
    if abs(minor) > MAX_MINOR:
        raise Wrong("is too large to be an order's")
    return minor


def moment_of(text: str) -> int:
    """A time in ISO 8601 in microseconds since 1970; without a zone it is UTC. Raises Wrong."""
    try:
        at = datetime.fromisoformat(text.strip())
        since = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise Wrong("is no time in ISO 8601, such as 2026-11-20T13:00:00Z or 2026-11-20") from None
    found = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not 0 <= found < _LATEST:
        raise Wrong("lies outside of 1970 to 2200")
    return found


def items_of(given: Any, currency: str) -> list[dict[str, Any]]:
    """An order's lines as the history keeps them, from a list or its JSON. Raises Wrong."""
    if isinstance(given, str):
        try:
            given = from_json(given, allow_inf_nan=False)
        except ValueError:
            raise Wrong('is no JSON, such as [{"title": "Shoes", "quantity": 2, "unit_value": "199.00"}]') from None
    if not isinstance(given, list):
        raise Wrong("is no list")
    if len(given) > MAX_ITEMS:
        raise Wrong(f"has more than {MAX_ITEMS} lines")
    return [_item(at, one, currency) for at, one in enumerate(given, start=1)]


def _item(at: int, given: Any, currency: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not isinstance(given.get("title"), str):
        raise Wrong(f"line {at} has no title")
    if unknown := given.keys() - _ITEM:
        raise Wrong(f"line {at}: there is no such field: {', '.join(sorted(unknown))[:200]}")
    if len(given["title"]) > TITLE_LENGTH:
        raise Wrong(f"line {at}: title is longer than {TITLE_LENGTH} characters")
    kept: dict[str, Any] = {"title": given["title"], "quantity": _quantity(at, given.get("quantity", 1))}
    if (unit := given.get("unit_value")) is not None:
        if not isinstance(unit, str | int) or isinstance(unit, bool) or (isinstance(unit, int) and unit > MAX_MINOR):
            raise Wrong(f'line {at}: unit_value must be text, such as "199.00"')
        try:
            kept["unit_value"] = [minor_of(str(unit), currency), currency]
        except Wrong as why:
            raise Wrong(f"line {at}: unit_value {why}") from None
    if (sku := given.get("sku")) is not None:
        if not isinstance(sku, str) or len(sku) > 255:
            raise Wrong(f"line {at}: sku must be text of at most 255 characters")
        if sku:
            kept["sku"] = sku
    return kept


def _quantity(at: int, given: Any) -> str:
    try:
        if isinstance(given, bool) or not isinstance(given, str | int | float):
            raise ValueError
        number = Decimal(str(given))
        if not number.is_finite() or abs(number.adjusted()) > 12:
            raise ValueError
    except (ValueError, ArithmeticError):
        raise Wrong(f"line {at}: quantity is no number of things") from None
    return str(number)


__all__ = ["NoFile", "Read", "Setting", "Wrong", "items_of", "minor_of", "moment_of", "read_orders", "several"]
