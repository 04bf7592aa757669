"""RSA signatures with SHA-256 (PKCS#1 v1.5), and the JSON Web Signatures (RFC 7515) that hold them as RS256.

Which algorithm counts is decided here and never by what arrives. Nothing in a token's header is followed: a key that it
holds or points to (`jwk`, `jku`, `x5c`, `x5u`, `kid`) is not looked at, and what it declares critical must be understood.
"""

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING

from adapters.contract.delivery import json_body
from adapters.contract.errors import Unreadable, Unverified

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

LEAST_BITS = 2048  # of a key that a source's owner gives; RFC 7518 §3.3


def base64url(raw: bytes) -> bytes:
    """Encode as base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def from_base64url(part: bytes) -> bytes:
    """Decode base64url without padding. Raises ValueError for any but the canonical spelling."""
    raw = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    if base64url(raw) != part:
        raise ValueError
    return raw


def rsa_signed(keys: Iterable["RSAPublicKey"], signature: bytes, message: bytes) -> bool:
    """Return whether one of these keys signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    for key in keys:
        try:
            key.verify(signature, message, PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return True
    return False


def jws_parts(token: bytes, *, detached: bytes | None = None) -> tuple[bytes, bytes, bytes]:
    """Return what a compact JWS signs, its payload and its signature. Nothing of it is verified yet.

    With `detached`, the token has no payload of its own, and these bytes are signed as they are (RFC 7797). Raises
    Unverified (malformed) for any header but that of RS256.
    """
    try:
        header, payload, signature = token.split(b".")
        told = json_body(from_base64url(header))
        sent = from_base64url(signature)
        if detached is None:
            signed, content = header + b"." + payload, from_base64url(payload)
        else:
            signed, content = header + b"." + detached, detached
    except (ValueError, Unreadable):
        raise Unverified(Unverified.MALFORMED) from None
    encoded, critical = (None, None) if detached is None else (False, ["b64"])
    right = isinstance(told, dict) and told.get("alg") == "RS256"
    if (
        not right
        or told.get("b64") is not encoded
        or told.get("crit") != critical
        or (payload and detached is not None)
    ):
        raise Unverified(Unverified.MALFORMED)
    return signed, content, sent


def jws(key: "RSAPrivateKey", payload: bytes) -> bytes:
    """Sign the payload as a compact JWS with RS256."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    signed = base64url(b'{"alg":"RS256","typ":"JWT"}') + b"." + base64url(payload)
    return signed + b"." + base64url(key.sign(signed, PKCS1v15(), SHA256()))
