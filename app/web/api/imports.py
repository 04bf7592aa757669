"""Import of a part of a file of orders or contacts. The command line sends one part after another."""

from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

import adapters
from adapters.contract import Origin
from app.base.clock import now
from app.base.roles import Permission
from app.base.tabular import CSV, JSONL, Fault, NoFile
from app.imports.rows import ImportSettings
from app.store import sources
from app.store.import_orders import ImportReport
from app.web.http.errors import Problem, invalid
from app.web.http.request import ApiRequest, Query, answer
from app.web.http.routing import Stream, route

_FORMS = {
    "text/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/csv": CSV,
    "application/x-ndjson": JSONL,
    "application/ndjson": JSONL,
    "application/jsonl": JSONL,
    "application/x-jsonlines": JSONL,
}
OPERATOR = "operator"
FILES = (Stream("text/csv", "a header, and a line each"), Stream("application/x-ndjson", "a JSON object a line"))

SourceId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ImportQuery(Query):
    """How to read a part of a file.

    `line` is the number of its first row, without the header, for the messages. With `dry_run` nothing is written.
    `ignore_unknown` skips unknown columns. `sources` replaces source ids of another registry.
    """

    dry_run: bool = False
    line: int | None = Field(None, ge=1, le=2**53)
    ignore_unknown: bool = False
    sources: Annotated[str, StringConstraints(max_length=8000)] | None = Field(
        None, description="OLD=NEW, separated by commas; with nothing after = what is OLD's belongs to no source here"
    )


class OrderImportQuery(ImportQuery):
    """For orders: source and origin of rows that name none."""

    source_id: SourceId | None = None
    origin: Origin = Origin.MANUAL


class RowProblem(TypedDict):
    """Why a row was rejected, or what was left out of it."""

    line: int
    field: str | None
    message: str


class ImportAnswer(TypedDict):
    """What became of the rows. `refused` counts rejected rows; `errors` lists every wrong field."""

    created: int
    updated: int
    unchanged: int
    refused: int
    errors: list[RowProblem]
    notes: list[RowProblem]
    dry_run: bool


async def import_orders(asked: ApiRequest) -> Response:
    """Import a part of a file of orders: CSV with its header, or JSON lines. The same rows again change nothing."""
    query = asked.query(OrderImportQuery)
    form, text = await part_of(asked)
    setting = await _setting(asked, query, query.source_id, query.origin)
    try:
        report = await asked.service.importer.orders(
            asked.account_id,
            form,
            text,
            query.line or _first_line(form),
            setting,
            by=asked.caller.member_id or OPERATOR,
            dry_run=query.dry_run,
        )
    except NoFile as why:
        raise Problem("invalid", str(why)) from None
    return _reported(asked, report, dry_run=query.dry_run)


async def import_contacts(asked: ApiRequest) -> Response:
    """Import a part of a file of contacts. Fields that a row does not have stay as they are."""
    query = asked.query(ImportQuery)
    form, text = await part_of(asked)
    setting = await _setting(asked, query, None, Origin.MANUAL)
    try:
        report = await asked.service.importer.contacts(
            asked.account_id, form, text, query.line or _first_line(form), setting, dry_run=query.dry_run
        )
    except NoFile as why:
        raise Problem("invalid", str(why)) from None
    return _reported(asked, report, dry_run=query.dry_run)


def _first_line(form: str) -> int:
    return 2 if form == CSV else 1


async def part_of(asked: ApiRequest) -> tuple[str, str]:
    """Return the request's body as text, and its format. Raises Problem."""
    kind = asked.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        raise invalid("Content-Type", "must be text/csv or application/x-ndjson")
    try:
        return _FORMS[kind], (await asked.read()).decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise Problem("invalid", f"the file is not UTF-8: {why.reason} at byte {why.start}") from None


async def _setting(asked: ApiRequest, query: ImportQuery, source_id: str | None, origin: Origin) -> ImportSettings:
    store, account_id = asked.service.store, asked.account_id
    account = await asked.account()
    there = (await sources.adapters_of(store, account_id)).items()
    known = {one: str(adapters.load(name).origin) for one, name in there if name in adapters.names()}
    renamed = _renamed(query.sources)
    for name, one in [("source_id", source_id), *(("sources", new) for new in renamed.values())]:
        if one is not None and one not in known:
            raise invalid(name, f"there is no source {one[:64]}")
    return ImportSettings(
        region=account["default_region"],
        currency=account["default_currency"],
        sources=known,
        renamed=renamed,
        source_id=source_id,
        origin=str(origin),
        present=now(),
        ignore_unknown=query.ignore_unknown,
        zone=await asked.zone(),
    )


def _renamed(text: str | None) -> dict[str, str | None]:
    pairs = [pair.partition("=") for pair in (text or "").split(",") if pair.strip()]
    if any(not equals or not old.strip() for old, equals, _ in pairs):
        raise invalid("sources", "must be OLD=NEW, separated by commas")
    return {old.strip(): new.strip() or None for old, _, new in pairs}


def _reported(asked: ApiRequest, report: ImportReport, *, dry_run: bool) -> Response:
    """Return the result of a part as a response."""
    if report.made_contacts and not dry_run:
        asked.service.held.contact_appeared()

    def as_response(faults: list[Fault]) -> list[RowProblem]:
        return [{"line": one.line, "field": one.field or None, "message": one.message} for one in faults]

    told: ImportAnswer = {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "refused": len({fault.line for fault in report.faults}),
        "errors": as_response(report.faults),
        "notes": as_response(report.notes),
        "dry_run": dry_run,
    }
    return answer(told)


ROUTES: list[Route] = [
    route(
        "POST",
        "/v1/orders/import",
        import_orders,
        Permission.MANAGE,
        needs_registry=True,
        takes=FILES,
        query=OrderImportQuery,
        gives=ImportAnswer,
    ),
    route(
        "POST",
        "/v1/contacts/import",
        import_contacts,
        Permission.MANAGE,
        needs_registry=True,
        takes=FILES,
        query=ImportQuery,
        gives=ImportAnswer,
    ),
]
