"""Erasing what one source gave: of a person, or, when a shop closes, of everybody.

What other sources gave stays. The steps of a shop's erasure each hold the lock of `erasure.locked`.
"""

import json
from collections.abc import Sequence

from app.base.statement import identities_in
from app.db.statements import Lookup, Plan, Row, Sql
from app.store import contact_merges, tombstones
from app.store.contact_resolution import whose
from app.store.erasure import HISTORY, delete_contacts, finish, name_of, orders_erased
from app.store.erasure_deliveries import delete_held, delete_samples, without_bodies, without_values
from app.store.erasure_state import AT_ONCE, Erasure, Mentions, find_shared, locked, parts
from app.store.tombstones import Word

_BY_NAME = Lookup("orders", ("id",), by=("account_id", "scope", "external_id"))
_BY_ALIAS = Lookup("aliases", ("order_id",), by=("account_id", "scope", "name"))


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
    owner = yield from whose(account_id, identities)
    orders: set[str] = set()
    for lookup, column in ((_BY_NAME, "id"), (_BY_ALIAS, "order_id")):
        found: list[Row] = yield lookup.many([(account_id, source_id, name) for name in sorted(set(names))])
        orders |= {row[column] for row in found}
    if owner is not None:
        erasure.contacts.add(owner)
        erasure.called |= yield from name_of(account_id, owner)
        found = yield Sql(
            "SELECT id FROM orders WHERE account_id = :account_id AND contact_id = :id AND source_id = :source_id",
            account_id=account_id,
            id=owner,
            source_id=source_id,
        )
        orders |= {row["id"] for row in found}
    erasure.orders |= orders
    yield from find_shared(erasure)
    for some in parts(sorted(orders)):
        yield from orders_erased(erasure, some)
    yield from without_values(erasure, sorted(traces.beside - {erasure.request_id or ""}))
    yield from without_bodies(erasure, sorted(traces.deliveries | {erasure.request_id or ""}), "deliveries")
    yield from delete_held(erasure)
    if owner is not None:
        yield from contact_without_source(erasure, owner)
    yield from find_shared(erasure)
    yield from delete_samples(erasure)
    return (yield from finish(erasure))


def contact_without_source(erasure: Erasure, contact_id: str) -> Plan[None]:
    """Remove what the source gave from a contact. A contact that has nothing else is deleted."""
    account_id, source_id = erasure.account_id, erasure.scope
    names = {"account_id": account_id, "id": contact_id}
    told: list[Row] = yield Sql(
        "SELECT kind, value FROM identities WHERE account_id = :account_id AND contact_id = :id AND source_id = :source_id",
        **names,
        source_id=source_id,
    )
    by_others, name, orders = yield from _identities_from_others(account_id, contact_id, source_id)
    for row in told:
        word = (row["kind"], row["value"])
        where = "WHERE account_id = :account_id AND kind = :kind AND value = :value"
        mine = {**names, "kind": row["kind"], "value": row["value"]}
        if other := by_others.get(word):
            yield Sql(f"UPDATE identities SET source_id = :other {where} AND contact_id = :id", **mine, other=other)
            continue
        erasure.words.add(word)
        erasure.count("identities", 1)
        yield Sql(f"DELETE FROM identities {where} AND contact_id = :id", **mine)
        yield Sql(
            "DELETE FROM moved WHERE account_id = :account_id AND what = :kind AND name = :value AND merge_id IN "
            "(SELECT id FROM merges m WHERE m.account_id = :account_id AND (m.contact_id = :id OR m.into_id = :id))",
            **mine,
        )
    left: list[Row] = yield Sql(
        "SELECT c.crm_id, c.by_webhook, (SELECT count(*) FROM identities i WHERE i.account_id = c.account_id "
        "AND i.contact_id = c.id) AS identities FROM contacts c WHERE c.account_id = :account_id AND c.id = :id",
        **names,
    )
    if not left or left[0]["crm_id"] is not None or not left[0]["by_webhook"]:
        return  # the CRM's own, and its name the CRM's word
    if not left[0]["identities"] and not orders:
        yield from delete_contacts(erasure, (yield from contact_merges.family(account_id, contact_id)))
    else:
        yield Sql("UPDATE contacts SET name = :name WHERE account_id = :account_id AND id = :id", **names, name=name)


def _identities_from_others(
    account_id: str, contact_id: str, source_id: str
) -> Plan[tuple[dict[Word, str], str | None, int]]:
    """Return the identities in other sources' orders, with their source; the latest name; and the number of orders."""
    orders: list[Row] = yield Sql(
        "SELECT id, source_id FROM orders WHERE account_id = :account_id AND contact_id = :id "
        "AND (source_id IS NULL OR source_id <> :source_id) ORDER BY id",
        account_id=account_id,
        id=contact_id,
        source_id=source_id,
    )
    whose = {row["id"]: row["source_id"] for row in orders}
    words: dict[Word, str] = {}
    name: tuple[int, str | None] = (-2, None)
    for some in parts(list(whose)):
        entries: list[Row] = yield HISTORY.many([(account_id, one) for one in some])
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
    ids = yield from _next(erasure, "orders", "id", after)
    if ids:
        yield from orders_erased(erasure, ids)
        _forget_words(erasure)
    return ids[-1] if ids else None


def shop_deliveries(erasure: Erasure, after: str) -> Plan[str | None]:
    """Delete the bodies of the shop's next deliveries. Returns the last one's id, None when there are no more."""
    yield locked(erasure.account_id)
    ids = yield from _next(erasure, "deliveries", "id", after)
    yield from without_bodies(erasure, ids, "deliveries")
    return ids[-1] if ids else None


def shop_people(erasure: Erasure, after: str) -> Plan[str | None]:
    """Erase what the shop gave about the next contacts. Returns the last one's id, None when there are no more."""
    yield locked(erasure.account_id)
    ids = yield from _next(erasure, "identities", "contact_id", after)
    for contact_id in ids:
        yield from contact_without_source(erasure, contact_id)
    _forget_words(erasure)
    return ids[-1] if ids else None


def _next(erasure: Erasure, table: str, column: str, after: str) -> Plan[list[str]]:
    """Return the next ids that stand in rows of the shop."""
    rows: list[Row] = yield Sql(
        f"SELECT DISTINCT {column} AS id FROM {table} WHERE account_id = :account_id AND source_id = :source_id "
        f"AND {column} > :after ORDER BY {column} LIMIT :few",
        account_id=erasure.account_id,
        source_id=erasure.scope,
        after=after,
        few=AT_ONCE,
    )
    return [row["id"] for row in rows]


def _forget_words(erasure: Erasure) -> None:
    """Drop single tombstones: the whole shop has one."""
    erasure.words.clear()
    erasure.names.clear()
    erasure.orders.clear()


def shop_done(erasure: Erasure) -> Plan[Row]:
    """Return the proof."""
    yield locked(erasure.account_id)
    return (yield from finish(erasure))
