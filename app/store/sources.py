"""SQL about sources and their secrets."""

import json
from typing import Any

from app.base.clock import now
from app.base.ids import new_id
from app.db.engine import Store, among
from app.db.statements import Insert, Plan, Row, Sql
from app.store.delivery_record import NOT_A_SAMPLE

_SOURCE = Insert("sources")
_SECRET = Insert("secrets")

# A source as intake needs it: with its account's settings.
_FOR_INTAKE = (
    "SELECT s.*, a.orders_enabled, a.default_region, a.default_currency, a.not_identities, "
    "EXISTS (SELECT 1 FROM salts t WHERE t.account_id = s.account_id) AS anybody_erased FROM sources s "
    "JOIN accounts a ON a.account_id = s.account_id WHERE s.id = :id AND s.deleted_at IS NULL"
)


def _source(row: Row) -> Row:
    return {**row, "enabled": bool(row["enabled"]), "options": json.loads(row["options"])}


async def add(
    store: Store,
    account_id: str,
    *,
    adapter: str,
    name: str,
    unknown_contacts: str,
    options: dict[str, Any],
    sealed_key: str | None,
    sealed_secret: str | None,
) -> str:
    """Add a source with its first secret. Returns its id."""
    source_id = new_id("src")

    def plan() -> Plan[None]:
        present = now()
        yield _SOURCE.one(
            account_id=account_id,
            id=source_id,
            adapter=adapter,
            name=name,
            enabled=True,
            unknown_contacts=unknown_contacts,
            options=json.dumps(options),
            key=sealed_key,
            created_at=present,
        )
        if sealed_secret:
            yield _SECRET.many([(account_id, new_id("sec"), source_id, sealed_secret, present, None, None)])

    await store.commit(plan)
    return source_id


async def for_intake(store: Store, source_id: str) -> tuple[Row, list[Row]] | None:
    """Return a source of any account, with the account's settings and the secrets that are not revoked."""
    row = await store.one(_FOR_INTAKE, id=source_id)
    if row is None:
        return None
    secrets = await store.all(
        "SELECT id, sealed, expires_at FROM secrets WHERE account_id = :account_id AND source_id = :id AND revoked_at IS NULL "
        "ORDER BY created_at DESC, id DESC",
        account_id=row["account_id"],
        id=source_id,
    )
    flags = {name: bool(row[name]) for name in ("orders_enabled", "anybody_erased")}
    return {**_source(row), **flags}, secrets


async def find(store: Store, account_id: str, source_id: str) -> Row | None:
    """Return one source of the account."""
    row = await store.one(
        "SELECT * FROM sources WHERE account_id = :account_id AND id = :id AND deleted_at IS NULL",
        account_id=account_id,
        id=source_id,
    )
    return _source(row) if row else None


async def account_of(store: Store, source_id: str) -> str | None:
    """Return the account of a source. For the operator, who knows sources by id alone."""
    row = await store.one("SELECT account_id FROM sources WHERE id = :id", id=source_id)
    return row["account_id"] if row else None


async def page(store: Store, account_id: str, *, after: str, limit: int) -> list[Row]:
    """Return sources by id, after that id."""
    rows = await store.all(
        "SELECT * FROM sources WHERE account_id = :account_id AND id > :after AND deleted_at IS NULL ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )
    return [_source(row) for row in rows]


async def secrets_of(store: Store, account_id: str, source_ids: list[str]) -> list[Row]:
    """Return the secrets of these sources, newest first, without their encrypted content."""
    clause, values = among("source", source_ids)
    return await store.all(
        "SELECT id, source_id, created_at, expires_at, revoked_at FROM secrets "
        f"WHERE account_id = :account_id AND source_id {clause} ORDER BY created_at DESC, id DESC",
        account_id=account_id,
        **values,
    )


async def sealed_of(store: Store, account_id: str) -> list[Row]:
    """Return every secret of the account with its source, encrypted, newest first, also those no longer valid."""
    return await store.all(
        "SELECT c.id, c.source_id, s.name, s.adapter, c.sealed, c.expires_at, c.revoked_at, s.deleted_at FROM secrets c "
        "JOIN sources s ON s.account_id = c.account_id AND s.id = c.source_id WHERE c.account_id = :account_id "
        "ORDER BY c.created_at DESC, c.id DESC LIMIT 500",
        account_id=account_id,
    )


async def last_seen(store: Store, account_id: str, source_ids: list[str]) -> dict[str, int]:
    """Return when each source's newest recorded delivery came that was no sample of ours."""
    seen: dict[str, int] = {}
    for source_id in source_ids:
        row = await store.one(
            "SELECT received_at FROM deliveries WHERE account_id = :account_id AND source_id = :source_id "
            f"AND {NOT_A_SAMPLE} ORDER BY id DESC LIMIT 1",
            account_id=account_id,
            source_id=source_id,
        )
        if row:
            seen[source_id] = row["received_at"]
    return seen


async def change(store: Store, account_id: str, source_id: str, changes: dict[str, Any]) -> None:
    """Set these columns of a source."""
    if not changes:
        return
    values = {name: json.dumps(value) if name == "options" else value for name, value in changes.items()}
    sets = ", ".join(f"{name} = :{name}" for name in values)

    def plan() -> Plan[None]:
        yield Sql(
            f"UPDATE sources SET {sets} WHERE account_id = :account_id AND id = :id",
            account_id=account_id,
            id=source_id,
            **values,
        )

    await store.commit(plan)


async def add_secret(store: Store, account_id: str, source_id: str, sealed: str, *, older_end: int) -> str:
    """Add a secret. The old ones end at `older_end`, or sooner if they already do."""
    secret_id = new_id("sec")

    def plan() -> Plan[None]:
        yield Sql(
            "UPDATE secrets SET expires_at = :ends WHERE account_id = :account_id AND source_id = :source_id "
            "AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :ends)",
            account_id=account_id,
            source_id=source_id,
            ends=older_end,
        )
        yield _SECRET.many([(account_id, secret_id, source_id, sealed, now(), None, None)])

    await store.commit(plan)
    return secret_id


async def revoke_secret(store: Store, account_id: str, source_id: str, secret_id: str) -> bool:
    """Revoke a secret at once. Returns False if the source has no such secret."""

    def plan() -> Plan[bool]:
        found = yield Sql(
            "UPDATE secrets SET revoked_at = COALESCE(revoked_at, :at) "
            "WHERE account_id = :account_id AND source_id = :source_id AND id = :id RETURNING id",
            account_id=account_id,
            source_id=source_id,
            id=secret_id,
            at=now(),
        )
        return bool(found)

    return await store.commit(plan)


async def adapters_of(store: Store, account_id: str) -> dict[str, str]:
    """Return the account's sources and their adapters, also deleted ones: their orders remain."""
    rows = await store.all("SELECT id, adapter FROM sources WHERE account_id = :account_id", account_id=account_id)
    return {row["id"]: row["adapter"] for row in rows}
