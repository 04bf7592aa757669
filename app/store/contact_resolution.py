"""Identity resolution: the contact an order belongs to is found through its identities, or created.

Decided only here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from app.base.clock import now
from app.base.identity import KINDS
from app.base.ids import new_id
from app.db.statements import Insert, Lookup, Plan

_IDENTITY = Lookup("identities", ("account_id", "kind", "value", "contact_id"), by=("account_id", "kind", "value"))
_INSERT_CONTACT = Insert("contacts")
_INSERT_IDENTITY = Insert("identities", on_conflict="skip")
_CONFLICT = Insert("conflicts", on_conflict="replace")

Identity = tuple[str, str]
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}


def _precedence(one: Identity) -> int:
    return _RANKS[one[0]]


class ContactResolution:
    """Resolves the contacts of one transaction."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[str, str, str], str] = {}
        self._made: list[tuple[Any, ...]] = []
        self._crm_ids: dict[str, str | None] = {}  # of the contacts that are being made
        self._learnt: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self._conflicts: dict[tuple[str, str, str, str], tuple[object, ...]] = {}

    def load(self, wanted: Iterable[tuple[str, str, str]]) -> Plan[None]:
        """Read which contacts these identities (account, kind, value) belong to."""
        for row in (yield _IDENTITY.many(sorted(set(wanted)))):
            self._by_identity[row["account_id"], row["kind"], row["value"]] = row["contact_id"]

    def find(self, account_id: str, identities: Sequence[Identity]) -> tuple[str | None, bool]:
        """Return the contact of the strongest identity, and whether another identity belongs to somebody else."""
        found, conflict, _ = self.match(account_id, sorted(identities, key=_precedence))
        return found, conflict

    def match(self, account_id: str, identities: Sequence[Identity]) -> tuple[str | None, bool, bool]:
        """Return the same for identities in order of strength, and whether any of them is unknown."""
        found: str | None = None
        conflict = news = False
        for kind, value in identities:
            contact_id = self._by_identity.get((account_id, kind, value))
            if contact_id is None:
                news = True
            elif found is None:
                found = contact_id
            elif contact_id != found:
                conflict = True
        return found, conflict, news

    def make(
        self, account_id: str, name: str | None, identities: Sequence[Identity], contact_id: str | None = None
    ) -> str:
        """Create a contact with these identities. `contact_id` is its id in another registry, if it has one."""
        contact_id = contact_id or new_id("cnt")
        present = now()
        crm_id = None
        for kind, value in identities:
            if kind == "crm":
                crm_id = value
                break
        self._crm_ids[contact_id] = crm_id
        self._made.append((account_id, contact_id, crm_id, name, None, None, True, present, present))
        return contact_id

    def teach(self, account_id: str, contact_id: str, identities: Sequence[Identity], source_id: str | None) -> None:
        """Add identities to a contact. One that belongs to another contact stays there."""
        present = now()
        for kind, value in identities:
            key = (account_id, kind, value)
            whose = self._by_identity.get(key)
            if whose is None:
                if kind != "crm" or self._is_being_made(contact_id, value):
                    self._by_identity[key] = contact_id
                    self._learnt[key] = (account_id, kind, value, contact_id, source_id, present)
            elif whose != contact_id:
                place = (account_id, contact_id, kind, value)
                self._conflicts[place] = (*place, source_id, present)

    def _is_being_made(self, contact_id: str, crm_id: str) -> bool:
        # A contact has one id in the CRM: a webhook gives it only to a contact that it makes.
        return self._crm_ids.get(contact_id) == crm_id

    def made(self) -> frozenset[str]:
        """Return the ids of the contacts that were created."""
        return frozenset(str(row[1]) for row in self._made)

    def save(self) -> Plan[None]:
        """Write what is new."""
        if self._made:
            yield _INSERT_CONTACT.many(self._made)
        if self._learnt:
            yield _INSERT_IDENTITY.many(list(self._learnt.values()))
        if self._conflicts:
            yield _CONFLICT.many(list(self._conflicts.values()))
