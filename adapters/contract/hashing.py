"""Hashes bodies without giving the interpreter away.

`hashlib` and `hmac.digest` release it for 2,048 bytes and more, and wait for it to come back: behind the thread that
writes, at each of the three hashes of a delivery. A body of 2 KB takes 4 µs to hash.
"""

import hashlib
import hmac
from typing import Any

_PIECE = 2047  # bytes: the most for which hashlib keeps the interpreter
_LONG = 64 * 1024  # bytes; from here on the hash takes longer than the wait


def sha256(*parts: bytes) -> str:
    """The SHA-256 of these parts, one after the other, in hexadecimal."""
    found = hashlib.sha256()
    for part in parts:
        _take_in(found, part)
    return found.hexdigest()


def hmac_of(key: bytes, message: bytes, algorithm: str) -> bytes:
    """The HMAC of the message."""
    found = hmac.new(key, digestmod=algorithm)
    _take_in(found, message)
    return found.digest()


def _take_in(found: Any, part: bytes) -> None:
    step = _PIECE if len(part) < _LONG else len(part)
    for at in range(0, len(part), step):
        found.update(part[at : at + step])
