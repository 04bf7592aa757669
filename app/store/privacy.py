"""The only room that speaks SQL about privacy requests; the group commit writes them."""

from app.store.database import Store
from app.store.statements import Row


async def page(store: Store, account_id: str, *, after: str | None, limit: int) -> list[Row]:
    """The account's privacy requests, newest first, after (that is: older than) this id."""
    older = "" if after is None else "AND id < :after "
    return await store.all(
        f"SELECT * FROM privacy_requests WHERE account_id = :account_id {older}ORDER BY id DESC LIMIT :limit",
        account_id=account_id, limit=limit, **({} if after is None else {"after": after}),
    )  # fmt: skip
