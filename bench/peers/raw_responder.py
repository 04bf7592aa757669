"""Answers 200 to everything and looks at nothing: what the load generator itself can do, and so its ceiling."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import cast

import uvloop

from bench.load import message_end

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{"outcome":"nothing"}'


class _Responder(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's transports derive from no asyncio class

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = message_end(self._buffer)
        if end is not None:
            self._buffer = self._buffer[end:]
            self._transport.write(ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Responder, "127.0.0.1", port)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks/nothing"
    print(json.dumps({"url": url, "secret": "nothing"}), flush=True)
    await server.serve_forever()


def main() -> None:
    """Listen and print the line of JSON that the harness waits for."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.raw_responder", description=main.__doc__)
    parser.add_argument("--dir", help="taken for likeness with the others; nothing is stored")
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
