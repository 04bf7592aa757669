"""The transaction that imports orders: rows of a file become entries of their orders' histories, all or nothing.

An entry is folded and its contact resolved as a webhook's is (`OrderAggregates`, `ContactResolution`), so that what a
shop says later folds over it. Decided here is what only a file has: ids of ours, corrections, rows that say nothing new.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pydantic_core
from msgspec.structs import replace

from adapters.contract.cash import IMPORTED
from adapters.contract.fold import Entry
from app.base.outcome import Outcome
from app.base.statement import UNTIMED, Statement, identities_in
from app.base.tabular import Fault
from app.db.statements import AdvisoryLock, Lookup, Plan
from app.store.contact_resolution import ContactResolution, Identity
from app.store.contacts import survivors
from app.store.order_aggregate import MERGED, PRUNED, LoadedOrder, OrderAggregates
from app.store.tombstones import SHOP, anybody_erased, matched_each, order_words, without_identities

_ORDER_BY_ID = Lookup("orders", ("id", "scope", "external_id"), by=("account_id", "id"))
_MERGED_ORDER = Lookup("aliases", ("name",), by=("account_id", "scope", "name"))

ERASED = "the person whom the row is about was erased"
PREVIEWED = 5  # rows that a dry run shows as orders
NO_ORDER = "is needed: there is no such order yet"
# Microseconds within which two imports' words on one order are taken in the order of their coming.
CORRECTION = 1_000_000
_PLAIN = ("status", "source_status", "title", "value", "currency", "ordered_at", "paid_at", "url", "test", "deal_id")


@dataclass(slots=True)
class OrderRow:
    """Holds a valid row of a file."""

    line: int
    source_id: str | None
    origin: str
    statement: Statement
    contact: str | None
    id: str | None
    created_at: int | None
    updated_at: int | None

    @property
    def scope(self) -> str:
        """Return the scope of the external id, as in `schema.orders`."""
        return self.source_id or self.origin

    @property
    def external_id(self) -> str:
        """Return the id that identifies the order."""
        return self.statement.names[0]

    @property
    def identities(self) -> list[Identity]:
        """Return the contact's identities in the row, strongest first."""
        return identities_in(self.statement.said)

    @property
    def name(self) -> str | None:
        """Return the contact's name in the row."""
        name: str | None = self.statement.said.get("customer", {}).get("name")
        return name


@dataclass(slots=True)
class ImportReport:
    """Counts what became of a part's rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    made_contacts: bool = False
    preview: list[OrderRow] = field(default_factory=list)  # the first rows that are well

    def count(self, outcome: Outcome) -> None:
        """Count one row."""
        if outcome is Outcome.CREATED:
            self.created += 1
        elif outcome is Outcome.UPDATED:
            self.updated += 1
        else:
            self.unchanged += 1

    def add(self, other: "ImportReport") -> None:
        """Add what became of further rows."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.faults += other.faults
        self.notes += other.notes
        self.made_contacts = self.made_contacts or other.made_contacts
        self.preview = (self.preview + other.preview)[:PREVIEWED]


class DryRunDone(Exception):
    """Raised at the end of a dry run, so that the transaction is rolled back. Carries the report."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        self.report = report


class RowRefused(Exception):
    """Raised for a valid row that does not fit what is stored; says which field, and why."""

    def __init__(self, field_: str, message: str) -> None:
        super().__init__(message)
        self.field = field_


def _names(account_id: str, rows: Iterable[OrderRow]) -> Iterator[tuple[str, ...]]:
    """Return the locks of these rows: everything two transactions must not decide at once."""
    for row in rows:
        yield ("order", account_id, row.scope, row.external_id)
        for kind, value in row.identities:
            yield ("identity", account_id, kind, value)


def import_orders(
    account_id: str, rows: Sequence[OrderRow], by: str, present: int, *, dry_run: bool, alone: bool
) -> Plan[ImportReport]:
    """Import these rows; `by` is the member who imports, `present` is in microseconds.

    Raises DryRunDone, and order_owners.SingleWriter unless it runs alone.
    """
    people = [("people", account_id)]
    yield AdvisoryLock([*_names(account_id, rows), *(people if alone else [])], shared=people)
    part = _Part(account_id, by, present, alone)
    yield from part.load(rows)
    for row in (yield from part.living(rows)):
        part.apply(row)
    yield from part.save()
    if dry_run:
        part.report.preview = list(rows[:PREVIEWED])
        raise DryRunDone(part.report)
    return part.report


class _Part:
    """Holds what one transaction knows about the rows' orders and contacts."""

    def __init__(self, account_id: str, by: str, present: int, alone: bool) -> None:
        self._account_id, self._by, self._present = account_id, by, present
        self.report = ImportReport()
        self._aggregates, self._contacts = OrderAggregates(), ContactResolution(alone=alone)
        self._ids: dict[str, tuple[str, str] | None] = {}  # ids in use: scope and external id, or None when merged
        self._taken: dict[str, int] = {}  # ids of orders that this part makes, each with its line
        self._people: dict[str, str] = {}  # a contact's id: the one that answers under it today

    def load(self, rows: Sequence[OrderRow]) -> Plan[None]:
        """Reads what there is of these orders and contacts."""
        account_id = self._account_id
        yield from self._aggregates.load([(account_id, row.scope, row.external_id) for row in rows], [])
        ids = sorted({row.id for row in rows if row.id})
        if ids:
            for found in (yield _ORDER_BY_ID.many([(account_id, one) for one in ids])):
                self._ids[found["id"]] = (found["scope"], found["external_id"])
            for found in (yield _MERGED_ORDER.many([(account_id, MERGED, one) for one in ids])):
                self._ids[found["name"]] = None
        people = yield from survivors((account_id, row.contact) for row in rows if row.contact)
        self._people = {contact: last for (_, contact), last in people.items()}
        known = [(account_id, *one) for row in rows for one in row.identities]
        yield from self._contacts.load([*known, *self._aggregates.identities()])

    def living(self, rows: Sequence[OrderRow]) -> Plan[Sequence[OrderRow]]:
        """Returns the rows without those that would bring back a person who was erased."""
        if not (yield from anybody_erased(self._account_id)):
            return rows
        scopes: dict[str, list[OrderRow]] = {}
        for row in rows:
            scopes.setdefault(row.scope, []).append(row)
        erased: set[int] = set()
        for scope, its in scopes.items():
            words = [[*row.identities, *order_words(scope, [row.external_id]), (SHOP, scope)] for row in its]
            for row, found in zip(its, (yield from matched_each(self._account_id, words, scope)), strict=True):
                if found.to_blank:
                    said = without_identities(row.statement.said, found.to_blank)
                    row.statement = replace(row.statement, said=said)
                if found.proof_id is None:
                    continue
                erased.add(row.line)
                if self._order(row) is not None:  # as when what remains of the order was exported
                    self.report.unchanged += 1
                    self._note(row, "external_id", f"{ERASED}; what remains of the order stays as it is")
                else:
                    self.report.faults.append(Fault(row.line, "contact", f"{ERASED}; nothing is brought back"))
        return [row for row in rows if row.line not in erased]

    def _order(self, row: OrderRow) -> LoadedOrder | None:
        return self._aggregates.find(self._account_id, row.scope, row.external_id)

    def apply(self, row: OrderRow) -> None:
        """Fold a row into its order, unless it says nothing new or is refused."""
        try:
            self.report.count(self._apply(row))
        except RowRefused as why:
            self.report.faults.append(Fault(row.line, why.field, str(why)))

    def _apply(self, row: OrderRow) -> Outcome:
        statement, order = row.statement, self._order(row)
        self._check_id(row, order)
        if self._aggregates.is_pruned(self._account_id, row.scope, row.external_id):
            self._note(row, "external_id", PRUNED)
            return Outcome.UNCHANGED
        if order is None and "value" not in statement.said:
            raise RowRefused("value", NO_ORDER)
        if order is not None and any(digest == statement.digest for _, _, digest in order.heard):
            return Outcome.UNCHANGED
        named = self._named_contact(row)
        match = self._contacts.match(self._account_id, row.identities, row.name)
        contact_id = match.contact_id
        if (
            order is not None
            and not match.news
            and not match.same
            and _says_nothing_new(order, row, named or contact_id)
        ):
            return Outcome.UNCHANGED
        said = {**statement.said, "imported": self._by}
        if named and named != contact_id:
            said["contact_id"] = named
        if (
            order is not None
            and row.identities
            and not named
            and contact_id != (was := order.columns["contact_id"])
            and was
        ):
            self._note(
                row, "contact", f"the order was another contact's ({was}); is it one id on orders of two people?"
            )
        order = order or self._make(row)
        entry = Entry(
            at=_moment(order, row), digest=statement.digest, recorded_at=_receipt(order, self._present), said=said
        )
        outcome, conflict = self._aggregates.apply_import(order, entry, self._contacts)
        if conflict and not named:
            self._note(row, "contact", "identities point to several contacts; the most believed one counts")
        return outcome

    def _check_id(self, row: OrderRow, order: LoadedOrder | None) -> None:
        """Refuse a row whose id is another order's."""
        if not row.id or (order is not None and order.id == row.id):
            return
        if other := self._ids.get(row.id):
            raise RowRefused("id", f"is the order {other[1]} of {other[0]}; another order needs another id, or none")
        if order is None and row.id in self._taken:
            raise RowRefused("id", f"stands in line {self._taken[row.id]} as well, for another order")

    def _make(self, row: OrderRow) -> LoadedOrder:
        """Create an order with the id and times that it had where it was exported."""
        if row.id:
            self._taken[row.id] = row.line
        new = row.id if row.id not in self._ids else None
        order = self._aggregates.named(
            self._account_id, row.scope, row.source_id, row.origin, [row.external_id], new=new
        )
        order.columns = {"created_at": row.created_at, "updated_at": row.updated_at}
        return order

    def _named_contact(self, row: OrderRow) -> str | None:
        """Return the contact whose id the row names. It is believed before the row's identities, which it is taught.

        If it does not exist, it is found by the identities, or created with this id. Raises RowRefused if there are
        none.
        """
        account_id, identities = self._account_id, row.identities
        if row.contact is None:
            return None
        named = self._people.get(row.contact)
        if named is None:
            if not identities:
                why = f"there is no contact {row.contact}, and the row names no e-mail, phone or document"
                raise RowRefused("contact_id", why)
            if self._contacts.match(account_id, identities, row.name).contact_id is None:
                named = self._people[row.contact] = self._contacts.make(account_id, row.name, row.contact)
                self._contacts.teach(account_id, named, identities, row.source_id)
            return None
        contested = self._contacts.teach(account_id, named, identities, row.source_id)
        if contested:
            self._note(row, "contact_id", "its identities point to another contact as well; the id was believed")
        return named

    def _note(self, row: OrderRow, field_: str, message: str) -> None:
        self.report.notes.append(Fault(row.line, field_, message))

    def save(self) -> Plan[None]:
        """Write what is new or changed."""
        self._aggregates.follow(self._contacts)
        self.report.made_contacts = bool(self._contacts.made())
        yield from self._contacts.save()
        yield from self._aggregates.save(self._contacts.owners())


def _says_nothing_new(order: LoadedOrder, row: OrderRow, contact_id: str | None) -> bool:
    """Return whether the order already is what the row says, as after an export from here."""
    said, columns = row.statement.said, order.columns
    if any(columns.get(name) != said[name] for name in _PLAIN if name in said):
        return False
    if contact_id is not None and contact_id != columns.get("contact_id"):
        return False
    if "payments" in said and said["payments"][0]["value"] != columns["paid_value"]:
        return False
    if "refunds" in said:
        excess = max(0, columns["paid_value"] - columns["value"])
        if said["refunds"][IMPORTED][0] != columns["refunded_value"] + excess:
            return False
    if "items" in said:
        items = columns["items"]
        kept = pydantic_core.from_json(items) if isinstance(items, str) else items
        return bool(kept == said["items"])
    return True


def _moment(order: LoadedOrder, row: OrderRow) -> int | None:
    """Return when the row was true; None if it does not say. A corrected file comes after the file before it."""
    said_at = row.statement.at
    if said_at == UNTIMED:
        return None
    imported = [heard.entry for heard in order.heard.values() if "imported" in heard.entry.said]
    earlier = [
        entry.time
        for entry in imported
        if row.updated_at is None or entry.at is None or said_at <= entry.at < said_at + CORRECTION
    ]
    return max(said_at - 1, *earlier) + 1 if earlier else said_at


def _receipt(order: LoadedOrder, present: int) -> int:
    """Return the time of first receipt: later than that of all that was told before, rows of the same part included."""
    return max([present, *(heard.entry.recorded_at + 1 for heard in order.heard.values())])
