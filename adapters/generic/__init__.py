"""Any shop or platform, without code: its options say how it signs and where in its body an order stands.

- How to: docs/generic.md, with an example that a test runs
- Expressions: https://jmespath.org/specification.html

There is no default for the signature: a source whose options leave it out cannot be saved. Every expression is compiled
when the options are validated, and every wrong option is named; one that fails on a delivery makes it unreadable.

Amounts are exact: more decimals than the currency has, and a currency that is none of ISO 4217's, are unreadable, for
nobody knows what was meant. Prices of items are rounded: fuel and screws have three decimals.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pydantic import ValidationError

from adapters.contract import (
    Adapter,
    Delivery,
    Event,
    Ignored,
    Links,
    Order,
    Origin,
    Outdated,
    Payload,
    Signature,
    Unreadable,
    Where,
    form_body,
    json_body,
)
from adapters.generic.expressions import Search
from adapters.generic.options import Fields, GenericOptions, place_of
from adapters.generic.reading import Reading
from adapters.generic.signing import Signing, scheme_of

PARSE: Mapping[str, Callable[[bytes], Any]] = {"json": json_body, "form": form_body}


class Document(Payload):
    """The whole parsed body."""

    document: Any


class Generic(Adapter[Document]):
    name, title, origin = "generic", "Any signed webhook", Origin.WEBHOOK
    links = Links(signing="docs/generic.md", payload="docs/generic.md")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    options = GenericOptions
    inline = False
    reads = {}  # the options say which

    def scheme(self, options: Any) -> Signature:
        settled = _settled(options)
        return scheme_of(settled.signature, settled.body) if settled else Outdated()

    def places(self, options: Any) -> tuple[Where, Where | None]:
        if _settled(options) is None:
            return place_of("field:event"), None  # nothing is read there
        return place_of(options.kind), place_of(options.delivery_id) if options.delivery_id else None

    def document_of(self, delivery: Delivery) -> Any:
        form = delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        return delivery.document(PARSE["form" if form else "json"])

    def document_for(self, delivery: Delivery, options: Any) -> Any:
        settled = _settled(options)
        if settled is None:
            raise Unreadable("the options of its source are not valid any more; set them again")
        return delivery.document(PARSE[settled.body])

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        kind = self.places(options)[0].read(delivery, lambda: self.document_for(delivery, options))
        if kind is None:  # in the words of who wrote the options
            raise Unreadable(f"the delivery does not say what happened: {options.kind} (option kind) is missing")
        return kind

    def read(self, delivery: Delivery, kind: str, options: Any) -> Event[Document]:
        if any(fnmatchcase(kind, pattern) for pattern in options.ignores):
            raise Ignored(f"{kind[:100]} is among the kinds that the options ignore")
        if not any(fnmatchcase(kind, pattern) for pattern in options.reads):
            raise Ignored(f"{kind[:100]} is not among the kinds that the options read")
        document = self.document_for(delivery, options)
        return Event(kind=kind, payload=Document(document=document), delivery=delivery, options=options)

    def orders(self, payload: Document, event: Event[Document]) -> Iterable[Order]:
        fields: Fields = event.options.fields
        search = Search()
        if fields.orders is None:
            yield Reading(event.options, search, payload.document).order(event.kind)
            return
        found = search("orders", fields.orders, payload.document)
        if not isinstance(found, list | None):
            raise Unreadable("orders: is not a list")
        for each in found or []:
            yield Reading(event.options, search, each).order(event.kind)


def _settled(options: Any) -> GenericOptions | None:
    """The options, validated: they are read from the store as they were saved. None when they no longer are valid."""
    if isinstance(options, GenericOptions) and isinstance(getattr(options, "signature", None), Signing):
        return options
    try:
        return GenericOptions.model_validate(dict(getattr(options, "__dict__", {})))
    except ValidationError:
        return None
