"""Money: exact to the currency's own smallest unit, bounded, and never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Money, Unreadable, amount_text, currency_code, decimals
from adapters.contract.money import DECIMALS, MAX_MINOR


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("BRL", 2),
        ("USD", 2),
        ("JPY", 0),
        ("CLP", 0),
        ("KWD", 3),
        ("UYW", 4),
        ("ISK", 0),
        ("IQD", 3),
        ("PKR", 2),
        ("XXX", 2),
    ],
)
def test_decimals_are_those_of_iso_4217(currency: str, places: int) -> None:
    assert decimals(currency) == places


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("199.90", "BRL", 19990),
        (Decimal("199.9"), "BRL", 19990),
        (199, "BRL", 19900),
        ("0", "BRL", 0),
        ("-5.25", "BRL", -525),
        (" 1.50 ", "BRL", 150),
        ("1E+3", "BRL", 100_000),
        ("1500", "JPY", 1500),
        ("1500.00", "JPY", 1500),
        ("1.2345", "KWD", 1235),
        ("1.2344", "KWD", 1234),
        ("0.005", "BRL", 1),
        ("0.0049999999999999999999", "BRL", 0),
        ("-0.005", "BRL", -1),
        ("2.675", "BRL", 268),
        ("1.005", "BRL", 101),
        ("0.5", "JPY", 1),
        ("1e-30", "BRL", 0),
        ("1e-999999", "BRL", 0),
    ],
)
def test_major(amount: Decimal | int | str, currency: str, minor: int) -> None:
    money = Money.major(amount, currency)
    assert (money.minor, money.currency) == (minor, currency)
    assert type(money.minor) is int


@pytest.mark.parametrize(
    ("amount", "exponent", "currency", "minor"),
    [
        (19990, 2, "BRL", 19990),
        (500, 2, "ISK", 5),
        (550, 2, "ISK", 6),
        (1500, 0, "JPY", 1500),
        ("1000000", 6, "BRL", 100),
        (12345, 3, "KWD", 12345),
        (12345, 2, "KWD", 123450),
        (5, -2, "BRL", 50_000),
    ],
)
def test_scaled(amount: Decimal | int | str, exponent: int, currency: str, minor: int) -> None:
    assert Money.scaled(amount, exponent, currency).minor == minor


@pytest.mark.parametrize(
    "amount",
    [
        "",
        " ",
        "x",
        "1,50",
        "R$ 1.50",
        "1.2.3",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e21",
        "1e400",
        "1e999999999",
        "9" * 5000,
        10**30,
        Decimal("1e6144"),
        "\0",
        "1\0",
    ],
)
def test_what_is_no_amount_is_unreadable(amount: Decimal | int | str) -> None:
    with pytest.raises(Unreadable):
        Money.major(amount, "BRL")


def test_limits() -> None:
    assert Money(MAX_MINOR, "BRL").minor == MAX_MINOR
    assert Money(-MAX_MINOR, "BRL").minor == -MAX_MINOR
    for minor in (MAX_MINOR + 1, -MAX_MINOR - 1):
        with pytest.raises(Unreadable):
            Money(minor, "BRL")
    with pytest.raises(Unreadable):
        Money.major("10000000000000.01", "BRL")
    assert Money.major("10000000000000", "BRL").minor == MAX_MINOR


@pytest.mark.parametrize("word", ["", "BR", "BRLX", "R$", "B L", "BR1", "ÇÇÇ", "ǅaa", "\0\0\0", "ＢＲＬ"])
def test_what_is_no_currency_is_unreadable(word: str) -> None:
    for made in (lambda: currency_code(word), lambda: Money(1, word), lambda: Money.major("1", word)):
        with pytest.raises(Unreadable):
            made()


def test_currency_is_in_capitals() -> None:
    assert currency_code(" brl ") == "BRL"
    assert Money.major("1", "brl") == Money(100, "BRL")
    with pytest.raises(Unreadable):
        Money(100, "brl")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (19990, "BRL", "199.90"),
        (5, "BRL", "0.05"),
        (0, "BRL", "0.00"),
        (-5, "BRL", "-0.05"),
        (-19990, "BRL", "-199.90"),
        (150, "JPY", "150"),
        (-150, "JPY", "-150"),
        (1, "KWD", "0.001"),
        (12345, "UYW", "1.2345"),
    ],
)
def test_text(minor: int, currency: str, text: str) -> None:
    assert amount_text(minor, currency) == str(Money(minor, currency)) == text


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["BRL", *DECIMALS]))
def test_written_and_read_again_is_the_same(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.major(str(money), currency) == money
    assert Money.major(Decimal(str(money)), currency) == money
    assert Money.scaled(minor, decimals(currency), currency) == money


@given(
    st.decimals(allow_nan=True, allow_infinity=True) | st.text() | st.integers(),
    st.integers(-6, 6),
    st.text(max_size=4),
)
def test_anything_is_money_or_unreadable(amount: Decimal | int | str, exponent: int, currency: str) -> None:
    for code in (currency, "BRL"):
        try:
            money = Money.scaled(amount, exponent, code)
        except Unreadable:
            continue
        assert abs(money.minor) <= MAX_MINOR
