"""Is it alive, and can it take deliveries?"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.db.engine import Unavailable
from app.service import Registry
from app.web.http.errors import Problem
from app.web.http.request import answer, open_route
from app.web.http.schemas import HealthShown, ReadyShown


async def healthz(request: Request) -> Response:
    """The process answers."""
    return answer({"status": "ok"})


async def readyz(request: Request) -> Response:
    """The database answers, too."""
    registry: Registry = request.app.state.registry
    try:
        await registry.store.check()
    except Unavailable:
        return Problem("busy", "the database does not answer", headers={"Retry-After": "5"}).response()
    return answer({"status": "ready", "waiting": registry.committer.waiting})


ROUTES: list[Route] = [
    open_route("GET", "/healthz", healthz, gives=HealthShown),
    open_route("GET", "/readyz", readyz, gives=ReadyShown, fails=("busy",)),
]
