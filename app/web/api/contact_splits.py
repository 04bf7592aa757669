"""Possible duplicates, worked off by merging or keeping apart; contacts taken apart, and proposals for it."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from app.base.clock import iso
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contact_splits, contacts
from app.store.contact_resolution import Identity, speaks_against
from app.store.names import names
from app.web.api.contacts import canonical, contact_named, contact_of, region_of, serialize
from app.web.http import serializers
from app.web.http.errors import invalid
from app.web.http.request import ApiRequest, Body, Page, after, listed
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.contacts import (
    Candidate,
    ContactWhole,
    PossibleDuplicate,
    SplitProposal,
    SplitResponse,
)

Word = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class NamedIdentity(Body):
    """An identity, as contacts show it."""

    kind: Annotated[str, StringConstraints(pattern="^(source|document|email|phone)$")]
    value: Word
    source_id: Word | None = Field(None, description="of a shop's customer id: the source")


class SplitBody(Body):
    """What belongs to somebody else. Orders known by the identities move along."""

    identities: list[NamedIdentity] = Field(default=[], max_length=100)
    orders: list[Word] = Field(default=[], max_length=1000, description="ids of orders (ord_…)")


class ApartBody(Body):
    """The contact that is somebody else."""

    other: Word = Field(description="our id (cnt_…) or the CRM's")


async def _canonical(asked: ApiRequest, given: list[NamedIdentity]) -> list[Identity]:
    region = await region_of(asked)
    found: list[Identity] = []
    for place, one in enumerate(given):
        text = f"{one.source_id}:{one.value}" if one.kind == "source" and one.source_id else one.value
        value = canonical(one.kind, text, region)
        if value is None:
            raise invalid(f"identities.{place}.value", "is not valid, so nobody can be known by it")
        found.append((one.kind, value))
    return found


async def split(asked: ApiRequest) -> SplitResponse:
    """Make a contact of identities and orders that belong to somebody else. Later deliveries follow.

    Identities that only the orders name move as well. The two are kept apart from then on.
    """
    given = await asked.body(SplitBody)
    row = await contact_of(asked)
    identities = await _canonical(asked, given.identities)
    done = await contact_splits.split(
        asked.store, asked.account_id, row["id"], identities, given.orders, asked.caller.member_id
    )
    return {
        "contact": await serialize(asked, await contact_of(asked, done.contact_id)),
        "split_off": await serialize(asked, await contact_of(asked, done.new_id)),
        "moved": {"orders": done.orders, "identities": done.identities},
    }


async def keep_apart(asked: ApiRequest) -> ContactWhole:
    """Say that two contacts are two people. They are no possible duplicates any more, and no delivery joins them."""
    given = await asked.body(ApartBody)
    row, other = await contact_of(asked), await contact_named(asked, given.other, "other")
    await contact_splits.set_apart(asked.store, asked.account_id, row["id"], other["id"])
    return await serialize(asked, row)


async def duplicates(asked: ApiRequest) -> dict[str, Any]:
    """List pairs of contacts that may be one person, with what speaks for and against. Merge them or keep them apart."""
    query = asked.query(Page)
    rows, following = await contacts.conflicts(
        asked.store, asked.account_id, after=after(query.cursor, str, str, str, str), limit=query.limit
    )
    ids = sorted({row[name] for row in rows for name in ("contact_id", "other_id")})
    people = await _by_id(asked, ids)
    known: dict[str, set[Identity]] = {}
    for row in await contacts.identities_of(asked.store, asked.account_id, ids) if ids else []:
        known.setdefault(row["contact_id"], set()).add((row["kind"], row["value"]))
    sources = await names(asked.store, asked.account_id, "source", [row["source_id"] for row in rows])
    told: list[PossibleDuplicate] = [
        {
            "contact": _candidate(people[row["contact_id"]]),
            "other": _candidate(people[row["other_id"]]),
            "shared": serializers.identity(row["kind"], row["value"]),
            "against": speaks_against(
                known.get(row["contact_id"], set()),
                known.get(row["other_id"], set()),
                people[row["contact_id"]]["name"],
                people[row["other_id"]]["name"],
            ),
            "told_by": row["source_id"],
            "told_by_name": sources.get(row["source_id"]),
            "told_at": iso(row["told_at"]),
        }
        for row in rows
        if row["contact_id"] in people and row["other_id"] in people
    ]
    return listed(told, following)


async def _by_id(asked: ApiRequest, ids: Sequence[str]) -> dict[str, Row]:
    return {row["id"]: row for row in (await contacts.among_ids(asked.store, asked.account_id, ids) if ids else [])}


def _candidate(row: Row) -> Candidate:
    return {"id": row["id"], "crm_id": row["crm_id"], "name": row["name"]}


async def proposals(asked: ApiRequest) -> dict[str, Any]:
    """List contacts whose orders are several people's by today's rule, with the parts. Nothing is changed."""
    query = asked.query(Page)
    found, following = await contact_splits.proposals(
        asked.store, asked.account_id, after=query.last_id or "", limit=query.limit
    )
    people = await _by_id(asked, [one.contact_id for one in found])
    told: list[SplitProposal] = [
        {
            "contact": _candidate(people[one.contact_id]),
            "parts": [
                {
                    "stays": place == 0,
                    "name": part.name,
                    "identities": [serializers.identity(*identity) for identity in part.identities],
                    "orders": list(part.orders),
                }
                for place, part in enumerate(one.parts)
            ],
        }
        for one in found
        if one.contact_id in people
    ]
    return listed(told, following)


ROUTES = [
    route(
        "POST",
        "/v1/contacts/{contact}/split",
        split,
        Permission.MANAGE,
        needs_registry=True,
        takes=SplitBody,
        gives=SplitResponse,
    ),
    route(
        "POST",
        "/v1/contacts/{contact}/keep-apart",
        keep_apart,
        Permission.MANAGE,
        needs_registry=True,
        takes=ApartBody,
        gives=ContactWhole,
        fails=("contact_not_found",),
    ),
    route(
        "GET",
        "/v1/possible-duplicates",
        duplicates,
        Permission.MANAGE,
        needs_registry=True,
        query=Page,
        gives=Listed[PossibleDuplicate],
    ),
    route(
        "GET",
        "/v1/split-proposals",
        proposals,
        Permission.MANAGE,
        needs_registry=True,
        query=Page,
        gives=Listed[SplitProposal],
    ),
]
