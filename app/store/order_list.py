"""Lists of orders with keyset pagination. Decides which index is scanned, so that no page gets slow.

- Plain, of a contact, or of a deal: one index has the orders in order of time.
- By status, currency, origin or source, alone or combined: few combinations exist. Each is one range of an index in
  order of time, and the newest of all ranges are the page.
- Of a rep: the owners of an order's contact and deal are stored on the order (`order_owners`), with an index for each.
- By text: the exact id is found at once. Titles are scanned from the newest on, a bounded number at a time: a page may
  be short or empty and still have a next cursor.
"""

import json
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

from adapters.contract.names import plain
from app.base.tuning import Tuning
from app.db.engine import Store, among
from app.db.statements import Row, to_json
from app.store.deliveries import HAS_NOTE, noted

_TITLES = "ordered_at, id, title"
BEGINNING = (2**62, "")  # a key before every order

_OWNERS = {"owner_id": "orders_of_owner", "deal_owner_id": "orders_of_deal_owner"}  # and what is walked for each

Key = tuple[int, str]

_NEWEST_FIRST = "ORDER BY ordered_at DESC, id DESC LIMIT :limit"
# Whatever the account, the origins that orders without a source have as their scope.
_SCOPES = (
    "SELECT id FROM sources WHERE account_id = :account_id UNION SELECT 'manual' UNION SELECT 'api' UNION SELECT 'payments' "
    "UNION SELECT 'webhook' UNION SELECT 'commerce'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Selects orders: every field that is set must match. Times are microseconds; `until` is exclusive.

    `search` and `page` use `q`; sums ignore it. `wallet_of` is a member who sees only their own contacts and deals.
    """

    contact_id: str | None = None
    deal_id: str | None = None
    status: str | None = None
    origin: str | None = None
    source_id: str | None = None
    currency: str | None = None
    since: int | None = None
    until: int | None = None
    q: str | None = None
    note: str | None = None
    wallet_of: str | None = None


def where_of(account_id: str, wanted: OrderFilter, *, indexed: bool = True) -> tuple[str, dict[str, Any]]:
    """Return a filter's condition, and its values, for the table `orders`.

    Unless `indexed`, the list's own order decides the index, not a status, currency, origin or source.
    """
    clauses = ["account_id = :account_id", "value IS NOT NULL"]
    values: dict[str, Any] = {"account_id": account_id}
    for name in ("contact_id", "deal_id", "status", "origin", "source_id", "currency"):
        if (given := getattr(wanted, name)) is not None:
            plain = indexed or name in ("contact_id", "deal_id")
            clauses.append(f"{name} = :{name}" if plain else f"({name} || '') = :{name}")
            values[name] = given
    times, bounds = _further(wanted)
    clauses += times
    values |= bounds
    if wanted.wallet_of is not None:  # see `owning`: the one thing that decides whose an order is
        owned = (name if indexed else f"({name} || '')" for name in _OWNERS)
        clauses.append(f"({' OR '.join(f'{name} = :wallet_of' for name in owned)})")
        values["wallet_of"] = wanted.wallet_of
    return " AND ".join(clauses), values


def scan_order(store: Store, wanted: OrderFilter, *, in_time: bool = False) -> str:
    """What a sum over these orders is FROM, under the name `orders`: on SQLite by time, where time alone narrows them.

    On SQLite that is the index that gives the fewest rows. `in_time`: the query has further conditions on time.
    """
    timed = in_time or wanted.since or wanted.until
    narrower = (wanted.contact_id, wanted.deal_id, wanted.wallet_of, *_traits_of(wanted).values())
    return f"orders {store.by('orders_by_time')}" if timed and not any(narrower) else "orders"


def _further(wanted: OrderFilter) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions that choose no index, on time and notes, and their values."""
    bounds: dict[str, Any] = {name: at for name in ("since", "until") if (at := getattr(wanted, name)) is not None}
    clauses = [f"ordered_at {'>=' if name == 'since' else '<'} :{name}" for name in bounds]
    if wanted.note is not None:
        clauses.append(HAS_NOTE)
        bounds["note"] = noted(wanted.note)
    return clauses, bounds


def _traits_of(wanted: OrderFilter) -> dict[str, str | None]:
    return {"status": wanted.status, "currency": wanted.currency, "origin": wanted.origin, "scope": wanted.source_id}


TRAITS = ("status", "currency", "origin", "scope")
_TRAITS = ", ".join(TRAITS)


def _next_run() -> str:
    """Return the SQL for the first order of the next range after order `c`.

    One comparison of all four columns would be the same, but SQLite seeks by the first of them only.
    """
    steps = []
    for last in reversed(range(len(TRAITS))):
        same = "".join(f" AND o.{name} = c.{name}" for name in TRAITS[:last])
        order = ", ".join(f"o.{name}" for name in TRAITS)
        steps.append(
            "(SELECT o.id FROM orders o WHERE o.account_id = :account_id AND o.value IS NOT NULL {of}"
            f"{same} AND o.{TRAITS[last]} > c.{TRAITS[last]} ORDER BY {order} LIMIT 1)"
        )
    return f"COALESCE({', '.join(steps)})"


# From each combination that exists straight to the next one in the index, whatever stands between them. Without the last
# condition, which also ends it, SQLite thinks of many runs and begins by reading all orders (a Bloom filter).
_RUNS = f"""
WITH RECURSIVE run(id) AS (
    SELECT first.id FROM (
        SELECT o.id FROM orders o WHERE o.account_id = :account_id AND o.value IS NOT NULL {{of}} ORDER BY {_TRAITS} LIMIT 1
    ) first
    UNION ALL
    SELECT {_next_run()} FROM run JOIN orders c ON c.account_id = :account_id AND c.id = run.id WHERE run.id IS NOT NULL
)
SELECT {_TRAITS} FROM run JOIN orders ON account_id = :account_id AND orders.id = run.id LIMIT :most
"""


async def runs(store: Store, account_id: str, most: int, *, status: str | None = None) -> list[Row]:
    """Return the combinations of status (or this one), currency, origin and scope of the account's orders; at most `most`."""
    if status is None:
        return await store.all(_RUNS.format(of=""), account_id=account_id, most=most)
    sql = _RUNS.format(of="AND o.status = :status")
    return await store.all(sql, account_id=account_id, most=most, status=status)


def as_read(row: Row) -> Row:
    """Return an order's row with its values decoded."""
    return {**row, "test": bool(row["test"]), "items": json.loads(row["items"]), "notes": json.loads(row["notes"])}


async def page(
    store: Store, account_id: str, wanted: OrderFilter, *, after: Key | None, limit: int, tuning: Tuning
) -> list[Row]:
    """Return orders, newest first, after this key; with `q`, however long it takes."""
    if not wanted.q:
        return await _scan(store, account_id, wanted, after, limit, "*", tuning)
    found: list[str] = []
    exact = {row["id"] for row in await of_id(store, account_id, replace(wanted, q=None), wanted.q)}
    place, more = after, True
    while more and len(found) < limit:
        ids, place, more = await _filter_scan(
            store, account_id, wanted, place, limit - len(found), tuning.list_chunks[1], tuning, also=exact
        )
        found += ids
    return await _read(store, account_id, found)


async def search(
    store: Store, account_id: str, wanted: OrderFilter, *, after: Key | None, limit: int, tuning: Tuning
) -> tuple[list[Row], Key | None]:
    """Return orders with the id `q`, then those with it in their title, newest first; and the next key, if any.

    Case and accents in titles make no difference.
    """
    exact = await of_id(store, account_id, replace(wanted, q=None), wanted.q or "")
    if exact and after is None:
        return exact[:limit], BEGINNING  # whoever typed an id need not wait for what else there may be
    rows: list[Row] = []
    place, more, seen = after, True, 0
    while more and len(rows) < limit and seen < tuning.list_searched:
        known = {row["id"] for row in exact}
        size = tuning.list_chunks[bool(seen)]
        ids, place, more = await _filter_scan(
            store, account_id, wanted, place, limit - len(rows), size, tuning, but=known
        )
        rows += await _read(store, account_id, ids)
        seen += size
    return rows, place if more else None


async def scan(
    store: Store, account_id: str, wanted: OrderFilter, *, after: str, limit: int
) -> tuple[list[Row], str | None]:
    """Return orders by id, after this one, and where to continue, if there is more.

    Whatever is written meanwhile, each order that stays is returned once, because ids stay. A bounded number of orders
    is read, and those that match are returned.
    """
    where, values = where_of(account_id, wanted, indexed=False)
    # The plus keeps SQLite from the index of times, by which it would sort the whole range anew for each page.
    where = where.replace("ordered_at >=", "+ordered_at >=").replace("ordered_at <", "+ordered_at <")
    found = await store.all(
        f"SELECT * FROM orders WHERE {where} AND id > :after_id ORDER BY id LIMIT :limit",
        after_id=after,
        limit=limit,
        **values,
    )
    place = found[-1]["id"] if len(found) == limit else None
    if wanted.q:
        sought, exact = plain(wanted.q), {row["id"] for row in await of_id(store, account_id, wanted, wanted.q)}
        found = [row for row in found if row["id"] in exact or sought in plain(row["title"] or "")]
    return [as_read(row) for row in found], place


async def _filter_scan(
    store: Store,
    account_id: str,
    wanted: OrderFilter,
    after: Key | None,
    limit: int,
    size: int,
    tuning: Tuning,
    *,
    also: Container[str] = (),
    but: Container[str] = (),
) -> tuple[list[str], Key | None, bool]:
    """Return ids of orders that match `q` by title; the last key that was read; and whether there is more."""
    rows = await _scan(store, account_id, replace(wanted, q=None), after, size, _TITLES, tuning)
    sought, found = plain(wanted.q or ""), list[str]()
    for row in rows:
        after = (row["ordered_at"], row["id"])
        if row["id"] not in but and (row["id"] in also or sought in plain(row["title"] or "")):
            found.append(row["id"])
            if len(found) == limit:
                return found, after, True
    return found, after, len(rows) == size


async def of_id(store: Store, account_id: str, wanted: OrderFilter, word: str) -> list[Row]:
    """Return the orders with this id at their sources, or as a further id."""
    found = await store.all(
        "SELECT COALESCE(sale_id, id) AS id FROM orders WHERE account_id = :account_id AND id IN ("
        f"SELECT id FROM orders WHERE account_id = :account_id AND scope IN ({_SCOPES}) AND external_id = :word "
        f"UNION SELECT order_id FROM aliases WHERE account_id = :account_id AND scope IN ({_SCOPES}) AND name = :word)",
        account_id=account_id,
        word=word,
    )
    if not found:
        return []
    where, values = where_of(account_id, wanted, indexed=False)
    words, named = among("order", [row["id"] for row in found])
    rows = await store.all(f"SELECT * FROM orders WHERE {where} AND id {words}", **values, **named)
    return [as_read(row) for row in sorted(rows, key=lambda row: (row["ordered_at"], row["id"]), reverse=True)]


async def _scan(
    store: Store, account_id: str, wanted: OrderFilter, after: Key | None, limit: int, columns: str, tuning: Tuning
) -> list[Row]:
    """Return the filter's next orders, newest first, by the index in that order."""
    if after is not None and wanted.until is not None and after[0] < wanted.until:
        wanted = replace(wanted, until=None)  # said already; and with two bounds an engine may begin at the wrong one
    keys: list[Row] | None = None
    brief = "ordered_at, id" if columns == "*" else columns
    if wanted.contact_id is None and wanted.deal_id is None:
        if wanted.wallet_of is not None:
            keys = await _of_wallet(store, account_id, wanted, after, limit, brief)
        elif any((wanted.status, wanted.currency, wanted.origin, wanted.source_id)):
            keys = await _of_runs(store, account_id, wanted, after, limit, brief, tuning.list_runs)
    if keys is not None:
        return await _read(store, account_id, [row["id"] for row in keys]) if columns == "*" else keys
    where, values = _before(*where_of(account_id, wanted, indexed=False), after)
    rows = await store.all(f"SELECT {columns} FROM orders WHERE {where} {_NEWEST_FIRST}", limit=limit, **values)
    return [as_read(row) for row in rows] if columns == "*" else rows


def _before(where: str, values: dict[str, Any], after: Key | None) -> tuple[str, dict[str, Any]]:
    if after is None:
        return where, values
    return f"{where} AND (ordered_at, id) < (:after_at, :after_id)", values | {
        "after_at": after[0],
        "after_id": after[1],
    }


async def _read(store: Store, account_id: str, ids: list[str]) -> list[Row]:
    """Return these orders, in this order."""
    if not ids:
        return []
    words, values = among("order", ids)
    rows = await store.all(
        f"SELECT * FROM orders WHERE account_id = :account_id AND id {words}", account_id=account_id, **values
    )
    known = {row["id"]: as_read(row) for row in rows}
    return [known[one] for one in ids if one in known]


async def _of_runs(
    store: Store, account_id: str, wanted: OrderFilter, after: Key | None, limit: int, columns: str, most: int
) -> list[Row] | None:
    """Return keys from the matching ranges; None when there are more than `most` ranges."""
    found = await runs(store, account_id, most + 1, status=wanted.status)
    if len(found) > most:
        return None
    asked = _traits_of(wanted).items()
    matching = [run for run in found if all(value is None or run[name] == value for name, value in asked)]
    if not matching:
        return []
    times = OrderFilter(since=wanted.since, until=wanted.until, note=wanted.note)
    where, values = _before(*where_of(account_id, times, indexed=True), after)
    parts, cells = [], [run[name] for run in matching for name in TRAITS]
    if store.on_sqlite:  # one value for all runs: to hand over hundreds took longer than the runs themselves
        cell, bound = "json_extract(:runs, '$[{}]')", {"runs": to_json(cells)}
    else:  # plain parameters took two thirds of the time of one array or document
        cell, bound = ":run_{}", {f"run_{at}": one for at, one in enumerate(cells)}
    for at in range(len(matching)):
        of_run = " AND ".join(f"{name} = {cell.format(len(TRAITS) * at + n)}" for n, name in enumerate(TRAITS))
        parts.append(f"SELECT * FROM (SELECT {columns} FROM orders WHERE {where} AND {of_run} {_NEWEST_FIRST}) r{at}")
    return await store.all(f"{' UNION ALL '.join(parts)} {_NEWEST_FIRST}", limit=limit, **values, **bound)


async def _of_wallet(
    store: Store, account_id: str, wanted: OrderFilter, after: Key | None, limit: int, columns: str
) -> list[Row]:
    """Return keys of a rep's own orders: those of contacts or deals they own."""
    clauses, values = ["account_id = :account_id"], {"account_id": account_id, "wallet_of": wanted.wallet_of}
    for name, given in _traits_of(wanted).items():
        if given is not None:
            clauses.append(f"{name} = :{name}")
            values[name] = given
    times, bounds = _further(wanted)
    where, values = _before(" AND ".join(clauses + times), values | bounds, after)
    parts = [
        f"SELECT * FROM (SELECT {columns} FROM orders WHERE {where} AND {name} = :wallet_of {_NEWEST_FIRST}) {index}"
        for name, index in _OWNERS.items()
    ]
    return await store.all(
        f"SELECT {columns} FROM ({' UNION '.join(parts)}) mine {_NEWEST_FIRST}", limit=limit, **values
    )
