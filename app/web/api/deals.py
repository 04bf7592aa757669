"""Deals of the CRM: upserted by CRM id, with their orders."""

from typing import Any, Literal

from starlette.responses import Response

from app.base.clock import iso
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, deals, manual_orders
from app.store.contact_merges import ContactGone
from app.store.names import names
from app.web.api.contacts import contact_named
from app.web.api.manual_orders import Title, member_of
from app.web.api.orders import OrderQuery, list_orders
from app.web.http.errors import Problem, existing, no_contact, not_found
from app.web.http.request import ApiRequest, Body, Word, answer
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.orders import DealResponse, OrderResponse
from app.web.http.visibility import wallet_of


class DealBody(Body):
    """A deal of the CRM. `orders` is required when the contact changes while the deal has orders."""

    contact: Word
    title: Title | None = None
    owner_id: Word | None = None
    orders: Literal["keep", "move"] | None = None


async def _serialize(asked: ApiRequest, row: Row) -> DealResponse:
    contact = await contacts.find(asked.store, asked.account_id, row["contact_id"])
    owners = await names(asked.store, asked.account_id, "member", [row["owner_id"]])
    return {
        "crm_id": row["crm_id"],
        "contact_id": contact["id"] if contact else row["contact_id"],
        "crm_contact_id": contact["crm_id"] if contact else None,
        "title": row["title"],
        "owner_id": row["owner_id"],
        "owner_name": owners.get(row["owner_id"]),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


async def _visible(asked: ApiRequest) -> Row:
    """Return the deal if the caller may see it. Raises Problem: what a rep may not see does not exist."""
    row = await asked.named(deals.find, "deal")
    owner = await wallet_of(asked)
    if owner is not None and row["owner_id"] != owner:
        contact = await contacts.find(asked.store, asked.account_id, row["contact_id"])
        if contact is None or contact["owner_id"] != owner:
            raise not_found("deal")
    return row


async def upsert(asked: ApiRequest) -> Response:
    """Create or change the deal with this CRM id. Fields that are not given stay as they are."""
    crm_id = asked.path("deal")
    given = await asked.body(DealBody)
    contact = await contact_named(asked, given.contact)
    before = await deals.find(asked.store, asked.account_id, crm_id)
    others = await _others(asked, crm_id, contact["id"], before, given.orders)
    words = {"contact_id": contact["id"], **given.model_dump(include={"title", "owner_id"}, exclude_unset=True)}
    try:
        new = await deals.upsert(asked.store, asked.account_id, crm_id, words)
        for order in others:
            await manual_orders.edit(
                asked.store,
                asked.account_id,
                order,
                said={"contact_id": contact["id"]},
                refunded=None,
                member_id=member_of(asked),
            )
    except ContactGone:  # erased meanwhile; the same request again moves what was not moved yet
        raise no_contact(given.contact) from None
    row = existing(await deals.find(asked.store, asked.account_id, crm_id), "deal")
    return answer(await _serialize(asked, row), 201 if new else 200)


async def _others(asked: ApiRequest, crm_id: str, contact_id: str, before: Row | None, wish: str | None) -> list[Row]:
    """Return the orders that move to the deal's new contact. Raises Problem when `orders` does not say what to do."""
    changes = before is not None and before["contact_id"] != contact_id
    if wish == "keep" or (wish is None and not changes):
        return []
    found = await deals.orders_of_others(asked.store, asked.account_id, crm_id, contact_id)
    if found and wish is None:
        raise Problem(
            "conflict",
            f"{len(found)} orders on this deal belong to another contact; say what becomes of them: "
            '"orders": "move" (to the new contact) or "keep"',
            errors=[{"field": "orders", "message": "is needed: move or keep"}],
        )
    return found


async def show(asked: ApiRequest) -> DealResponse:
    """Show one deal."""
    return await _serialize(asked, await _visible(asked))


async def orders_of(asked: ApiRequest) -> dict[str, Any]:
    """List the deal's orders, newest first."""
    return await list_orders(asked, deal_id=(await _visible(asked))["crm_id"])


ROUTES = [
    route(
        "PUT",
        "/v1/deals/{deal}",
        upsert,
        Permission.MANAGE,
        needs_registry=True,
        takes=DealBody,
        gives=DealResponse,
        status=201,
        also=(200,),
        fails=("contact_not_found",),
    ),
    route("GET", "/v1/deals/{deal}", show, Permission.READ, needs_registry=True, gives=DealResponse),
    route(
        "GET",
        "/v1/deals/{deal}/orders",
        orders_of,
        Permission.READ,
        needs_registry=True,
        query=OrderQuery,
        gives=Listed[OrderResponse],
    ),
]
