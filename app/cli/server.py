"""The server on its sockets: TCP and, on SQLite, the operator's Unix socket beside the database."""

import asyncio
import faulthandler
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.base.file_lock import AlreadyLocked, FileLock
from app.base.roles import socket_address
from app.base.settings import BadSettings, Settings
from app.cli.client import answers, application
from app.cli.output import CommandFailed, Misuse
from app.cli.protocol import Connections, Protocol, raise_handles
from app.db.engine import Unavailable
from app.db.migrate import Newer, migrate

if TYPE_CHECKING:
    from app.web.application import Application

GRACE = 20  # seconds in which what was accepted is committed and answered when the server ends
# Seconds after a signal at which the process ends, whatever still holds it: a thread within a damaged file, say.
LONGEST_END = GRACE + 12
YOUNG = 10_000  # objects that are made before a collection looks at them
LEAVES_WITHIN = 5.0  # seconds for the interpreter to end after that
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def end_on(handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle each signal that ends a server with this function.

    A hang-up that is ignored on purpose stays ignored: that is how nohup works.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone can listen to signals
        return
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


BACKLOG = 2048  # connections that the kernel keeps while we are busy
# Connections that are accepted in one turn of the event loop. libuv accepts one for each listening handle, and a turn
# under load takes tens of milliseconds: with one handle new connections were let in too late, or never.
ACCEPTED_AT_ONCE = 32


def leave() -> None:
    """End the process, as its last act: neither a signal nor a thread that hangs can change that."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    faulthandler.dump_traceback_later(LEAVES_WITHIN, exit=True)


class Server(uvicorn.Server):
    """Says when it listens. SIGTERM, SIGINT, SIGHUP and SIGQUIT end it cleanly, with exit code 0."""

    def __init__(self, settings: Settings, ready: Callable[[], None], app: "Application | None" = None) -> None:
        self._application = app or application(settings)
        super().__init__(
            uvicorn.Config(
                _through_one_name(self._application, settings),
                http=Protocol,
                ws="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                # A stranger's broken request is answered 400 and is no line in our log.
                log_level="error",
                access_log=False,
                server_header=False,
                # Nothing here believes a header about who asks, or by which way they came.
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._ready = ready
        tuning = self._application.service.tuning
        self.server_state = self._connections = Connections(raise_handles(tuning), self._application.shed, tuning)

    def listen(self, sockets: list[socket.socket], *, watched: int | None = None) -> None:
        """Serve until a signal, `should_exit`, or the end of the pipe `watched`.

        Raises CommandFailed if it cannot start.
        """
        try:
            with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
                runner.run(self._listen(sockets, watched))
        except SystemExit:
            raise CommandFailed("the server could not start; the log says why") from None
        finally:
            faulthandler.cancel_dump_traceback_later()

    async def _listen(self, sockets: list[socket.socket], watched: int | None) -> None:
        if watched is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(watched, self._alone, watched)
        end_on(self.handle_exit)  # uvicorn itself knows two of them
        await self.serve(sockets)

    def _alone(self, watched: int) -> None:
        asyncio.get_running_loop().remove_reader(watched)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Do as uvicorn, and log it."""
        await super().startup(sockets)
        if self.started:
            # What is there now is there for good. Each full collection looked through all of it, and held up every
            # answer for about 50 ms under load.
            gc.collect()
            gc.freeze()
            # Whatever is under way would be looked through every 700 objects: with 1,000 connections, a tenth of the CPU.
            gc.set_threshold(YOUNG)
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Do as uvicorn, and end connections that are too slow."""
        self._connections.sweep(look=counter % 10 == 0)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Do as uvicorn, but first end answers that would go on for ever: uvicorn waits for all of them.

        The process ends within LONGEST_END in any case, then with its stack on standard error.
        """
        faulthandler.dump_traceback_later(LONGEST_END, exit=True)
        self._application.service.tail.end()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Do as uvicorn, but do not raise the signal again, which would end the process a second time."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


def handles(listener: socket.socket) -> list[socket.socket]:
    """Return the listening socket with further handles on it, so that many connections are accepted in one turn."""
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


@contextmanager
def prepared(settings: Settings, what: str) -> Iterator[tuple[Settings, list[socket.socket]]]:
    """Yield the settings with the real port, and bound sockets, once the database is migrated and locked.

    Raises CommandFailed, Misuse.
    """
    with ExitStack() as stack:
        if settings.on_sqlite:
            stack.enter_context(_locked(settings, what))
        tcp = stack.enter_context(_bound(settings.host, settings.port))
        settings = settings.model_copy(update={"port": tcp.getsockname()[1]})
        sockets = [stack.enter_context(one) for one in handles(tcp)]
        try:
            asyncio.run(migrate(settings))
        except (Newer, Unavailable) as why:
            raise CommandFailed(str(why)) from None
        if settings.on_sqlite:
            sockets.append(stack.enter_context(_operators_socket(settings)))
        yield settings, sockets


def server(settings: Settings, ready: Callable[[], None]) -> Server:
    """Return the server, not started. Raises Misuse."""
    try:
        return Server(settings, ready)
    except BadSettings as why:
        raise Misuse(str(why)) from None


def _through_one_name(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return the application. A Unix socket that was bound under a shorter name has its own name in the scope."""
    if not settings.on_sqlite:
        return app
    with socket_address(settings.socket_path) as address:
        if address == str(settings.socket_path):
            return app

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        at = scope.get("server")
        if at and at[1] is None:  # no TCP connection is without a port
            scope["server"] = (str(settings.socket_path), None)
        await app(scope, receive, send)

    return named


@contextmanager
def _locked(settings: Settings, what: str) -> Iterator[None]:
    lock = FileLock(settings, what)
    try:
        # A server that answers will not let go; a command, or a server that is just ending, will.
        if not lock.wait(unless=lambda: answers(settings)):
            lock.acquire()
    except AlreadyLocked as why:
        raise CommandFailed(str(why)) from None
    except OSError as fault:
        raise CommandFailed(f"{settings.database_path}: {fault.strerror}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a TCP socket that is bound but does not listen yet: connections are refused until the server is ready."""
    with ExitStack() as stack:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            bound = stack.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
            bound.bind(address)
        except OSError as fault:
            raise CommandFailed(f"cannot listen on {host} port {port}: {fault.strerror or fault}") from None
        yield bound


@contextmanager
def _operators_socket(settings: Settings) -> Iterator[socket.socket]:
    """Yield the Unix socket, mode 0600 from the start. An existing one was left behind: the lock is ours."""
    path = settings.socket_path
    with ExitStack() as stack:
        try:
            path.unlink(missing_ok=True)
            address = stack.enter_context(socket_address(path))
            bound = stack.enter_context(socket.socket(socket.AF_UNIX))
            before = os.umask(0o177)
            try:
                bound.bind(address)
            finally:
                os.umask(before)
        except OSError as fault:
            raise CommandFailed(f"{path}: {fault.strerror or fault}") from None
        stack.callback(path.unlink, missing_ok=True)
        yield bound
