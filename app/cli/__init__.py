"""The command line: a client of the API. Heavy imports are inside the commands, so that --help is quick."""

import sys
from typing import Annotated

import typer

from app.cli import serve
from app.cli.command import group
from app.cli.commands import (
    accounts,
    contacts,
    deliveries,
    demo,
    imports,
    jobs,
    maintenance,
    orders,
    retention,
    sources,
    stats,
    subscriptions,
)
from app.cli.output import PROGRAM, CommandFailed, Misuse, note

app = group("Receives signed webhooks from shops and keeps one order per sale, on the right contact.")
for part in (
    demo.main,
    serve.main,
    maintenance.main,
    retention.main,
    sources.top,
    deliveries.top,
    stats.main,
    jobs.top,
    imports.main,
):
    app.add_typer(part)  # without a name: its commands stand at the top
app.add_typer(accounts.account, name="account")
app.add_typer(accounts.token, name="token")
app.add_typer(sources.main, name="source")
app.add_typer(subscriptions.main, name="subscription")
app.add_typer(deliveries.main, name="deliveries")
app.add_typer(jobs.main, name="jobs")
app.add_typer(deliveries.privacy, name="privacy")
app.add_typer(contacts.contacts, name="contacts")
app.add_typer(orders.order, name="order")
app.add_typer(orders.deal, name="deal")
app.add_typer(retention.report, name="report")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version(PROGRAM))
        raise typer.Exit


@app.callback()
def _begin(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Receives signed webhooks from shops and keeps one order per sale, on the right contact."""


def main() -> None:
    """Run the command. Exit code 0: done; 1: failed, with one line on standard error; 2: wrong usage."""
    try:
        app(prog_name=PROGRAM)
    except CommandFailed as why:
        note(f"{PROGRAM}: {' '.join(str(why).split())}")
        sys.exit(1)
    except Misuse as why:
        note(f"{PROGRAM}: {why}")
        sys.exit(2)
