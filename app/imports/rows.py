"""Validates the rows of a file: every wrong field is reported at once; money and times are never guessed.

This is longer than 400 lines: a reader for each kind of file, beside what both share.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import partial
from typing import Any, Generic, TypeVar

from adapters.contract import RANK, Origin, Status, currency_code
from adapters.contract.cash import IMPORTED, TAKEN
from adapters.contract.errors import Unreadable
from app.base.amounts import read_amount
from app.base.identity import document, email, phone
from app.base.statement import TITLE_LENGTH, UNTIMED, Statement, entry_digest
from app.base.tabular import CSV, ITEM_COLUMNS, Fault, Given, rows_of
from app.base.tuning import Tuning
from app.db.statements import to_json
from app.imports.cells import LONGEST_NUMBER, LOST, SHORTENED, items_of, several, time_of
from app.imports.presets import OURS, FileForm
from app.store.import_contacts import ContactRow
from app.store.import_orders import OrderRow

ORDER_ID = re.compile(r"ord_[0-9A-HJKMNP-TV-Z]{26}")
CONTACT_ID = re.compile(r"cnt_[0-9A-HJKMNP-TV-Z]{26}")
_URL = re.compile(r"https?://[^/\s]")
_DAY = 86_400_000_000
_RANKS = {str(status): rank for status, rank in RANK.items()}
_ORIGINS = frozenset(map(str, Origin))
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """Holds what a file's rows are read with: the account's settings, and defaults for rows that do not say.

    `sources` are the account's (id: origin). `renamed` maps source ids of another registry to ours; None: no source
    here. `present` is in microseconds. `zone` is that of times that name none. `form` is how the file writes things.
    """

    region: str
    currency: str
    sources: Mapping[str, str]
    renamed: Mapping[str, str | None]
    source_id: str | None
    origin: str
    present: int
    ignore_unknown: bool = False
    zone: tzinfo = UTC
    form: FileForm = OURS


RowT = TypeVar("RowT", OrderRow, ContactRow)


@dataclass(slots=True)
class Batch(Generic[RowT]):
    """Holds rows for one transaction, why others are not among them, and what was left out."""

    rows: list[RowT]
    faults: list[Fault]
    notes: list[Fault]


class _Reader(Generic[RowT]):
    """Reads one row after another. Wrong fields are collected, so that a row reports all of them at once."""

    shaped: frozenset[str]  # columns that are no plain text, and may be a list or a number in JSON

    def __init__(self, setting: ImportSettings) -> None:
        self.setting = setting
        self.faults: list[Fault] = []
        self.notes: list[Fault] = []
        self.line = 0
        self.columns = setting.form.columns
        self._latest = setting.present + _DAY
        self._people: dict[Any, tuple[int, dict[str, set[str]]]] = {}  # by id: the line, and identities by kind

    def read(self, given: Given) -> RowT | None:
        """Return the row, or None when something in it is wrong."""
        raise NotImplementedError

    def grouped(self, rows: Iterator[tuple[int, Given]]) -> Iterator[tuple[int, Given]]:
        """Yield the rows; those of a kind whose rows may belong together, together."""
        return rows

    def batches(self, form: str, text: str, line: int, tuning: Tuning = Tuning()) -> Iterator[Batch[RowT]]:
        """Yield the rows of a part of a file; `line` is that of its first row.

        Raises NoFile when its header cannot be read.
        """
        rows: list[RowT] = []
        names = 0
        given_rows = rows_of(form, text, line, self.columns, self.faults, ignore_unknown=self.setting.ignore_unknown)
        for number, given in self.grouped(given_rows):
            self.line = number
            row = self.read(given) if form == CSV or self._plain(given) else None
            if row is None:
                continue
            its = 1 + len(row.identities)
            if rows and (len(rows) == tuning.import_rows or names + its > tuning.import_names):
                yield self._batch(rows)
                rows, names = [], 0
            rows.append(row)
            names += its
        yield self._batch(rows)

    def _batch(self, rows: list[RowT]) -> Batch[RowT]:
        batch = Batch(rows, self.faults[:], self.notes[:])
        self.faults.clear()
        self.notes.clear()
        return batch

    def _wrong(self, name: str, message: str) -> None:
        self.faults.append(Fault(self.line, name, message))

    def _note(self, name: str, message: str) -> None:
        self.notes.append(Fault(self.line, name, message))

    def _plain(self, given: Given) -> bool:
        """Convert numbers and booleans of JSON to text, where a column is text. Returns whether that was possible."""
        well = True
        for name, value in given.items():
            if type(value) is str or name in self.shaped:
                continue
            if type(value) is bool:
                given[name] = "true" if value else "false"
            elif type(value) is int and abs(value) < LONGEST_NUMBER:
                given[name] = str(value)
            else:
                why = ': write amounts as "199.90", a binary number is not exact' if type(value) is float else ""
                self._wrong(name, f"must be text{why}")
                well = False
        return well

    def _short(self, name: str, text: str, length: int) -> str:
        if len(text) > length:
            self._wrong(name, f"is longer than {length} characters")
        return text

    def _time(self, name: str, text: str) -> int | None:
        try:
            return time_of(text, self.setting.zone, self.setting.form.dates)
        except ValueError as why:
            self._wrong(name, str(why))
            return None

    def _past(self, name: str, text: str | None) -> int | None:
        moment = None if text is None else self._time(name, text)
        if moment is not None and moment > self._latest:
            self._wrong(name, "lies in the future")
        return moment

    def _id(self, name: str, text: str) -> str:
        """Return an id, unless a spreadsheet took it for a number."""
        if SHORTENED.fullmatch(text):
            self._wrong(name, LOST)
        return self._short(name, text, 255)

    def _same_person(self, key: Any, name: str, known: Sequence[tuple[str, str]]) -> None:
        """Note an id that stood in an earlier row, with another person's identities."""
        mine: dict[str, set[str]] = {}
        for kind, value in known:
            mine.setdefault(kind, set()).add(value)
        line, theirs = self._people.setdefault(key, (self.line, mine))
        if line != self.line and any(not theirs[kind] & mine[kind] for kind in theirs.keys() & mine.keys()):
            self._note(
                name, f"stands in line {line} as well, with somebody else's identities; is it one id of two people?"
            )

    def _several(self, name: str, cell: Any) -> list[str]:
        try:
            return [] if cell is None else several(cell)
        except ValueError as why:
            self._wrong(name, str(why))
            return []

    def _identities(
        self, get: Callable[[str], Any], columns: tuple[str, str, str]
    ) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the valid documents, e-mails and phones of these columns; the column of each that is none."""
        readers: tuple[Callable[[str], str | None], ...] = (
            document,
            email,
            partial(phone, region=self.setting.region),
        )
        known: list[tuple[str, str]] = []
        invalid: list[str] = []
        for kind, name, read in zip(("document", "email", "phone"), columns, readers, strict=True):
            for one in self._several(name, get(name)):
                if value := read(one):
                    known.append((kind, value))
                else:
                    invalid.append(name)
        return known, invalid


LINES = "lines"  # of an order, each from a row of its own


def _goes_on(order: Given, row: Given) -> bool:
    """Return whether a row tells of a further line of the order: it names the same, and no other."""
    names = [name for name in ("external_id", "title", "source_id") if name in row]
    return LINES in order and bool(names) and all(row[name] == order.get(name) for name in names)


class OrderReader(_Reader[OrderRow]):
    """Reads orders."""

    shaped = frozenset({"items", LINES, "contact_email", "contact_phone", "contact_document", "contact_customer_id"})

    def grouped(self, rows: Iterator[tuple[int, Given]]) -> Iterator[tuple[int, Given]]:
        """Yield the rows; rows that each tell of one line of the same order as one, with the number of the first."""
        held: tuple[int, Given] | None = None
        for line, given in rows:
            item = {name.removeprefix("item_"): given.pop(name) for name in ITEM_COLUMNS if name in given}
            if held and item and _goes_on(held[1], given):
                held[1][LINES].append(item)
                self.line = line
                for name in given:
                    if given[name] != held[1].get(name):
                        self._note(name, f"says something else than line {held[0]} of the same order, which counts")
                continue
            if held:
                yield held
            held = (line, {**given, LINES: [item]} if item else given)
        if held:
            yield held

    def read(self, given: Given) -> OrderRow | None:
        """Return the row, or None when something in it is wrong."""
        before = len(self.faults)
        get = given.get
        source_id, origin = self._source(get("source_id"), get("origin"))
        external_id = get("external_id")
        if external_id is None or not external_id.strip():
            self._wrong("external_id", "is needed: by it the same order is known again")
            external_id = ""
        else:
            self._id("external_id", external_id)
        said: dict[str, Any] = {"external_id": external_id}
        rank = self._status(said, get("status"), get("canceled_at"))
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
        if (items := given.get(LINES) or get("items")) is not None:
            try:
                said["items"] = items_of(items, currency, self.setting.form.decimal if LINES in given else None)
            except ValueError as why:
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
            said["deal_id"] = self._id("deal_id", text)
        created_at = self._past("created_at", get("created_at"))
        updated_at = self._past("updated_at", get("updated_at"))
        if len(self.faults) > before:
            return None
        order_id = get("id")
        if order_id is not None and not ORDER_ID.fullmatch(order_id):
            order_id = None
        if updated_at is not None:
            at = updated_at
        digest = entry_digest(f"import\n{contact or ''}", to_json(said))
        statement = Statement(names=(external_id,), at=at, rank=rank, digest=digest, said=said)
        return OrderRow(self.line, source_id, origin, statement, contact, order_id, created_at, updated_at)

    def _source(self, source_id: str | None, origin: str | None) -> tuple[str | None, str]:
        """Return the source here, and the order's origin."""
        setting = self.setting
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

    def _status(self, said: dict[str, Any], word: str | None, canceled_at: str | None) -> int:
        """Set our status. Returns its rank. A platform's word that is not known never becomes `paid`."""
        known = self.setting.form.statuses
        if known is not None and word is not None:
            said["source_status"] = self._short("source_status", word.strip(), 200)
            word = known.get(word.strip().lower())
            if word is None:
                self._note("status", f"{said['source_status'][:60]!r} is not known; the order keeps its status")
        if canceled_at is not None and word in (None, Status.PENDING, Status.OVERDUE):
            word = Status.CANCELED
        if word is None:
            return -1
        word = word.strip().lower()
        rank = _RANKS.get(word)
        if rank is None:
            self._wrong("status", f"is none of {', '.join(_RANKS)}; the source's own word goes into source_status")
            return -1
        said["status"] = word
        return rank

    def _money(self, said: dict[str, Any], get: Callable[[str], Any]) -> str:
        """Set the amounts. Returns the currency."""
        currency = self.setting.currency
        if (word := get("currency")) is not None:
            try:
                currency = currency_code(word)
            except Unreadable:
                self._wrong("currency", "is not an ISO 4217 code of three letters, such as BRL")
                return currency
        if (text := get("value")) is not None:
            said["value"] = self._amount("value", text, currency)
            said["currency"] = currency
        paid, back = (
            0 if (text := get(name)) is None else self._amount(name, text, currency)
            for name in ("paid_value", "refunded_value")
        )
        value = said.get("value", 0)
        # What the status and the refunds prove to have been paid is not told again.
        if paid and paid != (value if said.get("status") in (Status.PAID, Status.REFUNDED) else back):
            said["payments"] = [{"id": IMPORTED, "value": paid, "currency": currency, "state": TAKEN}]
        if back:  # of what was paid above the value, `refunded_value` counts nothing
            excess = max(0, paid - value) if "value" in said else 0
            said["refunds"] = {IMPORTED: [back + excess, currency]}
        return currency

    def _amount(self, name: str, text: str, currency: str) -> int:
        """Return an amount in the smallest unit; 0 when it is wrong, and the row is refused."""
        try:
            return read_amount(text.strip(), currency, decimal=self.setting.form.decimal)
        except ValueError as why:
            self._wrong(name, str(why))
            return 0

    def _customer(self, said: dict[str, Any], get: Callable[[str], Any], source_id: str | None) -> str | None:
        """Set the contact's identities and name. Returns the contact's id, if the row names one."""
        contact: str | None = get("contact_id")
        crm_id: str | None = get("crm_contact_id")
        if contact is not None and not CONTACT_ID.fullmatch(contact):
            contact, crm_id = None, crm_id or contact  # people write the CRM's id there: the API takes either, too
        known: list[tuple[str, str]] = []
        if crm_id is not None and (crm_id := crm_id.strip()):
            known.append(("crm", self._id("crm_contact_id", crm_id)))
        if source_id is not None:
            cell = get("contact_customer_id")
            its = [self._id("contact_customer_id", one) for one in self._several("contact_customer_id", cell)]
            known += [("source", f"{source_id}:{one[:200]}") for one in its if one != self.setting.form.guest]
        found, invalid = self._identities(get, ("contact_document", "contact_email", "contact_phone"))
        known += found
        for name in invalid:
            what = f"is no valid {name.removeprefix('contact_')}"
            if known or contact is not None:
                self._note(name, f"was left out: it {what}")
            else:
                self._wrong(name, f"{what}, and the row names its contact by nothing else")
        called: str | None = " ".join(filter(None, (get("contact_name"), get("contact_last_name")))) or None
        called = (called and self._short("contact_name", called.strip(), TITLE_LENGTH)) or None
        known = list(dict.fromkeys(known))
        self._same_person((source_id, get("origin"), said["external_id"]), "external_id", known)
        if known or called:
            said["customer"] = {"identities": known, "name": called} if called else {"identities": known}
        return contact


_WHAT = {"documents": "CPF or CNPJ", "emails": "e-mail address", "phones": "phone number"}


class ContactReader(_Reader[ContactRow]):
    """Reads contacts."""

    shaped = frozenset({"emails", "phones", "documents", "customer_ids"})

    def read(self, given: Given) -> ContactRow | None:
        """Return the row, or None when something in it is wrong."""
        before = len(self.faults)
        get = given.get
        contact_id = get("id")
        if contact_id is not None and not CONTACT_ID.fullmatch(contact_id):
            self._wrong("id", "is no id of a contact of ours, cnt_…; the CRM's id goes into crm_id")
        known: list[tuple[str, str]] = []
        crm_id = self._id("crm_id", (get("crm_id") or "").strip()) or None
        for one in self._several("customer_ids", get("customer_ids")):
            source_id, _, customer_id = one.partition(":")
            source_id = self.setting.renamed.get(source_id, source_id) or ""
            self._id("customer_ids", customer_id)
            if customer_id and source_id in self.setting.sources:
                known.append(("source", f"{source_id}:{customer_id[:200]}"))
            elif source_id:
                self._note("customer_ids", f"{one[:80]} was left out: it is SOURCE:ID, with a source of this account")
        found, invalid = self._identities(get, ("documents", "emails", "phones"))
        known += found
        for column in invalid:
            self._note(column, f"one was left out: it is no {_WHAT[column]}")
        name = self._short("name", (get("name") or "").strip(), TITLE_LENGTH) or None
        owner_id = self._short("owner_id", (get("owner_id") or "").strip(), 300) or None
        created_at = self._past("created_at", get("created_at"))
        updated_at = self._past("updated_at", get("updated_at"))
        if contact_id is None and crm_id is None and not known:
            self._wrong("", "names nobody: a contact needs a crm_id, an e-mail, a phone or a document")
        if len(self.faults) > before:
            return None
        if crm_id is not None:
            self._same_person(crm_id, "crm_id", known)
        return ContactRow(
            self.line, contact_id, crm_id, name, owner_id, list(dict.fromkeys(known)), created_at, updated_at
        )
