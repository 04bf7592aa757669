"""PostgreSQL behind `databases`: a connection pool of our own, which replaces a connection as soon as it is in doubt.

The backend that comes with `databases` keeps a connection in the task that used it until it could be given back: one
that was cut while in use stayed with its task for ever.
"""

import asyncio
import socket
import time
from typing import Any
from urllib.parse import urlencode

import asyncpg
from databases.backends.postgres import PostgresBackend, PostgresConnection
from databases.core import DatabaseURL

from app.base.tuning import Tuning

# Linux's names; on another system those that it has. Seconds, and milliseconds for the last.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}


class Session(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Extends asyncpg's connection: it notices a dead network, and knows its age."""

    __slots__ = ("opened_at", "used_at")

    def __init__(self, protocol: Any, transport: Any, *more: Any) -> None:
        super().__init__(protocol, transport, *more)
        self.opened_at = self.used_at = time.monotonic()
        line = transport.get_extra_info("socket")
        if line is not None and line.family in (socket.AF_INET, socket.AF_INET6):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE.items():
                if hasattr(socket, name):
                    line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def connect(url: DatabaseURL | str, tuning: Tuning) -> Session:
    """Return a new connection. Raises TimeoutError, ValueError, and what asyncpg and the network raise."""
    url = DatabaseURL(url)
    # asyncpg knows `sslmode`; `ssl` is the word of `databases` and SQLAlchemy.
    options = dict(url.options)
    ssl = options.pop("ssl", None)
    session: Session = await asyncpg.connect(
        str(url.replace(query=urlencode(options))),
        ssl={"true": True, "false": False}.get(ssl.lower(), ssl) if ssl else None,
        timeout=tuning.postgresql_connect,
        command_timeout=tuning.postgresql_command,
        # What the server keeps to, for its own part: a client that is gone holds no lock for longer. In milliseconds.
        # https://www.postgresql.org/docs/current/runtime-config-client.html
        server_settings={
            "application_name": "orders-registry",
            "synchronous_commit": "on",  # a commit is on disk before it is answered, whatever the server's default
            "lock_timeout": str(int(tuning.postgresql_lock * 1000)),
            "statement_timeout": str(int(tuning.postgresql_command * 1000)),
            "idle_in_transaction_session_timeout": "10000",
        },
        connection_class=Session,
    )
    return session


class PostgreSQLBackend(PostgresBackend):
    """Keeps a pool of at most `size` connections."""

    def __init__(self, url: DatabaseURL | str, *, size: int, tuning: Tuning) -> None:
        super().__init__(url)
        self._free: list[Session] = []  # the one used last comes first: the others may age and go
        self._room = asyncio.Semaphore(size)
        self._suspected_at = 0.0  # when one was last in doubt: those that were idle then are asked before they are used
        self._tuning, self._closed = tuning, True

    async def connect(self) -> None:
        """Open a first connection. Raises what asyncpg and the network raise."""
        self._closed = False
        try:
            await self.give_back(await self.take())
        except BaseException:
            self._closed = True
            raise

    async def disconnect(self) -> None:
        """Close every connection; one that is in use is closed when it is given back."""
        self._closed = True
        for session in self._forget_idle():
            try:
                await session.close(timeout=self._tuning.postgresql_connect)
            except Exception:
                session.terminate()

    async def take(self) -> Session:
        """Return a connection that answers. Raises TimeoutError, and what asyncpg and the network raise."""
        async with asyncio.timeout(self._tuning.postgresql_free):
            await self._room.acquire()
        try:
            while self._free:
                session = self._free.pop()
                if await self._answers(session):
                    return session
                session.terminate()
            return await self._open()
        except BaseException:
            self._room.release()
            raise

    async def _answers(self, session: Session) -> bool:
        if session.is_closed():
            return False
        if session.used_at > max(self._suspected_at, time.monotonic() - self._tuning.postgresql_idle):
            return True
        try:
            async with asyncio.timeout(self._tuning.postgresql_connect):
                await session.execute("SELECT 1")
        except BaseException as fault:
            # Where one is silent, so are the others: to ask each of them would take as long again.
            for one in (session, *self._forget_idle()):
                one.terminate()
            if isinstance(fault, Exception):  # whatever it is: the connection is of no use
                return False
            raise
        session.used_at = time.monotonic()
        return True

    async def _open(self) -> Session:
        if self._closed:
            raise asyncpg.InterfaceError("the pool is closed")
        return await connect(self._database_url, self._tuning)

    def _forget_idle(self) -> list[Session]:
        sessions, self._free = self._free, []
        return sessions

    async def give_back(self, session: Session, *, in_doubt: bool = False) -> None:
        """Take a connection back, or discard it. Raises nothing, except when it is cancelled."""
        try:
            session.used_at = time.monotonic()
            if in_doubt:
                self._suspected_at = session.used_at
            if (
                in_doubt
                or self._closed
                or session.is_closed()
                or session.used_at - session.opened_at > self._tuning.postgresql_lifetime
            ):
                session.terminate()
                return
            if session.is_in_transaction():
                async with asyncio.timeout(self._tuning.postgresql_connect):
                    await session.execute("ROLLBACK")
            self._free.append(session)
        except Exception:
            session.terminate()
        except BaseException:
            session.terminate()
            raise
        finally:
            self._room.release()

    def connection(self) -> "PostgreSQLConnection":
        """Return a connection that is taken from the pool when acquired."""
        return PostgreSQLConnection(self)


class PostgreSQLConnection(PostgresConnection):
    """Lends a pooled connection for one use."""

    def __init__(self, pool: PostgreSQLBackend) -> None:
        super().__init__(pool, pool._dialect)
        self._pool = pool
        self._connection: Session | None = None

    async def acquire(self) -> None:
        """Take one from the pool."""
        self._connection = await self._pool.take()

    async def release(self, *, in_doubt: bool = False) -> None:
        """Give it back. Whatever becomes of it there, it is forgotten here."""
        session, self._connection = self._connection, None
        if session is not None:
            await self._pool.give_back(session, in_doubt=in_doubt)
