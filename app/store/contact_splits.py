"""Taking a contact apart: identities and orders that are somebody else's become a contact of their own.

Also keeping two contacts apart for good, and proposals: contacts whose orders the rule would not put together today.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.contract.fold import Folded, fold
from app.base.clock import now
from app.base.identity import is_weak, precedence
from app.base.ids import new_id
from app.base.statement import entry_of
from app.db.engine import Store, among
from app.db.statements import AdvisoryLock, Insert, Lookup, Plan, Row, Sql
from app.store import order_owners, outbox
from app.store.contact_merges import keep_apart
from app.store.contact_resolution import ContactResolution, Identity
from app.store.contacts import survivor
from app.store.manual_orders import member_statement
from app.store.order_aggregate import OrderAggregates

MOST = 2_000  # orders of one contact that are looked at
_HISTORY = Lookup("history", by=("account_id", "order_id"))
_CONTACT = Insert("contacts")
_IDENTITY = Insert("identities", on_conflict="skip")
_CONFLICT = Insert("conflicts", on_conflict="replace")


class SplitRejected(Exception):
    """Raised when a split makes no sense; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitResult:
    """Holds the contact that was taken apart, the new one, and how much moved."""

    contact_id: str
    new_id: str
    orders: int
    identities: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Holds orders of a contact that belong together, and whom they name."""

    orders: tuple[str, ...]
    identities: tuple[Identity, ...]
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Holds a contact whose orders are several people's by the rule. The first part stays."""

    contact_id: str
    parts: tuple[Part, ...]


async def split(
    store: Store,
    account_id: str,
    contact_id: str,
    identities: Sequence[Identity],
    order_ids: Sequence[str],
    member_id: str | None,
) -> SplitResult:
    """Make a contact of these identities and orders of another. Raises SplitRejected, Unavailable.

    Orders that are known by the identities move along; so do identities that only the orders name. A phone or CNPJ that
    both name is shared.
    """

    def plan() -> Plan[SplitResult]:
        yield AdvisoryLock([("people", account_id)])
        here = yield from survivor(account_id, contact_id)
        if here is None:
            raise SplitRejected("the contact is not there any more")
        held = yield from _held(account_id, here)
        if foreign := [value for kind, value in identities if (kind, value) not in held]:
            raise SplitRejected(f"the contact is not known by {foreign[0]}")
        orders = yield from _orders(account_id, here)
        if foreign := [one for one in order_ids if one not in orders]:
            raise SplitRejected(f"{foreign[0]} is no order of this contact")
        moving = set(order_ids) | {
            order_id
            for order_id, folded in orders.items()
            if not folded.contact_id and _strongest(folded, held) in identities
        }
        going = set(identities) | _only_named_by(moving, orders, held)
        if not going and not moving:
            raise SplitRejected("name identities or orders that are somebody else's")
        if not set(held) - going and moving.issuperset(orders):
            raise SplitRejected("nothing would be left of the contact")
        names = [folded.name for order_id, folded in orders.items() if order_id in moving and folded.name]
        new = yield from _made(account_id, names[-1] if names else None)
        yield from _move(account_id, here, new, going)
        yield from _share(account_id, new, [orders[one] for one in moving], held.keys() - going)
        yield from _move_orders(account_id, new, moving - set(order_ids))
        yield from _set_by_member(account_id, new, order_ids, member_id or "")
        yield from keep_apart(account_id, here, new)
        yield from order_owners.contacts_changed(account_id, [here, new])
        return SplitResult(contact_id=here, new_id=new, orders=len(moving), identities=len(going))

    return await store.commit(plan)


async def set_apart(store: Store, account_id: str, contact_id: str, other_id: str) -> None:
    """Write down that two contacts are two people: no evidence merges them, and they are no possible duplicates."""

    def plan() -> Plan[None]:
        yield AdvisoryLock([("people", account_id)])
        one, other = (yield from survivor(account_id, contact_id)), (yield from survivor(account_id, other_id))
        if one is None or other is None or one == other:
            raise SplitRejected("name two contacts that are there")
        yield from keep_apart(account_id, one, other)

    await store.commit(plan)


def _held(account_id: str, contact_id: str) -> Plan[dict[Identity, str | None]]:
    """Return a contact's identities, each with the source that told it."""
    rows: list[Row] = yield Sql(
        "SELECT kind, value, source_id FROM identities WHERE account_id = :account_id AND contact_id = :id",
        account_id=account_id,
        id=contact_id,
    )
    return {(row["kind"], row["value"]): row["source_id"] for row in rows}


def _orders(account_id: str, contact_id: str) -> Plan[dict[str, Folded]]:
    """Return a contact's orders, folded, the oldest first. Those that were merged into others go where these go."""
    rows: list[Row] = yield Sql(
        "SELECT id FROM orders WHERE account_id = :account_id AND contact_id = :id AND (sale_id IS NULL OR sale_id = id) "
        "ORDER BY id LIMIT :most",
        account_id=account_id,
        id=contact_id,
        most=MOST,
    )
    return (yield from _folded(account_id, [row["id"] for row in rows]))


def _folded(account_id: str, order_ids: Sequence[str]) -> Plan[dict[str, Folded]]:
    heard: dict[str, list[Row]] = {order_id: [] for order_id in order_ids}
    for row in (yield _HISTORY.many([(account_id, one) for one in order_ids])) if order_ids else ():
        heard[row["order_id"]].append(row)
    return {order_id: fold(entry_of(row) for row in rows) for order_id, rows in heard.items()}


def _strongest(folded: Folded, held: Collection[Identity]) -> Identity | None:
    return min((one for one in folded.identities if one in held), key=precedence, default=None)


def _only_named_by(moving: set[str], orders: dict[str, Folded], held: dict[Identity, str | None]) -> set[Identity]:
    """Return identities that sources told, and that only the orders that move name."""
    named = {one for order_id in moving for one in orders[order_id].identities}
    staying = {one for order_id, folded in orders.items() if order_id not in moving for one in folded.identities}
    return {one for one in named - staying if held.get(one) is not None and one[0] != "crm"}


def _made(account_id: str, name: str | None) -> Plan[str]:
    new, present = new_id("cnt"), now()
    yield _CONTACT.one(
        account_id=account_id, id=new, name=name, by_webhook=True, created_at=present, updated_at=present, apart="[]"
    )
    return new


def _move(account_id: str, here: str, new: str, going: Iterable[Identity]) -> Plan[None]:
    for kind, value in sorted(going):
        if kind == "crm":
            raise SplitRejected("a CRM id stays: undo the merge that brought it, or write the other contact in the CRM")
        yield Sql(
            "UPDATE identities SET contact_id = :new WHERE account_id = :account_id AND contact_id = :here "
            "AND kind = :kind AND value = :value",
            account_id=account_id,
            here=here,
            new=new,
            kind=kind,
            value=value,
        )


def _share(account_id: str, new: str, moved: Sequence[Folded], staying: Collection[Identity]) -> Plan[None]:
    """Give the new contact the phones and CNPJs that its orders name as well; other identities are contested."""
    named = {one for folded in moved for one in folded.identities if one in staying and one[0] != "crm"}
    shared = [(account_id, *one, new, None, now()) for one in sorted(named) if is_weak(one)]
    if shared:
        yield _IDENTITY.many(shared)
    contested = [(account_id, new, *one, None, now()) for one in sorted(named)]
    if contested:
        yield _CONFLICT.many(contested)


def _move_orders(account_id: str, new: str, order_ids: Collection[str]) -> Plan[None]:
    clause, values = among("order", sorted(order_ids))
    merged: list[Row] = yield Sql(
        f"SELECT id FROM orders WHERE account_id = :account_id AND sale_id {clause}", account_id=account_id, **values
    )
    clause, values = among("order", sorted({*order_ids, *(row["id"] for row in merged)}))
    for table, column in (("orders", "id"), ("history", "order_id")):
        yield Sql(
            f"UPDATE {table} SET contact_id = :new WHERE account_id = :account_id AND {column} {clause}",
            account_id=account_id,
            new=new,
            **values,
        )


def _set_by_member(account_id: str, new: str, order_ids: Sequence[str], member_id: str) -> Plan[None]:
    """Say of these orders that a member gave them to the contact, so that later deliveries follow."""
    clause, values = among("id", list(order_ids))
    rows: list[Row] = yield Sql(
        f"SELECT id, scope, source_id, origin, external_id FROM orders WHERE account_id = :account_id AND id {clause}",
        account_id=account_id,
        **values,
    )
    if not rows:
        return
    aggregates = OrderAggregates()
    yield from aggregates.load([(account_id, row["scope"], row["external_id"]) for row in rows], [])
    for row in rows:
        order = aggregates.named(account_id, row["scope"], row["source_id"], row["origin"], [row["external_id"]])
        aggregates.apply_member(order, member_statement({"contact_id": new}, order.id), member_id)
    yield from aggregates.save()
    yield from outbox.publish_orders([account_id], aggregates.changed())


async def proposals(store: Store, account_id: str, *, after: str, limit: int) -> tuple[list[Proposal], str | None]:
    """Return contacts whose orders are several people's by today's rule, after this one, and where the next page begins.

    Nothing is changed. Left out are contacts that a member has merged, and orders that a member has given them.
    """
    found: list[Proposal] = []
    while True:
        rows = await store.all(
            "SELECT c.id, c.name FROM contacts c WHERE c.account_id = :account_id AND c.id > :after "
            "AND c.merged_into IS NULL AND NOT EXISTS (SELECT 1 FROM merges m WHERE m.account_id = c.account_id "
            "AND m.into_id = c.id AND m.undone_at IS NULL AND m.member_id IS NOT NULL) ORDER BY c.id LIMIT :few",
            account_id=account_id,
            after=after,
            few=100,
        )
        for row in rows:
            after = row["id"]
            orders, held = await store.read(partial(_whole, account_id, after))
            if len(parts := _parts(account_id, orders, held)) > 1:
                found.append(Proposal(contact_id=after, parts=parts))
            if len(found) == limit:
                return found, after
        if not rows:
            return found, None


def _whole(account_id: str, contact_id: str) -> Plan[tuple[dict[str, Folded], dict[Identity, str | None]]]:
    return (yield from _orders(account_id, contact_id)), (yield from _held(account_id, contact_id))


def _parts(account_id: str, orders: dict[str, Folded], held: dict[Identity, str | None]) -> tuple[Part, ...]:
    """Group a contact's orders as if they came anew, beside what the CRM says of the contact. The first part stays."""
    resolution = ContactResolution()
    own = [one for one, source_id in held.items() if source_id is None]
    stays = resolution.place(account_id, own, None, None).contact_id if own else None
    groups: dict[str, list[str]] = {}
    for order_id, folded in orders.items():
        if folded.contact_id or not folded.identities:
            continue
        placed = resolution.place(account_id, folded.identities, folded.name, None).contact_id
        groups.setdefault(placed or "", []).append(order_id)
    merged: dict[str, list[str]] = {}
    for contact_id, order_ids in groups.items():
        merged.setdefault(resolution.today(account_id, contact_id), []).extend(order_ids)
    first = resolution.today(account_id, stays) if stays else max(merged, key=lambda one: len(merged[one]), default="")
    ordered = sorted(merged, key=lambda one: (one != first, -len(merged[one])))
    found: list[Part] = []
    for contact_id in ordered:
        its = [orders[one] for one in merged[contact_id]]
        known = sorted({one for folded in its for one in folded.identities if one in held}, key=precedence)
        names: list[Any] = [folded.name for folded in its if folded.name]
        found.append(Part(orders=tuple(merged[contact_id]), identities=tuple(known), name=names[-1] if names else None))
    return tuple(found)
