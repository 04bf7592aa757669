"""CSV and JSON lines files of orders and contacts: columns, splitting into parts, rows, the CSV formula guard.

The command line splits a file with the same reader that the service reads the parts with, so both agree on where a row
begins. Nothing here holds more than one part in memory.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

CSV, JSONL = "csv", "jsonl"
MEDIA = {CSV: "text/csv; charset=utf-8", JSONL: "application/x-ndjson"}

# An order's identities of its contact stand beside what the API shows of an order; several are parted by BETWEEN.
IDENTITY_COLUMNS = ("contact_name", "contact_email", "contact_phone", "contact_document", "contact_customer_id")
ORDER_COLUMNS = (
    "id",
    "external_id",
    "source_id",
    "origin",
    "status",
    "source_status",
    "title",
    "value",
    "paid_value",
    "refunded_value",
    "currency",
    "ordered_at",
    "paid_at",
    "contact_id",
    "crm_contact_id",
    *IDENTITY_COLUMNS,
    "deal_id",
    "url",
    "test",
    "items",
    "created_at",
    "updated_at",
)
# What only files say: a row for each line of an order, when it was canceled, a name in two parts.
ITEM_COLUMNS = ("item_title", "item_quantity", "item_unit_value", "item_sku")
FILE_COLUMNS = (*ITEM_COLUMNS, "canceled_at", "contact_last_name")
CONTACT_COLUMNS = (
    "id",
    "crm_id",
    "name",
    "owner_id",
    "emails",
    "phones",
    "documents",
    "customer_ids",
    "created_at",
    "updated_at",
)
# What people call them.
ORDER_ALIASES = {
    "contact": "contact_id",
    "crm_id": "crm_contact_id",
    "name": "contact_name",
    "email": "contact_email",
    "phone": "contact_phone",
    "document": "contact_document",
    "customer_id": "contact_customer_id",
    "source": "source_id",
    "deal": "deal_id",
}
CONTACT_ALIASES = {
    "contact_id": "id",
    "crm_contact_id": "crm_id",
    "contact_name": "name",
    "owner": "owner_id",
    "email": "emails",
    "phone": "phones",
    "document": "documents",
    "customer_id": "customer_ids",
    "contact_email": "emails",
    "contact_phone": "phones",
    "contact_document": "documents",
}
BETWEEN = " | "  # neither an e-mail address, a phone number nor a document holds it

ROWS = 5_000  # in a part: more takes more memory, and saves nothing
PART_BYTES = 1_000_000  # after so many a part is full as well
ROW_CHARACTERS = 1_000_000  # no order is longer; a quote that never closes is

# What a formula or a command can begin with; some spreadsheets take the full-width signs as well.
_FORMULA_SIGNS = "=+-@＝＋－＠|%\t\r\n"
_FORMULA = re.compile(f"'*[{re.escape(_FORMULA_SIGNS)}]")
_DELIMITERS = ",;\t|"


class NoFile(Exception):
    """Raised when a file cannot be read in its format; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Says why a row is not imported: one per wrong field. `line` counts from 1."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """Holds some rows of a file, with the header if it has one. `line` is that of the first row."""

    text: str
    line: int
    rows: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Holds the column names that a file may use, and other headings for them. `strict`: only those headings."""

    names: tuple[str, ...]
    aliases: Mapping[str, str]
    strict: bool = False

    def of(self, word: str) -> str | None:
        """Return the column that a heading or a field means, or None."""
        heading = _heading(word)
        name = self.aliases.get(heading, "" if self.strict else heading)
        return name if name in self.names else None

    def also(self, headings: Mapping[str, str]) -> "Columns":
        """Return the columns with these further headings, each with the column that it means."""
        taken = set(headings.values()) if self.strict else set()
        kept = {word: name for word, name in self.aliases.items() if name not in taken}
        return Columns(self.names, kept | {_heading(word): name for word, name in headings.items()}, self.strict)

    def only(self, headings: Mapping[str, str]) -> "Columns":
        """Return the columns under these headings alone."""
        return Columns(self.names, {}, strict=True).also(headings)


def _heading(word: str) -> str:
    return word.strip().lower().replace(" ", "_")


ORDERS = Columns((*ORDER_COLUMNS, *FILE_COLUMNS), ORDER_ALIASES)
CONTACTS = Columns(CONTACT_COLUMNS, CONTACT_ALIASES)


def guarded(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes before whatever could begin one.

    Apostrophes that are already there get one more, so that `unguarded` returns the very same text.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell that `guarded` may have changed."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


# -- Cutting -------------------------------------------------------------------------------------------------------


def parts(form: str, lines: Iterable[str], columns: Columns, rows: int = ROWS) -> Iterator[Part]:
    """Split a file into parts of at most `rows` rows. Raises NoFile."""
    return _csv_parts(lines, columns, rows) if form == CSV else _jsonl_parts(lines, rows)


def _bytes(line: str) -> int:
    return len(line) if line.isascii() else len(line.encode("utf-8", "replace"))


def _jsonl_parts(lines: Iterable[str], rows: int) -> Iterator[Part]:
    kept: list[str] = []
    size = first = 0
    number = 0
    for number, line in enumerate(lines, start=1):
        if len(line) > ROW_CHARACTERS:
            raise NoFile(f"line {number} is longer than {ROW_CHARACTERS} characters; is this JSON lines, a row a line?")
        if not kept:
            first = number
        kept.append(line)
        size += _bytes(line)
        if len(kept) == rows or size > PART_BYTES:
            yield Part("".join(kept), first, len(kept))
            kept, size = [], 0
    if kept:
        yield Part("".join(kept), first, len(kept))


def _csv_parts(lines: Iterable[str], columns: Columns, rows: int) -> Iterator[Part]:
    source = iter(lines)
    header, delimiter = _header(source, columns)
    number = header.count("\n") + 1  # of the row that comes next
    # Rows of one order stay together: each tells of one line of it.
    together = any(columns.of(cell.strip(' "\r\n\ufeff')) in ITEM_COLUMNS for cell in header.split(delimiter))
    pulled: list[str] = []
    size = begun = 0  # bytes of the part; its lines before the row
    last: str | None = None  # the first cell of the row before

    def watched(line: str) -> Iterator[str]:
        """Return a row's first line and those that follow: a cell may contain line ends."""
        nonlocal size
        yield line
        since = len(line)
        for further in source:
            since += len(further)
            if since > ROW_CHARACTERS:
                raise NoFile(too_long())
            size += _bytes(further)
            pulled.append(further)
            yield further

    def too_long() -> str:
        return f"line {number + begun}: a row is longer than {ROW_CHARACTERS} characters; is a quote open?"

    count = 0
    _allow_long_fields()
    for line in source:
        if len(line) > ROW_CHARACTERS:
            raise NoFile(too_long())
        first = line.partition(delimiter)[0]
        goes_on = together and first == last and size < 3 * PART_BYTES
        last = first
        if (count >= rows or size > PART_BYTES) and not goes_on:
            yield Part(header + "".join(pulled), number, count)
            number += begun
            pulled.clear()
            count = size = begun = 0
        size += _bytes(line)
        pulled.append(line)
        if '"' in line:  # without a quote, a line is a row
            with suppress(csv.Error):  # whoever reads the part finds it again, and says so
                next(csv.reader(watched(line), delimiter=delimiter, strict=True))
        begun = len(pulled)
        count += 1
    if pulled:
        yield Part(header + "".join(pulled), number, count)


def _allow_long_fields() -> None:
    """Raise Python's limit for a cell: 500 items in one cell are longer."""
    if csv.field_size_limit() < ROW_CHARACTERS:
        csv.field_size_limit(ROW_CHARACTERS)


def _header(lines: Iterator[str], columns: Columns) -> tuple[str, str]:
    """Return the header's text, and the delimiter that gives the most known columns. Raises NoFile."""
    header = next(lines, "")
    if not header:
        raise NoFile("the file is empty; its first line names the columns")
    if "\r" in header.rstrip("\r\n"):
        raise NoFile("its lines end in CR alone, as on old Macintoshes, so it is one line; save it with LF or CRLF")
    if header.removeprefix("\ufeff").startswith("sep=") and len(header.strip()) == len("sep=") + 1:
        return header + next(lines, ""), header.removeprefix("\ufeff")[4]  # Excel's own way to name it

    def known(delimiter: str) -> int:
        return sum(columns.of(cell.strip(' "\r\n\ufeff')) is not None for cell in header.split(delimiter))

    return header, max(_DELIMITERS, key=known)


# -- Reading -------------------------------------------------------------------------------------------------------

Given = dict[str, Any]


def rows_of(
    form: str, text: str, line: int, columns: Columns, faults: list[Fault], *, ignore_unknown: bool = False
) -> Iterator[tuple[int, Given]]:
    """Yield the rows of a part: the line number, and the fields that are not empty. Wrong rows are added to `faults`.

    `line` is the number of the first row, after the header. Raises NoFile.
    """
    if form == CSV:
        return _csv_rows(text, line, columns, faults, ignore_unknown)
    return _jsonl_rows(text, line, columns, faults, ignore_unknown)


def _csv_rows(
    text: str, first: int, columns: Columns, faults: list[Fault], ignore_unknown: bool
) -> Iterator[tuple[int, Given]]:
    lines = io.StringIO(text, newline="\n")
    header, delimiter = _header(lines, columns)
    _allow_long_fields()
    try:
        cells = next(
            csv.reader(
                [header.splitlines()[-1] if header.startswith(("sep=", "\ufeffsep=")) else header], delimiter=delimiter
            ),
            [],
        )
    except csv.Error as why:
        raise NoFile(f"the header cannot be read: {why}") from None
    names = _headings([cell.removeprefix("\ufeff") for cell in cells], columns, ignore_unknown)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width, nul = len(names), "\0" in text
    at = first
    while True:
        try:
            for row in reader:
                begins, at = at, first + reader.line_num
                if len(row) > width:
                    faults.append(Fault(begins, "", f"has {len(row)} cells, and the header names {width} columns"))
                    continue
                if nul and any("\0" in cell for cell in row):
                    faults.append(Fault(begins, "", "holds a NUL"))
                    continue
                given = {
                    name: cell if cell[0] != "'" else unguarded(cell)
                    for name, cell in zip(names, row, strict=False)
                    if cell and name
                }
                if at - begins > 1 and (name := _goes_on(given, delimiter)):
                    faults.append(Fault(begins, name, f"goes on over lines {begins} to {at - 1}; is a quote open?"))
                elif given:
                    yield begins, given
            return
        except csv.Error as why:
            begins, at = at, first + reader.line_num
            lines_ = f"; lines {begins} to {at - 1} were read as one: is a quote open?" if at - begins > 1 else ""
            faults.append(Fault(begins, "", f"is no row of CSV: {why}{lines_}"))


def _goes_on(given: Given, delimiter: str) -> str | None:
    """Return the field that may have swallowed the next row: it holds further cells before and behind a line end."""
    for name, cell in given.items():
        before, _, behind = cell.partition("\n")
        if name != "items" and delimiter in before and delimiter in behind:
            return name
    return None


def _headings(cells: Sequence[str], columns: Columns, ignore_unknown: bool) -> list[str | None]:
    names = [columns.of(cell) for cell in cells]
    unknown = [cell for cell, name in zip(cells, names, strict=True) if name is None and cell.strip()]
    if unknown and not ignore_unknown:
        words = ", ".join(repr(cell[:40]) for cell in unknown[:10])
        raise NoFile(f"no such column: {words}; there are: {', '.join(columns.names)}")
    known = [name for name in names if name]
    if not known:
        raise NoFile(f"the first line names no column; there are: {', '.join(columns.names)}")
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise NoFile(f"two columns mean the same: {', '.join(twice)}")
    return names


def _jsonl_rows(
    text: str, first: int, columns: Columns, faults: list[Fault], ignore_unknown: bool
) -> Iterator[tuple[int, Given]]:
    from pydantic_core import from_json

    known = {name: name for name in columns.names}
    lines = text.split("\n")
    for at, line in enumerate(lines, start=first):
        if not line or line.isspace():
            continue
        try:
            document = from_json(line.removeprefix("\ufeff") if at == first else line, allow_inf_nan=False)
        except ValueError as why:
            faults.append(Fault(at, "", f"is no JSON: {str(why)[:200]}"))
            continue
        if type(document) is not dict:
            faults.append(Fault(at, "", "is no JSON object"))
            continue
        given: Given = {}
        wrong = False
        for word, value in document.items():
            name = known.get(word) or columns.of(word)
            if name is None:
                if not ignore_unknown:
                    faults.append(Fault(at, word[:100], "there is no such field"))
                    wrong = True
            elif name in given:
                faults.append(Fault(at, name, "is given twice"))
                wrong = True
            elif type(value) is str:
                if value:
                    given[name] = value
            elif value is not None:
                given[name] = value
        if "\\u0000" in line and _holds_nul(given):
            faults.append(Fault(at, "", "holds a NUL"))
            wrong = True
        if given and not wrong:
            yield at, given


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(_holds_nul(one) for one in value)
