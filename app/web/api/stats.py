"""Counts of deliveries, alerts, and Prometheus metrics."""

from typing import Any

from pydantic import Field
from starlette.responses import Response

from app.base import clock
from app.base.roles import Permission
from app.db.engine import Unavailable
from app.observability.stats import stats as overview
from app.store import sources
from app.web.http.authentication import identify, is_operator
from app.web.http.errors import Problem, existing, invalid
from app.web.http.filters import Since, period_of
from app.web.http.request import ApiRequest, Query
from app.web.http.routing import Stream, route
from app.web.http.schemas.stats import StatsResponse

LONGEST = 92 * 86400 * 1_000_000  # microseconds
TEXT = "text/plain; version=1.0.0; charset=utf-8"


class StatsQuery(Query):
    """The period, and optionally a source."""

    since: Since = "24h"
    until: Since | None = None
    source_id: str | None = Field(None, max_length=64)


async def stats(asked: ApiRequest) -> dict[str, Any]:
    """Show counts per source, outcome and hour, when each source was last seen, response times, and alerts."""
    query = asked.query(StatsQuery)
    since, until = await period_of(asked, query.since, query.until)
    if until - since > LONGEST:
        raise invalid("since", "is more than 92 days before `until`")
    if query.source_id:
        existing(await sources.find(asked.store, asked.account_id, query.source_id), "source")
    return await overview(
        asked.store,
        asked.account_id,
        since=since,
        until=until,
        present=clock.now(),
        waiting=asked.service.group_commit.waiting,
        source_id=query.source_id,
        webhooks_at=asked.service.settings.webhooks_at,
    )


async def metrics(asked: ApiRequest) -> Response:
    """Return metrics in Prometheus' text format. With a token that may read the log: also per source of its account."""
    request, service = asked.request, asked.service
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


ROUTES = [
    route("GET", "/v1/stats", stats, Permission.LOG, query=StatsQuery, gives=StatsResponse, fails=("not_found",)),
    route(
        "GET",
        "/metrics",
        metrics,
        None,
        anybody=True,
        gives=Stream("text/plain", "Prometheus' text format"),
        fails=("unauthenticated", "forbidden", "busy"),
    ),
]
