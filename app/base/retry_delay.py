"""How long to wait for somebody else's server: doubled from time to time, or as long as it asked for."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_ASKED = 24 * 3600.0  # seconds; who asks for more is asked once a day


def doubled(times: int, first: float, longest: float) -> float:
    """Seconds to wait after so many earlier waits; never two that failed together at the same moment again."""
    return min(first * 2.0 ** min(times, 32), longest) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads, hides nothing


def asked_to_wait(retry_after: str) -> float | None:
    """`Retry-After` in seconds: a number, or a date (RFC 9110, section 10.2.3). None: it says nothing that can be kept to."""
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
