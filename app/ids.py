"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made."""

import secrets

from ulid import ULID


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`. Prefixes: acc mem tok src sec cnt ord dlv."""
    return f"{prefix}_{ULID()}"


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"


def first_id(prefix: str, at: int) -> str:
    """The least id that can be made at this time (microseconds since 1970): ids of a time are those between two of these."""
    milliseconds = min(max(at // 1000, 0), 2**48 - 1)
    return f"{prefix}_{ULID.from_bytes(milliseconds.to_bytes(6, 'big') + bytes(10))}"
