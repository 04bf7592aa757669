"""The samples that ship with the adapters, which `send` and a source's test use at run time; and the mark of what we send."""

import hashlib
import json
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import adapters
from adapters.contract import Adapter, Delivery, Header, Query
from app.base.vault import Sealed, Vault

MARK = "x-orders-sample"  # the header with the mark of what this registry signs and sends itself
PROVES = (
    "This was a sample: a test order, in no sum. It proves that this registry takes what is signed with the source's secret, "
    "and nothing about the shop: not that it sends here, nor what, nor that it signs with this secret."
)
_GOOD_FOR = 300_000_000  # microseconds
_LONGEST = 1000  # characters of a mark


def cases(adapter: str) -> list[tuple[str, dict[str, Any], bytes]]:
    """Return an adapter's samples as (case, content of headers.json, body)."""
    folder = files("adapters") / "samples" / adapter
    if not folder.is_dir():
        return []
    return [
        (case.name, json.loads((case / "headers.json").read_text()), (case / "body").read_bytes())
        for case in sorted(folder.iterdir(), key=lambda one: one.name)
        if (case / "headers.json").is_file()
    ]


def delivery(adapter: str, kind: str | None, *, now: datetime, url: str, case: str | None = None) -> Delivery:
    """Return an unsigned sample of this kind or case; of any kind if neither is given. Raises LookupError."""
    found = cases(adapter)
    # Those that presume no options first: they are what a source as it is set up by default would get.
    for name, said, body in sorted(found, key=lambda one: "options" in one[1]):
        if (kind is None or said.get("kind") == kind) and (case is None or name == case):
            return Delivery(
                body=body, headers=said.get("headers", {}), query=said.get("query"), received_at=now, url=url
            )
    if case is not None:
        raise LookupError(f"there is no such sample; there are {', '.join(name for name, _, _ in found) or 'none'}")
    kinds = sorted({said.get("kind", "") for _, said, _ in found})
    raise LookupError(f"there is no sample of that kind; there are {', '.join(kinds) or 'none'}")


def around(
    body: bytes, adapter: Adapter[Any], kind: str | None, headers: dict[str, str], *, now: datetime, url: str
) -> Delivery:
    """Return an unsigned delivery of this body as the adapter's platform would send it, with a new delivery id."""
    try:
        usual = delivery(adapter.name, kind, now=now, url=url)
    except LookupError:
        usual = Delivery(body=body, headers={"content-type": "application/json"}, received_at=now, url=url)
    told = dict(usual.headers)
    if isinstance(adapter.delivery_id, Header):
        for name in adapter.delivery_id.names:
            if name in told:
                told[name] = str(uuid4())
    if kind is not None and isinstance(adapter.kind, Header):
        told[adapter.kind.names[0]] = kind
    query = dict(usual.query)
    if kind is not None and isinstance(adapter.kind, Query):
        query[adapter.kind.name] = kind
    given = {name.lower(): value for name, value in headers.items()}
    return Delivery(body=body, headers={**told, **given}, query=query, received_at=now, url=url)


def mark(vault: Vault, source_id: str, body: bytes, present: int) -> str:
    """Return a mark that nobody without the master key can make: for this source and body, and for five minutes."""
    return vault.seal("\n".join((MARK, source_id, hashlib.sha256(body).hexdigest(), str(present + _GOOD_FOR))))


def is_marked(vault: Vault, delivery: Delivery, source_id: str, present: int) -> bool:
    """Return whether this registry sent the delivery itself. A mark that says anything else counts as none."""
    given = delivery.headers.get(MARK, "")
    if not 0 < len(given) <= _LONGEST:
        return False
    try:
        *what, until = vault.open(given).split("\n")
    except Sealed:
        return False
    return what == [MARK, source_id, hashlib.sha256(delivery.body).hexdigest()] and present <= int(until)


def query_string(one: Delivery) -> bytes:
    """Return the delivery's query as it is written in a URL."""
    return urlencode(dict(one.query)).encode()


def described(adapter: Adapter[Any]) -> dict[str, Any]:
    """Return an adapter's declarations as the API and the command line show them."""
    scheme = getattr(adapter, "signature", None)
    return {
        "name": adapter.name,
        "title": adapter.title,
        "origin": str(adapter.origin),
        "signature": scheme.description if scheme else "as its options say",
        "strength": str(scheme.strength) if scheme else None,
        "kinds": sorted({*adapter.reads, *adapter.fetches}),
        "ignores": sorted(adapter.ignores),
        "statuses": {word: (str(status) if status else None) for word, status in adapter.statuses.items()},
        "topics": list(adapter.topics),
        "secret_made_by": adapter.secret_made_by,
        "key": adapter.api.key_description if adapter.api else None,
        "setup": list(adapters.setup_steps(adapter.name)),
        "links": {"signing": adapter.links.signing, "payload": adapter.links.payload},
        "options": adapter.options.model_json_schema().get("properties", {}),
    }
