"""The live tail over server-sent events: the log's rows as they come."""

import json
from collections.abc import AsyncIterator

from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from app.roles import Permission
from app.store import deliveries
from app.store.deliveries import Filter
from app.store.statements import Row
from app.tail import Watcher
from app.web import shapes
from app.web.deliveries import Recorded
from app.web.problems import invalid
from app.web.requests import Asked, Query, Stream, route

HEARTBEAT = 15.0  # seconds; proxies close what is silent for long
PAGE, MOST = 200, 2000  # what came since the last event that a watcher names is caught up with, up to so many


class TailQuery(Query):
    """Which deliveries; as in the list."""

    source_id: str | None = Field(None, max_length=64)
    outcome: Recorded | None = None
    kind: str | None = Field(None, max_length=200)
    external_id: str | None = Field(None, max_length=255)
    q: str | None = Field(None, max_length=200)


async def tail(asked: Asked) -> Response:
    """The log as it grows: server-sent events `delivery`, each a row of the list; `Last-Event-ID` catches up."""
    query = asked.query(TailQuery)
    last = asked.request.headers.get("last-event-id", "")
    if len(last) > 64 or (last and not last.startswith("dlv_")):
        raise invalid("Last-Event-ID", "is not one that this stream gave")
    wanted = Filter(**query.model_dump())
    watcher = asked.registry.tail.watch(asked.account_id, wanted)
    return StreamingResponse(
        _events(asked, watcher, wanted, last),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(asked: Asked, watcher: Watcher, wanted: Filter, last: str) -> AsyncIterator[str]:
    registry = asked.registry
    try:
        yield ": the log as it grows\n\n"
        caught_up: set[str] = set()
        while last and len(caught_up) < MOST:
            rows = await deliveries.newer(registry.store, asked.account_id, wanted, than=last, limit=PAGE)
            for row in rows:
                caught_up.add(row["id"])
                yield _event(row)
            if len(rows) < PAGE:
                break
            last = rows[-1]["id"]
        while not watcher.ended:
            rows, missed = await watcher.next(HEARTBEAT)
            if missed:
                yield f'event: missed\ndata: {{"count": {missed}}}\n\n'
            for row in rows:
                if row["id"] not in caught_up or row["attempts"] > 1:
                    yield _event(row)
            if not rows:
                yield ": still here\n\n"
    finally:
        registry.tail.leave(watcher)


def _event(row: Row) -> str:
    return f"id: {row['id']}\nevent: delivery\ndata: {json.dumps(shapes.delivery(row), ensure_ascii=False)}\n\n"


EVENTS = Stream("text/event-stream", "an event `delivery` for each row of the log, and `missed` for a reader too slow")
ROUTES: list[Route] = [route("GET", "/v1/deliveries/tail", tail, Permission.LOG, query=TailQuery, gives=EVENTS)]
