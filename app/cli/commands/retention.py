"""`prune`, `account retention`, `report`: how long data is kept; sums over orders."""

from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Json, command, group
from app.cli.commands.accounts import Named, changed
from app.cli.commands.accounts import account as account_group
from app.cli.filters import Purchases, Reported
from app.cli.output import PROGRAM, CommandFailed, Misuse, as_json, facts, note, on_terminal, table, when

main = group("What is kept.")

FOREVER = "for ever"


@command(account_group, "retention", "account retention acme bodies=30d orders_closed=1825d refusals=never")
def retention(
    client: ApiClient,
    named: Named,
    ages: Annotated[list[str] | None, typer.Argument(metavar="CLASS=AGE", help="Days (30d), or never.")] = None,
) -> Any:
    """Show or set how long each class of data is kept. A class without an age is kept for ever.

    Classes: bodies, deliveries (the log, with its bodies), refusals (samples of rejected deliveries), orders_open,
    orders_closed, orders_canceled.
    """
    wanted: dict[str, str | None] = {}
    for pair in ages or ():
        name, equals, age = pair.partition("=")
        if not equals:
            raise Misuse(f"{pair}: write it as CLASS=AGE, such as bodies=30d")
        wanted[name] = None if age == "never" else age
    ages_kept = changed(client, named, {"retention": wanted} if wanted else {})["retention"]
    return Answer(ages_kept, ages_kept or {"everything": FOREVER})


@command(main, "prune", "prune --dry-run", "prune --account acme", "prune --confirm-clock")
def prune(
    client: ApiClient,
    account: Account = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; nothing is taken.")] = False,
    confirm_clock: Annotated[
        bool, typer.Option("--confirm-clock", help="This machine's clock is right, though it was found to have jumped.")
    ] = False,
    json: Json = False,
) -> None:
    """Delete what is older than the account's retention allows. A running server does this every hour.

    Without --account: of every account. It goes in small steps, and deliveries come in meanwhile.

    Nothing is pruned when the clock was put forward or back by more than an hour while the server ran, or is more than
    three days from the mark that a server leaves in the database every hour: `doctor` says so, and you confirm the time.
    """
    if confirm_clock:
        note(f"the clock is confirmed: {client.post('/operator/confirm-clock')['clock']}")
    every = client.get("/operator/accounts")["data"]
    meant = [one for one in every if account is None or account in (one["account_id"], one["name"])]
    if account is not None and not meant:
        raise CommandFailed(f"there is no account {account!r}; `{PROGRAM} account list` shows them")
    found = [_pruned(client, one["account_id"], dry_run) for one in meant]
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
        ("account", "class", "kept", "older than", ">would be deleted" if dry_run else ">deleted"),
        rows,
        empty="no account has a retention: everything is kept for ever",
    )


def _pruned(client: ApiClient, account: str, dry_run: bool) -> dict[str, Any]:
    """Prune one account until it is done. Returns the sums."""
    whole: dict[str, Any] = {}
    while True:
        found = client.post("/v1/prune", {"dry_run": dry_run}, account=account)
        before = {kind["name"]: kind["count"] for kind in whole.get("classes", ())}
        for kind in found["classes"]:
            kind["count"] += before.get(kind["name"], 0)
        whole = found
        if found["done"]:
            return whole
        if on_terminal():
            note(f"{sum(kind['count'] for kind in whole['classes'])} deleted so far")


report = group("Sums over orders. Test orders are never counted.")


def _sums(found: dict[str, Any]) -> None:
    sums = ("orders", "paid_orders", "gross", "refunded", "net", "open", "average_order_value")
    rows = [
        (one["label"] or one["group"], in_one["currency"], *(in_one[name] for name in sums))
        for one in found["data"]
        for in_one in one["currencies"]
    ]
    titles = (">orders", ">paid", ">gross", ">refunded", ">net", ">open", ">average")
    table(None, (found["group_by"], "currency", *titles), rows)


@command(report, "orders", "report orders --group-by month", "report orders --group-by source --since 30d", show=_sums)
def report_orders(
    client: ApiClient,
    group_by: Annotated[
        str, typer.Option("--group-by", help="month, status, currency, origin, source, deal or owner.")
    ] = "month",
    account: Account = None,
    *,
    where: Reported,
    zone: Annotated[str | None, typer.Option("--zone", help="Time zone of the months. Default: the account's.")] = None,
) -> Any:
    """Show totals per group and currency."""
    named = client.account(account, where)
    return client.all_of("/v1/reports/orders", account=named, group_by=group_by, zone=zone, **where)


def _scores(found: dict[str, Any]) -> None:
    names = ("recency", "frequency", "money")
    rows = [
        (
            one["name"] or one["crm_contact_id"] or one["contact_id"],
            when(one["last_bought_at"]),
            one["frequency"],
            one["money"],
            "-".join(str(one["scores"][name]["score"]) for name in names),
        )
        for one in found["data"]
    ]
    rule = found["rule"]
    table(None, ("contact", "last bought", ">paid orders", f">net {rule['currency']}", "scores"), rows)
    print()
    facts(
        {
            "scores": "recency-frequency-money, as of " + when(rule["as_of"]),
            "rule": rule["words"],
            "days": rule["recency_days"],
            "paid orders": rule["frequency"],
            "money": rule["money"],
        }
    )


@command(
    report,
    "contacts",
    "report contacts --currency BRL",
    "report contacts --recency 30,60,90,180 --json",
    show=_scores,
)
def report_contacts(
    client: ApiClient,
    account: Account = None,
    *,
    where: Purchases,
    recency: Annotated[
        str | None, typer.Option("--recency", help="Four limits in days, such as 30,90,180,365.")
    ] = None,
    frequency: Annotated[str | None, typer.Option("--frequency", help="Four limits of paid orders.")] = None,
    money: Annotated[
        str | None, typer.Option("--money", help="Four limits of money. Default: from the average order value.")
    ] = None,
) -> Any:
    """Score contacts by recency, frequency and money (RFM), from 1 to 5, and show the rule."""
    steps = {"recency": recency, "frequency": frequency, "money": money}
    return client.all_of("/v1/reports/contacts", account=client.account(account, where), **where, **steps)
