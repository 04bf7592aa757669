"""The group commit's transaction: a batch of verified deliveries, their orders and their contacts."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from msgspec.structs import replace

from app.base.clock import now
from app.base.outcome import Outcome, weightiest
from app.base.statement import identities_in
from app.db.statements import AdvisoryLock, Insert, Lookup, Plan, Sql, to_json
from app.store import crm_contacts, outbox
from app.store.contact_resolution import ContactResolution
from app.store.delivery_record import Receipt, Record
from app.store.delivery_rollups import add_counts
from app.store.order_aggregate import LoadedOrder, OrderAggregates
from app.store.repeats import Sorting, sort_out
from app.store.tombstones import blank_body, forget_body, matched_each, redact

_RECORDED = Lookup("deliveries", ("account_id", "id", "outcome"), by=("account_id", "id"), for_update=True)
_INSERT_DELIVERY = Insert("deliveries")
_INSERT_BODY = Insert("bodies")
_KEEP_BODY = Insert("bodies", on_conflict="skip")
_INSERT_FETCH = Insert("fetches", on_conflict="replace")
_INSERT_PRIVACY = Insert("privacy_requests", on_conflict="skip")
_INSERT_HELD = Insert("held", on_conflict="skip")


def commit_batch(batch: Sequence[Record], alone: bool) -> Plan[list[Receipt]]:
    """Commit the batch. The receipts are in its order. Raises order_owners.SingleWriter unless it runs alone."""
    people = sorted({("people", rec.account_id) for rec in batch})
    yield AdvisoryLock(chain(names_of(batch), people if alone else ()), shared=people)
    yield from _as_recorded(batch)
    sorting = yield from sort_out(batch)
    receipts, fresh, twins = sorting.receipts, sorting.fresh, sorting.twins
    asked_anew = [rec for rec in batch if rec.repeats_are_news and not rec.again and id(rec) in receipts]
    if asked_anew:
        yield from redact(asked_anew)
    for rec in asked_anew:
        yield _ask_again(rec.account_id, rec.source_id, receipts[id(rec)].delivery_id)
        if rec.content:  # it may have been pruned meanwhile, and what is asked is read from it
            yield _KEEP_BODY.many([(rec.account_id, receipts[id(rec)].delivery_id, rec.content)])
    for rec in fresh:
        if rec.people:
            receipts[id(rec)] = yield from _contacts_of_crm(rec, alone)
    taken_back = [(rec.account_id, rec.delivery_id) for rec in fresh if _takes_back(rec)]
    yield from redact(fresh)
    yield from _without_erased_customers(fresh)
    saying = [rec for rec in fresh if rec.statements]
    aggregates, contacts = OrderAggregates(), ContactResolution(alone=alone)
    if saying or taken_back:
        yield from aggregates.load(
            [
                (rec.account_id, rec.source_id, name)
                for rec in saying
                for said in rec.statements
                for name in said.all_names
            ],
            taken_back,
        )
    wanted = [(rec.account_id, *one) for rec in saying for said in rec.statements for one in identities_in(said.said)]
    wanted += [(rec.account_id, *identity) for rec in fresh for one in rec.customers for identity in one.identities]
    yield from contacts.load([*wanted, *aggregates.identities()])
    held: list[tuple[str, str, str, str]] = []
    for rec in fresh:
        if rec.customers:
            receipts[id(rec)] = _customers_of_shop(rec, contacts)
        elif not rec.people:
            receipts[id(rec)] = _apply(rec, aggregates, contacts, held)
    aggregates.settle(contacts)
    aggregates.follow(contacts)
    yield from contacts.save()
    yield from aggregates.save(contacts.owners())
    if saying or taken_back:
        yield from outbox.publish_orders({rec.account_id for rec in fresh}, aggregates.changed())
    committed_at = now()
    yield from _log(fresh, receipts, held, committed_at, sorting)
    yield from sorting.count_repeats()
    once = {id(rec) for rec in batch}
    for twin, first in twins:
        if twin.again:  # asked for twice at the same moment, done once
            receipts[id(twin)] = receipts[id(first)]
            once.discard(id(twin))
        else:
            receipts[id(twin)] = Receipt(first.delivery_id, Outcome.DUPLICATE, receipts[id(first)].orders)
    yield from add_counts([rec for rec in batch if id(rec) in once], receipts, committed_at)
    return [receipts[id(rec)] for rec in batch]


def _as_recorded(batch: Sequence[Record]) -> Plan[None]:
    """Return the last outcomes of deliveries that are retried, as of this transaction.

    Others may have retried them since they were read. A delivery that was pruned meanwhile has no outcome that counts.
    """
    again = [rec for rec in batch if rec.again]
    if again:
        rows = yield _RECORDED.many(sorted({(rec.account_id, rec.delivery_id) for rec in again}))
        ended = {(row["account_id"], row["id"]): row["outcome"] for row in rows}
        for rec in again:
            rec.was = ended.get((rec.account_id, rec.delivery_id))


def _ask_again(account_id: str, source_id: str, delivery_id: str) -> Sql:
    """Fetch again for a repeated notice that only says "look again".

    Its delivery is a duplicate, but the source is asked.
    """
    return Sql(
        "INSERT INTO fetches (account_id, delivery_id, source_id, attempts, next_at, claimed_until) "
        "VALUES (:account_id, :id, :source_id, 0, :present, 0) "
        "ON CONFLICT (account_id, delivery_id) DO UPDATE SET next_at = excluded.next_at",
        account_id=account_id,
        id=delivery_id,
        source_id=source_id,
        present=now(),
    )


def names_of(batch: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    """Yield the locks of a batch: everything two transactions must not decide at once. SQLite needs none, and asks for none."""
    for rec in batch:
        yield "delivery", rec.account_id, rec.source_id, rec.dedupe_key
        identities: list[tuple[str, str]] = []
        for said in rec.statements:
            for name in said.all_names:
                yield "order", rec.account_id, rec.source_id, name
            identities += identities_in(said.said)
        for one in rec.people:
            identities += ("crm", one.crm_id), *one.identities
        for customer in rec.customers:
            identities += customer.identities
        for kind, value in identities:
            yield "identity", rec.account_id, kind, value


def _contacts_of_crm(rec: Record, alone: bool) -> Plan[Receipt]:
    """Create or change the contacts that a CRM sends."""
    became: list[Outcome] = []
    for one in rec.people:
        told = yield from crm_contacts.apply(
            rec.account_id,
            one.crm_id,
            name=one.name,
            owner_id=None,
            given=frozenset({"name"} if one.name else ()),
            identities=one.identities,
            scope=rec.source_id,
            alone=alone,
        )
        if told.erased:
            yield from forget_body(rec)
            became.append(Outcome.IGNORED)
            continue
        if told.conflict and "identity_conflict" not in rec.notes:
            rec.notes.append("identity_conflict")
        became.append(Outcome.CREATED if told.created else Outcome.UPDATED if told.changed else Outcome.UNCHANGED)
    return Receipt(rec.delivery_id, weightiest(became), ())


def _takes_back(rec: Record) -> bool:
    """Return whether the delivery's old statements are removed first.

    Those of a thin one stay while nothing new is known.
    """
    return rec.again and rec.outcome not in (Outcome.FETCHING, Outcome.UNFETCHED)


def _without_erased_customers(fresh: Sequence[Record]) -> Plan[None]:
    """Forget what is told of customers who were erased."""
    for rec in fresh:
        if not rec.customers:
            continue
        people = [list(one.identities) for one in rec.customers]
        found = yield from matched_each(rec.account_id, people, rec.source_id)
        living = [
            replace(one, identities=tuple(word for word in one.identities if word not in erased.to_blank))
            for one, erased in zip(rec.customers, found, strict=True)
            if erased.proof_id is None
        ]
        gone = {word for one, erased in zip(people, found, strict=True) if erased.proof_id for word in one}
        if not living:
            yield from forget_body(rec)
            rec.customers, rec.outcome = (), Outcome.IGNORED
        elif blanks := gone.union(*(erased.to_blank for erased in found)):
            yield from blank_body(rec, blanks)
            rec.customers = living


def _customers_of_shop(rec: Record, contacts: ContactResolution) -> Receipt:
    """Create the contacts of a shop's customers, or add what is told of them, in memory, by the rule for orders."""
    became: list[Outcome] = []
    for one in rec.customers:
        before = contacts.made()
        match = contacts.place(rec.account_id, one.identities, one.name, rec.source_id, hold=rec.hold)
        if match.conflict and "identity_conflict" not in rec.notes:
            rec.notes.append("identity_conflict")
        if match.contact_id is None:
            rec.reason = "no contact is known by it, and this source makes none"
            became.append(Outcome.IGNORED)
        elif contacts.made() - before:
            became.append(Outcome.CREATED)
        else:
            became.append(Outcome.UPDATED if match.news or match.same else Outcome.UNCHANGED)
    return Receipt(rec.delivery_id, weightiest(became), (), rec.reason)


def _apply(
    rec: Record, aggregates: OrderAggregates, contacts: ContactResolution, held: list[tuple[str, str, str, str]]
) -> Receipt:
    """Fold the delivery's statements into its orders, in memory."""
    if _takes_back(rec):
        aggregates.take_back(rec.account_id, rec.delivery_id)
    if rec.outcome is not None:
        return Receipt(rec.delivery_id, rec.outcome, (), rec.reason)
    became: list[tuple[Outcome, LoadedOrder | None]] = []
    reason = rec.reason
    for said in rec.statements:
        outcome, order, why, notes = aggregates.apply(rec, said, contacts)
        reason = reason or why
        rec.notes += [note for note in notes if note not in rec.notes]
        if outcome is Outcome.HELD:
            # What somebody has already was refused: to wait for it would be to try again for ever.
            held += [
                (rec.account_id, *one, rec.delivery_id)
                for one in contacts.nobodys_yet(rec.account_id, identities_in(said.said))
            ]
        became.append((outcome, order))
    orders = tuple(dict.fromkeys(order.id for _, order in became if order is not None and order.described))
    return Receipt(rec.delivery_id, weightiest([outcome for outcome, _ in became]), orders, reason)


def _log(
    fresh: list[Record],
    receipts: dict[int, Receipt],
    held: list[tuple[str, str, str, str]],
    committed_at: int,
    sorting: Sorting,
) -> Plan[None]:
    rows: list[tuple[Any, ...]] = []
    bodies: list[tuple[Any, ...]] = []
    for rec in fresh:
        receipt = receipts[id(rec)]
        ended: dict[str, Any] = {
            "outcome": str(receipt.outcome),
            "reason": receipt.reason,
            "notes": to_json(rec.notes) if rec.notes else "[]",
            "orders": to_json(receipt.orders),
            "external_id": rec.statements[0].names[0] if rec.statements else rec.external_id,
        }
        if rec.again:
            yield from _log_again(rec, ended)
            continue
        rows.append(
            (
                rec.account_id,
                rec.delivery_id,
                rec.source_id,
                sorting.key_of(rec),
                rec.digest,
                rec.kind,
                ended["external_id"],
                ended["outcome"],
                ended["reason"],
                ended["notes"],
                rec.strength,
                ended["orders"],
                rec.received_at,
                committed_at,
                1,
                *sorting.repeats_of(rec),
                rec.source_delivery_id,
            )
        )
        if rec.content:  # empty: somebody was erased, and nothing that names them is kept
            bodies.append((rec.account_id, rec.delivery_id, rec.content))
    if rows:
        yield _INSERT_DELIVERY.many(rows)
    if bodies:
        yield _INSERT_BODY.many(bodies)
    asked = [
        (rec.account_id, rec.delivery_id, rec.source_id, 0, committed_at, 0)
        for rec in fresh
        if rec.outcome is Outcome.FETCHING
    ]
    private = [
        (
            rec.account_id,
            rec.delivery_id,
            rec.source_id,
            rec.kind,
            rec.privacy[0],
            rec.received_at,
            rec.privacy[1],
            None,
        )
        for rec in fresh
        if rec.privacy
    ]
    if private:
        yield _INSERT_PRIVACY.many(private)
    if asked:
        yield _INSERT_FETCH.many(asked)
    if held:
        yield _INSERT_HELD.many(held)


def _log_again(rec: Record, ended: dict[str, Any]) -> Plan[None]:
    """Return the update of a retried delivery's log row. A retry that changes nothing keeps the first outcome."""
    yield Sql(
        "UPDATE deliveries SET attempts = attempts + 1, reason = :reason, notes = :notes, orders = :orders, kind = :kind, "
        "digest = :digest, external_id = :external_id, outcome = CASE WHEN :outcome = 'unchanged' AND outcome IN ('created', 'updated') "
        "THEN outcome ELSE :outcome END WHERE account_id = :account_id AND id = :id",
        account_id=rec.account_id,
        id=rec.delivery_id,
        kind=rec.kind,
        digest=rec.digest,
        **ended,
    )
    if ended["outcome"] != Outcome.FETCHING:
        asked_at = rec.asked_at if rec.asked_at is not None else now()
        yield Sql(
            "DELETE FROM fetches WHERE account_id = :account_id AND delivery_id = :id AND next_at <= :asked_at",
            account_id=rec.account_id,
            id=rec.delivery_id,
            asked_at=asked_at,
        )
        # Still there: the notice came again while the source was being asked.
        yield Sql(
            "UPDATE fetches SET claimed_until = 0 WHERE account_id = :account_id AND delivery_id = :id",
            account_id=rec.account_id,
            id=rec.delivery_id,
        )
    yield Sql(  # one that waits on has its rows written anew
        "DELETE FROM held WHERE account_id = :account_id AND delivery_id = :id",
        account_id=rec.account_id,
        id=rec.delivery_id,
    )


def log_again(rec: Record, receipt: Receipt, waits_for: Sequence[tuple[str, str]]) -> Plan[None]:
    """Update the log for a delivery that another plan has read again."""
    yield from _as_recorded([rec])
    held = [(rec.account_id, kind, value, rec.delivery_id) for kind, value in waits_for]
    committed_at = now()
    yield from _log([rec], {id(rec): receipt}, held, committed_at, Sorting())
    yield from add_counts([rec], {id(rec): receipt}, committed_at)
