"""`jobs`, `remap`, `contacts reconcile`, `deliveries retry`, `deliveries export`: work on many deliveries or contacts."""

import csv
import json as json_
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.base.tabular import guarded
from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Json, command, group
from app.cli.commands import contacts, deliveries
from app.cli.filters import Deliveries, Received
from app.cli.output import (
    PROGRAM,
    CommandFailed,
    Misuse,
    as_json,
    as_json_line,
    facts,
    listed,
    note,
    progress,
    table,
    terminal_or_stdout,
    word,
)

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

main = group("Follow and stop jobs: bulk retries, remaps and reconciliations that run in the background.")
top = group("Read recorded deliveries again.")

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id (job_…).")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start the job and return. `jobs show` shows its progress.")]

ENDED = {"done", "stopped", "failed"}
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


def follow(client: ApiClient, account: str, job_id: str) -> dict[str, Any]:
    """Return the job at its end. On a terminal its progress is shown; Ctrl-C stops waiting, not the job.

    Raises CommandFailed.
    """
    try:
        with progress(_columns) as moved:
            while True:
                job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}", account=account, wait=1)
                words = f"{job['kind']} {job['state']}, {job['changed']} changed"
                moved(description=words, total=job["total"], completed=job["done"])
                if job["state"] in ENDED:
                    return job
    except KeyboardInterrupt:
        goes_on = "the job continues in the server" if client.running else "the job continues when a server runs"
        raise CommandFailed(
            f"stopped waiting: {goes_on}. See {PROGRAM} jobs show {job_id}, or jobs stop {job_id}"
        ) from None


def _columns() -> "Iterable[ProgressColumn]":
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text as Words

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Words:
            return Words(f"{task.speed:,.0f}/s" if task.speed else "–/s")

    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()


def _failure(job: dict[str, Any]) -> str | None:
    """Print the failures of a job that has ended. Returns why it did not end well, or None."""
    could_not = "could not be looked for" if job["kind"] == "reconcile" else "could not be retried"
    for failure in job["failures"]:
        note(f"{failure['count']} {could_not}: {failure['reason']}")
    if job["state"] == "done":
        return None
    return f"the job {job['state']}: {job['reason'] or 'it was stopped'}. What it has done stays"


def _show_changes(client: ApiClient, account: str, begun: dict[str, Any], *, no_wait: bool, json: bool) -> None:
    """Wait for a job that was begun, and print its changes. Raises CommandFailed when it did not end well."""
    if no_wait:
        as_json(begun) if json else facts(begun)
        return
    job = follow(client, account, begun["job_id"])
    _changes(client, account, job, json=json)
    if json:
        as_json_line({"job": job})
    if failure := _failure(job):
        raise CommandFailed(failure)


def _changes(client: ApiClient, account: str, job: dict[str, Any], *, json: bool) -> None:
    """Print what a job changed, or would change: as tables, or as one line of JSON for each change."""
    if json:
        for one in client.rows(f"/v1/jobs/{job['id']}/changes", account=account):
            as_json_line(one)
    elif job["kind"] == "reconcile":
        _mended(client, account, job)
    else:
        _diff(client, account, job)


def _diff(client: ApiClient, account: str, job: dict[str, Any]) -> None:
    """Print what a remap changed, field by field, as tables."""
    rows = [
        (one["external_id"], one["change"] if at == 0 else "", name, *_sides(values))
        for one in client.rows(f"/v1/jobs/{job['id']}/changes", account=account, kind="order")
        for at, (name, values) in enumerate(one["fields"].items())
    ]
    table("Orders", ("order", "", "field", "before", "after"), rows, empty="no order changes")
    differing = [
        (one["id"], name, *_sides(values))
        for one in client.rows(f"/v1/jobs/{job['id']}/changes", account=account, kind="delivery")
        for name, values in one["fields"].items()
    ]
    table("\nDeliveries that read differently", ("delivery", "field", "before", "after"), differing, empty="none")
    would = "would change" if job["dry_run"] else "changed"
    print(f"\n{job['done']} of {job['total']} deliveries read, {job['changed']} orders {would}")


def _mended(client: ApiClient, account: str, job: dict[str, Any]) -> None:
    """Print the contacts that are gone in the CRM, with what becomes of each."""
    rows = []
    for one in client.rows(f"/v1/jobs/{job['id']}/changes", account=account, kind="contact"):
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
def remap(
    client: ApiClient,
    source: Annotated[str, typer.Option("--source", help="The source whose deliveries are read again.")],
    *,
    where: Received,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    no_wait: NoWait = False,
    json: Json = False,
) -> None:
    """Read a source's recorded deliveries again with today's adapter, and show how its orders change.

    With --json: one line per change, then one for the job. Ctrl-C stops waiting, not the job.
    """
    source, account = client.source(source)
    body = {"source_id": source, "dry_run": dry_run} | where
    begun = client.post("/v1/remap", body, account=account)
    _show_changes(client, account, begun, no_wait=no_wait, json=json)


# -- Reconcile --------------------------------------------------------------------------------------------------------


@command(contacts.contacts, "reconcile", "contacts reconcile --source src_01J… --dry-run")
def reconcile(
    client: ApiClient,
    source: Annotated[str, typer.Option("--source", help="The CRM's source.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    no_wait: NoWait = False,
    json: Json = False,
) -> None:
    """Find contacts that were deleted or merged in the CRM, and mend them. Ctrl-C stops waiting, not the job.

    With --json: one line per contact, then one for the job.
    """
    source, account = client.source(source)
    begun = client.post("/v1/reconcile", {"source_id": source, "dry_run": dry_run}, account=account)
    _show_changes(client, account, begun, no_wait=no_wait, json=json)


# -- Retry ------------------------------------------------------------------------------------------------------------


@command(
    deliveries.main, "retry", "deliveries retry dlv_01J…", "deliveries retry --outcome unreadable --since 7d --dry-run"
)
def retry(
    client: ApiClient,
    delivery: Annotated[
        str | None, typer.Argument(metavar="[DELIVERY]", help="The id of one delivery (dlv_…).")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All deliveries of the account.")] = False,
    account: Account = None,
    *,
    where: Deliveries,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    no_wait: NoWait = False,
) -> Any:
    """Retry recorded deliveries with today's adapter: one, or all that match. Ctrl-C stops waiting, not the job."""
    if delivery is not None:
        if where or everything or dry_run:
            raise Misuse("name one delivery, or use --all or filters, not both")
        return client.post(f"/v1/deliveries/{delivery}/retry", account=client.owner(delivery))
    if not where and not everything:
        raise Misuse("name the deliveries: one id, filters such as --outcome unreadable, or --all")
    named = client.account(account, where)
    begun = client.post("/v1/deliveries/retry", {"filter": where, "dry_run": dry_run}, account=named)
    if dry_run or no_wait:
        return begun
    job = follow(client, named, begun["job_id"])
    shown = {name: job[name] for name in ("id", "state", "total", "done", "changed", "failed")}
    return Answer(job, shown, _failure(job))


# -- Jobs -------------------------------------------------------------------------------------------------------------

JOBS: dict[str, Any] = {
    "begun": "created_at",
    "job": "id",
    "kind": "kind",
    "": lambda one: "dry run" if one["dry_run"] else "",
    "state": lambda one: word(one["state"]),
    ">done": lambda one: f"{one['done']}/{one['total']}",
    ">changed": "changed",
    ">failed": "failed",
}


@command(main, "list", "jobs list --account acme", show=listed(JOBS))
def list_(client: ApiClient, account: Account = None, limit: Annotated[int, typer.Option(min=1, max=200)] = 50) -> Any:
    """List jobs, newest first."""
    return client.get("/v1/jobs", account=client.account(account), limit=limit)


@command(main, "show", "jobs show job_01J…", "jobs show job_01J… --changes")
def show(
    client: ApiClient,
    job: Job,
    changes: Annotated[
        bool, typer.Option("--changes", help="Also show what it changed. With --json: one line per change.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a job's progress, and what it changed."""
    account = client.owner(job)
    found = client.get(f"/v1/jobs/{job}", account=account)
    if not changes:
        as_json(found) if json else facts(found)
        return
    if not json:
        facts(found)
        print()
    _changes(client, account, found, json=json)


@command(main, "stop", "jobs stop job_01J…")
def stop(client: ApiClient, job: Job) -> Any:
    """Stop a job for good. What it has done stays."""
    return client.post(f"/v1/jobs/{job}/stop", account=client.owner(job))


# -- Export -----------------------------------------------------------------------------------------------------------


@command(
    deliveries.main,
    "export",
    "deliveries export --since 7d --format csv",
    "deliveries export --outcome unreadable --bodies",
)
def export(
    client: ApiClient,
    account: Account = None,
    *,
    where: Deliveries,
    format_: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    bodies: Annotated[
        bool, typer.Option("--bodies", help="Include headers and bodies. They contain personal data.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Export the delivery log to standard output, newest first. Memory use does not grow with the log."""
    if format_ not in {"jsonl", "csv"} or (json and format_ == "csv"):
        raise Misuse("--format is jsonl or csv")
    names = (*COLUMNS, *(BODY if bodies else ()))
    sheet = csv.writer(terminal_or_stdout()) if format_ == "csv" else None
    if sheet:
        sheet.writerow(names)
    named = client.account(account, where)
    for row in client.rows("/v1/deliveries", account=named, **where):
        one = client.get(f"/v1/deliveries/{row['id']}", account=named) if bodies else row
        if sheet:
            sheet.writerow([_cell(one[name]) for name in names])
        else:
            as_json_line({name: one[name] for name in names})


def _cell(value: Any) -> str:
    """Return a value for a spreadsheet, guarded against formulas."""
    if value is None:
        return ""
    text = json_.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return guarded(text)
