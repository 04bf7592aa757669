"""Erases a person, and carries out privacy requests within the source that asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from adapters.contract import BuyersRequest, Request, Unreadable, validated
from adapters.contract.order import Customer
from app.base.identity import identities
from app.base.log import log
from app.base.vault import Sealed, Vault
from app.db.engine import Store
from app.db.statements import Plan, Row
from app.ingest.reprocess import NotRecorded, RecordedDelivery, Reprocessor
from app.store import erasure as erasing
from app.store import erasure_source, idempotency, privacy
from app.store.erasure_state import DryRunDone, Erasure
from app.store.tombstones import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Says whom a privacy request concerns, as the source knows them: canonical identities, and ids of orders."""

    identities: tuple[Word, ...]
    orders: tuple[str, ...]


def _subject(kept: RecordedDelivery, request: Row) -> Subject:
    """Return whom a request names. Raises NotRecorded."""
    adapter, source = kept.source.adapter, kept.source
    body = adapter.privacy[request["kind"]].body if request["kind"] in adapter.privacy else None
    try:
        asked = validated(body, adapter.document_of(kept.delivery)) if body else None
    except Unreadable as why:
        raise NotRecorded(f"its delivery is no such request: {why.reason}") from None
    if not isinstance(asked, BuyersRequest):
        raise NotRecorded("its delivery names nobody")
    one = asked.customer
    known = Customer(id=one.id, emails=(one.email,), phones=(one.phone,), documents=(one.document,))
    return Subject(
        identities=tuple(identities(known, source.id, source.region)),
        orders=tuple(dict.fromkeys(filter(None, asked.orders))),
    )


class ErasureService:
    """Erases, and leaves no copy behind."""

    def __init__(self, store: Store, vault: Vault, retry: Reprocessor) -> None:
        self._store, self._vault, self._retry = store, vault, retry

    async def person(self, account_id: str, contact_id: str, member_id: str | None) -> Row:
        """Erase a contact with everybody merged into it. Returns the proof. Raises ContactGone, Unavailable."""
        proof, erasure = await self._person(account_id, contact_id, member_id, dry_run=False)
        await self._no_copies(erasure)
        return proof

    async def preview(self, account_id: str, contact_id: str) -> Erasure:
        """Return what erasing the contact would take; nothing is changed. Raises ContactGone, Unavailable."""
        try:
            _, erasure = await self._person(account_id, contact_id, None, dry_run=True)
        except DryRunDone as done:
            return done.erasure
        return erasure

    async def _person(
        self, account_id: str, contact_id: str, member_id: str | None, *, dry_run: bool
    ) -> tuple[Row, Erasure]:
        words = await privacy.words_of(self._store, account_id, contact_id)
        found = await privacy.named_in(self._store, account_id, words)
        made: list[Erasure] = []

        def plan() -> Plan[Row]:
            made[:] = [Erasure(account_id=account_id, action=str(Request.ERASE), member_id=member_id)]
            proof = yield from erasing.person(made[0], contact_id, found)
            if dry_run:
                raise DryRunDone(made[0])
            return proof

        return await self._store.commit(plan), made[0]

    async def request(self, row: Row) -> tuple[RecordedDelivery, Subject]:
        """Return what a privacy request asks for, as its delivery says. Raises NotRecorded, Unavailable."""
        kept = await self._retry.kept(row["account_id"], row["id"])
        if kept is None:
            raise NotRecorded("its delivery is not kept any more")
        return kept, _subject(kept, row)

    async def subjects(self, account_id: str, rows: Sequence[Row]) -> list[Subject | None]:
        """Return whom these privacy requests concern; None: a whole shop, or nobody can tell any more. Raises Unavailable."""
        found: list[Subject | None] = []
        for row, kept in zip(rows, await self._retry.kept_all(account_id, rows), strict=True):
            try:
                found.append(None if isinstance(kept, NotRecorded) else _subject(kept, row))
            except NotRecorded:
                found.append(None)
        return found

    async def carry_out(self, row: Row, member_id: str | None) -> Row:
        """Erase what a privacy request asks to erase, and return the proof. Again, it erases what came since.

        Raises NotRecorded when nobody can tell any more whom it concerns, Unavailable.
        """
        account_id, source_id = row["account_id"], row["source_id"]

        def begun() -> Erasure:
            return Erasure(
                account_id=account_id,
                action=row["request"],
                source_id=source_id,
                request_id=row["id"],
                member_id=member_id,
            )

        if row["request"] == Request.ERASE_SHOP:
            return await self._shop(begun())
        _, subject = await self.request(row)
        found = await privacy.named_in(self._store, account_id, set(subject.identities), source_id)
        made: list[Erasure] = []

        def plan() -> Plan[Row]:
            made[:] = [begun()]
            return (
                yield from erasure_source.identities_from_source(made[0], subject.identities, subject.orders, found)
            )

        proof = await self._store.commit(plan)
        await self._no_copies(made[0])
        return proof

    async def _shop(self, erasure: Erasure) -> Row:
        """Erase a shop in steps, since it may be large. A second call continues where something is left."""
        await self._store.commit(lambda: erasure_source.shop_closed(erasure))
        for step in (erasure_source.shop_orders, erasure_source.shop_deliveries, erasure_source.shop_people):
            await self._every(step, erasure)
        proof = await self._store.commit(lambda: erasure_source.shop_done(erasure))
        await self._no_copies(erasure)
        return proof

    async def _every(self, step: Callable[[Erasure, str], Plan[str | None]], erasure: Erasure) -> None:
        after: str | None = ""
        while after is not None:
            after = await self._store.commit(partial(step, erasure, after))

    async def _no_copies(self, erasure: Erasure) -> None:
        """Delete stored answers for idempotency keys, and what the database's files still hold of deleted rows."""
        named = erasure.orders | {value for _, value in erasure.words}
        named |= erasure.contacts if erasure.source_id is None else set()
        for row in await idempotency.answers(self._store, erasure.account_id):
            try:
                text = self._vault.open(row["sealed"])
            except Sealed:  # with a key that is gone: nobody reads it any more
                continue
            if any(f'"{one}"' in text or f'\\"{one}\\"' in text for one in named):
                await idempotency.forget(self._store, erasure.account_id, row["key"])
        await self._store.scrub()
        log.info("a person was erased", account_id=erasure.account_id, proof_id=erasure.proof_id, **erasure.counts)
