"""Regroups the orders of a remap: histories are taken apart, and grouped into sales again.

Two sales that were merged by mistake, or one that was split, cannot be repaired one delivery at a time, because an
order's ids stay with it. Here every id is forgotten first. Entries that stay, and those that are read again, are
grouped by which ids belong to one sale. Each sale takes the order that most of it comes from, with its id and what
members set.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from adapters.contract.fold import Folded, fold
from app.base.statement import Statement
from app.db.statements import Lookup, Plan, Row, Sql, to_json
from app.store.contact_resolution import ContactResolution
from app.store.delivery_record import Record
from app.store.order_aggregate import EntryKey, HistoryEntry, LoadedOrder, OrderAggregates

_NAMES_OF = Lookup("aliases", ("scope", "name", "order_id"), by=("account_id", "order_id"))


@dataclass(slots=True)
class OrderBefore:
    """Holds an order as it was before."""

    order: LoadedOrder
    folded: Folded
    entries: dict[EntryKey, HistoryEntry]  # what deliveries said; what members said stays with the order
    home: LoadedOrder  # the order that it is now


class _SaleGroups:
    """Groups ids that belong to one sale, joined as they are found together."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def join(self, names: Sequence[str]) -> None:
        first = self.of(names[0])
        for name in names[1:]:
            self._of[self.of(name)] = first

    def of(self, name: str) -> str:
        """Return the representative of a sale's ids."""
        way = []
        above = self._of.setdefault(name, name)
        while above != name:
            way.append(name)
            name, above = above, self._of[above]
        for step in way:
            self._of[step] = name
        return name

    def knows(self, name: str) -> bool:
        return name in self._of

    def all(self) -> dict[str, list[str]]:
        """Return the ids of every sale."""
        found: dict[str, list[str]] = {}
        for name in list(self._of):
            found.setdefault(self.of(name), []).append(name)
        return found


class Regrouping(OrderAggregates):
    """Holds one source's orders while a remap's transaction works on them."""

    def __init__(self, account_id: str, scope: str) -> None:
        super().__init__()
        self.account_id, self.scope = account_id, scope
        self.was: list[OrderBefore] = []

    def names(self) -> Plan[set[str]]:
        """Return every id of every loaded order. The set is complete only when all of them were loaded."""
        found = {order.columns["external_id"] for order in self._by_id.values()}
        if self._by_id:
            rows: list[Row] = yield _NAMES_OF.many(sorted(self._by_id))
            found |= {row["name"] for row in rows if row["scope"] == self.scope}
        return found

    def take_apart(self, batch: Sequence[Record]) -> None:
        """Forget ids and statements, group what stays and the batch into sales, and give each sale its order."""
        again = {rec.delivery_id for rec in batch}
        for order in sorted(self._by_id.values(), key=lambda one: one.id):
            folded = fold(order.entries())
            entries = {key: heard for key, heard in order.heard.items() if heard.member_id is None and _names(heard)}
            self.was.append(OrderBefore(order, folded, entries, order))
            order.heard = {key: heard for key, heard in order.heard.items() if key not in entries}
            order.names = set()
            if folded.identities and not folded.contact_id:
                order.columns["contact_id"] = None  # it followed from what was said, and so it does again
        self._by_name.clear()
        staying = [
            (was, key, heard)
            for was in self.was
            for key, heard in was.entries.items()
            if heard.delivery_id not in again
        ]
        sales = _SaleGroups()
        for _, _, heard in staying:
            sales.join(_names(heard))
        for rec in batch:
            for said in rec.statements:
                sales.join(said.names)
        self._claim(sales, staying, batch)
        for was, key, heard in staying:
            first = batch[0]
            order = self.named(
                first.account_id, first.source_id, first.source_id, first.origin, _statement(key, heard).names
            )
            order.heard.setdefault(key, heard if order is was.home else replace(heard, stored=False))

    def _claim(
        self, sales: _SaleGroups, staying: list[tuple[OrderBefore, EntryKey, HistoryEntry]], batch: Sequence[Record]
    ) -> None:
        """Give each sale the order that most of it comes from. Several orders of one sale become the oldest of them."""
        stays: dict[str, Counter[str]] = {was.order.id: Counter() for was in self.was}
        follows: dict[str, Counter[str]] = {was.order.id: Counter() for was in self.was}
        for was, _, heard in staying:
            stays[was.order.id][sales.of(_names(heard)[0])] += 1
        says = {rec.delivery_id: {sales.of(said.names[0]) for said in rec.statements} for rec in batch}
        for was in self.was:
            for heard in was.entries.values():
                follows[was.order.id].update(says.get(heard.delivery_id or "", ()))
        names = sales.all()
        claimed: dict[str, LoadedOrder] = {}
        for was in self.was:
            order, staying_in, following = was.order, stays[was.order.id], follows[was.order.id]
            name = order.columns["external_id"]
            own = sales.of(name) if sales.knows(name) else None
            wanted = {*staying_in, *following, *([own] if own is not None else ())}
            if not wanted:
                continue
            best = max(sorted(wanted), key=lambda sale: (sale == own, staying_in[sale], following[sale]))
            if best in claimed:
                was.home = claimed[best]
                self._absorb(was.home, order)
            else:
                claimed[best] = order
                for name in names[best]:
                    self._by_name[self.account_id, self.scope, name] = order

    def finish(self, like: Record, contacts: ContactResolution) -> None:
        """Fold every order, and find which history entries stay where they are."""
        for was in self.was:
            for key, heard in was.entries.items():
                now = was.home.heard.get(key)
                if now is not None and not now.stored and _same(now, heard):
                    was.home.heard[key] = heard
        for order in list(self._by_id.values()):
            order.touched = order.row is not None or bool(order.heard)
            if order.heard:
                self.refold(order, contacts, hold=like.hold)
            order.names = {name for heard in order.heard.values() for name in _names(heard)}
        self._leave_sales()

    def clear(self) -> Plan[None]:
        """Delete what is no longer where it was, before `save` writes the rest."""
        for was in self.was:
            for key, heard in was.entries.items():
                if was.home.heard.get(key) is not heard:
                    yield Sql(
                        "DELETE FROM history WHERE account_id = :account_id AND order_id = :order_id AND at = :at "
                        "AND rank = :rank AND digest = :digest",
                        account_id=self.account_id,
                        order_id=was.order.id,
                        at=key[0],
                        rank=key[1],
                        digest=key[2],
                    )
            home = was.home
            for name in sorted(was.order.stored_names):
                if not home.heard or name not in home.names or name == home.columns["external_id"]:
                    yield Sql(
                        "DELETE FROM aliases WHERE account_id = :account_id AND scope = :scope AND name = :name",
                        account_id=self.account_id,
                        scope=self.scope,
                        name=name,
                    )
                    home.stored_names.discard(name)
            if (
                was.order.row
                and home is was.order
                and home.heard
                and home.columns["external_id"] != was.order.row["external_id"]
            ):
                # Out of the way: two orders may have to change names with each other.
                yield Sql(
                    "UPDATE orders SET external_id = :parked WHERE account_id = :account_id AND id = :id",
                    account_id=self.account_id,
                    id=home.id,
                    parked=f"\u2026{home.id}",
                )

    def known(self, name: str) -> LoadedOrder | None:
        """Return the order with this id, or None."""
        return self._by_name.get((self.account_id, self.scope, name))

    def order_of(self, name: str) -> LoadedOrder:
        """Return the order that this id belongs to now, as it is shown. Raises KeyError."""
        return self.shown(self._by_name[self.account_id, self.scope, name])

    def beside(self) -> list[LoadedOrder]:
        """Return the orders that members merged with those, and that changed with them."""
        return [one for one in self._beside.values() if one.touched]

    def orders(self) -> list[LoadedOrder]:
        """Return the orders as they are now."""
        return sorted(self._by_id.values(), key=lambda one: one.id)

    def moved(self) -> set[str]:
        """Return deliveries outside the batch whose statements belong to another order now."""
        return {
            heard.delivery_id
            for was in self.was
            for key, heard in was.entries.items()
            if heard.delivery_id is not None and (was.home is not was.order or was.home.heard.get(key) is not heard)
        }


def _names(heard: HistoryEntry) -> tuple[str, ...]:
    said = heard.entry.said
    if "external_id" not in said:
        return ()
    return said["external_id"], *said.get("aliases", ())


def _same(one: HistoryEntry, other: HistoryEntry) -> bool:
    return (one.delivery_id, one.member_id, one.entry.recorded_at) == (
        other.delivery_id,
        other.member_id,
        other.entry.recorded_at,
    ) and to_json(one.entry.said) == to_json(other.entry.said)


def _statement(key: EntryKey, heard: HistoryEntry) -> Statement:
    return Statement(names=_names(heard), at=key[0], rank=key[1], digest=key[2], said=heard.entry.said)
