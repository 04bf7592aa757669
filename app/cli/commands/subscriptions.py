"""`subscription`: outgoing webhooks, their secrets, and the attempts to deliver them."""

from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Yes, command, group
from app.cli.output import Misuse, confirm, facts, listed, show_secrets

main = group(
    "Manage outgoing webhooks: signed events about orders, erased contacts and failing sources, sent to your URLs."
)

Subscription = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="The subscription's id (sub_…).")]
WORDS = ", ".join(
    ("order.created", "order.updated", "order.status_changed", "contact.erased", "source.failing", "source.recovered")
)


OwnHeaders = Annotated[
    list[str] | None,
    typer.Option("--header", help="Sent along with every event, 'Name: value'; kept encrypted. May be repeated."),
]
FILTER: dict[str, Any] = {
    "status": Annotated[
        list[str] | None, typer.Option("--status", help="Only orders with this status; may be repeated.")
    ],
    "source_id": Annotated[
        list[str] | None, typer.Option("--source", help="Only of this source (src_…); may be repeated.")
    ],
    "currency": Annotated[list[str] | None, typer.Option("--currency", help="Only in this currency; may be repeated.")],
    "minimum_value": Annotated[str | None, typer.Option("--minimum-value", help="Only orders of at least this value.")],
    "include_test": Annotated[
        bool | None, typer.Option("--test/--no-test", help="Whether to send events about test orders.")
    ],
}
Filter = Annotated[dict[str, Any], FILTER]


def _given(where: dict[str, Any], headers: list[str] | None) -> dict[str, Any]:
    """Return the filter and the headers that were given. Raises Misuse."""
    pairs = [one.partition(":") for one in headers or ()]
    if any(not colon for _, colon, _ in pairs):
        raise Misuse("--header is 'Name: value'")
    body: dict[str, Any] = {"filter": where} if where else {}
    return body | ({"headers": {name.strip(): value.strip() for name, _, value in pairs}} if pairs else {})


def _ask(client: ApiClient, method: str, subscription: str, rest: str = "", body: Any = None, **query: Any) -> Any:
    """Return the API's answer about a subscription. `rest` is what follows it in the path."""
    path = f"/v1/subscriptions/{subscription}{rest}"
    return client.ask(method, path, account=client.owner(subscription), body=body, query=query)


@command(
    main,
    "add",
    "subscription add https://example.com/orders --account acme --event order.created --event order.status_changed",
    "subscription add https://example.com/orders --event order.updated --status paid --no-test --header 'X-Key: k-1'",
)
def add(
    client: ApiClient,
    url: Annotated[str, typer.Argument(metavar="URL", help="The URL that events are POSTed to.")],
    event: Annotated[list[str], typer.Option("--event", help=f"One of {WORDS}; may be repeated.")],
    *,
    where: Filter,
    headers: OwnHeaders = None,
    account: Account = None,
) -> Any:
    """Create a webhook subscription. Prints the secret that events are signed with, only once."""
    body = {"url": url, "events": event} | _given(where, headers)
    made = client.post("/v1/subscriptions", body, account=client.account(account))
    return Answer(made, {"subscription": made["id"], **{name: made[name] for name in ("url", "events", "secret")}})


SUBSCRIPTIONS: dict[str, Any] = {
    "subscription": "id",
    "state": "state",
    ">waiting": "waiting",
    "last taken": "last_sent_at",
    "url": "url",
    "events": "events",
    "why": lambda one: (one["failing_reason"] if one["enabled"] else one["off_reason"]) or "",
}


@command(main, "list", "subscription list --account acme", show=listed(SUBSCRIPTIONS))
def list_(client: ApiClient, account: Account = None) -> Any:
    """List the subscriptions of an account, with their state."""
    return client.all_of("/v1/subscriptions", account=client.account(account))


def _show(found: dict[str, Any]) -> None:
    facts({name: value for name, value in found.items() if name != "secrets"})
    show_secrets(found)


@command(main, "show", "subscription show sub_01J…", show=_show)
def show(client: ApiClient, subscription: Subscription) -> Any:
    """Show one subscription: its state, its backlog, and its secrets' ages."""
    return _ask(client, "GET", subscription)


@command(
    main,
    "edit",
    "subscription edit sub_01J… --url https://example.com/new",
    "subscription edit sub_01J… --event order.created",
    "subscription edit sub_01J… --disable",
)
def edit(
    client: ApiClient,
    subscription: Subscription,
    url: Annotated[str | None, typer.Option(help="The URL that events are POSTed to.")] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", help=f"One of {WORDS}; may be repeated, replaces all that were.")
    ] = None,
    *,
    where: Filter,
    headers: OwnHeaders = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Send events, or stop sending them.")
    ] = None,
) -> Any:
    """Change a subscription. A filter and headers take the place of the old ones; what is not given stays as it is.

    A failing one is tried again at once.
    """
    wanted = {"url": url, "events": event or None, "enabled": enable}
    body = {word: value for word, value in wanted.items() if value is not None}
    body |= _given(where, headers)
    if not body:
        raise Misuse("nothing to change: give --url, --event, a filter, --header, --enable or --disable")
    found = _ask(client, "PATCH", subscription, body=body)
    return Answer(found, {"subscription": subscription, **{word: found[word] for word in wanted}})


@command(main, "test", "subscription test sub_01J…")
def test(client: ApiClient, subscription: Subscription) -> Answer:
    """Send a sample event now, signed, and show how it ended."""
    told = _ask(client, "POST", subscription, "/test", {})
    return Answer(told, told, None if told["delivered"] else f"it was not taken: {told['reason']}")


@command(main, "resend", "subscription resend sub_01J… --since 24h")
def resend(
    client: ApiClient,
    subscription: Subscription,
    since: Annotated[str, typer.Option("--since", help="What happened from this time on: ISO 8601, or 24h, 7d.")],
    until: Annotated[str | None, typer.Option("--until", help="And before this time.")] = None,
) -> Any:
    """Send again every order that changed in a time, as it stands now, and every erasure, to this subscription alone."""
    body = {"since": since} | ({"until": until} if until else {})
    return _ask(client, "POST", subscription, "/resend", body)


@command(main, "rotate", "subscription rotate sub_01J… --overlap 24h")
def rotate(
    client: ApiClient,
    subscription: Subscription,
    overlap: Annotated[
        str, typer.Option(help="How long events are signed with the old secrets too. 0s: not at all.")
    ] = "24h",
) -> Any:
    """Create a new secret and print it, only once. During the overlap, events are signed with the old ones too."""
    return _ask(client, "POST", subscription, "/secrets", {"overlap": overlap})


@command(main, "revoke", "subscription revoke sub_01J… sec_01J…")
def revoke(
    client: ApiClient,
    subscription: Subscription,
    secret_id: Annotated[str, typer.Argument(metavar="SECRET_ID")],
) -> Any:
    """Revoke one secret of a subscription at once."""
    _ask(client, "DELETE", subscription, f"/secrets/{secret_id}")
    return Answer({"id": secret_id, "revoked": True}, {"revoked": secret_id})


@command(main, "delete", "subscription delete sub_01J… --yes")
def delete(
    client: ApiClient,
    subscription: Subscription,
    yes: Yes = False,
) -> Any:
    """Delete a subscription and its attempts. Waiting events are dropped."""
    confirm(f"Delete {subscription}?", yes=yes, lost="deleting a subscription")
    _ask(client, "DELETE", subscription)
    return Answer({"id": subscription, "deleted": True}, {"deleted": subscription})


ATTEMPTS: dict[str, Any] = {
    "at": "at",
    "event": "event_id",
    "type": "type",
    "order": "order_id",
    ">try": "number",
    ">HTTP": "status",
    ">ms": lambda one: None if one["took_ms"] is None else f"{one['took_ms']:.0f}",
    "why not": "reason",
    "next try": "next_at",
}


@command(
    main,
    "attempts",
    "subscription attempts sub_01J…",
    "subscription attempts sub_01J… --limit 200 --json",
    show=listed(ATTEMPTS, empty="no attempts yet"),
)
def attempts(
    client: ApiClient,
    subscription: Subscription,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 50,
) -> Any:
    """List the attempts to deliver events, newest first: result, reason, and time of the next attempt."""
    return _ask(client, "GET", subscription, "/attempts", limit=limit)
