"""Wraps the webhook route in a span per delivery. Loaded only where traces are exported."""

from collections.abc import MutableMapping
from contextlib import nullcontext
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app.observability.tracing import Tracing


def traced(app: ASGIApp, spans: Tracing) -> ASGIApp:
    """Return the route in a span. The caller's `traceparent` says which trace a delivery belongs to."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        given = [value for name, value in scope["headers"] if name == b"traceparent"]
        around = spans.delivery(given[0].decode("latin-1") if len(given) == 1 else "")
        if around is None:
            return await app(scope, receive, send)
        with around as span:

            async def answer(message: MutableMapping[str, Any]) -> None:
                part = None
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                else:
                    part = spans.part("delivery.answer")
                with part or nullcontext():
                    await send(message)

            return await app(scope, receive, answer)

    return door
