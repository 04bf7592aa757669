"""Retention: count what an account no longer keeps, or prune it, many rows at a time."""

from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

from app.background.retention import AT_MOST, ClockDoubted, PruneResult
from app.base.clock import iso
from app.base.roles import Permission
from app.store import accounts
from app.web.http.errors import Problem, not_found
from app.web.http.request import ApiRequest, Body, answer
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


def _serialize(one: PruneResult) -> dict[str, Any]:
    return {"name": one.name, "age": one.age, "older_than": iso(one.before), "count": one.count}


async def prune(asked: ApiRequest) -> Response:
    """Delete what is older than the account's retention allows. With `dry_run`: count it."""
    given = await asked.body(Prune)
    account = await accounts.find(asked.service.store, asked.account_id)
    if account is None:
        raise not_found("account")
    if given.dry_run:
        found, done = await asked.service.retention.counted(account), True
    else:
        try:
            found, done = await asked.service.retention.prune(account, given.limit)
        except ClockDoubted as why:
            raise Problem("conflict", str(why)) from None
    return answer(
        {
            "account_id": account["account_id"],
            "dry_run": given.dry_run,
            "done": done,
            "classes": [_serialize(one) for one in found],
        }
    )


ROUTES: list[Route] = [route("POST", "/v1/prune", prune, Permission.ACCOUNT, takes=Prune, gives=PruneResponse)]
