"""Deals of the CRM: upserted by CRM id, with their orders."""

from typing import Any, Literal

from starlette.responses import Response
from starlette.routing import Route

from app.base.clock import iso
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, deals, manual_orders
from app.store.contact_merges import ContactGone
from app.store.names import names
from app.web.api.manual_orders import OPERATOR, Title, Word
from app.web.api.orders import OrderQuery, list_orders
from app.web.http.errors import Problem, no_contact, not_found
from app.web.http.request import ApiRequest, Body, answer
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
    contact = await contacts.find(asked.service.store, asked.account_id, row["contact_id"])
    owners = await names(asked.service.store, asked.account_id, "member", [row["owner_id"]])
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
    store = asked.service.store
    row = await deals.find(store, asked.account_id, asked.path("deal"))
    if row is None:
        raise not_found("deal")
    owner = await wallet_of(asked)
    if owner is not None and row["owner_id"] != owner:
        contact = await contacts.find(store, asked.account_id, row["contact_id"])
        if contact is None or contact["owner_id"] != owner:
            raise not_found("deal")
    return row


async def upsert(asked: ApiRequest) -> Response:
    """Create or change the deal with this CRM id. Fields that are not given stay as they are."""
    crm_id = asked.path("deal")
    given = await asked.body(DealBody)
    store, account_id = asked.service.store, asked.account_id
    contact = await contacts.find(store, account_id, given.contact)
    if contact is None:
        raise no_contact(given.contact)
    before = await deals.find(store, account_id, crm_id)
    others = await _others(asked, crm_id, contact["id"], before, given.orders)
    words: dict[str, Any] = {"contact_id": contact["id"]}
    words |= {name: getattr(given, name) for name in ("title", "owner_id") if name in given.model_fields_set}
    try:
        new = await deals.upsert(store, account_id, crm_id, words)
        for order in others:
            await manual_orders.edit(
                store,
                account_id,
                order,
                said={"contact_id": contact["id"]},
                refunded=None,
                member_id=asked.caller.member_id or OPERATOR,
            )
    except ContactGone:  # erased meanwhile; the same request again moves what was not moved yet
        raise no_contact(given.contact) from None
    row = await deals.find(store, account_id, crm_id)
    if row is None:
        raise not_found("deal")
    return answer(await _serialize(asked, row), 201 if new else 200)


async def _others(asked: ApiRequest, crm_id: str, contact_id: str, before: Row | None, wish: str | None) -> list[Row]:
    """Return the orders that move to the deal's new contact. Raises Problem when `orders` does not say what to do."""
    if before is None or before["contact_id"] == contact_id:
        if wish == "move":
            return await deals.orders_of_others(asked.service.store, asked.account_id, crm_id, contact_id)
        return []
    found = await deals.orders_of_others(asked.service.store, asked.account_id, crm_id, contact_id)
    if found and wish is None:
        raise Problem(
            "conflict",
            f"{len(found)} orders on this deal belong to another contact; say what becomes of them: "
            '"orders": "move" (to the new contact) or "keep"',
            errors=[{"field": "orders", "message": "is needed: move or keep"}],
        )
    return found if wish == "move" else []


async def show(asked: ApiRequest) -> Response:
    """Show one deal."""
    return answer(await _serialize(asked, await _visible(asked)))


async def orders_of(asked: ApiRequest) -> Response:
    """List the deal's orders, newest first."""
    row = await _visible(asked)
    return await list_orders(asked, deal_id=row["crm_id"])


ROUTES: list[Route] = [
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
