"""The signature schemes, as values with two verbs: `verify` for the door, `sign` for samples and tests.

A scheme has no default: what is not named is refused, and no secret means refused. Ours is encoded and the bytes are
compared in constant time; what a stranger sent is never decoded. Every secret of a source is tried, since sources keep
the old one for a while after a rotation.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from adapters.contract.delivery import Delivery, form_body, json_body
from adapters.contract.errors import Unreadable, Unverified
from adapters.contract.signature import (
    ENCODE,
    Algorithm,
    Encoding,
    Signature,
    Strength,
    check_age,
    in_bytes,
    one_header,
    raw_body,
    text_key,
    usable,
    whsec_key,
)


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hmac(Signature):
    """One HMAC in one header (or query parameter): Shopify, WooCommerce, and most others.

    `header` may name several families, the first that came counts. `message` builds what is signed when it is not
    simply the body. `proves_body` is False when the message leaves the body out. `time_header` is where a source that
    signs its time as well writes it (Cakto, Chatwoot), in `time_unit`ths of a second; `message` must take it in.
    """

    encoding: Encoding
    header: str | tuple[str, ...] = ()
    query: str | None = None
    algorithm: Algorithm = "sha256"
    prefix: str = ""
    key: Callable[[str], bytes] = text_key
    message: Callable[[Delivery], bytes] = raw_body
    proves_body: bool = True
    signed_words: str = "the raw body"
    time_header: str | None = None
    time_unit: int = 1
    tolerance: int = 300
    also: frozenset[str] = frozenset()  # what else `message` takes in, as in `covers`

    def __post_init__(self) -> None:
        if bool(self.header) == bool(self.query):
            raise TypeError("an HMAC is either in a header or in a query parameter: name one of them")

    @property
    def strength(self) -> Strength:  # type: ignore[override]  # a property fulfils the attribute
        return Strength.MAC if self.proves_body else Strength.TOKEN

    @property
    def covers(self) -> frozenset[str]:  # type: ignore[override]  # a property fulfils the attribute
        return self.also | ({"time", f"header:{self.time_header}"} if self.time_header else set())

    def expected(self, delivery: Delivery, secret: str) -> bytes:
        """The value that this secret gives, as it would stand in the header."""
        digest = hmac.digest(self.key(secret), self.message(delivery), self.algorithm)
        return self.prefix.encode() + ENCODE[self.encoding](digest)

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        if self.query:
            if self.query not in delivery.query:
                raise Unverified(Unverified.MISSING)
            sent = in_bytes(delivery.query[self.query])
        else:
            sent = in_bytes(one_header(delivery, _names(self.header)))
        sent_at = one_header(delivery, (self.time_header,)) if self.time_header else None
        for secret in candidates:
            if hmac.compare_digest(self.expected(delivery, secret), sent):
                if sent_at is not None:
                    check_age(sent_at, now, self.tolerance, self.time_unit)
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        if self.time_header:
            delivery = delivery.changed(headers={self.time_header: str(int(now.timestamp()) * self.time_unit)})
        value = self.expected(delivery, secret).decode()
        if self.query:
            return delivery.changed(query={self.query: value})
        return delivery.changed(headers={_names(self.header)[0]: value})

    @property
    def description(self) -> str:
        place = f"the query parameter `{self.query}`" if self.query else f"the header `{_names(self.header)[0]}`"
        age = f"; at most {self.tolerance} s old" if self.time_header else ""
        return f"HMAC-{self.algorithm.upper()} of {self.signed_words}, {self.encoding}, in {place}{age}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampedHmac(Signature):
    """One header with a time and one or more HMACs over time and body: `t=…,v1=…,v1=…` (Stripe, Paddle).

    `tolerance` is in seconds, past and future; a time too far ahead would be a delivery that can be repeated for long.
    """

    header: str
    time_name: str
    mac_name: str
    between: str
    joined_by: str
    tolerance: int
    encoding: Encoding = "hex"
    algorithm: Algorithm = "sha256"
    strength = Strength.MAC
    covers = frozenset({"time"})

    def expected(self, sent_at: str, body: bytes, secret: str) -> bytes:
        """The value that this secret gives for a body sent at `sent_at`."""
        message = f"{sent_at}{self.joined_by}".encode() + body
        return ENCODE[self.encoding](hmac.digest(text_key(secret), message, self.algorithm))

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        value = one_header(delivery, (self.header,))
        times: list[str] = []
        macs: list[bytes] = []
        for part in value.split(self.between)[:32]:
            name, _, content = part.strip().partition("=")
            if name == self.time_name:
                times.append(content)
            elif name == self.mac_name:
                macs.append(in_bytes(content))
        if len(times) != 1 or not macs or not (times[0].isascii() and times[0].isdigit()):
            raise Unverified(Unverified.MALFORMED)
        for secret in candidates:
            ours = self.expected(times[0], delivery.body, secret)
            if any([hmac.compare_digest(ours, mac) for mac in macs]):
                check_age(times[0], now, self.tolerance)
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        sent_at = str(int(now.timestamp()))
        mac = self.expected(sent_at, delivery.body, secret).decode()
        value = f"{self.time_name}={sent_at}{self.between}{self.mac_name}={mac}"
        return delivery.changed(headers={self.header: value})

    @property
    def description(self) -> str:
        return (
            f"HMAC-{self.algorithm.upper()} of time and raw body, {self.encoding}, in the header `{self.header}`; "
            f"at most {self.tolerance} s old"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardWebhooks(Signature):
    """Standard Webhooks (`webhook-*`; Svix spells them `svix-*`): HMAC-SHA256 of `id.timestamp.body`, base64.

    The header lists several signatures, separated by spaces; entries of other versions (`v1a`) are passed over.
    Source: the specification, standard-webhooks/standard-webhooks `spec/standard-webhooks.md`.
    """

    key: Callable[[str], bytes] = whsec_key
    families: tuple[str, ...] = ("webhook-", "svix-")
    tolerance: int = 300
    strength = Strength.MAC

    @property
    def covers(self) -> frozenset[str]:  # type: ignore[override]  # a property fulfils the attribute
        return frozenset(
            {"time", *(f"header:{family}{part}" for family in self.families for part in ("id", "timestamp"))}
        )

    def expected(self, delivery_id: str, sent_at: str, body: bytes, secret: str) -> bytes:
        """The list entry that this secret gives."""
        message = in_bytes(f"{delivery_id}.{sent_at}.") + body
        return b"v1," + base64.b64encode(hmac.digest(self.key(secret), message, "sha256"))

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        family = next((name for name in self.families if f"{name}signature" in delivery.headers), self.families[0])
        signatures = one_header(delivery, (f"{family}signature",))
        delivery_id = one_header(delivery, (f"{family}id",))
        sent_at = one_header(delivery, (f"{family}timestamp",))
        if not (sent_at.isascii() and sent_at.isdigit()):
            raise Unverified(Unverified.MALFORMED)
        entries = [in_bytes(entry) for entry in signatures.split(" ")[:32]]
        for secret in candidates:
            ours = self.expected(delivery_id, sent_at, delivery.body, secret)
            if any([hmac.compare_digest(ours, entry) for entry in entries]):
                check_age(sent_at, now, self.tolerance)
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        family = self.families[0]
        sent_at = str(int(now.timestamp()))
        delivery_id = delivery.headers.get(f"{family}id") or f"msg_{hashlib.sha256(delivery.body).hexdigest()[:24]}"
        mac = self.expected(delivery_id, sent_at, delivery.body, secret).decode()
        return delivery.changed(
            headers={f"{family}id": delivery_id, f"{family}timestamp": sent_at, f"{family}signature": mac}
        )

    @property
    def description(self) -> str:
        return (
            f"Standard Webhooks: HMAC-SHA256 of id, time and raw body, base64, in the header "
            f"`{self.families[0]}signature`; at most {self.tolerance} s old"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Signature):
    """A shared word that the source shows with every delivery. It proves the sender, not the body.

    It stands in a header, in the query, or in the body (`field` reads it from the delivery). `prefix` comes before it
    in the header (`Bearer `). With `basic`, the secret is `user:password` and comes as HTTP Basic (RFC 7617).
    """

    header: str | None = None
    query: str | None = None
    field: Callable[[Delivery], object] | None = None
    put: Callable[[Delivery, str], Delivery] | None = None
    place: str = ""
    prefix: str = ""
    basic: bool = False
    strength = Strength.TOKEN
    shows_secret = True

    @property
    def shown_in(self) -> frozenset[str]:  # type: ignore[override]  # a property fulfils the attribute
        return frozenset(filter(None, (self.header, self.query)))

    def __post_init__(self) -> None:
        if sum(map(bool, (self.header, self.query, self.field))) != 1:
            raise TypeError("a token is in a header, in the query or in the body: name one of them")

    def _shown(self, secret: str) -> bytes:
        if self.basic:
            return b"Basic " + base64.b64encode(in_bytes(secret))
        return in_bytes(self.prefix + secret)

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        sent: object
        if self.header:
            sent = one_header(delivery, (self.header,))
        elif self.query:
            sent = delivery.query.get(self.query)
        elif self.field:
            try:
                sent = self.field(delivery)
            except (Unreadable, LookupError, TypeError, AttributeError):
                raise Unverified(Unverified.MALFORMED) from None
        else:
            raise Unverified(Unverified.MISSING)
        if not isinstance(sent, str) or not sent:
            raise Unverified(Unverified.MISSING)
        shown = in_bytes(sent)
        for secret in candidates:
            if hmac.compare_digest(self._shown(secret), shown):
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        if self.header:
            return delivery.changed(headers={self.header: self._shown(secret).decode()})
        if self.query:
            return delivery.changed(query={self.query: secret})
        return self.put(delivery, secret) if self.put else delivery

    @property
    def description(self) -> str:
        if self.basic:
            return "user and password by HTTP Basic authentication; proves the sender, not the body"
        if self.header:
            place = f"the header `{self.header}`"
        else:
            place = f"the query parameter `{self.query}`" if self.query else f"the body ({self.place})"
        return f"a shared token in {place}; proves the sender, not the body"


def body_token(path: str, body: Literal["json", "form"] | None = None) -> Token:
    """A token that the source writes into the body itself, at this dotted path (Cakto, Perfect Pay).

    Whether the body is JSON or a form is read from its content type when `body` does not say.
    """
    steps = path.split(".")

    def is_form(delivery: Delivery) -> bool:
        kind = delivery.headers.get("content-type", "")
        return body == "form" or (body is None and kind.startswith("application/x-www-form-urlencoded"))

    def field(delivery: Delivery) -> object:
        value: Any = delivery.document(form_body if is_form(delivery) else json_body)
        for step in steps:
            value = value[step]
        return value

    def put(delivery: Delivery, secret: str) -> Delivery:
        """The body written anew with the secret in it; what is no object is left as it is."""
        if is_form(delivery):
            name = steps[0] + "".join(f"[{step}]" for step in steps[1:])
            pairs = [pair for pair in parse_qsl(delivery.body.decode(), keep_blank_values=True) if pair[0] != name]
            return delivery.changed(body=urlencode([(name, secret), *pairs]).encode())
        document: Any = json.loads(delivery.body)
        place = document
        for step in steps[:-1]:
            place = place.setdefault(step, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            return delivery
        place[steps[-1]] = secret
        return delivery.changed(body=json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())

    return Token(field=field, put=put, place=f"`{path}`")


@dataclass(frozen=True, slots=True)
class AnyOf(Signature):
    """Several schemes of one source; the delivery must satisfy one whose signature it carries."""

    schemes: tuple[Signature, ...]

    @property
    def strength(self) -> Strength:  # type: ignore[override]  # a property fulfils the attribute
        weakest = [Strength.FETCHED, Strength.TOKEN, Strength.MAC]
        return min((scheme.strength for scheme in self.schemes), key=weakest.index)

    @property
    def covers(self) -> frozenset[str]:  # type: ignore[override]  # a property fulfils the attribute
        return frozenset.intersection(*(scheme.covers for scheme in self.schemes))

    @property
    def shows_secret(self) -> bool:  # type: ignore[override]
        return any(scheme.shows_secret for scheme in self.schemes)

    @property
    def shown_in(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(name for scheme in self.schemes for name in scheme.shown_in)

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        refused: Unverified | None = None
        for scheme in self.schemes:
            try:
                return scheme.verify(delivery, secrets, now)
            except Unverified as fault:
                # The most telling reason is that of the scheme whose signature was there at all.
                if refused is None or refused.reason == Unverified.MISSING:
                    refused = fault
        raise refused or Unverified(Unverified.MISSING)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        return self.schemes[0].sign(delivery, secret, now)

    @property
    def description(self) -> str:
        return "; or ".join(scheme.description for scheme in self.schemes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned(Signature):
    """The source signs nothing. Allowed only where the order is then read from the source itself."""

    because: str
    strength = Strength.FETCHED

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        return ""

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        return delivery

    @property
    def description(self) -> str:
        return f"unsigned ({self.because}); believed only because the order is read back from the source"
