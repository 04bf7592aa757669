"""uvicorn's HTTP/1.1 protocol with limits on what may come before a request, and on silence."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 1024  # bytes of a request line with its headers; a shop sends one or two thousand
HEAD_WITHIN, REQUEST_WITHIN = 30.0, 90.0  # seconds for these, and for all of a request; a shop takes less than one


class Protocol(HttpToolsProtocol):
    """Handles one connection."""

    _in_head = False
    _head = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Do as uvicorn, but do not wait for a first request for ever."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers: the connection is closed."""
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Do as uvicorn, but do not collect headers without end."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > MOST_HEAD and not self.transport.is_closing():
                self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._in_head, self._head = True, 0
        self._within(HEAD_WITHIN)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the headers are complete.

        Raises ValueError, which is answered 400, where HTTP/1.1 requires another Host (RFC 9112, section 3.2).
        """
        self._in_head = False
        self._within(REQUEST_WITHIN - HEAD_WITHIN)
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise ValueError("a request of HTTP/1.1 names one host")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._within(None)
        super().on_message_complete()

    def _within(self, seconds: float | None) -> None:
        """Close the connection unless what is awaited comes within this many seconds.

        Byte by byte it could take for ever.
        """
        if self._late is not None:
            self._late.cancel()
        self._late = None if seconds is None else self.loop.call_later(seconds, self.transport.close)
