"""Retention: count what an account no longer keeps, or prune it, many rows at a time."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from app.background.retention import AT_MOST
from app.base.clock import iso
from app.base.roles import Permission
from app.web.http.request import ApiRequest, Body
from app.web.http.routing import route


class Prune(Body):
    """With `dry_run`: delete nothing and count everything. Else: delete at most about `limit` rows."""

    dry_run: bool = False
    limit: Annotated[int, Field(ge=1, le=100_000)] = AT_MOST


class ClassResponse(TypedDict):
    """One class: `count` rows were deleted, or would be. `age` and `older_than` are null if it is kept for ever."""

    name: str
    age: str | None
    older_than: str | None
    count: int


class PruneResponse(TypedDict):
    """The result. Ask again until `done`."""

    account_id: str
    dry_run: bool
    done: bool
    classes: list[ClassResponse]


async def prune(asked: ApiRequest) -> PruneResponse:
    """Delete what is older than the account's retention allows. With `dry_run`: count it."""
    given = await asked.body(Prune)
    account = await asked.account()
    if given.dry_run:
        found, done = await asked.service.retention.counted(account), True
    else:
        found, done = await asked.service.retention.prune(account, given.limit)
    return {
        "account_id": account["account_id"],
        "dry_run": given.dry_run,
        "done": done,
        "classes": [
            {"name": one.name, "age": one.age, "older_than": iso(one.before), "count": one.count} for one in found
        ],
    }


ROUTES = [route("POST", "/v1/prune", prune, Permission.ACCOUNT, takes=Prune, gives=PruneResponse)]
