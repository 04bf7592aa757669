"""Retention: counts what is older than an account keeps, and deletes it in small steps.

A pruned delivery leaves its key (`pruned_deliveries`), so it is still a duplicate when it comes again. A pruned order
leaves its ids (`aliases`, leading nowhere), so a late delivery does not bring half of it back. Roll-ups and counters
stay: they name nobody.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.ids import first_id
from app.db.engine import Store, among
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql
from app.store import orders
from app.store.order_aggregate import MERGED

# Every class that can be given an age, in the order in which they are pruned; of orders, by status.
ORDERS: dict[str, tuple[str, ...]] = {
    "orders_open": ("pending", "overdue", "partially_paid"),
    "orders_closed": ("paid", "refunded"),
    "orders_canceled": ("canceled", "failed"),
}
CLASSES = ("bodies", "deliveries", "refusals", *ORDERS)
MOST_RUNS = 10_000  # combinations of status, currency, origin and source; a handful in practice
DAY = 86_400_000_000

_REMEMBER = Insert("pruned_deliveries", on_conflict="skip")
_SAVE_MARK = Insert("marks", on_conflict="replace")
MARK = "prune_next_at"
_NAME = Insert("aliases", on_conflict="replace")

# Neither these nor their bodies are taken: they are being read from the source's API, or tell whom an open privacy request
# is about.
_WAITS = (
    "{key} IN (SELECT f.delivery_id FROM fetches f WHERE f.account_id = :account_id) OR "
    "{key} IN (SELECT p.id FROM privacy_requests p WHERE p.account_id = :account_id AND p.done_at IS NULL)"
)
# A held delivery's body is yet to become an order; when the log itself is not kept as long, it has had its time.
_BODY = (
    "FROM bodies WHERE account_id = :account_id AND delivery_id > :after AND delivery_id < :before "
    f"AND NOT ({_WAITS.format(key='delivery_id')}) AND NOT EXISTS (SELECT 1 FROM deliveries w "
    "WHERE w.account_id = :account_id AND w.id = bodies.delivery_id AND w.outcome IN ('fetching', 'held'))"
)
_DELIVERY = (
    "FROM deliveries WHERE account_id = :account_id AND id > :after AND id < :before AND outcome <> 'fetching' "
    f"AND NOT ({_WAITS.format(key='id')})"
)
# What came of telling subscribers stands as long as the log of what came in.
_ATTEMPT = (
    "FROM subscriptions s JOIN attempts t ON t.account_id = s.account_id AND t.subscription_id = s.id AND t.id < :before "
    "WHERE s.account_id = :account_id AND t.account_id = :account_id"
)
_ERASED = (
    "FROM erased_contacts WHERE account_id = :account_id AND erased_at < :before"  # so do the ids of who was erased
)
# An order is as old as the last thing that was said of it, by the source's time, or by ours where it gave none.
_ORDER = (
    "ordered_at < :before AND NOT EXISTS (SELECT 1 FROM history h WHERE h.account_id = orders.account_id "
    "AND h.order_id = orders.id AND (h.at >= :before OR (h.at < 0 AND h.recorded_at >= :before))) "
    # Orders that a member merged are one, and go with the one that stands for them: as old as the last word on any of them.
    "AND (sale_id IS NULL OR (sale_id = id AND NOT EXISTS (SELECT 1 FROM orders m JOIN history h ON h.account_id = m.account_id "
    "AND h.order_id = m.id WHERE m.account_id = orders.account_id AND m.sale_id = orders.sale_id "
    "AND (h.at >= :before OR (h.at < 0 AND h.recorded_at >= :before)))))"
)


@dataclass(frozen=True, slots=True)
class PruneStep:
    """Holds what one step deleted, and where the next begins; None when nothing is left."""

    taken: int
    after: Any | None


def due(retention: Mapping[str, str], present: int) -> dict[str, int]:
    """Return the time, in microseconds, before which each class with an age is too old."""
    return {name: present - int(retention[name].removesuffix("d")) * DAY for name in CLASSES if name in retention}


async def count(store: Store, account_id: str, name: str, before: int) -> int:
    """Return how much of a class is too old. Raises Unavailable."""
    if name == "refusals":
        return sum(len(old) for _, old in await _old_samples(store, account_id, before))
    if name in ORDERS:
        words, values = among("status", ORDERS[name])
        where = f"account_id = :account_id AND status {words} AND {_ORDER}"
        row = await store.one(
            f"SELECT COUNT(*) AS many FROM orders WHERE {where}", account_id=account_id, before=before, **values
        )
    else:
        what = _BODY if name == "bodies" else _DELIVERY
        row = await store.one(
            f"SELECT COUNT(*) AS many {what}", account_id=account_id, after="", before=first_id("dlv", before)
        )
        if name == "deliveries":
            told = await store.one(
                f"SELECT COUNT(*) AS many {_ATTEMPT}", account_id=account_id, before=first_id("att", before)
            )
            erased = await store.one(f"SELECT COUNT(*) AS many {_ERASED}", account_id=account_id, before=before)
            return sum(one["many"] for one in (row, told, erased) if one)
    return row["many"] if row else 0


async def step(
    store: Store, account_id: str, name: str, before: int, after: Any | None, steps: tuple[int, int]
) -> PruneStep:
    """Delete the next few of a class: rows, or orders. The first step begins with `after` None. Raises Unavailable."""
    if name == "bodies":
        return await _bodies(store, account_id, before, after or "", steps[0])
    if name == "deliveries":
        return await _deliveries(store, account_id, before, after or "", steps[0])
    if name == "refusals":
        return await _refusals(store, account_id, before)
    return await _orders(store, account_id, name, before, after, steps[1])


async def _bodies(store: Store, account_id: str, before: int, after: str, few: int) -> PruneStep:
    keys = {"account_id": account_id, "after": after, "before": first_id("dlv", before)}
    rows = await store.all(
        "SELECT d.id, d.source_id, d.dedupe_key FROM "
        f"(SELECT delivery_id {_BODY} ORDER BY delivery_id LIMIT {few}) b "
        "JOIN deliveries d ON d.account_id = :account_id AND d.id = b.delivery_id ORDER BY d.id",
        **keys,
    )
    if not rows:
        return PruneStep(0, None)
    last: str = rows[-1]["id"]

    def plan() -> Plan[int]:
        yield _lock(account_id, rows)
        gone = yield Sql(f"DELETE {_BODY} AND delivery_id <= :last RETURNING delivery_id", last=last, **keys)
        return len(gone)

    return PruneStep(await store.commit(plan), last if len(rows) == few else None)


def _lock(account_id: str, rows: Sequence[Row]) -> AdvisoryLock:
    return AdvisoryLock([("delivery", account_id, row["source_id"], row["dedupe_key"]) for row in rows])


async def _deliveries(store: Store, account_id: str, before: int, after: str, few: int) -> PruneStep:
    keys = {"account_id": account_id, "after": after, "before": first_id("dlv", before)}
    rows = await store.all(f"SELECT id, source_id, dedupe_key {_DELIVERY} ORDER BY id LIMIT {few}", **keys)
    if not rows:
        return await _attempts(store, account_id, before, after, few)
    last: str = rows[-1]["id"]

    def plan() -> Plan[int]:
        yield _lock(account_id, rows)
        gone: list[Row] = yield Sql(
            f"DELETE {_DELIVERY} AND id <= :last RETURNING account_id, source_id, dedupe_key, id, outcome",
            last=last,
            **keys,
        )
        if gone:
            yield _REMEMBER.many([tuple(row.values())[:4] for row in gone])
            left = "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.account_id = :account_id AND d.id = delivery_id)"
            tables = ["bodies"] + (["held"] if any(row["outcome"] == "held" for row in gone) else [])
            for table in tables:
                yield Sql(
                    f"DELETE FROM {table} WHERE account_id = :account_id AND delivery_id > :after AND delivery_id <= :last {left}",
                    account_id=account_id,
                    after=after,
                    last=last,
                )
        return len(gone)

    return PruneStep(await store.commit(plan), last)


async def _attempts(store: Store, account_id: str, before: int, after: str, few: int) -> PruneStep:
    """Delete attempts, and then erased contacts' ids, once no delivery is too old. The next step begins where this one did."""
    rows = await store.all(
        f"SELECT t.subscription_id, t.id {_ATTEMPT} LIMIT {few}", account_id=account_id, before=first_id("att", before)
    )
    if not rows:
        return PruneStep(await _erased(store, account_id, before), None)

    def plan() -> Plan[int]:
        for row in rows:
            yield Sql(
                "DELETE FROM attempts WHERE account_id = :account_id AND subscription_id = :subscription_id AND id = :id",
                account_id=account_id,
                **row,
            )
        return len(rows)

    return PruneStep(await store.commit(plan), after)


async def _erased(store: Store, account_id: str, before: int) -> int:
    """Delete the ids of contacts that were erased before this time, all at once: they are few. Returns how many."""
    if await store.one(f"SELECT id {_ERASED} LIMIT 1", account_id=account_id, before=before) is None:
        return 0

    def plan() -> Plan[int]:
        gone: list[Row] = yield Sql(f"DELETE {_ERASED} RETURNING id", account_id=account_id, before=before)
        return len(gone)

    return await store.commit(plan)


async def _old_samples(store: Store, account_id: str, before: int) -> list[tuple[Row, list[Any]]]:
    rows = await store.all(
        "SELECT source_id, outcome, reason, samples FROM refusals WHERE account_id = :account_id AND samples <> '[]' "
        "AND first_at < :before",
        account_id=account_id,
        before=before,
    )
    found = [(row, [one for one in json.loads(row["samples"]) if one["at"] < before]) for row in rows]
    return [(row, old) for row, old in found if old]


async def _refusals(store: Store, account_id: str, before: int) -> PruneStep:
    """Delete samples of rejected deliveries, all at once: they are few. The counters stay."""
    old = await _old_samples(store, account_id, before)
    if not old:
        return PruneStep(0, None)

    def plan() -> Plan[int]:
        yield AdvisoryLock([("refusal", account_id, row["source_id"], row["outcome"], row["reason"]) for row, _ in old])
        taken = 0
        for row, _ in old:
            key = {"account_id": account_id, **{name: row[name] for name in ("source_id", "outcome", "reason")}}
            where = "account_id = :account_id AND source_id = :source_id AND outcome = :outcome AND reason = :reason"
            found: list[Row] = yield Sql(f"SELECT samples FROM refusals WHERE {where}", **key)
            samples = json.loads(found[0]["samples"]) if found else []
            kept = [one for one in samples if one["at"] >= before]
            taken += len(samples) - len(kept)
            yield Sql(f"UPDATE refusals SET samples = :samples WHERE {where}", samples=json.dumps(kept), **key)
        return taken

    return PruneStep(await store.commit(plan), None)


@dataclass(frozen=True, slots=True)
class _Scan:
    """Holds the progress through the orders of a class: one range of the index after the other, oldest first."""

    runs: tuple[tuple[str, dict[str, Any]], ...]  # conditions and their values
    place: tuple[int, str] | None = None  # ordered_at and id, within the first of `runs`

    def beyond(self, rows: Sequence[Row], few: int) -> "_Scan | None":
        """Return the rest, once these are done."""
        if len(rows) == few:
            return _Scan(self.runs, (rows[-1]["ordered_at"], rows[-1]["id"]))
        return _Scan(self.runs[1:]) if len(self.runs) > 1 else None


async def _begin(store: Store, account_id: str, name: str) -> _Scan:
    words, values = among("status", ORDERS[name])
    found: list[tuple[str, dict[str, Any]]] = [(f"value IS NULL AND status {words}", values)]
    where = " AND ".join(["value IS NOT NULL", *(f"{trait} = :{trait}" for trait in orders.TRAITS)])
    for run in await orders.runs(store, account_id, MOST_RUNS):
        if run["status"] in ORDERS[name]:
            found.append((where, dict(run)))
    return _Scan(tuple(found))


async def _orders(store: Store, account_id: str, name: str, before: int, walk: _Scan | None, few: int) -> PruneStep:
    walk = walk or await _begin(store, account_id, name)
    kind, values = walk.runs[0]
    where, keys = f"account_id = :account_id AND {kind} AND {_ORDER}", {"account_id": account_id, "before": before}
    if walk.place is not None:
        where += " AND (ordered_at, id) > (:after_at, :after_id)"
        keys |= {"after_at": walk.place[0], "after_id": walk.place[1]}
    rows = await store.all(
        f"SELECT id, scope, external_id, ordered_at FROM orders WHERE {where} ORDER BY ordered_at, id LIMIT {few}",
        **keys,
        **values,
    )
    if not rows:
        return PruneStep(0, walk.beyond(rows, few))
    names = await _names(store, account_id, [*rows, *await _merged(store, account_id, rows)])
    taken = await store.commit(lambda: _take_orders(account_id, rows, names, ORDERS[name], before))
    return PruneStep(taken, walk.beyond(rows, few))


async def _merged(store: Store, account_id: str, rows: Sequence[Row]) -> list[Row]:
    """Return the orders that were merged into these."""
    words, values = among("order", [row["id"] for row in rows])
    return await store.all(
        f"SELECT id, scope, external_id FROM orders WHERE account_id = :account_id AND sale_id {words}",
        account_id=account_id,
        **values,
    )


async def _names(store: Store, account_id: str, rows: Sequence[Row]) -> set[tuple[str, str, str]]:
    """Return every id (order's id, scope, name) of these orders."""
    words, values = among("order", [row["id"] for row in rows])
    aliases = await store.all(
        f"SELECT order_id, scope, name FROM aliases WHERE account_id = :account_id AND order_id {words}",
        account_id=account_id,
        **values,
    )
    return {(row["id"], row["scope"], row["external_id"]) for row in rows} | {
        (row["order_id"], row["scope"], row["name"]) for row in aliases
    }


def _take_orders(
    account_id: str, rows: Sequence[Row], names: set[tuple[str, str, str]], statuses: Sequence[str], before: int
) -> Plan[int]:
    yield AdvisoryLock([("order", account_id, scope, name) for _, scope, name in names])
    of_class, status = among("status", statuses)
    words, values = among("order", [row["id"] for row in rows])
    # As they are now that nobody else can tell of them; what was told since they were looked for counts.
    still: list[Row] = yield Sql(
        f"SELECT id, scope, external_id, source_id, sale_id FROM orders WHERE account_id = :account_id AND id {words} "
        f"AND status {of_class} AND {_ORDER}",
        account_id=account_id,
        before=before,
        **status,
        **values,
    )
    if sales := [row["id"] for row in still if row["sale_id"] is not None]:
        words, values = among("order", sales)
        still += yield Sql(
            "SELECT id, scope, external_id, source_id, sale_id FROM orders WHERE account_id = :account_id "
            f"AND sale_id {words} AND id <> sale_id",
            account_id=account_id,
            **values,
        )
    words, values = among("order", [row["id"] for row in still])
    aliases: list[Row] = yield Sql(
        f"SELECT order_id, scope, name FROM aliases WHERE account_id = :account_id AND order_id {words}",
        account_id=account_id,
        **values,
    )
    renamed = {row["order_id"] for row in aliases if (row["order_id"], row["scope"], row["name"]) not in names}
    renamed |= {row["id"] for row in still if (row["id"], row["scope"], row["external_id"]) not in names}
    stays = {row["sale_id"] or row["id"] for row in still if row["id"] in renamed}
    gone = [row for row in still if (row["sale_id"] or row["id"]) not in stays]
    if not gone:
        return 0
    words, values = among("order", [row["id"] for row in gone])
    for table, column in (("history", "order_id"), ("orders", "id")):
        yield Sql(
            f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {words}", account_id=account_id, **values
        )
    # Only a source can be late; what a member tells of an order of ours is whole, and makes it anew.
    yield Sql(
        f"DELETE FROM aliases WHERE account_id = :account_id AND order_id {words} AND scope = :merged",
        account_id=account_id,
        merged=MERGED,
        **values,
    )
    ours, values = among("order", [row["id"] for row in gone if row["source_id"] is None])
    yield Sql(
        f"DELETE FROM aliases WHERE account_id = :account_id AND order_id {ours}", account_id=account_id, **values
    )
    yield _NAME.many(
        [(account_id, row["scope"], row["external_id"], row["id"]) for row in gone if row["source_id"] is not None]
    )
    return sum(row["sale_id"] in (None, row["id"]) for row in gone)


async def turn(store: Store, present: int, every: int) -> bool:
    """Return whether it is this process's turn to prune; then it is nobody else's for `every` microseconds.

    The first turn comes once there has been a retention for that long, so a mistake can be corrected. Raises
    Unavailable.
    """
    if await store.one("SELECT 1 AS one FROM accounts WHERE retention <> '{}' LIMIT 1") is None:
        return False

    def plan() -> Plan[bool]:
        yield AdvisoryLock([("mark", MARK)])
        found: list[Row] = yield Sql("SELECT value FROM marks WHERE name = :name", name=MARK)
        if found and int(found[0]["value"]) > present:
            return False
        yield _SAVE_MARK.many([(MARK, str(present + every))])
        return bool(found)

    return await store.commit(plan)


async def postpone(store: Store) -> None:
    """Delay automatic pruning by a whole turn, because an age has changed. Raises Unavailable."""

    def plan() -> Plan[None]:
        yield Sql("DELETE FROM marks WHERE name = :name", name=MARK)

    await store.commit(plan)
