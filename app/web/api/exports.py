"""Export of any number of orders or contacts, in order of id: no row is lost or repeated meanwhile."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.responses import StreamingResponse

from app.base.roles import Permission
from app.base.tabular import BETWEEN, CONTACT_COLUMNS, CSV, JSONL, MEDIA, ORDER_COLUMNS, guarded
from app.db.statements import Row, to_json
from app.store import contacts, orders
from app.web.http import serializers
from app.web.http.filters import AllOrdersFilters, order_filter
from app.web.http.limits import EXPORTS
from app.web.http.request import ApiRequest, Query
from app.web.http.routing import Stream, route
from app.web.http.visibility import wallet_of

BOM = "\ufeff"

# Columns that hold numbers, times and words of ours: nothing in them can be taken for a formula.
_PLAIN = frozenset(
    {
        "id",
        "value",
        "paid_value",
        "refunded_value",
        "currency",
        "status",
        "ordered_at",
        "paid_at",
        "origin",
        "source_id",
        "contact_id",
        "test",
        "items",
        "created_at",
        "updated_at",
    }
)

Document = dict[str, Any]
Page = Callable[[str], Awaitable[tuple[list[Row], str | None]]]  # rows after this id, and where to go on
# Reads what belongs to the rows; what that gives, makes documents of them, outside the event loop.
Render = Callable[[list[Row]], Awaitable[Callable[[], list[Document]]]]


class ExportQuery(Query):
    """With `excel`: CSV for spreadsheets, with a byte order mark and semicolons."""

    excel: bool = False


class OrderExportQuery(ExportQuery, AllOrdersFilters):
    """The filters of the list of orders."""


async def orders_csv(asked: ApiRequest) -> StreamingResponse:
    """Export orders as CSV, in order of id."""
    return await _orders(asked, CSV)


async def orders_jsonl(asked: ApiRequest) -> StreamingResponse:
    """Export orders as JSON lines, in order of id."""
    return await _orders(asked, JSONL)


async def _orders(asked: ApiRequest, form: str) -> StreamingResponse:
    query = asked.query(OrderExportQuery)
    wanted = await order_filter(asked, query)

    async def page(after: str) -> tuple[list[Row], str | None]:
        return await orders.scan(
            asked.store, asked.account_id, wanted, after=after, limit=asked.service.tuning.export_page
        )

    async def render(rows: list[Row]) -> Callable[[], list[Document]]:
        ids = sorted({row["contact_id"] for row in rows if row["contact_id"]})
        people = {row["id"]: row for row in await contacts.among_ids(asked.store, asked.account_id, ids)}
        owner = wanted.wallet_of
        seen = [one for one in ids if owner is None or (one in people and people[one]["owner_id"] == owner)]
        known: dict[str, list[tuple[str, str]]] = {one: [] for one in seen}
        for row in await contacts.identities_of(asked.store, asked.account_id, seen):
            known[row["contact_id"]].append((row["kind"], row["value"]))
        return lambda: [_order(row, people.get(row["contact_id"]), known.get(row["contact_id"])) for row in rows]

    return _streamed("orders", form, ORDER_COLUMNS, page, render, excel=query.excel)


def _order(row: Row, person: Row | None, known: list[tuple[str, str]] | None) -> Document:
    """Return the order as the API shows it, with its contact's identities if the caller may see the contact."""
    document: Document = {**serializers.order(row, person["crm_id"] if person else None)}
    if known is not None:
        prefix = f"{row['source_id']}:"
        document["contact_name"] = person["name"] if person else None
        for kind in ("email", "phone", "document"):
            document[f"contact_{kind}"] = [value for its, value in known if its == kind]
        document["contact_customer_id"] = [
            value.removeprefix(prefix) for its, value in known if its == "source" and value.startswith(prefix)
        ]
    return document


async def contacts_csv(asked: ApiRequest) -> StreamingResponse:
    """Export contacts as CSV, in order of id."""
    return await _contacts(asked, CSV)


async def contacts_jsonl(asked: ApiRequest) -> StreamingResponse:
    """Export contacts as JSON lines, in order of id."""
    return await _contacts(asked, JSONL)


async def _contacts(asked: ApiRequest, form: str) -> StreamingResponse:
    query = asked.query(ExportQuery)
    owner = await wallet_of(asked)

    async def page(after: str) -> tuple[list[Row], str | None]:
        size = asked.service.tuning.export_page
        rows = await contacts.scan(asked.store, asked.account_id, owner_id=owner, after=after, limit=size)
        return rows, rows[-1]["id"] if len(rows) == size else None

    async def render(rows: list[Row]) -> Callable[[], list[Document]]:
        known: dict[str, list[Row]] = {row["id"]: [] for row in rows}
        for row in await contacts.identities_of(asked.store, asked.account_id, list(known)):
            known[row["contact_id"]].append(row)
        return lambda: [_contact(row, known[row["id"]]) for row in rows]

    return _streamed("contacts", form, CONTACT_COLUMNS, page, render, excel=query.excel)


def _contact(row: Row, known: list[Row]) -> Document:
    document: Document = {**serializers.contact(row, [])}
    del document["identities"]
    for kind, name in (("email", "emails"), ("phone", "phones"), ("document", "documents"), ("source", "customer_ids")):
        document[name] = [one["value"] for one in known if one["kind"] == kind]
    return document


def _streamed(
    name: str, form: str, columns: Sequence[str], page: Page, render: Render, *, excel: bool
) -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        if form == CSV:
            yield ((BOM if excel else "") + _csv([columns], excel)).encode()
        after: str | None = ""
        while after is not None:
            rows, after = await page(after)
            # Beside the event loop: webhooks are not kept waiting for a page of text.
            yield await asyncio.to_thread(_written, form, columns, await render(rows), excel)

    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return StreamingResponse(content(), headers=headers, media_type=MEDIA[form])


def _written(form: str, columns: Sequence[str], made: Callable[[], list[Document]], excel: bool) -> bytes:
    documents = made()
    if form == CSV:
        return _csv([[_cell(name, one.get(name)) for name in columns] for one in documents], excel).encode()
    return b"".join(to_json({name: one.get(name) for name in columns}).encode() + b"\n" for one in documents)


def _cell(name: str, value: Any) -> str:
    if value is None or value == []:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if name == "items":
        return to_json(value)
    text = BETWEEN.join(value) if isinstance(value, list) else str(value)
    return text if name in _PLAIN else guarded(text)


def _csv(rows: Sequence[Sequence[str]], excel: bool) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";" if excel else ",").writerows(rows)
    return text.getvalue()


ROUTES = [
    route(
        "GET",
        f"/v1/{what}.{form}",
        handler,
        Permission.READ,
        needs_registry=True,
        query=query,
        gives=Stream(MEDIA[form].partition(";")[0], f"{what}, a line each"),
        limit=EXPORTS,
    )
    for what, form, handler, query in (
        ("orders", CSV, orders_csv, OrderExportQuery),
        ("orders", JSONL, orders_jsonl, OrderExportQuery),
        ("contacts", CSV, contacts_csv, ExportQuery),
        ("contacts", JSONL, contacts_jsonl, ExportQuery),
    )
]
