"""Metrics for Prometheus: sums for whoever can reach the port; by source only for who may read the log."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.base.roles import Permission
from app.db.engine import Unavailable
from app.service import Registry
from app.web.http.authentication import identify, is_operator
from app.web.http.errors import Problem
from app.web.http.request import Stream, open_route

TEXT = "text/plain; version=1.0.0; charset=utf-8"


async def metrics(request: Request) -> Response:
    """Counts, queues and times in Prometheus' text format; with a token for the log, also by the account's sources."""
    registry: Registry = request.app.state.registry
    if is_operator(request, registry):
        return Response(registry.metrics.text(None, every_source=True), media_type=TEXT)
    account_id = None
    if "authorization" in request.headers:
        try:
            caller = await identify(request, registry)
        except Unavailable:
            raise Problem("busy", "the database does not answer", headers={"Retry-After": "5"}) from None
        if not caller.may(Permission.LOG):
            raise Problem("forbidden", f"“{Permission.LOG}” is not for {caller.role}; without a token there are sums")
        account_id = caller.account_id
    return Response(registry.metrics.text(account_id), media_type=TEXT)


ROUTES: list[Route] = [
    open_route(
        "GET",
        "/metrics",
        metrics,
        gives=Stream("text/plain", "Prometheus' text format"),
        fails=("unauthenticated", "forbidden", "busy"),
    )
]
