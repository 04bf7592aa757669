"""`prune`, `account retention`, `report`: what is kept, for how long, and what it sums up to."""

from typing import Annotated, Any

import typer

from app.cli.accounts import account as account_group
from app.cli.show import Account, Json, Misuse, as_json, command, facts, group, note, on_terminal, table, when

main = group("What is kept.")

FOREVER = "for ever"


@command(account_group, "retention", "account retention acme bodies=30d orders_closed=1825d refusals=never")
def retention(
    named: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    ages: Annotated[list[str] | None, typer.Argument(metavar="CLASS=AGE", help="Days (30d), or never.")] = None,
    json: Json = False,
) -> None:
    """Show, or set, how long each class is kept; what has no age is kept for ever.

    Classes: bodies, deliveries (the log; the bodies go with it), refusals (samples), orders_open, orders_closed,
    orders_canceled.
    """
    from app.cli.door import opened

    wanted: dict[str, str | None] = {}
    for pair in ages or ():
        name, equals, age = pair.partition("=")
        if not equals:
            raise Misuse(f"{pair}: write it as CLASS=AGE, such as bodies=30d")
        wanted[name] = None if age == "never" else age
    with opened("account retention") as door:
        if wanted:
            found = door.ask("PATCH", "/v1/account", account=named, body={"retention": wanted})
        else:
            found = door.get("/v1/account", account=named)
    as_json(found["retention"]) if json else facts(found["retention"] or {"everything": FOREVER})


@command(main, "prune", "prune --dry-run", "prune --account acme")
def prune(
    account: Account = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; nothing is taken.")] = False,
    json: Json = False,
) -> None:
    """Take away what is older than each account's retention says; a server does it by itself every hour.

    Without --account: of every account. It goes in small steps, and deliveries come in meanwhile.
    """
    from app.cli.door import opened

    with opened("prune") as door:
        every = door.get("/operator/accounts")["data"]
        meant = [one for one in every if account is None or account in (one["account_id"], one["name"])]
        if account is not None and not meant:
            raise Misuse(f"there is no account {account}")
        found = [_pruned(door, one["account_id"], dry_run) for one in meant]
    if json:
        as_json({"data": found})
        return
    names = {one["account_id"]: one["name"] for one in meant}
    rows = [
        (names[one["account_id"]], kind["name"], kind["age"] or FOREVER, when(kind["older_than"]), kind["count"])
        for one in found
        for kind in one["classes"]
        if kind["age"] or account is not None
    ]
    table(
        None,
        ("account", "class", "kept", "older than", ">would go" if dry_run else ">gone"),
        rows,
        empty="no account has a retention: everything is kept for ever",
    )


def _pruned(door: Any, account: str, dry_run: bool) -> dict[str, Any]:
    """One account's, whole: asked for until it is done."""
    whole: dict[str, Any] = {}
    while True:
        found = door.post("/v1/prune", {"dry_run": dry_run}, account=account)
        before = {kind["name"]: kind["count"] for kind in whole.get("classes", ())}
        for kind in found["classes"]:
            kind["count"] += before.get(kind["name"], 0)
        whole = found
        if found["done"]:
            return whole
        if on_terminal():
            note(f"{sum(kind['count'] for kind in whole['classes'])} gone so far")
