"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made."""

import secrets

from ulid import ULID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as a ULID is written
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`. Prefixes: acc mem tok src sec cnt ord dlv."""
    return f"{prefix}_{ULID()}"


def new_ids(prefix: str, count: int) -> list[str]:
    """So many new ids (a million at most), each sorting after the one before: a table takes them in at its end.

    The time as in every ULID, then 60 random bits, which all of them share, then 20 bits that count.
    """
    chance = secrets.randbits(60)
    head = f"{prefix}_{str(ULID())[:10]}" + "".join(_PAIRS[chance >> shift & 1023] for shift in range(50, -1, -10))
    return [head + _PAIRS[at >> 10] + _PAIRS[at & 1023] for at in range(count)]


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """The least id that can be made at this time (microseconds since 1970): ids of a time are those between two of these."""
    milliseconds = min(max(at // 1000, 0), 2**48 - 1)
    return f"{prefix}_{ULID.from_bytes(milliseconds.to_bytes(6, 'big') + bytes(10))}"
