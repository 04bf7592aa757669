"""`source` and `adapters`: manage sources and their secrets; show how to set up a platform."""

import json as json_
from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Source, Yes, command, group
from app.cli.output import PROGRAM, Misuse, confirm, facts, listed, note, show_secrets

main = group("Manage sources: the systems that send webhooks, with their secrets.")
top = group("What is supported.")


def options_of(pairs: list[str]) -> dict[str, Any]:
    """`K=V` pairs; a dotted K nests, a V that is JSON is taken as such. Raises Misuse."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise Misuse(f"--option {pair!r}: write it as NAME=VALUE")
        try:
            value: Any = json_.loads(text)
        except ValueError:
            value = text
        *way, last = name.split(".")
        place = options
        for step in way:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise Misuse(f"--option {pair!r}: {step} is a value already")
        place[last] = value
    return options


@command(main, "add", "source add shopify --account acme --secret 'shpss_…'", "source add standard --account acme")
def add(
    client: ApiClient,
    adapter: str,
    account: Account = None,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            help="The secret that the platform signs with. Default: one is generated, where the platform allows it."
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The API key, for platforms whose orders are read from their API.")
    ] = None,
    unknown_contacts: Annotated[
        str, typer.Option(help="What to do when the contact is unknown: create or hold.")
    ] = "create",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the adapter, NAME=VALUE. Can be repeated.")
    ] = None,
) -> Any:
    """Add a source. Prints its webhook URL and, if it was generated, the secret (only once)."""
    body = {"adapter": adapter, "unknown_contacts": unknown_contacts, "options": options_of(option or [])}
    body |= {word: value for word, value in (("name", name), ("secret", secret), ("key", key)) if value is not None}
    made = client.post("/v1/sources", body, account=client.account(account))
    _warned(made)
    return Answer(made, {word: made[word] for word in ("source_id", "webhook_url", "secret")})


def _warned(made: dict[str, Any]) -> None:
    for warning in made["warnings"]:
        note(f"warning: {warning}")


SOURCES: dict[str, Any] = {
    "source": "id",
    "adapter": "adapter",
    "name": "name",
    "enabled": "enabled",
    "last delivery": "last_delivery_at",
    "webhook url": "webhook_url",
}


@command(main, "list", "source list --account acme", show=listed(SOURCES))
def list_(client: ApiClient, account: Account = None) -> Any:
    """List the sources of an account."""
    return client.all_of("/v1/sources", account=client.account(account))


def _show(found: dict[str, Any]) -> None:
    facts({name: value for name, value in found.items() if name not in {"secrets", "refused"}})
    show_secrets(found)
    fields = {"outcome": "outcome", "reason": "reason", ">count": "count", "last": "last_at"}
    listed(fields, of="refused", title="\nrefused")(found)


def _ask(client: ApiClient, method: str, source: str, rest: str = "", body: Any = None) -> Any:
    """Return the API's answer about a source. `rest` is what follows it in the path."""
    source_id, owner = client.source(source)
    return client.ask(method, f"/v1/sources/{source_id}{rest}", account=owner, body=body)


@command(main, "show", "source show src_01J…", show=_show)
def show(client: ApiClient, source: Source) -> Any:
    """Show one source, its secrets' ages, and the deliveries it rejected."""
    return _ask(client, "GET", source)


def _switch(client: ApiClient, source: str, on: bool) -> Answer:
    found = _ask(client, "PATCH", source, body={"enabled": on})
    return Answer(found, {"source": found["id"], "enabled": found["enabled"]})


@command(main, "enable", "source enable src_01J…")
def enable(client: ApiClient, source: Source) -> Answer:
    """Accept deliveries of this source again."""
    return _switch(client, source, True)


@command(main, "disable", "source disable src_01J…")
def disable(client: ApiClient, source: Source) -> Answer:
    """Reject deliveries of this source with 403."""
    return _switch(client, source, False)


@command(main, "edit", "source edit src_01J… --name 'The shop'", "source edit src_01J… --unknown-contacts hold")
def edit(
    client: ApiClient,
    source: Source,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    unknown_contacts: Annotated[
        str | None, typer.Option(help="What to do when the contact is unknown: create or hold.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the adapter, NAME=VALUE. Can be repeated; replaces all options."),
    ] = None,
) -> Any:
    """Change a source. What is not given stays as it is."""
    wanted = {"name": name, "unknown_contacts": unknown_contacts, "options": options_of(option) if option else None}
    body = {word: value for word, value in wanted.items() if value is not None}
    if not body:
        raise Misuse("nothing to change: give --name, --unknown-contacts or --option")
    found = _ask(client, "PATCH", source, body=body)
    return Answer(found, {"source": found["id"], **{word: found[word] for word in wanted}})


@command(main, "delete", "source delete src_01J… --yes")
def delete(
    client: ApiClient,
    source: Source,
    yes: Yes = False,
) -> Any:
    """Delete a source. It accepts no more deliveries; its deliveries and orders stay."""
    confirm(f"Delete {source}?", yes=yes, lost="deleting a source")
    source, owner = client.source(source)
    client.ask("DELETE", f"/v1/sources/{source}", account=owner)
    return Answer({"id": source, "deleted": True}, {"deleted": source})


@command(
    main,
    "rotate",
    "source rotate src_01J… --overlap 24h",
    "source rotate src_01J… --secret 'the new one'",
    "source rotate src_01J… --key 'the new key'",
)
def rotate(
    client: ApiClient,
    source: Source,
    secret: Annotated[
        str | None,
        typer.Option(help="The platform's new secret. Default: one is generated, where the platform allows it."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="A new API key instead of a new secret. It is used at once.")] = None,
    overlap: Annotated[str, typer.Option(help="How long the old secrets stay valid. 0s: not at all.")] = "24h",
) -> Any:
    """Give a source a new secret. The old ones stay valid during the overlap."""
    if key is not None:
        if secret is not None:
            raise Misuse("--secret and --key cannot be changed together")
        changed = _ask(client, "PATCH", source, body={"key": key})
        return Answer(changed, {"source": changed["id"], "has key": changed["has_key"]})
    made = _ask(
        client, "POST", source, "/secrets", {"overlap": overlap} | ({"secret": secret} if secret is not None else {})
    )
    _warned(made)
    return Answer(made, {word: made[word] for word in ("id", "secret", "older_secrets_end_at")})


@command(main, "check", "source check src_01J…")
def check(client: ApiClient, source: Source) -> Answer:
    """Check a source: how many secrets are valid, and whether the platform accepts the API key. Stores nothing."""
    found = _ask(client, "POST", source, "/check", {})
    key = found["key"]
    word = {True: "taken", False: "not taken", None: "not known"}[key["accepted"]]
    return Answer(found, {"usable secrets": found["usable_secrets"], "key": word, "": key["words"]})


@command(main, "revoke", "source revoke src_01J… sec_01J…")
def revoke(client: ApiClient, source: Source, secret_id: Annotated[str, typer.Argument(metavar="SECRET_ID")]) -> Answer:
    """Revoke one secret of a source at once."""
    _ask(client, "DELETE", source, f"/secrets/{secret_id}")
    return Answer({"id": secret_id, "revoked": True}, {"revoked": secret_id})


def _adapters(found: dict[str, Any]) -> None:
    if "setup" in found:
        _set_up(found)
    else:
        listed({"name": "name", "title": "title", "signature": "signature"})(found)


@command(top, "adapters", "adapters", "adapters shopify", show=_adapters)
def adapters_(name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None) -> Any:
    """List the supported platforms, or show step by step how to set one up. Needs no database."""
    import adapters
    from app.base.samples import described

    # As the API answers it: the list, or the one.
    if name is None:
        return {"data": [described(adapters.load(one)) for one in adapters.names()], "next_cursor": None}
    if name not in adapters.names():
        raise Misuse(f"there is no adapter {name!r}; there are {', '.join(adapters.names())}")
    return described(adapters.load(name))


def _set_up(adapter: dict[str, Any]) -> None:
    """Print how to set up a source of this adapter."""
    theirs = adapter["secret_made_by"] == "theirs"  # noqa: S105 - says who makes it; it is none
    facts(
        {
            "adapter": adapter["name"],
            "title": adapter["title"],
            "signature": adapter["signature"],
            "secret": f"shown by {adapter['title']}" if theirs else "made here",
            **({"key": adapter["key"]} if adapter["key"] else {}),
            **({"options": ", ".join(adapter["options"])} if adapter["options"] else {}),
            "kinds": ", ".join(adapter["kinds"]),
            "manual": adapter["links"]["signing"],
        }
    )
    print("\nSet-up:")
    steps = [f"`{PROGRAM} source add {adapter['name']}` gives the WEBHOOK_URL below.", *adapter["setup"]]
    if theirs:
        steps.append(f"`{PROGRAM} source rotate SOURCE --secret '…'`, if the secret was not given in step 1.")
    for at, step in enumerate(steps, start=1):
        print(f"  {at}. {step.replace('{webhook_url}', 'WEBHOOK_URL')}")
