"""Consoles that are open while the intake is loaded: they look on as the console's own pages do, at as little cost as can be.

Each signs in for a session's cookie, loads what the overview loads, opens the live tail of all deliveries, and loads the
overview again now and then. All of them live in one process, on raw sockets that are read into one buffer twenty times a
second and never parsed: events are counted where their lines stand. It ends when its standard input does, and then prints
what it saw, and what it cost itself, as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from urllib.parse import urlsplit

from bench.load import message_end

LOOK = 0.05  # seconds between two looks at the sockets
ROOM = 4 * 1024 * 1024  # bytes that a socket holds between two looks
OVERVIEW = ("/v1/stats?since=24h", "/v1/sources?limit=200")
EVENT, MISSED = b"\nevent: delivery\n", b'\nevent: missed\ndata: {"count": '


class Console:
    """One browser with two things open: an address it asks for pages, and the stream."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host = f"{host}:{port}"
        self._api = socket.create_connection((host, port), timeout=30)
        signed_in = self._ask("POST", "/v1/session", json.dumps({"token": token}).encode())
        if signed_in[9:12] != b"201":
            raise SystemExit(f"no session: {signed_in[:300].decode(errors='replace')}")
        at = signed_in.lower().index(b"\r\nset-cookie: ") + 14
        self._cookie = signed_in[at : signed_in.index(b";", at)].decode()
        for path in OVERVIEW:
            self._must(self._ask("GET", path))
        self._stream = socket.socket()
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        self._stream.connect((host, port))
        self._stream.sendall(self._request("GET", "/v1/deliveries/tail", b"", ("Accept: text/event-stream",)))
        self._must(self._stream.recv(ROOM))
        self._stream.setblocking(False)
        self._api.setblocking(False)
        self._rest = self._answers = b""
        self._asked = False
        self.events = self.missed = self.bytes = self.overviews = 0

    def _request(self, method: str, path: str, body: bytes = b"", more: tuple[str, ...] = ()) -> bytes:
        cookie = (f"Cookie: {self._cookie}",) if hasattr(self, "_cookie") else ()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", "Orders-Console: 1", "Sec-Fetch-Site: same-origin"]
        if body:
            more = (*more, "Content-Type: application/json", f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, *cookie, *more, "", ""]).encode() + body

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        self._api.sendall(self._request(method, path, body))
        answer = b""
        while message_end(answer) is None:
            answer += (more := self._api.recv(65536))
            if not more:
                raise SystemExit("the server hung up")
        return answer

    def _must(self, answer: bytes) -> None:
        if answer[9:12] != b"200":
            raise SystemExit(f"not answered: {answer[:300].decode(errors='replace')}")

    def load_overview(self) -> None:
        """Asks for the overview, unless the last answer is still outstanding."""
        if not self._asked:
            self._asked = True
            self._api.sendall(b"".join(self._request("GET", path) for path in OVERVIEW))

    def look(self, buffer: bytearray) -> None:
        """Takes what has come."""
        for came in _read(self._stream, buffer):
            self.bytes += len(came)
            data = self._rest + came  # an event's line may stand across two reads
            self.events += data.count(EVENT)
            at = data.find(MISSED)
            while at >= 0 and (end := data.find(b"}", at)) >= 0:
                self.missed += int(data[at + len(MISSED) : end])
                at = data.find(MISSED, end)
            self._rest = data[max(data.rfind(b"\n\n") + 1, 0) :]
        for came in _read(self._api, buffer):
            self._answers += came
        first = message_end(self._answers) if self._asked else None
        if first is not None and message_end(self._answers[first:]) is not None:
            self._must(self._answers)
            self._asked, self._answers = False, b""
            self.overviews += 1

    def close(self) -> None:
        """Closes the browser."""
        self._stream.close()
        self._api.close()


def _read(connection: socket.socket, buffer: bytearray) -> list[bytes]:
    found = []
    try:
        while count := connection.recv_into(buffer):
            found.append(bytes(memoryview(buffer)[:count]))
            if count < len(buffer):
                return found
    except BlockingIOError:
        return found
    raise SystemExit("the server hung up")


def main() -> int:
    """Look on until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.watching", description=__doc__)
    parser.add_argument("--address", required=True, help="where the registry listens, on loopback")
    parser.add_argument("--token", required=True, help="of somebody who may see the log")
    parser.add_argument("--consoles", type=int, required=True, help="how many")
    parser.add_argument("--overview", type=float, default=10.0, help="seconds between two loads of each overview")
    given = parser.parse_args()
    at = urlsplit(given.address)
    consoles = [Console(at.hostname or "", at.port or 80, given.token) for _ in range(given.consoles)]
    print(json.dumps({"watching": len(consoles)}), flush=True)
    buffer = bytearray(1024 * 1024)
    begun, cpu = time.monotonic(), time.process_time()
    # Not all at once: each at its own time.
    due = [begun + given.overview * (number + 1) / max(1, len(consoles)) for number in range(len(consoles))]
    while not select.select([sys.stdin], [], [], LOOK)[0]:
        now = time.monotonic()
        for number, console in enumerate(consoles):
            if now >= due[number]:
                due[number] += given.overview
                console.load_overview()
            console.look(buffer)
    seen = {name: sum(getattr(one, name) for one in consoles) for name in ("events", "missed", "bytes", "overviews")}
    print(json.dumps({**seen, "seconds": time.monotonic() - begun, "cpu": time.process_time() - cpu}), flush=True)
    for console in consoles:
        console.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
