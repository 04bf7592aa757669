"""Remaps: which deliveries read differently with today's adapter, and how their orders change.

A remap need not repeat the past in its order, because orders are the fold of their history. The history of each order
concerned is taken apart, grouped by which ids belong to one sale, and put together again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from app.base.outcome import Outcome, weightiest
from app.base.statement import Statement, identities_in
from app.db.statements import AdvisoryLock, Insert, Lookup, Plan, Row, Sql, to_json
from app.store import outbox
from app.store.delivery_commit import log_again, names_of
from app.store.delivery_record import Receipt, Record
from app.store.order_aggregate import apart
from app.store.order_list import as_read
from app.store.outbox import OrderChange
from app.store.remap_contacts import IdentityRetraction
from app.store.remap_orders import Regrouping
from app.store.tombstones import matched_each, order_words, redact

LockName = tuple[str, ...]

_TOLD = Lookup(
    "history",
    ("account_id", "order_id", "at", "rank", "digest", "delivery_id"),
    by=("account_id", "delivery_id"),
)
_ENTRY = Lookup(
    "history",
    ("order_id", "at", "rank", "digest", "delivery_id", "said"),
    by=("account_id", "order_id", "at", "rank", "digest"),
)
_ORDER = Lookup("orders", ("external_id", "id"), by=("account_id", "scope", "external_id"))
_THERE = Lookup("orders", ("id",), by=("account_id", "id"))
_ALIAS = Lookup("aliases", ("name", "order_id"), by=("account_id", "scope", "name"))
_HELD = Lookup("held", ("kind", "value", "delivery_id"), by=("account_id", "kind", "value", "delivery_id"))
_BODY = Lookup("bodies", ("delivery_id",), by=("account_id", "delivery_id"))
_LINK = Insert("remap_links", on_conflict="skip")
_LINKS_OF = Lookup("remap_links", ("token", "delivery_id"), by=("account_id", "job_id", "delivery_id"))
_LINKED_BY = Lookup("remap_links", ("token", "delivery_id"), by=("account_id", "job_id", "token"))

PRUNED = ""  # where the name of an order leads that was pruned
TOLD = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED})


class MoreLocksNeeded(Exception):
    """Raised when more orders belong together than were locked: repeat with these names locked as well."""

    def __init__(self, names: frozenset[LockName]) -> None:
        super().__init__("more names are to be locked")
        self.names = names


@dataclass(frozen=True, slots=True, kw_only=True)
class RemapResult:
    """Holds the result, or the would-be result, of a batch. Orders as rows, before and after; None: does not exist."""

    orders: list[tuple[str, Row | None, Row | None]]
    deliveries: dict[str, tuple[Record, Receipt]]
    made: frozenset[str]  # the ids of orders and contacts that are new


# -- What reads differently -------------------------------------------------------------------------------------------


def differing(batch: Sequence[tuple[Record, Row]]) -> Plan[dict[str, set[str]]]:
    """Return which deliveries of one source differ from their record, and what each concerns. A plan that only reads.

    Each record comes with its log row. The result has the orders' ids and names (as tokens) by delivery id.
    """
    records = [rec for rec, _ in batch]
    told: dict[str, list[Row]] = {rec.delivery_id: [] for rec in records}
    for row in (yield _TOLD.many([(rec.account_id, rec.delivery_id) for rec in records])):
        told[row["delivery_id"]].append(row)
    names = sorted(
        {(rec.account_id, rec.source_id, name) for rec in records for said in rec.statements for name in said.all_names}
    )
    orders: dict[str, str] = {row["external_id"]: row["id"] for row in (yield _ORDER.many(names))}
    aliases: list[Row] = yield _ALIAS.many(names)
    ids = sorted({(records[0].account_id, row["order_id"]) for row in aliases})
    there = {row["id"] for row in (yield _THERE.many(ids))}
    for row in aliases:
        orders.setdefault(row["name"], row["order_id"] if row["order_id"] in there else PRUNED)
    keys = {
        (rec.account_id, orders[said.names[0]], *key)
        for rec in records
        for said in rec.statements
        if len({orders.get(name) for name in said.names}) == 1 and said.names[0] in orders
        for key in ((said.at, said.rank, said.digest), apart(said, rec.delivery_id))
    }
    entries = {
        (row["order_id"], row["at"], row["rank"], row["digest"]): (row["delivery_id"], json.loads(row["said"]))
        for row in (yield _ENTRY.many(sorted(keys)))
    }
    waiting = sorted(
        {
            (rec.account_id, kind, value, rec.delivery_id)
            for rec, row in batch
            if row["outcome"] == Outcome.HELD
            for said in rec.statements
            for kind, value in identities_in(said.said)
        }
    )
    held = {(row["delivery_id"], row["kind"], row["value"]) for row in (yield _HELD.many(waiting))}
    found: dict[str, set[str]] = {}
    for rec, row in batch:
        mine = told[rec.delivery_id]
        if not _reads_the_same(rec, row, mine, orders, entries, held):
            tokens = {f"order {one['order_id']}" for one in mine}
            tokens |= {f"name {name}" for said in rec.statements for name in said.all_names}
            tokens |= {
                f"order {orders[name]}" for said in rec.statements for name in said.all_names if orders.get(name)
            }
            found[rec.delivery_id] = tokens or {f"delivery {rec.delivery_id}"}
    return found


def _reads_the_same(
    rec: Record,
    row: Row,
    mine: list[Row],
    orders: Mapping[str, str],
    entries: Mapping[tuple[str, int, int, str], tuple[str | None, Any]],
    held: set[tuple[str, str, str]],
) -> bool:
    if rec.kind != row["kind"]:
        return False
    if rec.outcome is not None:
        return not mine and (rec.outcome, rec.reason, rec.external_id) == (
            row["outcome"],
            row["reason"],
            row["external_id"],
        )
    if row["outcome"] in {Outcome.UNREADABLE, Outcome.UNFETCHED, Outcome.FETCHING}:
        return False
    if row["external_id"] != rec.statements[0].names[0]:
        return False
    if ("unknown_status" in row["notes"]) != ("unknown_status" in rec.notes):
        return False
    said_here: set[tuple[str | None, int, int, str]] = set()
    for said in rec.statements:
        homes = {orders.get(name) for name in said.names}
        if PRUNED in homes and homes <= {PRUNED, None}:
            continue  # nothing of it is brought back, whatever it says
        home = homes.pop() if len(homes) == 1 else None
        own = (home, *apart(said, rec.delivery_id))
        key = own if own in entries else (home, said.at, said.rank, said.digest)
        if key in said_here:  # twice the same: the first counts
            continue
        said_here.add(key)
        by, words = entries.get(key, (None, None)) if key[0] is not None else (None, None)  # type: ignore[arg-type]  # not None
        if words is None:
            waits = all((rec.delivery_id, kind, value) in held for kind, value in identities_in(said.said))
            if row["outcome"] != Outcome.HELD or not waits:
                return False
        elif by == rec.delivery_id and _unjoined(words, said) != json.loads(to_json(said.said)):
            return False
    return all((one["order_id"], one["at"], one["rank"], one["digest"]) in said_here for one in mine)


def _unjoined(words: Mapping[str, Any], said: Statement) -> Mapping[str, Any]:
    """Return what was recorded, without the names by which attempts were joined then."""
    aliases = [name for name in words.get("aliases", ()) if name not in said.attempt_of]
    if len(aliases) == len(words.get("aliases", ())):
        return words
    bare = {name: value for name, value in words.items() if name != "aliases"}
    return {**bare, "aliases": aliases} if aliases else bare


# -- What hangs together ----------------------------------------------------------------------------------------------


def link(account_id: str, job_id: str, found: Mapping[str, set[str]]) -> Plan[None]:
    """Record what these deliveries concern, as part of a plan."""
    rows = [(account_id, job_id, token, delivery) for delivery, tokens in found.items() for token in sorted(tokens)]
    if rows:
        yield _LINK.many(rows)


def unlink(account_id: str, job_id: str, delivery_ids: Sequence[str]) -> Plan[None]:
    """Mark these deliveries as done, as part of a plan."""
    for delivery_id in delivery_ids:
        yield Sql(
            "DELETE FROM remap_links WHERE account_id = :account_id AND job_id = :job_id AND delivery_id = :id",
            account_id=account_id,
            job_id=job_id,
            id=delivery_id,
        )


def together(account_id: str, job_id: str, *, seeds: int, enough: int, most: int) -> Plan[list[str]]:
    """Return the next deliveries to apply, with all others of the same orders. A plan that only reads.

    No further group is begun once there are `enough`, and none is followed beyond `most`. Empty: none is left.
    """
    rows: list[Row] = yield Sql(
        "SELECT DISTINCT delivery_id FROM remap_links WHERE account_id = :account_id AND job_id = :job_id "
        "ORDER BY delivery_id LIMIT :seeds",
        account_id=account_id,
        job_id=job_id,
        seeds=seeds,
    )
    deliveries: set[str] = set()
    tokens: set[str] = set()
    for row in rows:
        if row["delivery_id"] in deliveries:
            continue
        if len(deliveries) >= enough:
            break
        fresh = {row["delivery_id"]}
        while fresh and len(deliveries) <= most:
            deliveries |= fresh
            links: list[Row] = yield _LINKS_OF.many([(account_id, job_id, one) for one in sorted(fresh)])
            further = {one["token"] for one in links} - tokens
            tokens |= further
            linked: list[Row] = yield _LINKED_BY.many([(account_id, job_id, one) for one in sorted(further)])
            fresh = {one["delivery_id"] for one in linked} - deliveries
    return sorted(deliveries)


# -- Told anew --------------------------------------------------------------------------------------------------------


def apply_again(
    batch: Sequence[Record], rows: Mapping[str, Row], locked: frozenset[LockName], *, for_real: bool
) -> Plan[RemapResult]:
    """Replace what deliveries of one source said with what they say now. `rows` are their log rows.

    Without `for_real` the plan only reads. Raises MoreLocksNeeded.
    """
    # A plan may be run again from its start: what it adds to a record must not stay.
    batch = sorted(
        (replace(rec, notes=list(rec.notes)) for rec in batch), key=lambda rec: (rec.received_at, rec.delivery_id)
    )
    account_id, source_id = batch[0].account_id, batch[0].source_id
    locked |= frozenset(names_of(batch))
    if for_real:
        yield AdvisoryLock(locked, shared=[("people", account_id)])
    kept: list[Row] = yield _BODY.many([(account_id, rec.delivery_id) for rec in batch])
    there = {row["delivery_id"] for row in kept}
    batch = [rec for rec in batch if rec.delivery_id in there]  # pruned or erased meanwhile: it says nothing any more
    if for_real:
        yield from redact(batch)
    else:
        words = [[word for said in rec.statements for word in _words(rec, said)] for rec in batch]
        found = yield from matched_each(account_id, words, source_id)
        batch = [rec for rec, erased in zip(batch, found, strict=True) if erased.proof_id is None]
    if not batch:
        return RemapResult(orders=[], deliveries={}, made=frozenset())
    aggregates = Regrouping(account_id, source_id)
    contacts = IdentityRetraction(aggregates)
    wanted = [(account_id, source_id, one[3]) for one in locked if one[0] == "order"]
    yield from aggregates.load(wanted, [(account_id, rec.delivery_id) for rec in batch])
    names = yield from aggregates.names()
    identities = aggregates.identities()
    needed = {("order", account_id, source_id, name) for name in names} | {("identity", *one) for one in identities}
    if not needed <= locked:
        raise MoreLocksNeeded(locked | needed)
    yield from contacts.load([one[1:] for one in locked if one[0] == "identity"])  # type: ignore[misc]  # three words
    aggregates.take_apart(batch)
    yield from contacts.retract(batch)
    ends = {rec.delivery_id: _write(rec, aggregates, contacts) for rec in batch}
    aggregates.finish(batch[0], contacts)
    remapped = _became(batch, rows, aggregates, contacts, ends)
    if for_real:
        yield from aggregates.clear()
        yield from contacts.forget()
        yield from contacts.save()
        yield from aggregates.save()
        yield from contacts.tidy()
        for rec, receipt in remapped.deliveries.values():
            waits = (
                [one for said in rec.statements for one in contacts.nobodys_yet(account_id, identities_in(said.said))]
                if receipt.outcome is Outcome.HELD
                else []
            )
            yield from log_again(rec, receipt, waits)
        yield from _name_orders(account_id, sorted(aggregates.moved() - there))
        # Whoever was told the misreading is told what is right.
        yield from outbox.publish_orders(
            [account_id],
            (
                OrderChange(account_id=account_id, order_id=order_id, before=before, after=after)
                for order_id, before, after in remapped.orders
            ),
        )
    return remapped


def _words(rec: Record, said: Statement) -> list[tuple[str, str]]:
    """Return what an erased person would be known by."""
    return [*identities_in(said.said), *order_words(rec.source_id, said.names)]


Ended = list[
    tuple[Outcome, str | None, str | None]
]  # of each statement: what became of it, its order's name, the reason


def _write(rec: Record, aggregates: Regrouping, contacts: IdentityRetraction) -> Ended:
    if rec.outcome is not None:
        return [(rec.outcome, None, rec.reason)]
    ended: Ended = []
    for said in rec.statements:
        outcome, order, why, notes = aggregates.apply(rec, said, contacts)
        rec.notes += [note for note in notes if note not in rec.notes]
        ended.append((outcome, said.names[0] if order is not None else None, why))
    return ended


def _became(
    batch: Sequence[Record],
    rows: Mapping[str, Row],
    aggregates: Regrouping,
    contacts: IdentityRetraction,
    ends: Mapping[str, Ended],
) -> RemapResult:
    """Return orders before and after, and each delivery's outcome.

    A delivery that created an order keeps that outcome.
    """
    living = {id(order) for order in aggregates.orders()}
    orders = [
        (
            was.order.id,
            _described(was.order.row),
            _described(was.order.columns) if id(was.order) in living and was.order.heard else None,
        )
        for was in aggregates.was
    ]
    orders += [
        (order.id, None, _described(order.columns))
        for order in aggregates.orders()
        if order.row is None and order.heard
    ]
    orders += [(one.id, _described(one.row), _described(one.columns)) for one in aggregates.beside()]
    deliveries: dict[str, tuple[Record, Receipt]] = {}
    made: set[str] = set()
    for rec in batch:
        outcomes: list[Outcome] = []
        told: dict[str, None] = {}
        for outcome, name, _ in ends[rec.delivery_id]:
            outcomes.append(outcome)
            if name is None:
                continue
            order = aggregates.order_of(name)
            if outcome in TOLD:
                was_there = order.row is not None and order.row["value"] is not None
                outcomes[-1] = Outcome.UPDATED if was_there or order.id in made else Outcome.CREATED
                made.add(order.id)
            if order.described:
                told[order.id] = None
        ended = weightiest(outcomes) if rec.outcome is None else rec.outcome
        before = rows[rec.delivery_id]["outcome"]
        if ended in TOLD and before in TOLD:
            ended = Outcome(before)
        reason = next((why for _, _, why in ends[rec.delivery_id] if why), rec.reason)
        deliveries[rec.delivery_id] = rec, Receipt(rec.delivery_id, ended, tuple(told), reason)
    return RemapResult(
        orders=[one for one in orders if not _alike(one[1], one[2])],
        deliveries=deliveries,
        made=contacts.made() | {order.id for order in aggregates.orders() if order.row is None},
    )


def _described(row: Row | None) -> Row | None:
    """Return the order if anything has described it; else it is not shown."""
    if row is None or row["value"] is None:
        return None
    return as_read(row)


def _alike(before: Row | None, after: Row | None) -> bool:
    if before is None or after is None:
        return before is after
    return all(before[name] == value for name, value in after.items() if name != "updated_at")


def _name_orders(account_id: str, delivery_ids: Sequence[str]) -> Plan[None]:
    """Update the orders that the log names for these deliveries."""
    for delivery_id in delivery_ids:
        rows: list[Row] = yield Sql(
            "SELECT DISTINCT COALESCE(o.sale_id, o.id) AS order_id FROM history h JOIN orders o ON o.account_id = h.account_id "
            "AND o.id = h.order_id WHERE h.account_id = :account_id AND h.delivery_id = :id "
            "AND (o.value IS NOT NULL OR o.sale_id IS NOT NULL) ORDER BY order_id",
            account_id=account_id,
            id=delivery_id,
        )
        yield Sql(
            "UPDATE deliveries SET orders = :orders WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=delivery_id,
            orders=to_json([row["order_id"] for row in rows]),
        )
