"""Which contact an order belongs to: found through its identities, or made. Only this room decides it."""

from collections.abc import Iterable, Sequence

from app.identity import KINDS
from app.ids import new_id
from app.moments import now
from app.store.statements import Insert, Lookup, Plan

_IDENTITY = Lookup("identities", ("account_id", "kind", "value", "contact_id"), by=("account_id", "kind", "value"))
_INSERT_CONTACT = Insert("contacts")
_INSERT_IDENTITY = Insert("identities", on_conflict="skip")

_CONFLICT = Insert("conflicts", on_conflict="replace")

Identity = tuple[str, str]


class Contacts:
    """The contacts that a transaction meets."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[str, str, str], str] = {}
        self._made: list[tuple[object, ...]] = []
        self._learnt: dict[tuple[str, str, str], tuple[object, ...]] = {}
        self._conflicts: dict[tuple[str, str, str, str], tuple[object, ...]] = {}

    def load(self, wanted: Iterable[tuple[str, str, str]]) -> Plan[None]:
        """Reads whom these identities (account, kind, value) belong to."""
        keys = sorted(set(wanted))
        if keys:
            for row in (yield _IDENTITY.many(keys)):
                self._by_identity[row["account_id"], row["kind"], row["value"]] = row["contact_id"]

    def find(self, account_id: str, identities: Sequence[Identity]) -> tuple[str | None, bool]:
        """The contact that the identity of the most believed kind points to, and whether another points elsewhere."""
        found = [
            contact
            for kind, value in sorted(identities, key=lambda one: KINDS.index(one[0]))
            if (contact := self._by_identity.get((account_id, kind, value)))
        ]
        return (found[0] if found else None), len(set(found)) > 1

    def make(self, account_id: str, name: str | None, identities: Sequence[Identity]) -> str:
        """A new contact with these identities."""
        contact_id = new_id("cnt")
        present = now()
        crm_id = next((value for kind, value in identities if kind == "crm"), None)
        self._made.append((account_id, contact_id, crm_id, name, None, None, True, present, present))
        return contact_id

    def learn(self, account_id: str, contact_id: str, identities: Sequence[Identity], source_id: str | None) -> None:
        """Further identities of a contact; one that is known already stays with whom it is known to belong to."""
        for kind, value in identities:
            key = (account_id, kind, value)
            if self._by_identity.get(key, contact_id) != contact_id:
                place = (account_id, contact_id, kind, value)
                self._conflicts[place] = (*place, source_id, now())
            if key not in self._by_identity and (kind != "crm" or self._is_being_made(contact_id, value)):
                self._by_identity[key] = contact_id
                self._learnt[key] = (*key, contact_id, source_id, now())

    def _is_being_made(self, contact_id: str, crm_id: str) -> bool:
        # A contact has one id in the CRM: a webhook gives it only to a contact that it makes.
        return any(row[1] == contact_id and row[2] == crm_id for row in self._made)

    def made(self) -> frozenset[str]:
        """The ids of the contacts that are new."""
        return frozenset(str(row[1]) for row in self._made)

    def save(self) -> Plan[None]:
        """Writes what is new."""
        if self._made:
            yield _INSERT_CONTACT.many(self._made)
        if self._learnt:
            yield _INSERT_IDENTITY.many(list(self._learnt.values()))
        if self._conflicts:
            yield _CONFLICT.many(list(self._conflicts.values()))
