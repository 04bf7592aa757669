"""SQL about deals."""

from collections.abc import Mapping
from typing import Any

from app.base.clock import now
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Plan, Row, Sql
from app.store import contact_merges, contacts, order_owners

_COLUMNS = "crm_id, contact_id, title, owner_id, created_at, updated_at"


async def find(store: Store, account_id: str, crm_id: str) -> Row | None:
    """Return the deal with this CRM id."""
    return await store.one(
        f"SELECT {_COLUMNS} FROM deals WHERE account_id = :account_id AND crm_id = :crm_id",
        account_id=account_id,
        crm_id=crm_id,
    )


async def upsert(store: Store, account_id: str, crm_id: str, given: Mapping[str, Any]) -> bool:
    """Create the deal, or set what is given (contact_id, title, owner_id). Returns whether it is new.

    Raises ContactGone when the contact no longer exists, Unavailable.
    """
    names = {"account_id": account_id, "crm_id": crm_id}

    def plan(alone: bool) -> Plan[bool]:
        present = now()
        people = ("people", account_id)
        yield AdvisoryLock([("deal", account_id, crm_id), *([people] if alone else [])], shared=[people])
        survivor = yield from contacts.survivor(account_id, given["contact_id"])
        if survivor is None:
            raise contact_merges.ContactGone("contact")
        row = {"title": None, "owner_id": None, **given, "contact_id": survivor}
        found: list[Row] = yield Sql(
            "SELECT owner_id FROM deals WHERE account_id = :account_id AND crm_id = :crm_id", **names
        )
        owner = found[0]["owner_id"] if found else None
        owned_anew = row["owner_id"] != owner and ("owner_id" in given or not found)
        if owned_anew and not alone:
            raise order_owners.SingleWriter
        if found:
            changes = {word: row[word] for word in given}
            differs = " OR ".join(f"{word} IS DISTINCT FROM :{word}" for word in changes)
            sets = ", ".join(f"{word} = :{word}" for word in changes)
            yield Sql(
                f"UPDATE deals SET {sets}, updated_at = :present "
                f"WHERE account_id = :account_id AND crm_id = :crm_id AND ({differs})",
                **names,
                **changes,
                present=present,
            )
        else:
            yield Sql(
                "INSERT INTO deals (account_id, crm_id, contact_id, title, owner_id, created_at, updated_at) "
                "VALUES (:account_id, :crm_id, :contact_id, :title, :owner_id, :present, :present)",
                **names,
                **row,
                present=present,
            )
        if owned_anew:  # an order may name a deal that the registry hears of later
            yield from order_owners.deal_changed(account_id, crm_id)
        return not found

    return await order_owners.commit(store, plan)


async def orders_of_others(store: Store, account_id: str, crm_id: str, contact_id: str) -> list[Row]:
    """Return orders on the deal that belong to another contact."""
    return await store.all(
        "SELECT * FROM orders WHERE account_id = :account_id AND deal_id = :crm_id AND contact_id <> :contact_id "
        "AND value IS NOT NULL ORDER BY id",
        account_id=account_id,
        crm_id=crm_id,
        contact_id=contact_id,
    )
