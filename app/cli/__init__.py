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
# In the order in which the help lists them. The commands of a group without a name stand at the top.
for name, part in (
    (None, demo.main),
    (None, serve.main),
    (None, maintenance.main),
    (None, retention.main),
    (None, sources.top),
    (None, deliveries.top),
    (None, stats.main),
    (None, jobs.top),
    (None, imports.main),
    ("account", accounts.account),
    ("token", accounts.token),
    ("source", sources.main),
    ("subscription", subscriptions.main),
    ("deliveries", deliveries.main),
    ("jobs", jobs.main),
    ("privacy", deliveries.privacy),
    ("contacts", contacts.contacts),
    ("order", orders.order),
    ("deal", orders.deal),
    ("report", retention.report),
):
    app.add_typer(part, name=name)


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
