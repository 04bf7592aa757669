"""A person's export: one JSON document with all that is stored about them, or what one source told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from app.base.clock import iso, now
from app.db.statements import Row
from app.store import contacts, orders, privacy
from app.store.delivery_record import unpacked
from app.store.tombstones import Word
from app.web.api.deliveries import opened
from app.web.http import serializers
from app.web.http.request import ApiRequest, as_json

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSubject:
    """Whose data, and of which source. `contact` is None when only orders or deliveries name the person."""

    contact: Row | None
    words: tuple[Word, ...] = ()
    orders: tuple[str, ...] = ()  # further orders, by their source's names
    source_id: str | None = None


async def written(asked: ApiRequest, about: ExportSubject) -> AsyncIterator[bytes]:
    """Yield the document in pieces: one JSON object."""
    rows = await contacts.identities_of(asked.store, asked.account_id, [about.contact["id"]]) if about.contact else []
    if about.source_id is not None:
        rows = [row for row in rows if row["source_id"] == about.source_id]
    words = set(about.words)
    if about.contact:
        words |= await privacy.words_of(asked.store, asked.account_id, about.contact["id"], about.source_id)
    found = await privacy.named_in(asked.store, asked.account_id, words, about.source_id)
    named = found.deliveries | await privacy.waiting(asked.store, asked.account_id, words, about.source_id)
    yield b'{"exported_at":' + as_json(iso(now())) + b',"source_id":' + as_json(about.source_id)
    yield b',"contact":' + as_json(_contact(about, rows))
    lists: dict[str, AsyncIterator[Any]] = {}
    if about.contact and about.source_id is None:
        lists |= {"merged": _merged(asked, about.contact["id"]), "deals": _deals(asked, about.contact["id"])}
    told: set[str] = set()  # filled by the orders, which are read before the deliveries
    lists |= {"orders": _orders(asked, about, told), "deliveries": _deliveries(asked, named, told)}
    lists["privacy_requests"] = _requests(asked, named)
    for name, items in lists.items():
        yield b"," + as_json(name) + b":["
        separator = b""
        async for item in items:
            yield separator + as_json(item)
            separator = b","
        yield b"]"
    yield b"}"


def _contact(about: ExportSubject, identities: list[Row]) -> dict[str, Any] | None:
    row = about.contact
    if row is None:
        return None
    return {
        **{name: row[name] for name in ("id", "crm_id", "name", "owner_id")},
        "identities": [
            {
                **serializers.identity(one["kind"], one["value"]),
                "told_by": one["source_id"],
                "since": iso(one["created_at"]),
            }
            for one in identities
        ],
        **{name: iso(row[name]) for name in ("created_at", "updated_at")},
    }


async def _merged(asked: ApiRequest, contact_id: str) -> AsyncIterator[Any]:
    for row in await privacy.merges_of(asked.store, asked.account_id, contact_id):
        yield {
            **{name: row[name] for name in ("id", "crm_id", "name", "owner_id")},
            **{name: iso(row[name]) for name in ("created_at", "merged_at")},
        }


async def _deals(asked: ApiRequest, contact_id: str) -> AsyncIterator[Any]:
    for row in await privacy.deals_of(asked.store, asked.account_id, contact_id):
        yield {
            **{name: row[name] for name in ("crm_id", "title", "owner_id")},
            **{name: iso(row[name]) for name in ("created_at", "updated_at")},
        }


async def _orders(asked: ApiRequest, about: ExportSubject, told: set[str]) -> AsyncIterator[Any]:
    """Yield the orders, each with its history; collect the ids of their deliveries in `told`."""
    seen: set[str] = set()
    if about.contact is not None:
        crm_id = about.contact["crm_id"]
        wanted = orders.OrderFilter(contact_id=about.contact["id"], source_id=about.source_id)
        after = None
        while rows := await orders.page(
            asked.store, asked.account_id, wanted, after=after, limit=PAGE, tuning=asked.service.tuning
        ):
            seen |= {row["id"] for row in rows}
            for one in await _told(asked, rows, crm_id, told):
                yield one
            after = (rows[-1]["ordered_at"], rows[-1]["id"])
    further = (
        await privacy.orders_named(asked.store, asked.account_id, about.source_id, about.orders)
        if about.source_id
        else []
    )
    for order_id in further:
        found = await orders.find(asked.store, asked.account_id, order_id)
        if found is not None and found["id"] not in seen:
            seen.add(found["id"])
            for one in await _told(asked, [found], None, told):
                yield one


async def _told(asked: ApiRequest, rows: list[Row], crm_id: str | None, told: set[str]) -> list[dict[str, Any]]:
    """Return orders, each with its history."""
    entries = await privacy.histories(asked.store, asked.account_id, [row["id"] for row in rows])
    told |= {entry["delivery_id"] for some in entries.values() for entry in some if entry["delivery_id"]}
    return [
        serializers.order(row, crm_id) | {"history": [serializers.entry(entry) for entry in entries.get(row["id"], ())]}
        for row in rows
    ]


async def _deliveries(asked: ApiRequest, named: set[str], told: set[str]) -> AsyncIterator[Any]:
    ordered = sorted(named | told)
    for at in range(0, len(ordered), PAGE):
        for row, content in await privacy.deliveries_whole(asked.store, asked.account_id, ordered[at : at + PAGE]):
            yield {**serializers.delivery(row), **opened(unpacked(content) if content else None)}


async def _requests(asked: ApiRequest, ids: set[str]) -> AsyncIterator[Any]:
    for row in await privacy.requests_about(asked.store, asked.account_id, ids):
        yield {
            "id": row["id"],
            "source_id": row["source_id"],
            "kind": row["kind"],
            "request": row["request"],
            **{name: iso(row[name]) for name in ("received_at", "due_at", "done_at")},
        }
