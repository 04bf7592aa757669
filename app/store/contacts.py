"""SQL about contacts and their identities, outside the group commit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.clock import now
from app.base.identity import KINDS
from app.base.ids import new_id
from app.db.engine import Store, among, among_many
from app.db.statements import AdvisoryLock, Insert, Lookup, Plan, Row, Sql
from app.store import order_owners, tombstones

_CONTACT = Insert("contacts")
_MERGED = Lookup("contacts", ("account_id", "id", "merged_into"), by=("account_id", "id"))
_IDENTITY = Insert("identities", on_conflict="skip")

_CONFLICT = Insert("conflicts", on_conflict="replace")
FEW = 50  # ids that are parameters of their own

_COLUMNS = "id, crm_id, name, owner_id, merged_into, created_at, updated_at"


async def find(store: Store, account_id: str, word: str) -> Row | None:
    """Return the contact with this id or CRM id. A merged one gives the survivor."""
    row = await store.one(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id = :word",
        account_id=account_id,
        word=word,
    )
    if row is None:
        return await by_identity(store, account_id, "crm", word)
    if row["merged_into"]:
        last = await store.read(lambda: survivor(account_id, word))
        return await find(store, account_id, last) if last else None
    return row


def survivors(keys: Iterable[tuple[str, str]]) -> Plan[dict[tuple[str, str], str]]:
    """Return those of these contacts (account, id) that exist, each with the one that it was merged into, or its own id."""
    wanted = set(keys)
    into: dict[tuple[str, str], str | None] = {}
    asked = wanted
    while asked:
        found = yield _MERGED.many(sorted(asked))
        into |= {(row["account_id"], row["id"]): row["merged_into"] for row in found}
        asked = {(row["account_id"], row["merged_into"]) for row in found if row["merged_into"]} - into.keys()
    last: dict[tuple[str, str], str] = {}
    for account_id, contact_id in wanted:
        end = contact_id
        while further := into.get((account_id, end)):
            end = further
        if (account_id, end) in into:
            last[account_id, contact_id] = end
    return last


def survivor(account_id: str, contact_id: str) -> Plan[str | None]:
    """Return the contact, or the one it was merged into; None if there is none."""
    return (yield from survivors([(account_id, contact_id)])).get((account_id, contact_id))


async def by_identity(store: Store, account_id: str, kind: str, value: str) -> Row | None:
    """Return the contact with this identity."""
    columns = ", ".join(f"c.{name}" for name in _COLUMNS.split(", "))
    return await store.one(
        f"SELECT {columns} FROM identities i JOIN contacts c ON c.account_id = i.account_id AND c.id = i.contact_id "
        "WHERE i.account_id = :account_id AND i.kind = :kind AND i.value = :value",
        account_id=account_id, kind=kind, value=value,
    )  # fmt: skip


async def owner_of(store: Store, account_id: str, identities: Sequence[tuple[str, str]]) -> Row | None:
    """Return the contact of the first of these identities, in order of strength."""
    for kind, value in sorted(identities, key=lambda one: KINDS.index(one[0])):
        if row := await by_identity(store, account_id, kind, value):
            return row
    return None


async def identities_of(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[Row]:
    """Return the identities of these contacts."""
    few = len(contact_ids) <= FEW
    clause, values = among("contact", contact_ids) if few else among_many(store, "contacts", contact_ids)
    return await store.all(
        "SELECT contact_id, kind, value, source_id, created_at FROM identities "
        f"WHERE account_id = :account_id AND contact_id {clause} ORDER BY kind, value",
        account_id=account_id, **values,
    )  # fmt: skip


async def among_ids(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[Row]:
    """Return these contacts."""
    clause, values = among_many(store, "contacts", sorted(set(contact_ids)))
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )


async def scan(store: Store, account_id: str, *, owner_id: str | None, after: str, limit: int) -> list[Row]:
    """Return contacts by id, after this one, without merged ones."""
    owned = "" if owner_id is None else "AND owner_id = :owner_id "
    values = {} if owner_id is None else {"owner_id": owner_id}
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id > :after AND merged_into IS NULL {owned}"
        "ORDER BY id LIMIT :limit",
        account_id=account_id, after=after, limit=limit, **values,
    )  # fmt: skip


_OPEN_CONFLICTS = (
    "SELECT x.contact_id, x.kind, x.value, x.source_id, x.told_at, i.contact_id AS other_id FROM conflicts x "
    "JOIN identities i ON i.account_id = x.account_id AND i.kind = x.kind AND i.value = x.value "
    "WHERE x.account_id = :account_id "
)


async def conflicts_of(store: Store, account_id: str, contact_id: str) -> list[Row]:
    """Return identities that a source gave to the contact, but that belong to another (`other_id`).

    Those of contacts that were merged into it are included.
    """
    family = [contact_id]
    for one in family:
        rows = await store.all(
            "SELECT contact_id FROM merges WHERE account_id = :account_id AND into_id = :id AND undone_at IS NULL",
            account_id=account_id, id=one,
        )  # fmt: skip
        family += [row["contact_id"] for row in rows if row["contact_id"] not in family]
    clause, values = among("contact", family)
    rows = await store.all(
        f"{_OPEN_CONFLICTS} AND x.contact_id {clause} AND i.contact_id <> :contact_id ORDER BY x.kind, x.value",
        account_id=account_id, contact_id=contact_id, **values,
    )  # fmt: skip
    return list({(row["kind"], row["value"]): row for row in rows}.values())


async def conflicts(
    store: Store, account_id: str, *, after: tuple[str, str, str] | None, limit: int
) -> tuple[list[Row], tuple[str, str, str] | None]:
    """Return the account's open conflicts after this one (contact, kind, value), and where the next page begins.

    `contact_id` is today's contact, also after a merge.
    """
    found: list[Row] = []
    while True:
        further = "" if after is None else "AND (x.contact_id, x.kind, x.value) > (:contact, :kind, :value) "
        values = dict(zip(("contact", "kind", "value"), after, strict=True)) if after else {}
        rows = await store.all(
            f"{_OPEN_CONFLICTS} {further}AND i.contact_id <> x.contact_id ORDER BY x.contact_id, x.kind, x.value LIMIT :few",
            account_id=account_id, few=limit + 1, **values,
        )  # fmt: skip
        for row in rows[:limit]:
            after = (row["contact_id"], row["kind"], row["value"])
            today = await find(store, account_id, row["contact_id"])
            if today is not None and today["id"] != row["other_id"]:
                found.append({**row, "contact_id": today["id"]})
            if len(found) == limit:
                return found, after
        if len(rows) <= limit:
            return found, None


async def take_away(store: Store, account_id: str, contact_id: str, kind: str, value: str) -> bool:
    """Remove this identity from the contact. Returns whether it had it. A source may give it again."""

    def plan() -> Plan[bool]:
        yield AdvisoryLock([("identity", account_id, kind, value)], shared=[("people", account_id)])
        gone: list[Row] = yield Sql(
            "DELETE FROM identities WHERE account_id = :account_id AND kind = :kind AND value = :value "
            "AND contact_id = :contact_id RETURNING kind",
            account_id=account_id, kind=kind, value=value, contact_id=contact_id,
        )  # fmt: skip
        return bool(gone)

    return await store.commit(plan)


async def crm_ids(store: Store, account_id: str, contact_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the CRM ids of these contacts."""
    clause, values = among("contact", sorted(set(contact_ids)))
    rows = await store.all(
        f"SELECT id, crm_id FROM contacts WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )
    return {row["id"]: row["crm_id"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChange:
    """Holds what became of a contact that the CRM sent."""

    contact_id: str
    created: bool
    changed: bool
    conflicts: list[tuple[str, str]]
    erased: bool = False  # it is somebody who was erased: nothing was written


async def upsert(
    store: Store,
    account_id: str,
    crm_id: str,
    *,
    name: str | None,
    owner_id: str | None,
    given: frozenset[str],
    identities: Sequence[tuple[str, str]],
    after_erasure: bool = False,
) -> ContactChange:
    """Create or change the contact with this CRM id.

    A contact that a webhook created is taken over if an identity matches: the first in order of strength. `given` says
    which of `name` and `owner_id` to set. An erased person is created again only with `after_erasure`.
    """

    def plan(alone: bool) -> Plan[ContactChange]:
        people = ("people", account_id)
        names = [("identity", account_id, kind, value) for kind, value in [("crm", crm_id), *identities]]
        yield AdvisoryLock([*names, *([people] if alone else [])], shared=[people])
        return (yield from apply(
            account_id, crm_id, name=name, owner_id=owner_id, given=given, identities=identities,
            after_erasure=after_erasure, alone=alone,
        ))  # fmt: skip

    return await order_owners.commit(store, plan)


def apply(
    account_id: str,
    crm_id: str,
    *,
    name: str | None,
    owner_id: str | None,
    given: frozenset[str],
    identities: Sequence[tuple[str, str]],
    scope: str = "",
    after_erasure: bool = False,
    alone: bool = False,
) -> Plan[ContactChange]:
    """Do the same inside a plan that has locked the identities. `scope` is the source that sends it, if one does.

    Raises order_owners.SingleWriter when the owner changes and the plan does not hold the lock alone.
    """
    wanted = [("crm", crm_id), *identities]
    if after_erasure:
        yield from tombstones.lift(account_id, wanted)
    elif (yield from tombstones.matched(account_id, wanted, scope)):
        return ContactChange(contact_id="", created=False, changed=False, conflicts=[], erased=True)
    owners: dict[tuple[str, str], str] = {}
    for kind, value in wanted:
        for row in (yield Sql(
            "SELECT contact_id FROM identities WHERE account_id = :account_id AND kind = :kind AND value = :value",
            account_id=account_id, kind=kind, value=value,
        )):  # fmt: skip
            owners[kind, value] = row["contact_id"]
    present = now()
    contact_id = owners.get(("crm", crm_id))
    created = changed = False
    known = contact_id is not None  # one that was merged into another answers under that one's own id
    if contact_id is None:
        contact_id = yield from _without_crm_id(account_id, [owners[one] for one in identities if one in owners])
    if contact_id is None:
        contact_id, created = new_id("cnt"), True
        yield _CONTACT.many([(account_id, contact_id, crm_id, name, owner_id, None, False, present, present)])
    else:
        changes: dict[str, Any] = {} if known else {"crm_id": crm_id}
        changes |= {word: value for word, value in (("name", name), ("owner_id", owner_id)) if word in given}
        owned_anew = "owner_id" in given and (yield from _owner(account_id, contact_id)) != owner_id
        if owned_anew and not alone:
            raise order_owners.SingleWriter
        changed = yield from _change(account_id, contact_id, changes, present)
        if owned_anew:
            yield from order_owners.contacts_changed(account_id, [contact_id])
    mine = [one for one in dict.fromkeys(wanted) if one not in owners]
    if mine:
        yield _IDENTITY.many([(account_id, *one, contact_id, None, present) for one in mine])
    conflicts = [one for one in dict.fromkeys(identities) if owners.get(one, contact_id) != contact_id]
    if conflicts:
        yield _CONFLICT.many([(account_id, contact_id, *one, scope or None, present) for one in conflicts])
    return ContactChange(contact_id=contact_id, created=created, changed=changed or bool(mine), conflicts=conflicts)


def _owner(account_id: str, contact_id: str) -> Plan[str | None]:
    rows: list[Row] = yield Sql(
        "SELECT owner_id FROM contacts WHERE account_id = :account_id AND id = :id",
        account_id=account_id, id=contact_id,
    )  # fmt: skip
    return rows[0]["owner_id"] if rows else None


def _change(account_id: str, contact_id: str, changes: Mapping[str, Any], present: int) -> Plan[bool]:
    """Set these columns. Returns whether any was different."""
    if not changes:
        return False
    differs = " OR ".join(f"{word} IS DISTINCT FROM :{word}" for word in changes)
    sets = ", ".join(f"{word} = :{word}" for word in changes)
    rows: list[Row] = yield Sql(
        f"UPDATE contacts SET {sets}, updated_at = :present WHERE account_id = :account_id AND id = :id AND ({differs}) "
        "RETURNING id",
        account_id=account_id, id=contact_id, present=present, **changes,
    )  # fmt: skip
    return bool(rows)


def _without_crm_id(account_id: str, candidates: Sequence[str]) -> Plan[str | None]:
    """Return the first of these contacts that has no CRM id."""
    for contact_id in candidates:
        rows = yield Sql(
            "SELECT id FROM contacts WHERE account_id = :account_id AND id = :id AND crm_id IS NULL",
            account_id=account_id, id=contact_id,
        )  # fmt: skip
        if rows:
            return contact_id
    return None


async def awaited_by_now(store: Store, limit: int) -> list[Row]:
    """Return deliveries on hold whose contact exists now: (account_id, delivery_id)."""
    return await store.all(
        "SELECT DISTINCT h.account_id, h.delivery_id FROM held h JOIN identities i "
        "ON i.account_id = h.account_id AND i.kind = h.kind AND i.value = h.value ORDER BY h.delivery_id LIMIT :limit",
        limit=limit,
    )


async def no_longer_awaited(store: Store, account_id: str, delivery_id: str) -> None:
    """Take the delivery off hold."""

    def plan() -> Plan[None]:
        yield Sql(
            "DELETE FROM held WHERE account_id = :account_id AND delivery_id = :id",
            account_id=account_id,
            id=delivery_id,
        )

    await store.commit(plan)
