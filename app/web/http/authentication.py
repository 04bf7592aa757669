"""Authentication: a bearer token, a console session, or the operator's Unix socket. No token and no role: refused."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from app.base.clock import now
from app.base.roles import ACCOUNT_HEADER, GRANTS, IN_PROCESS, Permission, Role
from app.base.settings import Settings
from app.base.vault import Sealed, Vault
from app.service import Service
from app.store import accounts, idempotency
from app.web.http.errors import Problem

PANEL = frozenset({Permission.READ})  # what a session in another page's frame is for


@dataclass(frozen=True, slots=True)
class Caller:
    """Holds who is calling, and with which role. `account_id` is empty for an operator who named no account."""

    account_id: str
    member_id: str | None
    role: Role
    operator: bool = False
    panel: bool = False  # a session inside another page's frame: it reads, and nothing else
    token_id: str | None = None  # the token, also of a session; None for the operator

    def may(self, permission: Permission) -> bool:
        """Return whether the role has this permission."""
        return permission in GRANTS[self.role] and (not self.panel or permission in PANEL)


def is_operator(request: Request, service: Service) -> bool:
    """Return whether the request came through the operator's Unix socket: its server has no port, unlike TCP."""
    server = request.scope.get("server")
    if not server or server[1] is not None:
        return False
    settings = service.settings
    return server[0] == IN_PROCESS or (settings.on_sqlite and server[0] == str(settings.socket_path))


async def identify(request: Request, service: Service) -> Caller:
    """Return the caller. Raises Problem."""
    if is_operator(request, service):
        named = request.headers.get(ACCOUNT_HEADER)
        if not named:
            return Caller("", None, Role.ADMIN, operator=True)
        account = await accounts.find(service.store, named)
        if account is None:
            raise Problem(
                "not_found", f"there is no account {named[:100]!r}; `orders-registry account list` shows them"
            )
        return Caller(account["account_id"], None, Role.ADMIN, operator=True)
    if "authorization" not in request.headers and (signed_in := await _signed_in(request, service)):
        return signed_in
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(
            "unauthenticated",
            "send `Authorization: Bearer TOKEN`; an admin makes tokens",
            headers={"WWW-Authenticate": "Bearer"},
        )
    bearer = await service.source_cache.bearer(token.strip())
    if bearer is None:
        raise Problem("unauthenticated", "this token is unknown or revoked", headers={"WWW-Authenticate": "Bearer"})
    return Caller(bearer.account_id, bearer.member_id, bearer.role, token_id=bearer.token_id)


async def _signed_in(request: Request, service: Service) -> Caller | None:
    """Return the caller of a console session while its token is valid, else None. Raises Problem."""
    session = session_of(request, service.settings, service.vault, now())
    if session is None or await idempotency.is_used(service.store, session.account_id, session.ending):
        return None
    bearer = await service.source_cache.bearer_of(session.account_id, session.token_id)
    if bearer is None:
        return None
    return Caller(bearer.account_id, bearer.member_id, bearer.role, panel=session.panel, token_id=bearer.token_id)


LIVES = 8 * 3600  # seconds; nobody stays signed in overnight
HEADER = (
    "orders-console"  # a page of another origin cannot send it without being asked for leave, and nobody gives leave
)
_CONSOLE, _PANEL = "orders_session", "orders_panel"
_SEALED_FOR = "console session"  # what else the vault has sealed is no session
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST = 2000  # of a cookie that we have made


@dataclass(frozen=True, slots=True)
class Session:
    """Holds who signed in: the token's id, never the token. `until` is microseconds since 1970.

    A `panel` session was opened inside another page's frame, and may only read.
    """

    account_id: str
    token_id: str
    until: int
    panel: bool
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def ending(self) -> str:
        """Return the key that is used up when the session ends, among the account's idempotency keys: a day is longer than it lives."""
        return f"session {self.id}"


def give(response: Response, settings: Settings, vault: Vault, session: Session) -> None:
    """Set the session's cookie."""
    said = [_SEALED_FOR, session.account_id, session.token_id, session.until, session.panel, session.id]
    _set(response, settings, panel=session.panel, value=vault.seal(json.dumps(said)), lives=LIVES)


def take_away(response: Response, settings: Settings) -> None:
    """End the session in this browser."""
    for panel in (False, True):
        _set(response, settings, panel=panel, value="", lives=0)


def session_of(request: Request, settings: Settings, vault: Vault, present: int) -> Session | None:
    """Return the session of the request's cookie, or None. Raises Problem if another site may have sent the request."""
    return next(sessions_of(request, settings, vault, present), None)


def sessions_of(request: Request, settings: Settings, vault: Vault, present: int) -> Iterator[Session]:
    """Yield the sessions of the request's cookies: the console's and the panel's. Raises Problem as `session_of` does."""
    for panel in (False, True):
        value = request.cookies.get(_name(settings, panel=panel))
        session = _opened(vault, value) if value and len(value) <= _LONGEST else None
        if session is not None and session.panel == panel and session.until > present:
            check_origin(request, settings)
            yield session


def check_origin(request: Request, settings: Settings) -> None:
    """Raise Problem unless one of our own pages sent the request.

    Browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`), and let no page of another origin send a
    custom header without asking. A request that changes something must pass both checks.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise Problem("forbidden", "a session counts for the console's own pages alone; other programs send a token")
    if request.method in _SAFE:
        return
    if HEADER not in request.headers or site == "none":
        raise Problem("forbidden", "with a session, a change needs the header `Orders-Console: 1`, from our own page")
    origin = request.headers.get("origin")
    public = urlsplit(settings.webhooks_at)
    ours = {f"{public.scheme}://{public.netloc}", f"http://{request.headers.get('host', '')}"}
    if site is None and origin is not None and origin not in ours:
        raise Problem("forbidden", "a session counts for the console's own pages alone; other programs send a token")


def is_https(settings: Settings) -> bool:
    """Return whether people reach this service by HTTPS."""
    return settings.webhooks_at.startswith("https://")


def _name(settings: Settings, *, panel: bool) -> str:
    # `__Host-` makes the browser refuse one that a neighbouring domain, or plain http, has set.
    return ("__Host-" if is_https(settings) else "") + (_PANEL if panel else _CONSOLE)


def _set(response: Response, settings: Settings, *, panel: bool, value: str, lives: int) -> None:
    # The panel's frame is in a page of another site: there only SameSite=None is sent at all; Partitioned keeps it to that
    # one site's frames.
    site = "SameSite=None; Partitioned" if panel and is_https(settings) else "SameSite=Strict"
    secure = "; Secure" if is_https(settings) else ""
    response.headers.append(
        "set-cookie",
        f"{_name(settings, panel=panel)}={value}; Path=/; Max-Age={lives}; HttpOnly; {site}{secure}",
    )


def _opened(vault: Vault, value: str) -> Session | None:
    try:
        said = json.loads(vault.open(value))
    except (Sealed, ValueError):
        return None
    if not isinstance(said, list) or len(said) != 6 or said[0] != _SEALED_FOR:
        return None
    return Session(*said[1:])
