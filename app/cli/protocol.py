"""uvicorn's HTTP/1.1 protocol with limits: on how many connections there are, how slow they are, and what is worth reading."""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from time import monotonic

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.base.log import log
from app.base.tuning import Tuning

# The answer to a request of this URL whose body is not worth reading, as header lines and body; None: read it.
Shed = Callable[[bytes], tuple[bytes, bytes] | None]


def raise_handles(tuning: Tuning) -> int:
    """Raise the soft limit of file handles as far as it helps. Returns how many connections there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most, others = tuning.connection_most, tuning.connection_other_files
    limit = most + others if hard == resource.RLIM_INFINITY else min(most + others, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return most if soft == resource.RLIM_INFINITY else min(most, max(soft - others, soft // 2))


class Connections(ServerState):
    """Holds all connections of a server, ends those that are too slow, and makes room where there are too many."""

    def __init__(self, most: int, shed: Shed, tuning: Tuning) -> None:
        super().__init__()
        self.most, self.shed, self.tuning = most, shed, tuning
        self._slow: list[Protocol] = []  # as of the last look
        self._ended: Counter[str] = Counter()
        self._logged_at = -tuning.log_every

    def sweep(self, *, look: bool = True) -> None:
        """End what is too slow, a few at a time. Called ten times a second, once of them to `look` which those are.

        So no request needs a timer of its own.
        """
        present = monotonic()
        if look:
            everyone = [one for one in self.connections if isinstance(one, Protocol)]
            self._slow = [one for one in everyone if one.too_slow(present) or one.idle(present)]
        few = self.tuning.connection_ended
        ending, self._slow = self._slow[:few], self._slow[few:]
        for one in ending:
            if why := one.too_slow(present):
                self._end(one, why)
            elif one.idle(present):
                one.transport.close()
        if self._ended and present - self._logged_at >= self.tuning.log_every:
            log.warning("connections were ended", **self._ended, open=len(self.connections))
            self._ended.clear()
            self._logged_at = present

    def make_room(self, new: "Protocol") -> bool:
        """End the oldest connections that wait for a request, or for the rest of one. Returns whether there were any."""
        waiting = [one for one in self.connections if isinstance(one, Protocol) and one is not new and one.waits]
        waiting.sort(key=lambda one: one.since)
        for one in waiting[: max(1, self.most // 16)]:
            self._end(one, "no_room")
        if not waiting:
            self._ended["refused"] += 1
        return bool(waiting)

    def _end(self, one: "Protocol", why: str) -> None:
        self._ended[why] += 1
        self.connections.discard(one)
        one.transport.abort()


class Protocol(HttpToolsProtocol):
    """Handles one connection."""

    server_state: Connections
    since = 0.0  # when this began: to wait for a request, for the rest of its head or its body; or to answer
    _in_head = _in_body = _discards = False
    _size = 0  # bytes of the head or the body so far
    _unsent: tuple[float, int] | None = None  # what waits to be sent, as of then

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Do as uvicorn, but not for too many."""
        super().connection_made(transport)
        self.since = monotonic()
        state = self.server_state
        if len(state.connections) > state.most and not state.make_room(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Do as uvicorn, but do not collect headers without end."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:
            self._size += len(data)
            if self._size > self.server_state.tuning.head_most and not self.transport.is_closing():
                self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._in_head, self._size, self.since = True, 0, monotonic()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the headers are complete, and shed the request where its body is not worth reading.

        Raises ValueError, which is answered 400, where HTTP/1.1 requires another Host (RFC 9112, section 3.2).
        """
        self._in_head, self._in_body, self._size = False, True, 0
        names = dict(self.headers)
        if b"host" not in names and self.parser.get_http_version() == "1.1":
            raise ValueError("a request of HTTP/1.1 names its host")
        if len(names) < len(self.headers) and sum(name == b"host" for name, _ in self.headers) > 1:
            raise ValueError("a request names one host")
        if self._answered and (answer := self.server_state.shed(self.url)) is not None:
            self._shed(*answer)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Do as uvicorn, but drop what is not wanted."""
        self._size += len(body)
        if not self._discards:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._in_body = False
        if self._discards:
            self._discards, self.since = False, monotonic()
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that the response is complete."""
        self.since = monotonic()
        super().on_response_complete()

    def _shed(self, head: bytes, body: bytes) -> None:
        """Answer at once. What is left of the request is read and dropped, so that the connection can be used again."""
        self._discards = True
        size = next((value for name, value in self.headers if name == b"content-length"), b"")
        stays = size.isdigit() and len(size) < 9 and int(size) <= self.server_state.tuning.body_discarded
        # Whoever waits for leave to send the body may send the next request instead.
        stays = stays and self.parser.should_keep_alive() and not self.expect_100_continue
        self.transport.write(head + (b"\r\n" if stays else b"connection: close\r\n\r\n") + body)
        if not stays:
            self.transport.close()

    @property
    def waits(self) -> bool:
        """Return whether it waits for a request or the rest of one, so that nobody here works for it."""
        return self._answered or (self._in_body and not self.pipeline)

    @property
    def _answered(self) -> bool:
        return bool(getattr(self.cycle, "response_complete", True))  # there is none before the first request

    def idle(self, present: float) -> bool:
        """Return whether it has waited for a request for too long; blank lines, which may precede one, are none."""
        waits = self._answered and not self._in_head and not self._in_body
        return waits and present - self.since > self.timeout_keep_alive

    def too_slow(self, present: float) -> str | None:
        """Return what is too slow about it: `head`, `body`, or `answer` (whoever asked takes nothing of it)."""
        tuning = self.server_state.tuning
        if self._in_head:
            return "head" if present - self.since > tuning.head_within else None
        if self._in_body:
            if self.flow.read_paused:  # we are slow ourselves
                self.since = present
            waited = present - self.since
            if waited > tuning.body_within or (
                waited > tuning.body_rate[0] and self._size < waited * tuning.body_rate[1]
            ):
                return "body"
        left = self.transport.get_write_buffer_size()
        if not left:
            self._unsent = None
            return None
        if self._unsent is None or self._unsent[1] != left:
            self._unsent = present, left
        return "answer" if present - self._unsent[0] > tuning.answer_taken_within else None
