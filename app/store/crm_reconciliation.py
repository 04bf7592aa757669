"""Reconciliation with the CRM: our contacts by the CRM's id, and what is done with one that is gone there."""

from dataclasses import dataclass

from app.base.clock import now
from app.base.statement import CrmContact
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Plan, Row, Sql
from app.store import crm_contacts
from app.store.contacts import survivor

# Where an account has several sources of one CRM, each has only the contacts that it told of.
_OURS = """
FROM contacts c WHERE c.account_id = :account_id AND c.merged_into IS NULL AND c.crm_id IS NOT NULL AND c.id <= :upto
AND (NOT EXISTS (
    SELECT 1 FROM sources s JOIN sources o ON o.account_id = s.account_id AND o.adapter = s.adapter AND o.id <> s.id
    WHERE s.account_id = :account_id AND s.id = :source_id AND o.deleted_at IS NULL
) OR EXISTS (
    SELECT 1 FROM identities i WHERE i.account_id = c.account_id AND i.kind = 'crm' AND i.value = c.crm_id
    AND i.contact_id = c.id AND i.source_id = :source_id
))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """Holds what became of a contact that is gone in the CRM.

    `crm_id`: what the CRM calls it now; None when it is not known there. `merged_into`: the contact that stays.
    `together`: whether it and the contact that stays in the CRM are one.
    """

    together: bool = False
    crm_id: str | None = None
    merged_into: str | None = None


async def count(store: Store, account_id: str, source_id: str, upto: str) -> int:
    """Return how many contacts have an id in this source's CRM."""
    row = await store.one(f"SELECT COUNT(*) AS many {_OURS}", account_id=account_id, source_id=source_id, upto=upto)
    return row["many"] if row else 0


async def scan(store: Store, account_id: str, source_id: str, *, after: str, upto: str, limit: int) -> list[Row]:
    """Return contacts with an id in this source's CRM by our id, after this one: id, crm_id."""
    return await store.all(
        f"SELECT c.id, c.crm_id {_OURS} AND c.id > :after ORDER BY c.id LIMIT :limit",
        account_id=account_id,
        source_id=source_id,
        after=after,
        upto=upto,
        limit=limit,
    )


async def newest(store: Store, account_id: str, source_id: str, *, upto: str, limit: int) -> list[Row]:
    """Return the newest contacts with an id in this source's CRM: id, crm_id."""
    return await store.all(
        f"SELECT c.id, c.crm_id {_OURS} ORDER BY c.id DESC LIMIT :limit",
        account_id=account_id,
        source_id=source_id,
        upto=upto,
        limit=limit,
    )


def mend(
    account_id: str, contact_id: str, crm_id: str, stays: CrmContact | None, source_id: str
) -> Plan[Mended | None]:
    """Mend a contact whose CRM id is gone there. `stays`: the contact of the CRM that has its e-mail or phone today.

    The old id speaks against nobody any more, so the rule for the CRM's contacts decides whether the two are one. If they
    are, the old id leads to the one that stays; else it is taken off. Returns None when the contact has changed meanwhile.
    """
    yield AdvisoryLock([("people", account_id)])
    names = {"account_id": account_id, "id": contact_id, "crm_id": crm_id}
    gone: list[Row] = yield Sql(
        "DELETE FROM identities WHERE account_id = :account_id AND kind = 'crm' AND value = :crm_id "
        "AND contact_id = :id RETURNING source_id, created_at",
        **names,
    )
    if not gone:
        return None
    yield Sql(
        "UPDATE contacts SET crm_id = NULL WHERE account_id = :account_id AND id = :id AND crm_id = :crm_id", **names
    )
    today: str | None = None
    if stays is not None:
        yield from _retell(account_id, contact_id, stays)
        told = yield from crm_contacts.apply(
            account_id,
            stays.crm_id,
            name=stays.name,
            owner_id=None,
            given=frozenset({"name"} if stays.name else ()),
            identities=stays.identities,
            scope=source_id,
            alone=True,
        )
        today = yield from survivor(account_id, contact_id)
        if today != told.contact_id:
            today = None
    if today is None or stays is None:
        return Mended(crm_id=(yield from _rename(account_id, contact_id, None)))
    yield Sql(
        "INSERT INTO identities (account_id, kind, value, contact_id, source_id, created_at) "
        "VALUES (:account_id, 'crm', :crm_id, :today, :source_id, :created_at)",
        account_id=account_id,
        crm_id=crm_id,
        today=today,
        **gone[0],
    )
    if today == contact_id:
        return Mended(together=True, crm_id=(yield from _rename(account_id, contact_id, stays.crm_id)))
    yield Sql("UPDATE contacts SET crm_id = :crm_id WHERE account_id = :account_id AND id = :id", **names)
    yield Sql(  # undoing the merge gives the id back
        "INSERT INTO moved (account_id, merge_id, what, name, shared) SELECT account_id, id, 'crm', :crm_id, false "
        "FROM merges WHERE account_id = :account_id AND contact_id = :id AND undone_at IS NULL",
        **names,
    )
    return Mended(together=True, crm_id=stays.crm_id, merged_into=today)


def _retell(account_id: str, contact_id: str, stays: CrmContact) -> Plan[None]:
    """Take from the contact that stays what it shares with the one that is gone: it is told again.

    Whom a shared phone leads to was decided while the two CRM ids spoke against it.
    """
    for kind, value in stays.identities:
        yield Sql(
            "DELETE FROM identities WHERE account_id = :account_id AND kind = :kind AND value = :value "
            "AND contact_id IN (SELECT contact_id FROM identities WHERE account_id = :account_id AND kind = 'crm' AND "
            "value = :crm_id) AND contact_id <> :id AND EXISTS (SELECT 1 FROM identities i WHERE i.account_id = :account_id "
            "AND i.kind = :kind AND i.value = :value AND i.contact_id = :id)",
            account_id=account_id,
            kind=kind,
            value=value,
            crm_id=stays.crm_id,
            id=contact_id,
        )


def _rename(account_id: str, contact_id: str, crm_id: str | None) -> Plan[str | None]:
    """Set what the CRM calls a contact: this, else another id that the contact has there, else nothing. Returns it."""
    rows: list[Row] = yield Sql(
        "UPDATE contacts SET updated_at = :present, crm_id = COALESCE(:crm_id, (SELECT MIN(value) FROM identities "
        "WHERE account_id = :account_id AND kind = 'crm' AND contact_id = :id)) "
        "WHERE account_id = :account_id AND id = :id RETURNING crm_id",
        account_id=account_id,
        id=contact_id,
        crm_id=crm_id,
        present=now(),
    )
    called: str | None = rows[0]["crm_id"]
    return called
