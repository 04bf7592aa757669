"""`/healthz` and `/readyz`: is the process alive, and can it take deliveries?"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.observability.readiness import WORDS
from app.service import Service
from app.web.http.errors import Problem
from app.web.http.request import answer, open_route
from app.web.http.schemas import HealthResponse, ReadyResponse


async def healthz(request: Request) -> Response:
    """Say that the process answers."""
    return answer({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Say whether a delivery would be committed within five seconds, and what is wrong if not. Answers within two."""
    service: Service = request.app.state.service
    if faults := await service.readiness.look():
        return Problem("busy", "; ".join(WORDS[name] for name in faults), headers={"Retry-After": "5"}).response()
    return answer({"status": "ready", "waiting": service.group_commit.waiting})


ROUTES: list[Route] = [
    open_route("GET", "/healthz", healthz, gives=HealthResponse),
    open_route("GET", "/readyz", readyz, gives=ReadyResponse, fails=("busy",)),
]
