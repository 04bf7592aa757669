"""Jobs: long work on many deliveries or contacts, with one claim each, and a record of what it changed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.blanking import BLANK_EMAIL
from app.base.clock import now
from app.base.ids import new_id
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql, to_json
from app.store.lease import Lease

RETRY, REMAP, RECONCILE = "retry", "remap", "reconcile"
WAITING, RUNNING, DONE, STOPPED, FAILED = "waiting", "running", "done", "stopped", "failed"

MOST_TRIES = 3  # of one piece
ENDS_THE_PROCESS = (
    f"its next piece was begun {MOST_TRIES} times and never ended: each time the process that did it ended first; "
    "the deliveries after its cursor are to be looked at one by one"
)
KEPT = 30 * 86_400_000_000  # microseconds that a finished job's changes are kept: they tell what orders said

_UNFINISHED = f"state IN ('{WAITING}', '{RUNNING}')"

LEASE = Lease("jobs", ("account_id", "id"))
_JOB = Insert("jobs")
_CHANGE = Insert("job_changes")


class TooManyJobs(Exception):
    """Raised when an account has as many jobs that have not ended as it may."""


class JobFailed(Exception):
    """Raised when the job cannot be done; the message says why, and what to do."""


class LeaseLost(Exception):
    """Raised when the job was stopped or another process works on it: nothing more is to be done here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """Holds a change of one order, delivery or contact. None means that it did not exist before, or does not after."""

    kind: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStep:
    """Holds the progress that a piece of work adds. `phase` and `cursor` say where to continue; None: unchanged."""

    phase: str | None = None
    cursor: str | None = None
    done: int = 0
    failures: Mapping[str, int] | None = None
    changes: Sequence[JobChange] = ()
    counts: str = "delivery"  # changes of this kind are counted as changed


def _job(row: Row) -> Row:
    return {
        **row,
        "dry_run": bool(row["dry_run"]),
        "filter": json.loads(row["filter"]),
        "failures": json.loads(row["failures"]),
    }


async def add(
    store: Store,
    account_id: str,
    *,
    kind: str,
    filter_: Mapping[str, Any],
    dry_run: bool,
    upto: str,
    total: int,
    member_id: str | None,
    most: int,
) -> Row:
    """Create a job, waiting to start. `upto` is the greatest id of a delivery or contact that is part of it.

    Raises TooManyJobs when the account has `most` that have not ended; one of them runs at a time.
    """
    job_id, present = new_id("job"), now()

    def plan() -> Plan[None]:
        yield AdvisoryLock([("jobs", account_id)])
        (found,) = yield Sql(
            f"SELECT count(*) AS many FROM jobs WHERE account_id = :account_id AND {_UNFINISHED}", account_id=account_id
        )
        if found["many"] >= most:
            raise TooManyJobs(f"the account has {most} jobs that have not ended; wait for one, or stop one")
        yield _JOB.one(
            account_id=account_id,
            id=job_id,
            kind=kind,
            state=WAITING,
            dry_run=dry_run,
            filter=to_json(filter_),
            upto=upto,
            phase="",
            cursor="",
            total=total,
            **dict.fromkeys(("done", "changed", "failed", "claimed_until", "tries"), 0),
            failures="{}",
            member_id=member_id,
            created_at=present,
            updated_at=present,
        )

    await store.commit(plan)
    found = await find(store, account_id, job_id)
    if found is None:
        raise AssertionError("unreachable")
    return found


async def find(store: Store, account_id: str, job_id: str) -> Row | None:
    """Return one job."""
    row = await store.one(
        "SELECT * FROM jobs WHERE account_id = :account_id AND id = :id", account_id=account_id, id=job_id
    )
    return _job(row) if row else None


async def page(
    store: Store, account_id: str, *, after: str | None, limit: int, kind: str | None = None, state: str | None = None
) -> list[Row]:
    """Return the account's jobs, newest first, before this id."""
    where, values = "account_id = :account_id", {"account_id": account_id}
    for name, given in (("kind", kind), ("state", state)):
        if given is not None:
            where += f" AND {name} = :{name}"
            values[name] = given
    if after is not None:
        where += " AND id < :after"
        values["after"] = after
    rows = await store.all(f"SELECT * FROM jobs WHERE {where} ORDER BY id DESC LIMIT :limit", limit=limit, **values)
    return [_job(row) for row in rows]


async def claim(
    store: Store, *, claim: str, present: int, until: int, limit: int, only: str | None = None
) -> list[Row]:
    """Claim jobs that nobody works on, oldest first, until that time. `claim` is the caller's name for them.

    Of each account only the oldest one that has not ended. `only` names the one that is wanted, whatever else there is.
    A job whose next piece was begun too often is ended instead. Raises Unavailable.
    """
    idle = f"j.{_UNFINISHED} AND j.claimed_until <= :present"
    values: dict[str, Any] = {"present": present}
    if only is not None:
        idle, values["only"] = f"{idle} AND j.id = :only", only
    else:
        older = "(o.created_at < j.created_at OR (o.created_at = j.created_at AND o.id < j.id))"
        idle += (
            f" AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.account_id = j.account_id AND o.{_UNFINISHED} AND {older})"
        )
    if await store.one(f"SELECT 1 AS one FROM jobs j WHERE {idle} LIMIT 1", **values) is None:
        return []  # most of the time; the writing connection need not hear of it

    def plan() -> Plan[list[Row]]:
        yield LEASE.turn
        rows: list[Row] = yield Sql(
            f"SELECT j.* FROM jobs j WHERE {idle} ORDER BY j.created_at, j.id LIMIT :limit", limit=limit, **values
        )
        claimed: list[Row] = []
        for row in rows:
            if row["tries"] < MOST_TRIES:
                yield LEASE.take(row, until, state=RUNNING, claim=claim, tries=row["tries"] + 1)
                claimed.append(_job({**row, "state": RUNNING, "claim": claim}))
            else:
                yield from _end(row, FAILED, ENDS_THE_PROCESS)
        yield from _forget_old(present)
        return claimed

    return await store.commit(plan)


def _forget_old(present: int) -> Plan[None]:
    """Delete old changes: they contain orders' data, and are for looking at after the job."""
    yield Sql(
        "DELETE FROM job_changes WHERE (account_id, job_id) IN (SELECT account_id, id FROM jobs WHERE finished_at < :long_ago)",
        long_ago=present - KEPT,
    )


async def let_go(store: Store, job: Row) -> None:
    """End a claim early, so that another process, or the next start, continues at once."""

    def plan() -> Plan[None]:
        yield Sql(
            "UPDATE jobs SET claimed_until = 0, tries = 0 WHERE account_id = :account_id AND id = :id AND claim = :claim",
            account_id=job["account_id"],
            id=job["id"],
            claim=job["claim"],
        )

    await store.commit(plan)


def advance(job: Row, step: JobStep, *, until: int) -> Plan[None]:
    """Record the progress and extend the claim, as part of a plan. Raises LeaseLost, which rolls the plan back."""
    failures = dict(step.failures or {})
    rows: list[Row] = yield Sql(
        "UPDATE jobs SET phase = COALESCE(:phase, phase), cursor = COALESCE(:cursor, cursor), done = done + :done, "
        "failed = failed + :failed, updated_at = :present, claimed_until = :until, tries = 1 "
        f"WHERE account_id = :account_id AND id = :id AND state = '{RUNNING}' AND claim = :claim RETURNING failures",
        account_id=job["account_id"],
        id=job["id"],
        claim=job["claim"],
        phase=step.phase,
        cursor=step.cursor,
        done=step.done,
        failed=sum(failures.values()),
        present=now(),
        until=until,
    )
    if not rows:
        raise LeaseLost
    changed = 0
    for change in step.changes:
        fresh = yield from _save_change(job, change)
        changed += fresh if change.kind == step.counts else 0
    if changed or failures:
        before: dict[str, int] = json.loads(rows[0]["failures"])
        counted = {reason: before.get(reason, 0) + count for reason, count in failures.items()}
        yield Sql(
            "UPDATE jobs SET changed = changed + :changed, failures = :failures WHERE account_id = :account_id AND id = :id",
            changed=changed,
            failures=to_json(before | counted),
            account_id=job["account_id"],
            id=job["id"],
        )


def _save_change(job: Row, change: JobChange) -> Plan[int]:
    """Write a change. Returns how many more there are now.

    A second change of the same thing keeps the first `before`.
    """
    key = {"account_id": job["account_id"], "job_id": job["id"], "kind": change.kind, "subject": change.subject}
    where = "WHERE account_id = :account_id AND job_id = :job_id AND kind = :kind AND subject = :subject"
    known: list[Row] = yield Sql(f"SELECT before FROM job_changes {where}", **key)
    after = to_json(change.after) if change.after is not None else None
    if not known:
        before = to_json(change.before) if change.before is not None else None
        yield _CHANGE.many([(*key.values(), before, after)])
        return 1
    if _same(known[0]["before"], after):
        yield Sql(f"DELETE FROM job_changes {where}", **key)
        return -1
    yield Sql(f"UPDATE job_changes SET after = :after {where}", after=after, **key)
    return 0


def _same(before: str | None, after: str | None) -> bool:
    """Return whether nothing has changed in the end."""
    if before is None or after is None:
        return before is after
    one, other = json.loads(before), json.loads(after)
    return all(one.get(name) == value for name, value in other.items() if name != "updated_at")


async def finish(store: Store, job: Row, state: str, reason: str | None = None) -> None:
    """End the job, unless it has ended or is another's. `reason` says why it failed."""
    await store.commit(lambda: _end(job, state, reason))


def _end(job: Row, state: str, reason: str | None) -> Plan[None]:
    rows: list[Row] = yield Sql(
        "UPDATE jobs SET state = :state, reason = :reason, updated_at = :present, finished_at = :present, claimed_until = 0, "
        f"claim = NULL WHERE account_id = :account_id AND id = :id AND state = '{RUNNING}' AND claim = :claim RETURNING id",
        account_id=job["account_id"],
        id=job["id"],
        claim=job["claim"],
        state=state,
        reason=reason,
        present=now(),
    )
    if rows:
        yield from _forget_links(job["account_id"], job["id"])


async def stop(store: Store, account_id: str, job_id: str) -> Row | None:
    """Stop a job that has not ended. What it has done stays."""

    def plan() -> Plan[None]:
        rows: list[Row] = yield Sql(
            f"UPDATE jobs SET state = '{STOPPED}', updated_at = :present, finished_at = :present, claimed_until = 0, claim = NULL "
            f"WHERE account_id = :account_id AND id = :id AND state IN ('{WAITING}', '{RUNNING}') RETURNING id",
            account_id=account_id,
            id=job_id,
            present=now(),
        )
        if rows:
            yield from _forget_links(account_id, job_id)

    await store.commit(plan)
    return await find(store, account_id, job_id)


def _forget_links(account_id: str, job_id: str) -> Plan[None]:
    yield Sql(
        "DELETE FROM remap_links WHERE account_id = :account_id AND job_id = :job_id",
        account_id=account_id,
        job_id=job_id,
    )


async def changes(
    store: Store, account_id: str, job_id: str, *, kind: str | None, after: tuple[str, str], limit: int
) -> list[Row]:
    """Return what the job changed, by kind and subject, after that one."""
    where, values = "", {}
    if kind is not None:
        where, values = "AND kind = :kind ", {"kind": kind}
    rows = await store.all(
        "SELECT kind, subject, before, after FROM job_changes WHERE account_id = :account_id AND job_id = :job_id "
        f"{where}AND (kind, subject) > (:after_kind, :after_subject) ORDER BY kind, subject LIMIT :limit",
        account_id=account_id,
        job_id=job_id,
        after_kind=after[0],
        after_subject=after[1],
        limit=limit,
        **values,
    )
    return [
        {**row, **{name: json.loads(row[name]) if row[name] is not None else None for name in ("before", "after")}}
        for row in rows
    ]


def forget_searches(account_id: str, named: Callable[[str], bool]) -> Plan[None]:
    """Replace what jobs were asked to look for where it names a person, by what nothing matches."""
    rows: list[Row] = yield Sql("SELECT id, filter FROM jobs WHERE account_id = :account_id", account_id=account_id)
    for row in rows:
        wanted = json.loads(row["filter"])
        if found := [name for name, value in wanted.items() if isinstance(value, str) and named(value)]:
            yield Sql(
                "UPDATE jobs SET filter = :filter WHERE account_id = :account_id AND id = :id",
                account_id=account_id,
                id=row["id"],
                filter=to_json(wanted | dict.fromkeys(found, BLANK_EMAIL.decode())),
            )


def forget_people(account_id: str) -> Plan[None]:
    """Delete what jobs recorded about orders and contacts, as part of an erasure: no copy may stay in a diff."""
    yield Sql(
        "DELETE FROM job_changes WHERE account_id = :account_id AND kind IN ('order', 'contact')", account_id=account_id
    )
