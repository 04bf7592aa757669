"""Retracts identities that contacts were taught by a misreading, before a remap assigns the orders again.

A wrong e-mail makes a wrong contact, which is taught the other identities beside it and would draw the orders back. So
identities that only a remapped order gave are removed first. A contact without any other reason is deleted; one that
would be left without a successor keeps its id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic_core

from app.base.clock import now
from app.base.identity import precedence
from app.base.statement import identities_in
from app.db.statements import Lookup, Plan, Row, Sql
from app.store.contact_resolution import ContactResolution, Identity
from app.store.delivery_record import Record
from app.store.order_aggregate import HistoryEntry, LoadedOrder
from app.store.remap_orders import OrderBefore, Regrouping

MOST = 2_000  # history entries of a contact's other orders that are looked at; one with more is itself a misreading

_KNOWN = Lookup("identities", ("contact_id", "kind", "value", "source_id"), by=("account_id", "contact_id"))
_PEOPLE = Lookup("contacts", ("id", "crm_id", "name", "merged_into", "by_webhook"), by=("account_id", "id"))


@dataclass(slots=True)
class DoubtedContact:
    """Holds a contact whose orders say something else about it now."""

    row: Row
    known: set[Identity] = field(default_factory=set)
    doubtful: set[Identity] = field(default_factory=set)  # told by the remapped orders alone
    elsewhere: bool = False  # orders outside the aggregates belong to it


class IdentityRetraction(ContactResolution):
    """Resolves the contacts of a remap. It merges nobody: that takes the account's lock alone."""

    joins = False

    def __init__(self, aggregates: Regrouping) -> None:
        super().__init__()
        self._ledger, self._account, self._source = aggregates, aggregates.account_id, aggregates.scope
        self._doubted: dict[str, DoubtedContact] = {}

    def retract(self, batch: Iterable[Record]) -> Plan[None]:
        """Retract identities that only the changed orders gave. Called after the orders were taken apart."""
        says: dict[int, set[Identity]] = {}
        for rec in batch:
            for said in rec.statements:
                if order := self._ledger.known(said.names[0]):
                    says.setdefault(id(order), set()).update(identities_in(said.said))
        changed: list[tuple[OrderBefore, set[Identity]]] = []
        unchanged: dict[str, set[Identity]] = {}
        for was in self._ledger.was:
            contact = was.order.row["contact_id"] if was.order.row else None
            before = _named(was.entries.values())
            after = _named(was.home.heard.values()) | says.get(id(was.home), set())
            if contact is None or was.folded.contact_id:
                continue
            if before != after:
                changed.append((was, after))
            else:
                unchanged.setdefault(contact, set()).update(before)
        if not changed:
            return
        yield from self._doubt(changed, unchanged)
        self._keep(changed, unchanged)

    def _doubt(
        self, changed: list[tuple[OrderBefore, set[Identity]]], unchanged: dict[str, set[Identity]]
    ) -> Plan[None]:
        told: dict[str, set[Identity]] = {}
        for was, _ in changed:
            told.setdefault(_contact(was), set()).update(_named(was.entries.values()))
        keys = sorted((self._account, one) for one in told)
        for row in (yield _PEOPLE.many(keys)):
            self._doubted[row["id"]] = DoubtedContact(row)
        mine: dict[str, set[Identity]] = {}
        for row in (yield _KNOWN.many(keys)):
            identity = row["kind"], row["value"]
            self._doubted[row["contact_id"]].known.add(identity)
            if row["source_id"] == self._source:
                mine.setdefault(row["contact_id"], set()).add(identity)
        here = {was.order.id for was in self._ledger.was}
        for contact_id, doubted in self._doubted.items():
            others: list[Row] = yield Sql(
                "SELECT o.id, h.said FROM orders o JOIN history h ON h.account_id = o.account_id AND h.order_id = o.id "
                "WHERE o.account_id = :account_id AND o.contact_id = :contact_id LIMIT :most",
                account_id=self._account,
                contact_id=contact_id,
                most=MOST,
            )
            stays = set(unchanged.get(contact_id, ()))
            for row in others:
                if row["id"] not in here:
                    doubted.elsewhere = True
                    stays.update(identities_in(pydantic_core.from_json(row["said"])))
            doubted.doubtful = (told[contact_id] & mine.get(contact_id, set())) - stays
            for kind, value in doubted.doubtful:
                self._holders[self._account, kind, value].remove(contact_id)
                self._held.get((self._account, contact_id), set()).discard((kind, value))

    def _keep(self, changed: list[tuple[OrderBefore, set[Identity]]], unchanged: dict[str, set[Identity]]) -> None:
        """Keep a contact without other evidence as that of the oldest of its orders, if nobody else matches."""
        for was, identities in changed:
            contact_id = _contact(was)
            doubted = self._doubted.get(contact_id)
            if doubted is None or doubted.elsewhere or contact_id in unchanged or doubted.known - doubted.doubtful:
                continue
            if any(contact_id in holders for holders in self._holders.values()):
                continue  # taken by one that is older
            wanted = sorted(identities, key=precedence)
            if wanted and wanted[0][0] != "crm" and self.match(self._account, wanted).contact_id is None:
                self.teach(self._account, contact_id, wanted, self._source)

    def forget(self) -> Plan[None]:
        """Delete what is no longer known, before `save` writes what is."""
        for contact_id, doubted in self._doubted.items():
            for kind, value in sorted(doubted.doubtful):
                if contact_id in self._holders.get((self._account, kind, value), ()):
                    self._learnt.pop((self._account, kind, value, contact_id), None)  # it is there, and stays
                    continue
                yield Sql(
                    "DELETE FROM identities WHERE account_id = :account_id AND kind = :kind AND value = :value "
                    "AND contact_id = :contact_id",
                    account_id=self._account,
                    contact_id=contact_id,
                    kind=kind,
                    value=value,
                )

    def tidy(self) -> Plan[None]:
        """Delete contacts without a reason, and correct names that only the misreading gave.

        Called after everything is saved.
        """
        for contact_id in sorted({_contact(was) for was in self._ledger.was if _contact(was)}):
            orders = [one for one in self._ledger.orders() if one.heard and one.columns["contact_id"] == contact_id]
            if orders:
                yield from self._correct_name(contact_id, orders)
            elif contact_id in self._doubted:
                yield from self._remove(contact_id)

    def _remove(self, contact_id: str) -> Plan[None]:
        whose = {"account_id": self._account, "id": contact_id}
        rows: list[Row] = yield Sql(
            "DELETE FROM contacts WHERE account_id = :account_id AND id = :id AND crm_id IS NULL AND merged_into IS NULL "
            "AND by_webhook AND owner_id IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.account_id = :account_id AND o.contact_id = :id) "
            "AND NOT EXISTS (SELECT 1 FROM deals d WHERE d.account_id = :account_id AND d.contact_id = :id) "
            "AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.account_id = :account_id AND i.contact_id = :id) "
            "AND NOT EXISTS (SELECT 1 FROM contacts c WHERE c.account_id = :account_id AND c.merged_into = :id) RETURNING id",
            **whose,
        )
        if rows:
            yield Sql("DELETE FROM conflicts WHERE account_id = :account_id AND contact_id = :id", **whose)

    def _correct_name(self, contact_id: str, orders: list[LoadedOrder]) -> Plan[None]:
        given = {was.folded.name for was in self._ledger.was if _contact(was) == contact_id and was.folded.name}
        heard = sorted((heard for one in orders for heard in one.heard.values()), key=_arrival)
        names = [name for one in heard for name in _said_name(one.entry.said)]
        doubted = self._doubted.get(contact_id)
        if doubted is None and not given.difference(names):
            return
        rows: list[Row] = yield _PEOPLE.many([(self._account, contact_id)])
        for row in rows:
            name = row["name"]
            if not row["by_webhook"] or row["crm_id"] is not None or name not in given or name in names:
                continue
            others: list[Row] = yield Sql(
                "SELECT h.said FROM orders o JOIN history h ON h.account_id = o.account_id AND h.order_id = o.id "
                "WHERE o.account_id = :account_id AND o.contact_id = :contact_id LIMIT :most",
                account_id=self._account,
                contact_id=contact_id,
                most=MOST,
            )
            if not any(name in _said_name(pydantic_core.from_json(other["said"])) for other in others):
                yield Sql(
                    "UPDATE contacts SET name = :name, updated_at = :present WHERE account_id = :account_id AND id = :id",
                    account_id=self._account,
                    id=contact_id,
                    name=names[0] if names else None,
                    present=now(),
                )


def _contact(was: OrderBefore) -> str:
    return (was.order.row or {}).get("contact_id") or ""


def _arrival(heard: HistoryEntry) -> tuple[int, str]:
    return heard.entry.recorded_at, heard.delivery_id or ""


def _named(entries: Iterable[HistoryEntry]) -> set[Identity]:
    return {identity for heard in entries for identity in identities_in(heard.entry.said)}


def _said_name(said: Mapping[str, Any]) -> set[str]:
    customer = said.get("customer")
    return {customer["name"]} if customer and customer.get("name") else set()
