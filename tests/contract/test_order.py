"""What an order may hold, and what people call it."""

from decimal import Decimal

import pytest

from adapters.contract import Item, Unreadable, order_title


@pytest.mark.parametrize(
    ("number", "items", "title"),
    [
        ("1001", ["Running shoes"], "#1001 · Running shoes"),
        ("#1001", ["Running shoes"], "#1001 · Running shoes"),
        ("1001", ["Running shoes", "Socks"], "#1001 · Running shoes +1"),
        ("1001", ["Running shoes", "Socks", "Hat"], "#1001 · Running shoes +2"),
        ("1001", [None, "", "  ", " Socks "], "#1001 · Socks"),
        ("1001", [], "#1001"),
        (None, ["Running shoes", "Socks"], "Running shoes +1"),
        ("", ["Running shoes"], "Running shoes"),
        ("#", [], None),
        (" ", [], None),
        (" 1001 ", [], "#1001"),
        (None, [], None),
        ("", [None], None),
    ],
)
def test_order_title(number: str | None, items: list[str | None], title: str | None) -> None:
    assert order_title(number, items) == title


@pytest.mark.parametrize("quantity", [1, 0, -1, Decimal("2.500"), Decimal("0.001"), 10**12, Decimal("0E-8")])
def test_quantities(quantity: Decimal | int) -> None:
    assert Item(title="a", quantity=quantity).quantity == quantity


@pytest.mark.parametrize(
    "quantity", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e999999999"), Decimal("1e-999999"), 10**13]
)
def test_what_is_no_quantity(quantity: Decimal | int) -> None:
    with pytest.raises(Unreadable):
        Item(title="a", quantity=quantity)
