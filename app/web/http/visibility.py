"""Owner privacy: decides, in one place, whose contacts, deals and buyers the caller may see."""

from app.base.roles import Role
from app.base.statement import identities_in
from app.db.statements import Row
from app.store import contacts, orders
from app.web.http.request import ApiRequest


async def wallet_of(asked: ApiRequest) -> str | None:
    """Return the member whose own contacts and deals are all the caller may see; None: no restriction."""
    if asked.caller.role is not Role.REP:
        return None
    return asked.caller.member_id if (await asked.account())["owner_privacy"] else None


async def history_of(asked: ApiRequest, order: Row) -> list[Row]:
    """Return the history of an order that the caller may see, without the buyers whom the caller may not see.

    An order in a wallet may name people outside it: it is on a deal of the rep's, or was somebody else's before. So a
    rep sees an entry's buyer only if the order's contact is theirs and has every identity that the entry names.
    """
    entries = await orders.history(asked.store, asked.account_id, order["id"])
    owner = await wallet_of(asked)
    if owner is None:
        return entries
    own: set[tuple[str, str]] = set()
    if order["owner_id"] == owner:
        known = await contacts.identities_of(asked.store, asked.account_id, [order["contact_id"]])
        own = {(one["kind"], one["value"]) for one in known}
    return [entry if _is_about(entry, own) else _without_buyer(entry) for entry in entries]


def _is_about(entry: Row, known: set[tuple[str, str]]) -> bool:
    named = identities_in(entry["said"])
    return bool(named) and known.issuperset(named)


def _without_buyer(entry: Row) -> Row:
    return {**entry, "said": {name: value for name, value in entry["said"].items() if name != "customer"}}
