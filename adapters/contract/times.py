"""Times as sources write them, read without guessing: the zone is said by the source or declared by its adapter."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

# A minute's last second but one is put in at the end of an hour, or half past it in a zone that is half an hour off
# (RFC 3339, appendix D).
_LEAP = re.compile(r"(?<=[T ])(\d\d:?[25]9:?)60")


def _iso(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("is not a time in ISO 8601")
    try:
        text = value.strip()
        # Python has no second 60; Unix time counts a leap second as the one that follows it.
        leap = _LEAP.sub(r"\g<1>59", text) if "60" in text else text
        moment = datetime.fromisoformat(leap)
        if leap != text:
            moment += timedelta(seconds=1)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a time in ISO 8601") from None
    if not 1970 <= moment.year < 2200:
        raise ValueError("lies before 1970 or after 2199")  # 0001-01-01 stands for none in many languages
    return moment


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError("true is no number")
    return int(value)


def _seconds(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    try:
        return datetime.fromtimestamp(_whole(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError, ArithmeticError):
        raise ValueError("is not a time in seconds since 1970") from None


def _milliseconds(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    try:
        whole, rest = divmod(_whole(value), 1000)
        return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest * 1000)
    except (TypeError, ValueError, OverflowError, OSError, ArithmeticError):
        raise ValueError("is not a time in milliseconds since 1970") from None


def _iso_or_blank(value: Any) -> Any:
    nothing = value == "" or (isinstance(value, str) and value.startswith(("0000-00-00", "-0001-11-30")))
    return None if nothing else _iso(value)


# ISO 8601 text, with or without an offset (`2026-11-20T13:00:00Z`, `…+0000`, `2026-11-20 13:00`).
Iso = Annotated[datetime, BeforeValidator(_iso)]
# Unix time: whole seconds, or milliseconds.
Seconds = Annotated[datetime, BeforeValidator(_seconds)]
Milliseconds = Annotated[datetime, BeforeValidator(_milliseconds)]
# The same, where a source writes "" or MySQL's 0000-00-00 for "not yet" (which PHP writes as -0001-11-30).
IsoOrBlank = Annotated[datetime | None, BeforeValidator(_iso_or_blank)]


def latest(*moments: datetime | None) -> datetime | None:
    """The last of these, those without a zone in UTC; None when there is none."""
    return max((each if each.tzinfo else each.replace(tzinfo=UTC) for each in moments if each), default=None)
