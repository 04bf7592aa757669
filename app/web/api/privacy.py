"""Privacy: export or erase a person, carry out privacy requests, look up proofs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic import Field
from starlette.responses import Response, StreamingResponse

from adapters.contract import Request
from app.background.erasure import Subject
from app.base.clock import iso, now
from app.base.ids import new_id
from app.base.roles import Permission
from app.db.statements import Row, to_json
from app.ingest.reprocess import NotRecorded
from app.store import contacts, privacy
from app.store.contact_resolution import whose
from app.store.erasure_state import Erasure
from app.store.names import names
from app.web.api import person_export
from app.web.api.contacts import contact_of, one_identity
from app.web.http import serializers
from app.web.http.errors import Problem, existing
from app.web.http.request import ApiRequest, Body, Page, Query, listed, page_of
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.privacy import (
    CarriedOut,
    Concerned,
    ErasurePreview,
    PrivacyRequestResponse,
    ProofResponse,
)


class ProofQuery(Page):
    """All proofs, or those of one identity: was this person erased?"""

    email: str | None = Field(None, max_length=300)
    phone: str | None = Field(None, max_length=100)
    document: str | None = Field(None, max_length=100)
    crm_id: str | None = Field(None, max_length=255)


async def _requests_shown(asked: ApiRequest, rows: list[Row]) -> list[PrivacyRequestResponse]:
    about = await asked.service.erasures.subjects(asked.account_id, rows)
    sources = await names(asked.store, asked.account_id, "source", [row["source_id"] for row in rows])
    return [_serialize(row, subject, sources) for row, subject in zip(rows, about, strict=True)]


def _serialize(row: Row, subject: Subject | None, sources: Mapping[str | None, str | None]) -> PrivacyRequestResponse:
    concerns: Concerned | None = None
    if subject is not None:
        known = [serializers.identity(*one) for one in subject.identities]
        concerns = {"identities": known, "orders": list(subject.orders)}
    return {
        "id": row["id"],
        "delivery_id": row["id"],
        "source_id": row["source_id"],
        "source_name": sources.get(row["source_id"]),
        "kind": row["kind"],
        "request": row["request"],
        "received_at": iso(row["received_at"]),
        "due_at": iso(row["due_at"]),
        "done_at": iso(row["done_at"]),
        "concerns": concerns,
    }


async def _proofs(asked: ApiRequest, rows: Sequence[Row]) -> list[ProofResponse]:
    sources = await names(asked.store, asked.account_id, "source", [row["source_id"] for row in rows])
    members = await names(asked.store, asked.account_id, "member", [row["member_id"] for row in rows])
    return [
        {
            "id": row["id"],
            "action": row["action"],
            "source_id": row["source_id"],
            "source_name": sources.get(row["source_id"]),
            "request_id": row["request_id"],
            "member_id": row["member_id"],
            "member_name": members.get(row["member_id"]),
            "counts": row["counts"],
            "done_at": iso(row["done_at"]),
        }
        for row in rows
    ]


async def index(asked: ApiRequest) -> dict[str, Any]:
    """List the account's privacy requests, newest first, with whom each concerns."""
    query = asked.query(Page)
    rows = await privacy.page(asked.store, asked.account_id, after=query.last_id, limit=query.limit + 1)
    return page_of(await _requests_shown(asked, rows), query.limit)


async def proofs(asked: ApiRequest) -> dict[str, Any]:
    """List proofs that people were erased or got their data, newest first. With an identity: only its own."""
    query = asked.query(ProofQuery)
    if query.email or query.phone or query.document or query.crm_id:
        rows = await privacy.proofs_of(asked.store, asked.account_id, await one_identity(asked, query))
        return listed(await _proofs(asked, rows))
    rows = await privacy.proofs(asked.store, asked.account_id, after=query.last_id, limit=query.limit + 1)
    return page_of(await _proofs(asked, rows), query.limit)


async def export(asked: ApiRequest) -> Response:
    """Export everything that is stored about the person, with its source and time."""
    about = person_export.ExportSubject(contact=await contact_of(asked))

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in person_export.written(asked, about):
            yield piece
        await privacy.handed_over(asked.store, _handed_over(asked, None))

    return StreamingResponse(pieces(), media_type="application/json")


class ErasureQuery(Query):
    """Whether to erase, or to say beforehand what that would take."""

    dry_run: bool = False


async def erase(asked: ApiRequest) -> ProofResponse | ErasurePreview:
    """Erase the person. Anonymised orders, hashes that keep them from coming back, and this proof remain.

    With `dry_run` nothing is erased: the answer says what would be, and which identities are shared with whom.
    """
    row = await contact_of(asked)
    if asked.query(ErasureQuery).dry_run:
        return _preview(await asked.service.erasures.preview(asked.account_id, row["id"]))
    proof = await asked.service.erasures.person(asked.account_id, row["id"], asked.caller.member_id)
    return (await _proofs(asked, [privacy.serialize(proof)]))[0]


def _preview(erasure: Erasure) -> ErasurePreview:
    return {
        "dry_run": True,
        "counts": erasure.counts,
        "identities": [
            {**serializers.identity(*word), "shared_with": sorted(erasure.shared.get(word, ()))}
            for word in sorted(erasure.words)
        ],
    }


def _handed_over(asked: ApiRequest, request: Row | None) -> Row:
    return {
        "account_id": asked.account_id,
        "id": new_id("prf"),
        "action": str(Request.EXPORT),
        "source_id": request["source_id"] if request else None,
        "request_id": request["id"] if request else None,
        "member_id": asked.caller.member_id,
        "counts": to_json({}),
        "done_at": now(),
    }


async def carry_out(asked: ApiRequest) -> CarriedOut | Response:
    """Carry out a privacy request, within what that source gave: erase the data, or return it for hand-over.

    A request that has already erased returns its proof.
    """
    row = existing(await privacy.find(asked.store, asked.account_id, asked.path("request")), "privacy request")
    try:
        if row["request"] == Request.EXPORT:
            return await _handing_over(asked, row)
        proof = await privacy.proof_of_request(asked.store, asked.account_id, row["id"])
        if proof is None:
            proof = privacy.serialize(await asked.service.erasures.carry_out(row, asked.caller.member_id))
    except NotRecorded as why:
        raise Problem("conflict", f"nobody can tell any more whom this is about: {why}") from None
    return await _carried_out(asked, row, proof)


async def _carried_out(asked: ApiRequest, row: Row, proof: Row) -> CarriedOut:
    done = await privacy.find(asked.store, asked.account_id, row["id"]) or row
    (shown,), (told,) = await _requests_shown(asked, [done]), await _proofs(asked, [proof])
    return {**shown, "proof": told, "export": None}


async def _handing_over(asked: ApiRequest, row: Row) -> Response:
    kept, subject = await asked.service.erasures.request(row)
    known = await asked.store.read(lambda: whose(asked.account_id, subject.identities))
    owner = await contacts.find(asked.store, asked.account_id, known) if known else None
    about = person_export.ExportSubject(
        contact=owner, words=subject.identities, orders=subject.orders, source_id=kept.source.id
    )

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"export":'
        async for piece in person_export.written(asked, about):
            yield piece
        proof = _handed_over(asked, row)
        await privacy.handed_over(asked.store, proof)
        told = {**await _carried_out(asked, row, privacy.serialize(proof))}
        del told["export"]  # it has been written
        yield b"," + to_json(told).encode()[1:]

    return StreamingResponse(pieces(), media_type="application/json")


ROUTES = [
    route("GET", "/v1/contacts/{contact}/export", export, Permission.PERSON, gives=dict[str, Any]),
    route(
        "DELETE",
        "/v1/contacts/{contact}",
        erase,
        Permission.PERSON,
        query=ErasureQuery,
        gives=ProofResponse | ErasurePreview,
    ),
    route("GET", "/v1/privacy/requests", index, Permission.PERSON, query=Page, gives=Listed[PrivacyRequestResponse]),
    route(
        "POST",
        "/v1/privacy/requests/{request}/carry-out",
        carry_out,
        Permission.PERSON,
        takes=Body,
        gives=CarriedOut,
    ),
    route("GET", "/v1/privacy/proofs", proofs, Permission.PERSON, query=ProofQuery, gives=Listed[ProofResponse]),
]
