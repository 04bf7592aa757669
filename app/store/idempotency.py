"""Idempotency keys: which request came with a key, and the answer it got."""

from app.base.clock import now
from app.db.engine import Store
from app.db.statements import Plan, Row, Sql

KEEP = 24 * 3600 * 1_000_000  # microseconds; as long as Stripe keeps them
ABANDONED = 60 * 1_000_000  # a request that has not ended after this died with its process


async def begin(store: Store, account_id: str, key: str, request: str) -> Row | None:
    """Reserve the key and return None, or return what is stored under it (an empty answer: still running)."""

    def plan() -> Plan[Row | None]:
        present = now()
        names = {"account_id": account_id, "key": key}
        yield Sql(
            "DELETE FROM idempotency WHERE account_id = :account_id AND (created_at < :old OR "
            "(key = :key AND sealed = '' AND created_at < :dead))",
            **names,
            old=present - KEEP,
            dead=present - ABANDONED,
        )
        mine = yield Sql(
            "INSERT INTO idempotency (account_id, key, request, sealed, created_at) "
            "VALUES (:account_id, :key, :request, '', :present) ON CONFLICT DO NOTHING RETURNING key",
            **names,
            request=request,
            present=present,
        )
        if mine:
            return None
        rows: list[Row] = yield Sql(
            "SELECT request, sealed FROM idempotency WHERE account_id = :account_id AND key = :key", **names
        )
        return rows[0] if rows else None

    return await store.commit(plan)


async def is_used(store: Store, account_id: str, key: str) -> bool:
    """Return whether the key was reserved within the last day."""
    found = await store.one(
        "SELECT key FROM idempotency WHERE account_id = :account_id AND key = :key", account_id=account_id, key=key
    )
    return found is not None


async def keep(store: Store, account_id: str, key: str, sealed: str) -> None:
    """Store the answer."""

    def plan() -> Plan[None]:
        yield Sql(
            "UPDATE idempotency SET sealed = :sealed WHERE account_id = :account_id AND key = :key",
            account_id=account_id,
            key=key,
            sealed=sealed,
        )

    await store.commit(plan)


async def forget(store: Store, account_id: str, key: str) -> None:
    """Release the key: the request failed."""

    def plan() -> Plan[None]:
        yield Sql(
            "DELETE FROM idempotency WHERE account_id = :account_id AND key = :key", account_id=account_id, key=key
        )

    await store.commit(plan)


async def answers(store: Store, account_id: str) -> list[Row]:
    """Return every stored answer: (key, sealed)."""
    return await store.all(
        "SELECT key, sealed FROM idempotency WHERE account_id = :account_id AND sealed <> ''", account_id=account_id
    )
