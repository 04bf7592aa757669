"""The samples of every adapter: found, and signed as their sources sign."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import adapters
from adapters.contract import Adapter, Delivery, Signature
from tests.reading import Source

FOLDER = Path(adapters.__file__).parent / "samples"
FILES = frozenset({"headers.json", "body", "orders.json", "fetched.json"})
NAMES = frozenset({"kind", "headers", "query", "options", "received_at"})
RECEIVED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "https://registry.example.com/webhooks/src_sample"
# As hexadecimal it is a key for schemes that want hexadecimal, base64, or any text at all.
DIGITS, OTHER_DIGITS = "5a" * 32, "c3" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One delivery as its source sends it, but for the signature."""

    adapter_name: str
    case: str
    said: dict[str, Any]
    body: bytes
    fetched: bytes | None

    @property
    def folder(self) -> Path:
        return FOLDER / self.adapter_name / self.case

    @property
    def adapter(self) -> Adapter[Any]:
        return adapters.load(self.adapter_name)

    @property
    def delivery(self) -> Delivery:
        """The delivery, unsigned."""
        told = self.said.get("received_at")
        return Delivery(
            body=self.body,
            headers=self.said.get("headers", {}),
            query=self.said.get("query"),
            received_at=datetime.fromisoformat(told) if told else RECEIVED_AT,
            url=URL,
        )

    @property
    def source(self) -> Source:
        """A source with the options that the sample presumes; the adapter's defaults where it names none."""
        return Source(self.adapter, **self.said.get("options", {}))

    @property
    def options(self) -> Any:
        return self.source.options

    @property
    def scheme(self) -> Signature:
        return self.source.scheme

    def signed(self, secret: str) -> Delivery:
        """The delivery as its source would send it."""
        return self.source.sign(self.delivery, secret)


@cache
def samples(adapter_name: str) -> tuple[Sample, ...]:
    """The adapter's samples; empty when it has none yet."""
    folder = FOLDER / adapter_name
    return tuple(
        Sample(
            adapter_name=adapter_name,
            case=case.name,
            said=json.loads((case / "headers.json").read_text()),
            body=(case / "body").read_bytes(),
            fetched=(case / "fetched.json").read_bytes() if (case / "fetched.json").exists() else None,
        )
        for case in sorted(one for one in (folder.iterdir() if folder.is_dir() else ()) if one.is_dir())
    )


def sample(adapter_name: str, case: str) -> Sample:
    [found] = [one for one in samples(adapter_name) if one.case == case]
    return found


def all_samples() -> Iterator[Sample]:
    for name in adapters.names():
        yield from samples(name)


def secret_for(adapter: Adapter[Any], digits: str = DIGITS) -> str:
    """A made-up secret in the shape in which the adapter's source writes its own."""
    if adapter.name == "wix":  # proven with a public key; the private one signs as well
        return private_key(digits)
    basic = getattr(getattr(adapter, "signature", None), "basic", False)
    return f"{'user:' if basic else ''}{adapter.secret_prefix}{digits}"


@cache
def private_key(digits: str) -> str:
    """A made-up RSA key, another one for other digits; the same for as long as the tests run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
