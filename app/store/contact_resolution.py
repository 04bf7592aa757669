"""Identity resolution: the contact an order belongs to is found through its identities, or created.

Decided only here. A match is refused where something speaks against it (interface: "whose order it is"): different CRM
ids or CPFs; and for a match by phone or CNPJ alone also different customer ids of one source, different e-mails, or,
where one side has no e-mail, names without a word in common. Then the next identity is tried, and at last the order
gets a contact of its own.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from app.base.clock import now
from app.base.identity import CPF_LENGTH, WEAK, precedence, rank_of, same_name
from app.base.ids import new_id
from app.db.statements import Insert, Lookup, Plan, Sql

_IDENTITY = Lookup("identities", ("account_id", "kind", "value", "contact_id"), by=("account_id", "kind", "value"))
_HELD = Lookup("identities", ("account_id", "contact_id", "kind", "value"), by=("account_id", "contact_id"))
_NAMED = Lookup("contacts", ("account_id", "id", "name"), by=("account_id", "id"))
_INSERT_CONTACT = Insert("contacts")
_INSERT_IDENTITY = Insert("identities", on_conflict="skip")
_CONFLICT = Insert("conflicts", on_conflict="replace")

Identity = tuple[str, str]


class ContactResolution:
    """Resolves the contacts of one transaction."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[str, str, str], str] = {}
        self._made: list[tuple[Any, ...]] = []
        self._crm_ids: dict[str, str | None] = {}  # of the contacts that are being made
        self._learnt: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self._conflicts: dict[tuple[str, str, str, str], tuple[object, ...]] = {}
        self._held: dict[tuple[str, str], set[Identity]] = {}  # what each contact is known by
        self._names: dict[tuple[str, str], str | None] = {}
        self._named: dict[tuple[str, str], str] = {}  # names that were missing

    def load(self, wanted: Iterable[tuple[str, str, str]]) -> Plan[None]:
        """Read which contacts these identities (account, kind, value) belong to."""
        for row in (yield _IDENTITY.many(sorted(set(wanted)))):
            self._by_identity[row["account_id"], row["kind"], row["value"]] = row["contact_id"]
        contacts = sorted({(key[0], contact_id) for key, contact_id in self._by_identity.items()} - self._held.keys())
        if not contacts:
            return
        for row in (yield _HELD.many(contacts)):
            self._held.setdefault((row["account_id"], row["contact_id"]), set()).add((row["kind"], row["value"]))
        for row in (yield _NAMED.many(contacts)):
            self._names[row["account_id"], row["id"]] = row["name"]

    def find(self, account_id: str, identities: Sequence[Identity], name: str | None = None) -> tuple[str | None, bool]:
        """Return the contact of the strongest identity that nothing speaks against, and whether there is a conflict:
        a refused match, or another identity that belongs to somebody else.
        """
        found, conflict, _ = self.match(account_id, identities, name)
        return found, conflict

    def match(
        self, account_id: str, identities: Sequence[Identity], name: str | None = None
    ) -> tuple[str | None, bool, bool]:
        """Return the same, and whether any identity is unknown."""
        owners = self._by_identity
        if not any((account_id, *one) in owners for one in identities):
            return None, False, bool(identities)
        found: str | None = None
        conflict = news = False
        for one in sorted(identities, key=precedence):
            contact_id = self._by_identity.get((account_id, *one))
            if contact_id is None:
                news = True
            elif contact_id == found:
                continue
            elif found is not None or self._contradicts(account_id, contact_id, identities, one, name):
                conflict = True
            else:
                found = contact_id
        return found, conflict, news

    def _contradicts(
        self, account_id: str, contact_id: str, identities: Sequence[Identity], by: Identity, name: str | None
    ) -> bool:
        """Whether something speaks against the contact that was matched `by` this identity."""
        theirs, ours = self._held.get((account_id, contact_id), set()), set(identities)
        if _differ(theirs, ours, "crm") or _differ(theirs, ours, "cpf"):
            return True
        if rank_of(by) not in WEAK:
            return False
        if _differ(theirs, ours, "source"):
            return True
        mails = [{value for kind, value in side if kind == "email"} for side in (theirs, ours)]
        if all(mails):
            return not mails[0] & mails[1]
        their_name = self._names.get((account_id, contact_id))
        return bool(name and their_name and not same_name(name, their_name))

    def name(self, account_id: str, contact_id: str, name: str | None) -> None:
        """Fill in a name that is missing."""
        key = (account_id, contact_id)
        if name and key in self._names and not self._names[key]:
            self._names[key] = self._named[key] = name

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
        self._held[account_id, contact_id], self._names[account_id, contact_id] = set(), name
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
                    self._held.setdefault((account_id, contact_id), set()).add((kind, value))
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
        for (account_id, contact_id), name in self._named.items():
            yield Sql(
                "UPDATE contacts SET name = :name, updated_at = :present WHERE account_id = :account_id AND id = :id",
                account_id=account_id,
                id=contact_id,
                name=name,
                present=now(),
            )


def _differ(theirs: set[Identity], ours: set[Identity], what: str) -> bool:
    """Whether both sides have identities of this sort and none is shared: `crm`, `cpf`, or the ids of one `source`."""
    sides = [{group: value for group, value in map(_grouped, side) if group[0] == what} for side in (theirs, ours)]
    common = sides[0].keys() & sides[1].keys()
    return bool(common) and not any(one in ours for one in theirs if _grouped(one)[0] in common)


def _grouped(one: Identity) -> tuple[tuple[str, str], str]:
    """Return what an identity may be compared with: its sort and, of a customer id, its source."""
    kind, value = one
    if kind == "source":
        return (kind, value.partition(":")[0]), value
    return ("cpf" if kind == "document" and len(value) == CPF_LENGTH else kind, ""), value
