"""`stats`: counts of deliveries, and what needs attention."""

from typing import Annotated

import typer

from app.cli.output import Account, Json, as_json, command, facts, group, plain, table, when

main = group("Counts.")

Text = str | None


@command(main, "stats", "stats --since 7d", "stats --source src_01J… --json")
def stats(
    account: Account = None,
    source: Annotated[Text, typer.Option("--source", help="Only of this source.")] = None,
    since: Annotated[
        str, typer.Option("--since", help="From this time on: ISO 8601, or 24h, 7d for that long ago.")
    ] = "24h",
    until: Annotated[Text, typer.Option("--until", help="Before this time.")] = None,
    json: Json = False,
) -> None:
    """Show counts of deliveries by outcome, and what needs attention."""
    from app.cli.client import opened

    with opened("stats") as door:
        named = door.owner(source) if source and not account else door.account(account)
        found = door.get("/v1/stats", account=named, since=since, until=until, source_id=source)
    if json:
        as_json(found)
        return
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
