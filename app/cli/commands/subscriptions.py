"""`subscription`: outgoing webhooks, their secrets, and the attempts to deliver them."""

from typing import Annotated, Any

import typer

from app.cli.output import (
    Account,
    CommandFailed,
    Json,
    Misuse,
    Yes,
    as_json,
    command,
    confirm,
    facts,
    group,
    table,
    when,
)

main = group(
    "Manage outgoing webhooks: signed events about orders, erased contacts and failing sources, sent to your URLs."
)

Subscription = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="The subscription's id (sub_…).")]
WORDS = ", ".join(
    ("order.created", "order.updated", "order.status_changed", "contact.erased", "source.failing", "source.recovered")
)


Statuses = Annotated[list[str] | None, typer.Option("--status", help="Only orders with this status; may be repeated.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only of this source (src_…); may be repeated.")]
Currencies = Annotated[list[str] | None, typer.Option("--currency", help="Only in this currency; may be repeated.")]
Least = Annotated[str | None, typer.Option("--minimum-value", help="Only orders of at least this value.")]
Tests = Annotated[bool | None, typer.Option("--test/--no-test", help="Whether to send events about test orders.")]
OwnHeaders = Annotated[
    list[str] | None,
    typer.Option("--header", help="Sent along with every event, 'Name: value'; kept encrypted. May be repeated."),
]


def _given(
    statuses: list[str] | None,
    sources: list[str] | None,
    currencies: list[str] | None,
    least: str | None,
    tests: bool | None,
    headers: list[str] | None,
) -> dict[str, Any]:
    """Return the filter and the headers that were given. Raises Misuse."""
    only = {
        "status": statuses or None,
        "source_id": sources or None,
        "currency": currencies or None,
        "minimum_value": least,
        "include_test": tests,
    }
    found = {name: value for name, value in only.items() if value is not None}
    pairs = [one.partition(":") for one in headers or ()]
    if any(not colon for _, colon, _ in pairs):
        raise Misuse("--header is 'Name: value'")
    body: dict[str, Any] = {"filter": found} if found else {}
    return body | ({"headers": {name.strip(): value.strip() for name, _, value in pairs}} if pairs else {})


@command(
    main,
    "add",
    "subscription add https://example.com/orders --account acme --event order.created --event order.status_changed",
    "subscription add https://example.com/orders --event order.updated --status paid --no-test --header 'X-Key: k-1'",
)
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="The URL that events are POSTed to.")],
    event: Annotated[list[str], typer.Option("--event", help=f"One of {WORDS}; may be repeated.")],
    statuses: Statuses = None,
    sources: Sources = None,
    currencies: Currencies = None,
    least: Least = None,
    tests: Tests = None,
    headers: OwnHeaders = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """Create a webhook subscription. Prints the secret that events are signed with, only once."""
    from app.cli.client import opened

    with opened("subscription add") as door:
        body = {"url": url, "events": event} | _given(statuses, sources, currencies, least, tests, headers)
        made = door.post("/v1/subscriptions", body, account=door.account(account))
    shown = {"subscription": made["id"], "url": made["url"], "events": made["events"], "secret": made["secret"]}
    as_json(made) if json else facts(shown)


@command(main, "list", "subscription list --account acme")
def list_(account: Account = None, json: Json = False) -> None:
    """List the subscriptions of an account, with their state."""
    from app.cli.client import opened

    with opened("subscription list") as door:
        found = door.all_of("/v1/subscriptions", account=door.account(account))
    if json:
        as_json(found)
        return
    rows = [
        (one["id"], one["state"], one["waiting"], when(one["last_sent_at"]), one["url"], one["events"], _why(one))
        for one in found["data"]
    ]
    table(None, ("subscription", "state", ">waiting", "last taken", "url", "events", "why"), rows)


def _why(one: dict[str, Any]) -> str:
    reason: str = (one["failing_reason"] if one["enabled"] else one["off_reason"]) or ""
    return reason


@command(main, "show", "subscription show sub_01J…")
def show(subscription: Subscription, json: Json = False) -> None:
    """Show one subscription: its state, its backlog, and its secrets' ages."""
    from app.cli.client import opened

    with opened("subscription show") as door:
        found = door.get(f"/v1/subscriptions/{subscription}", account=door.owner(subscription))
    if json:
        as_json(found)
        return
    facts({name: value for name, value in found.items() if name != "secrets"})
    rows = [
        (one["id"], when(one["created_at"]), when(one["expires_at"]), when(one["revoked_at"]))
        for one in found["secrets"]
    ]
    table("\nsecrets", ("id", "made", "ends", "revoked"), rows)


@command(
    main,
    "edit",
    "subscription edit sub_01J… --url https://example.com/new",
    "subscription edit sub_01J… --event order.created",
    "subscription edit sub_01J… --disable",
)
def edit(
    subscription: Subscription,
    url: Annotated[str | None, typer.Option(help="The URL that events are POSTed to.")] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", help=f"One of {WORDS}; may be repeated, replaces all that were.")
    ] = None,
    statuses: Statuses = None,
    sources: Sources = None,
    currencies: Currencies = None,
    least: Least = None,
    tests: Tests = None,
    headers: OwnHeaders = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Send events, or stop sending them.")
    ] = None,
    json: Json = False,
) -> None:
    """Change a subscription. A filter and headers take the place of the old ones; what is not given stays as it is.

    A failing one is tried again at once.
    """
    from app.cli.client import opened

    wanted = {"url": url, "events": event or None, "enabled": enable}
    body = {word: value for word, value in wanted.items() if value is not None}
    body |= _given(statuses, sources, currencies, least, tests, headers)
    if not body:
        raise Misuse("nothing to change: give --url, --event, a filter, --header, --enable or --disable")
    with opened("subscription edit") as door:
        found = door.ask("PATCH", f"/v1/subscriptions/{subscription}", account=door.owner(subscription), body=body)
    shown = {"subscription": subscription, **{word: found[word] for word in wanted}}
    as_json(found) if json else facts(shown)


@command(main, "test", "subscription test sub_01J…")
def test(subscription: Subscription, json: Json = False) -> None:
    """Send a sample event now, signed, and show how it ended."""
    from app.cli.client import opened

    with opened("subscription test") as door:
        told = door.post(f"/v1/subscriptions/{subscription}/test", {}, account=door.owner(subscription))
    as_json(told) if json else facts(told)
    if not told["delivered"]:
        raise CommandFailed(f"it was not taken: {told['reason']}")


@command(main, "resend", "subscription resend sub_01J… --since 24h")
def resend(
    subscription: Subscription,
    since: Annotated[str, typer.Option("--since", help="What happened from this time on: ISO 8601, or 24h, 7d.")],
    until: Annotated[str | None, typer.Option("--until", help="And before this time.")] = None,
    json: Json = False,
) -> None:
    """Send again every order that changed in a time, as it stands now, and every erasure, to this subscription alone."""
    from app.cli.client import opened

    body = {"since": since} | ({"until": until} if until else {})
    with opened("subscription resend") as door:
        told = door.post(f"/v1/subscriptions/{subscription}/resend", body, account=door.owner(subscription))
    as_json(told) if json else facts(told)


@command(main, "rotate", "subscription rotate sub_01J… --overlap 24h")
def rotate(
    subscription: Subscription,
    overlap: Annotated[
        str, typer.Option(help="How long events are signed with the old secrets too. 0s: not at all.")
    ] = "24h",
    json: Json = False,
) -> None:
    """Create a new secret and print it, only once. During the overlap, events are signed with the old ones too."""
    from app.cli.client import opened

    with opened("subscription rotate") as door:
        path = f"/v1/subscriptions/{subscription}/secrets"
        made = door.post(path, {"overlap": overlap}, account=door.owner(subscription))
    as_json(made) if json else facts(made)


@command(main, "revoke", "subscription revoke sub_01J… sec_01J…")
def revoke(
    subscription: Subscription,
    secret_id: Annotated[str, typer.Argument(metavar="SECRET_ID")],
    json: Json = False,
) -> None:
    """Revoke one secret of a subscription at once."""
    from app.cli.client import opened

    with opened("subscription revoke") as door:
        path = f"/v1/subscriptions/{subscription}/secrets/{secret_id}"
        door.ask("DELETE", path, account=door.owner(subscription))
    as_json({"id": secret_id, "revoked": True}) if json else facts({"revoked": secret_id})


@command(main, "delete", "subscription delete sub_01J… --yes")
def delete(
    subscription: Subscription,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete a subscription and its attempts. Waiting events are dropped."""
    from app.cli.client import opened

    confirm(f"Delete {subscription}?", yes=yes, lost="deleting a subscription")
    with opened("subscription delete") as door:
        door.ask("DELETE", f"/v1/subscriptions/{subscription}", account=door.owner(subscription))
    as_json({"id": subscription, "deleted": True}) if json else facts({"deleted": subscription})


@command(main, "attempts", "subscription attempts sub_01J…", "subscription attempts sub_01J… --limit 200 --json")
def attempts(
    subscription: Subscription,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 50,
    json: Json = False,
) -> None:
    """List the attempts to deliver events, newest first: result, reason, and time of the next attempt."""
    from app.cli.client import opened

    with opened("subscription attempts") as door:
        path = f"/v1/subscriptions/{subscription}/attempts"
        found = door.get(path, account=door.owner(subscription), limit=limit)
    if json:
        as_json(found)
        return
    rows = [
        (
            when(one["at"]),
            one["event_id"],
            one["type"],
            one["order_id"],
            one["number"],
            one["status"],
            None if one["took_ms"] is None else f"{one['took_ms']:.0f}",
            one["reason"],
            when(one["next_at"]),
        )
        for one in found["data"]
    ]
    columns = ("at", "event", "type", "order", ">try", ">HTTP", ">ms", "why not", "next try")
    table(None, columns, rows, empty="no attempts yet")
