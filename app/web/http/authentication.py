"""Who asks: a bearer of a token, somebody signed in, or the operator at the Unix socket. No token, no role: refused."""

from dataclasses import dataclass

from starlette.requests import Request

from app.base.clock import now
from app.base.operator import ACCOUNT_HEADER, IN_PROCESS
from app.base.roles import GRANTS, Permission, Role
from app.service import Registry
from app.store import accounts
from app.web.http.cookies import session_of
from app.web.http.errors import Problem

PANEL = frozenset({Permission.READ})  # what a session in another page's frame is for


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks, and as what. `account_id` is empty for an operator who named no account."""

    account_id: str
    member_id: str | None
    role: Role
    operator: bool = False
    panel: bool = False  # a session inside another page's frame: it reads, and nothing else

    def may(self, permission: Permission) -> bool:
        """Whether the role grants this."""
        return permission in GRANTS[self.role] and (not self.panel or permission in PANEL)


def is_operator(request: Request, registry: Registry) -> bool:
    """Whether the request came through the operator's door, which no TCP connection can: its server has no port."""
    server = request.scope.get("server")
    if not server or server[1] is not None:
        return False
    settings = registry.settings
    return server[0] == IN_PROCESS or (settings.on_sqlite and server[0] == str(settings.socket_path))


async def identify(request: Request, registry: Registry) -> Caller:
    """The caller. Raises Problem."""
    if is_operator(request, registry):
        named = request.headers.get(ACCOUNT_HEADER)
        if not named:
            return Caller("", None, Role.ADMIN, operator=True)
        account = await accounts.find(registry.store, named)
        if account is None:
            raise Problem(
                "not_found", f"there is no account {named[:100]!r}; `orders-registry account list` shows them"
            )
        return Caller(account["account_id"], None, Role.ADMIN, operator=True)
    if "authorization" not in request.headers and (signed_in := await _signed_in(request, registry)):
        return signed_in
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(
            "unauthenticated",
            "send `Authorization: Bearer TOKEN`; an admin makes tokens",
            headers={"WWW-Authenticate": "Bearer"},
        )
    bearer = await registry.directory.bearer(token.strip())
    if bearer is None:
        raise Problem("unauthenticated", "this token is unknown or revoked", headers={"WWW-Authenticate": "Bearer"})
    return Caller(bearer.account_id, bearer.member_id, bearer.role)


async def _signed_in(request: Request, registry: Registry) -> Caller | None:
    """Whoever signed in to the console, while the token they did it with counts. Raises Problem."""
    session = session_of(request, registry.settings, registry.vault, now())
    if session is None:
        return None
    bearer = await registry.directory.bearer_of(session.account_id, session.token_id)
    return Caller(bearer.account_id, bearer.member_id, bearer.role, panel=session.panel) if bearer else None
