"""Privacy: export or erase a person, carry out privacy requests, look up proofs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from adapters.contract import Request
from app.background.erasure import Subject
from app.base.clock import iso, now
from app.base.identity import document, email, phone
from app.base.ids import new_id
from app.base.roles import Permission
from app.db.statements import Row, to_json
from app.ingest.reprocess import NotRecorded
from app.store import contacts, privacy
from app.store.contact_merges import ContactGone
from app.store.contact_resolution import whose
from app.store.erasure_state import Erasure
from app.store.names import names
from app.store.tombstones import Word
from app.web.api import person_export
from app.web.api.contacts import region_of
from app.web.http import serializers
from app.web.http.errors import Problem, invalid, not_found
from app.web.http.request import ApiRequest, Body, Page, Query, after, answer, page_of
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


async def _request(asked: ApiRequest, row: Row) -> PrivacyRequestResponse:
    (one,) = await _requests_shown(asked, [row])
    return one


async def _requests_shown(asked: ApiRequest, rows: list[Row]) -> list[PrivacyRequestResponse]:
    about = await asked.service.erasures.subjects(asked.account_id, rows)
    sources = await names(asked.service.store, asked.account_id, "source", [row["source_id"] for row in rows])
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
    store, account_id = asked.service.store, asked.account_id
    sources = await names(store, account_id, "source", [row["source_id"] for row in rows])
    members = await names(store, account_id, "member", [row["member_id"] for row in rows])
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


async def _proof(asked: ApiRequest, row: Row) -> ProofResponse:
    (one,) = await _proofs(asked, [row])
    return one


async def index(asked: ApiRequest) -> Response:
    """List the account's privacy requests, newest first, with whom each concerns."""
    query = asked.query(Page)
    rows = await privacy.page(
        asked.service.store, asked.account_id, after=after(query.cursor, str), limit=query.limit + 1
    )
    shown = dict(zip((row["id"] for row in rows), await _requests_shown(asked, rows), strict=True))
    return answer(page_of(rows, query.limit, lambda row: shown[row["id"]], lambda row: row["id"]))


async def proofs(asked: ApiRequest) -> Response:
    """List proofs that people were erased or got their data, newest first. With an identity: only its own."""
    query = asked.query(ProofQuery)
    store, account_id = asked.service.store, asked.account_id
    named = {name: text for name in ("email", "phone", "document", "crm_id") if (text := getattr(query, name))}
    if named:
        rows = await privacy.proofs_of(store, account_id, _word(named, await region_of(asked)))
        return answer({"data": await _proofs(asked, rows), "next_cursor": None})
    rows = await privacy.proofs(store, account_id, after=after(query.cursor, str), limit=query.limit + 1)
    shown = {one["id"]: one for one in await _proofs(asked, rows)}
    return answer(page_of(rows, query.limit, lambda row: shown[row["id"]], lambda row: row["id"]))


def _word(named: dict[str, str], region: str) -> Word:
    """Return the one identity that is asked for. Raises Problem."""
    if len(named) > 1:
        raise invalid("query", "name one of email, phone, document, crm_id")
    ((name, text),) = named.items()
    value: str | None = text
    if name == "email":
        value = email(text)
    elif name == "phone":
        value = phone(text, region)
    elif name == "document":
        value = document(text)
    if value is None:
        raise invalid(name, "is not valid, so nobody can be known by it")
    return ("crm" if name == "crm_id" else name, value)


async def _found(asked: ApiRequest) -> Row:
    row = await contacts.find(asked.service.store, asked.account_id, asked.path("contact"))
    if row is None:
        raise not_found("contact")
    return row


async def export(asked: ApiRequest) -> Response:
    """Export everything that is stored about the person, with its source and time."""
    about = person_export.ExportSubject(contact=await _found(asked))

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in person_export.written(asked, about):
            yield piece
        await privacy.handed_over(asked.service.store, _handed_over(asked, None))

    return StreamingResponse(pieces(), media_type="application/json")


class ErasureQuery(Query):
    """Whether to erase, or to say beforehand what that would take."""

    dry_run: bool = False


async def erase(asked: ApiRequest) -> Response:
    """Erase the person. Anonymised orders, hashes that keep them from coming back, and this proof remain.

    With `dry_run` nothing is erased: the answer says what would be, and which identities are shared with whom.
    """
    row = await _found(asked)
    try:
        if asked.query(ErasureQuery).dry_run:
            return answer(_preview(await asked.service.erasures.preview(asked.account_id, row["id"])))
        proof = await asked.service.erasures.person(asked.account_id, row["id"], asked.caller.member_id)
    except ContactGone:
        raise not_found("contact") from None
    return answer(await _proof(asked, privacy.serialize(proof)))


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


async def carry_out(asked: ApiRequest) -> Response:
    """Carry out a privacy request, within what that source gave: erase the data, or return it for hand-over.

    A request that has already erased returns its proof.
    """
    await asked.body(Body)
    store, account_id = asked.service.store, asked.account_id
    row = await privacy.find(store, account_id, asked.path("request"))
    if row is None:
        raise not_found("privacy request")
    try:
        if row["request"] == Request.EXPORT:
            return await _handing_over(asked, row)
        proof = await privacy.proof_of_request(store, account_id, row["id"])
        if proof is None:
            proof = privacy.serialize(await asked.service.erasures.carry_out(row, asked.caller.member_id))
    except NotRecorded as why:
        raise Problem("conflict", f"nobody can tell any more whom this is about: {why}") from None
    done = await privacy.find(store, account_id, row["id"]) or row
    told: CarriedOut = {**await _request(asked, done), "proof": await _proof(asked, proof), "export": None}
    return answer(told)


async def _handing_over(asked: ApiRequest, row: Row) -> Response:
    kept, subject = await asked.service.erasures.request(row)
    store, account_id = asked.service.store, asked.account_id
    known = await store.read(lambda: whose(account_id, subject.identities))
    owner = await contacts.find(store, account_id, known) if known else None
    about = person_export.ExportSubject(
        contact=owner, words=subject.identities, orders=subject.orders, source_id=kept.source.id
    )

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"export":'
        async for piece in person_export.written(asked, about):
            yield piece
        proof = _handed_over(asked, row)
        await privacy.handed_over(asked.service.store, proof)
        done = await privacy.find(asked.service.store, asked.account_id, row["id"]) or row
        shown = await _request(asked, done)
        yield b"," + to_json({**shown, "proof": await _proof(asked, privacy.serialize(proof))}).encode()[1:]

    return StreamingResponse(pieces(), media_type="application/json")


ROUTES: list[Route] = [
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
