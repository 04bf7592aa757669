"""Hashes bodies without giving the interpreter away.

`hashlib` and `hmac.digest` release it for 2,048 bytes and more, and wait for it to come back: behind the thread that
writes, at each of the three hashes of a delivery. A body of 2 KB takes 4 µs to hash.
"""

import hashlib
import hmac
from typing import Any

_PIECE = 2047  # bytes: the most for which hashlib keeps the interpreter
_LONG = 64 * 1024  # bytes; from here on the hash takes longer than the wait


def sha256(head: bytes, body: bytes = b"") -> str:
    """The SHA-256 of the body behind its head, in hexadecimal."""
    found = hashlib.sha256(head)
    _take_in(found, body)
    return found.hexdigest()


def hmac_of(key: bytes, message: bytes, algorithm: str) -> bytes:
    """The HMAC of the message."""
    found = hmac.new(key, digestmod=algorithm)
    _take_in(found, message)
    return found.digest()


def _take_in(found: Any, body: bytes) -> None:
    if _PIECE < len(body) < _LONG:
        for at in range(0, len(body), _PIECE):
            found.update(body[at : at + _PIECE])
    else:
        found.update(body)
