"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made.

The library's own way to make one is a good part of what a delivery costs (three ids each); it reads them everywhere else.
"""

import secrets
import threading
import time

from ulid import ULID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as a ULID is written
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]

_lock = threading.Lock()  # ids are made on the loop's thread and on the writing connection's
_newest = 0


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`, that sorts after every one made here before. Prefixes: acc mem tok src sec cnt ord dlv."""
    global _newest  # noqa: PLW0603 - one clock a process, under the lock
    fresh = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    with _lock:
        # Within a millisecond (or when the clock was put back) the next one, as the ULID specification has it.
        _newest = ulid = fresh if fresh >> 80 > _newest >> 80 else _newest + 1
    high, low = ulid >> 70, ulid & (1 << 70) - 1
    pairs = _PAIRS
    return (
        f"{prefix}_{pairs[high >> 50]}{pairs[high >> 40 & 1023]}{pairs[high >> 30 & 1023]}{pairs[high >> 20 & 1023]}"
        f"{pairs[high >> 10 & 1023]}{pairs[high & 1023]}{pairs[low >> 60]}{pairs[low >> 50 & 1023]}"
        f"{pairs[low >> 40 & 1023]}{pairs[low >> 30 & 1023]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}"
        f"{pairs[low & 1023]}"
    )


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """The least id that can be made at this time (microseconds since 1970): ids of a time are those between two of these."""
    milliseconds = min(max(at // 1000, 0), 2**48 - 1)
    return f"{prefix}_{ULID.from_bytes(milliseconds.to_bytes(6, 'big') + bytes(10))}"
