"""The only room that speaks SQL about contacts and their identities, outside the group commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.ids import new_id
from app.moments import now
from app.store.database import Store, among, among_many
from app.store.statements import Insert, Lock, Plan, Row, Sql

_CONTACT = Insert("contacts")
_IDENTITY = Insert("identities", on_conflict="skip")

FEW = 50  # ids that are parameters of their own

_COLUMNS = "id, crm_id, name, owner_id, merged_into, created_at, updated_at"


async def find(store: Store, account_id: str, word: str) -> Row | None:
    """The contact of our id or of the CRM's; one that was merged answers as the survivor."""
    row = await store.one(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id = :word",
        account_id=account_id,
        word=word,
    )
    if row is None:
        return await by_identity(store, account_id, "crm", word)
    for _ in range(50):
        if row is None or row["merged_into"] is None:
            return row
        row = await store.one(
            f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id = :id",
            account_id=account_id, id=row["merged_into"],
        )  # fmt: skip
    return row


async def by_identity(store: Store, account_id: str, kind: str, value: str) -> Row | None:
    """The contact that this identity points to."""
    columns = ", ".join(f"c.{name}" for name in _COLUMNS.split(", "))
    return await store.one(
        f"SELECT {columns} FROM identities i JOIN contacts c ON c.account_id = i.account_id AND c.id = i.contact_id "
        "WHERE i.account_id = :account_id AND i.kind = :kind AND i.value = :value",
        account_id=account_id, kind=kind, value=value,
    )  # fmt: skip


async def identities_of(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[Row]:
    """The identities of these contacts."""
    few = len(contact_ids) <= FEW
    clause, values = among("contact", contact_ids) if few else among_many(store, "contacts", contact_ids)
    return await store.all(
        "SELECT contact_id, kind, value, source_id, created_at FROM identities "
        f"WHERE account_id = :account_id AND contact_id {clause} ORDER BY kind, value",
        account_id=account_id, **values,
    )  # fmt: skip


async def among_ids(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[Row]:
    """These contacts."""
    clause, values = among_many(store, "contacts", sorted(set(contact_ids)))
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )


async def walk(store: Store, account_id: str, *, owner_id: str | None, after: str, limit: int) -> list[Row]:
    """Contacts by id, after this one; those that were merged into another are left out."""
    owned = "" if owner_id is None else "AND owner_id = :owner_id "
    values = {} if owner_id is None else {"owner_id": owner_id}
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id > :after AND merged_into IS NULL {owned}"
        "ORDER BY id LIMIT :limit",
        account_id=account_id, after=after, limit=limit, **values,
    )  # fmt: skip


async def crm_ids(store: Store, account_id: str, contact_ids: Sequence[str]) -> dict[str, str | None]:
    """The CRM's ids of these contacts."""
    clause, values = among("contact", sorted(set(contact_ids)))
    rows = await store.all(
        f"SELECT id, crm_id FROM contacts WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )
    return {row["id"]: row["crm_id"] for row in rows}


async def upsert(
    store: Store,
    account_id: str,
    crm_id: str,
    *,
    name: str | None,
    owner_id: str | None,
    given: frozenset[str],
    identities: Sequence[tuple[str, str]],
) -> tuple[str, bool, list[tuple[str, str]]]:
    """The contact of the CRM's id, made or changed: (id, whether it is new, identities that belong to somebody else).

    A contact that a webhook had made is taken over, if an identity matches: the first in the order in which identities
    are believed. `given` says which of `name` and `owner_id` are to be set.
    """

    def plan() -> Plan[Told]:
        yield Lock([("identity", account_id, kind, value) for kind, value in [("crm", crm_id), *identities]])
        return (yield from tell(account_id, crm_id, name=name, owner_id=owner_id, given=given, identities=identities))

    told = await store.commit(plan)
    return told.contact_id, told.created, told.conflicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a contact that the CRM told of."""

    contact_id: str
    created: bool
    changed: bool
    conflicts: list[tuple[str, str]]


def tell(
    account_id: str,
    crm_id: str,
    *,
    name: str | None,
    owner_id: str | None,
    given: frozenset[str],
    identities: Sequence[tuple[str, str]],
) -> Plan[Told]:
    """The same as part of a plan that has locked the identities already."""
    wanted = [("crm", crm_id), *identities]
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
    if contact_id is None:
        contact_id = yield from _without_crm_id(account_id, [owners[one] for one in identities if one in owners])
    if contact_id is None:
        contact_id, created = new_id("cnt"), True
        yield _CONTACT.many([(account_id, contact_id, crm_id, name, owner_id, None, False, present, present)])
    else:
        changes: dict[str, Any] = {"crm_id": crm_id}
        changes |= {word: value for word, value in (("name", name), ("owner_id", owner_id)) if word in given}
        differs = " OR ".join(f"{word} IS DISTINCT FROM :{word}" for word in changes)
        sets = ", ".join(f"{word} = :{word}" for word in changes)
        rows: list[Row] = yield Sql(
            f"UPDATE contacts SET {sets}, updated_at = :present WHERE account_id = :account_id AND id = :id AND ({differs}) "
            "RETURNING id",
            account_id=account_id, id=contact_id, present=present, **changes,
        )  # fmt: skip
        changed = bool(rows)
    mine = [one for one in dict.fromkeys(wanted) if one not in owners]
    if mine:
        yield _IDENTITY.many([(account_id, *one, contact_id, None, present) for one in mine])
    conflicts = [one for one in identities if owners.get(one, contact_id) != contact_id]
    return Told(contact_id=contact_id, created=created, changed=changed or bool(mine), conflicts=conflicts)


def _without_crm_id(account_id: str, candidates: Sequence[str]) -> Plan[str | None]:
    """The first of these contacts that the CRM does not know yet."""
    for contact_id in candidates:
        rows = yield Sql(
            "SELECT id FROM contacts WHERE account_id = :account_id AND id = :id AND crm_id IS NULL",
            account_id=account_id, id=contact_id,
        )  # fmt: skip
        if rows:
            return contact_id
    return None


async def awaited_by_now(store: Store, limit: int) -> list[Row]:
    """Held deliveries whose contact has appeared meanwhile: (account_id, delivery_id)."""
    return await store.all(
        "SELECT DISTINCT h.account_id, h.delivery_id FROM held h JOIN identities i "
        "ON i.account_id = h.account_id AND i.kind = h.kind AND i.value = h.value ORDER BY h.delivery_id LIMIT :limit",
        limit=limit,
    )


async def no_longer_awaited(store: Store, account_id: str, delivery_id: str) -> None:
    """The delivery waits for nobody any more."""

    def plan() -> Plan[None]:
        yield Sql(
            "DELETE FROM held WHERE account_id = :account_id AND delivery_id = :id",
            account_id=account_id,
            id=delivery_id,
        )

    await store.commit(plan)
