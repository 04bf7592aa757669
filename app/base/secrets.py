"""Secrets of sources and subscriptions: ours are 32 random bytes; a platform's own are taken when they can prove anything at all."""

import base64
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from adapters.contract import Adapter, AnyOf, Delivery, Hmac, Signature, StandardWebhooks, Strength, Unverified

SHORTEST = 8
WEAK = 16  # below, a secret is taken with a warning: platforms do make such


def made_secret(adapter: Adapter[Any]) -> str:
    """A new secret of 32 random bytes, in the shape in which the adapter's platform writes its own."""
    if adapter.secret_prefix == "whsec_":  # noqa: S105 - a prefix, not a credential
        return whsec()
    return f"{adapter.secret_prefix}{secrets.token_bytes(32).hex()}"


def whsec() -> str:
    """A new secret of 32 random bytes, in the shape of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def checked_secret(adapter: Adapter[Any], options: Any, given: str) -> str:
    """The secret as it was given, once it is clear that it can sign. Raises ValueError, without repeating it."""
    if not given.strip():
        raise ValueError("is empty")
    if given != given.strip():
        raise ValueError("begins or ends with blanks; copy it without them")
    scheme = adapter.scheme(options)
    if _keyed_with(scheme, given) < SHORTEST and scheme.strength is not Strength.FETCHED:
        raise ValueError(f"is shorter than {SHORTEST} characters, which anybody could guess")
    present = datetime.now(UTC)
    try:
        scheme.sign(Delivery(body=b"{}", headers={}, received_at=present), given, present)
    except Unverified as why:
        if why.reason == Unverified.NO_SECRET:
            raise ValueError(f"does not have the shape that {adapter.title} shows it in") from None
    except Exception:  # a scheme whose message stands in the body cannot sign an empty one: nothing is known against it
        return given
    return given


def warnings_of(adapter: Adapter[Any], options: Any, secret: str) -> list[str]:
    """What is to be said of a secret that is taken all the same."""
    if _keyed_with(adapter.scheme(options), secret) < WEAK:
        return [f"the secret is shorter than {WEAK} characters; let the platform make a longer one, if it can"]
    return []


def _keyed_with(scheme: Signature, secret: str) -> int:
    """How many bytes a secret is worth: of one in base64 or hexadecimal, those that it stands for."""
    lengths = [len(secret)]
    for one in scheme.schemes if isinstance(scheme, AnyOf) else (scheme,):
        if isinstance(one, Hmac | StandardWebhooks):
            with suppress(Unverified):
                lengths.append(len(one.key(secret)))
    return min(lengths)
