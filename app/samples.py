"""The samples that travel with the adapters: what `send` and `test` show a source at work with."""

import json
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from adapters.contract import Delivery


def cases(adapter: str) -> list[tuple[str, dict[str, Any], bytes]]:
    """An adapter's samples: (case, what headers.json says, the body)."""
    folder = files("adapters") / "samples" / adapter
    if not folder.is_dir():
        return []
    return [
        (case.name, json.loads((case / "headers.json").read_text()), (case / "body").read_bytes())
        for case in sorted(folder.iterdir(), key=lambda one: one.name)
        if (case / "headers.json").is_file()
    ]


def delivery(adapter: str, kind: str | None, *, now: datetime, url: str) -> Delivery:
    """A sample of that kind (of any, when none is named), not signed yet. Raises LookupError."""
    found = cases(adapter)
    for _, said, body in found:
        if kind is None or said.get("kind") == kind:
            return Delivery(
                body=body, headers=said.get("headers", {}), query=said.get("query"), received_at=now, url=url
            )
    kinds = sorted({said.get("kind", "") for _, said, _ in found})
    raise LookupError(f"there is no sample of that kind; there are {', '.join(kinds) or 'none'}")


def query_string(one: Delivery) -> bytes:
    """The delivery's query as it stands in an address."""
    return urlencode(dict(one.query)).encode()
