"""Schemes of every sort, and what signs and refuses with them; the tests of signatures share them."""

import base64
import hmac
from datetime import UTC, datetime

import pytest

from adapters.contract import (
    AnyOf,
    Delivery,
    Hmac,
    Signature,
    StandardWebhooks,
    TimestampedHmac,
    Token,
    Unverified,
    body_token,
    hex_key,
    time_dot_body,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SENT = str(int(NOW.timestamp()))
BODY = '{"id": 1, "name": "Conceição"}'.encode()
SECRET, OTHER = "a made-up secret", "another made-up secret"
WHSEC = "whsec_" + base64.b64encode(b"a made-up key of 32 bytes, or so").decode()


def arrived(headers: dict[str, str] | None = None, body: bytes = BODY, **query: str) -> Delivery:
    return Delivery(body=body, headers=headers or {}, received_at=NOW, query=query)


def why(scheme: Signature, delivery: Delivery, *secrets: str, now: datetime = NOW) -> str:
    """Why the delivery is refused."""
    with pytest.raises(Unverified) as refused:
        scheme.verify(delivery, secrets or (SECRET,), now)
    return refused.value.reason


def mac(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


HEX = Hmac(header="x-sig", encoding="hex")
BASE64 = Hmac(header="x-sig", encoding="base64")
SHA1 = Hmac(header="x-sig", encoding="hex", algorithm="sha1")
PREFIXED = Hmac(header="x-sig", encoding="hex", prefix="sha256=")
TWO_NAMES = Hmac(header=("x-new", "x-old"), encoding="hex")
IN_QUERY = Hmac(query="signature", encoding="hex")
OVER_TIME = Hmac(header="x-sig", encoding="hex", message=time_dot_body("x-time"), time_header="x-time")
MILLISECONDS = Hmac(
    header="x-sig", encoding="hex", message=time_dot_body("x-time"), time_header="x-time", time_unit=1000, tolerance=5
)
STRIPE = TimestampedHmac(header="x-sig", time_name="t", mac_name="v1", between=",", joined_by=".", tolerance=300)
PADDLE = TimestampedHmac(header="x-sig", time_name="ts", mac_name="h1", between=";", joined_by=":", tolerance=5)
STANDARD = StandardWebhooks()
TOKEN = Token(header="x-token")
BEARER = Token(header="authorization", prefix="Bearer ")
BASIC = Token(header="authorization", basic=True)
QUERY_TOKEN = Token(query="token")
BODY_TOKEN = body_token("account.token")
FORM_TOKEN = body_token("account.token", "form")

EVERY: dict[str, Signature] = {
    "hex": HEX,
    "base64": BASE64,
    "sha1": SHA1,
    "sha512": Hmac(header="x-sig", encoding="base64", algorithm="sha512"),
    "prefixed": PREFIXED,
    "two_names": TWO_NAMES,
    "in_query": IN_QUERY,
    "over_time": OVER_TIME,
    "milliseconds": MILLISECONDS,
    "hex_key": Hmac(header="x-sig", encoding="base64", key=hex_key),
    "stripe": STRIPE,
    "paddle": PADDLE,
    "standard": STANDARD,
    "token": TOKEN,
    "bearer": BEARER,
    "basic": BASIC,
    "query_token": QUERY_TOKEN,
    "body_token": BODY_TOKEN,
    "form_token": FORM_TOKEN,
    "any_of": AnyOf((HEX, BODY_TOKEN)),
}
each_scheme = pytest.mark.parametrize("scheme", EVERY.values(), ids=EVERY)
# 64 hexadecimal digits are a key in hexadecimal, in base64 and as text.
KEY, OTHER_KEY = "5a" * 32, "c3" * 32
