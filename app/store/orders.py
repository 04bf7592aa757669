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


async def walk(store: Store, account_id: str, wanted: Filter, *, after: str, limit: int) -> list[Row]:
    """Orders by id, after this one: whatever is written meanwhile, each that stays is met once, because ids stay."""
    where, values = _where(account_id, wanted)
    # The plus keeps SQLite from the index of times, by which it would sort the whole range anew for each page.
    where = where.replace("ordered_at >=", "+ordered_at >=").replace("ordered_at <", "+ordered_at <")
    rows = await store.all(
        f"SELECT * FROM orders WHERE {where} AND id > :after ORDER BY id LIMIT :limit",
        after=after,
        limit=limit,
        **values,
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


async def summary(store: Store, account_id: str, wanted: Filter) -> list[Row]:
    """Per currency, computed from the orders; test orders stand in no sum.

    gross: what was paid (partially paid and refunded orders included); refunded: what of it went back; open: what is
    still expected (pending, overdue).
    """
    where, values = _where(account_id, wanted)
    bought = "status IN ('paid', 'partially_paid', 'refunded')"
    return await store.all(
        "SELECT currency, count(*) AS orders, "
        f"sum(CASE WHEN {bought} THEN 1 ELSE 0 END) AS paid_orders, "
        f"CAST(sum(CASE WHEN {bought} THEN value ELSE 0 END) AS BIGINT) AS gross, "
        f"CAST(sum(CASE WHEN {bought} THEN refunded_value ELSE 0 END) AS BIGINT) AS refunded, "
        "CAST(sum(CASE WHEN status IN ('pending', 'overdue') THEN value ELSE 0 END) AS BIGINT) AS open, "
        "min(ordered_at) AS first_ordered_at, max(ordered_at) AS last_ordered_at, max(paid_at) AS last_paid_at "
        f"FROM orders WHERE {where} AND test = :test GROUP BY currency ORDER BY currency",
        test=False, **values,
    )  # fmt: skip
