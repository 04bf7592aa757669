"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made.

A ULID (https://github.com/ulid/spec) is 128 bits in Crockford's base 32: milliseconds since 1970 in 48, chance in 80.
Within a millisecond they count up, as the specification has it: its first id draws its chance, the others count on.
Written here and not by a library: three are made for every delivery, and python-ulid (5.6 instead of 1.6 µs each) makes
none that sort within a millisecond.
"""

import os
import re
import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_LETTER_OF = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))  # of a random byte
_ULID = re.compile("_([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}")

_lock = threading.Lock()  # ids are made on the loop's thread and on the writing connection's
# Of the newest id: its milliseconds, its first 22 letters, and the number in its last four.
_at, _stem, _count = 0, "", 0
_MOST = 1 << 20  # that number's end


def _time(milliseconds: int) -> str:
    """Return the ten letters of a time."""
    return "".join(_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0))


def new_id(prefix: str) -> str:
    """Return a new id, `ord_01J…`, that sorts after all earlier ones of this process.

    Prefixes: acc mem tok src sec cnt ord dlv.
    """
    global _at, _stem, _count  # noqa: PLW0603 - one clock a process, under the lock
    present = time.time_ns() // 1_000_000
    with _lock:
        _count += 1
        if present > _at or _count == _MOST:  # the clock may have been put back: then it goes on from the newest id
            _at = max(present, _at + 1)
            _stem = _time(_at) + os.urandom(12).translate(_LETTER_OF).decode()
            _count = secrets.randbits(19)  # half of them are left to count in
        stem, count = _stem, _count
    return f"{prefix}_{stem}{_PAIRS[count >> 10]}{_PAIRS[count & 1023]}"


def new_token() -> str:
    """Return a new bearer token: 32 random bytes, with a prefix that scanners for leaked secrets recognise."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """Return the smallest id of a time (microseconds since 1970). The ids of a period lie between two of these."""
    return f"{prefix}_{_time(min(max(at // 1000, 0), 2**48 - 1))}{'0' * 16}"


def made_at(text: str) -> int | None:
    """Return when an id was made, in microseconds since 1970; None if the text is not an id."""
    found = _ULID.fullmatch(text, text.find("_")) if "_" in text else None
    if found is None:
        return None
    milliseconds = 0
    for letter in found[1]:
        milliseconds = milliseconds << 5 | _ALPHABET.index(letter)
    return milliseconds * 1000
