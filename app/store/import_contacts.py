"""The transaction that imports contacts: found by id, CRM id or another identity, or created."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.identity import precedence
from app.base.ids import new_id
from app.base.outcome import Outcome
from app.base.tabular import Fault
from app.db.statements import AdvisoryLock, Insert, Lookup, Plan
from app.store import order_owners
from app.store.contact_resolution import ContactResolution, Identity
from app.store.contacts import survivors
from app.store.import_orders import ERASED, DryRunDone, ImportReport
from app.store.tombstones import matched_each

_COLUMNS = (
    "account_id",
    "id",
    "crm_id",
    "name",
    "owner_id",
    "merged_into",
    "by_webhook",
    "created_at",
    "updated_at",
)
_CONTACT = Lookup("contacts", _COLUMNS, by=("account_id", "id"), for_update=True)
_SAVE_CONTACT = Insert("contacts", on_conflict="replace", columns=_COLUMNS)


@dataclass(slots=True)
class ContactRow:
    """Holds a valid row. `identities` are without the CRM id. Times are microseconds."""

    line: int
    id: str | None
    crm_id: str | None
    name: str | None
    owner_id: str | None
    identities: list[Identity]
    created_at: int | None
    updated_at: int | None

    @property
    def all_identities(self) -> list[Identity]:
        """Return the identities with the CRM id, strongest first."""
        known = sorted(self.identities, key=precedence)
        return [("crm", self.crm_id), *known] if self.crm_id else known


def _names(account_id: str, rows: Iterable[ContactRow]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        for kind, value in row.all_identities:
            yield ("identity", account_id, kind, value)


def import_contacts(account_id: str, rows: Sequence[ContactRow], present: int, *, dry_run: bool) -> Plan[ImportReport]:
    """Import these rows; `present` is in microseconds. Raises DryRunDone."""
    # Alone, because a row may say who owns a contact: see `order_owners`.
    yield AdvisoryLock([*_names(account_id, rows), ("people", account_id)])
    report = ImportReport()
    part = _Part(account_id, present, report)
    rows = yield from part.living(rows)
    yield from part.load(rows)
    for row in rows:
        part.apply(row)
    yield from part.save()
    if dry_run:
        raise DryRunDone(report)
    return report


class _Part:
    """Holds what one transaction knows about the rows' contacts."""

    def __init__(self, account_id: str, present: int, report: ImportReport) -> None:
        self._account_id, self._present, self._report = account_id, present, report
        self._resolution = ContactResolution(writes_columns=False)
        self._contacts: dict[str, dict[str, Any]] = {}
        self._survivors: dict[str, str] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._owned_anew: set[str] = set()  # contacts that were there and now have another owner

    def living(self, rows: Sequence[ContactRow]) -> Plan[list[ContactRow]]:
        """Return the rows without those of erased people."""
        living: list[ContactRow] = []
        found = yield from matched_each(self._account_id, [row.all_identities for row in rows])
        for row, erased in zip(rows, found, strict=True):
            if erased.proof_id is not None:
                self._say(self._report.faults, row, "", f"{ERASED}; nothing is brought back")
                continue
            row.identities = [one for one in row.identities if one not in erased.to_blank]
            living.append(row)
        return living

    def load(self, rows: Sequence[ContactRow]) -> Plan[None]:
        """Read whom these rows may concern."""
        here = yield from survivors((self._account_id, row.id) for row in rows if row.id)
        self._survivors = {contact: last for (_, contact), last in here.items()}
        keys = sorted({(self._account_id, *one) for row in rows for one in row.all_identities})
        yield from self._resolution.load(keys)
        ids = sorted({*self._resolution.loaded(), *self._survivors.values()})
        for contact in (yield _CONTACT.many([(self._account_id, one) for one in ids])):
            self._contacts[contact["id"]] = contact

    def apply(self, row: ContactRow) -> None:
        """Create the row's contact, or add what the row knows beyond."""
        contact = self._find(row)
        created = contact is None
        if contact is None:
            if not row.identities and not row.crm_id:
                self._say(
                    self._report.faults, row, "id", f"there is no contact {row.id}, and the row names nothing else"
                )
                return
            contact = self._make(row)
        elif row.crm_id and contact["crm_id"] not in (None, row.crm_id) and not self._answers(row.crm_id, contact):
            self._say(self._report.faults, row, "crm_id", "the CRM knows this contact under another id")
            return
        contact_id = contact["id"]
        changes = self._changes(row, contact) if not created else {}
        known = self._resolution.known_by(self._account_id, contact_id)
        for kind, _ in self._resolution.teach(self._account_id, contact_id, row.all_identities, None):
            self._say(self._report.notes, row, kind, "belongs to another contact as well, which keeps it")
        learnt = self._resolution.known_by(self._account_id, contact_id) != known
        if "owner_id" in changes:
            self._owned_anew.add(contact_id)
        if changes:
            contact |= changes
        if created or changes or learnt:
            if not created:
                contact["updated_at"] = self._present
            self._changed[contact_id] = contact
        self._report.made_contacts = self._report.made_contacts or created or learnt
        self._report.count(Outcome.CREATED if created else Outcome.UPDATED if changes or learnt else Outcome.UNCHANGED)

    def _find(self, row: ContactRow) -> dict[str, Any] | None:
        """Return the contact with the row's id, else the one that its identities lead to."""
        if row.id and (named := self._survivors.get(row.id)):
            return self._contacts[named]
        found = self._resolution.match(self._account_id, row.all_identities, row.name).contact_id
        return self._contacts[found] if found else None

    def _answers(self, crm_id: str, contact: dict[str, Any]) -> bool:
        """Return whether the contact also has this CRM id, because another contact was merged into it."""
        return ("crm", crm_id) in self._resolution.known_by(self._account_id, contact["id"])

    def _make(self, row: ContactRow) -> dict[str, Any]:
        contact_id = row.id if row.id and row.id not in self._contacts else new_id("cnt")
        contact = {
            "account_id": self._account_id,
            "id": contact_id,
            "crm_id": row.crm_id,
            "name": row.name,
            "owner_id": row.owner_id,
            "merged_into": None,
            "by_webhook": False,
            "created_at": row.created_at or self._present,
            "updated_at": row.updated_at or self._present,
        }
        self._contacts[contact_id] = contact
        if row.id:
            self._survivors[row.id] = contact_id
        return contact

    def _changes(self, row: ContactRow, contact: dict[str, Any]) -> dict[str, Any]:
        """Return what the row says otherwise. A row older than the contact only fills gaps."""
        older = row.updated_at is not None and row.updated_at < contact["updated_at"]
        said = {"crm_id": row.crm_id, "name": row.name, "owner_id": row.owner_id}
        if row.crm_id and contact["crm_id"] and self._answers(row.crm_id, contact):
            said["crm_id"] = None
        return {
            name: value
            for name, value in said.items()
            if value is not None and contact[name] != value and (contact[name] is None or not older)
        }

    def _say(self, where: list[Fault], row: ContactRow, field: str, message: str) -> None:
        where.append(Fault(row.line, field, message))

    def save(self) -> Plan[None]:
        """Writes what is new or changed."""
        if self._changed:
            yield _SAVE_CONTACT.many(
                [
                    tuple(bool(one[name]) if name == "by_webhook" else one[name] for name in _COLUMNS)
                    for one in self._changed.values()
                ]
            )
        yield from order_owners.contacts_changed(self._account_id, sorted(self._owned_anew))
        yield from self._resolution.save()
