"""SQL about the installation itself: who owns an id, engine settings, backup, encrypting secrets again."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from app.db.engine import Store, Unavailable
from app.db.statements import Plan, Row, Sql

_TABLES = {
    "src_": "sources",
    "dlv_": "deliveries",
    "ord_": "orders",
    "cnt_": "contacts",
    "tok_": "tokens",
    "sec_": "secrets",
    "job_": "jobs",
    "sub_": "subscriptions",
}


async def owner(store: Store, thing: str) -> str | None:
    """Return the account that owns the thing with this id, or None."""
    table = _TABLES.get(thing[:4])
    if table is None:
        return None
    # By way of the accounts, of which there are few: every key of the large tables leads with them.
    row = await store.one(
        f"SELECT t.account_id FROM accounts a JOIN {table} t ON t.account_id = a.account_id AND t.id = :id", id=thing
    )
    return row["account_id"] if row else None


async def engine(store: Store) -> dict[str, str]:
    """Return the engine's version and the settings that decide whether a commit is on disk."""
    if store.on_sqlite:

        def plan() -> Plan[dict[str, str]]:
            found = {}
            for name in ("journal_mode", "synchronous", "mmap_size"):
                rows: list[Row] = yield Sql(f"PRAGMA {name}")
                found[name] = str(next(iter(rows[0].values()))) if rows else "?"
            version: list[Row] = yield Sql("SELECT sqlite_version() AS value")
            return {"version": str(version[0]["value"]), **found}

        return await store.commit(plan)

    def asked() -> Plan[dict[str, str]]:
        rows: list[Row] = yield Sql(
            "SELECT name, setting FROM pg_settings WHERE name IN "
            "('server_version', 'fsync', 'synchronous_commit', 'full_page_writes')"
        )
        found = {row["name"]: row["setting"] for row in rows}
        return {"version": found.pop("server_version", "?"), **found}

    return await store.commit(asked)


# What the group commit looks into.
_COMMITTED = (
    "deliveries, pruned_deliveries, bodies, orders, history, aliases, contacts, identities, tombstones, salts, tallies, "
    "latencies"
)


async def knows_its_tables(store: Store, deliveries: int) -> bool:
    """Return whether PostgreSQL has statistics of a delivery log of at least this many rows."""
    row = await store.one("SELECT reltuples FROM pg_class WHERE oid = CAST('deliveries' AS regclass)")
    return row is not None and row["reltuples"] >= deliveries


async def analyze(store: Store) -> None:
    """Have PostgreSQL gather statistics of the tables that the group commit reads. Blocks no writer."""

    def plan() -> Plan[None]:
        yield Sql(f"ANALYZE {_COMMITTED}")

    await store.commit(plan)


async def revision(store: Store) -> str | None:
    """Return the schema's revision, or None."""
    row = await store.one("SELECT version_num FROM alembic_version")
    return row["version_num"] if row else None


async def sealed(store: Store) -> list[Row]:
    """Return everything that is encrypted with the master key: (table, account_id, id, sealed)."""
    rows = await store.all("SELECT 'secrets' AS place, account_id, id, sealed FROM secrets")
    rows += await store.all(
        "SELECT 'sources' AS place, account_id, id, key AS sealed FROM sources WHERE key IS NOT NULL UNION ALL "
        "SELECT 'subscriptions' AS place, account_id, id, headers AS sealed FROM subscriptions WHERE headers IS NOT NULL UNION ALL "
        "SELECT 'salts' AS place, account_id, account_id AS id, salt AS sealed FROM salts"
    )
    return rows


async def reseal(store: Store, again: Callable[[str], str]) -> int:
    """Encrypt everything again in one transaction. Returns how many things."""

    def plan() -> Plan[int]:
        # Kept answers are only remembered for a day, and are not worth a second way to lose a key.
        yield Sql("DELETE FROM idempotency")
        count = 0
        for table, key, column in (
            ("secrets", "id", "sealed"),
            ("sources", "id", "key"),
            ("subscriptions", "id", "headers"),
            ("salts", "account_id", "salt"),
        ):
            rows: list[Row] = yield Sql(
                f"SELECT account_id, {key} AS id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL"
            )
            for row in rows:
                yield Sql(
                    f"UPDATE {table} SET {column} = :sealed WHERE account_id = :account_id AND {key} = :id",
                    account_id=row["account_id"],
                    id=row["id"],
                    sealed=again(row["sealed"]),
                )
                count += 1
        return count

    return await store.commit(plan)


async def copy(database: Path, file: Path) -> None:
    """Write a consistent copy of a SQLite database while it serves. Raises Unavailable."""

    draft = file.with_name(f".{file.name}.part")

    def vacuumed() -> None:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # people's data, from its first byte
        # A connection of its own that cannot write, and so cannot checkpoint either.
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(draft),))
        # What stands under the name that was asked for is whole and on disk.
        _synced(draft)
        draft.rename(file)
        _synced(file.parent)

    try:
        await asyncio.to_thread(vacuumed)
    except (sqlite3.Error, OSError) as fault:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise Unavailable(f"the copy could not be made: {fault}") from fault


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
