"""A server on its sockets: TCP for the world and, on SQLite, the operator's Unix socket beside the database."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

import uvicorn

from app.cli.door import answers, application
from app.cli.show import Misuse, Refused
from app.lock import Held, Lock
from app.migrate import Newer, migrate
from app.operator import socket_address
from app.settings import BadSettings, Settings
from app.store.database import Unavailable

GRACE = 20  # seconds in which what was accepted is committed and answered when the server ends
BACKLOG = 2048  # connections that the kernel keeps while we are busy


class Server(uvicorn.Server):
    """Says when it listens; ends in good order, with exit code 0, on SIGTERM and SIGINT."""

    def __init__(self, settings: Settings, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application(settings),
                http="httptools",
                ws="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                # A stranger's broken request is answered 400 and is no line in our log.
                log_level="error",
                access_log=False,
                server_header=False,
                # Nothing here believes a header about who asks or which door they came through.
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._ready = ready

    def listen(self, sockets: list[socket.socket], *, watched: int | None = None) -> None:
        """Serves until a signal, `should_exit`, or the end of the pipe `watched`. Raises Refused if it cannot begin."""
        try:
            with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
                runner.run(self._listen(sockets, watched))
        except SystemExit:
            raise Refused("the server could not start; the log says why") from None

    async def _listen(self, sockets: list[socket.socket], watched: int | None) -> None:
        if watched is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(watched, self._alone, watched)
        await self.serve(sockets)

    def _alone(self, watched: int) -> None:
        asyncio.get_running_loop().remove_reader(watched)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and says so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's, which would then raise the signal again and end the process a second time."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


@contextmanager
def prepared(settings: Settings, what: str) -> Iterator[tuple[Settings, list[socket.socket]]]:
    """A migrated database that is ours, and bound sockets; the settings then have the real port.

    Raises Refused, Misuse.
    """
    with ExitStack() as stack:
        if settings.on_sqlite:
            stack.enter_context(_locked(settings, what))
        tcp = stack.enter_context(_bound(settings.host, settings.port))
        settings = settings.model_copy(update={"port": tcp.getsockname()[1]})
        sockets = [tcp]
        try:
            asyncio.run(migrate(settings))
        except (Newer, Unavailable) as why:
            raise Refused(str(why)) from None
        if settings.on_sqlite:
            sockets.append(stack.enter_context(_operators_socket(settings)))
        yield settings, sockets


def server(settings: Settings, ready: Callable[[], None]) -> Server:
    """The server, not begun. Raises Misuse."""
    try:
        return Server(settings, ready)
    except BadSettings as why:
        raise Misuse(str(why)) from None


@contextmanager
def _locked(settings: Settings, what: str) -> Iterator[None]:
    lock = Lock(settings, what)
    try:
        # A server that answers will not let go; a command, or a server that is just ending, will.
        if not lock.wait(unless=lambda: answers(settings)):
            lock.acquire()
    except Held as why:
        raise Refused(str(why)) from None
    except OSError as fault:
        raise Refused(f"{settings.database_path}: {fault.strerror}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A TCP socket that is bound and does not listen yet: until we are ready, who calls is refused."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
            bound.bind(address)
            yield bound
    except (OSError, OverflowError) as fault:
        raise Refused(f"cannot listen on {host} port {port}: {getattr(fault, 'strerror', None) or fault}") from None


@contextmanager
def _operators_socket(settings: Settings) -> Iterator[socket.socket]:
    """The Unix socket, mode 0600 from its first moment. One that is there was left behind: the lock is ours."""
    path = settings.socket_path
    path.unlink(missing_ok=True)
    try:
        with socket_address(path) as address, socket.socket(socket.AF_UNIX) as bound:
            before = os.umask(0o177)
            try:
                bound.bind(address)
            finally:
                os.umask(before)
            yield bound
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def with_workers(settings: Settings, listener: socket.socket, count: int, ready: Callable[[], None]) -> None:
    """Serves with `count` processes that share the socket, so that what waits in its queue outlives any one of them.

    A worker that dies is replaced; when this process dies, however it does, the workers end in good order.
    """
    Workers(settings, listener, count).run(ready)


class Workers:
    """The parent: forks, watches, ends them."""

    def __init__(self, settings: Settings, listener: socket.socket, count: int) -> None:
        self._settings, self._listener, self._count = settings, listener, count
        self._alive = os.pipe()  # nobody writes; its end tells the workers that the parent is gone
        self._begun = os.pipe()  # a byte from each worker that listens
        self._pids: set[int] = set()
        self._ending = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serves until SIGTERM or SIGINT. Raises Refused when the workers cannot begin."""
        import time

        import structlog

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGALRM, self._kill)
        for _ in range(self._count):
            self._fork()
        begun = 0
        while begun < self._count and not self._ending:
            begun += len(os.read(self._begun[0], 1))
            if self._reap(os.WNOHANG):
                self._end(signal.SIGTERM, None)
                self._wait()
                raise Refused("a worker could not start; the log says why")
        if not self._ending:
            ready()
        while self._pids:
            died = self._reap(0)
            if died and not self._ending:
                structlog.get_logger().error("a worker died and is replaced", process=died[0], status=died[1])
                time.sleep(1)
                self._fork()

    def _fork(self) -> None:
        # A signal between the question and the fork would miss the new worker.
        both = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, both)
        try:
            if self._ending:
                return
            pid = os.fork()
            if pid == 0:
                self._work()
            self._pids.add(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, both)

    def _work(self) -> None:
        code = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            os.close(self._alive[1])
            begun = self._begun[1]
            server(self._settings, lambda: (os.write(begun, b"."), None)[1]).listen(
                [self._listener], watched=self._alive[0]
            )
            code = 0
        except (Refused, Misuse) as why:
            print(why, file=__import__("sys").stderr, flush=True)
        finally:
            os._exit(code)

    def _reap(self, options: int) -> tuple[int, int] | None:
        pid, status = os.waitpid(-1, options)
        if pid == 0:
            return None
        self._pids.discard(pid)
        return pid, os.waitstatus_to_exitcode(status)

    def _wait(self) -> None:
        while self._pids:
            self._reap(0)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if not self._ending:
            self._ending = True
            signal.alarm(GRACE + 10)
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
