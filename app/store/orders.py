"""The only room that speaks SQL about orders when they are read; the group commit writes them."""

import json
from dataclasses import dataclass
from typing import Any

from app.store.database import Store
from app.store.ledger import MERGED
from app.store.statements import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which orders: every field that is set must hold. Times are microseconds, `until` is not included.

    `wallet_of` is the member beyond whose own contacts and deals nothing is seen.
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
    wallet_of: str | None = None


_WALLET = (
    "(contact_id IN (SELECT id FROM contacts WHERE account_id = :account_id AND owner_id = :wallet_of) "
    "OR deal_id IN (SELECT crm_id FROM deals WHERE account_id = :account_id AND owner_id = :wallet_of))"
)


def _where(account_id: str, wanted: Filter) -> tuple[str, dict[str, Any]]:
    clauses = ["account_id = :account_id", "value IS NOT NULL"]
    values: dict[str, Any] = {"account_id": account_id}
    for name in ("contact_id", "deal_id", "status", "origin", "source_id", "currency"):
        if (given := getattr(wanted, name)) is not None:
            clauses.append(f"{name} = :{name}")
            values[name] = given
    if wanted.since is not None:
        clauses.append("ordered_at >= :since")
        values["since"] = wanted.since
    if wanted.until is not None:
        clauses.append("ordered_at < :until")
        values["until"] = wanted.until
    if wanted.q:
        clauses.append("(external_id = :word OR lower(title) LIKE :pattern ESCAPE '!')")
        escaped = wanted.q.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values |= {"word": wanted.q, "pattern": f"%{escaped}%"}
    if wanted.wallet_of is not None:
        clauses.append(_WALLET)
        values["wallet_of"] = wanted.wallet_of
    return " AND ".join(clauses), values


TRAITS = ("status", "currency", "origin", "scope")
_TRAITS = ", ".join(TRAITS)
# From each combination that exists straight to the next one in the index, whatever stands between them.
_RUNS = f"""
WITH RECURSIVE run(id) AS (
    SELECT first.id FROM (
        SELECT id FROM orders WHERE account_id = :account_id AND value IS NOT NULL ORDER BY {_TRAITS} LIMIT 1
    ) first
    UNION ALL
    SELECT (
        SELECT o.id FROM orders o WHERE o.account_id = :account_id AND o.value IS NOT NULL
        AND (o.status, o.currency, o.origin, o.scope) > (c.status, c.currency, c.origin, c.scope)
        ORDER BY o.status, o.currency, o.origin, o.scope LIMIT 1
    ) FROM run JOIN orders c ON c.account_id = :account_id AND c.id = run.id
)
SELECT {_TRAITS} FROM run JOIN orders ON account_id = :account_id AND orders.id = run.id LIMIT :most
"""


async def runs(store: Store, account_id: str, most: int) -> list[Row]:
    """Every combination of status, currency, origin and scope that the account's orders have; at most so many."""
    return await store.all(_RUNS, account_id=account_id, most=most)


def _order(row: Row) -> Row:
    return {**row, "test": bool(row["test"]), "items": json.loads(row["items"])}


async def page(
    store: Store, account_id: str, wanted: Filter, *, after: tuple[int, str] | None, limit: int
) -> list[Row]:
    """Orders, newest first, after the one that was ordered at this time under this id."""
    where, values = _where(account_id, wanted)
    if after is not None:
        where += " AND (ordered_at, id) < (:after_at, :after_id)"
        values |= {"after_at": after[0], "after_id": after[1]}
    rows = await store.all(
        f"SELECT * FROM orders WHERE {where} ORDER BY ordered_at DESC, id DESC LIMIT :limit", limit=limit, **values
    )
    return [_order(row) for row in rows]


async def find(store: Store, account_id: str, order_id: str, *, wallet_of: str | None = None) -> Row | None:
    """One order; one that was merged into another answers as that one."""
    where, values = _where(account_id, Filter(wallet_of=wallet_of))
    for _ in range(2):
        row = await store.one(f"SELECT * FROM orders WHERE {where} AND id = :id", id=order_id, **values)
        if row is not None:
            return _order(row)
        survivor = await store.one(
            "SELECT order_id FROM aliases WHERE account_id = :account_id AND scope = :scope AND name = :name",
            account_id=account_id, scope=MERGED, name=order_id,
        )  # fmt: skip
        if survivor is None:
            return None
        order_id = survivor["order_id"]
    return None


async def history(store: Store, account_id: str, order_id: str) -> list[Row]:
    """What was said of an order, in the order in which it is folded."""
    rows = await store.all(
        "SELECT at, rank, digest, recorded_at, delivery_id, member_id, said FROM history "
        "WHERE account_id = :account_id AND order_id = :id "
        "ORDER BY CASE WHEN at < 0 THEN 1 ELSE 0 END, at, rank, digest",
        account_id=account_id, id=order_id,
    )  # fmt: skip
    return [{**row, "said": json.loads(row["said"])} for row in rows]


BOUGHT = "status IN ('paid', 'partially_paid', 'refunded')"
_OPEN = "status IN ('pending', 'overdue')"


def _sum(name: str, value: str, when: str) -> str:
    """A sum in two parts: the whole of it could be more than 64 bits hold, and a stranger decides the summands."""
    parts = ((f"{name}_high", f"{value} / 1000000"), (f"{name}_low", f"{value} % 1000000"))
    return ", ".join(f"CAST(sum(CASE WHEN {when} THEN {part} ELSE 0 END) AS BIGINT) AS {word}" for word, part in parts)


# gross: what was paid (partially paid and refunded orders included); refunded: what of it went back; open: what is still
# expected (pending, overdue).
SUMS = (
    f"count(*) AS orders, sum(CASE WHEN {BOUGHT} THEN 1 ELSE 0 END) AS paid_orders, "
    f"{_sum('gross', 'value', BOUGHT)}, {_sum('refunded', 'refunded_value', BOUGHT)}, "
    f"{_sum('open', 'value', _OPEN)}, "
    "min(ordered_at) AS first_ordered_at, max(ordered_at) AS last_ordered_at, max(paid_at) AS last_paid_at"
)


def summed(row: Row) -> Row:
    """A row of `SUMS` with its sums put together: gross, refunded, open, in minor units."""
    parts = {name: row[f"{name}_high"] * 1_000_000 + row[f"{name}_low"] for name in ("gross", "refunded", "open")}
    return {name: value for name, value in row.items() if not name.endswith(("_high", "_low"))} | parts


def counted(account_id: str, wanted: Filter) -> tuple[str, dict[str, Any]]:
    """The condition on orders that stand in sums, and its values: those of the filter, without test orders."""
    where, values = _where(account_id, wanted)
    return f"{where} AND test = :test", {**values, "test": False}


async def summary(store: Store, account_id: str, wanted: Filter) -> list[Row]:
    """Per currency, computed from the orders; test orders stand in no sum."""
    where, values = counted(account_id, wanted)
    rows = await store.all(
        f"SELECT currency, {SUMS} FROM orders WHERE {where} GROUP BY currency ORDER BY currency", **values
    )
    return [summed(row) for row in rows]
