"""Reads single orders, their history and a contact's totals. Transactions write them."""

import json
from collections.abc import Sequence
from typing import Any

from adapters.contract.entry import Entry, Folded, place
from app.base.sale import fold_sale
from app.base.statement import entry_of
from app.db.engine import Store, among
from app.db.statements import Row
from app.store.order_aggregate import MERGED
from app.store.order_list import TRAITS, OrderFilter, as_read, of_id, page, runs, scan, scan_order, search, where_of

__all__ = [
    "BOUGHT",
    "SUMS",
    "TRAITS",
    "OrderFilter",
    "counted",
    "find",
    "folded",
    "history",
    "merged_into",
    "of_id",
    "page",
    "runs",
    "scan",
    "scan_order",
    "search",
    "summary",
    "summed",
    "these",
]


async def find(store: Store, account_id: str, order_id: str, *, wallet_of: str | None = None) -> Row | None:
    """Return one order. An order that was merged, by its source or a member, gives the one it was merged into."""
    where, values = where_of(account_id, OrderFilter(wallet_of=wallet_of))
    for _ in range(3):
        row = await store.one(f"SELECT * FROM orders WHERE {where} AND id = :id", id=order_id, **values)
        if row is not None:
            return as_read(row)
        survivor = await store.one(
            "SELECT order_id FROM aliases WHERE account_id = :account_id AND scope = :scope AND name = :name "
            "UNION ALL SELECT sale_id FROM orders WHERE account_id = :account_id AND id = :name AND sale_id <> id",
            account_id=account_id,
            scope=MERGED,
            name=order_id,
        )
        if survivor is None:
            return None
        order_id = survivor["order_id"]
    return None


async def these(store: Store, account_id: str, ids: Sequence[str]) -> dict[str, Row]:
    """Return those of these orders that exist, by the id that was asked for; merged ones as in `find`."""
    clause, values = among("order", ids)
    rows = await store.all(
        f"SELECT k.asked, s.* FROM (SELECT id AS asked, id FROM orders WHERE account_id = :account_id AND id {clause} "
        f"UNION ALL SELECT name, order_id FROM aliases WHERE account_id = :account_id AND scope = :scope AND name {clause}) k "
        "JOIN orders o ON o.account_id = :account_id AND o.id = k.id "
        "JOIN orders s ON s.account_id = :account_id AND s.id = COALESCE(o.sale_id, o.id) WHERE s.value IS NOT NULL",
        account_id=account_id,
        scope=MERGED,
        **values,
    )
    return {row.pop("asked"): as_read(row) for row in rows}


async def history(store: Store, account_id: str, order_id: str) -> list[Row]:
    """Return an order's history, and that of orders merged into it, in the order in which it is folded."""
    rows = await store.all(
        "SELECT order_id, at, rank, digest, recorded_at, delivery_id, member_id, said FROM history "
        "WHERE account_id = :account_id AND order_id IN "
        "(SELECT id FROM orders WHERE account_id = :account_id AND (id = :id OR sale_id = :id))",
        account_id=account_id,
        id=order_id,
    )
    entries = [{**row, "said": json.loads(row["said"])} for row in rows]
    return sorted(entries, key=lambda row: place(entry_of(row)))


async def merged_into(store: Store, account_id: str, order_id: str) -> list[Row]:
    """Return the orders that a member merged into this one, the oldest first."""
    return await store.all(
        "SELECT id, source_id, external_id, title FROM orders WHERE account_id = :account_id AND sale_id = :id "
        "AND id <> :id ORDER BY id",
        account_id=account_id,
        id=order_id,
    )


def folded(order_id: str, history: Sequence[Row]) -> Folded:
    """Return what an order's history comes to, with those of orders merged into it."""
    own = [entry_of(row) for row in history if row["order_id"] == order_id]
    merged: dict[str, list[Entry]] = {}
    for row in history:
        if row["order_id"] != order_id:
            merged.setdefault(row["order_id"], []).append(entry_of(row))
    return fold_sale(own, list(merged.values()))


BOUGHT = "(paid_value > 0 OR status IN ('paid', 'partially_paid', 'refunded'))"
# Above the value it was paid by mistake; of a value below nothing, which only a file tells, nothing is paid.
_PAID = "CASE WHEN paid_value < value OR value < 0 THEN paid_value ELSE value END"
_COMING = "CASE WHEN status IN ('pending', 'overdue', 'partially_paid') AND value > paid_value THEN value - paid_value ELSE 0 END"


def _sum(name: str, value: str) -> str:
    """A sum in two parts: the whole of it could be more than 64 bits hold, and a stranger decides the summands."""
    parts = ((f"{name}_high", "/"), (f"{name}_low", "%"))
    return ", ".join(f"CAST(sum(({value}) {how} 1000000) AS BIGINT) AS {word}" for word, how in parts)


# gross: what was paid, at most the value; refunded: what of it went back; open: what is still to come.
SUMS = (
    f"count(*) AS orders, sum(CASE WHEN {BOUGHT} THEN 1 ELSE 0 END) AS paid_orders, "
    f"{_sum('gross', _PAID)}, {_sum('refunded', 'refunded_value')}, {_sum('open', _COMING)}, "
    "min(ordered_at) AS first_ordered_at, max(ordered_at) AS last_ordered_at, max(paid_at) AS last_paid_at"
)


def summed(row: Row) -> Row:
    """Return a row of `SUMS` with its sums put together: gross, refunded, open, in minor units."""
    parts = {name: row[f"{name}_high"] * 1_000_000 + row[f"{name}_low"] for name in ("gross", "refunded", "open")}
    return {name: value for name, value in row.items() if not name.endswith(("_high", "_low"))} | parts


def counted(account_id: str, wanted: OrderFilter) -> tuple[str, dict[str, Any]]:
    """Return the condition for orders that count in sums, and its values: the filter's, without test orders."""
    where, values = where_of(account_id, wanted)
    return f"{where} AND test = :test", {**values, "test": False}


async def summary(store: Store, account_id: str, wanted: OrderFilter) -> list[Row]:
    """Return totals per currency, computed from the orders, without test orders."""
    where, values = counted(account_id, wanted)
    rows = await store.all(
        f"SELECT currency, {SUMS} FROM {scan_order(store, wanted)} WHERE {where} GROUP BY currency ORDER BY currency",
        **values,
    )
    return [summed(row) for row in rows]
