"""Parses the cells of a file: amounts, times, items, several values. Nothing is guessed."""

import re
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from pydantic_core import from_json

from adapters.contract.money import MAX_MINOR
from app.base.amounts import read_amount
from app.base.clock import read_time
from app.base.statement import MAX_ITEMS, TITLE_LENGTH
from app.base.tabular import BETWEEN

LONGEST_NUMBER = 10**30
_ITEM = {"title", "quantity", "unit_value", "sku"}


def several(cell: Any) -> list[str]:
    """Return the values of a cell that may hold several, separated by ` | `, or of a list. Raises ValueError."""
    if isinstance(cell, str):
        found = cell.split(BETWEEN) if BETWEEN in cell else [cell]
    elif isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < LONGEST_NUMBER:
        found = [str(cell)]
    elif isinstance(cell, list) and len(cell) <= 100 and all(isinstance(one, str) for one in cell):
        found = cell
    else:
        raise ValueError("must be text, or a list of texts")
    return [one for text in found if (one := text.strip())]


SHORTENED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{1,2}")
LOST = "was shortened by a spreadsheet, and its digits are lost; make the column text there, and export it again"
_NUMBERS = re.compile(
    r"(?P<a>\d{1,4})(?P<mark>[/.-])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{1,4})"
    r"(?:[T ,]+(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?)?"
)


def time_of(text: str, zone: tzinfo, dates: str) -> int:
    """Return a time in microseconds since 1970: ISO 8601, or numbers in the order that `dates` names (ymd, dmy, mdy).

    What names no zone is in `zone`. Raises ValueError.
    """
    text = text.strip()
    if not (found := _NUMBERS.fullmatch(text)):
        return read_time(text, zone)
    numbers = dict(zip(dates, (found["a"], found["b"], found["c"]), strict=True))
    if len(numbers["y"]) != 4:
        raise ValueError(f"is no date of the form {dates}, such as {_EXAMPLES[dates]}")
    day = f"{numbers['y']}-{numbers['m']:0>2}-{numbers['d']:0>2}"
    offset = {None: "", "UTC": "Z"}.get(found["zone"], found["zone"])
    hour, colon, rest = (found["clock"] or "").partition(":")
    clock = f"T{hour:0>2}:{rest}{offset}" if colon else ""
    try:
        return read_time(day + clock, zone)
    except ValueError as why:
        if "outside" in str(why):
            raise
        raise ValueError(f"is no date of the form {dates}, such as {_EXAMPLES[dates]}") from None


_EXAMPLES = {"ymd": "2026-11-20 13:00", "dmy": "20/11/2026 13:00", "mdy": "11/20/2026 13:00"}


def items_of(given: Any, currency: str, decimal: str | None = None) -> list[dict[str, Any]]:
    """Return an order's lines as the history stores them, from a list or its JSON. Raises ValueError.

    `decimal` is the mark of amounts that people wrote.
    """
    if isinstance(given, str):
        try:
            given = from_json(given, allow_inf_nan=False)
        except ValueError:
            raise ValueError(
                'is no JSON, such as [{"title": "Shoes", "quantity": 2, "unit_value": "199.00"}]'
            ) from None
    if not isinstance(given, list):
        raise ValueError("is no list")
    if len(given) > MAX_ITEMS:
        raise ValueError(f"has more than {MAX_ITEMS} lines")
    return [_item(at, one, currency, decimal) for at, one in enumerate(given, start=1)]


def _item(at: int, given: Any, currency: str, decimal: str | None) -> dict[str, Any]:
    if not isinstance(given, dict) or not isinstance(given.get("title"), str):
        raise ValueError(f"line {at} has no title")
    if unknown := given.keys() - _ITEM:
        raise ValueError(f"line {at}: there is no such field: {', '.join(sorted(unknown))[:200]}")
    if "\0" in f"{given['title']}{given.get('sku')}":
        raise ValueError(f"line {at} holds a NUL")
    if len(given["title"]) > TITLE_LENGTH:
        raise ValueError(f"line {at}: title is longer than {TITLE_LENGTH} characters")
    kept: dict[str, Any] = {"title": given["title"], "quantity": _quantity(at, given.get("quantity", 1))}
    if (unit := given.get("unit_value")) is not None:
        if (
            not isinstance(unit, str | int)
            or isinstance(unit, bool)
            or (isinstance(unit, int) and abs(unit) > MAX_MINOR)
        ):
            raise ValueError(f'line {at}: unit_value must be text, such as "199.00"')
        text = str(unit).strip()
        try:  # a line of a source's order may be a discount: what was exported comes in again
            minor = read_amount(text.removeprefix("-"), currency, decimal=decimal)
            kept["unit_value"] = [-minor if text.startswith("-") else minor, currency]
        except ValueError as why:
            raise ValueError(f"line {at}: unit_value {why}") from None
    if (sku := given.get("sku")) is not None:
        if not isinstance(sku, str) or len(sku) > 255:
            raise ValueError(f"line {at}: sku must be text of at most 255 characters")
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
        raise ValueError(f"line {at}: quantity is no number of things") from None
    return str(number)
