"""`source` and `adapters`: manage sources and their secrets; show how to set up a platform."""

import json as json_
from typing import Annotated, Any

import typer

from app.cli.output import (
    PROGRAM,
    Account,
    Json,
    Misuse,
    Yes,
    as_json,
    command,
    confirm,
    facts,
    group,
    note,
    table,
    when,
)

main = group("Manage sources: the systems that send webhooks, with their secrets.")
top = group("What is supported.")

Source = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="The source: its id (src_…), its name, or its adapter where that is one."),
]


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
    json: Json = False,
) -> None:
    """Add a source. Prints its webhook URL and, if it was generated, the secret (only once)."""
    from app.cli.client import opened

    body = {"adapter": adapter, "unknown_contacts": unknown_contacts, "options": options_of(option or [])}
    body |= {word: value for word, value in (("name", name), ("secret", secret), ("key", key)) if value is not None}
    with opened("source add") as door:
        made = door.post("/v1/sources", body, account=door.account(account))
    _warned(made)
    shown = {word: made[word] for word in ("source_id", "webhook_url", "secret")}
    as_json(made) if json else facts(shown)


def _warned(made: dict[str, Any]) -> None:
    for warning in made["warnings"]:
        note(f"warning: {warning}")


@command(main, "list", "source list --account acme")
def list_(account: Account = None, json: Json = False) -> None:
    """List the sources of an account."""
    from app.cli.client import opened

    with opened("source list") as door:
        found = door.all_of("/v1/sources", account=door.account(account))
    if json:
        as_json(found)
        return
    rows = [
        (one["id"], one["adapter"], one["name"], one["enabled"], when(one["last_delivery_at"]), one["webhook_url"])
        for one in found["data"]
    ]
    table(None, ("source", "adapter", "name", "enabled", "last delivery", "webhook url"), rows)


@command(main, "show", "source show src_01J…")
def show(source: Source, json: Json = False) -> None:
    """Show one source, its secrets' ages, and the deliveries it rejected."""
    from app.cli.client import opened

    with opened("source show") as door:
        source, owner = door.source(source)
        found = door.get(f"/v1/sources/{source}", account=owner)
    if json:
        as_json(found)
        return
    facts({name: value for name, value in found.items() if name not in {"secrets", "refused"}})
    rows = [
        (one["id"], when(one["created_at"]), when(one["expires_at"]), when(one["revoked_at"]))
        for one in found["secrets"]
    ]
    table("\nsecrets", ("id", "made", "ends", "revoked"), rows)
    refused = [(one["outcome"], one["reason"], one["count"], when(one["last_at"])) for one in found["refused"]]
    table("\nrefused", ("outcome", "reason", ">count", "last"), refused)


def _switch(source: str, on: bool, json: bool) -> None:
    from app.cli.client import opened

    with opened("source") as door:
        source, owner = door.source(source)
        found = door.ask("PATCH", f"/v1/sources/{source}", account=owner, body={"enabled": on})
    as_json(found) if json else facts({"source": source, "enabled": found["enabled"]})


@command(main, "enable", "source enable src_01J…")
def enable(source: Source, json: Json = False) -> None:
    """Accept deliveries of this source again."""
    _switch(source, True, json)


@command(main, "disable", "source disable src_01J…")
def disable(source: Source, json: Json = False) -> None:
    """Reject deliveries of this source with 403."""
    _switch(source, False, json)


@command(main, "edit", "source edit src_01J… --name 'The shop'", "source edit src_01J… --unknown-contacts hold")
def edit(
    source: Source,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    unknown_contacts: Annotated[
        str | None, typer.Option(help="What to do when the contact is unknown: create or hold.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the adapter, NAME=VALUE. Can be repeated; replaces all options."),
    ] = None,
    json: Json = False,
) -> None:
    """Change a source. What is not given stays as it is."""
    from app.cli.client import opened

    wanted = {"name": name, "unknown_contacts": unknown_contacts, "options": options_of(option) if option else None}
    body = {word: value for word, value in wanted.items() if value is not None}
    if not body:
        raise Misuse("nothing to change: give --name, --unknown-contacts or --option")
    with opened("source edit") as door:
        source, owner = door.source(source)
        found = door.ask("PATCH", f"/v1/sources/{source}", account=owner, body=body)
    as_json(found) if json else facts({"source": source, **{word: found[word] for word in wanted}})


@command(main, "delete", "source delete src_01J… --yes")
def delete(
    source: Source,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete a source. It accepts no more deliveries; its deliveries and orders stay."""
    from app.cli.client import opened

    confirm(f"Delete {source}?", yes=yes, lost="deleting a source")
    with opened("source delete") as door:
        source, owner = door.source(source)
        door.ask("DELETE", f"/v1/sources/{source}", account=owner)
    as_json({"id": source, "deleted": True}) if json else facts({"deleted": source})


@command(
    main,
    "rotate",
    "source rotate src_01J… --overlap 24h",
    "source rotate src_01J… --secret 'the new one'",
    "source rotate src_01J… --key 'the new key'",
)
def rotate(
    source: Source,
    secret: Annotated[
        str | None,
        typer.Option(help="The platform's new secret. Default: one is generated, where the platform allows it."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="A new API key instead of a new secret. It is used at once.")] = None,
    overlap: Annotated[str, typer.Option(help="How long the old secrets stay valid. 0s: not at all.")] = "24h",
    json: Json = False,
) -> None:
    """Give a source a new secret. The old ones stay valid during the overlap."""
    from app.cli.client import opened

    if key is not None:
        if secret is not None:
            raise Misuse("--secret and --key cannot be changed together")
        with opened("source rotate") as door:
            source, owner = door.source(source)
            changed = door.ask("PATCH", f"/v1/sources/{source}", account=owner, body={"key": key})
        as_json(changed) if json else facts({"source": source, "has key": changed["has_key"]})
        return
    body = {"overlap": overlap} | ({"secret": secret} if secret is not None else {})
    with opened("source rotate") as door:
        source, owner = door.source(source)
        made = door.post(f"/v1/sources/{source}/secrets", body, account=owner)
    _warned(made)
    shown = {word: made[word] for word in ("id", "secret", "older_secrets_end_at")}
    as_json(made) if json else facts(shown)


@command(main, "check", "source check src_01J…")
def check(source: Source, json: Json = False) -> None:
    """Check a source: how many secrets are valid, and whether the platform accepts the API key. Stores nothing."""
    from app.cli.client import opened

    with opened("source check") as door:
        source, owner = door.source(source)
        found = door.post(f"/v1/sources/{source}/check", {}, account=owner)
    key = found["key"]
    word = {True: "taken", False: "not taken", None: "not known"}[key["accepted"]]
    shown = {"usable secrets": found["usable_secrets"], "key": word, "": key["words"]}
    as_json(found) if json else facts(shown)


@command(main, "revoke", "source revoke src_01J… sec_01J…")
def revoke(source: Source, secret_id: Annotated[str, typer.Argument(metavar="SECRET_ID")], json: Json = False) -> None:
    """Revoke one secret of a source at once."""
    from app.cli.client import opened

    with opened("source revoke") as door:
        source, owner = door.source(source)
        door.ask("DELETE", f"/v1/sources/{source}/secrets/{secret_id}", account=owner)
    as_json({"id": secret_id, "revoked": True}) if json else facts({"revoked": secret_id})


@command(top, "adapters", "adapters", "adapters shopify")
def adapters_(name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None, json: Json = False) -> None:
    """List the supported platforms, or show step by step how to set one up. Needs no database."""
    import adapters

    if name is not None and name not in adapters.names():
        raise Misuse(f"there is no adapter {name!r}; there are {', '.join(adapters.names())}")
    from app.base.samples import described

    shown = [described(adapters.load(one)) for one in ([name] if name else adapters.names())]
    if json:
        # As the API answers it: the list, or the one.
        as_json(shown[0] if name else {"data": shown, "next_cursor": None})
    elif name is None:
        table(None, ("name", "title", "signature"), [(one["name"], one["title"], one["signature"]) for one in shown])
    else:
        _set_up(shown[0])


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
