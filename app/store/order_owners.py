"""Denormalised owners: the owner of an order's contact and of its deal are stored on the order, for a rep's lists.

Whoever writes an order holds the lock ("people", account) shared; whoever changes an owner holds it alone. So neither
misses what the other has just written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from app.db.engine import Store
from app.db.statements import Lookup, Plan, Row, Sql

_OF_CONTACT = Lookup("contacts", ("account_id", "id", "owner_id"), by=("account_id", "id"))
_OF_DEAL = Lookup("deals", ("account_id", "crm_id", "owner_id"), by=("account_id", "crm_id"))
_PLACED_BY = ("contact_id", "deal_id")

T = TypeVar("T")
Thing = tuple[str, str]  # account, and a contact's or a deal's id


class SingleWriter(Exception):
    """Raised when an owner changes or contacts are merged: the plan must run again, holding ("people", account) alone."""


async def commit(
    store: Store, plan: Callable[[bool], Plan[T]], *, patience: float | None = None, quick: bool = False
) -> T:
    """Run a plan. It runs alone only if it asks for that by raising SingleWriter. Raises what it raises."""
    try:
        return await store.commit(lambda: plan(False), patience=patience, quick=quick)
    except SingleWriter:
        return await store.commit(lambda: plan(True), patience=patience)


def owners(
    contacts: Collection[Thing], deals: Collection[Thing]
) -> Plan[tuple[dict[Thing, str | None], dict[Thing, str | None]]]:
    """Return the owners of these contacts, and of these deals."""
    of_contacts: dict[Thing, str | None] = {}
    of_deals: dict[Thing, str | None] = {}
    if contacts:
        rows: list[Row] = yield _OF_CONTACT.many(sorted(contacts))
        of_contacts = {(row["account_id"], row["id"]): row["owner_id"] for row in rows}
    if deals:
        rows = yield _OF_DEAL.many(sorted(deals))
        of_deals = {(row["account_id"], row["crm_id"]): row["owner_id"] for row in rows}
    return of_contacts, of_deals


def copy_owners(
    orders: Iterable[tuple[Row, Mapping[str, Any] | None]], known: Mapping[Thing, str | None] = {}
) -> Plan[None]:
    """Set the owners in orders' rows, given beside each row as it was. `known` are owners of contacts; the others are read.

    An order that nothing has described has no owner.
    """
    moved: list[Row] = []
    for columns, row in orders:
        if (
            row is not None
            and all(row[name] == columns[name] for name in _PLACED_BY)
            and (row["value"] is None) == (columns["value"] is None)
        ):
            continue
        columns["owner_id"] = columns["deal_owner_id"] = None
        if columns["value"] is not None:
            moved.append(columns)
    of_contacts, of_deals = yield from owners(
        {
            whose
            for one in moved
            if one["contact_id"] and (whose := (one["account_id"], one["contact_id"])) not in known
        },
        {(one["account_id"], one["deal_id"]) for one in moved if one["deal_id"]},
    )
    of_contacts |= known
    for one in moved:
        one["owner_id"] = of_contacts.get((one["account_id"], one["contact_id"]))
        one["deal_owner_id"] = of_deals.get((one["account_id"], one["deal_id"]))


def contacts_changed(account_id: str, contact_ids: Iterable[str]) -> Plan[None]:
    """Update the orders whose contact, or its owner, has changed. The caller holds ("people", account) alone."""
    for contact_id in contact_ids:
        yield _changed("owner_id", "contact_id", "contacts", "id", account_id, contact_id)


def deal_changed(account_id: str, crm_id: str) -> Plan[None]:
    """Do the same for a deal."""
    yield _changed("deal_owner_id", "deal_id", "deals", "crm_id", account_id, crm_id)


def _changed(carried: str, column: str, table: str, key: str, account_id: str, name: str) -> Sql:
    owner = f"(SELECT owner_id FROM {table} WHERE account_id = :account_id AND {key} = :name)"
    return Sql(
        f"UPDATE orders SET {carried} = {owner} WHERE account_id = :account_id AND {column} = :name "
        f"AND value IS NOT NULL AND {carried} IS DISTINCT FROM {owner}",
        account_id=account_id,
        name=name,
    )
