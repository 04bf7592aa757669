"""Import of a part of a file of orders or contacts. The command line sends one part after another."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

import adapters
from adapters.contract import Origin
from adapters.contract.cash import IMPORTED
from app.base.clock import iso, now, zone_named
from app.base.roles import Permission
from app.base.tabular import CSV, JSONL, Fault, NoFile
from app.imports.presets import OUR_CONTACTS, OURS, FileForm, preset
from app.imports.rows import ImportSettings
from app.store import sources
from app.store.import_orders import ImportReport, OrderRow
from app.web.api.manual_orders import member_of
from app.web.http.errors import Problem, invalid
from app.web.http.filters import ZoneName
from app.web.http.request import ApiRequest, Id, Query
from app.web.http.routing import Stream, route
from app.web.http.schemas.contacts import IdentityResponse
from app.web.http.serializers import identity, money

_FORMS = {
    "text/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/csv": CSV,
    "application/x-ndjson": JSONL,
    "application/ndjson": JSONL,
    "application/jsonl": JSONL,
    "application/x-jsonlines": JSONL,
}
FILES = (Stream("text/csv", "a header, and a line each"), Stream("application/x-ndjson", "a JSON object a line"))

Preset = Literal["shopify", "woocommerce", "nuvemshop"]


class ImportQuery(Query):
    """How to read a part of a file.

    `line` is the number of its first row, without the header, for the messages. With `dry_run` nothing is written.
    `ignore_unknown` skips unknown columns. `sources` replaces source ids of another registry.
    """

    several: ClassVar[frozenset[str]] = frozenset({"map"})

    dry_run: bool = False
    line: int | None = Field(None, ge=1, le=2**53)
    ignore_unknown: bool = False
    dates: Literal["ymd", "dmy", "mdy"] | None = Field(
        None, description="the order of a date's numbers, where they are not ISO 8601"
    )
    zone: ZoneName | None = Field(None, description="of times that name none; the account's own when none is named")
    map: list[Annotated[str, StringConstraints(max_length=500)]] = Field(
        [], max_length=100, description="a heading of the file and the column that it means, as in Valor=value"
    )
    sources: Annotated[str, StringConstraints(max_length=8000)] | None = Field(
        None, description="OLD=NEW, separated by commas; with nothing after = what is OLD's belongs to no source here"
    )


class OrderImportQuery(ImportQuery):
    """For orders: source and origin of rows that name none; a platform's own export; the mark before the decimals."""

    source_id: Id | None = None
    origin: Origin = Origin.MANUAL
    preset: Preset | None = None
    decimal: Literal[".", ","] | None = Field(
        None, description="amounts as people write them: 1.500,00 or 1,500.00; else 1500.00 alone is understood"
    )


class RowProblem(TypedDict):
    """Why a row was rejected, or what was left out of it."""

    line: int
    field: str | None
    message: str


class PreviewItem(TypedDict):
    """A line of an order."""

    title: str
    quantity: str
    unit_value: str | None
    sku: str | None


class PreviewOrder(TypedDict):
    """What a row says, as an order. What it does not say is null."""

    line: int
    external_id: str
    title: str | None
    status: str | None
    value: str | None
    refunded_value: str | None
    currency: str | None
    ordered_at: str | None
    paid_at: str | None
    contact_name: str | None
    identities: list[IdentityResponse]
    items: list[PreviewItem]


class ImportAnswer(TypedDict):
    """What became of the rows. `refused` counts rejected rows; `errors` lists every wrong field.

    `preview` has the first rows of a dry run as orders.
    """

    created: int
    updated: int
    unchanged: int
    refused: int
    errors: list[RowProblem]
    notes: list[RowProblem]
    dry_run: bool
    preview: list[PreviewOrder]


async def import_orders(asked: ApiRequest) -> ImportAnswer:
    """Import a part of a file of orders: CSV with its header, or JSON lines. The same rows again change nothing."""
    query = asked.query(OrderImportQuery)
    importer = partial(asked.service.importer.orders, by=member_of(asked))
    return await _imported(asked, query, importer, source_id=query.source_id, origin=query.origin)


async def import_contacts(asked: ApiRequest) -> ImportAnswer:
    """Import a part of a file of contacts. Fields that a row does not have stay as they are."""
    return await _imported(asked, asked.query(ImportQuery), asked.service.importer.contacts)


async def _imported(
    asked: ApiRequest,
    query: ImportQuery,
    importer: Callable[..., Awaitable[ImportReport]],
    *,
    source_id: str | None = None,
    origin: Origin = Origin.MANUAL,
) -> ImportAnswer:
    form, text = await _part(asked)
    line = query.line or (2 if form == CSV else 1)
    setting = await _setting(asked, query, source_id, origin)
    try:
        report = await importer(asked.account_id, form, text, line, setting, dry_run=query.dry_run)
    except NoFile as why:
        raise Problem("invalid", str(why)) from None
    if report.made_contacts and not query.dry_run:
        asked.service.held.contact_appeared()
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "refused": len({fault.line for fault in report.faults}),
        "errors": [_row_problem(one) for one in report.faults],
        "notes": [_row_problem(one) for one in report.notes],
        "dry_run": query.dry_run,
        "preview": [_previewed(row) for row in report.preview],
    }


async def _part(asked: ApiRequest) -> tuple[str, str]:
    """Return the request's body as text, and its format. Raises Problem."""
    kind = asked.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        raise invalid("Content-Type", "must be text/csv or application/x-ndjson")
    try:
        return _FORMS[kind], (await asked.read()).decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise Problem("invalid", f"the file is not UTF-8: {why.reason} at byte {why.start}") from None


async def _setting(asked: ApiRequest, query: ImportQuery, source_id: str | None, origin: Origin) -> ImportSettings:
    account = await asked.account()
    there = (await sources.adapters_of(asked.store, asked.account_id)).items()
    known = {one: str(adapters.load(name).origin) for one, name in there if name in adapters.names()}
    renamed = _renamed(query.sources)
    for name, one in [("source_id", source_id), *(("sources", new) for new in renamed.values())]:
        if one is not None and one not in known:
            raise invalid(name, f"there is no source {one[:64]}")
    form = _form(query)
    return ImportSettings(
        region=account["default_region"],
        currency=account["default_currency"],
        sources=known,
        renamed=renamed,
        source_id=source_id,
        origin=str(origin),
        present=now(),
        ignore_unknown=query.ignore_unknown or form.ignores,
        zone=zone_named(query.zone) if query.zone else await asked.zone(),
        form=form,
    )


def _form(query: ImportQuery) -> FileForm:
    """Return how the file writes things. Raises Problem."""
    form = OUR_CONTACTS
    if isinstance(query, OrderImportQuery):
        form = preset(query.preset) if query.preset else OURS
        form = replace(form, decimal=query.decimal or form.decimal)
    pairs = [pair.rpartition("=") for pair in query.map]
    if any(not equals or not heading.strip() for heading, equals, _ in pairs):
        raise invalid("map", "must be HEADING=COLUMN, such as Valor=value")
    try:
        form = form.mapped({heading: column.strip() for heading, _, column in pairs})
    except ValueError as why:
        raise invalid("map", str(why)) from None
    return replace(form, dates=query.dates or form.dates)


def _renamed(text: str | None) -> dict[str, str | None]:
    pairs = [pair.partition("=") for pair in (text or "").split(",") if pair.strip()]
    if any(not equals or not old.strip() for old, equals, _ in pairs):
        raise invalid("sources", "must be OLD=NEW, separated by commas")
    return {old.strip(): new.strip() or None for old, _, new in pairs}


def _row_problem(fault: Fault) -> RowProblem:
    return {"line": fault.line, "field": fault.field or None, "message": fault.message}


def _previewed(row: OrderRow) -> PreviewOrder:
    said = row.statement.said
    currency = said.get("currency")
    back = said.get("refunds", {}).get(IMPORTED)
    return {
        "line": row.line,
        "external_id": row.external_id,
        "title": said.get("title"),
        "status": said.get("status"),
        "value": money(said["value"], currency) if "value" in said else None,
        "refunded_value": money(*back) if back else None,
        "currency": currency,
        "ordered_at": iso(said.get("ordered_at")),
        "paid_at": iso(said.get("paid_at")),
        "contact_name": said.get("customer", {}).get("name"),
        "identities": [identity(kind, value) for kind, value in row.identities],
        "items": [
            {
                "title": one["title"],
                "quantity": one["quantity"],
                "unit_value": money(*one["unit_value"]) if "unit_value" in one else None,
                "sku": one.get("sku"),
            }
            for one in said.get("items", [])
        ],
    }


ROUTES = [
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
