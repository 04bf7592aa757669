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
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.cut_next_commit = False  # after the server has committed, and before its word arrives
        self.cuts = 0

    @property
    def port(self) -> int:
        return int(self._listening.sockets[0].getsockname()[1])

    def silence(self) -> None:
        """Nothing is handed on any more; connections stay open, and new ones are taken."""
        self._flowing.clear()

    def speak(self) -> None:
        """Everything is handed on again, what was said meanwhile too."""
        self._flowing.set()

    def cut(self) -> None:
        """Breaks every connection."""
        for wire in self._wires:
            wire.transport.abort()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def close(self) -> None:
        self.speak()
        self.cut()
        self._listening.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_unix_connection(self._server)
        except OSError:
            writer.transport.abort()
            return
        wires = {writer, to_server}
        self._wires |= wires
        await asyncio.gather(self._hand_on(reader, to_server), self._hand_on(from_server, writer, watched=True))
        self._wires -= wires

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watched: bool = False
    ) -> None:
        try:
            while data := await reader.read(65_536):
                await self._flowing.wait()
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
