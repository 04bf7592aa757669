"""Personal-data search: where a person is named beside their own orders. Also privacy requests and proofs.

It reads through texts page by page and blocks nobody. An erasure is rare, and may take a while.
"""

import asyncio
import json
import re
import zlib
from collections.abc import Callable, Iterable

from app.base.blanking import as_text, pattern
from app.base.identity import has_words, is_weak, mentioned, words_of_name
from app.base.tuning import Tuning
from app.db.engine import Store, among
from app.db.statements import Insert, Plan, Row, Sql, to_json
from app.store import contacts, tombstones
from app.store.delivery_record import unpacked
from app.store.erasure_deliveries import held_for
from app.store.erasure_state import Mentions, shared_with
from app.store.tombstones import Word

PAGE = 1_000
# Deliveries that are linked to no order, or told it nothing new; the others are found through the order.
_OUTCOMES = ("ignored", "unreadable", "unfetched", "fetching", "held", "unchanged")
# Those that told of a customer or of a CRM's contact name no order at all.
_LOOKED_THROUGH = (
    *(f"d.outcome = '{outcome}'" for outcome in _OUTCOMES),
    "d.external_id IS NULL AND d.outcome IN ('created', 'updated')",
)


async def words_of(store: Store, account_id: str, contact_id: str, source_id: str | None = None) -> set[Word]:
    """Return the contact's identities, of one source or of all, without phones and CNPJs that others have too."""
    rows = await contacts.identities_of(store, account_id, [contact_id])
    words = {(row["kind"], row["value"]) for row in rows if source_id in (None, row["source_id"])}
    shared = await store.read(lambda: shared_with(account_id, words, [contact_id]))
    return {word for word in words if word not in shared or not is_weak(word)}


async def named_in(store: Store, account_id: str, words: set[Word], source_id: str | None = None) -> Mentions:
    """Return where these identities are in orders' histories and in deliveries, of one source or of all."""
    traces = Mentions()
    looked_for = pattern(words)
    if looked_for is not None:
        if source_id is None:
            await _history(store, account_id, words, traces)
        await _bodies(store, account_id, words, looked_for, source_id, traces)
    return traces


def _escaped(text: str) -> str:
    return re.sub("([%_!])", r"!\1", text)


async def _history(store: Store, account_id: str, words: set[Word], traces: Mentions) -> None:
    # Identities stand in the history as they stand here, in their canonical form.
    values = {f"p{at}": f"%{_escaped(to_json(word))}%" for at, word in enumerate(sorted(words))}
    likes = " OR ".join(f"said LIKE :{name} ESCAPE '!'" for name in values)
    after = ""
    while True:
        rows = await store.all(
            "SELECT DISTINCT order_id FROM history WHERE account_id = :account_id AND order_id > :after "
            f"AND ({likes}) ORDER BY order_id LIMIT :few",
            account_id=account_id,
            after=after,
            few=PAGE,
            **values,
        )
        traces.orders |= {row["order_id"] for row in rows}
        if len(rows) < PAGE:
            return
        after = rows[-1]["order_id"]


async def _bodies(
    store: Store,
    account_id: str,
    words: set[Word],
    looked_for: "re.Pattern[bytes]",
    source_id: str | None,
    traces: Mentions,
) -> None:
    mine = "AND d.source_id = :source_id " if source_id else ""
    values = {"source_id": source_id} if source_id else {}
    for which in _LOOKED_THROUGH:
        after = ""
        while True:
            rows: list[Row] = await store.all(
                "SELECT d.id, b.content FROM deliveries d JOIN bodies b ON b.account_id = d.account_id "
                f"AND b.delivery_id = d.id WHERE d.account_id = :account_id AND {which} "
                f"AND d.id > :after {mine}ORDER BY d.id LIMIT :few",
                account_id=account_id,
                after=after,
                few=PAGE,
                **values,
            )
            for row in rows:
                text = zlib.decompress(row["content"])
                if looked_for.search(text):
                    (traces.deliveries if _is_about(text, words) else traces.beside).add(row["id"])
            if len(rows) < PAGE:
                break
            after = rows[-1]["id"]


def _is_about(text: bytes, words: set[Word]) -> bool:
    """Whether a body names this person by more than a phone or CNPJ, and nobody else."""
    strong = pattern(word for word in words if not is_weak(word))
    named = mentioned(text.decode(errors="replace"))
    if strong is None or named is None or strong.search(text) is None:
        return False
    return all(is_weak(one) or one in words for one in named)


async def waiting(store: Store, account_id: str, words: Iterable[Word], source_id: str | None = None) -> set[str]:
    """Return deliveries on hold for somebody with one of these identities."""
    theirs, _ = await store.read(lambda: held_for(account_id, set(words), source_id))
    return theirs


async def unassigned(store: Store, account_id: str, words: Iterable[Word], tuning: Tuning) -> tuple[list[str], bool]:
    """Return deliveries on hold for somebody with one of these identities, and unreadable ones whose body has it.

    The second value says whether every body was searched: at most `person_bodies` of the unreadable ones are.
    """
    words = set(words)
    found, whole = await waiting(store, account_id, words), True
    if looked_for := pattern(words):

        def has_it(content: bytes) -> bool:
            return looked_for.search(zlib.decompress(content).lower()) is not None

        unreadable, whole = await _with_body(store, account_id, "unreadable", has_it, tuning)
        found |= unreadable
    return sorted(found, reverse=True), whole


async def naming(store: Store, account_id: str, name: str, tuning: Tuning) -> tuple[list[str], bool]:
    """Return deliveries on hold and unreadable ones whose body has every word of this name, newest first.

    The second value says whether every body was searched: at most `person_bodies` of each kind are.
    """
    words = words_of_name(name)
    if not words:
        return [], True

    def has_them(content: bytes) -> bool:
        return has_words(as_text(unpacked(content)[0]), words)

    held, all_held = await _with_body(store, account_id, "held", has_them, tuning)
    unreadable, all_unreadable = await _with_body(store, account_id, "unreadable", has_them, tuning)
    return sorted(held | unreadable, reverse=True), all_held and all_unreadable


async def _with_body(
    store: Store, account_id: str, outcome: str, wanted: Callable[[bytes], bool], tuning: Tuning
) -> tuple[set[str], bool]:
    """Return the deliveries with this outcome whose stored body is wanted, of the newest, and whether those were all."""
    found: set[str] = set()
    before, (most, few) = "dlv_~", tuning.person_bodies
    for _ in range(most // few):
        rows = await store.all(
            "SELECT d.id, b.content FROM (SELECT id FROM deliveries WHERE account_id = :account_id "
            "AND outcome = :outcome AND id < :before ORDER BY id DESC LIMIT :few) AS d LEFT JOIN bodies b "
            "ON b.account_id = :account_id AND b.delivery_id = d.id ORDER BY d.id DESC",
            account_id=account_id,
            outcome=outcome,
            before=before,
            few=few,
        )
        found |= await asyncio.to_thread(_wanted, rows, wanted)
        if len(rows) < few:
            return found, True
        before = rows[-1]["id"]
    return found, False


def _wanted(rows: Iterable[Row], wanted: Callable[[bytes], bool]) -> set[str]:
    return {row["id"] for row in rows if row["content"] is not None and wanted(row["content"])}


async def requests_about(store: Store, account_id: str, delivery_ids: Iterable[str]) -> list[Row]:
    """Return the privacy requests among these deliveries."""
    clause, values = among("id", sorted(delivery_ids))
    return await store.all(
        f"SELECT * FROM privacy_requests WHERE account_id = :account_id AND id {clause} ORDER BY id",
        account_id=account_id,
        **values,
    )


async def orders_named(store: Store, account_id: str, source_id: str, names: Iterable[str]) -> list[str]:
    """Return the ids of a source's orders with these names."""
    clause, values = among("name", sorted(set(names)))
    rows = await store.all(
        f"SELECT id FROM orders WHERE account_id = :account_id AND scope = :scope AND external_id {clause} "
        f"UNION SELECT order_id FROM aliases WHERE account_id = :account_id AND scope = :scope AND name {clause}",
        account_id=account_id,
        scope=source_id,
        **values,
    )
    return [row["id"] for row in rows]


async def merges_of(store: Store, account_id: str, contact_id: str) -> list[Row]:
    """Return the rows of the contact and of everybody merged into it, directly or not, each with the merge's time."""
    found: list[Row] = []
    waiting_ids = [contact_id]
    for one in waiting_ids:
        rows = await store.all(
            "SELECT c.*, m.created_at AS merged_at FROM merges m JOIN contacts c ON c.account_id = m.account_id "
            "AND c.id = m.contact_id WHERE m.account_id = :account_id AND m.into_id = :id AND m.undone_at IS NULL ORDER BY m.id",
            account_id=account_id,
            id=one,
        )
        found += rows
        waiting_ids += [row["id"] for row in rows if row["id"] not in waiting_ids]
    return found


async def deals_of(store: Store, account_id: str, contact_id: str) -> list[Row]:
    """Return the contact's deals."""
    return await store.all(
        "SELECT * FROM deals WHERE account_id = :account_id AND contact_id = :id ORDER BY crm_id",
        account_id=account_id,
        id=contact_id,
    )


async def histories(store: Store, account_id: str, order_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Return the histories of these orders, with those of orders merged into them, each as it is folded."""
    clause, values = among("id", list(order_ids))
    rows = await store.all(
        "SELECT COALESCE(o.sale_id, o.id) AS shown, h.* FROM orders o JOIN history h ON h.account_id = o.account_id "
        f"AND h.order_id = o.id WHERE o.account_id = :account_id AND (o.id {clause} OR o.sale_id {clause}) "
        "ORDER BY shown, CASE WHEN at < 0 THEN 1 ELSE 0 END, at, rank, digest",
        account_id=account_id,
        **values,
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["shown"], []).append({**row, "said": json.loads(row["said"])})
    return found


async def deliveries_whole(store: Store, account_id: str, ids: Iterable[str]) -> list[tuple[Row, bytes | None]]:
    """Return these deliveries' log rows, each with its stored bytes."""
    clause, values = among("id", list(ids))
    rows = await store.all(
        f"SELECT * FROM deliveries WHERE account_id = :account_id AND id {clause} ORDER BY id",
        account_id=account_id,
        **values,
    )
    bodies = await store.all(
        f"SELECT delivery_id, content FROM bodies WHERE account_id = :account_id AND delivery_id {clause}",
        account_id=account_id,
        **values,
    )
    contents = {row["delivery_id"]: row["content"] for row in bodies}
    opened = [{**row, "notes": json.loads(row["notes"]), "orders": json.loads(row["orders"])} for row in rows]
    return [(row, contents.get(row["id"])) for row in opened]


_PROOF = Insert("proofs")


async def page(store: Store, account_id: str, *, after: str | None, limit: int) -> list[Row]:
    """Return the account's privacy requests, newest first, before this id."""
    older = "" if after is None else "AND id < :after "
    return await store.all(
        f"SELECT * FROM privacy_requests WHERE account_id = :account_id {older}ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        limit=limit,
        **({} if after is None else {"after": after}),
    )


async def find(store: Store, account_id: str, request_id: str) -> Row | None:
    """Return one privacy request. Its id is that of its delivery."""
    return await store.one(
        "SELECT * FROM privacy_requests WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=request_id,
    )


async def proofs(store: Store, account_id: str, *, after: str | None, limit: int) -> list[Row]:
    """Return the account's proofs, newest first, before this id."""
    older = "" if after is None else "AND id < :after "
    rows = await store.all(
        f"SELECT * FROM proofs WHERE account_id = :account_id {older}ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        limit=limit,
        **({} if after is None else {"after": after}),
    )
    return [serialize(row) for row in rows]


def serialize(row: Row) -> Row:
    """Return a proof with its counts decoded."""
    return {**row, "counts": json.loads(row["counts"])}


async def proofs_of(store: Store, account_id: str, word: Word) -> list[Row]:
    """Return the proofs of erasures that included this identity, found by its hash."""
    hashed = await store.read(lambda: tombstones.hash_of(account_id, word))
    if hashed is None:
        return []
    rows = await store.all(
        "SELECT DISTINCT p.* FROM tombstones t JOIN proofs p ON p.account_id = t.account_id AND p.id = t.proof_id "
        "WHERE t.account_id = :account_id AND t.hash = :hash ORDER BY p.id DESC",
        account_id=account_id,
        hash=hashed,
    )
    return [serialize(row) for row in rows]


async def handed_over(store: Store, proof: Row) -> None:
    """Record that a person's data was exported. A privacy request that asked for it is done."""

    def plan() -> Plan[None]:
        yield _PROOF.many([tuple(proof.values())])
        if proof["request_id"] is not None:
            yield Sql(
                "UPDATE privacy_requests SET done_at = :at WHERE account_id = :account_id AND id = :id AND done_at IS NULL",
                account_id=proof["account_id"],
                id=proof["request_id"],
                at=proof["done_at"],
            )

    await store.commit(plan)


async def proof_of_request(store: Store, account_id: str, request_id: str) -> Row | None:
    """Return the proof that a privacy request was carried out, if it was."""
    row = await store.one(
        "SELECT * FROM proofs WHERE account_id = :account_id AND request_id = :id ORDER BY id LIMIT 1",
        account_id=account_id,
        id=request_id,
    )
    return serialize(row) if row else None
