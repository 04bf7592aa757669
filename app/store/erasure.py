"""Erasing a person: their data goes; anonymised orders, tombstones and a proof remain.

An erasure holds the lock ("people", account) alone, so that no order is given to a contact meanwhile.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base.clock import now
from app.base.identity import KINDS
from app.base.ids import new_id
from app.base.outcome import Outcome
from app.base.statement import identities_in
from app.db.engine import among
from app.db.statements import AdvisoryLock, Insert, Lookup, Plan, Row, Sql, to_json
from app.store import contact_merges, contacts, jobs, outbox, tombstones
from app.store.contact_merges import ContactGone
from app.store.delivery_rollups import COUNTED_BY, move_counts
from app.store.outbox import Event, HappenedEvent
from app.store.tombstones import Word

AT_ONCE = 500  # orders whose history is rewritten in one go

_HISTORY = Lookup("history", by=("account_id", "order_id"))
_SAVE_HISTORY = Insert("history", on_conflict="replace")
_ALIAS = Lookup("aliases", ("order_id", "scope", "name"), by=("account_id", "order_id"))
# What the index itself holds: asked for more, SQLite reads through the account's whole log instead.
_DELIVERIES = Lookup("deliveries", ("id",), by=("account_id", "external_id"))
_SOURCES = Lookup("deliveries", ("id", "source_id", "external_id"), by=("account_id", "id"))
_IDENTITY = Lookup("identities", ("kind", "value", "contact_id", "source_id"), by=("account_id", "kind", "value"))
_HELD = Lookup("held", ("delivery_id",), by=("account_id", "kind", "value"))
_BY_NAME = Lookup("orders", ("id",), by=("account_id", "scope", "external_id"))
_BY_ALIAS = Lookup("aliases", ("order_id",), by=("account_id", "scope", "name"))
_PROOF = Insert("proofs")

_ERASED = "the person it names was erased"


@dataclass(slots=True)
class Mentions:
    """Holds where a person is named beside their orders: orders of others, and deliveries without an order."""

    orders: set[str] = field(default_factory=set)
    deliveries: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Erasure:
    """Holds the state of one erasure. `source_id` limits it to what that source gave; None: all of the account."""

    account_id: str
    action: str
    source_id: str | None = None
    request_id: str | None = None
    member_id: str | None = None
    proof_id: str = field(default_factory=lambda: new_id("prf"))
    counts: dict[str, int] = field(default_factory=dict)
    words: set[Word] = field(default_factory=set)  # the identities, which get a tombstone each
    names: set[Word] = field(default_factory=set)  # what stands for the orders; they get one as well
    contacts: set[str] = field(default_factory=set)  # ids that nothing may name any more
    orders: set[str] = field(default_factory=set)

    @property
    def scope(self) -> str:
        """Return the tombstones' scope."""
        return self.source_id or ""

    def count(self, what: str, many: int) -> None:
        """Count what was erased."""
        self.counts[what] = self.counts.get(what, 0) + many

    def proof(self) -> Row:
        """Return the proof's row."""
        return {
            "account_id": self.account_id, "id": self.proof_id, "action": self.action, "source_id": self.source_id,
            "request_id": self.request_id, "member_id": self.member_id, "counts": to_json(self.counts), "done_at": now(),
        }  # fmt: skip


def locked(account_id: str) -> AdvisoryLock:
    """Return the lock that every step of an erasure begins with."""
    return AdvisoryLock([("people", account_id)])


def person(erasure: Erasure, contact_id: str, traces: Mentions) -> Plan[Row]:
    """Erase a contact with everybody merged into it. Returns the proof. Raises ContactGone."""
    account_id = erasure.account_id
    yield locked(account_id)
    survivor = yield from contacts.survivor(account_id, contact_id)
    if survivor is None:
        raise ContactGone("contact")
    family = yield from contact_merges.family(account_id, survivor)
    erasure.contacts |= set(family)
    identities: list[Row] = []
    orders: list[str] = []
    for one in family:
        identities += yield Sql(
            "SELECT kind, value FROM identities WHERE account_id = :account_id AND contact_id = :id",
            account_id=account_id, id=one,
        )  # fmt: skip
        rows: list[Row] = yield Sql(
            "SELECT id FROM orders WHERE account_id = :account_id AND contact_id = :id", account_id=account_id, id=one
        )
        orders += [row["id"] for row in rows]
    erasure.words |= {(row["kind"], row["value"]) for row in identities}
    for some in _parts(orders):
        yield from orders_erased(erasure, some)
    yield from _named_in_orders_of_others(erasure, traces.orders - erasure.orders)
    yield from _without_body(erasure, sorted(traces.deliveries), "deliveries")
    yield from _held(erasure)
    yield from _answered(erasure, sorted(traces.deliveries))
    yield from _contacts_gone(erasure, family)
    return (yield from finish(erasure))


def finish(erasure: Erasure) -> Plan[Row]:
    """Write tombstones for everything that was found, and the proof."""
    yield from tombstones.put(
        erasure.account_id, erasure.scope, sorted(erasure.words | erasure.names), erasure.proof_id
    )
    yield from jobs.forget_orders(erasure.account_id)
    proof = erasure.proof()
    yield _PROOF.many([tuple(proof.values())])
    if erasure.request_id is not None:
        yield Sql(
            "UPDATE privacy_requests SET done_at = :at WHERE account_id = :account_id AND id = :id AND done_at IS NULL",
            account_id=erasure.account_id, id=erasure.request_id, at=proof["done_at"],
        )  # fmt: skip
    return proof


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for at in range(0, len(ids), AT_ONCE):
        yield list(ids[at : at + AT_ONCE])


def orders_erased(erasure: Erasure, ids: Sequence[str]) -> Plan[None]:
    """Anonymise these orders, or delete them, with the bodies of their deliveries."""
    account_id = erasure.account_id
    clause, values = among("id", list(ids))
    orders: list[Row] = yield Sql(
        f"SELECT id, scope, source_id, external_id, value FROM orders WHERE account_id = :account_id AND id {clause}",
        account_id=account_id, **values,
    )  # fmt: skip
    keys = [(account_id, row["id"]) for row in orders]
    entries: list[Row] = yield _HISTORY.many(keys)
    aliases: list[Row] = yield _ALIAS.many(keys)
    names = {(row["scope"], row["external_id"]) for row in orders} | {(row["scope"], row["name"]) for row in aliases}
    for scope, name in names:
        erasure.names |= set(tombstones.order_words(scope, [name]))
    told = {row["delivery_id"] for row in entries if row["delivery_id"]}
    # Deliveries that told nothing new have left no entry.
    further: list[Row] = yield _DELIVERIES.many([(account_id, name) for name in sorted({name for _, name in names})])
    told |= {
        row["id"]
        for row in (yield _SOURCES.many([(account_id, row["id"]) for row in further if row["id"] not in told]))
        if (row["source_id"], row["external_id"]) in names
    }
    yield from _other_people(erasure, entries)
    if (yield from tombstones.keeps_anonymised_orders(account_id)):
        rows = [
            {**row, "said": to_json(tombstones.anonymised_order(json.loads(row["said"]))), "contact_id": None}
            for row in entries
        ]
        if rows:
            yield _SAVE_HISTORY.many([tuple(row[name] for name in _SAVE_HISTORY.columns) for row in rows])
        yield Sql(
            "UPDATE orders SET contact_id = NULL, deal_id = NULL, title = NULL, url = NULL, items = '[]', owner_id = NULL, "
            f"deal_owner_id = NULL, updated_at = :present WHERE account_id = :account_id AND id {clause}",
            account_id=account_id, present=now(), **values,
        )  # fmt: skip
    else:
        for table, column in (("history", "order_id"), ("aliases", "order_id"), ("orders", "id")):
            yield Sql(f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {clause}",
                      account_id=account_id, **values)  # fmt: skip
    yield from outbox.publish([
        HappenedEvent(account_id=account_id, event=Event.ORDER_UPDATED, subject=row["id"])
        for row in orders if row["value"] is not None
    ])  # fmt: skip
    yield from _diffs_gone(erasure, "order", ids)
    erasure.orders |= {row["id"] for row in orders}
    erasure.count("orders", len(orders))
    yield from _without_body(erasure, sorted(told), "deliveries")


def _other_people(erasure: Erasure, entries: Sequence[Row]) -> Plan[None]:
    """Write tombstones for identities that the orders name and that belong to no other contact."""
    named = {one for row in entries for one in identities_in(json.loads(row["said"]))} - erasure.words
    owned = {
        (row["kind"], row["value"])
        for row in (yield _IDENTITY.many([(erasure.account_id, *one) for one in sorted(named)]))
        if row["contact_id"] not in erasure.contacts
    }
    erasure.words |= named - owned


def _named_in_orders_of_others(erasure: Erasure, ids: set[str]) -> Plan[None]:
    """Remove what orders of other contacts say about the erased person. The orders stay theirs."""
    for some in _parts(sorted(ids)):
        entries: list[Row] = yield _HISTORY.many([(erasure.account_id, one) for one in some])
        rows, told = [], set()
        for row in entries:
            said = json.loads(row["said"])
            if erasure.words.intersection(identities_in(said)):
                del said["customer"]
                rows.append({**row, "said": to_json({**said, "erased": True})})
                told |= {row["delivery_id"]} - {None}
        if rows:
            yield _SAVE_HISTORY.many([tuple(row[name] for name in _SAVE_HISTORY.columns) for row in rows])
            erasure.count("orders_of_others", len({row["order_id"] for row in rows}))
        yield from _without_body(erasure, sorted(told), "deliveries")


def _without_body(erasure: Erasure, ids: Sequence[str], what: str) -> Plan[None]:
    """Delete the bodies of these deliveries. Their log rows stay, and say why."""
    for some in _parts(ids):
        clause, values = among("id", some)
        gone: list[Row] = yield Sql(
            f"DELETE FROM bodies WHERE account_id = :account_id AND delivery_id {clause} RETURNING delivery_id",
            account_id=erasure.account_id, **values,
        )  # fmt: skip
        erasure.count(what, len(gone))
        yield Sql(
            "UPDATE deliveries SET reason = :reason, notes = CASE WHEN notes = '[]' THEN '[\"erased\"]' "
            "WHEN notes LIKE '%\"erased\"%' THEN notes ELSE substr(notes, 1, length(notes) - 1) || ',\"erased\"]' END "
            f"WHERE account_id = :account_id AND id {clause}",
            account_id=erasure.account_id, reason=_ERASED, **values,
        )  # fmt: skip
        yield Sql(
            f"DELETE FROM fetches WHERE account_id = :account_id AND delivery_id {clause}",
            account_id=erasure.account_id, **values,
        )  # fmt: skip
        yield from _diffs_gone(erasure, "delivery", some)
        for waits in (Outcome.HELD, Outcome.FETCHING):  # for what will never be read again
            ended: list[Row] = yield Sql(
                f"UPDATE deliveries SET outcome = 'ignored' WHERE account_id = :account_id AND outcome = '{waits}' "
                f"AND id {clause} RETURNING {COUNTED_BY}",
                account_id=erasure.account_id, **values,
            )  # fmt: skip
            yield from move_counts(ended, waits, Outcome.IGNORED)


def _diffs_gone(erasure: Erasure, kind: str, ids: Sequence[str]) -> Plan[None]:
    """Delete the recorded differences of remaps: they have the person's data."""
    clause, values = among("id", list(ids))
    yield Sql(
        f"DELETE FROM job_changes WHERE account_id = :account_id AND kind = :kind AND subject {clause}",
        account_id=erasure.account_id, kind=kind, **values,
    )  # fmt: skip


def _held(erasure: Erasure) -> Plan[None]:
    """Delete the person's deliveries on hold, of this source or of all."""
    rows: list[Row] = yield _HELD.many([(erasure.account_id, *word) for word in sorted(erasure.words)])
    waiting = sorted({row["delivery_id"] for row in rows})
    for some in _parts(waiting):
        clause, values = among("id", some)
        if erasure.source_id is not None:
            mine: list[Row] = yield Sql(
                f"SELECT id FROM deliveries WHERE account_id = :account_id AND source_id = :source_id AND id {clause}",
                account_id=erasure.account_id, source_id=erasure.source_id, **values,
            )  # fmt: skip
            clause, values = among("id", [row["id"] for row in mine])
        yield from _without_body(erasure, list(values.values()), "held")
        yield Sql(
            f"DELETE FROM held WHERE account_id = :account_id AND delivery_id {clause}",
            account_id=erasure.account_id, **values,
        )  # fmt: skip


def _answered(erasure: Erasure, deliveries: Sequence[str]) -> Plan[None]:
    """Close privacy requests about the person that nobody carried out: nothing is stored any more."""
    for some in _parts(deliveries):
        clause, values = among("id", some)
        yield Sql(
            f"UPDATE privacy_requests SET done_at = :present WHERE account_id = :account_id AND done_at IS NULL AND id {clause}",
            account_id=erasure.account_id, present=now(), **values,
        )  # fmt: skip


def _contacts_gone(erasure: Erasure, ids: Sequence[str]) -> Plan[None]:
    clause, values = among("id", list(ids))
    names: dict[str, Any] = {"account_id": erasure.account_id, **values}
    found: list[Row] = yield Sql(
        f"SELECT id FROM merges WHERE account_id = :account_id AND (contact_id {clause} OR into_id {clause})", **names
    )
    merges, merge_values = among("merge", [row["id"] for row in found])
    for table, column in (("moved", "merge_id"), ("merges", "id")):
        yield Sql(
            f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {merges}",
            account_id=erasure.account_id, **merge_values,
        )  # fmt: skip
    yield Sql(
        "UPDATE orders SET deal_owner_id = NULL WHERE account_id = :account_id AND deal_owner_id IS NOT NULL "
        f"AND deal_id IN (SELECT crm_id FROM deals WHERE account_id = :account_id AND contact_id {clause})",
        **names,
    )
    for table, column in (
        ("identities", "contact_id"), ("deals", "contact_id"), ("conflicts", "contact_id"), ("contacts", "id"),
    ):  # fmt: skip
        gone: list[Row] = yield Sql(
            f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {clause} RETURNING {column}", **names
        )
        erasure.count(table, len(gone))
    yield from _conflicts_gone(erasure)
    yield from _samples_gone(erasure)
    gone_id, *merged = ids
    yield from outbox.publish(
        [
            HappenedEvent(
                account_id=erasure.account_id, event=Event.CONTACT_ERASED, subject=gone_id, detail={"merged": merged}
            )
        ]
    )


def _conflicts_gone(erasure: Erasure) -> Plan[None]:
    for kind, value in sorted(erasure.words):
        yield Sql(
            "DELETE FROM conflicts WHERE account_id = :account_id AND kind = :kind AND value = :value",
            account_id=erasure.account_id, kind=kind, value=value,
        )  # fmt: skip


def _samples_gone(erasure: Erasure) -> Plan[None]:
    """Delete samples of rejected deliveries that name the person in their headers."""
    values = [value for kind, value in erasure.words if kind in ("email", "phone", "document")]
    rows: list[Row] = yield Sql(
        "SELECT source_id, outcome, reason, samples FROM refusals WHERE account_id = :account_id",
        account_id=erasure.account_id,
    )
    for row in rows if values else ():
        samples = json.loads(row["samples"])
        kept = [one for one in samples if not any(value in to_json(one).casefold() for value in values)]
        if len(kept) < len(samples):
            yield Sql(
                "UPDATE refusals SET samples = :samples WHERE account_id = :account_id AND source_id = :source_id "
                "AND outcome = :outcome AND reason = :reason",
                account_id=erasure.account_id, source_id=row["source_id"], outcome=row["outcome"],
                reason=row["reason"], samples=json.dumps(kept),
            )  # fmt: skip


def identities_from_source(
    erasure: Erasure, identities: Sequence[Word], names: Sequence[str], traces: Mentions
) -> Plan[Row]:
    """Erase what one source gave about a person with these identities or orders. Returns the proof.

    What others gave stays: an identity that another source's orders have too counts from then on as given by that
    source.
    """
    account_id, source_id = erasure.account_id, erasure.scope
    yield locked(account_id)
    erasure.words |= set(identities)
    owner = yield from _owner(account_id, identities)
    orders: set[str] = set()
    for lookup, column in ((_BY_NAME, "id"), (_BY_ALIAS, "order_id")):
        found: list[Row] = yield lookup.many([(account_id, source_id, name) for name in sorted(set(names))])
        orders |= {row[column] for row in found}
    if owner is not None:
        erasure.contacts.add(owner)
        found = yield Sql(
            "SELECT id FROM orders WHERE account_id = :account_id AND contact_id = :id AND source_id = :source_id",
            account_id=account_id, id=owner, source_id=source_id,
        )  # fmt: skip
        orders |= {row["id"] for row in found}
    for some in _parts(sorted(orders)):
        yield from orders_erased(erasure, some)
    yield from _without_body(erasure, sorted(traces.deliveries | {erasure.request_id or ""}), "deliveries")
    yield from _held(erasure)
    if owner is not None:
        yield from contact_without_source(erasure, owner)
    yield from _samples_gone(erasure)
    return (yield from finish(erasure))


def _owner(account_id: str, identities: Sequence[Word]) -> Plan[str | None]:
    """Return the contact of the strongest of these identities."""
    rows: list[Row] = yield _IDENTITY.many([(account_id, *one) for one in dict.fromkeys(identities)])
    owners = {(row["kind"], row["value"]): row["contact_id"] for row in rows}
    return next((owners[one] for kind in KINDS for one in identities if one[0] == kind and one in owners), None)


def contact_without_source(erasure: Erasure, contact_id: str) -> Plan[None]:
    """Remove what the source gave from a contact. A contact that has nothing else is deleted."""
    account_id, source_id = erasure.account_id, erasure.scope
    names = {"account_id": account_id, "id": contact_id}
    told: list[Row] = yield Sql(
        "SELECT kind, value FROM identities WHERE account_id = :account_id AND contact_id = :id AND source_id = :source_id",
        **names, source_id=source_id,
    )  # fmt: skip
    by_others, name, orders = yield from _identities_from_others(account_id, contact_id, source_id)
    for row in told:
        word = (row["kind"], row["value"])
        where = "WHERE account_id = :account_id AND kind = :kind AND value = :value"
        if other := by_others.get(word):
            yield Sql(f"UPDATE identities SET source_id = :other {where}", **names_of(account_id, word), other=other)
            continue
        erasure.words.add(word)
        erasure.count("identities", 1)
        yield Sql(f"DELETE FROM identities {where}", **names_of(account_id, word))
        yield Sql(
            "DELETE FROM moved WHERE account_id = :account_id AND what = :kind AND name = :value",
            **names_of(account_id, word),
        )
    left: list[Row] = yield Sql(
        "SELECT c.crm_id, c.by_webhook, (SELECT count(*) FROM identities i WHERE i.account_id = c.account_id "
        "AND i.contact_id = c.id) AS identities FROM contacts c WHERE c.account_id = :account_id AND c.id = :id",
        **names,
    )
    if not left or left[0]["crm_id"] is not None or not left[0]["by_webhook"]:
        return  # the CRM's own, and its name the CRM's word
    if not left[0]["identities"] and not orders:
        yield from _contacts_gone(erasure, (yield from contact_merges.family(account_id, contact_id)))
    else:
        yield Sql("UPDATE contacts SET name = :name WHERE account_id = :account_id AND id = :id", **names, name=name)


def names_of(account_id: str, word: Word) -> dict[str, str]:
    """Return an identity as parameters."""
    return {"account_id": account_id, "kind": word[0], "value": word[1]}


def _identities_from_others(
    account_id: str, contact_id: str, source_id: str
) -> Plan[tuple[dict[Word, str], str | None, int]]:
    """Return the identities in other sources' orders, with their source; the latest name; and the number of orders."""
    orders: list[Row] = yield Sql(
        "SELECT id, source_id FROM orders WHERE account_id = :account_id AND contact_id = :id "
        "AND (source_id IS NULL OR source_id <> :source_id) ORDER BY id",
        account_id=account_id, id=contact_id, source_id=source_id,
    )  # fmt: skip
    whose = {row["id"]: row["source_id"] for row in orders}
    words: dict[Word, str] = {}
    name: tuple[int, str | None] = (-2, None)
    for some in _parts(list(whose)):
        entries: list[Row] = yield _HISTORY.many([(account_id, one) for one in some])
        for row in entries:
            said = json.loads(row["said"])
            customer = said.get("customer")
            if customer and whose[row["order_id"]]:
                words |= dict.fromkeys(identities_in(said), whose[row["order_id"]])
                if customer.get("name") and row["at"] > name[0]:
                    name = (row["at"], customer["name"])
    return words, name[1], len(orders)


def shop_closed(erasure: Erasure) -> Plan[None]:
    """Write the tombstone of a shop, the first step of erasing it: nothing it sends names anybody from now on."""
    yield locked(erasure.account_id)
    yield from tombstones.put(erasure.account_id, "", [(tombstones.SHOP, erasure.scope)], erasure.proof_id)


def shop_orders(erasure: Erasure, after: str) -> Plan[str | None]:
    """Erase the shop's next orders. Returns the last one's id, None when there are no more."""
    yield locked(erasure.account_id)
    rows: list[Row] = yield Sql(
        "SELECT id FROM orders WHERE account_id = :account_id AND source_id = :source_id AND id > :after ORDER BY id LIMIT :few",
        account_id=erasure.account_id, source_id=erasure.scope, after=after, few=AT_ONCE,
    )  # fmt: skip
    if not rows:
        return None
    yield from orders_erased(erasure, [row["id"] for row in rows])
    _forget_words(erasure)
    last: str = rows[-1]["id"]
    return last


def _forget_words(erasure: Erasure) -> None:
    """Drop single tombstones: the whole shop has one."""
    erasure.words.clear()
    erasure.names.clear()
    erasure.orders.clear()


def shop_deliveries(erasure: Erasure, after: str) -> Plan[str | None]:
    """Delete the bodies of the shop's next deliveries. Returns the last one's id, None when there are no more."""
    yield locked(erasure.account_id)
    rows: list[Row] = yield Sql(
        "SELECT id FROM deliveries WHERE account_id = :account_id AND source_id = :source_id AND id > :after "
        "ORDER BY id LIMIT :few",
        account_id=erasure.account_id, source_id=erasure.scope, after=after, few=AT_ONCE,
    )  # fmt: skip
    if not rows:
        return None
    ids = [row["id"] for row in rows]
    yield from _without_body(erasure, ids, "deliveries")
    clause, values = among("id", ids)
    yield Sql(f"DELETE FROM held WHERE account_id = :account_id AND delivery_id {clause}",
              account_id=erasure.account_id, **values)  # fmt: skip
    last: str = rows[-1]["id"]
    return last


def shop_people(erasure: Erasure, after: str) -> Plan[str | None]:
    """Erase what the shop gave about the next contacts. Returns the last one's id, None when there are no more."""
    yield locked(erasure.account_id)
    rows: list[Row] = yield Sql(
        "SELECT DISTINCT contact_id FROM identities WHERE account_id = :account_id AND source_id = :source_id "
        "AND contact_id > :after ORDER BY contact_id LIMIT :few",
        account_id=erasure.account_id, source_id=erasure.scope, after=after, few=AT_ONCE,
    )  # fmt: skip
    for row in rows:
        yield from contact_without_source(erasure, row["contact_id"])
    _forget_words(erasure)
    last: str | None = rows[-1]["contact_id"] if rows else None
    return last


def shop_done(erasure: Erasure) -> Plan[Row]:
    """Return the proof."""
    yield locked(erasure.account_id)
    return (yield from finish(erasure))
