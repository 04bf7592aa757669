"""The filter options of commands. The API's filters are in `web/http/filters.py`.

A command with `@filtered(DELIVERIES)` has all of them among its options, and receives those that are set as `where`.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.cli.client import ApiClient

Text = str | None


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
Where = dict[str, Any]


def account_of(door: "ApiClient", account: str | None, where: Where) -> str:
    """Return the account: the one named, or that of the source in the filter, or the only one."""
    if source := where.get("source_id"):
        where["source_id"], account = door.source(source, account)
    return door.account(account)


def filtered(options: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put these options in place of `where: Where` in a command's signature."""

    def over(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def filters(**given: Any) -> None:
            set_ = {name: value for name in options if (value := given.pop(name)) is not None}
            command(**given, where=set_)

        own = inspect.signature(command, eval_str=True).parameters.values()
        spliced: list[inspect.Parameter] = []
        for one in own:
            if one.name != "where":
                spliced.append(one)
                continue
            spliced += [
                inspect.Parameter(name, one.KEYWORD_ONLY, default=None, annotation=option)
                for name, option in options.items()
            ]
        parameters = [one.replace(kind=one.KEYWORD_ONLY) for one in spliced]
        filters.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        filters.__annotations__ = {one.name: one.annotation for one in parameters}
        return filters

    return over
