"""The signatures of the adapter without code: each scheme that its options can name, and what none of them takes."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.contract import Strength, Unverified
from tests.adapters.generic import LEAST, sent, source
from tests.reading import NOW, arrived

SECRET = "a-made-up-secret-of-32-characters"
BODY = b'{"event":"order","id":"1"}'
HMAC = LEAST["signature"]
STAMPED = {**HMAC, "signed": "{timestamp}.{body}", "timestamp": "X-Time"}


def proves(
    signature: dict[str, Any],
    headers: dict[str, str],
    query: dict[str, str] | None = None,
    body: bytes = BODY,
    secret: str = SECRET,
) -> str:
    return source(signature=signature).verify(sent(body, headers, query), "another-secret", secret)


def mac(message: bytes, algorithm: str = "sha256", key: bytes = SECRET.encode()) -> bytes:
    return hmac.digest(key, message, algorithm)


@pytest.mark.parametrize(
    ("signature", "headers", "query"),
    [
        (HMAC, {"x-signature": mac(BODY).hex()}, None),
        ({**HMAC, "prefix": "sha256="}, {"x-signature": f"sha256={mac(BODY).hex()}"}, None),
        ({**HMAC, "header": "X-Signature"}, {"x-signature": mac(BODY).hex()}, None),
        (
            {"scheme": "hmac", "query": "sig", "algorithm": "sha512", "encoding": "base64"},
            {},
            {"sig": base64.b64encode(mac(BODY, "sha512")).decode()},
        ),
        (STAMPED, {"x-time": "1795179606", "x-signature": mac(b"1795179606." + BODY).hex()}, None),
        (
            {**STAMPED, "timestamp_unit": "milliseconds"},
            {"x-time": "1795179606000", "x-signature": mac(b"1795179606000." + BODY).hex()},
            None,
        ),
        (
            {**HMAC, "signed": "{url}|{header:X-Request}|{query:shop}|{body}"},
            {
                "x-request": "r-1",
                "x-signature": mac(b"https://registry.example/webhooks/src_1|r-1|sol|" + BODY).hex(),
            },
            {"shop": "sol"},
        ),
        ({"scheme": "token", "header": "x-token"}, {"x-token": SECRET}, None),
        (
            {"scheme": "token", "header": "authorization", "prefix": "Bearer "},
            {"authorization": f"Bearer {SECRET}"},
            None,
        ),
        ({"scheme": "token", "query": "key"}, {}, {"key": SECRET}),
        ({"scheme": "basic"}, {"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}, None),
    ],
)
def test_schemes(signature: dict[str, Any], headers: dict[str, str], query: dict[str, str] | None) -> None:
    assert proves(signature, headers, query) == SECRET
    for name, value in headers.items():
        with pytest.raises(Unverified):
            proves(signature, {**headers, name: f"{value}0"}, query)
        with pytest.raises(Unverified):
            proves(signature, {other: its for other, its in headers.items() if other != name}, query)
    for name in query or {}:
        with pytest.raises(Unverified):
            proves(signature, headers, {name: "0"})
    if signature["scheme"] == "hmac":
        with pytest.raises(Unverified):
            proves(signature, headers, query, BODY + b" ")
    # What `sign` makes is what `verify` takes.
    signing = source(signature=signature)
    assert signing.verify(signing.sign(sent(BODY, {"x-request": "r-1"}, {"shop": "sol"}), SECRET), SECRET) == SECRET


@pytest.mark.parametrize(
    ("secret", "body", "shown"),
    [
        (
            "It's a Secret to Everybody",
            b"Hello, World!",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        (
            "mysecret",
            b'{"foo":"bar"}',
            "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3",
        ),
    ],
)
def test_a_family_of_headers_that_many_senders_copy(secret: str, body: bytes, shown: str) -> None:
    """GitHub's, with its published examples (docs.github.com, octokit/webhooks-methods.js test/sign.test.ts)."""
    family = {**HMAC, "header": "X-Hub-Signature-256", "prefix": "sha256="}
    assert proves(family, {"x-hub-signature-256": shown}, body=body, secret=secret) == secret


@pytest.mark.parametrize(
    ("word", "secret"), [("hex", bytes(range(32)).hex()), ("base64", base64.b64encode(bytes(range(32))).decode())]
)
def test_keys_in_hex_and_base64(word: str, secret: str) -> None:
    headers = {"x-signature": mac(BODY, key=bytes(range(32))).hex()}
    assert source(signature={**HMAC, "key": word}).verify(arrived(BODY, headers), secret) == secret
    source(signature=HMAC).refuse(arrived(BODY, headers), secret)


def test_standard_webhooks() -> None:
    # The specification's own example.
    secret, sent_at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(sent_at),
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    standard, at = source(signature={"scheme": "standard"}), datetime.fromtimestamp(sent_at, UTC)
    assert standard.verify(arrived(b'{"test": 2432232314}', headers, at=at), secret) == secret
    standard.refuse(arrived(b'{"test": 2432232315}', headers, at=at), secret)


@pytest.mark.parametrize(("age", "reason"), [(301, Unverified.TOO_OLD), (-301, Unverified.TOO_NEW), (300, None)])
def test_a_signed_time_may_be_so_old(age: int, reason: str | None) -> None:
    headers = {"x-time": "1795179606", "x-signature": mac(b"1795179606." + BODY).hex()}
    stamped, delivery = source(signature=STAMPED), arrived(BODY, headers, at=NOW + timedelta(seconds=age))
    if reason is None:
        assert stamped.verify(delivery, SECRET) == SECRET
    else:
        assert stamped.refuse(delivery, SECRET) == reason


@pytest.mark.parametrize("sent_at", ["", "now", "17951796O6", "-1795179606", "1795179606.5", "9" * 40])
def test_a_signed_time_that_is_none(sent_at: str) -> None:
    headers = {"x-time": sent_at, "x-signature": mac(sent_at.encode() + b"." + BODY).hex()}
    with pytest.raises(Unverified):
        proves(STAMPED, headers)


@pytest.mark.parametrize("body", ["json", "form"])
def test_a_token_in_the_body(body: str) -> None:
    given = source(signature={"scheme": "token", "field": "auth.token"}, body=body, kind="always:order")
    shown = {"id": "1", "auth": {"token": SECRET}}
    bytes_ = json.dumps(shown).encode() if body == "json" else urlencode({"id": "1", "auth[token]": SECRET}).encode()
    assert given.verify(bytes_, SECRET) == SECRET
    for other in (b"", b"[]", b"null", b'{"auth": null}', b"auth=1", b"auth[token]=", b'{"auth": {"token": 1}}'):
        given.refuse(other, SECRET)
    signed = given.sign(b'{"id":"1"}' if body == "json" else b"id=1", SECRET)
    assert given.verify(signed, SECRET) == SECRET


def test_strength() -> None:
    assert source().scheme.strength is Strength.MAC
    assert source(signature={**HMAC, "signed": "{header:x-id}"}).scheme.strength is Strength.TOKEN
    assert source(signature={"scheme": "token", "query": "k"}).scheme.strength is Strength.TOKEN
