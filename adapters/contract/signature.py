"""What a signature scheme is, and the parts it is put together from: keys, headers, what is signed, how old it may be.

The schemes themselves are in `schemes.py`; an adapter whose source signs like no other writes its own with these parts.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from adapters.contract.delivery import Delivery
from adapters.contract.errors import Unverified


class Strength(StrEnum):
    """What a signature proves: `mac` the body, `token` the sender but not the body, `fetched` nothing by itself.

    Whether it proves the kind, the time and the id as well depends on where those stand: see `Adapter.proof`.
    """

    MAC = "mac"
    TOKEN = "token"  # noqa: S105 - a word, not a credential
    FETCHED = "fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the signature of a source proves beside who sent it: the body, the kind, the time of sending, the delivery's id.

    With `time`, a delivery that was captured is refused once it is too old. Where the body is proven and the kind is not,
    the same bytes can be sent again under another kind; see `fold.heard`.
    """

    body: bool
    kind: bool
    time: bool
    id: bool

    def __str__(self) -> str:
        """Return what is proven, in words."""
        return ", ".join(name for name in self.__slots__ if getattr(self, name)) or "the sender alone"


class Signature(ABC):
    """How a source proves a delivery. Frozen; one scheme serves every source that signs alike."""

    strength: Strength
    # What is signed beside the whole body (or, of a `token`, in its place): "time", "header:webhook-id", "field:eventId".
    covers: frozenset[str] = frozenset()
    # False: only the source has the key, and `sign` gives everything but the signature.
    can_sign: bool = True
    # Whether the secret itself travels with each delivery, and the headers and query parameters in which it does.
    shows_secret: bool = False
    shown_in: frozenset[str] = frozenset()

    def signs_with(self, secret: str) -> bool:
        """Whether this secret can sign as well as prove: the public key of a pair cannot."""
        return self.can_sign

    @abstractmethod
    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        """The secret that proves the delivery. Raises Unverified."""

    @abstractmethod
    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """The delivery as its source would send it, proven with `secret`."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The scheme in one sentence for people who set a source up."""


@dataclass(frozen=True, slots=True)
class Outdated(Signature):
    """Proves nothing: how the source signs stands in its options, and today's adapter does not take the saved ones any more."""

    strength = Strength.TOKEN
    can_sign = False

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        raise Unverified(Unverified.NO_SECRET)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        return delivery

    @property
    def description(self) -> str:
        return "unknown: the options of this source are not valid any more; set them again"


# -- Where a signature is, how a key is made, what is signed ------------------------------------------------------

Encoding = Literal["hex", "base64"]
Algorithm = Literal["sha1", "sha256", "sha512"]

ENCODE: dict[Encoding, Callable[[bytes], bytes]] = {
    "hex": lambda digest: digest.hex().encode(),
    "base64": base64.b64encode,
}


def text_key(secret: str) -> bytes:
    """The secret's characters are the key (most sources)."""
    return in_bytes(secret)


def hex_key(secret: str) -> bytes:
    """The secret is the key in hexadecimal (Squarespace, Adyen). Raises Unverified when it is not."""
    try:
        return _not_empty(bytes.fromhex(secret))
    except ValueError:
        raise Unverified(Unverified.NO_SECRET) from None


def whsec_key(secret: str) -> bytes:
    """Standard Webhooks: base64 after `whsec_`. Raises Unverified when it is not."""
    try:
        return _not_empty(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        raise Unverified(Unverified.NO_SECRET) from None


def _not_empty(key: bytes) -> bytes:
    """A key of no bytes, as "whsec_" and "  " decode to, is one that everybody has."""
    if not key:
        raise Unverified(Unverified.NO_SECRET)
    return key


def raw_body(delivery: Delivery) -> bytes:
    """The exact bytes that arrived."""
    return delivery.body


def time_dot_body(header: str) -> Callable[[Delivery], bytes]:
    """The time that stands in this header, a dot, the exact bytes that arrived."""
    return lambda delivery: in_bytes(delivery.headers.get(header, "")) + b"." + delivery.body


def usable(secrets: Iterable[str]) -> list[str]:
    """The secrets that can prove anything: an empty one proves nothing. Raises Unverified when there is none."""
    found = [secret for secret in secrets if secret]
    if not found:
        raise Unverified(Unverified.NO_SECRET)
    return found


def one_header(delivery: Delivery, names: Sequence[str]) -> str:
    """The value of the first of these headers that came, once. Raises Unverified."""
    for name in names:
        value = delivery.headers.get(name)
        if value is not None:
            if name in delivery.repeated:
                raise Unverified(Unverified.REPEATED)
            return value
    raise Unverified(Unverified.MISSING)


def in_bytes(value: str) -> bytes:
    """The text in UTF-8; never fails, whatever somebody put into it."""
    return value.encode("utf-8", "surrogatepass")


def check_age(sent: str, now: datetime, tolerance: int, unit: int = 1) -> None:
    """Refuses a timestamp (`unit` of them make a second) further than `tolerance` seconds from now, either way."""
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 16):
        raise Unverified(Unverified.MALFORMED)
    age = now.timestamp() - int(sent) / unit
    if age > tolerance:
        raise Unverified(Unverified.TOO_OLD)
    if age < -tolerance:
        raise Unverified(Unverified.TOO_NEW)
