"""The filter options of commands, as `command` takes several at once. The API's filters are in `web/http/filters.py`."""

from typing import Annotated, Any

import typer

from app.cli.command import Text

Given = dict[str, Any]


def _option(*names: str, help_: str) -> Any:
    return Annotated[Text, typer.Option(*names, help=help_)]


TIME = "from this time on: ISO 8601 (the account's zone if it names none), or 24h, 7d for that long ago."
# By the API's name for each.
DELIVERIES: dict[str, Any] = {
    "source_id": _option("--source", help_="Only of this source: its id, name or adapter."),
    "outcome": Annotated[
        list[str] | None,
        typer.Option("--outcome", help="Only with this outcome: created, unreadable, held … Can be repeated."),
    ],
    "kind": _option("--kind", help_="Only of this kind: orders/paid …"),
    "external_id": _option("--external-id", help_="Only about the order with this id at the source."),
    "contact": _option(
        "--contact", help_="Only of this contact: an id, an e-mail, phone or document in full, or words of a name."
    ),
    "since": _option("--since", help_=f"Received {TIME}"),
    "until": _option("--until", help_="Received before this time."),
    "q": _option("--q", help_="Only with this text in the reason."),
    "note": _option("--note", help_="Only with this note: unknown_status, identity_conflict …"),
    "source_delivery_id": _option("--source-delivery-id", help_="Only the one with this id at the source."),
}
RECEIVED = {name: DELIVERIES[name] for name in ("since", "until")}
PURCHASES: dict[str, Any] = {
    "origin": _option("--origin", help_="Only from manual, webhook, api, payments or commerce."),
    "source_id": _option("--source", help_="Only of this source: its id, name or adapter."),
    "currency": _option("--currency", help_="Only in this currency (ISO 4217 code)."),
    "since": _option("--since", help_=f"Ordered {TIME}"),
    "until": _option("--until", help_="Ordered before this time."),
}
REPORTED: dict[str, Any] = PURCHASES | {
    "note": _option("--note", help_="Only with this note: refund_exceeds_value, other_currency …"),
    "status": _option("--status", help_="Only pending, paid, partially_paid, overdue, refunded, canceled or failed."),
    "contact": _option("--contact", help_="Only of this contact: an id, or an e-mail, phone or document in full."),
    "deal_id": _option("--deal", help_="Only on this deal (its CRM id)."),
}
ORDERS: dict[str, Any] = REPORTED | {
    "q": _option("--q", help_="Only with this text in the title, or this external id."),
}
Deliveries = Annotated[Given, DELIVERIES]
Received = Annotated[Given, RECEIVED]
Purchases = Annotated[Given, PURCHASES]
Reported = Annotated[Given, REPORTED]
Orders = Annotated[Given, ORDERS]
