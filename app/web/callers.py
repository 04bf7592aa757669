"""Who asks: a bearer of a token, or the operator at the Unix socket. No token, no role: refused."""

from dataclasses import dataclass

from starlette.requests import Request

from app.operator import ACCOUNT_HEADER, IN_PROCESS
from app.registry import Registry
from app.roles import GRANTS, Permission, Role
from app.store import accounts
from app.web.problems import Problem


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks, and as what. `account_id` is empty for an operator who named no account."""

    account_id: str
    member_id: str | None
    role: Role
    operator: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether the role grants this."""
        return permission in GRANTS[self.role]


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
