"""Reads the delivery log. The group commit writes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.base.ids import first_id, made_at
from app.db.engine import Store, among
from app.db.statements import Row, to_json
from app.store.delivery_record import unpacked

# Microseconds between a delivery's arrival, its id and its commit, at most; a clock that is set included. Its id is given on
# arrival, and commits overtake each other: whoever follows the log by ids looks so far back each time.
SLACK = 10_000_000

COLUMNS = ("source_id", "outcome", "kind", "external_id")  # that a filter may ask to be equal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Selects deliveries: every field that is set must match. Times are microseconds; `until` is exclusive.

    `outcomes`, `contacts`: any of these. `ids`: only these. `named`: these count as the contact's, beside those of its
    orders.
    """

    source_id: str | None = None
    outcome: str | None = None
    outcomes: Sequence[str] = ()
    kind: str | None = None
    external_id: str | None = None
    contact_id: str | None = None
    contacts: Sequence[str] = ()
    since: int | None = None
    until: int | None = None
    q: str | None = None
    note: str | None = None
    ids: Sequence[str] | None = None
    named: Sequence[str] = ()

    def alternatives(self) -> "list[DeliveryFilter]":
        """Return filters of one outcome and one way to belong to one contact, which together select the same."""
        plain = replace(self, contacts=(), named=())
        ways = [replace(plain, contact_id=one) for one in self.contacts]
        if self.contact_id is not None or not (self.contacts or self.named):
            ways.append(plain)
        if self.named:
            both = self.named if self.ids is None else [one for one in self.named if one in set(self.ids)]
            ways.append(replace(plain, contact_id=None, ids=both))
        if not self.outcomes:
            return ways
        return [replace(one, outcome=outcome, outcomes=()) for one in ways for outcome in self.outcomes]


def _where(account_id: str, wanted: DeliveryFilter) -> tuple[str, dict[str, Any]]:
    clauses, values = columns_of(wanted)
    clauses.append("account_id = :account_id")
    values["account_id"] = account_id
    whose: list[str] = []
    if their := [*wanted.contacts, *([] if wanted.contact_id is None else [wanted.contact_id])]:
        clause, given = among("contact", their)
        whose.append(
            f"id IN (SELECT h.delivery_id FROM history h WHERE h.account_id = :account_id AND h.contact_id {clause} "
            "AND h.delivery_id IS NOT NULL)"
        )
        values |= given
    for name, ids in (("named", wanted.named), ("only", wanted.ids)):
        if not ids and (name == "named" or ids is None):
            continue
        clause, given = among(name, list(ids))
        values |= given
        (whose if name == "named" else clauses).append(f"id {clause}")
    if whose:
        clauses.append(f"({' OR '.join(whose)})")
    times, bounds = times_of(wanted)
    clauses += times
    values |= bounds
    if wanted.q:
        clauses.append("(lower(reason) LIKE :pattern ESCAPE '!' OR external_id = :word)")
        values |= {"word": wanted.q, "pattern": pattern_of(wanted.q)}
    return " AND ".join(clauses), values


def matches(row: Row, wanted: DeliveryFilter) -> bool:
    """Return whether a row of `page` matches. The filter's contact is not checked: the row does not have it."""
    if any((given := getattr(wanted, name)) is not None and row[name] != given for name in COLUMNS):
        return False
    if wanted.outcomes and row["outcome"] not in wanted.outcomes:
        return False
    if wanted.since is not None and row["received_at"] < wanted.since:
        return False
    if wanted.until is not None and row["received_at"] >= wanted.until:
        return False
    if wanted.note is not None and wanted.note not in row["notes"]:
        return False
    return not wanted.q or wanted.q == row["external_id"] or wanted.q.lower() in (row["reason"] or "").lower()


def columns_of(wanted: DeliveryFilter, but: str | None = None) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions on single columns but one, and their values."""
    values = {name: given for name in COLUMNS if name != but and (given := getattr(wanted, name)) is not None}
    clauses = [f"{name} = :{name}" for name in values]
    if wanted.outcomes:
        clause, outcomes = among("outcome", list(wanted.outcomes))
        clauses.append(f"outcome {clause}")
        values |= outcomes
    if wanted.note is not None:
        clauses.append(HAS_NOTE)
        values["note"] = noted(wanted.note)
    return clauses, values


def times_of(wanted: DeliveryFilter) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions on time, and their values: on `received_at`, and on `id`, by which the log is sorted."""
    clauses, values = list[str](), dict[str, Any]()
    if wanted.since is not None:
        clauses += ["received_at >= :since", "id >= :since_id"]
        values |= {"since": wanted.since, "since_id": first_id("dlv", wanted.since - SLACK)}
    if wanted.until is not None:
        clauses += ["received_at < :until", "id < :until_id"]
        values |= {"until": wanted.until, "until_id": first_id("dlv", wanted.until + SLACK)}
    return clauses, values


HAS_NOTE = "notes LIKE :note ESCAPE '!'"


def noted(note: str) -> str:
    """Return what `HAS_NOTE` takes for rows that have this note; their notes are a JSON list."""
    return pattern_of(to_json(note))


def pattern_of(words: str) -> str:
    """Return a pattern for `LIKE … ESCAPE '!'` that matches texts with these words."""
    escaped = words.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"


def as_read(row: Row) -> Row:
    """Return a log row with its values decoded."""
    return {**row, "notes": json.loads(row["notes"]), "orders": json.loads(row["orders"])}


async def page(store: Store, account_id: str, wanted: DeliveryFilter, *, after: str | None, limit: int) -> list[Row]:
    """Return the log, newest first, before this id. Without bodies."""
    where, values = _where(account_id, wanted)
    if after is not None:
        where += " AND id < :after"
        values["after"] = after
    rows = await store.all(
        f"SELECT * FROM deliveries WHERE {where} ORDER BY id DESC LIMIT :limit", limit=limit, **values
    )
    return [as_read(row) for row in rows]


async def newer(store: Store, account_id: str, wanted: DeliveryFilter, *, than: str, limit: int) -> list[Row]:
    """Return the log after this id, oldest first: what the live log shows next."""
    where, values = _where(account_id, wanted)
    rows = await store.all(
        f"SELECT * FROM deliveries WHERE {where} AND id > :than ORDER BY id LIMIT :limit",
        limit=limit,
        than=than,
        **values,
    )
    return [as_read(row) for row in rows]


def before(delivery_id: str) -> str:
    """Return the smallest id that a delivery committed after this one may have."""
    made = made_at(delivery_id)
    return delivery_id if made is None else first_id("dlv", made - SLACK)


async def newest_ids(store: Store, account_id: str, *, than: str, limit: int) -> list[str]:
    """Return the newest ids of the log after this one, newest first."""
    rows = await store.all(
        "SELECT id FROM deliveries WHERE account_id = :account_id AND id > :than ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        than=than,
        limit=limit,
    )
    return [row["id"] for row in rows]


async def count(store: Store, account_id: str, wanted: DeliveryFilter, *, upto: str) -> int:
    """Return how many deliveries match, up to this id."""
    where, values = _where(account_id, wanted)
    row = await store.one(f"SELECT COUNT(*) AS many FROM deliveries WHERE {where} AND id <= :upto", upto=upto, **values)
    return row["many"] if row else 0


async def find(store: Store, account_id: str, delivery_id: str) -> Row | None:
    """Return one log row."""
    row = await store.one(
        "SELECT * FROM deliveries WHERE account_id = :account_id AND id = :id", account_id=account_id, id=delivery_id
    )
    return as_read(row) if row else None


async def body(store: Store, account_id: str, delivery_id: str) -> tuple[bytes, Row] | None:
    """Return a delivery's exact bytes, and {"headers", "query"}; None once they are pruned."""
    row = await store.one(
        "SELECT content FROM bodies WHERE account_id = :account_id AND delivery_id = :id",
        account_id=account_id,
        id=delivery_id,
    )
    if row is None:
        return None
    return unpacked(row["content"])


async def with_source_id(store: Store, account_id: str, given: str) -> list[str]:
    """Return the deliveries for which their source gave this id, of all sources, also deleted ones."""
    rows = await store.all(
        "SELECT id FROM deliveries WHERE account_id = :account_id AND source_delivery_id = :given ORDER BY id DESC LIMIT 500",
        account_id=account_id,
        given=given,
    )
    return [row["id"] for row in rows]


async def find_all(store: Store, account_id: str, delivery_ids: Sequence[str]) -> list[Row]:
    """Return these log rows, oldest first; missing ones are left out."""
    clause, values = among("delivery", list(delivery_ids))
    rows = await store.all(
        f"SELECT * FROM deliveries WHERE account_id = :account_id AND id {clause} ORDER BY id",
        account_id=account_id,
        **values,
    )
    return [as_read(row) for row in rows]


async def bodies(store: Store, account_id: str, delivery_ids: Sequence[str]) -> dict[str, tuple[bytes, Row]]:
    """Return the same as `body` for many deliveries, without those that are pruned."""
    clause, values = among("delivery", list(delivery_ids))
    rows = await store.all(
        f"SELECT delivery_id, content FROM bodies WHERE account_id = :account_id AND delivery_id {clause}",
        account_id=account_id,
        **values,
    )
    return {row["delivery_id"]: unpacked(row["content"]) for row in rows}
