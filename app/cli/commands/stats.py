"""`stats`: counts of deliveries, and what needs attention."""

from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Text, command, group
from app.cli.output import facts, plain, table, when

main = group("Counts.")


def _overview(found: dict[str, Any]) -> None:
    rows = [
        (
            one["name"],
            ", ".join(f"{outcome} {count}" for outcome, count in sorted(one["by_outcome"].items())) or "–",
            when(one["last_good_at"]),
            when(one["last_refused_at"]),
            one["source_id"],
        )
        for one in found["sources"]
    ]
    table(None, ("source", "deliveries", "last good", "last refused", "id"), rows)
    known, waits = found["acknowledgement"], found["waiting"]
    facts(
        {
            "acknowledged": f"p50 {known['p50_ms']} ms, p99 {known['p99_ms']} ms" if known["count"] else None,
            "waiting": f"{waits['commit']} to be committed, {waits['fetches']} to be fetched, {waits['held']} for their contact",
        }
    )
    for alert in found["alerts"]:
        print(
            f"{'!!' if alert['severity'] == 'critical' else '!'} {plain(alert['message'])}\n  {plain(alert['advice'])}"
        )


@command(main, "stats", "stats --since 7d", "stats --source src_01J… --json", show=_overview)
def stats(
    client: ApiClient,
    account: Account = None,
    source: Annotated[Text, typer.Option("--source", help="Only of this source.")] = None,
    since: Annotated[
        str, typer.Option("--since", help="From this time on: ISO 8601, or 24h, 7d for that long ago.")
    ] = "24h",
    until: Annotated[Text, typer.Option("--until", help="Before this time.")] = None,
) -> Any:
    """Show counts of deliveries by outcome, and what needs attention."""
    where = {"source_id": source} if source else {}
    return client.get("/v1/stats", account=client.account(account, where), since=since, until=until, **where)
