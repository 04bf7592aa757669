"""Chatwoot: what is signed, as its API reference says it, and whom a contact's webhook names."""

import hashlib
import hmac
import json

import pytest

import adapters
from adapters.contract import Delivery, Unverified
from app.base import clock

CHATWOOT = adapters.load("chatwoot")
SECRET = "a-made-up-secret"
BODY = json.dumps({"event": "contact_created", "id": 7, "name": "Ana Souza"}).encode()


def delivery(sent_at: str, signature: str) -> Delivery:
    return Delivery(
        body=BODY,
        headers={"x-chatwoot-timestamp": sent_at, "x-chatwoot-signature": signature},
        received_at=clock.moment(1_795_000_000_000_000),
        url="",
    )


def test_the_signature_is_over_time_dot_body() -> None:
    """`sha256=` and the hex HMAC-SHA256 of `{timestamp}.{raw_request_body}`: made here without the contract's help."""
    mac = hmac.new(SECRET.encode(), b"1795000000." + BODY, hashlib.sha256).hexdigest()
    now = clock.moment(1_795_000_000_000_000)
    scheme = CHATWOOT.signature
    assert scheme.verify(delivery("1795000000", f"sha256={mac}"), [SECRET], now) == SECRET
    for sent_at, given in (
        ("1795000001", f"sha256={mac}"),
        ("1795000000", mac),
        ("1795000000", f"sha256={mac.upper()}"),
    ):
        with pytest.raises(Unverified):
            scheme.verify(delivery(sent_at, given), [SECRET], now)
    with pytest.raises(Unverified):
        scheme.verify(delivery("1795000000", f"sha256={mac}"), [SECRET], clock.moment(1_795_000_301_000_000))
