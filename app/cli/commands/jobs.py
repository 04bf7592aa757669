"""`jobs`, `remap`, `contacts reconcile`, `deliveries retry`, `deliveries export`: work on many deliveries or contacts."""

import csv
import json as json_
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.base.tabular import guarded
from app.cli.commands import contacts, deliveries
from app.cli.filters import DELIVERIES, RECEIVED, Where, account_of, filtered
from app.cli.output import (
    PROGRAM,
    Account,
    CommandFailed,
    Json,
    Misuse,
    as_json,
    as_json_line,
    command,
    facts,
    group,
    note,
    table,
    terminal_or_stdout,
    when,
    word,
)

if TYPE_CHECKING:
    from app.cli.client import ApiClient

main = group("Follow and stop jobs: bulk retries, remaps and reconciliations that run in the background.")
top = group("Read recorded deliveries again.")

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id (job_…).")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start the job and return. `jobs show` shows its progress.")]

ENDED = {"done", "stopped", "failed"}
PAGE = 200
COLUMNS = (
    "id",
    "source_id",
    "kind",
    "external_id",
    "outcome",
    "reason",
    "notes",
    "strength",
    "orders",
    "received_at",
    "committed_at",
    "attempts",
    "repeats",
    "last_repeated_at",
)
BODY = ("headers", "query", "body", "body_encoding")


# -- Followed ---------------------------------------------------------------------------------------------------------


def follow(door: "ApiClient", account: str, job_id: str) -> dict[str, Any]:
    """Return the job at its end. On a terminal its progress is shown; Ctrl-C stops waiting, not the job.

    Raises CommandFailed.
    """
    try:
        with _progress() as show:
            while True:
                job: dict[str, Any] = door.get(f"/v1/jobs/{job_id}", account=account, wait=1)
                show(job)
                if job["state"] in ENDED:
                    return job
    except KeyboardInterrupt:
        goes_on = "the job continues in the server" if door.running else "the job continues when a server runs"
        raise CommandFailed(
            f"stopped waiting: {goes_on}. See {PROGRAM} jobs show {job_id}, or jobs stop {job_id}"
        ) from None


@contextmanager
def _progress() -> "Iterator[Any]":
    """Show a bar with rate and time left on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda job: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text as Words

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Words:
            return Words(f"{task.speed:,.0f}/s" if task.speed else "–/s")

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=15) as bar:
        task = bar.add_task("", total=None)

        def show(job: dict[str, Any]) -> None:
            words = f"{job['kind']} {job['state']}, {job['changed']} changed"
            bar.update(task, description=words, total=job["total"], completed=job["done"])

        yield show


def _ended(job: dict[str, Any]) -> None:
    """Print the failures of a job that has ended. Raises CommandFailed when it did not end well."""
    could_not = "could not be looked for" if job["kind"] == "reconcile" else "could not be retried"
    for failure in job["failures"]:
        note(f"{failure['count']} {could_not}: {failure['reason']}")
    if job["state"] != "done":
        raise CommandFailed(f"the job {job['state']}: {job['reason'] or 'it was stopped'}. What it has done stays")


def _changes(door: "ApiClient", account: str, job_id: str, kind: str | None = None) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = door.get(f"/v1/jobs/{job_id}/changes", account=account, kind=kind, limit=PAGE, cursor=cursor)
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _show_changes(door: "ApiClient", account: str, begun: dict[str, Any], *, no_wait: bool, json: bool) -> None:
    """Wait for a job that was begun, and print its changes. Raises CommandFailed when it did not end well."""
    if no_wait:
        as_json(begun) if json else facts(begun)
        return
    job = follow(door, account, begun["job_id"])
    if json:
        for one in _changes(door, account, job["id"]):
            as_json_line(one)
        as_json_line({"job": job})
    else:
        _tables(door, account, job)
    _ended(job)


def _tables(door: "ApiClient", account: str, job: dict[str, Any]) -> None:
    """Print what a job changed, or would change, as tables."""
    (_mended if job["kind"] == "reconcile" else _diff)(door, account, job)


def _diff(door: "ApiClient", account: str, job: dict[str, Any]) -> None:
    """Print what a remap changed, field by field, as tables."""
    rows = [
        (one["external_id"], one["change"] if at == 0 else "", name, *_sides(values))
        for one in _changes(door, account, job["id"], "order")
        for at, (name, values) in enumerate(one["fields"].items())
    ]
    table("Orders", ("order", "", "field", "before", "after"), rows, empty="no order changes")
    differing = [
        (one["id"], name, *_sides(values))
        for one in _changes(door, account, job["id"], "delivery")
        for name, values in one["fields"].items()
    ]
    table("\nDeliveries that read differently", ("delivery", "field", "before", "after"), differing, empty="none")
    would = "would change" if job["dry_run"] else "changed"
    print(f"\n{job['done']} of {job['total']} deliveries read, {job['changed']} orders {would}")


def _mended(door: "ApiClient", account: str, job: dict[str, Any]) -> None:
    """Print the contacts that are gone in the CRM, with what becomes of each."""
    rows = []
    for one in _changes(door, account, job["id"], "contact"):
        before, after = ({name: values[side] for name, values in one["fields"].items()} for side in ("before", "after"))
        if into := after.get("merged_into"):
            became = f"merged into {into}"
        else:
            became = f"called {after['crm_id']} now" if after["crm_id"] else "its CRM id is taken off"
        rows.append((one["id"], before["crm_id"], became, after["why"]))
    heading = "what would become of it" if job["dry_run"] else "what became of it"
    table(None, ("contact", "crm id", heading, "why"), rows, empty="no contact is gone")


def _sides(values: dict[str, Any] | None) -> tuple[Any, Any]:
    return (values["before"], values["after"]) if values else ("not shown", "not shown")


# -- Remap ------------------------------------------------------------------------------------------------------------


@command(top, "remap", "remap --source src_01J… --dry-run", "remap --source src_01J… --since 7d")
@filtered(RECEIVED)
def remap(
    source: Annotated[str, typer.Option("--source", help="The source whose deliveries are read again.")],
    *,
    where: Where,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    no_wait: NoWait = False,
    json: Json = False,
) -> None:
    """Read a source's recorded deliveries again with today's adapter, and show how its orders change.

    With --json: one line per change, then one for the job. Ctrl-C stops waiting, not the job.
    """
    from app.cli.client import opened

    with opened("remap") as door:
        source, account = door.source(source)
        body = {"source_id": source, "dry_run": dry_run} | where
        begun = door.post("/v1/remap", body, account=account)
        _show_changes(door, account, begun, no_wait=no_wait, json=json)


# -- Reconcile --------------------------------------------------------------------------------------------------------


@command(contacts.contacts, "reconcile", "contacts reconcile --source src_01J… --dry-run")
def reconcile(
    source: Annotated[str, typer.Option("--source", help="The CRM's source.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    no_wait: NoWait = False,
    json: Json = False,
) -> None:
    """Find contacts that were deleted or merged in the CRM, and mend them. Ctrl-C stops waiting, not the job.

    With --json: one line per contact, then one for the job.
    """
    from app.cli.client import opened

    with opened("contacts reconcile") as door:
        source, account = door.source(source)
        begun = door.post("/v1/reconcile", {"source_id": source, "dry_run": dry_run}, account=account)
        _show_changes(door, account, begun, no_wait=no_wait, json=json)


# -- Retry ------------------------------------------------------------------------------------------------------------


@command(
    deliveries.main, "retry", "deliveries retry dlv_01J…", "deliveries retry --outcome unreadable --since 7d --dry-run"
)
@filtered(DELIVERIES)
def retry(
    delivery: Annotated[
        str | None, typer.Argument(metavar="[DELIVERY]", help="The id of one delivery (dlv_…).")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All deliveries of the account.")] = False,
    account: Account = None,
    *,
    where: Where,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    no_wait: NoWait = False,
    json: Json = False,
) -> None:
    """Retry recorded deliveries with today's adapter: one, or all that match. Ctrl-C stops waiting, not the job."""
    from app.cli.client import opened

    if delivery is not None:
        if where or everything or dry_run:
            raise Misuse("name one delivery, or use --all or filters, not both")
        with opened("deliveries retry") as door:
            found = door.post(f"/v1/deliveries/{delivery}/retry", account=door.owner(delivery))
        as_json(found) if json else facts(found)
        return
    if not where and not everything:
        raise Misuse("name the deliveries: one id, filters such as --outcome unreadable, or --all")
    with opened("deliveries retry") as door:
        named = account_of(door, account, where)
        begun = door.post("/v1/deliveries/retry", {"filter": where, "dry_run": dry_run}, account=named)
        if dry_run or no_wait:
            as_json(begun) if json else facts(begun)
            return
        job = follow(door, named, begun["job_id"])
    as_json(job) if json else facts({name: job[name] for name in ("id", "state", "total", "done", "changed", "failed")})
    _ended(job)


# -- Jobs -------------------------------------------------------------------------------------------------------------


@command(main, "list", "jobs list --account acme")
def list_(
    account: Account = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    from app.cli.client import opened

    with opened("jobs list") as door:
        found = door.get("/v1/jobs", account=door.account(account), limit=limit)
    if json:
        as_json(found)
        return
    rows = [
        (
            when(one["created_at"]),
            one["id"],
            one["kind"],
            "dry run" if one["dry_run"] else "",
            word(one["state"]),
            f"{one['done']}/{one['total']}",
            one["changed"],
            one["failed"],
        )
        for one in found["data"]
    ]
    table(None, ("begun", "job", "kind", "", "state", ">done", ">changed", ">failed"), rows)


@command(main, "show", "jobs show job_01J…", "jobs show job_01J… --changes")
def show(
    job: Job,
    changes: Annotated[
        bool, typer.Option("--changes", help="Also show what it changed. With --json: one line per change.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a job's progress, and what it changed."""
    from app.cli.client import opened

    with opened("jobs show") as door:
        account = door.owner(job)
        found = door.get(f"/v1/jobs/{job}", account=account)
        if not changes:
            as_json(found) if json else facts(found)
        elif json:
            for one in _changes(door, account, job):
                as_json_line(one)
        else:
            facts(found)
            print()
            _tables(door, account, found)


@command(main, "stop", "jobs stop job_01J…")
def stop(job: Job, json: Json = False) -> None:
    """Stop a job for good. What it has done stays."""
    from app.cli.client import opened

    with opened("jobs stop") as door:
        found = door.post(f"/v1/jobs/{job}/stop", account=door.owner(job))
    as_json(found) if json else facts(found)


# -- Export -----------------------------------------------------------------------------------------------------------


@command(
    deliveries.main,
    "export",
    "deliveries export --since 7d --format csv",
    "deliveries export --outcome unreadable --bodies",
)
@filtered(DELIVERIES)
def export(
    account: Account = None,
    *,
    where: Where,
    format_: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    bodies: Annotated[
        bool, typer.Option("--bodies", help="Include headers and bodies. They contain personal data.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Export the delivery log to standard output, newest first. Memory use does not grow with the log."""
    from app.cli.client import opened

    if format_ not in {"jsonl", "csv"} or (json and format_ == "csv"):
        raise Misuse("--format is jsonl or csv")
    names = (*COLUMNS, *(BODY if bodies else ()))
    sheet = csv.writer(terminal_or_stdout()) if format_ == "csv" else None
    if sheet:
        sheet.writerow(names)
    with opened("deliveries export") as door:
        named = account_of(door, account, where)
        cursor = None
        while True:
            page = door.get("/v1/deliveries", account=named, limit=PAGE, cursor=cursor, **where)
            for row in page["data"]:
                one = door.get(f"/v1/deliveries/{row['id']}", account=named) if bodies else row
                if sheet:
                    sheet.writerow([_cell(one[name]) for name in names])
                else:
                    as_json_line({name: one[name] for name in names})
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _cell(value: Any) -> str:
    """Return a value for a spreadsheet, guarded against formulas."""
    if value is None:
        return ""
    text = json_.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return guarded(text)
