"""Erasing a person: their data goes; anonymised orders, tombstones and a proof remain.

An erasure holds the lock ("people", account) alone, so that no order is given to a contact meanwhile.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.base.blanking import naming
from app.base.clock import now
from app.base.identity import is_weak
from app.base.statement import identities_in
from app.db.engine import among
from app.db.statements import Insert, Lookup, Plan, Row, Sql, to_json
from app.store import contact_merges, contacts, delivery_rollups, jobs, order_merges, outbox, tombstones
from app.store.contact_merges import ContactGone
from app.store.erasure_deliveries import (
    SOURCES,
    delete_held,
    delete_samples,
    diffs_gone,
    without_bodies,
    without_values,
)
from app.store.erasure_state import Erasure, Mentions, find_shared, locked, parts
from app.store.outbox import Event, HappenedEvent

HISTORY = Lookup("history", by=("account_id", "order_id"))
_SAVE_HISTORY = Insert("history", on_conflict="replace")
_ALIAS = Lookup("aliases", ("order_id", "scope", "name"), by=("account_id", "order_id"))
# What the index itself holds: asked for more, SQLite reads through the account's whole log instead.
_DELIVERIES = Lookup("deliveries", ("id",), by=("account_id", "external_id"))
_IDENTITY = Lookup("identities", ("kind", "value", "contact_id", "source_id"), by=("account_id", "kind", "value"))
_ORDERS_OF_DELIVERY = Lookup("history", ("delivery_id", "order_id"), by=("account_id", "delivery_id"))
_PROOF = Insert("proofs")
_ERASED_CONTACT = Insert("erased_contacts", on_conflict="replace")


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
        erasure.called |= yield from name_of(account_id, one)
        identities += yield Sql(
            "SELECT kind, value FROM identities WHERE account_id = :account_id AND contact_id = :id",
            account_id=account_id,
            id=one,
        )
        rows: list[Row] = yield Sql(
            "SELECT id FROM orders WHERE account_id = :account_id AND contact_id = :id", account_id=account_id, id=one
        )
        orders += [row["id"] for row in rows]
    erasure.words |= {(row["kind"], row["value"]) for row in identities}
    erasure.orders |= set(orders)
    yield from find_shared(erasure)
    for some in parts(orders):
        yield from orders_erased(erasure, some)
    yield from _named_in_orders_of_others(erasure, traces.orders - erasure.orders)
    yield from without_bodies(erasure, sorted(traces.deliveries), "deliveries")
    yield from without_values(erasure, sorted(traces.beside))
    yield from delete_held(erasure)
    yield from _answered(erasure, sorted(traces.deliveries))
    yield from delete_contacts(erasure, family)
    return (yield from finish(erasure))


def name_of(account_id: str, contact_id: str) -> Plan[set[str]]:
    """Return the contact's name, if it has one."""
    rows: list[Row] = yield Sql(
        "SELECT name FROM contacts WHERE account_id = :account_id AND id = :id", account_id=account_id, id=contact_id
    )
    return {row["name"] for row in rows if row["name"]}


def finish(erasure: Erasure) -> Plan[Row]:
    """Write tombstones for everything that was found, and the proof. A phone that others have too gets none."""
    words = {word for word in erasure.words if word not in erasure.shared or not is_weak(word)}
    yield from tombstones.put(erasure.account_id, erasure.scope, sorted(words | erasure.names), erasure.proof_id)
    yield from jobs.forget_people(erasure.account_id)
    named = naming(erasure.own, erasure.called)
    yield from jobs.forget_searches(erasure.account_id, named)
    yield from delivery_rollups.forget_words(erasure.account_id, named)
    proof = erasure.proof()
    yield _PROOF.many([tuple(proof.values())])
    if erasure.request_id is not None:
        yield Sql(
            "UPDATE privacy_requests SET done_at = :at WHERE account_id = :account_id AND id = :id AND done_at IS NULL",
            account_id=erasure.account_id,
            id=erasure.request_id,
            at=proof["done_at"],
        )
    return proof


def orders_erased(erasure: Erasure, ids: Sequence[str]) -> Plan[None]:
    """Anonymise these orders, or delete them, with the bodies of their deliveries."""
    account_id = erasure.account_id
    yield from order_merges.released(account_id, erasure.orders.union(ids))
    clause, values = among("id", list(ids))
    orders: list[Row] = yield Sql(
        "SELECT id, scope, source_id, external_id, value, source_status FROM orders "
        f"WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )
    keys = [(account_id, row["id"]) for row in orders]
    entries: list[Row] = yield HISTORY.many(keys)
    aliases: list[Row] = yield _ALIAS.many(keys)
    names = {(row["scope"], row["external_id"]) for row in orders} | {(row["scope"], row["name"]) for row in aliases}
    for scope, name in names:
        erasure.names |= set(tombstones.order_words(scope, [name]))
    told = {row["delivery_id"] for row in entries if row["delivery_id"]}
    # Deliveries that told nothing new have left no entry.
    further: list[Row] = yield _DELIVERIES.many([(account_id, name) for name in sorted({name for _, name in names})])
    told |= {
        row["id"]
        for row in (yield SOURCES.many([(account_id, row["id"]) for row in further if row["id"] not in told]))
        if (row["source_id"], row["external_id"]) in names
    }
    yield from _other_people(erasure, entries)
    said_of = [json.loads(row["said"]) for row in entries]
    erasure.called |= {name for said in said_of if (name := said.get("customer", {}).get("name"))}
    named = naming(erasure.own.union(*map(identities_in, said_of)), erasure.called)
    salt = yield from tombstones.salt_of(account_id)
    new_ids = {(scope, name): tombstones.renamed(salt, scope, name) for scope, name in names if named(name)}
    if (yield from tombstones.keeps_anonymised_orders(account_id)):
        scopes = {row["id"]: row["scope"] for row in orders}
        rows = []
        for row, said in zip(entries, said_of, strict=True):
            mine = {name: new for (scope, name), new in new_ids.items() if scope == scopes[row["order_id"]]}
            left = tombstones.anonymised_order(said, mine, named)
            rows.append({**row, "said": to_json(left), "contact_id": None})
        if rows:
            yield _SAVE_HISTORY.many([tuple(row[name] for name in _SAVE_HISTORY.columns) for row in rows])
        yield Sql(
            "UPDATE orders SET contact_id = NULL, deal_id = NULL, title = NULL, url = NULL, items = '[]', owner_id = NULL, "
            f"deal_owner_id = NULL, updated_at = :present WHERE account_id = :account_id AND id {clause}",
            account_id=account_id,
            present=now(),
            **values,
        )
    else:
        for table, column in (("history", "order_id"), ("aliases", "order_id"), ("orders", "id")):
            yield Sql(
                f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {clause}",
                account_id=account_id,
                **values,
            )
    yield from _rename(erasure, new_ids)
    unsaid = [row["id"] for row in orders if named(row["source_status"] or "")]
    clause, values = among("id", unsaid)
    yield Sql(
        f"UPDATE orders SET source_status = NULL WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )
    yield from outbox.publish(
        [
            HappenedEvent(account_id=account_id, event=Event.ORDER_UPDATED, subject=row["id"])
            for row in orders
            if row["value"] is not None
        ]
    )
    yield from diffs_gone(erasure, "order", ids)
    erasure.orders |= {row["id"] for row in orders}
    erasure.count("orders", len(orders))
    of_others = {
        row["delivery_id"]
        for row in (yield _ORDERS_OF_DELIVERY.many([(account_id, one) for one in sorted(told)]))
        if row["order_id"] not in erasure.orders
    }
    yield from without_bodies(erasure, sorted(told - of_others), "deliveries")
    yield from without_values(erasure, sorted(of_others))


def _rename(erasure: Erasure, ids: Mapping[tuple[str, str], str]) -> Plan[None]:
    """Replace ids of orders, by scope and id, that name the person. A late delivery that tells one is led to the new one."""
    for (scope, name), new in sorted(ids.items()):
        erasure.names |= set(tombstones.renamed_words(scope, [name]))
        for table, column, where in (
            ("orders", "external_id", "scope"),
            ("aliases", "name", "scope"),
            ("deliveries", "external_id", "source_id"),
        ):
            yield Sql(
                f"UPDATE {table} SET {column} = :new WHERE account_id = :account_id AND {where} = :scope AND {column} = :name",
                account_id=erasure.account_id,
                scope=scope,
                name=name,
                new=new,
            )


def _other_people(erasure: Erasure, entries: Sequence[Row]) -> Plan[None]:
    """Write tombstones for identities that the orders name and that belong to no other contact."""
    named = {one for row in entries for one in identities_in(json.loads(row["said"]))} - erasure.words
    owned = {
        (row["kind"], row["value"])
        for row in (yield _IDENTITY.many([(erasure.account_id, *one) for one in sorted(named)]))
        if row["contact_id"] not in erasure.contacts
    }
    erasure.words |= named - owned - erasure.shared.keys()


def _named_in_orders_of_others(erasure: Erasure, ids: set[str]) -> Plan[None]:
    """Remove what orders of other contacts say about the erased person. The orders stay theirs."""
    for some in parts(sorted(ids)):
        entries: list[Row] = yield HISTORY.many([(erasure.account_id, one) for one in some])
        rows: list[Row] = []
        alone: set[str | None] = set()
        beside: set[str | None] = set()
        for row in entries:
            said = json.loads(row["said"])
            theirs = erasure.own.intersection(identities_in(said))
            if theirs:
                left = tombstones.without_identities(said, theirs)
                rows.append({**row, "said": to_json({**left, "erased": True})})
                (beside if identities_in(left) else alone).add(row["delivery_id"])
        if rows:
            yield _SAVE_HISTORY.many([tuple(row[name] for name in _SAVE_HISTORY.columns) for row in rows])
            erasure.count("orders_of_others", len({row["order_id"] for row in rows}))
        yield from without_bodies(erasure, sorted(filter(None, alone - beside)), "deliveries")
        yield from without_values(erasure, sorted(filter(None, beside)))


def _answered(erasure: Erasure, deliveries: Sequence[str]) -> Plan[None]:
    """Close privacy requests about the person that nobody carried out: nothing is stored any more."""
    for some in parts(deliveries):
        clause, values = among("id", some)
        yield Sql(
            f"UPDATE privacy_requests SET done_at = :present WHERE account_id = :account_id AND done_at IS NULL AND id {clause}",
            account_id=erasure.account_id,
            present=now(),
            **values,
        )


def delete_contacts(erasure: Erasure, ids: Sequence[str]) -> Plan[None]:
    """Delete these contacts, which are one person, the survivor first, and what names them; publish that they are gone."""
    clause, values = among("id", list(ids))
    names: dict[str, Any] = {"account_id": erasure.account_id, **values}
    found: list[Row] = yield Sql(
        f"SELECT id FROM merges WHERE account_id = :account_id AND (contact_id {clause} OR into_id {clause})", **names
    )
    merges, merge_values = among("merge", [row["id"] for row in found])
    for table, column in (("moved", "merge_id"), ("merges", "id")):
        yield Sql(
            f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {merges}",
            account_id=erasure.account_id,
            **merge_values,
        )
    yield Sql(
        "UPDATE orders SET deal_owner_id = NULL WHERE account_id = :account_id AND deal_owner_id IS NOT NULL "
        f"AND deal_id IN (SELECT crm_id FROM deals WHERE account_id = :account_id AND contact_id {clause})",
        **names,
    )
    for table, column in (
        ("identities", "contact_id"),
        ("deals", "contact_id"),
        ("conflicts", "contact_id"),
        ("contacts", "id"),
    ):
        gone: list[Row] = yield Sql(
            f"DELETE FROM {table} WHERE account_id = :account_id AND {column} {clause} RETURNING {column}", **names
        )
        erasure.count(table, len(gone))
    yield from _conflicts_gone(erasure)
    yield from delete_samples(erasure)
    gone_id, *merged = ids
    yield _ERASED_CONTACT.one(account_id=erasure.account_id, id=gone_id, merged=to_json(merged), erased_at=now())
    yield from outbox.publish(
        [
            HappenedEvent(
                account_id=erasure.account_id, event=Event.CONTACT_ERASED, subject=gone_id, detail={"merged": merged}
            )
        ]
    )


def _conflicts_gone(erasure: Erasure) -> Plan[None]:
    for kind, value in sorted(erasure.own):
        yield Sql(
            "DELETE FROM conflicts WHERE account_id = :account_id AND kind = :kind AND value = :value",
            account_id=erasure.account_id,
            kind=kind,
            value=value,
        )
