"""Identity resolution: the contact an order belongs to is found through its identities, or created.

Decided only here, for shops, the CRM and imports alike. A match is refused where something speaks against it
(interface: "whose order it is"): different CRM ids or CPFs; and for a match by phone or CNPJ alone also different
customer ids of one source, different e-mails, or, where one side has no e-mail, names without a word in common. Then
the next identity is tried, and at last the order gets a contact of its own. Contacts share a phone or CNPJ. Where one
delivery's identities lead to two contacts and nothing speaks against it, they are one person, and are merged.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import pydantic_core
from msgspec import Struct

from adapters.contract import names_another
from app.base.clock import now
from app.base.identity import CLAIM, is_weak, precedence, sort_of
from app.base.ids import new_id
from app.base.nobodys import is_relay
from app.db.statements import Insert, Lookup, Plan, Sql
from app.store import contact_merges, order_owners

MOST_SHARING = 20  # contacts of one phone or CNPJ; one that more have is a shop's own or made up, and names nobody

_IDENTITY = Lookup("identities", ("account_id", "kind", "value", "contact_id"), by=("account_id", "kind", "value"))
_HELD = Lookup("identities", ("account_id", "contact_id", "kind", "value"), by=("account_id", "contact_id"))
_NAMED = Lookup("contacts", ("account_id", "id", "name", "apart", "owner_id"), by=("account_id", "id"))
_INSERT_CONTACT = Insert("contacts")
_INSERT_IDENTITY = Insert("identities", on_conflict="skip")
_CONFLICT = Insert("conflicts", on_conflict="replace")

Identity = tuple[str, str]
Whose = tuple[str, str]  # account, contact


class Match(Struct, kw_only=True):
    """Holds whom identities lead to. `same` are further contacts, which nothing says are somebody else.

    `refused` are matches that something speaks against. `news`: an identity is unknown. `claimed`: by a CRM id that the
    buyer could have written.
    """

    contact_id: str | None
    same: tuple[str, ...] = ()
    refused: tuple[tuple[Identity, str], ...] = ()
    news: bool = False
    claimed: bool = False

    @property
    def conflict(self) -> bool:
        """Return whether a match was refused."""
        return bool(self.refused)


class ContactResolution:
    """Resolves the contacts of one transaction. It merges only if the transaction holds ("people", account) alone."""

    joins = True

    def __init__(self, *, alone: bool = False, writes_columns: bool = True) -> None:
        """Without `writes_columns` the caller writes contacts' names and CRM ids itself."""
        self._alone, self._writes_columns = alone, writes_columns
        self._holders: dict[tuple[str, str, str], list[str]] = {}  # the contacts with an identity, the oldest first
        self._held: dict[Whose, set[Identity]] = {}  # what each contact is known by
        self._names: dict[Whose, str | None] = {}
        self._apart: dict[Whose, set[str]] = {}
        self._owners: dict[Whose, str | None] = {}
        self._made: dict[Whose, tuple[Any, ...]] = {}
        self._learnt: dict[tuple[str, str, str, str], tuple[Any, ...]] = {}
        self._conflicts: dict[Whose, dict[Identity, tuple[Any, ...]]] = {}
        self._named: dict[Whose, str] = {}  # names that were missing
        self._taken_over: dict[Whose, str] = {}  # contacts without a CRM id that have one now
        self._joined: dict[Whose, str] = {}  # who was merged into whom
        self._merges: list[tuple[str, str, str]] = []  # account, contact, survivor; both are stored

    def load(self, wanted: Iterable[tuple[str, str, str]]) -> Plan[None]:
        """Read which contacts these identities (account, kind, value) belong to."""
        keys = {(account_id, "crm" if kind == CLAIM else kind, value) for account_id, kind, value in wanted}
        for row in (yield _IDENTITY.many(sorted(keys))):
            holders = self._holders.setdefault((row["account_id"], row["kind"], row["value"]), [])
            if row["contact_id"] not in holders:
                holders.append(row["contact_id"])
        for holders in self._holders.values():
            holders.sort()
        contacts = sorted(
            {(key[0], contact_id) for key, holders in self._holders.items() for contact_id in holders}
            - self._held.keys()
        )
        if not contacts:
            return
        for row in (yield _HELD.many(contacts)):
            self._held.setdefault((row["account_id"], row["contact_id"]), set()).add((row["kind"], row["value"]))
        for row in (yield _NAMED.many(contacts)):
            whose = row["account_id"], row["id"]
            self._names[whose], self._apart[whose] = row["name"], set(pydantic_core.from_json(row["apart"]))
            self._owners[whose] = row["owner_id"]

    def loaded(self) -> set[str]:
        """Return the ids of the contacts that were loaded."""
        return {contact_id for _, contact_id in self._held}

    def owners(self) -> dict[Whose, str | None]:
        """Return the owners of the contacts that were loaded or made; none where contacts are merged, which may change them."""
        return {} if self._merges else self._owners | dict.fromkeys(self._made)

    def known_by(self, account_id: str, contact_id: str) -> frozenset[Identity]:
        """Return the identities of a contact."""
        return frozenset(self._held.get((account_id, contact_id), ()))

    def nobodys_yet(self, account_id: str, identities: Iterable[Identity]) -> list[Identity]:
        """Return those of these identities that no contact has: what a delivery on hold waits for."""
        plain = [("crm", value) if kind == CLAIM else (kind, value) for kind, value in identities]
        return [one for one in plain if not self._holders.get((account_id, *one))]

    def match(self, account_id: str, identities: Collection[Identity], name: str | None = None) -> Match:
        """Return the contact of the strongest identity that nothing speaks against, and what else there is to say."""
        for kind, value in identities:
            if (account_id, "crm" if kind == CLAIM else kind, value) in self._holders:
                break
        else:
            return Match(contact_id=None, news=bool(identities))
        known = {one for one in identities if one[0] != CLAIM}
        found: list[str] = []
        refused: list[tuple[Identity, str]] = []
        news = False
        for one in sorted(known, key=precedence):
            holders = self._holders.get((account_id, *one), ())
            weak = is_weak(one)
            if not holders:
                news = True
                continue
            if weak and len(holders) >= MOST_SHARING:
                continue
            if found and found[0] in holders:
                continue  # whoever else has it was refused when it was learnt
            others = [other for other in holders if other not in found]
            fits = [
                other
                for other in others
                if not self._contradicts(account_id, other, known, one, name)
                and not self._is_apart(account_id, other, found)
            ]
            if weak and self._disagree(account_id, fits, one):
                fits = []
            if not self.joins:
                fits = [] if found else fits[:1]
            refused += [(one, other) for other in others if other not in fits]
            for other in fits:
                found.append(other)
                known |= self._held.get((account_id, other), set())
                name = name or self._names.get((account_id, other))
        claimed = None if found else self._claimed(account_id, identities)
        return Match(
            contact_id=found[0] if found else claimed,
            same=tuple(found[1:]),
            refused=tuple(refused),
            news=news,
            claimed=claimed is not None,
        )

    def _claimed(self, account_id: str, identities: Collection[Identity]) -> str | None:
        """Return the contact of a CRM id that a buyer could have written, if nothing speaks against it."""
        for kind, value in identities:
            crm = ("crm", value)
            if kind == CLAIM:
                for contact_id in self._holders.get((account_id, *crm), ()):
                    if not self._contradicts(account_id, contact_id, [crm, *identities], crm, None):
                        return contact_id
        return None

    def _disagree(self, account_id: str, contacts: Sequence[str], by: Identity) -> bool:
        return any(
            self._is_apart(account_id, one, (other,))
            or self._contradicts(
                account_id, one, self._held.get((account_id, other), set()), by, self._names.get((account_id, other))
            )
            for one, other in combinations(contacts, 2)
        )

    def _contradicts(
        self, account_id: str, contact_id: str, ours: Collection[Identity], by: Identity, name: str | None
    ) -> bool:
        """Whether something speaks against the contact that was matched `by` this identity."""
        whose = account_id, contact_id
        theirs = self._held.get(whose, ())
        return any(evidence_against(theirs, ours, by)) or (
            is_weak(by) and names_differ(theirs, ours, self._names.get(whose), name)
        )

    def _is_apart(self, account_id: str, contact_id: str, others: Iterable[str]) -> bool:
        return not self._apart.get((account_id, contact_id), set()).isdisjoint(others)

    def place(
        self,
        account_id: str,
        identities: Sequence[Identity],
        name: str | None,
        source_id: str | None,
        *,
        hold: bool = False,
        by_webhook: bool = True,
    ) -> Match:
        """Find the contact of these identities, or make it, and teach it what is said. With `hold` none is made."""
        match = self.match(account_id, identities, name)
        contact_id = match.contact_id
        identities = [one for one in identities if one[0] != CLAIM]
        if match.claimed:
            return match
        if contact_id is None:
            if hold or not identities:
                return match
            contact_id = self.make(account_id, name, by_webhook=by_webhook)
        for other in match.same:
            contact_id = self._join(account_id, contact_id, other)
        before = len(self._learnt)
        self.teach(account_id, contact_id, identities, source_id)
        match.news = match.news or len(self._learnt) > before  # a phone that others have is news of this one
        for one, _ in match.refused:
            self._conflict(account_id, contact_id, one, source_id)
        self.name(account_id, contact_id, name)
        match.contact_id = contact_id
        return match

    def _conflict(self, account_id: str, contact_id: str, one: Identity, source_id: str | None) -> None:
        row = (account_id, contact_id, *one, source_id, now())
        self._conflicts.setdefault((account_id, contact_id), {})[one] = row

    def name(self, account_id: str, contact_id: str, name: str | None) -> None:
        """Fill in a name that is missing."""
        key = (account_id, contact_id)
        if name and key in self._names and not self._names[key]:
            self._names[key] = self._named[key] = name

    def make(self, account_id: str, name: str | None, contact_id: str | None = None, *, by_webhook: bool = True) -> str:
        """Create a contact. `contact_id` is its id in another registry, if it has one."""
        contact_id = contact_id or new_id("cnt")
        whose, present = (account_id, contact_id), now()
        self._held[whose], self._names[whose] = set(), name
        self._made[whose] = (*whose, None, name, None, None, by_webhook, present, present, "[]")
        return contact_id

    def teach(
        self, account_id: str, contact_id: str, identities: Iterable[Identity], source_id: str | None
    ) -> list[Identity]:
        """Add identities to a contact. A phone or CNPJ is shared; another that somebody else has stays there.

        A contact has one id in the CRM. Returns those that others have too, or keep.
        """
        present, contested = now(), []
        held = self._held.setdefault((account_id, contact_id), set())
        for one in identities:
            key = account_id, *one
            holders = self._holders.get(key, [])
            if contact_id in holders:
                continue
            if holders:
                contested.append(one)
                self._conflict(account_id, contact_id, one, source_id)
                if not is_weak(one) or len(holders) >= MOST_SHARING:
                    continue
            if one[0] == "crm":
                if any(kind == "crm" for kind, _ in held):
                    continue
                if (made := self._made.get((account_id, contact_id))) is not None:
                    self._made[account_id, contact_id] = (*made[:2], one[1], *made[3:])
                else:
                    self._taken_over[account_id, contact_id] = one[1]
            self._holders[key] = [*holders, contact_id]
            held.add(one)
            self._learnt[*key, contact_id] = (*key, contact_id, source_id, present)
        return contested

    def _join(self, account_id: str, one: str, other: str) -> str:
        """Make one contact of two. Returns the survivor: one that is stored, that the CRM knows, else the older."""

        def standing(contact_id: str) -> tuple[bool, bool, str]:
            whose = account_id, contact_id
            return whose in self._made, not any(kind == "crm" for kind, _ in self._held.get(whose, ())), contact_id

        stays, goes = sorted((one, other), key=standing)
        into, gone = (account_id, stays), (account_id, goes)
        moved = self._held.pop(gone, set())
        self._held.setdefault(into, set()).update(moved)
        for identity in moved:
            if row := self._learnt.pop((account_id, *identity, goes), None):
                self._learnt.setdefault((account_id, *identity, stays), (*row[:3], stays, *row[4:]))
            holders = self._holders.get((account_id, *identity), [])
            if goes in holders:
                holders.remove(goes)
                if stays not in holders:
                    holders.append(stays)
                    holders.sort()
        self._apart.setdefault(into, set()).update(self._apart.get(gone, ()))
        for identity, row in self._conflicts.pop(gone, {}).items():
            self._conflicts.setdefault(into, {}).setdefault(identity, (account_id, stays, *row[2:]))
        taken = self._taken_over.pop(gone, None) or self._made.get(gone, (None, None, None))[2]
        if taken:
            self._taken_over[into] = taken
        name = self._names.pop(gone, None)
        self._named.pop(gone, None)
        if gone in self._made:
            del self._made[gone]
            self.name(account_id, stays, name)
        else:
            self._names[into] = self._names.get(into) or name
            self._merges.append((account_id, goes, stays))
        self._joined[gone] = stays
        return stays

    def today(self, account_id: str, contact_id: str) -> str:
        """Return the contact, or the one that it was merged into here."""
        while further := self._joined.get((account_id, contact_id)):
            contact_id = further
        return contact_id

    def made(self) -> frozenset[str]:
        """Return the ids of the contacts that were created."""
        return frozenset(contact_id for _, contact_id in self._made)

    def save(self) -> Plan[None]:
        """Write what is new. Raises order_owners.SingleWriter when contacts are merged and others may write as well."""
        if self._merges and not self._alone:
            raise order_owners.SingleWriter
        if self._made:
            yield _INSERT_CONTACT.many(list(self._made.values()))
        if self._learnt:
            yield _INSERT_IDENTITY.many(list(self._learnt.values()))
        if self._conflicts:
            yield _CONFLICT.many([row for rows in self._conflicts.values() for row in rows.values()])
        for account_id, goes, stays in self._merges:
            yield from contact_merges.move(account_id, goes, stays, None)
        for column, changes in (("name", self._named), ("crm_id", self._taken_over)) if self._writes_columns else ():
            for (account_id, contact_id), value in changes.items():
                yield Sql(
                    f"UPDATE contacts SET {column} = :value, updated_at = :present "
                    f"WHERE account_id = :account_id AND id = :id AND {column} IS NULL",
                    account_id=account_id,
                    id=contact_id,
                    value=value,
                    present=now(),
                )


def whose(account_id: str, identities: Sequence[Identity]) -> Plan[str | None]:
    """Return the contact that these identities lead to."""
    resolution = ContactResolution()
    yield from resolution.load((account_id, *one) for one in identities)
    return resolution.match(account_id, identities).contact_id


def evidence_against(theirs: Collection[Identity], ours: Collection[Identity], by: Identity) -> Iterator[str]:
    """Yield what speaks against two sides being one person, if they were matched `by` this identity; names apart."""
    for kind in ("crm", "cpf", "source", "email") if is_weak(by) else ("crm", "cpf"):
        if _differ(theirs, ours, kind):
            yield kind


def speaks_against(
    theirs: Collection[Identity], ours: Collection[Identity], their_name: str | None, name: str | None
) -> list[str]:
    """Return what speaks against two contacts being one person, if they were matched by a phone alone."""
    found = list(evidence_against(theirs, ours, ("phone", "")))
    return [*found, "name"] if names_differ(theirs, ours, their_name, name) else found


def names_differ(
    theirs: Collection[Identity], ours: Collection[Identity], their_name: str | None, name: str | None
) -> bool:
    """Whether two names speak against a match by phone: only where one side has no e-mail."""
    if all(any(_group(one)[0] == "email" for one in side) for side in (theirs, ours)):
        return False
    return names_another(name, their_name)


def _differ(theirs: Collection[Identity], ours: Collection[Identity], what: str) -> bool:
    """Whether both sides have identities of this sort and none is shared: `crm`, `cpf`, `email`, ids of one `source`."""
    sides = [{one: group for one in side if (group := _group(one))[0] == what} for side in (theirs, ours)]
    common = set(sides[0].values()) & set(sides[1].values())
    return bool(common) and not any(group in common and one in sides[1] for one, group in sides[0].items())


def _group(one: Identity) -> Identity:
    """Return what an identity may be compared with: its sort and, of a customer id, its source."""
    kind, value = one
    if kind == "source":
        return kind, value.partition(":")[0]
    if kind == "email" and is_relay(value):
        return "relay", value  # speaks against nothing
    return sort_of(one), ""
