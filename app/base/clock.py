"""Times: microseconds since 1970 inside, ISO 8601 in UTC outside."""

import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import overload
from zoneinfo import ZoneInfo, available_timezones

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_END = 7_258_118_400_000_000  # 2200-01-01: as far as any source's times are read


def now() -> int:
    """Return the current time, in microseconds since 1970."""
    return time.time_ns() // 1000


def micros(moment: datetime) -> int:
    """Return a time with a zone in microseconds since 1970; exact, without a float."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """Return microseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_named(name: str) -> tzinfo:
    """Return the time zone with this name of the IANA database. Raises ValueError."""
    if name not in _zones():
        raise ValueError("is not a time zone such as UTC or America/Sao_Paulo")
    return ZoneInfo(name)


def _parsed(text: str, zone: tzinfo) -> int:
    at = datetime.fromisoformat(text)
    return micros(at if at.tzinfo else at.replace(tzinfo=zone))


def read_time(text: str, zone: tzinfo = UTC) -> int:
    """Reads a time in ISO 8601 (in `zone` when it names none), in microseconds since 1970.

    Raises ValueError for what is no such time, and for one outside of 1970 to 2200.
    """
    try:
        at = _parsed(text, zone)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be a time in ISO 8601, such as 2026-11-20T13:00:00Z") from None
    if not 0 <= at < _END:
        raise ValueError("lies outside of 1970 to 2200")
    return at


@overload
def iso(at: int) -> str: ...
@overload
def iso(at: None) -> None: ...
@overload
def iso(at: int | None) -> str | None: ...
def iso(at: int | None) -> str | None:
    """Format a time as ISO 8601 in UTC with `Z`; fractions of a second only where there are any."""
    if at is None:
        return None
    return moment(at).isoformat().replace("+00:00", "Z")


def span(text: str) -> int:
    """Parse a duration such as `30s`, `15m`, `24h`, `7d` or `2w` into seconds. Raises ValueError."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError("is not a span such as 24h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def since(text: str, present: int, zone: tzinfo = UTC) -> int:
    """Parse a time into microseconds since 1970: ISO 8601 (in `zone` if it names none), or a duration before `present`.

    Raises ValueError.
    """
    if _SPAN.fullmatch(text.strip()):
        return present - span(text) * 1_000_000
    try:
        return _parsed(text.strip(), zone)
    except (ValueError, OverflowError):
        raise ValueError("is neither a time in ISO 8601 nor a span such as 24h or 7d") from None
