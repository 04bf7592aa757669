"""A wire to PostgreSQL that a test can cut, or make silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # the server's word that a transaction is on disk


class Proxy:
    """Hands bytes on between clients on a port of its own and the server's socket."""

    def __init__(self, server: str) -> None:
        self._server = server  # the Unix socket
        self._wires: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._flows = [asyncio.Event()]  # the last is that of new connections
        self.speak()
        self.cut_next_commit = False  # after the server has committed, and before its word arrives
        self.cuts = 0

    @property
    def port(self) -> int:
        return int(self._listening.sockets[0].getsockname()[1])

    def silence(self) -> None:
        """Nothing is handed on any more; connections stay open, and new ones are taken."""
        for flowing in self._flows:
            flowing.clear()

    def speak(self) -> None:
        """Everything is handed on again, what was said meanwhile too."""
        for flowing in self._flows:
            flowing.set()

    def speak_to_new_ones(self) -> None:
        """Connections that are open stay silent."""
        self._flows.append(asyncio.Event())
        self._flows[-1].set()

    def cut(self) -> None:
        """Breaks every connection."""
        for wire in self._wires:
            wire.transport.abort()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._accepted, "127.0.0.1", 0)

    async def close(self) -> None:
        self.speak()
        self.cut()
        self._listening.close()
        await asyncio.gather(*self._connections)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connected(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_unix_connection(self._server)
        except OSError:
            writer.transport.abort()
            return
        wires, flowing = {writer, to_server}, self._flows[-1]
        self._wires |= wires
        await asyncio.gather(
            self._hand_on(reader, to_server, flowing), self._hand_on(from_server, writer, flowing, watched=True)
        )
        self._wires -= wires

    async def _hand_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flowing: asyncio.Event,
        *,
        watched: bool = False,
    ) -> None:
        try:
            while data := await reader.read(65_536):
                await flowing.wait()
                if watched and self.cut_next_commit and COMMITTED in data:
                    self.cut_next_commit, self.cuts = False, self.cuts + 1
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()


@asynccontextmanager
async def proxied(address: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the server at this address, and the address through it."""
    parts = urlsplit(address)
    proxy = Proxy(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432")
    await proxy.open()
    try:
        yield proxy, f"postgresql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}"
    finally:
        await proxy.close()
