"""Jobs: bulk retries, remaps and reconciliations, which run in the background."""

import asyncio
from enum import StrEnum
from time import monotonic
from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from app.background.remap import refusal
from app.base.clock import iso
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, jobs
from app.store.deliveries import DeliveryFilter
from app.web.api.sources import source_of
from app.web.http import serializers
from app.web.http.errors import Problem, existing, invalid
from app.web.http.filters import NOBODY, DeliveryFilters, Since, delivery_filter, moment_of
from app.web.http.request import ApiRequest, Body, Page, Query, after, answer, page_of
from app.web.http.routing import route

LOOK_AGAIN = 0.1  # seconds between two looks at a job that somebody waits for


class Kind(StrEnum):
    """What a job does."""

    RETRY = jobs.RETRY
    REMAP = jobs.REMAP
    RECONCILE = jobs.RECONCILE


class State(StrEnum):
    """The state of a job."""

    WAITING = jobs.WAITING
    RUNNING = jobs.RUNNING
    DONE = jobs.DONE
    STOPPED = jobs.STOPPED
    FAILED = jobs.FAILED


ENDED = frozenset({State.DONE, State.STOPPED, State.FAILED})


class DeliveryFilterBody(Body, DeliveryFilters):
    """Which deliveries: the fields of `GET /v1/deliveries`. All given fields must match."""


class RetryBody(Body):
    """Which deliveries to retry. `{}` as the filter means all of them."""

    filter: DeliveryFilterBody
    dry_run: bool = False


class RemapBody(Body):
    """Which deliveries to remap: those of one source, optionally of a period."""

    source_id: str = Field(max_length=64)
    since: Since | None = None
    until: Since | None = None
    dry_run: bool = False


class ReconcileBody(Body):
    """Of which source's CRM."""

    source_id: str = Field(max_length=64)
    dry_run: bool = False


class JobsQuery(Page):
    """The filters of the jobs."""

    kind: Kind | None = None
    state: State | None = None


class JobQuery(Query):
    """`wait`: how many seconds the answer may wait for the job's end."""

    wait: float = Field(0.0, ge=0.0, le=30.0)


class ChangesQuery(Page):
    """The filters of a job's changes."""

    kind: Literal["order", "delivery", "contact"] | None = None


class FailureAnswer(TypedDict):
    """Why deliveries could not be retried, and how many."""

    reason: str
    count: int


class JobAnswer(TypedDict):
    """A job. `total`, `done` and `failed` count deliveries; `changed` counts deliveries (retry) or orders (remap).

    Of a reconciliation all four count contacts.
    """

    id: str
    kind: str
    state: str
    reason: str | None
    dry_run: bool
    filter: dict[str, Any]
    total: int
    done: int
    changed: int
    failed: int
    failures: list[FailureAnswer]
    member_id: str | None
    created_at: str
    updated_at: str
    finished_at: str | None


class JobsAnswer(TypedDict):
    """A page of jobs, newest first."""

    data: list[JobAnswer]
    next_cursor: str | None


class BegunAnswer(TypedDict, total=False):
    """The job that was started (`job_id`), or with `dry_run` how many deliveries would be retried."""

    job_id: str
    count: int
    dry_run: bool


class ChangeAnswer(TypedDict):
    """One order, delivery or contact that a job changed, or would change.

    `change` is `created`, `changed` or `removed` for orders, else `changed`. `fields` has every field that differs,
    `before` and `after`; null instead of values that the caller may not see. A contact that would be created is `new`.
    Of a contact, `merged_into` is the one that it was merged into, and `why` says why.
    """

    kind: str
    id: str | None
    external_id: str | None
    change: str
    fields: dict[str, Any]


class ChangesAnswer(TypedDict):
    """A page of changes: contacts, deliveries, orders."""

    data: list[ChangeAnswer]
    next_cursor: str | None


async def retry(asked: ApiRequest) -> BegunAnswer | Response:
    """Retry all deliveries that match a filter, in the background. With `dry_run`: only count them."""
    body = await asked.body(RetryBody)
    wanted, _ = await delivery_filter(asked, body.filter)
    if wanted.contact_id == NOBODY:
        raise invalid("filter.contact", "there is no such contact")
    if body.dry_run:
        return answer({"count": await asked.service.jobs.count(asked.account_id, wanted), "dry_run": True})
    return await _begun(asked, Kind.RETRY, wanted, dry_run=False)


async def remap(asked: ApiRequest) -> BegunAnswer:
    """Read a source's recorded deliveries again with today's adapter, in the background.

    With `dry_run`: only show the changes.
    """
    body = await asked.body(RemapBody)
    source = await source_of(asked, body.source_id)
    if why := refusal(source.adapter):
        raise invalid("source_id", why)
    wanted = DeliveryFilter(
        source_id=source.id, since=await moment_of(asked, body.since), until=await moment_of(asked, body.until)
    )
    return await _begun(asked, Kind.REMAP, wanted, dry_run=body.dry_run)


async def reconcile(asked: ApiRequest) -> BegunAnswer:
    """Find contacts that were deleted or merged in the source's CRM, in the background, and mend them.

    One that was merged there is merged here, if nothing speaks against it; of another the CRM's id is taken off. With
    `dry_run`: only show the changes.
    """
    if not asked.caller.may(Permission.SOURCES):
        raise Problem("forbidden", f"the source's key is used: that needs “{Permission.SOURCES}” as well")
    body = await asked.body(ReconcileBody)
    source = await source_of(asked, body.source_id)
    adapter = source.adapter
    if adapter.brings != "contacts" or adapter.api is None:
        raise invalid("source_id", "tells of orders; contacts are compared with a CRM")
    if source.sealed_key is None:
        raise invalid("source_id", f"has no key yet; give it {adapter.api.key_description}")
    if adapter.contact_path("1", source.options) is None:
        raise invalid("source_id", f"lacks options: see `orders-registry adapters {adapter.name}`")
    return _told(await asked.service.jobs.reconcile(source, dry_run=body.dry_run, member_id=asked.caller.member_id))


async def _begun(asked: ApiRequest, kind: Kind, wanted: DeliveryFilter, *, dry_run: bool) -> BegunAnswer:
    by = asked.caller.member_id
    return _told(await asked.service.jobs.begin(asked.account_id, kind, wanted, dry_run=dry_run, member_id=by))


def _told(job: Row) -> BegunAnswer:
    told: BegunAnswer = {"job_id": job["id"], "count": job["total"]}
    return told | {"dry_run": True} if job["dry_run"] else told


_SHOWN_AS = {"contact_id": "contact", "outcomes": "outcome"}


def _serialize(job: Row) -> JobAnswer:
    filter_ = {_SHOWN_AS.get(name, name): value for name, value in job["filter"].items()}
    filter_ |= {name: iso(filter_[name]) for name in ("since", "until") if name in filter_}
    return {
        "id": job["id"],
        "kind": job["kind"],
        "state": job["state"],
        "reason": job["reason"],
        "dry_run": job["dry_run"],
        "filter": filter_,
        "total": job["total"],
        "done": job["done"],
        "changed": job["changed"],
        "failed": job["failed"],
        "failures": [{"reason": reason, "count": count} for reason, count in sorted(job["failures"].items())],
        "member_id": job["member_id"],
        "created_at": iso(job["created_at"]),
        "updated_at": iso(job["updated_at"]),
        "finished_at": iso(job["finished_at"]),
    }


async def index(asked: ApiRequest) -> dict[str, Any]:
    """List the account's jobs, newest first."""
    query = asked.query(JobsQuery)
    rows = await jobs.page(
        asked.store,
        asked.account_id,
        after=query.last_id,
        limit=query.limit + 1,
        kind=query.kind,
        state=query.state,
    )
    return page_of([_serialize(row) for row in rows], query.limit)


async def show(asked: ApiRequest) -> JobAnswer:
    """Show one job. With `wait`: once it has ended, or after so many seconds."""
    ends = monotonic() + asked.query(JobQuery).wait
    job = await asked.named(jobs.find, "job")
    while job["state"] not in ENDED and monotonic() < ends:
        await asyncio.sleep(min(LOOK_AGAIN, max(0.0, ends - monotonic())))
        job = await asked.named(jobs.find, "job")
    return _serialize(job)


async def stop(asked: ApiRequest) -> JobAnswer:
    """Stop a job. What it has done stays. A remap or reconciliation can be stopped by those who may start one."""
    job = await asked.named(jobs.find, "job")
    if job["kind"] != Kind.RETRY and not asked.caller.may(Permission.SOURCES):
        raise Problem("forbidden", f"a {job['kind']} is stopped by who may begin one: “{Permission.SOURCES}”")
    return _serialize(existing(await jobs.stop(asked.store, asked.account_id, job["id"]), "job"))


async def changes(asked: ApiRequest) -> dict[str, Any]:
    """List what a job changed, or would change. Values are shown to callers who may see bodies."""
    query = asked.query(ChangesQuery)
    job = await asked.named(jobs.find, "job")
    rows = await jobs.changes(
        asked.store,
        asked.account_id,
        job["id"],
        kind=query.kind,
        after=after(query.cursor, str, str) or ("", ""),
        limit=query.limit + 1,
    )
    ids = {
        side["contact_id"] for row in rows if row["kind"] == "order" for side in (row["before"], row["after"]) if side
    }
    crm = await contacts.crm_ids(asked.store, asked.account_id, [one for one in sorted(ids - {None, "new"})])
    seen = asked.caller.may(Permission.BODIES)
    shown = [_change(row, crm, seen) for row in rows]
    return page_of(shown, query.limit, [(row["kind"], row["subject"]) for row in rows])


def _change(row: Row, crm: dict[str, str | None], seen: bool) -> dict[str, Any]:
    before, after_ = (_side(row["kind"], row[name], crm) for name in ("before", "after"))
    shown = after_ or before or {}
    names = [name for name in shown if name not in {"id", "updated_at"}]
    fields: dict[str, Any] = {
        name: {"before": (before or {}).get(name), "after": (after_ or {}).get(name)}
        for name in names
        if before is None or after_ is None or before.get(name) != after_.get(name)
    }
    if row["kind"] == "order" and not seen:
        fields = dict.fromkeys(fields)
    return {
        "kind": row["kind"],
        "id": shown.get("id", row["subject"]),
        "external_id": shown.get("external_id"),
        "change": "created" if before is None else "removed" if after_ is None else "changed",
        "fields": fields,
    }


def _side(kind: str, side: Row | None, crm: dict[str, str | None]) -> dict[str, Any] | None:
    if side is None or kind != "order":
        return side
    # A diff that was stored before orders had a `paid_value` does not say it.
    return {**serializers.order({"paid_value": None, **side}, crm.get(side["contact_id"] or ""))}


ROUTES = [
    route(
        "POST",
        "/v1/deliveries/retry",
        retry,
        Permission.LOG,
        takes=RetryBody,
        gives=BegunAnswer,
        status=202,
        also=(200,),
        fails=("too_many",),
    ),
    route(
        "POST",
        "/v1/remap",
        remap,
        Permission.SOURCES,
        takes=RemapBody,
        gives=BegunAnswer,
        status=202,
        also=(200,),
        fails=("not_found", "too_many"),
    ),
    route(
        "POST",
        "/v1/reconcile",
        reconcile,
        Permission.MANAGE,
        takes=ReconcileBody,
        gives=BegunAnswer,
        status=202,
        fails=("not_found", "too_many"),
    ),
    route("GET", "/v1/jobs", index, Permission.LOG, query=JobsQuery, gives=JobsAnswer),
    route("GET", "/v1/jobs/{job}", show, Permission.LOG, query=JobQuery, gives=JobAnswer),
    route("POST", "/v1/jobs/{job}/stop", stop, Permission.LOG, takes=Body, gives=JobAnswer),
    route("GET", "/v1/jobs/{job}/changes", changes, Permission.LOG, query=ChangesQuery, gives=ChangesAnswer),
]
