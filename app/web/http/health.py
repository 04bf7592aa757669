"""`/healthz` and `/readyz`: is the process alive, and can it take deliveries?"""

from app.observability.readiness import WORDS
from app.web.http.errors import Problem
from app.web.http.request import ApiRequest
from app.web.http.routing import route
from app.web.http.schemas.stats import HealthResponse, ReadyResponse


async def healthz(asked: ApiRequest) -> HealthResponse:
    """Say that the process answers."""
    return {"status": "ok"}


async def readyz(asked: ApiRequest) -> ReadyResponse:
    """Say whether a delivery would be committed within five seconds, and what is wrong if not. Answers within two."""
    if faults := await asked.service.readiness.look():
        raise Problem("busy", "; ".join(WORDS[name] for name in faults), headers={"Retry-After": "5"})
    return {"status": "ready", "waiting": asked.service.group_commit.waiting}


ROUTES = [
    route("GET", "/healthz", healthz, None, anybody=True, gives=HealthResponse),
    route("GET", "/readyz", readyz, None, anybody=True, gives=ReadyResponse, fails=("busy",)),
]
