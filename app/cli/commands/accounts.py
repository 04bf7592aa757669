"""`account` and `token`: accounts, and the tokens of their members."""

from typing import Annotated

import typer

from app.cli.output import Account, Json, Misuse, Yes, as_json, command, facts, group, note, on_terminal, table, when

account = group(
    "Manage accounts. Each has its own sources, contacts and orders. An account's registry is off until you enable it."
)
token = group("Manage the tokens that members use for the API. Only their hashes are stored.")

Role = Annotated[str, typer.Option("--role", help="admin, manager, rep, integrator or ops.")]


@command(account, "create", "account create acme --enable")
def account_create(
    name: str,
    enable: Annotated[bool, typer.Option("--enable", help="Enable the registry at once.")] = False,
    json: Json = False,
) -> None:
    """Create an account and an admin token. The token is shown only once."""
    from app.cli.client import opened

    with opened("account create") as door:
        made = door.post("/operator/accounts", {"name": name, "enable": enable})
    as_json(made) if json else facts(made)


@command(account, "list", "account list --json")
def account_list(json: Json = False) -> None:
    """List all accounts of this installation."""
    from app.cli.client import opened

    with opened("account list") as door:
        found = door.get("/operator/accounts")
    if json:
        as_json(found)
        return
    rows = [(one["account_id"], one["name"], one["orders_enabled"], when(one["created_at"])) for one in found["data"]]
    table(None, ("account", "name", "enabled", "made"), rows)


def _switch(named: str, on: bool, json: bool) -> None:
    from app.cli.client import opened

    with opened("account") as door:
        found = door.ask("PATCH", "/v1/account", account=named, body={"orders_enabled": on})
    as_json(found) if json else facts({"account": found["name"], "enabled": found["orders_enabled"]})


Named = Annotated[str, typer.Argument(metavar="ACCOUNT")]
OFF = (
    "every webhook of its sources is then refused: shops are answered HTTP 403 (disabled), and may drop their webhooks"
)


@command(account, "enable", "account enable acme")
def account_enable(named: Named, json: Json = False) -> None:
    """Enable an account's registry."""
    _switch(named, True, json)


@command(account, "disable", "account disable acme")
def account_disable(
    named: Named,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Disable an account's registry. Shops are then answered 403, and nobody sees orders. Asks on a terminal."""
    if on_terminal() and not yes and not typer.confirm(f"Disable {named}? {OFF[0].upper()}{OFF[1:]}."):
        raise Misuse("nothing was changed")
    _switch(named, False, json)
    note(OFF)


@command(
    account,
    "set",
    "account set acme --owner-privacy",
    "account set acme --currency USD --region US --timezone America/New_York",
)
def account_set(
    named: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    owner_privacy: Annotated[
        bool | None,
        typer.Option("--owner-privacy/--no-owner-privacy", help="Reps see only the contacts and deals they own."),
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of orders that name none, such as BRL.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Country of phone numbers without a country code, such as BR.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Zone of months, days, and times that name none, such as America/Sao_Paulo.")
    ] = None,
    json: Json = False,
) -> None:
    """Show or change the settings of an account."""
    from app.cli.client import opened

    wanted = {
        "owner_privacy": owner_privacy,
        "default_currency": currency.upper() if currency else None,
        "default_region": region.upper() if region else None,
        "timezone": timezone,
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    with opened("account set") as door:
        if body:
            found = door.ask("PATCH", "/v1/account", account=named, body=body)
        else:
            found = door.get("/v1/account", account=named)
    as_json(found) if json else facts({"account": found["name"], **{name: found[name] for name in wanted}})


@command(account, "panel", "account panel acme --origin https://chat.example.com", "account panel acme --nowhere")
def account_panel(
    named: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="A page that may embed it. Can be repeated; replaces the old list."),
    ] = None,
    nowhere: Annotated[bool, typer.Option("--nowhere", help="Allow no pages.")] = False,
    json: Json = False,
) -> None:
    """Show or set which pages may embed the account's panel (a contact's page) in a frame."""
    from app.cli.client import opened

    if origin and nowhere:
        raise Misuse("--origin and --nowhere contradict each other")
    with opened("account panel") as door:
        if origin or nowhere:
            found = door.ask("PATCH", "/v1/account", account=named, body={"panel_origins": origin or []})
        else:
            found = door.get("/v1/account", account=named)
    shown = {"account": found["account_id"], "panel_origins": found["panel_origins"]}
    words = {"account": found["name"], "path": f"/console/panel?account={found['account_id']}"}
    as_json(shown) if json else facts({**words, "shown by": ", ".join(found["panel_origins"]) or "nobody"})


@command(token, "create", "token create --account acme --role rep --member 7")
def token_create(
    role: Role,
    account: Account = None,
    member: Annotated[
        str | None, typer.Option("--member", help="The member's id. Created if it does not exist.")
    ] = None,
    json: Json = False,
) -> None:
    """Create a token. It is shown only once."""
    from app.cli.client import opened

    with opened("token create") as door:
        named = door.account(account)
        if member is not None:
            known = {one["id"] for one in door.all_of("/v1/members", account=named)["data"]}
            if member not in known:
                door.post("/v1/members", {"name": member, "role": role, "id": member}, account=named)
        made = door.post("/v1/tokens", {"role": role} | ({"member_id": member} if member else {}), account=named)
    as_json(made) if json else facts(made)


@command(token, "list", "token list --account acme")
def token_list(account: Account = None, json: Json = False) -> None:
    """List the tokens of an account. The tokens themselves are not shown."""
    from app.cli.client import opened

    with opened("token list") as door:
        found = door.all_of("/v1/tokens", account=door.account(account))
    if json:
        as_json(found)
        return
    rows = [
        (
            one["id"],
            one["role"],
            one["member_name"] or one["member_id"],
            when(one["created_at"]),
            when(one["revoked_at"]),
        )
        for one in found["data"]
    ]
    table(None, ("token", "role", "member", "made", "revoked"), rows)


@command(token, "revoke", "token revoke tok_01J…")
def token_revoke(named: Annotated[str, typer.Argument(metavar="TOKEN_ID")], json: Json = False) -> None:
    """Revoke a token. It stops working within a second."""
    from app.cli.client import opened

    with opened("token revoke") as door:
        door.ask("DELETE", f"/v1/tokens/{named}", account=door.owner(named))
    as_json({"id": named, "revoked": True}) if json else facts({"revoked": named})
