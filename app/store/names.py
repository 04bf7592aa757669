"""Names of what rows name by id: contacts, sources, members, deals; and the buyers of orders."""

from collections.abc import Iterable, Sequence

from adapters.contract.fold import fold
from app.base.statement import entry_of
from app.db.engine import Store, among
from app.db.statements import Row
from app.store import privacy

_TABLES = {
    "contact": ("contacts", "id", "name"),
    "source": ("sources", "id", "name"),
    "member": ("members", "id", "name"),
    "deal": ("deals", "crm_id", "title"),
}


async def names(store: Store, account_id: str, what: str, ids: Iterable[str | None]) -> dict[str | None, str | None]:
    """Return the names of these contacts, sources, members or deals (`what`), by id. What is not there has none."""
    wanted = sorted({one for one in ids if one})
    if not wanted:
        return {}
    table, key, name = _TABLES[what]
    clause, values = among("word", wanted)
    rows = await store.all(
        f"SELECT {key} AS id, {name} AS name FROM {table} WHERE account_id = :account_id AND {key} {clause}",
        account_id=account_id,
        **values,
    )
    return {row["id"]: row["name"] for row in rows}


async def buyers(store: Store, account_id: str, orders: Sequence[Row]) -> dict[str, str | None]:
    """Return the buyers of these orders by the orders' ids: the contact's name, or what the source calls a buyer without one."""
    known = await names(store, account_id, "contact", [row["contact_id"] for row in orders])
    nameless = [row["id"] for row in orders if known.get(row["contact_id"]) is None]
    told = await privacy.histories(store, account_id, nameless) if nameless else {}
    return {
        row["id"]: known.get(row["contact_id"]) or fold(entry_of(one) for one in told.get(row["id"], ())).name
        for row in orders
    }
