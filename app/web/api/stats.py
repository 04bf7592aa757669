"""Counts of deliveries, alerts, and Prometheus metrics."""

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.base import clock
from app.base.roles import Permission
from app.db.engine import Unavailable
from app.observability.stats import stats as overview
from app.service import Service
from app.store import sources
from app.web.http.authentication import identify, is_operator
from app.web.http.errors import Problem, invalid, not_found
from app.web.http.filters import Since, moment_of
from app.web.http.request import ApiRequest, Query, answer
from app.web.http.routing import Stream, open_route, route
from app.web.http.schemas.stats import StatsResponse

LONGEST = 92 * 86400 * 1_000_000  # microseconds


class StatsQuery(Query):
    """The period, and optionally a source."""

    since: Since = "24h"
    until: Since | None = None
    source_id: str | None = Field(None, max_length=64)


async def stats(asked: ApiRequest) -> Response:
    """Show counts per source, outcome and hour, when each source was last seen, response times, and alerts."""
    query = asked.query(StatsQuery)
    present = clock.now()
    since = await moment_of(asked, query.since) or 0
    until = await moment_of(asked, query.until) or present
    if since >= until:
        raise invalid("since", "is not before `until`")
    if until - since > LONGEST:
        raise invalid("since", "is more than 92 days before `until`")
    service = asked.service
    if query.source_id and await sources.find(service.store, asked.account_id, query.source_id) is None:
        raise not_found("source")
    return answer(
        await overview(
            service.store,
            asked.account_id,
            since=since,
            until=until,
            present=present,
            waiting=service.group_commit.waiting,
            source_id=query.source_id,
            webhooks_at=service.settings.webhooks_at,
        )
    )


ROUTES: list[Route] = [
    route("GET", "/v1/stats", stats, Permission.LOG, query=StatsQuery, gives=StatsResponse, fails=("not_found",)),
]


TEXT = "text/plain; version=1.0.0; charset=utf-8"


async def metrics(request: Request) -> Response:
    """Return metrics in Prometheus' text format. With a token that may read the log: also per source of its account."""
    service: Service = request.app.state.service
    if is_operator(request, service):
        return Response(service.metrics.text(None, every_source=True), media_type=TEXT)
    account_id = None
    if "authorization" in request.headers:
        try:
            caller = await identify(request, service)
        except Unavailable:
            raise Problem("busy", "the database does not answer", headers={"Retry-After": "5"}) from None
        if not caller.may(Permission.LOG):
            raise Problem("forbidden", f"“{Permission.LOG}” is not for {caller.role}; without a token there are sums")
        account_id = caller.account_id
    return Response(service.metrics.text(account_id), media_type=TEXT)


ROUTES += [
    open_route(
        "GET",
        "/metrics",
        metrics,
        gives=Stream("text/plain", "Prometheus' text format"),
        fails=("unauthenticated", "forbidden", "busy"),
    )
]
