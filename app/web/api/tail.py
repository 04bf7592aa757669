"""The live log over server-sent events."""

import json
from collections.abc import AsyncGenerator

from starlette.responses import StreamingResponse

from app.base.roles import Permission
from app.db.statements import Row
from app.observability.tail import TailRow, Watcher
from app.store import deliveries
from app.store.deliveries import DeliveryFilter
from app.web.http import serializers
from app.web.http.errors import invalid
from app.web.http.filters import TailFilters, tail_filter
from app.web.http.limits import LIVE_LOGS
from app.web.http.request import ApiRequest, as_json
from app.web.http.routing import Stream, route

HEARTBEAT = 15.0  # seconds; proxies close what is silent for long
PAGE, MOST = 200, 2000  # what came since the last event that a watcher names is caught up with, up to so many


async def tail(asked: ApiRequest) -> StreamingResponse:
    """Stream the log as server-sent events `delivery`, each a row of the list. `Last-Event-ID` catches up."""
    wanted = tail_filter(asked.query(TailFilters))
    last = asked.request.headers.get("last-event-id", "")
    if len(last) > 64 or (last and not last.startswith("dlv_")):
        raise invalid("Last-Event-ID", "is not one that this stream gave")
    watcher = asked.service.tail.watch(asked.account_id, wanted)
    return StreamingResponse(
        _events(asked, watcher, wanted, last),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(asked: ApiRequest, watcher: Watcher, wanted: DeliveryFilter, last: str) -> AsyncGenerator[bytes]:
    service = asked.service
    try:
        yield b": the log as it grows\n\n"
        caught_up: set[str] = set()
        while last and len(caught_up) < MOST:
            rows = await deliveries.newer(service.store, asked.account_id, wanted, than=last, limit=PAGE)
            yield b"".join(_event(row) for row in rows)
            caught_up.update(row["id"] for row in rows)
            if len(rows) < PAGE:
                break
            last = rows[-1]["id"]
        while not watcher.ended:
            lines, missed = await watcher.next(HEARTBEAT)
            events = [_sent(one) for one in lines if one.row["id"] not in caught_up or one.row["attempts"] > 1]
            if missed != 0:
                events.insert(0, f"event: missed\ndata: {json.dumps({'count': missed})}\n\n".encode())
            yield b"".join(events) or b": still here\n\n"
    finally:
        service.tail.leave(watcher)


def _sent(line: TailRow) -> bytes:
    if line.sent is None:
        line.sent = _event(line.row)
    return line.sent


def _event(row: Row) -> bytes:
    return b"id: %s\nevent: delivery\ndata: %s\n\n" % (row["id"].encode(), as_json(serializers.delivery(row)))


EVENTS = Stream(
    "text/event-stream",
    "an event `delivery` for each row of the log, and `missed` with their `count` (null: not known) where a reader is too "
    "slow, or more comes than anybody could read",
)
ROUTES = [route("GET", "/v1/deliveries/tail", tail, Permission.LOG, query=TailFilters, gives=EVENTS, limit=LIVE_LOGS)]
