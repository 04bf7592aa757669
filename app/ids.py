"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made."""

import secrets

from ulid import ULID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as a ULID is written
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_SPARE = 20  # bits


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`. Prefixes: acc mem tok src sec cnt ord dlv."""
    return f"{prefix}_{ULID()}"


def new_ids(prefix: str, count: int) -> list[str]:
    """So many new ids, each sorting after the one before: a table takes them in at its end."""
    first = int(ULID()) >> _SPARE << _SPARE  # as many as are asked for end in bits of our own
    return [f"{prefix}_{_base32(first + at)}" for at in range(count)]


def _base32(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"
