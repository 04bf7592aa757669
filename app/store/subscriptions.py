"""SQL about webhook subscriptions, their secrets, and the attempts to deliver events."""

import json
from typing import Any

from app.base.clock import now
from app.base.ids import new_id
from app.db.engine import Store
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql
from app.store.accounts import NameTaken
from app.store.outbox import hurry
from app.store.sources import add_secret, revoke_secret, secrets_of

__all__ = [
    "MOST",
    "add",
    "add_secret",
    "attempts",
    "change",
    "delete",
    "failing",
    "find",
    "page",
    "revoke_secret",
    "secrets_of",
    "usable_secrets",
    "waiting",
]

MOST = 20  # of an account: each change is told to every one
STEP = 500  # attempts that are taken away in one transaction
LAST = "att_~"  # sorts after every attempt
MOST_COUNTED = 10_000  # events that wait; beyond, a count takes long and says no more

_JSON = ("events", "filter")
_SUBSCRIPTION = Insert("subscriptions")
_SECRET = Insert("secrets")


def _read(row: Row) -> Row:
    return {**row, "enabled": bool(row["enabled"]), **{name: json.loads(row[name]) for name in _JSON}}


async def add(
    store: Store,
    account_id: str,
    *,
    url: str,
    events: list[str],
    filter_: dict[str, Any],
    sealed_headers: str | None,
    sealed_secret: str,
) -> str:
    """Add a subscription with its first secret. Returns its id.

    Raises NameTaken when the account has as many as it may.
    """
    subscription_id = new_id("sub")

    def plan() -> Plan[None]:
        yield AdvisoryLock([("subscriptions", account_id)])
        (found,) = yield Sql(
            "SELECT count(*) AS many FROM subscriptions WHERE account_id = :account_id", account_id=account_id
        )
        if found["many"] >= MOST:
            raise NameTaken(f"the account has {MOST} subscriptions already; delete one that is not used")
        present = now()
        yield _SUBSCRIPTION.one(
            account_id=account_id,
            id=subscription_id,
            url=url,
            events=json.dumps(events),
            enabled=True,
            failures=0,
            rests_until=0,
            created_at=present,
            filter=json.dumps(filter_),
            headers=sealed_headers,
        )
        yield _SECRET.many([(account_id, new_id("sec"), subscription_id, sealed_secret, present, None, None)])

    await store.commit(plan)
    return subscription_id


async def find(store: Store, account_id: str, subscription_id: str) -> Row | None:
    """Return one subscription of the account."""
    row = await store.one(
        "SELECT * FROM subscriptions WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=subscription_id,
    )
    return _read(row) if row else None


async def page(store: Store, account_id: str, *, after: str, limit: int) -> list[Row]:
    """Return subscriptions by id, after that id."""
    rows = await store.all(
        "SELECT * FROM subscriptions WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )
    return [_read(row) for row in rows]


async def change(store: Store, account_id: str, subscription_id: str, changes: dict[str, Any]) -> None:
    """Set these columns. Afterwards events are sent at once, as if it had never failed."""
    values = {name: json.dumps(value) if name in _JSON else value for name, value in changes.items()}
    sets = ", ".join(f"{name} = :{name}" for name in values)

    def plan() -> Plan[None]:
        yield Sql(
            f"UPDATE subscriptions SET {sets}, off_reason = NULL, failures = 0, failing_since = NULL, failing_reason = NULL, "
            "rests_until = 0 WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=subscription_id,
            **values,
        )
        yield hurry(account_id, subscription_id)

    await store.commit(plan)


async def delete(store: Store, account_id: str, subscription_id: str) -> None:
    """Delete a subscription, with its secrets and attempts. The sender drops its waiting events."""

    def some_attempts() -> Plan[int]:
        gone: list[Row] = yield Sql(
            "DELETE FROM attempts WHERE account_id = :account_id AND subscription_id = :id AND id IN (SELECT id FROM attempts "
            "WHERE account_id = :account_id AND subscription_id = :id ORDER BY id LIMIT :step) RETURNING id",
            account_id=account_id,
            id=subscription_id,
            step=STEP,
        )
        return len(gone)

    def plan() -> Plan[None]:
        for table, column in (("secrets", "source_id"), ("attempts", "subscription_id"), ("subscriptions", "id")):
            yield Sql(
                f"DELETE FROM {table} WHERE account_id = :account_id AND {column} = :id",
                account_id=account_id,
                id=subscription_id,
            )

    while await store.commit(some_attempts) == STEP:  # there may be many, and whoever delivers waits meanwhile
        pass
    await store.commit(plan)


async def usable_secrets(store: Store, account_id: str, subscription_id: str, present: int) -> list[Row]:
    """Return the secrets that are valid now (id, sealed), newest first."""
    return await store.all(
        "SELECT id, sealed FROM secrets WHERE account_id = :account_id AND source_id = :id AND revoked_at IS NULL "
        "AND (expires_at IS NULL OR expires_at > :present) ORDER BY created_at DESC, id DESC",
        account_id=account_id,
        id=subscription_id,
        present=present,
    )


async def waiting(store: Store, account_id: str, subscription_id: str) -> tuple[int, int | None]:
    """Return how many of its events wait, at most MOST_COUNTED, and when the oldest happened."""
    row = await store.one(
        "SELECT count(*) AS many, min(occurred_at) AS oldest FROM (SELECT occurred_at FROM outbox "
        "WHERE account_id = :account_id AND subscription_id = :id ORDER BY id LIMIT :most) AS waiting",
        account_id=account_id,
        id=subscription_id,
        most=MOST_COUNTED,
    )
    return (row["many"], row["oldest"]) if row else (0, None)


async def attempts(store: Store, account_id: str, subscription_id: str, *, before: str, limit: int) -> list[Row]:
    """Return attempts, newest first, before that id (empty: from the newest)."""
    return await store.all(
        "SELECT * FROM attempts WHERE account_id = :account_id AND subscription_id = :subscription_id AND id < :before "
        "ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        subscription_id=subscription_id,
        before=before or LAST,
        limit=limit,
    )


async def failing(store: Store, account_id: str) -> list[Row]:
    """Return subscriptions whose last event was not accepted, and those that their receiver ended."""
    rows = await store.all(
        "SELECT * FROM subscriptions WHERE account_id = :account_id AND (failing_since IS NOT NULL OR off_reason IS NOT NULL) "
        "ORDER BY id",
        account_id=account_id,
    )
    return [_read(row) for row in rows]
