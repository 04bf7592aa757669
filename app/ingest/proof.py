"""Proves a delivery, and decides what of it is believed and kept: without credentials, and of an unsigned one the ids alone."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from adapters.contract import Adapter, Delivery, NoDocument, Signature, Strength, Unreadable, Unverified, excerpt
from app.base.samples import MARK
from app.ingest.source_cache import Source

BLANKED = "[not kept]"
# Never kept: they hold a credential of whoever sent them, and nothing reads them again.
_CREDENTIALS = frozenset(("authorization", "proxy-authorization", "cookie", MARK))
_OF_THE_UNPROVEN = ("content-type", "user-agent", "content-length")  # headers that are kept
_LONGEST_HEADER = 200
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)++"', re.DOTALL)  # in JSON, with something escaped


def proven(source: Source, delivery: Delivery, received_at: int) -> Delivery:
    """Return as much of the delivery as is believed. Raises Unverified.

    Where a scheme is no MAC of the body, whoever has seen one delivery can send others: what is not even in the adapter's
    form is refused. Of a delivery that nobody signed only what leads to the order is taken.
    """
    adapter = source.adapter
    scheme = adapter.scheme(source.options)
    scheme.verify(delivery, source.usable_secrets(received_at), delivery.received_at)
    if scheme.strength is Strength.MAC:
        return delivery
    try:
        document = adapter.document_for(delivery, source.options)
    except Unreadable as why:
        if scheme.strength is Strength.FETCHED or isinstance(why, NoDocument):
            raise Unverified(Unverified.NO_DOCUMENT) from None
        return delivery  # it is kept, with the reason
    return _notice(adapter, delivery, document) if scheme.strength is Strength.FETCHED else delivery


def _notice(adapter: Adapter[Any], delivery: Delivery, document: Any) -> Delivery:
    """Return the delivery with nothing in it but what the fetch needs."""
    ids = excerpt(document, adapter.notice_paths)
    headers = {name: delivery.headers[name] for name in _OF_THE_UNPROVEN if name in delivery.headers}
    return Delivery(
        body=json.dumps(ids, separators=(",", ":")).encode(),
        headers={name: value[:_LONGEST_HEADER] for name, value in headers.items()},
        received_at=delivery.received_at,
        url=delivery.url,
    )


def without_credentials(
    delivery: Delivery, scheme: Signature, secrets: Sequence[str]
) -> tuple[bytes, dict[str, Mapping[str, str]]]:
    """Return the body, headers and query as they are kept: exactly, but for credentials, however they are spelled."""
    body, secrets = delivery.body, [secret for secret in secrets if secret] if scheme.shows_secret else []
    if secrets:
        body = _blank(body, secrets)
    kept = {"headers": _blanked(delivery.headers, _CREDENTIALS | scheme.shown_in, secrets)}
    if delivery.query:
        kept["query"] = _blanked(delivery.query, scheme.shown_in, secrets)
    return body, kept


def _blanked(values: Mapping[str, str], names: frozenset[str], secrets: Sequence[str]) -> Mapping[str, str]:
    found = list(names.intersection(values))
    if secrets:
        found += [name for name, value in values.items() for secret in secrets if secret in value]
    return {**values, **dict.fromkeys(found, BLANKED)} if found else values


def _blank(body: bytes, secrets: Sequence[str]) -> bytes:
    """Return the body without these secrets: as they are, escaped as in JSON (\\/, \\u005a), encoded as in a form."""
    for secret in secrets:
        body = body.replace(secret.encode("utf-8", "surrogatepass"), BLANKED.encode())
    if body.lstrip()[:1] in (b"{", b"["):
        return _TEXT.sub(lambda text: _blank_text(text[0], secrets), body) if b"\\" in body else body
    if b"%" not in body and b"+" not in body:
        return body
    return b"&".join(_blank_field(field, secrets) for field in body.split(b"&"))


def _blank_text(text: bytes, secrets: Sequence[str]) -> bytes:
    try:
        said: str = json.loads(text, strict=False)
    except ValueError:
        return text
    bare = said
    for secret in secrets:
        bare = bare.replace(secret, BLANKED)
    return text if bare == said else json.dumps(bare).encode()


def _blank_field(field: bytes, secrets: Sequence[str]) -> bytes:
    name, equals, value = field.partition(b"=")
    plain = unquote_to_bytes(value.replace(b"+", b" "))
    if any(secret.encode("utf-8", "surrogatepass") in plain for secret in secrets):
        return name + equals + quote_plus(BLANKED).encode()
    return field
