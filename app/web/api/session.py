"""Signing in to the console: a token becomes a short session in a cookie that no script can read."""

from typing import Annotated

from pydantic import StringConstraints
from starlette.responses import Response
from typing_extensions import TypedDict

from app.base.clock import iso, now
from app.base.roles import GRANTS, Permission
from app.service import Service
from app.store import accounts, idempotency
from app.web.http import authentication
from app.web.http.authentication import PANEL, Caller, Session
from app.web.http.errors import Problem, existing, invalid
from app.web.http.request import ApiRequest, Body, Id, answer
from app.web.http.routing import route


class SignIn(Body):
    """A token and, from the panel, its account."""

    most_bytes = 4 * 1024
    token: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    panel: Id | None = None


class AccountSeen(TypedDict):
    """What everybody of an account may know about it."""

    account_id: str
    name: str
    orders_enabled: bool
    owner_privacy: bool
    default_currency: str
    default_region: str
    timezone: str


class SessionResponse(TypedDict):
    """Who the caller is, and what they may do. `expires_at` is null for a bearer token."""

    account: AccountSeen
    member_id: str | None
    member_name: str | None
    role: str
    permissions: list[str]
    panel: bool
    expires_at: str | None


async def _serialize(service: Service, caller: Caller, until: int | None) -> SessionResponse:
    account = existing(await accounts.find(service.store, caller.account_id), "account")
    member = await accounts.member(service.store, caller.account_id, caller.member_id) if caller.member_id else None
    return {
        "account": {
            "account_id": account["account_id"],
            "name": account["name"],
            "orders_enabled": account["orders_enabled"],
            "owner_privacy": account["owner_privacy"],
            "default_currency": account["default_currency"],
            "default_region": account["default_region"],
            "timezone": account["timezone"],
        },
        "member_id": caller.member_id,
        "member_name": member["name"] if member else None,
        "role": str(caller.role),
        "permissions": [one.name.lower() for one in Permission if caller.may(one)],
        "panel": caller.panel,
        "expires_at": iso(until),
    }


async def sign_in(asked: ApiRequest) -> Response:
    """Open a session for a token."""
    authentication.check_origin(asked.request, asked.service.settings)
    given = await asked.body(SignIn)
    service = asked.service
    bearer = await service.source_cache.bearer(given.token)
    if bearer is None:
        raise Problem("unauthenticated", "this token is unknown or revoked")
    if given.panel is not None:
        await _check_panel(service, given.panel, bearer.account_id)
        if not GRANTS[bearer.role] & PANEL:
            raise Problem("forbidden", f"the panel shows contacts and orders; this token is {bearer.role}")
    until = now() + authentication.LIVES * 1_000_000
    panel = given.panel is not None
    caller = Caller(bearer.account_id, bearer.member_id, bearer.role, panel=panel)
    response = answer(await _serialize(service, caller, until), 201)
    authentication.give(
        response, service.settings, service.vault, Session(bearer.account_id, bearer.token_id, until, panel)
    )
    return response


async def _check_panel(service: Service, named: str, account_id: str) -> None:
    account = await accounts.find(service.store, account_id)
    if account is None or named != account_id:
        raise invalid("token", "belongs to another account than this panel")
    if not account["panel_origins"]:
        raise Problem("conflict", "the account names no pages that may show the panel: PATCH /v1/account panel_origins")


async def show(asked: ApiRequest) -> SessionResponse:
    """Show the caller's account, role and permissions."""
    service = asked.service
    session = None
    if "authorization" not in asked.request.headers and not asked.caller.operator:
        session = authentication.session_of(asked.request, service.settings, service.vault, now())
    return await _serialize(service, asked.caller, session.until if session else None)


async def sign_out(asked: ApiRequest) -> Response:
    """End the session: in this browser, and for whoever else has its cookie."""
    service = asked.service
    authentication.check_origin(asked.request, service.settings)
    for session in authentication.sessions_of(asked.request, service.settings, service.vault, now()):
        await idempotency.begin(service.store, session.account_id, session.ending, "ended")
    response = Response(status_code=204)
    authentication.take_away(response, service.settings)
    return response


ROUTES = [
    route(
        "POST",
        "/v1/session",
        sign_in,
        None,
        anybody=True,
        takes=SignIn,
        gives=SessionResponse,
        status=201,
        fails=("forbidden", "not_found"),
    ),
    route("GET", "/v1/session", show, None, gives=SessionResponse),
    route("DELETE", "/v1/session", sign_out, None, anybody=True, status=204, fails=("forbidden", "busy")),
]
