"""The CRM's contacts: created and changed by the CRM's id, and taken over from deliveries by the rule for orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.clock import now
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Plan, Row, Sql
from app.store import order_owners, tombstones
from app.store.contact_resolution import ContactResolution, Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChange:
    """Holds what became of a contact that the CRM sent."""

    contact_id: str
    created: bool
    changed: bool
    conflict: bool
    erased: bool = False  # it is somebody who was erased: nothing was written


async def upsert(
    store: Store,
    account_id: str,
    crm_id: str,
    *,
    name: str | None,
    owner_id: str | None,
    given: frozenset[str],
    identities: Sequence[Identity],
    after_erasure: bool = False,
) -> ContactChange:
    """Create or change the contact with this CRM id.

    A contact that a webhook created is taken over if an identity leads to it. `given` says which of `name` and
    `owner_id` to set. An erased person is created again only with `after_erasure`.
    """

    def plan(alone: bool) -> Plan[ContactChange]:
        people = ("people", account_id)
        names = [("identity", account_id, kind, value) for kind, value in [("crm", crm_id), *identities]]
        yield AdvisoryLock([*names, *([people] if alone else [])], shared=[people])
        return (
            yield from apply(
                account_id,
                crm_id,
                name=name,
                owner_id=owner_id,
                given=given,
                identities=identities,
                after_erasure=after_erasure,
                alone=alone,
            )
        )

    return await order_owners.commit(store, plan)


def apply(
    account_id: str,
    crm_id: str,
    *,
    name: str | None,
    owner_id: str | None,
    given: frozenset[str],
    identities: Sequence[Identity],
    scope: str = "",
    after_erasure: bool = False,
    alone: bool = False,
) -> Plan[ContactChange]:
    """Do the same inside a plan that has locked the identities. `scope` is the source that sends it, if one does.

    Raises order_owners.SingleWriter when an owner changes or contacts are merged, and the plan does not hold the lock
    alone.
    """
    wanted = list(dict.fromkeys([("crm", crm_id), *identities]))
    if after_erasure:
        yield from tombstones.lift(account_id, wanted)
    else:
        # The CRM may give the same person a new id: here a different one speaks against nobody.
        by_id, by_others = yield from tombstones.matched_each(account_id, [wanted[:1], wanted[1:]], scope)
        if by_id.proof_id is not None or by_others.proof_id is not None:
            return ContactChange(contact_id="", created=False, changed=False, conflict=False, erased=True)
        wanted = [one for one in wanted if one not in by_others.to_blank]
    resolution = ContactResolution(alone=alone)
    yield from resolution.load((account_id, *one) for one in wanted)
    match = resolution.place(account_id, wanted, name, scope or None, by_webhook=False)
    contact_id = resolution.today(account_id, match.contact_id or "")
    created = contact_id in resolution.made()
    if created:
        yield from resolution.save()
    changes = {word: value for word, value in (("name", name), ("owner_id", owner_id)) if word in given}
    owned_anew = "owner_id" in given and not created and (yield from _owner(account_id, contact_id)) != owner_id
    if owned_anew and not alone:
        raise order_owners.SingleWriter
    changed = yield from _change(account_id, contact_id, changes)
    if owned_anew:
        yield from order_owners.contacts_changed(account_id, [contact_id])
    if not created:
        yield from resolution.save()
    return ContactChange(
        contact_id=contact_id,
        created=created,
        changed=changed or match.news or bool(match.same),
        conflict=match.conflict,
    )


def _owner(account_id: str, contact_id: str) -> Plan[str | None]:
    rows: list[Row] = yield Sql(
        "SELECT owner_id FROM contacts WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=contact_id,
    )
    return rows[0]["owner_id"] if rows else None


def _change(account_id: str, contact_id: str, changes: Mapping[str, Any]) -> Plan[bool]:
    """Set these columns. Returns whether any was different."""
    if not changes:
        return False
    differs = " OR ".join(f"{word} IS DISTINCT FROM :{word}" for word in changes)
    sets = ", ".join(f"{word} = :{word}" for word in changes)
    rows: list[Row] = yield Sql(
        f"UPDATE contacts SET {sets}, updated_at = :present WHERE account_id = :account_id AND id = :id AND ({differs}) "
        "RETURNING id",
        account_id=account_id,
        id=contact_id,
        present=now(),
        **changes,
    )
    return bool(rows)
