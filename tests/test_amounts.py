"""Amounts and times that people and files write are read exactly, or refused with a reason."""

import pytest

from app.base.amounts import read_amount
from app.base.clock import read_time
from tests.amounts import READ, REFUSED


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("199.90", "BRL", 19990),
        ("199.9", "BRL", 19990),
        ("7", "BRL", 700),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.2", "CLF", 12000),
        ("0", "BRL", 0),
    ],
)
def test_an_amount_is_exact(text: str, currency: str, minor: int) -> None:
    assert read_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "why"),
    [
        ("1.999", "BRL", "more decimals than BRL has"),
        ("1.500", "BRL", "more decimals than BRL has"),
        ("199.900000", "BRL", "more decimals than BRL has"),
        ("1.5", "JPY", "more decimals than JPY has"),
        ("1500.0", "JPY", "more decimals than JPY has"),
        ("-3.00", "BRL", "is below 0"),
        ("-0.00", "BRL", "is below 0"),
        ("1,50", "BRL", "must be a decimal"),
        ("1.234,50", "BRL", "must be a decimal"),
        ("１.00", "BRL", "must be a decimal"),
        ("1e3", "BRL", "must be a decimal"),
        (" 1", "BRL", "must be a decimal"),
        ("", "BRL", "must be a decimal"),
        ("NaN", "BRL", "must be a decimal"),
        ("1.", "BRL", "must be a decimal"),
        (".5", "BRL", "must be a decimal"),
        ("9999999999999999", "BRL", "too large"),
    ],
)
def test_what_is_no_exact_amount_is_refused(text: str, currency: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_amount(text, currency)


@pytest.mark.parametrize(("decimal", "text", "currency", "meant"), READ)
def test_what_people_write_is_read_with_the_mark_that_is_named(
    decimal: str, text: str, currency: str, meant: str
) -> None:
    assert read_amount(text, currency, decimal=decimal) == read_amount(meant, currency)


@pytest.mark.parametrize(("decimal", "text", "currency"), REFUSED)
def test_what_people_write_with_another_mark_is_refused(decimal: str, text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="must be an amount with a"):
        read_amount(text, currency, decimal=decimal)


@pytest.mark.parametrize(("decimal", "text"), [(",", "-1,50"), (",", "R$ -1,50"), (".", "-1,500.00")])
def test_an_amount_below_nothing_is_refused(decimal: str, text: str) -> None:
    with pytest.raises(ValueError, match="below 0"):
        read_amount(text, "BRL", decimal=decimal)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2026-11-20T13:00:00", 1_795_179_600_000_000),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, micros: int) -> None:
    assert read_time(text) == micros


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("yesterday", "must be a time"),
        ("20/11/2026", "must be a time"),
        ("", "must be a time"),
        ("1969-12-31", "lies outside"),
        ("2200-01-01", "lies outside"),
        ("0001-01-01T00:00:00+14:00", "lies outside"),
        ("9999-12-31T23:59:59-14:00", "lies outside"),
    ],
)
def test_what_is_no_time_of_an_order_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_time(text)
