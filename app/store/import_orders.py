"""The transaction that imports orders with their history and contacts, all or nothing.

An imported order is the fold of its history, like every other: its row is kept as an entry, so that a shop's later
deliveries fold over it. Most rows are new orders with one entry. Their columns are computed straight from it
(`columns_of`, which a test compares with the fold), and written in bulk.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any, NamedTuple, overload

import pydantic_core

from adapters.contract.fold import SO_FAR, Entry, given_back
from app.base.ids import new_ids
from app.base.outcome import Outcome
from app.base.statement import UNTIMED
from app.base.tabular import Fault
from app.db.alike import Alike
from app.db.statements import AdvisoryLock, Among, Insert, Plan, to_json
from app.store import order_owners
from app.store.contact_resolution import ContactResolution, Identity, sorted_by_kind
from app.store.order_aggregate import MERGED, PRUNED, LoadedOrder, OrderAggregates
from app.store.tombstones import SHOP, anybody_erased, matched_each, order_words

_ORDER_BY_NAME = Among(
    "orders", ("external_id", "id"), fixed=("account_id", "scope"), by="external_id", for_update=True
)
_ALIAS = Among("aliases", ("name", "order_id"), fixed=("account_id", "scope"), by="name")
_ORDER_BY_ID = Among("orders", ("id", "scope", "external_id"), fixed=("account_id",), by="id")
_CONTACT = Among("contacts", ("id", "merged_into"), fixed=("account_id",), by="id")
_ENTRIES = Among("history", ("order_id", "at", "rank", "digest"), fixed=("account_id",), by="order_id")
_INSERT_ORDER = Insert("orders")
_INSERT_HISTORY = Insert("history")

ERASED = "the person whom the row is about was erased"
MERGES = 50  # how many merges are followed from a contact's old id
CORRECTION = (
    1_000_000  # microseconds within which two imports' words on one order are taken in the order of their coming
)


class OrderRow(NamedTuple):
    """A row that is well-formed. `text` is what the history keeps of it, as JSON, and `columns` what `columns_of` makes of it.

    `at` is when it was true (microseconds, or UNTIMED), `digest` says its content; `contact` is the id of a contact that
    it names, `identities` are by what else it is known, the most believed first, and `name` is what it is called. `id`,
    `created_at` and `updated_at` are those of the registry from which it was exported. All of it is plain values.
    """

    line: int
    scope: str
    source_id: str | None
    origin: str
    external_id: str
    at: int
    rank: int
    digest: str
    text: str
    columns: tuple[Any, ...]
    contact: str | None
    identities: list[tuple[str, str]]
    name: str | None
    id: str | None
    created_at: int | None
    updated_at: int | None

    @property
    def said(self) -> dict[str, Any]:
        """What the history keeps."""
        said: dict[str, Any] = pydantic_core.from_json(self.text)
        return said

    @property
    def has_value(self) -> bool:
        """Whether it says what the order comes to, without which there is no order."""
        return self.columns[_VALUE] is not None


class OrderRows(Sequence[OrderRow]):
    """Rows kept column by column, as they come from the process that reads them and go into the tables.

    `each` field of OrderRow is a list, and `each.columns` a tuple of them. A row is put together when it is asked for:
    of most files none is.
    """

    __slots__ = ("_sorted", "each")

    def __init__(self, each: Sequence[Any], identities: dict[str, list[str]] | None = None) -> None:
        self.each: Any = OrderRow._make(each)
        self._sorted = identities

    @classmethod
    def of(cls, rows: Iterable[OrderRow]) -> "OrderRows":
        """These rows."""
        each = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in OrderRow._fields]
        each[_COLUMNS] = tuple(map(list, zip(*each[_COLUMNS], strict=True))) or tuple([] for _ in range(_OWN))  # type: ignore[call-overload]  # of its own kind
        return cls(each)

    def packed(self) -> tuple[int, list[Any], dict[str, list[str]]]:
        """What `unpacked` takes; of a column in which all rows say the same, as most do, one row alone."""

        def told(column: list[Any]) -> list[Any]:
            return column[:1] if column and column.count(column[0]) == len(column) else column

        return len(self), self._each(told), self.identities()

    @classmethod
    def unpacked(cls, count: int, columns: Sequence[Any], identities: dict[str, list[str]]) -> "OrderRows":
        """Rows that were packed."""
        whole = cls(columns)._each(lambda column: column * count if len(column) == 1 else column)
        return cls(whole, identities)

    def identities(self) -> dict[str, list[str]]:
        """The rows' identities by kind, each once and in order."""
        if self._sorted is None:
            self._sorted = sorted_by_kind(chain.from_iterable(self.each.identities))
        return self._sorted

    def __len__(self) -> int:
        return len(self.each.line)

    def __iter__(self) -> Iterator[OrderRow]:
        each = list(self.each)
        each[_COLUMNS] = zip(*each[_COLUMNS], strict=True)
        return map(OrderRow._make, zip(*each, strict=True))

    @overload
    def __getitem__(self, at: int) -> OrderRow: ...

    @overload
    def __getitem__(self, at: slice) -> "OrderRows": ...

    def __getitem__(self, at: int | slice) -> "OrderRow | OrderRows":
        if isinstance(at, slice):
            if len(range(len(self))[at]) == len(self) and (at.step or 1) == 1:
                return self  # with what is known of the whole
            return self._changed(lambda column: column[at])
        return OrderRow._make(self._each(lambda column: column[at]))

    def where(self, wanted: Sequence[bool]) -> "OrderRows":
        """Those of the rows that are wanted."""
        return self._changed(lambda column: list(compress(column, wanted)))

    def _changed(self, change: Callable[[list[Any]], list[Any]]) -> "OrderRows":
        return OrderRows(self._each(change))

    def _each(self, change: Callable[[Any], Any]) -> list[Any]:
        each = list(self.each)
        own = tuple(map(change, each[_COLUMNS]))
        return [own if at == _COLUMNS else change(column) for at, column in enumerate(each)]


@dataclass(slots=True)
class ImportReport:
    """Counts what became of a part's rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    made_contacts: bool = False

    def count(self, outcome: Outcome) -> None:
        """Count one row."""
        if outcome is Outcome.CREATED:
            self.created += 1
        elif outcome is Outcome.UPDATED:
            self.updated += 1
        else:
            self.unchanged += 1

    def add(self, other: "ImportReport") -> None:
        """Add another report."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.faults += other.faults
        self.notes += other.notes
        self.made_contacts = self.made_contacts or other.made_contacts


class DryRunDone(Exception):
    """Raised at the end of a dry run, so that the transaction is rolled back. Carries the report."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        self.report = report


def names_of(account_id: str, rows: OrderRows) -> Iterator[tuple[str, ...]]:
    """Return the locks of these rows: everything two transactions must not decide at once."""
    each = rows.each
    for scope, external_id, identities in zip(each.scope, each.external_id, each.identities, strict=True):
        yield ("order", account_id, scope, external_id)
        for kind, value in identities:
            yield ("identity", account_id, kind, value)


def import_orders(account_id: str, rows: OrderRows, by: str, present: int, *, rehearse: bool) -> Plan[ImportReport]:
    """Import these rows; `by` is the member who imports. Raises DryRunDone."""
    yield AdvisoryLock(names_of(account_id, rows), shared=[("people", account_id)])
    report = ImportReport()
    part = _Part(account_id, by, present, report)
    yield from part.load(rows)
    fresh, others = yield from part.sort_out((yield from part.living(rows)))
    yield from part.save_new(fresh)
    if others:
        yield from part.apply_more(others)
    yield from part.contacts.save()
    if rehearse:
        raise DryRunDone(report)
    return report


class _Part:
    """What one transaction knows of the rows' orders and contacts."""

    def __init__(self, account_id: str, by: str, present: int, report: ImportReport) -> None:
        self._account_id, self._present, self._report = account_id, present, report
        self._by = by
        self._signature = f',"imported":{to_json(by)}'
        self.contacts = ContactResolution()
        self._orders: dict[tuple[str, str], str] = {}  # (scope, external id or another name): order
        self._gone: set[tuple[str, str]] = set()  # names of orders that were pruned
        self._ids: dict[str, tuple[str, str] | None] = {}  # order: (scope, external id), or None: merged
        self._contact_ids = _ids("cnt")
        self._people: dict[str, str] = {}  # a contact's id: the one that answers under it today

    def load(self, rows: OrderRows) -> Plan[None]:
        """Reads what there is already of these orders and contacts."""
        each = rows.each
        scopes: dict[str, list[str]] = {}
        for scope, name in zip(each.scope, each.external_id, strict=True):
            scopes.setdefault(scope, []).append(name)
        for scope, names in scopes.items():
            for name, order_id in (yield _ORDER_BY_NAME.many(names, account_id=self._account_id, scope=scope)):
                self._orders[scope, name] = order_id
            aliases = yield _ALIAS.many(names, account_id=self._account_id, scope=scope)
            there = {
                found[0]
                for found in (yield _ORDER_BY_ID.many([one for _, one in aliases], account_id=self._account_id))
            }
            for name, order_id in aliases:
                if order_id in there:
                    self._orders[scope, name] = order_id
                elif (scope, name) not in self._orders:
                    self._gone.add((scope, name))
        ids = [
            order_id
            for order_id, *name in zip(each.id, each.scope, each.external_id, strict=True)
            if order_id and self._orders.get((name[0], name[1])) != order_id
        ]
        if ids:
            for order_id, scope, name in (yield _ORDER_BY_ID.many(ids, account_id=self._account_id)):
                self._ids[order_id] = (scope, name)
            for order_id, _ in (yield _ALIAS.many(ids, account_id=self._account_id, scope=MERGED)):
                self._ids[order_id] = None
        self._people = yield from survivors(self._account_id, {one for one in each.contact if one})
        yield from self.contacts.load_sorted(self._account_id, rows.identities())

    def living(self, rows: OrderRows) -> Plan[OrderRows]:
        """The rows without those that would bring back a person who was erased."""
        if not (yield from anybody_erased(self._account_id)):
            return rows
        scopes: dict[str, list[OrderRow]] = {}
        for row in rows:
            scopes.setdefault(row.scope, []).append(row)
        erased: set[int] = set()
        for scope, its in scopes.items():
            words = [[*row.identities, *order_words(scope, [row.external_id]), (SHOP, scope)] for row in its]
            for row, proof in zip(its, (yield from matched_each(self._account_id, words, scope)), strict=True):
                if proof is None:
                    continue
                erased.add(row.line)
                if (scope, row.external_id) in self._orders:  # as when what remains of the order was exported
                    self._report.unchanged += 1
                    self._note(row.line, "external_id", f"{ERASED}; what remains of the order stays as it is")
                else:
                    self._refuse(row.line, "contact", f"{ERASED}; nothing is brought back")
        return rows.where([line not in erased for line in rows.each.line]) if erased else rows

    def sort_out(self, rows: OrderRows) -> Plan[tuple[OrderRows, list[OrderRow]]]:
        """Rows of orders that are new, and of those that are there and may learn something. The rest was said before."""
        if self._all_new(rows):
            return rows, []
        fresh: dict[tuple[str, str], OrderRow] = {}
        taken: dict[str, OrderRow] = {}  # ids of orders that this part makes
        others: list[OrderRow] = []
        there: list[tuple[OrderRow, str]] = []
        for row in rows:
            name = (row.scope, row.external_id)
            if row.id and (other := self._ids.get(row.id)) and other != name:
                self._refuse(
                    row.line, "id", f"is the order {other[1]} of {other[0]}; another order needs another id, or none"
                )
            elif name in self._gone:
                self._report.unchanged += 1
                self._note(row.line, "external_id", PRUNED)
            elif name in self._orders:
                there.append((row, self._orders[name]))
            elif name in fresh:
                others.append(row)
            elif not row.has_value:
                self._refuse(row.line, "value", "is needed: there is no such order yet")
            elif row.id and row.id in taken:
                self._refuse(row.line, "id", f"stands in line {taken[row.id].line} as well, for another order")
            else:
                fresh[name] = row
                if row.id:
                    taken[row.id] = row
        if there:
            known = set((yield _ENTRIES.many(list({order_id for _, order_id in there}), account_id=self._account_id)))
            for row, order_id in there:
                if (order_id, row.at, row.rank, row.digest) in known:
                    self._report.unchanged += 1
                else:
                    others.append(row)
            others.sort(key=lambda row: row.line)
        return OrderRows.of(fresh.values()), others

    def _all_new(self, rows: OrderRows) -> bool:
        """Whether no two rows have anything to do with each other, or with what is there: in most files, that is so."""
        each = rows.each
        return not (self._orders or self._gone or any(each.id) or None in each.columns[_VALUE]) and (
            len(set(zip(each.scope, each.external_id, strict=True))) == len(rows)
        )

    def save_new(self, rows: OrderRows) -> Plan[None]:
        """Writes orders that nothing was said of before."""
        whose = self._contacts_of(rows)
        if None in whose:
            rows = rows.where([one is not None for one in whose])
        placed = [one for one in whose if one is not None]
        self._report.created += len(rows)
        if not placed:
            return
        each, end = rows.each, f"{self._signature}}}"
        ids = new_ids("ord", len(rows))
        if any(each.id):
            ids = [old if old and old not in self._ids else new for old, new in zip(each.id, ids, strict=True)]
        contacts = [contact_id for contact_id, _ in placed]
        texts = [
            f'{text[:-1]},"contact_id":{to_json(contact_id)}{end}' if pinned else text[:-1] + end
            for text, (contact_id, pinned) in zip(each.text, placed, strict=True)
        ]
        yield (yield from self._orders_of(each, ids, contacts))
        yield self._history_of(each, ids, contacts, texts)

    def _contacts_of(self, rows: OrderRows) -> list[tuple[str | None, bool] | None]:
        """Whose the orders are: of each row as `_contact` says."""
        each = rows.each
        return list(map(self._contact, each.line, each.contact, each.identities, each.name, each.source_id))

    def _orders_of(self, each: Any, ids: list[str], contacts: list[str | None]) -> Plan[Alike]:
        """`each` field of the rows as a column."""
        own = list(each.columns)
        own[_ORDERED_AT] = [self._present if at is None else at for at in own[_ORDERED_AT]]
        created, updated = ([at or self._present for at in column] for column in (each.created_at, each.updated_at))
        account_id, new = self._account_id, self.contacts.made()
        of_contacts = yield from order_owners.owners_of_contacts(account_id, {one for one in contacts if one} - new)
        _, of_deals = yield from order_owners.owners((), {(account_id, one) for one in own[_DEAL_ID] if one})
        owners = [of_contacts.get(one) if one else None for one in contacts]
        deal_owners = [of_deals.get((account_id, one)) if one else None for one in own[_DEAL_ID]]
        return Alike(
            _INSERT_ORDER,
            [
                [account_id] * len(ids), ids, each.scope, each.external_id, each.source_id, each.origin, contacts, *own,
                created, updated, owners, deal_owners,
            ],
        )  # fmt: skip

    def _history_of(self, each: Any, ids: list[str], contacts: list[str | None], texts: list[str]) -> Alike:
        account, present, nobody = ([value] * len(ids) for value in (self._account_id, self._present, None))
        return Alike(
            _INSERT_HISTORY,
            [account, ids, each.at, each.rank, each.digest, present, nobody, nobody, texts, contacts],
        )

    def apply_more(self, rows: Sequence[OrderRow]) -> Plan[None]:
        """Folds rows into orders that are there, one after the other as the file has them."""
        aggregates = OrderAggregates()
        yield from aggregates.load([(self._account_id, row.scope, row.external_id) for row in rows], [])
        yield from self.contacts.load(aggregates.identities())
        for row in rows:
            order = aggregates.named(self._account_id, row.scope, row.source_id, row.origin, [row.external_id])
            whose = self._contact(row.line, row.contact, row.identities, row.name, row.source_id)
            if whose is None:
                continue
            if not order.heard and not row.has_value:  # the row that was to make it was refused
                self._refuse(row.line, "value", "is needed: there is no such order yet")
                continue
            contact_id, pinned = whose
            if any(key[2] == row.digest for key in order.heard) or _says_nothing_new(order, row, contact_id):
                self._report.unchanged += 1
                continue
            said = {**row.said, "imported": self._by}
            if pinned:
                said["contact_id"] = contact_id
            entry = Entry(at=_moment(order, row), digest=row.digest, recorded_at=self._present, said=said)
            self._report.count(aggregates.apply_import(order, entry, self.contacts))
        yield from aggregates.save()

    def _contact(
        self, line: int, contact: str | None, identities: list[Identity], name: str | None, source_id: str | None
    ) -> tuple[str | None, bool] | None:
        """Whose the order of a row is, and whether the row's own word alone says so; None when the row was refused.

        The one place where an imported row's contact is decided: the contact of the id that it names; else the one that
        its identities find, in the order in which they are believed; else a new one with these identities.
        """
        account_id = self._account_id
        found, conflict, news = self.contacts.match(account_id, identities)
        named = self._people.get(contact) if contact else None
        if named:
            if news or conflict or found != named:
                self.contacts.teach(account_id, named, identities, source_id)
            if conflict or found not in (None, named):
                self._note(line, "contact_id", "its identities point to another contact as well; the id was believed")
            return named, self.contacts.match(account_id, identities)[0] != named
        if not identities:
            if contact:
                self._refuse(
                    line,
                    "contact_id",
                    f"there is no contact {contact}, and the row names no e-mail, phone or document",
                )
                return None
            return None, False
        if conflict:
            self._note(line, "contact", "identities point to several contacts; the most believed one counts")
        if found is None:
            found = self.contacts.make(account_id, name, identities, contact or next(self._contact_ids))
            self._report.made_contacts = True
            if contact:
                self._people[contact] = found
        if news or conflict:
            self.contacts.teach(account_id, found, identities, source_id)
        return found, False

    def _refuse(self, line: int, field_: str, message: str) -> None:
        self._report.faults.append(Fault(line, field_, message))

    def _note(self, line: int, field_: str, message: str) -> None:
        self._report.notes.append(Fault(line, field_, message))


def _ids(prefix: str) -> Iterator[str]:
    """As many new ids as are needed."""
    while True:
        yield from new_ids(prefix, 256)


def survivors(account_id: str, wanted: set[str]) -> Plan[dict[str, str]]:
    """Return those of these contacts that exist, each with its survivor if it was merged."""
    into: dict[str, str] = {}
    asked = sorted(wanted)
    for _ in range(MERGES):
        if not asked:
            break
        found = yield _CONTACT.many(asked, account_id=account_id)
        into |= {contact_id: merged or contact_id for contact_id, merged in found}
        asked = sorted({merged for _, merged in found if merged and merged not in into})
    answers: dict[str, str] = {}
    for contact_id in wanted & into.keys():
        last = contact_id
        for _ in range(MERGES):
            if into.get(last, last) == last:
                break
            last = into[last]
        answers[contact_id] = last
    return answers


_DEAL_ID, _VALUE, _ORDERED_AT, _OWN = 0, 2, 7, 12  # places in what follows, and how many there are
_COLUMNS = OrderRow._fields.index("columns")


def columns_of(said: dict[str, Any], at: int) -> tuple[Any, ...]:
    """Return an order's columns, `deal_id` to `items`, if one row is all that is known.

    It is what `fold` gives for one entry. `ordered_at` is None if the row has no time at all: the caller then sets the
    present.
    """
    get = said.get
    value, status, back = get("value"), get("status", "pending"), 0
    refunds = get("refunds")
    if refunds:
        back = given_back({refund: minor for refund, (minor, _) in refunds.items()})
    if status == "refunded":
        back = max(back, value or 0)
    elif value is not None and 0 < value <= back:
        status = "refunded"
    ordered_at = get("ordered_at")
    if ordered_at is None and at != UNTIMED:
        ordered_at = at
    items = get("items")
    return (
        get("deal_id"), get("title"), value, back, get("currency"), status, get("source_status"), ordered_at,
        get("paid_at"), get("url"), get("test", False), to_json(items) if items else "[]",
    )  # fmt: skip


_PLAIN = ("status", "source_status", "title", "value", "currency", "ordered_at", "paid_at", "url", "test", "deal_id")


def _says_nothing_new(order: LoadedOrder, row: OrderRow, contact_id: str | None) -> bool:
    """Whether the order is what the row says already; so it is when it was exported from here."""
    said, columns = row.said, order.columns
    if not columns or any(columns.get(name) != said[name] for name in _PLAIN if name in said):
        return False
    if contact_id is not None and contact_id != columns.get("contact_id"):
        return False
    if "refunds" in said and said["refunds"][SO_FAR][0] != columns["refunded_value"]:
        return False
    if "items" in said:
        items = columns["items"]
        kept = pydantic_core.from_json(items) if isinstance(items, str) else items
        return bool(kept == said["items"])
    return True


def _moment(order: LoadedOrder, row: OrderRow) -> int | None:
    """When the row was true. A file that corrects an earlier one comes after it, though it says no later time, or none."""
    earlier = [at for (at, _, _), heard in order.heard.items() if "imported" in heard.entry.said]
    if row.updated_at is not None:
        earlier = [at for at in earlier if row.at <= at < row.at + CORRECTION]
    if not earlier:
        return None if row.at == UNTIMED else row.at
    # Entries without a time come after all others, and override nothing: a correction of one needs some time.
    floor = order.columns.get("ordered_at") or 0 if row.at == UNTIMED else row.at - 1
    return max(floor, *earlier) + 1
