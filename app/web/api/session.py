"""Signing in to the console: a token becomes a short session in a cookie that no script can read."""

from typing import Annotated, Any

from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

from app.base import clock
from app.base.clock import iso
from app.base.roles import GRANTS, Permission, Role
from app.db.engine import Unavailable
from app.service import Service
from app.store import accounts
from app.web.http import authentication
from app.web.http.authentication import PANEL, Caller, Session
from app.web.http.errors import Problem, invalid, not_found
from app.web.http.request import ApiRequest, Body, answer
from app.web.http.routing import Described, Description, Handler, most_bytes, route


class SignIn(Body):
    """A token and, from the panel, its account."""

    most_bytes = 4 * 1024
    token: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    panel: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


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


async def _serialize(service: Service, caller: Caller, until: int | None) -> dict[str, Any]:
    account = await accounts.find(service.store, caller.account_id)
    if account is None:
        raise not_found("account")
    member = await accounts.member(service.store, caller.account_id, caller.member_id) if caller.member_id else None
    return {
        "account": {
            name: account[name]
            for name in (
                "account_id",
                "name",
                "orders_enabled",
                "owner_privacy",
                "default_currency",
                "default_region",
                "timezone",
            )
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
    given = await asked.body(SignIn)
    service = asked.service
    bearer = await service.source_cache.bearer(given.token)
    if bearer is None:
        raise Problem("unauthenticated", "this token is unknown or revoked")
    if given.panel is not None:
        await _check_panel(service, given.panel, bearer.account_id)
        if not GRANTS[bearer.role] & PANEL:
            raise Problem("forbidden", f"the panel shows contacts and orders; this token is {bearer.role}")
    until = clock.now() + authentication.LIVES * 1_000_000
    panel = given.panel is not None
    caller = Caller(bearer.account_id, bearer.member_id, bearer.role, panel=panel)
    response = answer(await _serialize(service, caller, until), 201)
    session = Session(bearer.account_id, bearer.token_id, until, panel)
    authentication.give(response, service.settings, service.vault, session, framed=panel)
    response.headers["cache-control"] = "no-store"
    return response


async def _check_panel(service: Service, named: str, account_id: str) -> None:
    account = await accounts.find(service.store, account_id)
    if account is None or named != account_id:
        raise invalid("token", "belongs to another account than this panel")
    if not account["panel_origins"]:
        raise Problem("conflict", "the account names no pages that may show the panel: PATCH /v1/account panel_origins")


async def show(asked: ApiRequest) -> Response:
    """Show the caller's account, role and permissions."""
    service = asked.service
    session = None
    if "authorization" not in asked.request.headers and not asked.caller.operator:
        session = authentication.session_of(asked.request, service.settings, service.vault, clock.now())
    response = answer(await _serialize(service, asked.caller, session.until if session else None))
    response.headers["cache-control"] = "no-store"
    return response


async def sign_out(asked: ApiRequest) -> Response:
    """End the session in this browser."""
    response = Response(status_code=204)
    authentication.take_away(response, asked.service.settings)
    return response


def _for_anybody(
    method: str, handler: Handler, *, takes: type[Body] | None, gives: Any, status: int, fails: tuple[str, ...]
) -> Route:
    """Return a route at /v1/session that requires no token: a token is given there, or a session ended."""

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        authentication.check_origin(request, service.settings)
        try:
            return await handler(ApiRequest(request, service, _NOBODY, most_bytes(takes)))
        except Unavailable as why:
            raise Problem("busy", str(why)[:300], headers={"Retry-After": "5"}) from None

    described = Description(handler, None, (), False, False, takes, None, gives, status, anybody=True, fails=fails)
    return Described("/v1/session", endpoint, methods=[method], name=f"{method} /v1/session", description=described)


_NOBODY = Caller("", None, Role.OPS, panel=True)  # may do nothing: of this role a panel leaves nothing

ROUTES: list[Route] = [
    _for_anybody("POST", sign_in, takes=SignIn, gives=SessionResponse, status=201, fails=("forbidden", "not_found")),
    route("GET", "/v1/session", show, None, gives=SessionResponse),
    _for_anybody("DELETE", sign_out, takes=None, gives=None, status=204, fails=("forbidden", "busy")),
]
