"""Ids: a prefix that says what they name, and a ULID, so that ids sort by the time they were made.

They are made here and not by the library, whose way took a good part of a delivery's time (three ids each). The library
reads them.
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
    """Return a new id, `ord_01J…`, that sorts after all earlier ones of this process.

    Prefixes: acc mem tok src sec cnt ord dlv.
    """
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
    """Return a new bearer token: 32 random bytes, with a prefix that scanners for leaked secrets recognise."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """Return the smallest id of a time (microseconds since 1970). The ids of a period lie between two of these."""
    milliseconds = min(max(at // 1000, 0), 2**48 - 1)
    return f"{prefix}_{ULID.from_bytes(milliseconds.to_bytes(6, 'big') + bytes(10))}"


def made_at(made: str) -> int:
    """Return when an id was made, in microseconds since 1970."""
    return int.from_bytes(ULID.from_str(made.partition("_")[2]).bytes[:6], "big") * 1000
