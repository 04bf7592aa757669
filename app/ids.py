"""Ids: a prefix that says what it names, and a ULID, so that ids sort by the time they were made."""

import secrets

from ulid import ULID


def new_id(prefix: str) -> str:
    """A new id, `ord_01J…`. Prefixes: acc mem tok src sec cnt ord dlv."""
    return f"{prefix}_{ULID()}"


def new_token() -> str:
    """A new bearer token: 32 random bytes, recognisable by scanners that look for leaked secrets."""
    return f"ort_{secrets.token_urlsafe(32)}"
