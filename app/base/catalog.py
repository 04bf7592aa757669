"""What an adapter declares, as plain JSON: for `GET /v1/adapters` and for `orders-registry adapters`, which needs no database."""

from typing import Any

from adapters.contract import Adapter


def described(adapter: Adapter[Any]) -> dict[str, Any]:
    """An adapter's declarations."""
    scheme = getattr(adapter, "signature", None)
    return {
        "name": adapter.name,
        "title": adapter.title,
        "origin": str(adapter.origin),
        "signature": scheme.words if scheme else "as its options say",
        "strength": str(scheme.strength) if scheme else None,
        "kinds": sorted({*adapter.reads, *adapter.fetches}),
        "ignores": sorted(adapter.ignores),
        "statuses": {word: (str(status) if status else None) for word, status in adapter.statuses.items()},
        "topics": list(adapter.topics),
        "secret_made_by": adapter.secret_made_by,
        "key": adapter.api.key_words if adapter.api else None,
        "setup": list(adapter.setup),
        "links": {"signing": adapter.links.signing, "payload": adapter.links.payload},
        "options": adapter.options.model_json_schema().get("properties", {}),
    }
