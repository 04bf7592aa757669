"""Parses the cells of a file: amounts, times, items, several values. Nothing is guessed."""

from decimal import Decimal
from typing import Any

from pydantic_core import from_json

from adapters.contract.money import MAX_MINOR
from app.base.amounts import read_amount
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


def items_of(given: Any, currency: str) -> list[dict[str, Any]]:
    """Return an order's lines as the history stores them, from a list or its JSON. Raises ValueError."""
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
    return [_item(at, one, currency) for at, one in enumerate(given, start=1)]


def _item(at: int, given: Any, currency: str) -> dict[str, Any]:
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
            minor = read_amount(text.removeprefix("-"), currency)
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
