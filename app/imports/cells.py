"""Parses the cells of a file: amounts, times, items, several values. Nothing is guessed."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic_core import from_json

from adapters.contract.money import DECIMALS, MAX_MINOR
from app.base.statement import MAX_ITEMS, TITLE_LENGTH
from app.base.tabular import BETWEEN

_AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST = 7_258_118_400_000_000  # 2200, in microseconds: as far as any source's times are read
LONGEST_NUMBER = 10**30
_ITEM = {"title", "quantity", "unit_value", "sku"}


class InvalidCell(Exception):
    """Raised when a field cannot be read; the message says why, and what it should be."""


def several(cell: Any) -> list[str]:
    """Return the values of a cell that may hold several, separated by ` | `, or of a list. Raises InvalidCell."""
    if isinstance(cell, str):
        found = cell.split(BETWEEN) if BETWEEN in cell else [cell]
    elif isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < LONGEST_NUMBER:
        found = [str(cell)]
    elif isinstance(cell, list) and len(cell) <= 100 and all(isinstance(one, str) for one in cell):
        found = cell
    else:
        raise InvalidCell("must be text, or a list of texts")
    return [one for text in found if (one := text.strip())]


def minor_of(text: str, currency: str) -> int:
    """Return the amount in the currency's smallest unit; exact, never rounded. Raises InvalidCell."""
    places = DECIMALS.get(currency, 2)
    whole, point, rest = text.partition(".")
    digits = whole + rest
    as_usual = whole and bool(point) is (places > 0) and len(rest) == places and len(digits) < 16
    if not (as_usual and digits.isdecimal() and digits.isascii()):
        text = text.strip()
        if not _AMOUNT.fullmatch(text):
            example = "199.90" if places == 2 else "1500"
            raise InvalidCell(f"is no amount: write it with a point and without thousands' marks, such as {example}")
        whole, point, rest = text.partition(".")
        if rest[places:].strip("0"):
            raise InvalidCell(f"has more decimals than {currency} has ({places})")
        digits = whole + rest[:places].ljust(places, "0")
    minor = int(digits)
    if abs(minor) > MAX_MINOR:
        raise InvalidCell("is too large to be an order's")
    return minor


def moment_of(text: str) -> int:
    """Return an ISO 8601 time in microseconds since 1970; without a zone it is UTC. Raises InvalidCell."""
    try:
        at = datetime.fromisoformat(text.strip())
        found = ((at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise InvalidCell("is no time in ISO 8601, such as 2026-11-20T13:00:00Z or 2026-11-20") from None
    if not 0 <= found < _LATEST:
        raise InvalidCell("lies outside of 1970 to 2200")
    return found


def items_of(given: Any, currency: str) -> list[dict[str, Any]]:
    """Return an order's lines as the history stores them, from a list or its JSON. Raises InvalidCell."""
    if isinstance(given, str):
        try:
            given = from_json(given, allow_inf_nan=False)
        except ValueError:
            raise InvalidCell(
                'is no JSON, such as [{"title": "Shoes", "quantity": 2, "unit_value": "199.00"}]'
            ) from None
    if not isinstance(given, list):
        raise InvalidCell("is no list")
    if len(given) > MAX_ITEMS:
        raise InvalidCell(f"has more than {MAX_ITEMS} lines")
    return [_item(at, one, currency) for at, one in enumerate(given, start=1)]


def _item(at: int, given: Any, currency: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not isinstance(given.get("title"), str):
        raise InvalidCell(f"line {at} has no title")
    if unknown := given.keys() - _ITEM:
        raise InvalidCell(f"line {at}: there is no such field: {', '.join(sorted(unknown))[:200]}")
    if "\0" in f"{given['title']}{given.get('sku')}":
        raise InvalidCell(f"line {at} holds a NUL")
    if len(given["title"]) > TITLE_LENGTH:
        raise InvalidCell(f"line {at}: title is longer than {TITLE_LENGTH} characters")
    kept: dict[str, Any] = {"title": given["title"], "quantity": _quantity(at, given.get("quantity", 1))}
    if (unit := given.get("unit_value")) is not None:
        if not isinstance(unit, str | int) or isinstance(unit, bool) or (isinstance(unit, int) and unit > MAX_MINOR):
            raise InvalidCell(f'line {at}: unit_value must be text, such as "199.00"')
        try:
            kept["unit_value"] = [minor_of(str(unit), currency), currency]
        except InvalidCell as why:
            raise InvalidCell(f"line {at}: unit_value {why}") from None
    if (sku := given.get("sku")) is not None:
        if not isinstance(sku, str) or len(sku) > 255:
            raise InvalidCell(f"line {at}: sku must be text of at most 255 characters")
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
        raise InvalidCell(f"line {at}: quantity is no number of things") from None
    return str(number)
