"""Times as sources write them; the zone comes from the source or from its adapter, never from a guess."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from adapters.contract import (
    BRASILIA,
    Adapter,
    Constant,
    Delivery,
    Event,
    Iso,
    IsoOrBlank,
    Milliseconds,
    Order,
    Payload,
    Seconds,
)

ISO: TypeAdapter[Any] = TypeAdapter(Iso)
BLANK: TypeAdapter[Any] = TypeAdapter(IsoOrBlank)
SECONDS: TypeAdapter[Any] = TypeAdapter(Seconds)
MILLISECONDS: TypeAdapter[Any] = TypeAdapter(Milliseconds)
JUNK: tuple[Any, ...] = (
    "x",
    "2026",
    "2026-13-01",
    "2026-02-30T00:00:00Z",
    "2026-11-20T25:00:00Z",
    "2026-11-20T13:05:60Z",
    "2026-11-20T13:59:61Z",
    "\0",
    "20/11/2026",
    [],
    {},
    True,
)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T13:00:05Z",
        "2026-11-20T13:00:05+00:00",
        "2026-11-20T13:00:05+0000",
        "2026-11-20T10:00:05-03:00",
        "2026-11-20T10:00:05.000-0300",
        "2026-11-21T03:00:05+14:00",
        " 2026-11-20 13:00:05Z ",
        "20261120T130005Z",
    ],
)
def test_iso_with_a_zone(text: str) -> None:
    assert ISO.validate_python(text) == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T23:59:60Z",
        "2016-12-31T15:59:60-08:00",
        "2017-01-01T05:29:60+05:30",
        "20161231T235960Z",
        "2016-12-31 23:59:60+0000",
    ],
)
def test_a_leap_second_is_the_one_that_follows_it(text: str) -> None:
    assert ISO.validate_python(text) == datetime(2017, 1, 1, tzinfo=UTC)
    assert ISO.validate_python("2016-12-31T23:59:60.25Z").microsecond == 250_000


def test_iso_keeps_fractions() -> None:
    assert ISO.validate_python("2026-11-20T13:00:05.123456Z").microsecond == 123456
    assert ISO.validate_python("2026-11-20T13:00:05.123456789Z").microsecond == 123456


@pytest.mark.parametrize("text", ["2026-11-20T13:00:05", "2026-11-20 13:00:05", "2026-11-20"])
def test_iso_without_a_zone_is_left_to_the_adapter(text: str) -> None:
    assert ISO.validate_python(text).tzinfo is None


@pytest.mark.parametrize(
    "junk",
    [
        *JUNK,
        "",
        1,
        1.5,
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_is_no_iso_time(junk: object) -> None:
    with pytest.raises(ValidationError):
        ISO.validate_python(junk)


def test_blank_is_no_time_where_the_source_writes_it_so() -> None:
    for nothing in ("", "0000-00-00", "0000-00-00 00:00:00", "-0001-11-30T00:00:00"):
        assert BLANK.validate_python(nothing) is None
    assert BLANK.validate_python(None) is None
    assert BLANK.validate_python("2026-11-20T13:00:05Z") == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    with pytest.raises(ValidationError):
        BLANK.validate_python("x")


@pytest.mark.parametrize("value", [1_795_179_605, "1795179605", Decimal("1795179605"), Decimal("1795179605.9")])
def test_seconds(value: object) -> None:
    assert SECONDS.validate_python(value) == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("value", [1_795_179_605_123, "1795179605123"])
def test_milliseconds_are_exact(value: object) -> None:
    assert MILLISECONDS.validate_python(value) == datetime(2026, 11, 20, 13, 0, 5, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    "junk", [*JUNK[5:], "", "x", 10**30, -(10**30), "1" * 5000, Decimal("1e39"), "1e9", float("nan")]
)
def test_what_is_no_unix_time(junk: object) -> None:
    for unix in (SECONDS, MILLISECONDS):
        with pytest.raises(ValidationError):
            unix.validate_python(junk)


@given(st.text() | st.integers() | st.decimals() | st.none() | st.booleans() | st.lists(st.none()))
def test_anything_is_a_time_or_invalid(value: object) -> None:
    for kind in (ISO, BLANK, SECONDS, MILLISECONDS):
        try:
            found = kind.validate_python(value)
        except ValidationError:
            continue
        assert found is None or isinstance(found, datetime)


# -- What an adapter makes of them --------------------------------------------------------------------------------


def settled(moment: datetime | None, zone: tzinfo = UTC) -> datetime | None:
    """The time as it leaves an adapter whose source means `zone` where it writes none."""

    class Clock(Adapter[Payload]):
        kind = Constant("tick")

        def orders(self, payload: Payload, event: Event[Payload]) -> Iterable[Order]:
            yield Order(external_id="1", at=moment, ordered_at=moment, paid_at=moment)

    Clock.zone = zone
    delivery = Delivery(body=b"{}", headers={}, received_at=datetime(2026, 11, 23, tzinfo=UTC))
    [order] = Clock().translate(Event(kind="tick", payload=Payload(), delivery=delivery, options=None))
    assert order.at == order.ordered_at == order.paid_at
    assert order.at is None or order.at.tzinfo is UTC
    return order.at


def test_a_time_without_a_zone_is_in_the_adapters() -> None:
    naive = datetime(2026, 11, 20, 10, 0)
    assert settled(naive) == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert settled(naive, BRASILIA) == datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    assert settled(naive, ZoneInfo("Asia/Tokyo")) == datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
    assert settled(None, BRASILIA) is None


def test_a_time_with_a_zone_keeps_it() -> None:
    moment = datetime(2026, 11, 20, 10, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert settled(moment, BRASILIA) == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1),
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2200, 1, 1, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 0, tzinfo=timezone(timedelta(hours=-2))),
        datetime.max,
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_times_beyond_any_order_are_left_out(moment: datetime) -> None:
    for zone in (UTC, BRASILIA, timezone(timedelta(hours=14))):
        assert settled(moment, zone) is None


def test_the_first_and_the_last_moment() -> None:
    for moment in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)):
        assert settled(moment) == moment
