"""Retry back-off: how long to wait before asking somebody else's server again."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_ASKED = 24 * 3600.0  # seconds; who asks for more is asked once a day


def doubled(times: int, first: float, longest: float) -> float:
    """Return the seconds to wait after `times` failures: doubled each time, at most `longest`, with jitter."""
    return min(first * 2.0 ** min(times, 32), longest) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads, hides nothing


def asked_to_wait(retry_after: str) -> float | None:
    """Return a `Retry-After` header in seconds.

    It is a number or a date (RFC 9110, section 10.2.3); None if neither.
    """
    given = retry_after.strip()
    if not given:
        return None
    if given.isascii() and given.isdigit():
        return min(float(given[:9]), LONGEST_ASKED)
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_ASKED)
