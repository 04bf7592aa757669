"""SQL about accounts, members and tokens."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from app.base.clock import now
from app.base.ids import new_id, new_token
from app.base.roles import Role
from app.db.engine import Store
from app.db.statements import Insert, Plan, Row, Sql

_ACCOUNT = Insert("accounts")
_MEMBER = Insert("members", on_conflict="skip")
_TOKEN = Insert("tokens")
_JSON = ("retention", "panel_origins", "not_identities")


class NameTaken(Exception):
    """Raised when the name is in use; the message says whose."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Holds who uses a token: account, member and role."""

    account_id: str
    member_id: str
    role: Role
    token_id: str


def hashed(token: str) -> str:
    """Return the hash that is stored of a token. It has 256 random bits, so a fast digest is safe."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _account(row: Row) -> Row:
    flags = {name: bool(row[name]) for name in ("orders_enabled", "owner_privacy")}
    lists = {name: json.loads(row[name]) for name in _JSON}
    return {**row, **flags, **lists}


async def create(store: Store, name: str, *, enable: bool) -> tuple[str, str]:
    """Create an account with an admin. Returns the account's id and the admin's token. Raises NameTaken."""
    account_id, member_id, token = new_id("acc"), new_id("mem"), new_token()

    def plan() -> Plan[None]:
        # There are few accounts, and their names are only a convenience of the command line: looked up, then inserted.
        if (yield Sql("SELECT account_id FROM accounts WHERE name = :name OR account_id = :name", name=name)):
            raise NameTaken(f"there is an account named {name!r} already")
        present = now()
        yield _ACCOUNT.many([(account_id, name, enable, False, "BRL", "BR", "{}", present, "[]", "UTC", "[]")])
        yield _MEMBER.many([(account_id, member_id, "admin", str(Role.ADMIN), present)])
        yield _TOKEN.one(
            account_id=account_id,
            id=new_id("tok"),
            hash=hashed(token),
            member_id=member_id,
            role=str(Role.ADMIN),
            name="made with the account",
            created_at=present,
        )

    await store.commit(plan)
    return account_id, token


async def find(store: Store, id_or_name: str) -> Row | None:
    """Return the account with this id or name."""
    row = await store.one("SELECT * FROM accounts WHERE account_id = :word OR name = :word", word=id_or_name)
    return _account(row) if row else None


async def all_accounts(store: Store) -> list[Row]:
    """Return every account, oldest first."""
    return [_account(row) for row in await store.all("SELECT * FROM accounts ORDER BY account_id")]


async def change(store: Store, account_id: str, changes: dict[str, Any]) -> None:
    """Set these columns of an account."""
    if not changes:
        return
    values = {name: json.dumps(value) if name in _JSON else value for name, value in changes.items()}
    sets = ", ".join(f"{name} = :{name}" for name in values)

    def plan() -> Plan[None]:
        yield Sql(f"UPDATE accounts SET {sets} WHERE account_id = :account_id", account_id=account_id, **values)

    await store.commit(plan)


async def bearer(store: Store, hash_: str) -> Bearer | None:
    """Return who holds the token with this hash (`hashed`), unless it is revoked."""
    row = await store.one(
        "SELECT account_id, member_id, role, id FROM tokens WHERE hash = :hash AND revoked_at IS NULL",
        hash=hash_,
    )
    return Bearer(row["account_id"], row["member_id"], Role(row["role"]), row["id"]) if row else None


async def bearer_of(store: Store, account_id: str, token_id: str) -> Bearer | None:
    """Return who holds the token with this id, unless it is revoked."""
    row = await store.one(
        "SELECT account_id, member_id, role, id FROM tokens "
        "WHERE account_id = :account_id AND id = :id AND revoked_at IS NULL",
        account_id=account_id,
        id=token_id,
    )
    return Bearer(row["account_id"], row["member_id"], Role(row["role"]), row["id"]) if row else None


async def add_member(store: Store, account_id: str, name: str, role: Role, member_id: str | None) -> Row:
    """Create a member; the CRM may give the id. Raises NameTaken."""
    row: Row = {"account_id": account_id, "id": member_id or new_id("mem"), "name": name, "role": str(role)}

    def plan() -> Plan[None]:
        if (
            yield Sql(
                "SELECT 1 FROM members WHERE account_id = :account_id AND id = :id", account_id=account_id, id=row["id"]
            )
        ):
            raise NameTaken(f"there is a member {row['id']} already")
        yield _MEMBER.many([(account_id, row["id"], name, str(role), now())])

    await store.commit(plan)
    return await member(store, account_id, row["id"]) or row


async def member(store: Store, account_id: str, member_id: str) -> Row | None:
    """Return one member."""
    return await store.one(
        "SELECT id, name, role, created_at FROM members WHERE account_id = :account_id AND id = :id",
        account_id=account_id,
        id=member_id,
    )


async def members(store: Store, account_id: str, *, after: str, limit: int) -> list[Row]:
    """Return members by id, after that id."""
    return await store.all(
        "SELECT id, name, role, created_at FROM members WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )


async def add_token(store: Store, account_id: str, role: Role, member_id: str, name: str) -> tuple[str, str]:
    """Create a token for a member. Returns the token's id and the token, which is never readable again."""
    token_id, token = new_id("tok"), new_token()

    def plan() -> Plan[None]:
        yield _TOKEN.many([(account_id, token_id, hashed(token), member_id, str(role), name, now(), None)])

    await store.commit(plan)
    return token_id, token


async def tokens(store: Store, account_id: str, *, after: str, limit: int) -> list[Row]:
    """Return tokens by id, after that id, without the tokens themselves."""
    return await store.all(
        "SELECT id, member_id, role, name, created_at, revoked_at FROM tokens WHERE account_id = :account_id AND id > :after "
        "ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )


async def revoke_token(store: Store, account_id: str, token_id: str) -> bool:
    """Revoke a token. Returns False if there is no such token."""

    def plan() -> Plan[bool]:
        found = yield Sql(
            "UPDATE tokens SET revoked_at = COALESCE(revoked_at, :at) WHERE account_id = :account_id AND id = :id RETURNING id",
            account_id=account_id,
            id=token_id,
            at=now(),
        )
        return bool(found)

    return await store.commit(plan)
