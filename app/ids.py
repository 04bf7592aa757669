"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made."""

import secrets

from ulid import ULID


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`. Prefixes: acc mem tok src sec cnt ord dlv."""
    return f"{prefix}_{ULID()}"


def first_id(prefix: str, at: int) -> str:
    """The smallest id that can have been made at this moment (microseconds since 1970), or later."""
    return f"{prefix}_{ULID.from_bytes((at // 1000).to_bytes(6, 'big') + bytes(10))}"


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"
