"""Signature help: explains to operators why a signature does not match.

It lists what was looked for and found, and what would have matched. No secret and no whole signature is in the answer.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.contract import AnyOf, Delivery, Hmac, Signature, StandardWebhooks, Strength, Token, Unverified
from app.ingest.preview import REASONS
from app.ingest.source_cache import Source

_DIGEST = re.compile(r"[A-Za-z0-9+/_-]{27,}={0,2}")  # the shortest is SHA-1 in base64
_TIME = re.compile(r"(?<!\d)(\d{10}|\d{13})(?!\d)")
_FAULTS = (Unverified, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSecret:
    """Holds a secret of the account. If it is not valid for this source, `because` says why."""

    secret_id: str
    secret: str
    counts: bool
    because: str = ""


def examine(source: Source, delivery: Delivery, known: Sequence[KnownSecret]) -> dict[str, Any]:
    """Explain which part of a signature differs, and why. `known` are all secrets of the account."""
    scheme = source.adapter.scheme(source.options)
    ours = [one for one in known if one.counts]
    verdicts = [_verdict(scheme, delivery, one) for one in ours]
    proven = any(verdict["matches"] for verdict in verdicts)
    if not ours:
        verdicts = [{"secret_id": None, "matches": False, "reason": Unverified.NO_SECRET, "expected": None}]
    for verdict in verdicts:
        verdict["meaning"] = REASONS.get(verdict["reason"] or "", "this secret proves it")
    hints = [] if proven else [hint for one in _parts(scheme) for hint in _hints(one, delivery, known)]
    if not hints and any(verdict["reason"] == Unverified.MISSING for verdict in verdicts):
        absent = [place for place, value in _places(scheme, delivery) if value is None]
        hints = [f"what is not there: {', '.join(absent)}"]
    return {
        "verified": proven,
        "expects": scheme.description,
        "looked_for": [
            {"place": place, "found": value is not None, "sent": _beginning(value) if value else None}
            for place, value in _places(scheme, delivery)
        ],
        "headers_seen": sorted(delivery.headers),
        "body_bytes": len(delivery.body),
        "secrets": verdicts,
        "hints": list(dict.fromkeys(hints)),
    }


def _verdict(scheme: Signature, delivery: Delivery, known: KnownSecret) -> dict[str, Any]:
    reason = _reason(scheme, delivery, known.secret)
    # Of a shared token the expected value is the secret itself.
    shown = [_beginning(value) for value in _expected(_parts(scheme)[0], delivery, known.secret)]
    expected = shown[0] if shown and scheme.strength is Strength.MAC else None
    # Of several headers that are signed together, one that is not there leaves nothing to be expected of the others.
    if reason == Unverified.MISSING and isinstance(scheme, StandardWebhooks):
        expected = None
    return {"secret_id": known.secret_id, "matches": reason is None, "reason": reason, "expected": expected}


def _reason(scheme: Signature, delivery: Delivery, secret: str) -> str | None:
    try:
        scheme.verify(delivery, [secret], delivery.received_at)
    except Unverified as why:
        return why.reason
    return None


def _parts(scheme: Signature) -> tuple[Signature, ...]:
    return scheme.schemes if isinstance(scheme, AnyOf) else (scheme,)


def _places(scheme: Signature, delivery: Delivery) -> Iterator[tuple[str, str | None]]:
    """Yield where the scheme looks, and what is there."""
    for part in _parts(scheme):
        headers: tuple[str, ...] = ()
        if isinstance(part, StandardWebhooks):
            family = _family(part, delivery)
            headers = tuple(f"{family}{name}" for name in ("id", "timestamp", "signature"))
        elif isinstance(part, Hmac | Token) and part.query:
            yield f"query parameter {part.query}", delivery.query.get(part.query)
        elif isinstance(header := getattr(part, "header", None), str):
            headers = (header,)
        elif header:  # several spellings: the one that came, else the first
            headers = (next((name for name in header if name in delivery.headers), header[0]),)
        elif isinstance(part, Token):
            yield f"the body ({part.place})", None
        for name in headers:
            yield f"header {name}", delivery.headers.get(name)


def _family(scheme: StandardWebhooks, delivery: Delivery) -> str:
    return next((name for name in scheme.families if f"{name}signature" in delivery.headers), scheme.families[0])


def _beginning(value: str) -> str:
    """Return the first four characters of the signature in a value, or of the value."""
    found = _DIGEST.search(value)
    return f"{(found[0] if found else value)[:4]}…"


def _expected(scheme: Signature, delivery: Delivery, secret: str) -> list[str]:
    """Return the signatures that this secret would give, at the time the delivery says it was signed."""
    if isinstance(scheme, Hmac):
        try:
            return [scheme.expected(delivery, secret).decode("latin-1")]
        except _FAULTS:
            return []
    if isinstance(scheme, StandardWebhooks) and (family := _family(scheme, delivery)) != scheme.families[0]:
        names = ("id", "timestamp", "signature")
        first = {f"{scheme.families[0]}{name}": delivery.headers.get(f"{family}{name}", "") for name in names}
        delivery = delivery.changed(headers=first)
    values: list[str] = []
    for at in _times(delivery) or [delivery.received_at]:
        try:
            signed = scheme.sign(delivery, secret, at)
        except _FAULTS:
            continue
        values += [value for name, value in signed.headers.items() if delivery.headers.get(name) != value]
        values += [value for name, value in signed.query.items() if delivery.query.get(name) != value]
    return [value for value in values if _DIGEST.search(value)]


def _times(delivery: Delivery) -> list[datetime]:
    """Return the times in the headers that look like Unix times."""
    found = []
    for value in delivery.headers.values():
        for digits in _TIME.findall(value):
            at = datetime.fromtimestamp(int(digits[:10]), UTC)
            if abs((at - delivery.received_at).days) < 3660:
                found.append(at)
    return list(dict.fromkeys(found))[:4]


def _digests(values: Sequence[str]) -> set[bytes]:
    """Return the bytes that the signatures in these values stand for, in any encoding."""
    found: set[bytes] = set()
    for value in values:
        for token in _DIGEST.findall(value):
            if len(token) % 2 == 0:
                with suppress(ValueError):
                    found.add(bytes.fromhex(token))
            plain = token.rstrip("=").replace("-", "+").replace("_", "/")
            with suppress(ValueError):
                found.add(base64.b64decode(plain + "=" * (-len(plain) % 4)))
    return found


def _hints(scheme: Signature, delivery: Delivery, known: Sequence[KnownSecret]) -> Iterator[str]:
    ours = [one.secret for one in known if one.counts]
    sent = _digests([*delivery.headers.values(), *delivery.query.values()])

    def matches(other: Delivery, secret: str) -> bool:
        return bool(_digests(_expected(scheme, other, secret)) & sent) or _reason(scheme, other, secret) is None

    for secret in ours:
        if _reason(scheme, delivery, secret) in {Unverified.TOO_OLD, Unverified.TOO_NEW}:
            yield from _skew(scheme, delivery)
        elif scheme.strength is Strength.MAC and matches(delivery, secret):
            yield _writing(scheme, delivery, secret)
        elif isinstance(scheme, Token):
            for name, value in delivery.headers.items():
                if secret in value:
                    yield f"the secret stands in the header {name}; expected is {scheme.description}"
        for hint, body in _other_bodies(delivery.body):
            if body != delivery.body and matches(delivery.changed(body=body), secret):
                yield hint
        for hint, other in _other_readings(scheme, secret):
            if matches(delivery, other):
                yield hint
    for one in known:
        if not one.counts and matches(delivery, one.secret):
            yield f"it was signed with {one.secret_id}, {one.because}"


def _skew(scheme: Signature, delivery: Delivery) -> Iterator[str]:
    allowed = getattr(scheme, "tolerance", None)
    for at in _times(delivery)[:1]:
        seconds = round((delivery.received_at - at).total_seconds())
        side = "in the past" if seconds > 0 else "in the future"
        yield f"the signature is right, but was made {abs(seconds)} s {side}; at most {allowed} s are allowed"


def _writing(scheme: Signature, delivery: Delivery, secret: str) -> str:
    """Describe a signature with the right bytes in another encoding or another place."""
    values = _expected(scheme, delivery, secret)
    wanted = _digests(values)
    name = next((name for name, value in delivery.headers.items() if _digests([value]) & wanted), "")
    found = next((place for place, value in _places(scheme, delivery) if value and place == f"header {name}"), None)
    if name and found is None:
        looked = " and ".join(place for place, _ in _places(scheme, delivery))
        return f"the right signature stands in the header {name}; it is looked for in {looked}"
    token = next(iter(_DIGEST.findall(delivery.headers.get(name, ""))), "")
    expected = next(iter(_DIGEST.findall(values[0])), "") if values else ""
    if token == expected:
        return "the signature is right, but what stands before or after it is not as the platform writes it"
    if token.lower() == expected.lower():
        return "the signature is right, but in upper instead of lower case"
    if re.fullmatch(r"[0-9a-fA-F]+", token):
        return "the signature is right, but written in hexadecimal where base64 is expected"
    if re.fullmatch(r"[0-9a-f]+", expected):
        return "the signature is right, but written in base64 where hexadecimal is expected"
    return "the signature is right, but written in another form of base64"


def _other_bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what the body may have been when it was signed."""
    yield "the body has a line break at its end that was not signed", body.rstrip(b"\r\n")
    for ending in (b"\n", b"\r\n"):
        yield "the body lacks a line break at its end that was signed", body + ending
    yield "the body's line breaks became CRLF on the way", body.replace(b"\r\n", b"\n")
    yield "the body's line breaks were CRLF when it was signed", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "the body has a byte order mark that was not signed", body.removeprefix(b"\xef\xbb\xbf")
    again = "the JSON was written anew after it was signed; the exact bytes are what counts"
    try:
        document = json.loads(body)
        for options in (
            {"separators": (",", ":"), "ensure_ascii": False},
            {"separators": (",", ":")},
            {"ensure_ascii": False},
            {},
            {"indent": 2, "ensure_ascii": False},
            {"indent": 4, "ensure_ascii": False},
        ):
            written = json.dumps(document, **options).encode("utf-8", "replace")
            yield again, written
            yield again, written.replace(b"/", b"\\/")  # PHP
    except (ValueError, RecursionError):
        return


def _other_readings(scheme: Signature, secret: str) -> Iterator[tuple[str, str]]:
    """Yield how else the sender may have read its copy of the secret."""
    yield "the sender's copy of the secret ends with a line break", f"{secret}\n"
    if isinstance(scheme, StandardWebhooks):

        def key(text: str) -> str:
            return f"whsec_{base64.b64encode(text.encode()).decode()}"

        how = "the sender took the secret's text as the key; the key is what follows `whsec_`, decoded from base64"
        yield how, key(secret)
        yield how, key(secret.removeprefix("whsec_"))
    elif "_" in secret:
        yield "the sender left out what stands before the `_` of the secret", secret.partition("_")[2]
