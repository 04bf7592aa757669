"""The webhook URL. Plain ASGI, because it is the route that is called most."""

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.base.outcome import ANSWERS, Outcome
from app.base.spans import Span, span, trace
from app.ingest.receive import WebhookAnswer
from app.service import Service
from app.web.http.errors import REFUSALS

PREFIX = "/webhooks/"

_REFUSED = {
    outcome: msgspec.json.encode(
        {"type": "about:blank", "title": title, "status": ANSWERS[outcome], "code": code, "outcome": str(outcome)}
    )
    for outcome, (code, title) in REFUSALS.items()
}
_NOT_POST = msgspec.json.encode(
    {"type": "about:blank", "title": "Send POST", "status": 405, "code": "method_not_allowed"}
)

Header = tuple[bytes, bytes]
_JSON: Header = (b"content-type", b"application/json")
_PROBLEM: Header = (b"content-type", b"application/problem+json")
_RETRY: Header = (b"retry-after", b"5")
_CLOSE: Header = (b"connection", b"close")
_ALWAYS: tuple[Header, ...] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_WEBHOOKS = PREFIX.encode()
_BUSY_HEAD = b"HTTP/1.1 503 Service Unavailable\r\n" + b"".join(
    b"%s: %s\r\n" % header for header in (_PROBLEM, _RETRY, (b"content-length", b"%d" % len(_REFUSED[Outcome.BUSY])))
)


class Webhooks:
    """Handles POST /webhooks/{source_id}."""

    def __init__(self, service: Service) -> None:
        self._receiver, self._admission = service.receiver, service.admission
        self._most = service.settings.max_body_bytes

    def shed(self, url: bytes) -> tuple[bytes, bytes] | None:
        """Return the answer, as header lines and body, to a delivery that is shed before its body is read."""
        if not self._admission.full or not url.startswith(_WEBHOOKS):
            return None
        self._admission.count_shed()
        return _BUSY_HEAD, _REFUSED[Outcome.BUSY]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        with trace("delivery", headers=scope["headers"]) as whole:
            if scope["method"] != "POST":
                whole.set(status_code=405)
                await _send(send, 405, _NOT_POST, _PROBLEM, (b"allow", b"POST"), _CLOSE)
                return
            source = await self._receiver.admit(scope["path"][len(PREFIX) :])
            if isinstance(source, WebhookAnswer):
                await self._tell(send, whole, source, unread=True)
                return
            whole.set(source_id=source.id, adapter=source.adapter.name)
            headers: list[Header] = scope["headers"]
            try:
                body = await self._body(headers, receive)
            except ClientDisconnect:
                return
            if body is None:
                await self._tell(
                    send, whole, self._receiver.refuse(source, Outcome.OVERSIZED, "oversized"), unread=True
                )
                return
            if self._admission.full:
                self._admission.count_shed()
                await self._tell(send, whole, WebhookAnswer(Outcome.BUSY))
                return
            try:
                await self._admission.enter()
                answer = await self._receiver.receive(source, headers, scope["query_string"], body)
            finally:
                self._admission.leave()
            await self._tell(send, whole, answer)

    async def _body(self, headers: list[Header], receive: Receive) -> bytes | None:
        """Return the exact bytes; None as soon as they are known to be too many. Raises ClientDisconnect."""
        length = dict(headers).get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18 or int(length) > self._most:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunks.append(chunk := message.get("body", b""))
            size += len(chunk)
            if size > self._most:
                return None
            if not message.get("more_body"):
                return b"".join(chunks)

    async def _tell(self, send: Send, whole: Span, answer: WebhookAnswer, *, unread: bool = False) -> None:
        whole.set(
            outcome=answer.outcome,
            delivery_id=answer.delivery_id,
            kind=answer.kind,
            reason=answer.reason,
            status_code=answer.status,
        )
        refused = _REFUSED.get(answer.outcome)
        if refused is None:
            content = {"delivery_id": answer.delivery_id, "outcome": answer.outcome, "orders": answer.orders}
            body = answer.body.encode() if answer.body is not None else msgspec.json.encode(content)
            await _send(send, answer.status, body, _JSON)
            return
        # A body that was not read stands in the way of the next request on this connection.
        more = (*((_RETRY,) if answer.outcome is Outcome.BUSY else ()), *((_CLOSE,) if unread else ()))
        await _send(send, answer.status, refused, _PROBLEM, *more)


async def _send(send: Send, status: int, body: bytes, *headers: Header) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, *_ALWAYS, (b"content-length", str(len(body)).encode())],
        }
    )
    with span("delivery.answer"):
        await send({"type": "http.response.body", "body": body})
