"""Merging contacts and undoing it: orders, identities and deals move to another contact, and back.

A merged contact keeps its row, which names the survivor, so its id keeps answering. What moved is written down per
merge; undoing it gives back exactly that, as far as the survivor still has it. Whoever decides whom something belongs
to holds the lock ("people", account) shared; a merge holds it alone.
"""

import json
from dataclasses import dataclass
from typing import Any

from app.base.clock import now
from app.base.ids import new_id
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql
from app.store import order_owners
from app.store.contacts import survivor

_MERGE = Insert("merges")
_FIELDS = ("crm_id", "name", "owner_id")  # what a survivor takes over when it has none
_THINGS = (("orders", "order", "id"), ("deals", "deal", "crm_id"))


class ContactGone(Exception):
    """Raised when a contact no longer exists that did a moment ago."""


class MergeRejected(Exception):
    """Raised when a merge or its undoing makes no sense; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """Holds the result of a merge or its undoing: the contact that moved, the survivor, and how much moved."""

    contact_id: str
    survivor_id: str
    orders: int = 0
    identities: int = 0
    deals: int = 0


def keep_apart(account_id: str, one: str, other: str) -> Plan[None]:
    """Write down that two contacts are two people: no evidence merges them."""
    for contact_id, foreign in ((one, other), (other, one)):
        rows: list[Row] = yield Sql(
            "SELECT apart FROM contacts WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=contact_id,
        )
        apart = sorted({*json.loads(rows[0]["apart"]), foreign})
        yield Sql(
            "UPDATE contacts SET apart = :apart WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=contact_id,
            apart=json.dumps(apart),
        )


def family(account_id: str, contact_id: str) -> Plan[list[str]]:
    """Return the contact and every contact that was merged into it."""
    found = [contact_id]
    for one in found:
        rows: list[Row] = yield Sql(
            "SELECT contact_id FROM merges WHERE account_id = :account_id AND into_id = :id AND undone_at IS NULL "
            "ORDER BY id",
            account_id=account_id,
            id=one,
        )
        found += [row["contact_id"] for row in rows if row["contact_id"] not in found]
    return found


async def itself(store: Store, account_id: str, word: str) -> str | None:
    """Return the id of the contact that is called so, even if it has been merged.

    A merged one comes before its survivor.
    """
    row = await store.one(
        "SELECT id FROM contacts WHERE account_id = :account_id AND (id = :word OR crm_id = :word) "
        "ORDER BY CASE WHEN id = :word THEN 0 WHEN merged_into IS NOT NULL THEN 1 ELSE 2 END, id LIMIT 1",
        account_id=account_id,
        word=word,
    )
    return row["id"] if row else None


async def merge(store: Store, account_id: str, contact_id: str, into_id: str, member_id: str | None) -> MergeResult:
    """Move everything of a contact to another. A repetition changes nothing. Raises MergeRejected, Unavailable."""

    def plan() -> Plan[MergeResult]:
        yield AdvisoryLock([("people", account_id)])
        target = yield from survivor(account_id, into_id)
        present = yield from survivor(account_id, contact_id)
        if target is None or present is None:
            raise MergeRejected("one of the two contacts is not there any more")
        if contact_id == into_id:
            raise MergeRejected("a contact cannot be merged into itself")
        if present != contact_id:
            if present == target:
                return MergeResult(contact_id=contact_id, survivor_id=target)
            raise MergeRejected(f"it was merged into {present} already: merge that one, or undo its merge first")
        if target == contact_id:
            raise MergeRejected(f"{into_id} was merged into it already, and both into each other would be a ring")
        return (yield from move(account_id, contact_id, target, member_id))

    return await store.commit(plan)


def move(account_id: str, contact_id: str, target: str, member_id: str | None) -> Plan[MergeResult]:
    """Move everything of a contact to another; the caller holds ("people", account) alone. No member: evidence did it."""
    present, merge_id = now(), new_id("mrg")
    both = {"account_id": account_id, "from_id": contact_id}
    ours, theirs = (yield from _row(account_id, contact_id)), (yield from _row(account_id, target))
    taken = {name: ours[name] for name in _FIELDS if theirs[name] is None and ours[name] is not None}
    yield _MERGE.many([(account_id, merge_id, contact_id, target, json.dumps(taken), member_id, present, None)])
    counts: dict[str, int] = {}
    kept: list[Row] = yield Sql(
        "INSERT INTO moved (account_id, merge_id, what, name, shared) SELECT account_id, :merge_id, kind, value, "
        "EXISTS (SELECT 1 FROM identities t WHERE t.account_id = i.account_id AND t.kind = i.kind AND t.value = i.value "
        "AND t.contact_id = :into) FROM identities i WHERE account_id = :account_id AND contact_id = :from_id "
        "RETURNING what",
        **both,
        into=target,
        merge_id=merge_id,
    )
    counts["identities"] = len(kept)
    yield from identities_move(both["account_id"], contact_id, target)
    for table, what, key in _THINGS:
        kept = yield Sql(
            f"INSERT INTO moved (account_id, merge_id, what, name, shared) SELECT account_id, :merge_id, '{what}', {key}, false "
            f"FROM {table} WHERE account_id = :account_id AND contact_id = :from_id RETURNING what",
            **both,
            merge_id=merge_id,
        )
        counts[table] = len(kept)
        yield Sql(
            f"UPDATE {table} SET contact_id = :into, updated_at = :present "
            "WHERE account_id = :account_id AND contact_id = :from_id",
            **both,
            into=target,
            present=present,
        )
    yield from _carry_along(account_id, merge_id, target)
    for name, value in taken.items():
        yield Sql(
            f"UPDATE contacts SET {name} = :value WHERE account_id = :account_id AND id = :into",
            account_id=account_id,
            into=target,
            value=value,
        )
    yield Sql(
        "UPDATE contacts SET merged_into = :into, updated_at = :present WHERE account_id = :account_id AND id = :from_id",
        **both,
        into=target,
        present=present,
    )
    yield Sql(
        "UPDATE contacts SET updated_at = :present WHERE account_id = :account_id AND id = :into",
        account_id=account_id,
        into=target,
        present=present,
    )
    yield from order_owners.contacts_changed(account_id, [target])
    return MergeResult(contact_id=contact_id, survivor_id=target, **counts)


def identities_move(account_id: str, from_id: str, into: str) -> Plan[None]:
    """Give a contact's identities to another, which may have some of them already."""
    names = {"account_id": account_id, "from_id": from_id}
    yield Sql(
        "INSERT INTO identities (account_id, kind, value, contact_id, source_id, created_at) "
        "SELECT account_id, kind, value, :into, source_id, created_at FROM identities "
        "WHERE account_id = :account_id AND contact_id = :from_id ON CONFLICT DO NOTHING",
        **names,
        into=into,
    )
    yield Sql("DELETE FROM identities WHERE account_id = :account_id AND contact_id = :from_id", **names)


def _carry_along(account_id: str, merge_id: str, contact_id: str) -> Plan[None]:
    """Update the contact in orders' histories, once the merge has moved the orders to it."""
    yield Sql(
        "UPDATE history SET contact_id = :id WHERE account_id = :account_id AND order_id IN (SELECT o.id FROM moved m "
        "JOIN orders o ON o.account_id = m.account_id AND o.id = m.name WHERE m.account_id = :account_id "
        "AND m.merge_id = :merge_id AND m.what = 'order' AND o.contact_id = :id)",
        account_id=account_id,
        merge_id=merge_id,
        id=contact_id,
    )


def _row(account_id: str, contact_id: str) -> Plan[Row]:
    rows: list[Row] = yield Sql(
        "SELECT crm_id, name, owner_id FROM contacts WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=contact_id,
    )
    return rows[0]


async def undo(store: Store, account_id: str, contact_id: str) -> MergeResult:
    """Give a merged contact back what moved, as far as the survivor still has it. Raises MergeRejected, Unavailable.

    What came later stays with the survivor; so does an order whose contact a member has set since.
    """

    def plan() -> Plan[MergeResult]:
        yield AdvisoryLock([("people", account_id)])
        rows: list[Row] = yield Sql(
            "SELECT id, into_id, taken, member_id, created_at FROM merges WHERE account_id = :account_id AND contact_id = :id "
            "AND undone_at IS NULL ORDER BY id DESC LIMIT 1",
            account_id=account_id,
            id=contact_id,
        )
        if not rows:
            raise MergeRejected("it is not merged into another, so there is nothing to undo")
        made = rows[0]
        holder = yield from survivor(account_id, made["into_id"])
        if holder is None:
            raise MergeRejected("whom it was merged into is not there any more")
        result = yield from _move_back(account_id, contact_id, holder, made)
        if made["member_id"] is None:  # what joined them would join them again
            yield from keep_apart(account_id, contact_id, holder)
        return result

    return await store.commit(plan)


def _move_back(account_id: str, contact_id: str, holder: str, made: Row) -> Plan[MergeResult]:
    present = now()
    names: dict[str, Any] = {"account_id": account_id, "own": contact_id, "holder": holder, "merge_id": made["id"]}
    those = "(SELECT name FROM moved WHERE account_id = :account_id AND merge_id = :merge_id AND what ="
    back: list[Row] = yield Sql(
        "INSERT INTO identities (account_id, kind, value, contact_id, source_id, created_at) "
        "SELECT account_id, kind, value, :own, source_id, created_at FROM identities i WHERE account_id = :account_id "
        f"AND contact_id = :holder AND value IN {those} i.kind) ON CONFLICT DO NOTHING RETURNING kind",
        **names,
    )
    counts = {"identities": len(back)}
    yield Sql(
        "DELETE FROM identities WHERE account_id = :account_id AND contact_id = :holder "
        f"AND value IN {those} identities.kind AND NOT shared)",
        account_id=account_id,
        holder=holder,
        merge_id=made["id"],
    )
    # Without spaces, as the history is written; within a text the quotes would be escaped.
    set_since = (
        "AND NOT EXISTS (SELECT 1 FROM history h WHERE h.account_id = :account_id AND h.order_id = orders.id "
        'AND h.member_id IS NOT NULL AND h.recorded_at >= :merged_at AND h.said LIKE \'%"contact_id":"%\') '
    )
    # Orders that were merged into each other go together, or not at all.
    set_since += (
        "AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.account_id = :account_id AND o.sale_id = orders.sale_id "
        f"AND o.id NOT IN {those} 'order')) "
    )
    for table, what, key in _THINGS:
        later = {"merged_at": made["created_at"]} if table == "orders" else {}
        back = yield Sql(
            f"UPDATE {table} SET contact_id = :own, updated_at = :present WHERE account_id = :account_id "
            f"AND contact_id = :holder AND {key} IN {those} '{what}') {set_since if later else ''}RETURNING {key}",
            **names,
            **later,
            present=present,
        )
        counts[table] = len(back)
    yield from _carry_along(account_id, made["id"], contact_id)
    yield from _give_back(account_id, made, present)
    yield Sql(
        "UPDATE contacts SET merged_into = NULL, updated_at = :present WHERE account_id = :account_id AND id = :own",
        account_id=account_id,
        own=contact_id,
        present=present,
    )
    yield Sql(
        "UPDATE merges SET undone_at = :present WHERE account_id = :account_id AND id = :merge_id",
        account_id=account_id,
        merge_id=made["id"],
        present=present,
    )
    yield Sql(
        "DELETE FROM moved WHERE account_id = :account_id AND merge_id = :merge_id",
        account_id=account_id,
        merge_id=made["id"],
    )
    yield from order_owners.contacts_changed(account_id, [contact_id, holder])
    return MergeResult(contact_id=contact_id, survivor_id=holder, **counts)


def _give_back(account_id: str, made: Row, present: int) -> Plan[None]:
    """Give back what the survivor took over because it had none, unless that has changed since.

    If the survivor was itself merged meanwhile, that merge loses what comes out of it.
    """
    taken: dict[str, Any] = json.loads(made["taken"])
    by: str | None = made["into_id"]
    while by is not None:
        for name, value in taken.items():
            yield Sql(
                f"UPDATE contacts SET {name} = NULL, updated_at = :present "
                f"WHERE account_id = :account_id AND id = :id AND {name} = :value",
                account_id=account_id,
                id=by,
                value=value,
                present=present,
            )
        rows: list[Row] = yield Sql(
            "SELECT id, into_id, taken FROM merges WHERE account_id = :account_id AND contact_id = :id "
            "AND undone_at IS NULL",
            account_id=account_id,
            id=by,
        )
        by = None
        for row in rows:
            passed_on = json.loads(row["taken"])
            taken = {name: value for name, value in taken.items() if passed_on.get(name) == value}
            left = {name: value for name, value in passed_on.items() if name not in taken}
            by = row["into_id"]
            yield Sql(
                "UPDATE merges SET taken = :taken WHERE account_id = :account_id AND id = :id",
                account_id=account_id,
                id=row["id"],
                taken=json.dumps(left),
            )
            yield Sql(
                "DELETE FROM moved WHERE account_id = :account_id AND merge_id = :id AND EXISTS (SELECT 1 FROM moved m "
                "WHERE m.account_id = :account_id AND m.merge_id = :made AND m.what = moved.what AND m.name = moved.name)",
                account_id=account_id,
                id=row["id"],
                made=made["id"],
            )
