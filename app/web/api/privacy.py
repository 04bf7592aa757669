"""Privacy over HTTP: a person handed over or erased, and what sources ask for in somebody's name, carried out."""

from collections.abc import AsyncIterator
from typing import Any

from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from adapters.contract import Request
from app.base.clock import iso, now
from app.base.identity import document, email, phone
from app.base.ids import new_id
from app.base.roles import Permission
from app.db.statements import Row, to_json
from app.ingest.reprocess import NotKept
from app.store import contacts, privacy_requests
from app.store.contact_merges import Gone
from app.store.tombstones import Word
from app.web.api import dossier
from app.web.api.contacts import region_of
from app.web.api.dossier import About
from app.web.http.errors import Problem, invalid, not_found
from app.web.http.request import Asked, Body, Page, after, answer, page_of, route
from app.web.http.schemas import CarriedOut, Listed, PrivacyRequestShown, ProofShown


class ProofQuery(Page):
    """The list of proofs, or those of one identity: was this person erased?"""

    email: str | None = Field(None, max_length=300)
    phone: str | None = Field(None, max_length=100)
    document: str | None = Field(None, max_length=100)
    crm_id: str | None = Field(None, max_length=255)


def _request(row: Row) -> PrivacyRequestShown:
    return {
        "id": row["id"],
        "delivery_id": row["id"],
        "source_id": row["source_id"],
        "kind": row["kind"],
        "request": row["request"],
        "received_at": iso(row["received_at"]),
        "due_at": iso(row["due_at"]),
        "done_at": iso(row["done_at"]),
    }


def _proof(row: Row) -> ProofShown:
    return {
        "id": row["id"],
        "action": row["action"],
        "source_id": row["source_id"],
        "request_id": row["request_id"],
        "member_id": row["member_id"],
        "counts": row["counts"],
        "done_at": iso(row["done_at"]),
    }


async def index(asked: Asked) -> Response:
    """The account's privacy requests, newest first; whom each is about stands in its delivery."""
    query = asked.query(Page)
    rows = await privacy_requests.page(
        asked.registry.store, asked.account_id, after=after(query.cursor, str), limit=query.limit + 1
    )
    return answer(page_of(rows, query.limit, _request, lambda row: row["id"]))


async def proofs(asked: Asked) -> Response:
    """That people were erased or handed over their data, newest first; with an identity, only what it fell under."""
    query = asked.query(ProofQuery)
    store, account_id = asked.registry.store, asked.account_id
    named = {name: text for name in ("email", "phone", "document", "crm_id") if (text := getattr(query, name))}
    if named:
        rows = await privacy_requests.proofs_of(store, account_id, _word(named, await region_of(asked)))
        return answer({"data": [_proof(row) for row in rows], "next_cursor": None})
    rows = await privacy_requests.proofs(store, account_id, after=after(query.cursor, str), limit=query.limit + 1)
    return answer(page_of(rows, query.limit, _proof, lambda row: row["id"]))


def _word(named: dict[str, str], region: str) -> Word:
    """The one identity that is asked for. Raises Problem."""
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


async def _found(asked: Asked) -> Row:
    row = await contacts.find(asked.registry.store, asked.account_id, asked.path("contact"))
    if row is None:
        raise not_found("contact")
    return row


async def export(asked: Asked) -> Response:
    """Everything held on the person, with where it came from and when."""
    about = About(contact=await _found(asked))

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in dossier.written(asked, about):
            yield piece
        await privacy_requests.handed_over(asked.registry.store, _handed_over(asked, None))

    return StreamingResponse(pieces(), media_type="application/json")


async def erase(asked: Asked) -> Response:
    """Erases the person: what remains is stubs of orders, hashes by which they stay away, and this proof."""
    row = await _found(asked)
    try:
        proof = await asked.registry.erasures.person(asked.account_id, row["id"], asked.caller.member_id)
    except Gone:
        raise not_found("contact") from None
    return answer(_proof(privacy_requests.shown(proof)))


def _handed_over(asked: Asked, request: Row | None) -> Row:
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


async def carry_out(asked: Asked) -> Response:
    """Does what a source asked, within what that source told: erases, or gives what is to be handed over.

    One that has erased already answers with its proof.
    """
    await asked.body(Body)
    store, account_id = asked.registry.store, asked.account_id
    row = await privacy_requests.find(store, account_id, asked.path("request"))
    if row is None:
        raise not_found("privacy request")
    try:
        if row["request"] == Request.EXPORT:
            return await _handing_over(asked, row)
        proof = await privacy_requests.proof_of_request(store, account_id, row["id"])
        if proof is None:
            proof = privacy_requests.shown(await asked.registry.erasures.carry_out(row, asked.caller.member_id))
    except NotKept as why:
        raise Problem("conflict", f"nobody can tell any more whom this is about: {why}") from None
    done = await privacy_requests.find(store, account_id, row["id"]) or row
    told: CarriedOut = {**_request(done), "proof": _proof(proof), "export": None}
    return answer(told)


async def _handing_over(asked: Asked, row: Row) -> Response:
    kept, subject = await asked.registry.erasures.request(row)
    owner = await contacts.owner_of(asked.registry.store, asked.account_id, subject.identities)
    about = About(
        contact=owner, words=subject.identities, orders=subject.orders, source_id=kept.source.id
    )  # fmt: skip

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"export":'
        async for piece in dossier.written(asked, about):
            yield piece
        proof = _handed_over(asked, row)
        await privacy_requests.handed_over(asked.registry.store, proof)
        done = await privacy_requests.find(asked.registry.store, asked.account_id, row["id"]) or row
        yield b"," + to_json({**_request(done), "proof": _proof(privacy_requests.shown(proof))}).encode()[1:]

    return StreamingResponse(pieces(), media_type="application/json")


ROUTES: list[Route] = [
    route("GET", "/v1/contacts/{contact}/export", export, Permission.PERSON, gives=dict[str, Any]),
    route("DELETE", "/v1/contacts/{contact}", erase, Permission.PERSON, gives=ProofShown),
    route("GET", "/v1/privacy/requests", index, Permission.PERSON, query=Page, gives=Listed[PrivacyRequestShown]),
    route(
        "POST", "/v1/privacy/requests/{request}/carry-out", carry_out, Permission.PERSON,
        takes=Body, gives=CarriedOut,
    ),
    route("GET", "/v1/privacy/proofs", proofs, Permission.PERSON, query=ProofQuery, gives=Listed[ProofShown]),
]  # fmt: skip
