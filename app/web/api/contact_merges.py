"""Merging contacts, and undoing it."""

from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response
from starlette.routing import Route

from app.base.roles import Permission
from app.store import contact_merges, contacts
from app.store.contact_merges import MergeRejected, MergeResult
from app.web.api.contacts import serialize
from app.web.http.errors import Problem, no_contact, not_found
from app.web.http.request import ApiRequest, Body, answer
from app.web.http.routing import route
from app.web.http.schemas.contacts import MergedResponse

Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class MergeBody(Body):
    """The contact that stays: its id (cnt_…) or CRM id."""

    into: Word = Field(description="the contact that remains: our id (cnt_…) or the CRM's")


async def _itself(asked: ApiRequest) -> str:
    found = await contact_merges.itself(asked.service.store, asked.account_id, asked.path("contact"))
    if found is None:
        raise not_found("contact")
    return found


async def _answer(asked: ApiRequest, contact_id: str, merged: MergeResult) -> Response:
    row = await contacts.find(asked.service.store, asked.account_id, contact_id)
    if row is None:
        raise not_found("contact")
    told: MergedResponse = {
        "contact": await serialize(asked, row),
        "contact_id": merged.contact_id,
        "survivor_id": merged.survivor_id,
        "moved": {"orders": merged.orders, "identities": merged.identities, "deals": merged.deals},
    }
    return answer(told)


async def merge(asked: ApiRequest) -> Response:
    """Merge the contact into another. Its id and CRM id then lead to that one."""
    given = await asked.body(MergeBody)
    store, account_id = asked.service.store, asked.account_id
    contact_id = await _itself(asked)
    into = await contact_merges.itself(store, account_id, given.into)
    if into is None:
        raise no_contact(given.into, "into")
    try:
        done = await contact_merges.merge(store, account_id, contact_id, into, asked.caller.member_id)
    except MergeRejected as why:
        raise Problem("conflict", str(why), errors=[{"field": "into", "message": str(why)}]) from None
    asked.service.held.contact_appeared()
    return await _answer(asked, done.survivor_id, done)


async def unmerge(asked: ApiRequest) -> Response:
    """Undo the contact's merge. It gets back what moved; what came since then stays with the other contact."""
    await asked.body(Body)
    contact_id = await _itself(asked)
    try:
        done = await contact_merges.undo(asked.service.store, asked.account_id, contact_id)
    except MergeRejected as why:
        raise Problem("conflict", str(why)) from None
    return await _answer(asked, done.contact_id, done)


ROUTES: list[Route] = [
    route(
        "POST",
        "/v1/contacts/{contact}/merge",
        merge,
        Permission.MANAGE,
        needs_registry=True,
        takes=MergeBody,
        gives=MergedResponse,
        fails=("contact_not_found",),
    ),
    route(
        "POST",
        "/v1/contacts/{contact}/unmerge",
        unmerge,
        Permission.MANAGE,
        needs_registry=True,
        takes=Body,
        gives=MergedResponse,
    ),
]
