"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made.

A ULID (https://github.com/ulid/spec) is 128 bits in Crockford's base 32: milliseconds since 1970 in 48, chance in 80.
Written here and not by a library: three are made for every delivery, and python-ulid (5.6 instead of 3.6 µs each) makes
none that sort within a millisecond.
"""

import os
import re
import secrets
import threading
import time
from functools import lru_cache

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_LOW = (1 << 40) - 1
_ULID = re.compile("_([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}")

_lock = threading.Lock()  # ids are made on the loop's thread and on the writing connection's
_newest = 0


@lru_cache(maxsize=2)
def _time(milliseconds: int) -> str:
    """Return the ten letters of a time. Many ids are made within a millisecond."""
    return "".join(_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0))


def _written(prefix: str, ulid: int) -> str:
    one, other, pairs = ulid >> 40 & _LOW, ulid & _LOW, _PAIRS
    return (
        f"{prefix}_{_time(ulid >> 80)}"
        f"{pairs[one >> 30]}{pairs[one >> 20 & 1023]}{pairs[one >> 10 & 1023]}{pairs[one & 1023]}"
        f"{pairs[other >> 30]}{pairs[other >> 20 & 1023]}{pairs[other >> 10 & 1023]}{pairs[other & 1023]}"
    )


def new_id(prefix: str) -> str:
    """Return a new id, `ord_01J…`, that sorts after all earlier ones of this process.

    Prefixes: acc mem tok src sec cnt ord dlv.
    """
    global _newest  # noqa: PLW0603 - one clock a process, under the lock
    fresh = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    with _lock:
        # Within a millisecond (or when the clock was put back) the next one, as the ULID specification has it.
        _newest = ulid = fresh if fresh >> 80 > _newest >> 80 else _newest + 1
    return _written(prefix, ulid)


def new_token() -> str:
    """Return a new bearer token: 32 random bytes, with a prefix that scanners for leaked secrets recognise."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """Return the smallest id of a time (microseconds since 1970). The ids of a period lie between two of these."""
    return _written(prefix, min(max(at // 1000, 0), 2**48 - 1) << 80)


def made_at(text: str) -> int | None:
    """Return when an id was made, in microseconds since 1970; None if the text is not an id."""
    found = _ULID.fullmatch(text, text.find("_")) if "_" in text else None
    if found is None:
        return None
    milliseconds = 0
    for letter in found[1]:
        milliseconds = milliseconds << 5 | _ALPHABET.index(letter)
    return milliseconds * 1000
