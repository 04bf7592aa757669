"""Merging contacts, and undoing it."""

from pydantic import Field

from app.base.roles import Permission
from app.store import contact_merges
from app.store.contact_merges import MergeRejected, MergeResult
from app.web.api.contacts import contact_of, serialize
from app.web.http.errors import Problem, no_contact
from app.web.http.request import ApiRequest, Body, Word
from app.web.http.routing import route
from app.web.http.schemas.contacts import MergedResponse


class MergeBody(Body):
    """The contact that stays: its id (cnt_…) or CRM id."""

    into: Word = Field(description="the contact that remains: our id (cnt_…) or the CRM's")


async def _told(asked: ApiRequest, contact_id: str, merged: MergeResult) -> MergedResponse:
    return {
        "contact": await serialize(asked, await contact_of(asked, contact_id)),
        "contact_id": merged.contact_id,
        "survivor_id": merged.survivor_id,
        "moved": {"orders": merged.orders, "identities": merged.identities, "deals": merged.deals},
    }


async def merge(asked: ApiRequest) -> MergedResponse:
    """Merge the contact into another. Its id and CRM id then lead to that one."""
    given = await asked.body(MergeBody)
    contact_id = await asked.named(contact_merges.itself, "contact")
    into = await contact_merges.itself(asked.store, asked.account_id, given.into)
    if into is None:
        raise no_contact(given.into, "into")
    try:
        done = await contact_merges.merge(asked.store, asked.account_id, contact_id, into, asked.caller.member_id)
    except MergeRejected as why:
        raise Problem("conflict", str(why), errors=[{"field": "into", "message": str(why)}]) from None
    asked.service.held.contact_appeared()
    return await _told(asked, done.survivor_id, done)


async def unmerge(asked: ApiRequest) -> MergedResponse:
    """Undo the contact's merge. It gets back what moved; what came since then stays with the other contact."""
    contact_id = await asked.named(contact_merges.itself, "contact")
    done = await contact_merges.undo(asked.store, asked.account_id, contact_id)
    return await _told(asked, done.contact_id, done)


ROUTES = [
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
