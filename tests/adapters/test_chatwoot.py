"""Chatwoot: what is signed, as its API reference says it, and whom a contact's webhook names."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from adapters.contract import Delivery
from tests.reading import Source, arrived

CHATWOOT = Source("chatwoot")
NOW = datetime.fromtimestamp(1_795_000_000, UTC)
SECRET = "a-made-up-secret"
BODY = json.dumps({"event": "contact_created", "id": 7, "name": "Ana Souza"}).encode()


def delivery(sent_at: str, signature: str) -> Delivery:
    return arrived(BODY, x_chatwoot_timestamp=sent_at, x_chatwoot_signature=signature, at=NOW)


def test_the_signature_is_over_time_dot_body() -> None:
    """`sha256=` and the hex HMAC-SHA256 of `{timestamp}.{raw_request_body}`: made here without the contract's help."""
    mac = hmac.new(SECRET.encode(), b"1795000000." + BODY, hashlib.sha256).hexdigest()
    assert CHATWOOT.verify(delivery("1795000000", f"sha256={mac}"), SECRET) == SECRET
    for sent_at, given in (
        ("1795000001", f"sha256={mac}"),
        ("1795000000", mac),
        ("1795000000", f"sha256={mac.upper()}"),
    ):
        CHATWOOT.refuse(delivery(sent_at, given), SECRET)
    CHATWOOT.refuse(delivery("1795000000", f"sha256={mac}"), SECRET, now=NOW + timedelta(seconds=301))


def test_the_name_that_chatwoot_makes_up_is_none() -> None:
    for name in ("weathered-sound-480", "Ana-Maria Souza"):
        body = {"event": "contact_created", "id": 7, "name": name, "phone_number": "+5511987654321"}
        told = json.dumps(CHATWOOT.translation(body))
        assert (name in told) == (name == "Ana-Maria Souza"), told
