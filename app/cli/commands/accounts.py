"""`account` and `token`: accounts, and the tokens of their members."""

from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Yes, command, group
from app.cli.output import Misuse, listed, note, on_terminal

account = group(
    "Manage accounts. Each has its own sources, contacts and orders. An account's registry is off until you enable it."
)
token = group("Manage the tokens that members use for the API. Only their hashes are stored.")

Role = Annotated[str, typer.Option("--role", help="admin, manager, rep, integrator or ops.")]


@command(account, "create", "account create acme --enable")
def account_create(
    client: ApiClient,
    name: str,
    enable: Annotated[bool, typer.Option("--enable", help="Enable the registry at once.")] = False,
) -> Any:
    """Create an account and an admin token. The token is shown only once."""
    return client.post("/operator/accounts", {"name": name, "enable": enable})


@command(
    account,
    "list",
    "account list --json",
    show=listed({"account": "account_id", "name": "name", "enabled": "orders_enabled", "made": "created_at"}),
)
def account_list(client: ApiClient) -> Any:
    """List all accounts of this installation."""
    return client.get("/operator/accounts")


Named = Annotated[str, typer.Argument(metavar="ACCOUNT")]
OFF = (
    "every webhook of its sources is then refused: shops are answered HTTP 403 (disabled), and may drop their webhooks"
)


def changed(client: ApiClient, named: str, body: dict[str, Any]) -> Any:
    """Change an account's settings, or only read them where `body` is empty. Returns the account."""
    if not body:
        return client.get("/v1/account", account=named)
    return client.ask("PATCH", "/v1/account", account=named, body=body)


def _switch(client: ApiClient, named: str, on: bool) -> Answer:
    found = changed(client, named, {"orders_enabled": on})
    return Answer(found, {"account": found["name"], "enabled": found["orders_enabled"]})


@command(account, "enable", "account enable acme")
def account_enable(client: ApiClient, named: Named) -> Answer:
    """Enable an account's registry."""
    return _switch(client, named, True)


@command(account, "disable", "account disable acme")
def account_disable(client: ApiClient, named: Named, yes: Yes = False) -> Answer:
    """Disable an account's registry. Shops are then answered 403, and nobody sees orders. Asks on a terminal."""
    if on_terminal() and not yes and not typer.confirm(f"Disable {named}? {OFF[0].upper()}{OFF[1:]}."):
        raise Misuse("nothing was changed")
    answer = _switch(client, named, False)
    note(OFF)
    return answer


@command(
    account,
    "set",
    "account set acme --owner-privacy",
    "account set acme --currency USD --region US --timezone America/New_York",
)
def account_set(
    client: ApiClient,
    named: Named,
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
) -> Any:
    """Show or change the settings of an account."""
    wanted = {
        "owner_privacy": owner_privacy,
        "default_currency": currency.upper() if currency else None,
        "default_region": region.upper() if region else None,
        "timezone": timezone,
    }
    found = changed(client, named, {name: value for name, value in wanted.items() if value is not None})
    return Answer(found, {"account": found["name"], **{name: found[name] for name in wanted}})


@command(account, "panel", "account panel acme --origin https://chat.example.com", "account panel acme --nowhere")
def account_panel(
    client: ApiClient,
    named: Named,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="A page that may embed it. Can be repeated; replaces the old list."),
    ] = None,
    nowhere: Annotated[bool, typer.Option("--nowhere", help="Allow no pages.")] = False,
) -> Any:
    """Show or set which pages may embed the account's panel (a contact's page) in a frame."""
    if origin and nowhere:
        raise Misuse("--origin and --nowhere contradict each other")
    found = changed(client, named, {"panel_origins": origin or []} if origin or nowhere else {})
    shown = {"account": found["account_id"], "panel_origins": found["panel_origins"]}
    words = {"account": found["name"], "path": f"/console/panel?account={found['account_id']}"}
    return Answer(shown, {**words, "shown by": ", ".join(found["panel_origins"]) or "nobody"})


@command(token, "create", "token create --account acme --role rep --member 7")
def token_create(
    client: ApiClient,
    role: Role,
    account: Account = None,
    member: Annotated[
        str | None, typer.Option("--member", help="The member's id. Created if it does not exist.")
    ] = None,
) -> Any:
    """Create a token. It is shown only once."""
    named = client.account(account)
    if member is not None:
        known = {one["id"] for one in client.all_of("/v1/members", account=named)["data"]}
        if member not in known:
            client.post("/v1/members", {"name": member, "role": role, "id": member}, account=named)
    return client.post("/v1/tokens", {"role": role} | ({"member_id": member} if member else {}), account=named)


TOKENS: dict[str, Any] = {
    "token": "id",
    "role": "role",
    "member": lambda one: one["member_name"] or one["member_id"],
    "made": "created_at",
    "revoked": "revoked_at",
}


@command(token, "list", "token list --account acme", show=listed(TOKENS))
def token_list(client: ApiClient, account: Account = None) -> Any:
    """List the tokens of an account. The tokens themselves are not shown."""
    return client.all_of("/v1/tokens", account=client.account(account))


@command(token, "revoke", "token revoke tok_01J…")
def token_revoke(client: ApiClient, named: Annotated[str, typer.Argument(metavar="TOKEN_ID")]) -> Any:
    """Revoke a token. It stops working within a second."""
    client.ask("DELETE", f"/v1/tokens/{named}", account=client.owner(named))
    return Answer({"id": named, "revoked": True}, {"revoked": named})
