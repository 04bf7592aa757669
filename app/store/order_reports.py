"""Reports: sums over many orders, computed from the orders and never from counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from app.base.clock import micros, moment
from app.db.engine import Store, among
from app.db.statements import Row
from app.store import orders
from app.store.names import names
from app.store.orders import BOUGHT, SUMS, OrderFilter, counted, scan_order, summed

MONTHS = 24  # in one statement

# What orders are grouped by. An order's owner is its deal's, else its contact's: it counts once.
_WORDS = {
    "status": "status",
    "currency": "currency",
    "origin": "origin",
    "source": "COALESCE(source_id, '')",
    "owner": "COALESCE(deal_owner_id, owner_id, '')",  # as they are carried on the order: see `owning`
}
GROUPS = ("month", *_WORDS, "deal")
_LABELS = {"source": "source", "owner": "member", "deal": "deal"}  # and whose names those are


@dataclass(slots=True)
class Group:
    """Holds a group of orders. `word` is what they share; empty: they have none. `sums` has one row per currency."""

    word: str
    sums: list[Row]
    label: str | None = None


async def by(
    store: Store, account_id: str, wanted: OrderFilter, what: str, *, zone: tzinfo, after: str | None, limit: int
) -> list[Group]:
    """Return the groups after this one, in order of their words. Months begin as in the zone."""
    if what == "month":
        return await _by_month(store, account_id, wanted, zone, after, limit)
    if what == "deal":
        groups = await _by_deal(store, account_id, wanted, after, limit)
    else:
        where, values = counted(account_id, wanted)
        if after is not None:
            where, values = f"{where} AND {_WORDS[what]} > :after", {**values, "after": after}
        groups = await _groups(store, _WORDS[what], scan_order(store, wanted), where, values)
    groups = groups[:limit]
    if what in _LABELS:
        await _label(store, account_id, what, groups)
    return groups


async def _groups(store: Store, word: str, orders: str, where: str, values: dict[str, Any]) -> list[Group]:
    rows = await store.all(
        f"SELECT {word} AS word, currency AS one_currency, {SUMS} FROM {orders} WHERE {where} "
        "GROUP BY 1, currency ORDER BY 1, currency",
        **values,
    )
    groups: list[Group] = []
    for row in rows:
        found = str(row.pop("word"))
        if not groups or groups[-1].word != found:
            groups.append(Group(found, []))
        groups[-1].sums.append(summed(row) | {"currency": row["one_currency"]})
    return groups


async def _by_deal(store: Store, account_id: str, wanted: OrderFilter, after: str | None, limit: int) -> list[Group]:
    """Return sums of this page's deals only: there may be as many deals as orders."""
    where, values = counted(account_id, wanted)
    groups: list[Group] = []
    if after is None:
        groups = await _groups(store, "''", scan_order(store, wanted), f"{where} AND deal_id IS NULL", values)
    rows = await store.all(
        f"SELECT DISTINCT deal_id FROM orders WHERE {where} AND deal_id > :after ORDER BY deal_id LIMIT :limit",
        after=after or "",
        limit=limit,
        **values,
    )
    if rows:
        where += " AND deal_id > :after AND deal_id <= :last"
        ends = {"after": after or "", "last": rows[-1]["deal_id"]}
        groups += await _groups(store, "deal_id", scan_order(store, wanted), where, {**values, **ends})
    return groups


async def _by_month(
    store: Store, account_id: str, wanted: OrderFilter, zone: tzinfo, after: str | None, limit: int
) -> list[Group]:
    where, values = counted(account_id, wanted)
    groups: list[Group] = []
    at = -(2**62) if after is None else _begins(_next(*_month(after)), zone)
    while len(groups) < limit:
        first = await store.one(
            f"SELECT ordered_at FROM orders WHERE {where} AND ordered_at >= :at ORDER BY ordered_at LIMIT 1",
            at=at,
            **values,
        )
        if first is None:
            break
        begun = moment(first["ordered_at"]).astimezone(zone)
        months = [(begun.year, begun.month)]
        while len(months) <= MONTHS:
            months.append(_next(*months[-1]))
        edges = [_begins(one, zone) for one in months]
        which = " ".join(f"WHEN ordered_at < {edge} THEN {place}" for place, edge in enumerate(edges[1:]))
        found = await _groups(
            store,
            f"CASE {which} END",
            scan_order(store, wanted, in_time=True),
            f"{where} AND ordered_at >= :first AND ordered_at < :end",
            {**values, "first": first["ordered_at"], "end": edges[-1]},
        )
        for group in sorted(found, key=lambda group: int(group.word)):
            year, month = months[int(group.word)]
            groups.append(Group(f"{year:04d}-{month:02d}", group.sums))
        at = edges[-1]
    return groups[:limit]


def _month(word: str) -> tuple[int, int]:
    year, _, month = word.partition("-")
    return int(year), int(month)


def _next(year: int, month: int) -> tuple[int, int]:
    return (year, month + 1) if month < 12 else (year + 1, 1)


def _begins(month: tuple[int, int], zone: tzinfo) -> int:
    return micros(datetime(*month, 1, tzinfo=zone))


async def _label(store: Store, account_id: str, what: str, groups: Sequence[Group]) -> None:
    """Set the groups' names."""
    labels = await names(store, account_id, _LABELS[what], [group.word for group in groups])
    for group in groups:
        group.label = labels.get(group.word)


async def average(store: Store, account_id: str, wanted: OrderFilter) -> tuple[int, int]:
    """Return what was paid in the filter's currency, and in how many orders."""
    rows = await orders.summary(store, account_id, wanted)
    return (rows[0]["gross"], rows[0]["paid_orders"]) if rows else (0, 0)


async def buyers(store: Store, account_id: str, wanted: OrderFilter, *, after: str, limit: int) -> list[Row]:
    """Return contacts that paid in the filter's currency, by id, after this one, with `SUMS` for each."""
    where, values = counted(account_id, wanted)
    where += f" AND {BOUGHT} AND contact_id > :after"
    if wanted.wallet_of is not None:  # an order on a rep's deal is in the wallet; somebody else's contact is not
        where += " AND contact_id IN (SELECT id FROM contacts WHERE account_id = :account_id AND owner_id = :wallet_of)"
    found = await store.all(
        f"SELECT DISTINCT contact_id FROM orders WHERE {where} ORDER BY contact_id LIMIT :limit",
        after=after,
        limit=limit,
        **values,
    )
    if not found:
        return []
    rows = await store.all(
        f"SELECT contact_id, max(COALESCE(paid_at, ordered_at)) AS last_at, {SUMS} FROM orders "
        f"WHERE {where} AND contact_id <= :last GROUP BY contact_id ORDER BY contact_id",
        after=after,
        last=found[-1]["contact_id"],
        **values,
    )
    words, named = among("contact", [row["contact_id"] for row in rows])
    people = await store.all(
        f"SELECT id, crm_id, name FROM contacts WHERE account_id = :account_id AND id {words}",
        account_id=account_id,
        **named,
    )
    known = {row["id"]: row for row in people}
    nobody = {"crm_id": None, "name": None}
    return [summed(row) | {name: known.get(row["contact_id"], nobody)[name] for name in nobody} for row in rows]
