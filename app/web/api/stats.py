"""Counts over HTTP: what came, how it ended, what is wrong."""

from pydantic import Field
from starlette.responses import Response
from starlette.routing import Route

from app.base import clock
from app.base.roles import Permission
from app.observability import alerts
from app.store import sources
from app.web.api.orders import Since, moment_of
from app.web.http.errors import invalid, not_found
from app.web.http.request import Asked, Query, answer, route
from app.web.http.schemas import StatsShown

LONGEST = 92 * 86400 * 1_000_000  # microseconds


class StatsQuery(Query):
    """The time that is looked at, and a source."""

    since: Since = "24h"
    until: Since | None = None
    source_id: str | None = Field(None, max_length=64)


async def stats(asked: Asked) -> Response:
    """Counts per source, outcome and hour; last seen; how long acknowledging took; what somebody has to look at."""
    query = asked.query(StatsQuery)
    present = clock.now()
    since = moment_of(query.since) or 0
    until = moment_of(query.until) or present
    if since >= until:
        raise invalid("since", "is not before `until`")
    if until - since > LONGEST:
        raise invalid("since", "is more than 92 days before `until`")
    registry = asked.registry
    if query.source_id and await sources.find(registry.store, asked.account_id, query.source_id) is None:
        raise not_found("source")
    return answer(
        await alerts.stats(
            registry.store,
            asked.account_id,
            since=since,
            until=until,
            present=present,
            waiting=registry.committer.waiting,
            source_id=query.source_id,
            webhooks_at=registry.settings.webhooks_at,
        )
    )


ROUTES: list[Route] = [
    route("GET", "/v1/stats", stats, Permission.LOG, query=StatsQuery, gives=StatsShown, fails=("not_found",)),
]
