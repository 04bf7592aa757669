"""The only room that speaks SQL about privacy requests and proofs when they are read."""

import json

from app.db.engine import Store
from app.db.statements import Insert, Plan, Row, Sql
from app.store import tombstones
from app.store.tombstones import Word

_PROOF = Insert("proofs")


async def page(store: Store, account_id: str, *, after: str | None, limit: int) -> list[Row]:
    """The account's privacy requests, newest first, after (that is: older than) this id."""
    older = "" if after is None else "AND id < :after "
    return await store.all(
        f"SELECT * FROM privacy_requests WHERE account_id = :account_id {older}ORDER BY id DESC LIMIT :limit",
        account_id=account_id, limit=limit, **({} if after is None else {"after": after}),
    )  # fmt: skip


async def find(store: Store, account_id: str, request_id: str) -> Row | None:
    """One privacy request; its id is that of the delivery that brought it."""
    return await store.one(
        "SELECT * FROM privacy_requests WHERE account_id = :account_id AND id = :id",
        account_id=account_id, id=request_id,
    )  # fmt: skip


async def proofs(store: Store, account_id: str, *, after: str | None, limit: int) -> list[Row]:
    """The account's proofs, newest first, after (that is: older than) this id."""
    older = "" if after is None else "AND id < :after "
    rows = await store.all(
        f"SELECT * FROM proofs WHERE account_id = :account_id {older}ORDER BY id DESC LIMIT :limit",
        account_id=account_id, limit=limit, **({} if after is None else {"after": after}),
    )  # fmt: skip
    return [shown(row) for row in rows]


def shown(row: Row) -> Row:
    """A proof with its counts opened."""
    return {**row, "counts": json.loads(row["counts"])}


async def proofs_of(store: Store, account_id: str, word: Word) -> list[Row]:
    """The proofs of the erasures that this identity fell under; it is looked for by its hash."""
    salt = await store.one("SELECT salt FROM salts WHERE account_id = :account_id", account_id=account_id)
    if salt is None:
        return []
    rows = await store.all(
        "SELECT DISTINCT p.* FROM tombstones t JOIN proofs p ON p.account_id = t.account_id AND p.id = t.proof_id "
        "WHERE t.account_id = :account_id AND t.hash = :hash ORDER BY p.id DESC",
        account_id=account_id, hash=tombstones.hashed(salt["salt"], word),
    )  # fmt: skip
    return [shown(row) for row in rows]


async def handed_over(store: Store, proof: Row) -> None:
    """That what is held on somebody was handed over; a privacy request that asked for it is done."""

    def plan() -> Plan[None]:
        yield _PROOF.many([tuple(proof.values())])
        if proof["request_id"] is not None:
            yield Sql(
                "UPDATE privacy_requests SET done_at = :at WHERE account_id = :account_id AND id = :id AND done_at IS NULL",
                account_id=proof["account_id"], id=proof["request_id"], at=proof["done_at"],
            )  # fmt: skip

    await store.commit(plan)


async def proof_of_request(store: Store, account_id: str, request_id: str) -> Row | None:
    """The proof that a privacy request was carried out, if it was."""
    row = await store.one(
        "SELECT * FROM proofs WHERE account_id = :account_id AND request_id = :id ORDER BY id LIMIT 1",
        account_id=account_id, id=request_id,
    )  # fmt: skip
    return shown(row) if row else None
