"""The options by which commands narrow down orders and deliveries, once: what the API's models are in `web/http/filters.py`.

A command that is `@filtered(DELIVERIES)` has them all among its options, and is given those that are set as `where`.
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


TIME = "(ISO 8601, or 24h, 7d)"
# By the API's name for each.
DELIVERIES: dict[str, Any] = {
    "source_id": _option("--source", help_="Of this source."),
    "outcome": _option("--outcome", help_="With this outcome: created, unreadable, held …"),
    "kind": _option("--kind", help_="Of this kind: orders/paid …"),
    "external_id": _option("--external-id", help_="About the order of this id at the source."),
    "contact": _option("--contact", help_="About orders of this contact."),
    "since": _option("--since", help_=f"From this time on {TIME}."),
    "until": _option("--until", help_="Before this time."),
    "q": _option("--q", help_="Whose reason holds this text."),
}
RECEIVED = {name: DELIVERIES[name] for name in ("since", "until")}
PURCHASES: dict[str, Any] = {
    "origin": _option("--origin", help_="manual, webhook, api, payments or commerce."),
    "source_id": _option("--source", help_="Of this source."),
    "currency": _option("--currency", help_="In this currency (ISO 4217)."),
    "since": _option("--since", help_=f"Ordered from this time on {TIME}."),
    "until": _option("--until", help_="Ordered before this time."),
}
REPORTED: dict[str, Any] = PURCHASES | {
    "status": _option("--status", help_="pending, paid, partially_paid, overdue, refunded, canceled, failed."),
    "contact": _option("--contact", help_="Of this contact: our id or the CRM's."),
    "deal_id": _option("--deal", help_="On this deal, by the CRM's id."),
}
ORDERS: dict[str, Any] = REPORTED | {"q": _option("--q", help_="Part of the title, or the external id.")}
Where = dict[str, str]


def account_of(door: "ApiClient", account: str | None, where: Where) -> str:
    """The account that is meant: the one named, or that of the source in the filter, or the only one."""
    source = where.get("source_id")
    return door.owner(source) if source and not account else door.account(account)


def filtered(options: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Puts these options where the command's signature says `where: Where`."""

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
