"""JSON Web Signatures: what a forger tries with a token's header, at both adapters that read one."""

import base64
import hmac
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import adapters
from adapters.contract import Delivery, Unverified, base64url, from_base64url, jws_parts

NOW = datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
BODY = b'{"data": "{}", "iat": 1795179605, "exp": 1795180205}'  # Wix's token must say when it was made, and ends
RIGHT: dict[str, dict[str, Any]] = {
    "wix": {"alg": "RS256", "typ": "JWT"},
    "saleor": {"alg": "RS256", "b64": False, "crit": ["b64"]},
}


@cache
def key(name: str = "the source's") -> RSAPrivateKey:
    """An RSA key, another one for another name."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def jwk(of: RSAPrivateKey) -> dict[str, str]:
    numbers = of.public_key().public_numbers()
    n, e = (base64url(number.to_bytes(size)).decode() for number, size in ((numbers.n, 256), (numbers.e, 3)))
    return {"kty": "RSA", "n": n, "e": e}


def secret(adapter: str, of: RSAPrivateKey) -> str:
    """The public key as the adapter's owner gives it."""
    if adapter == "saleor":
        return json.dumps({"keys": [jwk(of)]})
    return of.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def delivered(adapter: str, header: object, signature: Any, body: bytes = BODY) -> Delivery:
    """A delivery under this header; `signature` makes the signature from what is signed."""
    head = base64url(header if isinstance(header, bytes) else json.dumps(header).encode())
    if adapter == "saleor":
        token = head + b".." + base64url(signature(head + b"." + body))
        return Delivery(body=body, headers={"saleor-signature": token.decode()}, received_at=NOW)
    start = head + b"." + base64url(body)
    return Delivery(body=start + b"." + base64url(signature(start)), headers={}, received_at=NOW)


def signs(of: RSAPrivateKey, algorithm: Any = None, padding: Any = None) -> Any:
    return lambda message: of.sign(message, padding or PKCS1v15(), algorithm or SHA256())


def verify(adapter: str, delivery: Delivery, *secrets: str) -> str:
    return adapters.load(adapter).signature.verify(delivery, secrets or [secret(adapter, key())], NOW)


def refused(adapter: str, delivery: Delivery) -> str:
    with pytest.raises(Unverified) as why:
        verify(adapter, delivery)
    return why.value.reason


# What is no token of the right kind: at Wix the token is the body, and so the body was changed.
NO_TOKEN = {"wix": Unverified.MISMATCH, "saleor": Unverified.MALFORMED}
both = pytest.mark.parametrize("adapter", list(RIGHT))
# What the header says instead, each signed with the right key: only the header is wrong.
ALGORITHMS = ("none", "None", "", None, "HS256", "RS384", "RS512", "PS256", "ES256", "rs256", ["RS256"], 0)
HEADERS: list[dict[str, Any]] = [
    *({"alg": one} for one in ALGORITHMS),
    {"crit": ["exp"]},
    {"crit": ["b64", "exp"]},
    {"crit": []},
    {"crit": "b64"},
    {"b64": "false"},
    {"b64": 0},
    {"b64": True, "crit": ["b64"]},
]


@both
def test_the_right_header_is_taken(adapter: str) -> None:
    assert verify(adapter, delivered(adapter, RIGHT[adapter], signs(key())))
    assert verify(adapter, delivered(adapter, RIGHT[adapter] | {"kid": "1", "iss": "x"}, signs(key())))
    assert refused(adapter, delivered(adapter, RIGHT[adapter], signs(key("another")))) == Unverified.MISMATCH


@both
@pytest.mark.parametrize("wrong", HEADERS)
def test_the_header_chooses_nothing(adapter: str, wrong: dict[str, Any]) -> None:
    assert refused(adapter, delivered(adapter, RIGHT[adapter] | wrong, signs(key()))) == NO_TOKEN[adapter]
    assert refused(adapter, delivered(adapter, RIGHT[adapter] | wrong, lambda _: b"")) == NO_TOKEN[adapter]


@both
def test_a_public_key_is_no_shared_secret(adapter: str) -> None:
    for alg in ("HS256", "RS256"):
        header = RIGHT[adapter] | {"alg": alg}
        public = secret(adapter, key()).encode()
        forged = delivered(adapter, header, lambda message, public=public: hmac.digest(public, message, "sha256"))
        assert refused(adapter, forged) in (Unverified.MALFORMED, Unverified.MISMATCH)


@both
def test_a_key_in_the_header_is_not_looked_at(adapter: str) -> None:
    forger = key("the forger's")
    mine = {
        "jwk": jwk(forger),
        "jku": "https://example.com/jwks.json",
        "x5c": ["AAAA"],
        "x5u": "https://example.com/x.pem",
    }
    assert refused(adapter, delivered(adapter, RIGHT[adapter] | mine, signs(forger))) == Unverified.MISMATCH
    assert refused(adapter, delivered(adapter, RIGHT[adapter] | {"kid": "../../dev/null"}, lambda _: b"")) == (
        Unverified.MISMATCH
    )


@both
def test_another_padding_or_digest_is_another_signature(adapter: str) -> None:
    for made in (signs(key(), SHA512()), signs(key(), padding=PSS(MGF1(SHA256()), 32))):
        assert refused(adapter, delivered(adapter, RIGHT[adapter], made)) == Unverified.MISMATCH


@both
@pytest.mark.parametrize("header", [b"", b"[]", b"null", b'"RS256"', b"{", b"\xff", b'{"alg": "RS256"', b"[" * 9999])
def test_a_header_that_is_no_object(adapter: str, header: bytes) -> None:
    assert refused(adapter, delivered(adapter, header, signs(key()))) == NO_TOKEN[adapter]


@both
def test_a_weak_key_proves_nothing(adapter: str) -> None:
    weak = generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - what is refused
    numbers = weak.public_key().public_numbers()
    listed = {**jwk(key()), "n": base64url(numbers.n.to_bytes(128)).decode()}
    given = json.dumps({"keys": [listed]}) if adapter == "saleor" else secret(adapter, weak)
    with pytest.raises(Unverified) as why:
        verify(adapter, delivered(adapter, RIGHT[adapter], signs(weak)), given)
    assert why.value.reason == Unverified.NO_SECRET


def test_the_other_form_is_not_taken() -> None:
    """What is signed detached proves no token, and the other way round."""
    whole = delivered("wix", RIGHT["wix"], signs(key())).body
    for detached in (whole, whole.replace(b".", b"..", 1), b"..".join(whole.split(b".")[::2])):
        with pytest.raises(Unverified):
            verify("saleor", Delivery(body=BODY, headers={"saleor-signature": detached.decode()}, received_at=NOW))
    with pytest.raises(Unverified):
        jws_parts(whole, detached=BODY)


@pytest.mark.parametrize("part", [b"AA==", b"AB", b"A", b"A+/A", b"AA\n", b" AA", b"AA.", "é".encode()])
def test_base64url_has_one_spelling(part: bytes) -> None:
    with pytest.raises(ValueError):
        from_base64url(part)
    assert from_base64url(base64url(b"\xfb\xff")) == base64.urlsafe_b64decode(b"-_8=") == b"\xfb\xff"
