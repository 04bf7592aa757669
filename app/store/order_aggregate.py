"""The orders of one transaction: reads their history, adds statements, folds, and writes them back.

This is longer than 400 lines: what is read, changed and written back is one state, and each step needs all of it.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from msgspec import Struct, field

from adapters.contract.fold import Entry, Folded, fold
from app.base.clock import now
from app.base.ids import new_id
from app.base.outcome import Outcome
from app.base.sale import fold_sale
from app.base.statement import UNTIMED, Statement, entry_digest, entry_of, identities_in
from app.db.statements import Insert, Lookup, Plan, Row, Sql, to_json
from app.store import order_owners
from app.store.attempts import are_two_sales
from app.store.contact_resolution import ContactResolution
from app.store.contacts import survivors
from app.store.delivery_record import Record
from app.store.outbox import OrderChange

_BY_EXTERNAL_ID = Lookup("orders", by=("account_id", "scope", "external_id"), for_update=True)
_BY_ID = Lookup("orders", by=("account_id", "id"), for_update=True)
_OF_SALE = Lookup("orders", by=("account_id", "sale_id"), for_update=True)
_ALIAS = Lookup("aliases", ("account_id", "scope", "name", "order_id"), by=("account_id", "scope", "name"))
_HISTORY = Lookup("history", by=("account_id", "order_id"))
_HISTORY_OF_DELIVERY = Lookup("history", ("account_id", "order_id"), by=("account_id", "delivery_id"))
_SAVE_ORDER = Insert("orders", on_conflict="replace")
_SAVE_HISTORY = Insert("history", on_conflict="skip")
_SAVE_ALIAS = Insert("aliases", on_conflict="replace")

PRUNED = "the order was pruned, as the account's retention asks; nothing of it is brought back"
MERGED = "order"  # the scope of the names that merged orders leave behind: their ids

# What the row of an order that was merged into another has in place of its own: it stands in no list and no sum.
_HIDDEN = {"value": None, "currency": None, "paid_value": 0, "refunded_value": 0}

EntryKey = tuple[int, int, str]


class HistoryEntry(Struct):
    """Holds a history entry and who said it."""

    entry: Entry
    delivery_id: str | None
    member_id: str | None
    stored: bool


class LoadedOrder(Struct, eq=False):
    """Holds an order while a transaction works on it."""

    account_id: str
    id: str
    scope: str
    source_id: str | None
    origin: str
    row: Row | None = None
    sale_id: str | None = None  # the order that stands for it and others, or itself; None: a member merged none
    columns: Row = field(default_factory=dict)
    heard: dict[EntryKey, HistoryEntry] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    stored_names: set[str] = field(default_factory=set)  # those that are rows of `aliases`
    absorbed: list["LoadedOrder"] = field(default_factory=list)
    dropped: list[EntryKey] = field(default_factory=list)
    folded: Folded = field(default_factory=Folded)
    touched: bool = False

    @property
    def described(self) -> bool:
        """Return whether anything has described the order. Before that it is not shown."""
        return self.columns.get("value") is not None

    @property
    def hidden(self) -> bool:
        """Return whether a member merged the order into another, which is shown in its place."""
        return self.sale_id is not None and self.sale_id != self.id

    def entries(self) -> list[Entry]:
        """Return the entries of its history, unordered."""
        return [heard.entry for heard in self.heard.values()]

    def identities(self) -> list[tuple[str, str, str]]:
        """Return every identity (account, kind, value) in its history."""
        return [(self.account_id, *one) for entry in self.entries() for one in identities_in(entry.said)]


class OrderAggregates:
    """Holds the orders of one transaction."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], LoadedOrder] = {}
        self._beside: dict[tuple[str, str], LoadedOrder] = {}  # orders merged with those, which nothing else concerns
        self._by_name: dict[tuple[str, str, str], LoadedOrder] = {}
        self._survivors: dict[tuple[str, str], str] = {}
        self._gone: set[tuple[str, str, str]] = set()  # names of orders that were pruned

    def load(self, names: Iterable[tuple[str, str, str]], taken_back: Sequence[tuple[str, str]]) -> Plan[None]:
        """Read the orders with these ids (account, scope, id), those of these deliveries, and their history."""
        wanted = sorted(set(names))
        rows: list[Row] = yield _BY_EXTERNAL_ID.many(wanted)
        # After the rows are locked: an order that was merged meanwhile is found under its new id.
        aliases: list[Row] = yield _ALIAS.many(wanted)
        known = {(row["account_id"], row["id"]) for row in rows}
        missing = {(alias["account_id"], alias["order_id"]) for alias in aliases}
        if taken_back:
            told: list[Row] = yield _HISTORY_OF_DELIVERY.many(taken_back)
            missing |= {(row["account_id"], row["order_id"]) for row in told}
        if missing - known:
            rows += yield _BY_ID.many(sorted(missing - known))
        for row in rows:
            self._open(row)
        if sales := {(one.account_id, one.sale_id) for one in self._by_id.values() if one.sale_id is not None}:
            for row in (yield _OF_SALE.many(sorted(sales))):
                if (row["account_id"], row["id"]) not in self._by_id:
                    self._beside[row["account_id"], row["id"]] = _opened(row)
        for alias in aliases:
            if order := self._by_id.get((alias["account_id"], alias["order_id"])):
                self._by_name[alias["account_id"], alias["scope"], alias["name"]] = order
                order.names.add(alias["name"])
                order.stored_names.add(alias["name"])
            else:
                self._gone.add((alias["account_id"], alias["scope"], alias["name"]))
        if self._by_id:
            loaded = self._by_id | self._beside
            for row in (yield _HISTORY.many(sorted(loaded))):
                order = loaded[row["account_id"], row["order_id"]]
                order.heard[row["at"], row["rank"], row["digest"]] = HistoryEntry(
                    entry_of(row), row["delivery_id"], row["member_id"], True
                )
            yield from self._follow_merges()

    def _follow_merges(self) -> Plan[None]:
        """Read which contacts the ones that members named were merged into."""
        named = {
            (order.account_id, heard.entry.said["contact_id"])
            for order in self.loaded()
            for heard in order.heard.values()
            if "contact_id" in heard.entry.said
        }
        self._survivors |= yield from survivors(named)

    def _survivor(self, account_id: str, contact_id: str | None) -> str | None:
        """Return the contact that a member named, or the one it was merged into."""
        return self._survivors.get((account_id, contact_id), contact_id) if contact_id else contact_id

    def _open(self, row: Row) -> None:
        order = _opened(row)
        self._by_id[order.account_id, order.id] = order
        self._by_name[order.account_id, order.scope, row["external_id"]] = order

    def loaded(self) -> Iterator[LoadedOrder]:
        """Return every order, those beside them included."""
        yield from self._by_id.values()
        yield from self._beside.values()

    def identities(self) -> list[tuple[str, str, str]]:
        """Return every identity (account, kind, value) in the loaded histories."""
        return [one for order in self._by_id.values() for one in order.identities()]

    def take_back(self, account_id: str, delivery_id: str) -> None:
        """Remove a delivery's statements, before it is read again."""
        for order in self._by_id.values():
            if order.account_id != account_id:
                continue
            for key in [key for key, heard in order.heard.items() if heard.delivery_id == delivery_id]:
                del order.heard[key]
                order.dropped.append(key)
                order.touched = True

    def apply(
        self, rec: Record, said: Statement, contacts: ContactResolution
    ) -> tuple[Outcome, LoadedOrder | None, str | None, list[str]]:
        """Add a delivery's statement to its order.

        Returns the outcome, the order, the reason, and notes for the log.
        """
        keys = [(rec.account_id, rec.source_id, name) for name in said.names]
        if said.attempt_of and not said.said.get("erased"):
            said = said.joined_by(self._attempts(rec, said))
        if not self._gone.isdisjoint(keys) and not any(key in self._by_name for key in keys):
            return Outcome.IGNORED, None, PRUNED, []
        order = self.named(rec.account_id, rec.source_id, rec.source_id, rec.origin, said.names)
        key = (said.at, said.rank, said.digest)
        there = order.heard.get(key)
        if (
            there is not None
            and there.delivery_id != rec.delivery_id
            and (said.at == UNTIMED or to_json(there.entry.said) != to_json(said.said))
        ):  # a state that came back, or was read anew
            key = apart(said, rec.delivery_id)
        known = key in order.heard
        if not known:
            order.heard[key] = HistoryEntry(
                Entry(
                    at=None if said.at == UNTIMED else said.at,
                    digest=key[2],
                    recorded_at=rec.received_at,
                    said=said.said,
                ),
                rec.delivery_id,
                None,
                False,
            )
        folded = fold(order.entries())
        notes = self._new_notes(order, folded, rec, key) if folded.notes else []
        if folded.value is None:
            self._write(order, folded, order.columns.get("contact_id") if order.sale_id is not None else None)
            return Outcome.IGNORED, order, "nothing has described this order yet; kept until something does", notes
        contact_id, conflict = self._place(order, folded, contacts, hold=rec.hold)
        if conflict:
            notes.append("identity_conflict")
        if contact_id is None and rec.hold and not said.said.get("erased"):
            if not known:
                del order.heard[key]
            who = "waits for a contact with one of its identities" if folded.identities else "the order names nobody"
            return Outcome.HELD, None, who, notes
        shown = self.shown(order)
        before = shown.columns
        was_described = shown.described
        self._write(order, folded, contact_id)
        if not was_described:
            return Outcome.CREATED, shown, None, notes
        changed = any(before.get(name) != value for name, value in shown.columns.items())
        return (Outcome.UPDATED if changed else Outcome.UNCHANGED), shown, None, notes

    def _new_notes(self, order: LoadedOrder, folded: Folded, rec: Record, key: EntryKey) -> list[str]:
        """Return the order's notes that it has by what this delivery says."""
        if rec.again:
            without = fold(heard.entry for its, heard in order.heard.items() if its != key).notes
        else:
            without = json.loads(order.columns.get("notes", "[]"))
        return [note for note in folded.notes if note not in without]

    def _attempts(self, rec: Record, said: Statement) -> tuple[str, ...]:
        """Return those of the names shared by attempts to pay one sale that are ids of this statement's order."""
        keys = [(rec.account_id, rec.source_id, name) for name in said.names]
        own = [order for key in keys if (order := self._by_name.get(key))]
        side = [said.said, *(heard.entry.said for order in own for heard in order.heard.values())]
        joined: tuple[str, ...] = ()
        for name in said.attempt_of:
            other = self._by_name.get((rec.account_id, rec.source_id, name))
            if other is not None and not any(other is one for one in own):
                across = [heard.entry.said for heard in other.heard.values()]
                if are_two_sales(name, side, across):
                    continue
                own.append(other)
                side += across
            joined += (name,)
        return joined

    def apply_member(self, order: LoadedOrder, said: Statement, member_id: str) -> None:
        """Add a member's statement. A member names the contact; no identities are resolved."""
        present = now()
        heard = Entry(at=said.at, digest=said.digest, recorded_at=present, said=said.said, by_member=True)
        order.heard[said.at, said.rank, said.digest] = HistoryEntry(heard, None, member_id, False)
        folded = fold(order.entries())
        named = self._survivor(order.account_id, folded.contact_id)
        self._write(order, folded, named or order.columns.get("contact_id"))

    def apply_import(self, order: LoadedOrder, entry: Entry, contacts: ContactResolution) -> tuple[Outcome, bool]:
        """Add an imported row. Returns the order's outcome, and whether contacts conflict (see `refold`)."""
        key = (UNTIMED if entry.at is None else entry.at, entry.rank, entry.digest)
        order.heard[key] = HistoryEntry(entry, None, None, False)
        shown = self.shown(order)
        before, was_described = shown.columns, shown.described
        conflict = self.refold(order, contacts, hold=False)
        if not shown.described:
            return Outcome.IGNORED, conflict
        if not was_described:
            return Outcome.CREATED, conflict
        if not any(before.get(name) != value for name, value in shown.columns.items()):
            return Outcome.UNCHANGED, conflict
        shown.columns["updated_at"] = entry.recorded_at
        return Outcome.UPDATED, conflict

    def find(self, account_id: str, scope: str, name: str) -> LoadedOrder | None:
        """Return the order with this id that was loaded or created."""
        return self._by_name.get((account_id, scope, name))

    def is_pruned(self, account_id: str, scope: str, name: str) -> bool:
        """Return whether the id is that of a pruned order."""
        key = (account_id, scope, name)
        return key in self._gone and key not in self._by_name

    def named(
        self,
        account_id: str,
        scope: str,
        source_id: str | None,
        origin: str,
        names: Sequence[str],
        *,
        new: str | None = None,
    ) -> LoadedOrder:
        """Return the order with these ids. Several that are one sale become the oldest of them.

        If there is none, it is created with the id `new`, or one of its own.
        """
        keys = [(account_id, scope, name) for name in names]
        found = list({id(order): order for key in keys if (order := self._by_name.get(key))}.values())
        if not found:
            order = LoadedOrder(account_id, new or new_id("ord"), scope, source_id, origin)
            self._by_id[order.account_id, order.id] = order
        else:
            order = min(found, key=lambda one: (one.row is None, one.id))
            for other in found:
                if other is not order:
                    self._absorb(order, other)
        for key in keys:
            self._by_name[key] = order
            order.names.add(key[2])
        return order

    def _absorb(self, order: LoadedOrder, other: LoadedOrder) -> None:
        for key, heard in other.heard.items():
            order.heard.setdefault(key, heard)
        order.names |= other.names
        order.stored_names |= other.stored_names
        order.absorbed += [*other.absorbed, other]
        if other.sale_id is not None:
            self._take_place(order, other)
        if not order.described:
            order.columns = {**other.columns, "id": order.id} if other.described else order.columns
        for name in other.names:
            self._by_name[order.account_id, order.scope, name] = order
        del self._by_id[other.account_id, other.id]

    def _take_place(self, order: LoadedOrder, other: LoadedOrder) -> None:
        """Put the order in the place of one that it absorbs, among orders that a member merged."""
        sale_id = other.sale_id
        if order.sale_id is None or order.sale_id == other.id:
            order.sale_id = order.id if sale_id == other.id else sale_id
        for one in self.loaded():
            if one.account_id == order.account_id and one.sale_id == sale_id:
                one.sale_id = order.sale_id

    def shown(self, order: LoadedOrder) -> LoadedOrder:
        """Return the order that stands for this one: itself, or the one that a member merged it into."""
        if not order.hidden:
            return order
        key = (order.account_id, order.sale_id or "")
        return self._by_id.get(key) or self._beside[key]

    def merge(self, order: LoadedOrder, into: LoadedOrder) -> None:
        """Hide an order, with those merged into it, behind another, which then stands for the sale."""
        for one in [*self._members(order), order]:
            one.sale_id = into.id
        into.sale_id = into.id
        self._write_sale(into)

    def split(self, order: LoadedOrder, contacts: ContactResolution) -> None:
        """Take a hidden order out of its sale: it is what its own history tells, on the contact of its buyer."""
        rest, order.sale_id = self.shown(order), None
        folded = fold(order.entries())
        match = contacts.match(order.account_id, folded.identities, folded.name)
        named = self._survivor(order.account_id, folded.contact_id)
        self._write(order, folded, named or match.contact_id or order.columns.get("contact_id"))
        self._write_sale(rest)

    def release(self, order_ids: Collection[str]) -> None:
        """Take these orders out of their sales; what is left of each goes on."""
        for order in self.loaded():
            if order.id in order_ids:
                order.sale_id = None
                self._write(order, fold(order.entries()), order.columns.get("contact_id"))
        for order in self.loaded():
            self._write_sale(order)

    def _members(self, order: LoadedOrder) -> list[LoadedOrder]:
        """Return the orders of the order's sale, the oldest first, without those that no statement is left of."""
        if order.sale_id is None:
            return []
        sale = (order.account_id, order.sale_id)
        found = [one for one in self.loaded() if (one.account_id, one.sale_id) == sale and one.heard]
        return sorted(found, key=lambda one: one.id)

    def _write(self, order: LoadedOrder, folded: Folded, contact_id: str | None) -> None:
        """Set an order's row, and those of the sale that it is part of."""
        order.folded, order.touched = folded, True
        order.columns = _columns(order, folded, contact_id)
        if order.sale_id is not None:
            self._write_sale(order)

    def _write_sale(self, order: LoadedOrder) -> None:
        """Set the rows of all orders of a sale. If the one that stood for it is gone, the oldest does."""
        members = self._members(order)
        if not members:
            return
        survivor = next((one for one in members if one.id == one.sale_id), members[0])
        merged = [one for one in members if one is not survivor]
        whole = fold_sale(survivor.entries(), [one.entries() for one in merged])
        contact_id = survivor.columns.get("contact_id")
        for one in members:
            one.sale_id, one.touched = (survivor.id if merged else None), True
        survivor.columns = _columns(survivor, whole, contact_id)
        for one in merged:
            one.columns = {**_columns(one, fold(one.entries()), contact_id), **_HIDDEN}

    def _leave_sales(self) -> None:
        """Settle the sales of orders that no statement is left of."""
        for order in list(self.loaded()):
            if order.touched and not order.heard and order.sale_id is not None:
                for one in self._members(order)[:1]:
                    order.sale_id = None
                    self._write_sale(one)

    def _place(
        self, order: LoadedOrder, folded: Folded, contacts: ContactResolution, *, hold: bool
    ) -> tuple[str | None, bool]:
        if folded.contact_id:
            return self._survivor(order.account_id, folded.contact_id), False
        match = contacts.place(order.account_id, folded.identities, folded.name, order.source_id, hold=hold)
        return match.contact_id or order.columns.get("contact_id"), match.conflict

    def follow(self, contacts: ContactResolution) -> None:
        """Give the changed orders of contacts that were merged here to the survivors."""
        for order in self.loaded():
            if order.touched and (contact_id := order.columns.get("contact_id")):
                order.columns["contact_id"] = contacts.today(order.account_id, contact_id)

    def settle(self, contacts: ContactResolution) -> None:
        """Fold orders that lost a statement and got no new one."""
        for order in self._by_id.values():
            if order.dropped and order.heard:
                folded = fold(order.entries())
                contact_id = contacts.match(order.account_id, folded.identities, folded.name).contact_id
                named = self._survivor(order.account_id, folded.contact_id)
                self._write(order, folded, named or contact_id or order.columns.get("contact_id"))
        self._leave_sales()

    def refold(self, order: LoadedOrder, contacts: ContactResolution, *, hold: bool) -> bool:
        """Fold an order whose history has changed. Returns whether its identities belong to several contacts.

        With `hold`, an order whose contact is unknown creates none.
        """
        folded = fold(order.entries())
        contact_id, conflict = order.columns.get("contact_id"), False
        if folded.value is not None:
            contact_id, conflict = self._place(order, folded, contacts, hold=hold)
        self._write(order, folded, contact_id)
        return conflict

    def save(self, owners: Mapping[tuple[str, str], str | None] = {}) -> Plan[None]:
        """Write every changed order, its history and ids. `owners` are those of contacts, as far as they are known."""
        in_order = itemgetter(*_SAVE_ORDER.columns)
        orders: list[tuple[Any, ...]] = []
        history: list[tuple[Any, ...]] = []
        aliases: list[tuple[Any, ...]] = []
        touched = sorted((order for order in self.loaded() if order.touched), key=lambda one: (one.account_id, one.id))
        yield from order_owners.copy_owners([(order.columns, order.row) for order in touched if order.heard], owners)
        for order in touched:
            for other in order.absorbed:
                if other.row is not None:
                    yield from _move(order, other)
                    aliases.append((order.account_id, MERGED, other.id, order.id))
            for at, rank, digest in order.dropped:
                said_again = order.heard.get((at, rank, digest))
                if said_again is None or not said_again.stored:  # in other words, perhaps, under the same key
                    yield Sql(
                        "DELETE FROM history WHERE account_id = :account_id AND order_id = :order_id AND at = :at "
                        "AND rank = :rank AND digest = :digest",
                        account_id=order.account_id,
                        order_id=order.id,
                        at=at,
                        rank=rank,
                        digest=digest,
                    )
            if not order.heard:
                yield from _remove(order)
                continue
            if order.row is not None and order.columns["contact_id"] != order.row["contact_id"]:
                yield Sql(
                    "UPDATE history SET contact_id = :contact_id WHERE account_id = :account_id AND order_id = :id",
                    account_id=order.account_id,
                    id=order.id,
                    contact_id=order.columns["contact_id"],
                )
            if _differs(order):
                orders.append(in_order(order.columns))
            history += [
                (
                    order.account_id,
                    order.id,
                    *key,
                    heard.entry.recorded_at,
                    heard.delivery_id,
                    heard.member_id,
                    to_json(heard.entry.said),
                    order.columns["contact_id"],
                )
                for key, heard in order.heard.items()
                if not heard.stored
            ]
            aliases += [
                (order.account_id, order.scope, name, order.id)
                for name in order.names
                if name != order.columns["external_id"] and name not in order.stored_names
            ]
        if orders:
            yield _SAVE_ORDER.many(orders)
        if history:
            yield _SAVE_HISTORY.many(history)
        if aliases:
            yield _SAVE_ALIAS.many(list({row[:3]: row for row in aliases}.values()))

    def changed(self) -> Iterator[OrderChange]:
        """Return what this transaction changes in orders, as they are shown."""
        for order in self.loaded():
            if order.touched and not order.hidden:
                replaced = [*order.absorbed, *(one for one in self._members(order) if one is not order)]
                yield OrderChange(
                    account_id=order.account_id,
                    order_id=order.id,
                    before=_described(order.row),
                    after=_described(order.columns) if order.heard else None,
                    replaces=tuple(other.id for other in replaced if _described(other.row)),
                )


def _opened(row: Row) -> LoadedOrder:
    order = LoadedOrder(row["account_id"], row["id"], row["scope"], row["source_id"], row["origin"], row=row)
    order.sale_id = row["sale_id"]
    order.columns = {**row, "test": bool(row["test"])}
    order.names.add(row["external_id"])
    return order


def apart(said: Statement, delivery_id: str) -> EntryKey:
    """Return the key of a statement whose own is taken by another delivery."""
    return said.at, said.rank, entry_digest(said.digest, delivery_id)


def _described(row: Row | None) -> Row | None:
    """Return the order if anything has described it."""
    return row if row is not None and row.get("value") is not None else None


def _differs(order: LoadedOrder) -> bool:
    if order.row is None or order.absorbed:
        return True
    row = order.row
    if any(row[name] != value for name, value in order.columns.items() if name != "updated_at"):
        order.columns["updated_at"] = now()
        return True
    return False


def _columns(order: LoadedOrder, folded: Folded, contact_id: str | None) -> Row:
    """Return the order's row, computed from its history."""
    present = now()
    row = order.row or {}
    return {
        "account_id": order.account_id,
        "id": order.id,
        "scope": order.scope,
        "external_id": folded.external_id or row.get("external_id") or order.id,  # only a member may have a word on it
        "source_id": order.source_id,
        "origin": order.origin,
        "contact_id": contact_id,
        "deal_id": folded.deal_id,
        "title": folded.title,
        "value": folded.value,
        "paid_value": folded.paid_value,
        "refunded_value": folded.refunded_value,
        "currency": folded.currency,
        "status": str(folded.status),
        "source_status": folded.source_status,
        "ordered_at": folded.ordered_at,
        "paid_at": folded.paid_at,
        "url": folded.url,
        "test": folded.test,
        "items": to_json(folded.items) if folded.items else "[]",
        "notes": to_json(folded.notes) if folded.notes else "[]",
        "created_at": row.get("created_at") or order.columns.get("created_at") or present,
        "updated_at": row.get("updated_at") or order.columns.get("updated_at") or present,
        "owner_id": row.get("owner_id"),
        "deal_owner_id": row.get("deal_owner_id"),
        "sale_id": order.sale_id,
    }


def _move(order: LoadedOrder, other: LoadedOrder) -> Plan[None]:
    """Move the other order's history and ids to this one: they are one sale. Its id becomes an id of this one."""
    names = {"account_id": order.account_id, "to_id": order.id, "from_id": other.id}
    yield Sql(
        "INSERT INTO history SELECT account_id, :to_id, at, rank, digest, recorded_at, delivery_id, member_id, said, "
        ":contact_id FROM history WHERE account_id = :account_id AND order_id = :from_id ON CONFLICT DO NOTHING",
        **names,
        contact_id=order.columns["contact_id"],
    )
    yield Sql(
        "DELETE FROM history WHERE account_id = :account_id AND order_id = :from_id",
        account_id=order.account_id,
        from_id=other.id,
    )
    yield Sql(
        "UPDATE aliases SET order_id = :to_id WHERE account_id = :account_id AND order_id = :from_id",
        **names,
    )
    yield Sql(
        "DELETE FROM orders WHERE account_id = :account_id AND id = :from_id",
        account_id=order.account_id,
        from_id=other.id,
    )


def _remove(order: LoadedOrder) -> Plan[None]:
    """Delete an order without any statement: a misread delivery now belongs to another order."""
    for table, column in (("aliases", "order_id"), ("orders", "id")):
        yield Sql(
            f"DELETE FROM {table} WHERE account_id = :account_id AND {column} = :id",
            account_id=order.account_id,
            id=order.id,
        )
