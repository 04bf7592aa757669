"""SQL about contacts and their identities, outside the group commit."""

import json
from collections.abc import Iterable, Sequence

from adapters.contract.names import plain
from app.db.engine import Store, among, among_many, plainly
from app.db.statements import AdvisoryLock, Lookup, Plan, Row, Sql
from app.store.deliveries import pattern_of

_MERGED = Lookup("contacts", ("account_id", "id", "merged_into"), by=("account_id", "id"))
FEW = 50  # ids that are parameters of their own

_COLUMNS = "id, crm_id, name, owner_id, merged_into, created_at, updated_at, apart"


async def find(store: Store, account_id: str, word: str) -> Row | None:
    """Return the contact with this id or CRM id. A merged one gives the survivor."""
    row = await store.one(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id = :word",
        account_id=account_id,
        word=word,
    )
    if row is None:
        return next(iter(await by_identity(store, account_id, "crm", word)), None)
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


async def by_identity(store: Store, account_id: str, kind: str, value: str) -> list[Row]:
    """Return the contacts with this identity: several may have a phone or CNPJ."""
    columns = ", ".join(f"c.{name}" for name in _COLUMNS.split(", "))
    return await store.all(
        f"SELECT {columns} FROM identities i JOIN contacts c ON c.account_id = i.account_id AND c.id = i.contact_id "
        "WHERE i.account_id = :account_id AND i.kind = :kind AND i.value = :value ORDER BY c.id",
        account_id=account_id,
        kind=kind,
        value=value,
    )


async def identities_of(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[Row]:
    """Return the identities of these contacts."""
    few = len(contact_ids) <= FEW
    clause, values = among("contact", contact_ids) if few else among_many(store, "contacts", contact_ids)
    return await store.all(
        "SELECT contact_id, kind, value, source_id, created_at FROM identities "
        f"WHERE account_id = :account_id AND contact_id {clause} ORDER BY kind, value",
        account_id=account_id,
        **values,
    )


async def among_ids(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[Row]:
    """Return these contacts."""
    clause, values = among_many(store, "contacts", sorted(set(contact_ids)))
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )


async def named_like(store: Store, account_id: str, text: str, *, owner_id: str | None, limit: int) -> list[Row]:
    """Return contacts whose name has this text in it, whatever its accents and capitals, without merged ones."""
    owned = "" if owner_id is None else "AND owner_id = :owner_id "
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND merged_into IS NULL {owned}"
        f"AND {plainly(store, 'name')} LIKE :text ESCAPE '!' ORDER BY name, id LIMIT :limit",
        account_id=account_id,
        text=pattern_of(plain(text)),
        limit=limit,
        **({} if owner_id is None else {"owner_id": owner_id}),
    )


async def scan(store: Store, account_id: str, *, owner_id: str | None, after: str, limit: int) -> list[Row]:
    """Return contacts by id, after this one, without merged ones."""
    owned = "" if owner_id is None else "AND owner_id = :owner_id "
    values = {} if owner_id is None else {"owner_id": owner_id}
    return await store.all(
        f"SELECT {_COLUMNS} FROM contacts WHERE account_id = :account_id AND id > :after AND merged_into IS NULL {owned}"
        "ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
        **values,
    )


# Of two that were told of each other's identity one pair.
_OPEN_CONFLICTS = (
    "SELECT x.contact_id, x.kind, x.value, x.source_id, x.told_at, i.contact_id AS other_id FROM conflicts x "
    "JOIN identities i ON i.account_id = x.account_id AND i.kind = x.kind AND i.value = x.value "
    "WHERE x.account_id = :account_id "
    "AND NOT (i.contact_id < x.contact_id AND EXISTS (SELECT 1 FROM conflicts y WHERE y.account_id = x.account_id "
    "AND y.contact_id = i.contact_id AND y.kind = x.kind AND y.value = x.value)) "
)

_PLACE = "(x.contact_id, x.kind, x.value, i.contact_id)"


async def conflicts_of(store: Store, account_id: str, contact_id: str) -> list[Row]:
    """Return identities that a source gave to the contact, but that belong to another (`other_id`).

    Those of contacts that were merged into it are included.
    """
    family = [contact_id]
    for one in family:
        rows = await store.all(
            "SELECT contact_id FROM merges WHERE account_id = :account_id AND into_id = :id AND undone_at IS NULL",
            account_id=account_id,
            id=one,
        )
        family += [row["contact_id"] for row in rows if row["contact_id"] not in family]
    clause, values = among("contact", family)
    rows = await store.all(
        f"{_OPEN_CONFLICTS} AND x.contact_id {clause} AND i.contact_id <> :contact_id ORDER BY x.kind, x.value",
        account_id=account_id,
        contact_id=contact_id,
        **values,
    )
    own = await find(store, account_id, contact_id)
    apart = json.loads(own["apart"]) if own else []
    return list(
        {(row["kind"], row["value"], row["other_id"]): row for row in rows if row["other_id"] not in apart}.values()
    )


async def conflicts(
    store: Store, account_id: str, *, after: tuple[str, str, str, str] | None, limit: int
) -> tuple[list[Row], tuple[str, str, str, str] | None]:
    """Return the account's open conflicts, without those of contacts that a member keeps apart, after this one (contact, kind, value, other), and where the next page begins.

    `contact_id` is today's contact, also after a merge.
    """
    found: list[Row] = []
    while True:
        names = ("contact", "kind", "value", "other")
        further = "" if after is None else f"AND {_PLACE} > (:contact, :kind, :value, :other) "
        values = dict(zip(names, after, strict=True)) if after else {}
        rows = await store.all(
            f"{_OPEN_CONFLICTS} {further}AND i.contact_id <> x.contact_id ORDER BY {_PLACE[1:-1]} LIMIT :few",
            account_id=account_id,
            few=limit + 1,
            **values,
        )
        for row in rows[:limit]:
            after = (row["contact_id"], row["kind"], row["value"], row["other_id"])
            today = await find(store, account_id, row["contact_id"])
            if today is not None and row["other_id"] not in (today["id"], *json.loads(today["apart"])):
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
            account_id=account_id,
            kind=kind,
            value=value,
            contact_id=contact_id,
        )
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
