"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made.

A ULID (https://github.com/ulid/spec) is 128 bits in Crockford's base 32: milliseconds since 1970 in 48, chance in 80.
Written here and not by a library: three are made for every delivery, and python-ulid (5.6 instead of 3.6 µs each) makes
none that sort within a millisecond.
"""

import re
import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_SHIFTS = range(120, -1, -10)  # of the thirteen pairs of letters
_ULID = re.compile("_([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}")

_lock = threading.Lock()  # ids are made on the loop's thread and on the writing connection's
_newest = 0


def _written(prefix: str, ulid: int) -> str:
    pairs = _PAIRS
    return f"{prefix}_{''.join([pairs[ulid >> shift & 1023] for shift in _SHIFTS])}"


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`, that sorts after every one made here before. Prefixes: acc mem tok src sec cnt ord dlv."""
    global _newest  # noqa: PLW0603 - one clock a process, under the lock
    fresh = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    with _lock:
        # Within a millisecond (or when the clock was put back) the next one, as the ULID specification has it.
        _newest = ulid = fresh if fresh >> 80 > _newest >> 80 else _newest + 1
    return _written(prefix, ulid)


def new_ids(prefix: str, count: int) -> list[str]:
    """So many new ids (a million at most), each sorting after the one before: a table takes them in at its end.

    The time as in every ULID, then 60 random bits, which all of them share, then 20 bits that count.
    """
    head = _written(prefix, time.time_ns() // 1_000_000 << 80 | secrets.randbits(60) << 20)[:-4]
    return [head + _PAIRS[at >> 10] + _PAIRS[at & 1023] for at in range(count)]


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """The least id that can be made at this time (microseconds since 1970): ids of a time are those between two of these."""
    return _written(prefix, min(max(at // 1000, 0), 2**48 - 1) << 80)


def made_at(text: str) -> int | None:
    """When an id was made, in microseconds since 1970; None for what is none."""
    found = _ULID.fullmatch(text, text.find("_")) if "_" in text else None
    if found is None:
        return None
    milliseconds = 0
    for letter in found[1]:
        milliseconds = milliseconds << 5 | _ALPHABET.index(letter)
    return milliseconds * 1000
