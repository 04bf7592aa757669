"""Contacts: found by any identity, upserted by CRM id, with their orders and totals."""

import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo
from starlette.responses import Response

from adapters.contract import Customer
from app.base.clock import iso
from app.base.identity import document, email, identities_told, phone
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, crm_contacts, orders
from app.store.names import names
from app.web.api.orders import OrderQuery, list_orders
from app.web.http import serializers
from app.web.http.errors import Problem, existing, invalid, no_contact, not_found
from app.web.http.filters import PurchaseFilters, order_filter
from app.web.http.request import ApiRequest, Body, Page, Query, after, answer, listed
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.contacts import ConflictOfContact, ConflictResponse, ContactWhole
from app.web.http.schemas.orders import OrderResponse, SummaryResponse, SumsResponse
from app.web.http.visibility import wallet_of

MOST_FOUND = 50
_OURS = re.compile(r"cnt_[0-9A-HJKMNP-TV-Z]{26}")
Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class IdentityQuery(Query):
    """The identity to look up."""

    email: str | None = None
    phone: str | None = None
    document: str | None = None
    crm_id: str | None = None


class LookUpQuery(IdentityQuery):
    """The identity to look up, or whatever is known of somebody."""

    q: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="a part of the name (two characters or more), an e-mail, phone, document or CRM id, or an order's id",
    )


def canonical(kind: str, text: str, region: str) -> str | None:
    """Return an identity's value in canonical form; None if nobody can be known by it. `region` is for phones."""
    if kind == "email":
        return email(text)
    if kind == "phone":
        return phone(text, region)
    return document(text) if kind == "document" else text


def _valid(kind: str, message: str) -> AfterValidator:
    """Return a check of identities of this kind, as they are given in a body."""

    def check(text: str, info: ValidationInfo) -> str:
        if canonical(kind, text, (info.context or {})["region"]) is None:
            raise ValueError(message)
        return text

    return AfterValidator(check)


class ContactBody(Body):
    """A contact of the CRM. Fields that are not given stay as they are."""

    name: Text | None = None
    emails: list[Annotated[Text, _valid("email", "is not an e-mail address")]] = Field(default=[], max_length=50)
    phones: list[Annotated[Text, _valid("phone", "is not a phone number")]] = Field(default=[], max_length=50)
    documents: list[Annotated[Text, _valid("document", "is not a CPF or CNPJ (check digits)")]] = Field(
        default=[], max_length=50
    )
    owner_id: Text | None = None
    after_erasure: bool = Field(False, description="somebody who was erased is a contact again, and that is meant")


async def region_of(asked: ApiRequest) -> str:
    """Return the country of phone numbers without a country code."""
    region: str = (await asked.account())["default_region"]
    return region


async def contact_of(asked: ApiRequest, contact_id: str | None = None) -> Row:
    """Return the contact with this id; without one that of the path. Raises Problem."""
    return existing(await contacts.find(asked.store, asked.account_id, contact_id or asked.path("contact")), "contact")


async def contact_named(asked: ApiRequest, word: str, field: str = "contact") -> Row:
    """Return the contact that this field of a body names by our id or the CRM's. Raises Problem."""
    row = await contacts.find(asked.store, asked.account_id, word)
    if row is None:
        raise no_contact(word, field)
    return row


async def _visible(asked: ApiRequest) -> Row:
    """Return the path's contact if the caller may see it. Raises Problem: what a rep may not see does not exist."""
    row, owner = await contact_of(asked), await wallet_of(asked)
    if owner is not None and row["owner_id"] != owner:
        raise not_found("contact")
    return row


async def serialize(asked: ApiRequest, row: Row) -> ContactWhole:
    """Return a contact as a response. Identities of other people are for callers who see all contacts."""
    everything = await wallet_of(asked) is None
    conflicts = await contacts.conflicts_of(asked.store, asked.account_id, row["id"]) if everything else []
    owners = await names(asked.store, asked.account_id, "member", [row["owner_id"]])
    return {
        **serializers.contact(row, await contacts.identities_of(asked.store, asked.account_id, [row["id"]])),
        "owner_name": owners.get(row["owner_id"]),
        "identity_conflicts": [conflict(one) for one in conflicts],
    }


def conflict(row: Row) -> ConflictResponse:
    """Return an identity conflict as a response."""
    return {
        **serializers.identity(row["kind"], row["value"]),
        "belongs_to": row["other_id"],
        "told_by": row["source_id"],
        "told_at": iso(row["told_at"]),
    }


async def one_identity(asked: ApiRequest, query: Query) -> tuple[str, str]:
    """Return the one identity of a query with the fields of `IdentityQuery`, canonical. Raises Problem."""
    given = {name: text for name in IdentityQuery.model_fields if (text := getattr(query, name))}
    if len(given) != 1:
        raise invalid("query", "name one of email, phone, document, crm_id")
    ((name, text),) = given.items()
    # A plus that was not encoded arrives as a blank.
    plus = "+" if name == "phone" and asked.request.query_params["phone"].startswith(" ") else ""
    value = canonical(name, plus + text, await region_of(asked))
    if value is None:
        raise invalid(name, "is not valid, so nobody can be known by it")
    return ("crm" if name == "crm_id" else name), value


async def look_up(asked: ApiRequest) -> dict[str, Any]:
    """Find contacts by exactly one identity (several may share a phone or CNPJ), or by whatever `q` is.

    With `q`, those known by exactly that come first, then those with it in their name. The list is empty if nobody is known so.
    """
    query, owner = asked.query(LookUpQuery), await wallet_of(asked)
    if query.q is not None:
        rows = await _known_by(asked, query.q.strip())
        if len(query.q) > 1:
            rows += await contacts.named_like(asked.store, asked.account_id, query.q, owner_id=owner, limit=MOST_FOUND)
    else:
        rows = await contacts.by_identity(asked.store, asked.account_id, *await one_identity(asked, query))
    found = {row["id"]: row for row in rows if owner is None or row["owner_id"] == owner}
    return listed([await serialize(asked, one) for one in [*found.values()][:MOST_FOUND]])


async def _known_by(asked: ApiRequest, text: str) -> list[Row]:
    """Return the contacts with exactly this id, identity or order, by its id or by the number that its title begins with."""
    ways = [
        ("email", email(text) if "@" in text else None),
        ("document", document(text)),
        ("phone", phone(text, await region_of(asked)) if sum(map(str.isdigit, text)) >= 8 else None),
    ]
    rows = [row for row in [await contacts.find(asked.store, asked.account_id, text)] if row is not None]
    for kind, value in ways:
        if value is not None:
            rows += await contacts.by_identity(asked.store, asked.account_id, kind, value)
    wanted = orders.OrderFilter(wallet_of=await wallet_of(asked))
    found = await orders.of_id(asked.store, asked.account_id, wanted, text)
    number = f"#{text.removeprefix('#')}"
    if not found and number[1:].isdigit():
        titled, _ = await orders.search(
            asked.store,
            asked.account_id,
            replace(wanted, q=number),
            after=None,
            limit=MOST_FOUND,
            tuning=asked.service.tuning,
        )
        found = [row for row in titled if (row["title"] or "").split()[:1] == [number]]
    bought = {row["contact_id"] for row in found if row["contact_id"]}
    return rows + (await contacts.among_ids(asked.store, asked.account_id, sorted(bought)) if bought else [])


async def upsert(asked: ApiRequest) -> Response:
    """Create or change the contact with this CRM id."""
    crm_id = asked.path("contact")
    if _OURS.fullmatch(crm_id):
        raise invalid("contact", "is an id of ours; here stands what the CRM calls the contact")
    region = await region_of(asked)
    given = await asked.body(ContactBody, region=region)
    customer = Customer(emails=tuple(given.emails), phones=tuple(given.phones), documents=tuple(given.documents))
    told = await crm_contacts.upsert(
        asked.store,
        asked.account_id,
        crm_id,
        name=given.name,
        owner_id=given.owner_id,
        given=frozenset(given.model_fields_set),
        identities=identities_told(customer, None, region)[0],  # a member may list many
        after_erasure=given.after_erasure,
    )
    if told.erased:
        raise Problem(
            "conflict",
            "one of these identities belongs to somebody who was erased; if they are a contact again, and have agreed to "
            'it, say so: "after_erasure": true',
            errors=[{"field": "after_erasure", "message": "is needed: the person was erased"}],
        )
    asked.service.held.contact_appeared()
    row = await contact_of(asked, told.contact_id)
    return answer(await serialize(asked, row), 201 if told.created else 200)


async def take_away(asked: ApiRequest) -> ContactWhole:
    """Remove an identity from the contact: it was mistyped, or belongs to somebody else."""
    row = await contact_of(asked)
    kind, value = await one_identity(asked, asked.query(IdentityQuery))
    if kind == "crm":
        raise invalid(
            "crm_id", "is what the CRM calls the contact and stays; to bring two contacts together, merge them"
        )
    if not await contacts.take_away(asked.store, asked.account_id, row["id"], kind, value):
        raise not_found("such identity of this contact")
    return await serialize(asked, await contact_of(asked))


async def conflicts(asked: ApiRequest) -> dict[str, Any]:
    """List identities that a source gave to one contact but that belong to another.

    Merge the two, or remove the identity from one.
    """
    query = asked.query(Page)
    rows, following = await contacts.conflicts(
        asked.store, asked.account_id, after=after(query.cursor, str, str, str, str), limit=query.limit
    )
    shown: list[ConflictOfContact] = [{"contact_id": row["contact_id"], **conflict(row)} for row in rows]
    return listed(shown, following)


async def show(asked: ApiRequest) -> ContactWhole:
    """Show one contact."""
    return await serialize(asked, await _visible(asked))


async def orders_of(asked: ApiRequest) -> dict[str, Any]:
    """List the contact's orders, newest first."""
    return await list_orders(asked, contact_id=(await _visible(asked))["id"])


async def summary(asked: ApiRequest) -> SummaryResponse:
    """Show the contact's totals per currency, computed from the orders."""
    row = await _visible(asked)
    filtered = await order_filter(asked, PurchaseFilters(), contact_id=row["id"])
    rows = await orders.summary(asked.store, asked.account_id, filtered)
    return {"contact_id": row["id"], "currencies": [sums(one) for one in rows]}


def average(gross: int, paid: int) -> int | None:
    """Return the average of so many paid orders, in minor units; None if nothing was paid."""
    return int((Decimal(gross) / paid).quantize(Decimal(1), rounding=ROUND_HALF_UP)) if paid else None


def sums(row: Row) -> SumsResponse:
    """Return the totals of orders in one currency as a response."""
    currency = row["currency"]
    return {
        "currency": currency,
        "orders": row["orders"],
        "paid_orders": row["paid_orders"],
        "gross": serializers.money(row["gross"], currency),
        "refunded": serializers.money(row["refunded"], currency),
        "net": serializers.money(row["gross"] - row["refunded"], currency),
        "open": serializers.money(row["open"], currency),
        "average_order_value": serializers.money(average(row["gross"], row["paid_orders"]), currency),
        "first_ordered_at": iso(row["first_ordered_at"]),
        "last_ordered_at": iso(row["last_ordered_at"]),
        "last_paid_at": iso(row["last_paid_at"]),
    }


ROUTES = [
    route(
        "GET",
        "/v1/contacts",
        look_up,
        Permission.READ,
        needs_registry=True,
        query=LookUpQuery,
        gives=Listed[ContactWhole],
    ),
    route(
        "PUT",
        "/v1/contacts/{contact}",
        upsert,
        Permission.MANAGE,
        needs_registry=True,
        takes=ContactBody,
        gives=ContactWhole,
        status=201,
        also=(200,),
    ),
    route(
        "DELETE",
        "/v1/contacts/{contact}/identities",
        take_away,
        Permission.MANAGE,
        needs_registry=True,
        query=IdentityQuery,
        gives=ContactWhole,
    ),
    route(
        "GET",
        "/v1/identity-conflicts",
        conflicts,
        Permission.MANAGE,
        needs_registry=True,
        query=Page,
        gives=Listed[ConflictOfContact],
    ),
    route("GET", "/v1/contacts/{contact}", show, Permission.READ, needs_registry=True, gives=ContactWhole),
    route(
        "GET",
        "/v1/contacts/{contact}/orders",
        orders_of,
        Permission.READ,
        needs_registry=True,
        query=OrderQuery,
        gives=Listed[OrderResponse],
    ),
    route(
        "GET", "/v1/contacts/{contact}/summary", summary, Permission.READ, needs_registry=True, gives=SummaryResponse
    ),
]
