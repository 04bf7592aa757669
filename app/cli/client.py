"""The command line's API client, and the only module of app/cli that imports app.web.

While a server runs on SQLite it uses the Unix socket beside the database; else the same application in this process. So
whatever a command can do, the API can do.
"""

import gc
import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.base.roles import ACCOUNT_HEADER, IN_PROCESS, socket_address
from app.cli.output import PROGRAM, CommandFailed, Misuse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from app.base.settings import Settings
    from app.cli.inprocess import InProcessResponse
    from app.web.application import Application


@dataclass(frozen=True, slots=True)
class Link:
    """Is how the API is reached.

    `send` gives the answer to a request. `begin` begins one and gives what waits for its answer. `stream` begins a GET
    and gives its status, and what reads its answer piece by piece. `running`: a server answers, not this process.
    """

    running: bool
    send: Callable[..., "InProcessResponse"]
    begin: Callable[..., Callable[[], "InProcessResponse"]]
    stream: Callable[..., AbstractContextManager[tuple[int, Iterator[bytes]]]]


def application(settings: "Settings", *, background: bool = True) -> "Application":
    """Return the whole application. Raises BadSettings."""
    from app.web.application import create_app

    return create_app(settings, background=background)


def settings_of(*, serves: bool = False, **given: object) -> "Settings":
    """Return the settings from the environment. Raises Misuse, naming every mistake."""
    from app.base.settings import BadSettings, read_settings

    try:
        return read_settings(serves=serves, **given)
    except BadSettings as faults:
        raise Misuse(str(faults)) from None


class ApiClient:
    """Calls the API with the operator's rights.

    It connects with the first call, so that a command may find before that it was called in a wrong way. Then every
    call may raise Misuse and CommandFailed. `what` is the command; without `migrates` an older schema is refused.
    """

    def __init__(self, what: str, *, migrates: bool = True) -> None:
        self._what, self._migrates = what, migrates
        self._stack = ExitStack()

    @cached_property
    def settings(self) -> "Settings":
        """Return the settings."""
        return settings_of()

    @cached_property
    def _link(self) -> Link:
        return self._stack.enter_context(_linked(self._what, self.settings, self._migrates))

    @property
    def running(self) -> bool:
        """Return whether a server answers, rather than this process."""
        return self._link.running

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._stack.close()

    def ask(self, method: str, path: str, *, account: str | None = None, body: Any = None, query: Any = None) -> Any:
        """Return the API's answer. Raises CommandFailed with the problem's words."""
        headers = {ACCOUNT_HEADER: account.encode()} if account else {}
        return _answered(self._link.send(method, path, json=body, params=_given(query), headers=headers))

    def upload(self, path: str, content: bytes, *, account: str, media: str, query: Mapping[str, Any]) -> Any:
        """POST a part of a file. Raises CommandFailed with the problem's words.

        Ctrl-C also waits for it: nothing continues once the command has ended.
        """
        headers = {ACCOUNT_HEADER: account.encode(), "content-type": media}
        answer = self._link.begin("POST", path, content=content, params=_given(query), headers=headers)
        try:
            return _answered(answer())
        except KeyboardInterrupt:
            with suppress(CommandFailed):
                answer()
            raise

    def pieces(self, path: str, *, account: str, query: Mapping[str, Any]) -> Generator[bytes]:
        """Yield a GET's answer as it comes, however large. Raises CommandFailed."""
        from app.cli.inprocess import InProcessResponse

        headers = {ACCOUNT_HEADER: account.encode()}
        with self._link.stream(path, params=_given(query), headers=headers) as (status, content):
            if not InProcessResponse(status, b"").is_success:
                _answered(InProcessResponse(status, b"".join(content)))
            yield from content

    def get(self, path: str, *, account: str | None = None, **query: Any) -> Any:
        """Return the answer of a GET."""
        return self.ask("GET", path, account=account, query=query)

    def post(self, path: str, body: Any = None, *, account: str | None = None) -> Any:
        """Return the answer of a POST."""
        return self.ask("POST", path, account=account, body=body if body is not None else {})

    def pages(self, path: str, *, account: str | None = None, **query: Any) -> Iterator[Any]:
        """Yield a list page by page."""
        cursor = None
        while True:
            page = self.get(path, account=account, limit=200, cursor=cursor, **query)
            yield page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def rows(self, path: str, *, account: str | None = None, **query: Any) -> Iterator[Any]:
        """Yield a list row by row, however long it is."""
        for page in self.pages(path, account=account, **query):
            yield from page["data"]

    def all_of(self, path: str, *, account: str | None = None, **query: Any) -> Any:
        """Return every page of a list as one answer; what else a page says is the last one's."""
        rows: list[Any] = []
        for page in self.pages(path, account=account, **query):
            rows += page["data"]
        return {**page, "data": rows}

    def account(self, named: str | None, where: dict[str, Any] | None = None) -> str:
        """Return the account: the one named, or that of the source in the filter `where`, or the only one.

        The source in `where` is then named by its id. Raises Misuse, CommandFailed.
        """
        if where and where.get("source_id"):
            where["source_id"], named = self.source(where["source_id"], named)
        if named:
            return named
        found = self.get("/operator/accounts")["data"]
        if not found:
            raise CommandFailed(f"there is no account yet. Create one: {PROGRAM} account create NAME --enable")
        if len(found) > 1:
            names = ", ".join(one["name"] for one in found[:20])
            raise Misuse(f"there are several accounts: choose one with --account: {names}")
        only: str = found[0]["account_id"]
        return only

    def source(self, named: str, account: str | None = None) -> tuple[str, str]:
        """Return a source's id and account: named by its id, its name, or its adapter where that is one.

        Raises Misuse when it could be several, CommandFailed.
        """
        if named.startswith("src_"):
            return named, account or self.owner(named)
        accounts = [account] if account else [one["account_id"] for one in self.get("/operator/accounts")["data"]]
        there = [(one, its) for its in accounts for one in self.all_of("/v1/sources", account=its)["data"]]
        for what in ("name", "adapter"):
            found = [(one["id"], its) for one, its in there if one[what] == named]
            if len(found) > 1:
                raise Misuse(f"{named} could be {', '.join(one for one, _ in found[:10])}: name one by its id")
            if found:
                return found[0]
        raise CommandFailed(f"there is no source {named[:100]}. To see them: {PROGRAM} source list")

    def owner(self, thing: str) -> str:
        """Return the account that a source, delivery or token belongs to. Raises CommandFailed."""
        account_id: str = self.get("/operator/owner", id=thing)["account_id"]
        return account_id


def _given(query: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in (query or {}).items() if value is not None} or None


def _answered(response: "InProcessResponse") -> Any:
    """Return the API's answer. Raises CommandFailed with the problem's words."""
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem = response.json()
        detail = problem.get("detail") or problem.get("title")
    except ValueError:
        detail = f"the server answered {response.status}"
    raise CommandFailed(str(detail))


@contextmanager
def locked(what: str, settings: "Settings") -> Iterator[bool]:
    """Hold the database for the command `what`. Yields False where a server has it; PostgreSQL is nobody's alone.

    Raises CommandFailed.
    """
    from app.base.file_lock import AlreadyLocked, FileLock

    if not settings.on_sqlite:
        yield True
        return
    lock = FileLock(settings, what)
    try:
        mine = lock.wait(unless=lambda: answers(settings))
    except AlreadyLocked as why:
        raise CommandFailed(str(why)) from None
    except OSError as fault:
        raise CommandFailed(f"{settings.database_path}: {fault.strerror}") from None
    try:
        yield mine
    finally:
        lock.release()


@contextmanager
def _linked(what: str, settings: "Settings", migrates: bool) -> Iterator[Link]:
    if settings.on_sqlite and not migrates and not settings.database_path.exists():
        raise CommandFailed(f"there is no database at {settings.database_path} yet. {PROGRAM} serve creates it")
    with locked(what, settings) as mine, _in_process(settings, migrates) if mine else _through_socket(settings) as link:
        yield link


def answers(settings: "Settings") -> bool:
    """Return whether a server has this SQLite database open."""
    try:
        with socket_address(settings.socket_path) as address, socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(address)
            return True
    except OSError:
        return False


@contextmanager
def _through_socket(settings: "Settings") -> Iterator[Link]:
    from concurrent.futures import ThreadPoolExecutor

    import httpx

    from app.cli.inprocess import InProcessResponse

    @contextmanager
    def there() -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as fault:
            raise CommandFailed(
                f"the connection to the server was lost: {str(fault) or type(fault).__name__}"
            ) from None

    with (
        socket_address(settings.socket_path) as address,
        httpx.Client(transport=httpx.HTTPTransport(uds=address), base_url="http://registry", timeout=600) as client,
        ThreadPoolExecutor(max_workers=8) as threads,
    ):

        def send(*given: Any, **named: Any) -> InProcessResponse:
            with there():
                response = client.request(*given, **named)
                return InProcessResponse(response.status_code, response.content)

        def begin(*given: Any, **named: Any) -> Callable[[], InProcessResponse]:
            return threads.submit(send, *given, **named).result

        @contextmanager
        def stream(path: str, **named: Any) -> Iterator[tuple[int, Iterator[bytes]]]:
            with there(), client.stream("GET", path, **named) as response:
                yield response.status_code, response.iter_bytes()

        yield Link(True, send, begin, stream)


@contextmanager
def _in_process(settings: "Settings", migrates: bool) -> Iterator[Link]:
    import asyncio

    from app.base.settings import BadSettings
    from app.cli.inprocess import InProcessClient, InProcessResponse
    from app.db.engine import Unavailable
    from app.db.migrate import Newer, migrate, standing

    with ExitStack() as loading, asyncio.Runner() as runner:
        gc.disable()  # what is loaded stays: to look through it again and again is a tenth of the start
        loading.callback(gc.enable)
        try:
            if migrates:
                runner.run(migrate(settings))
            else:
                at, needed = runner.run(standing(settings))
                if at != needed:
                    raise CommandFailed(
                        f"the database is at revision {at}, but this version needs {needed}. Run: {PROGRAM} migrate"
                    )
            app = application(settings, background=False)  # a command answers, and does no work that it did not begin
        except (Newer, Unavailable) as why:
            raise CommandFailed(str(why)) from None
        except BadSettings as why:
            raise Misuse(str(why)) from None

        async def as_operator(scope: "Scope", receive: "Receive", send: "Send") -> None:
            await app({**scope, "server": (IN_PROCESS, None)}, receive, send)

        client = InProcessClient(as_operator)

        def begin(*given: Any, **named: Any) -> Callable[[], InProcessResponse]:
            task = runner.get_loop().create_task(client.ask(*given, **named))

            async def answer() -> InProcessResponse:
                return await asyncio.shield(task)  # Ctrl-C ends the waiting, never what the database is doing

            return lambda: runner.run(answer())

        @contextmanager
        def stream(path: str, **named: Any) -> Iterator[tuple[int, Iterator[bytes]]]:
            asked = client.asked("GET", path, **named)
            status, content = runner.run(asked.__aenter__())

            async def piece() -> bytes:
                return await anext(content, b"")

            try:
                yield status, iter(lambda: runner.run(piece()), b"")
            finally:
                runner.run(asked.__aexit__(None, None, None))

        try:
            runner.run(app.service.open())
        except Exception as fault:  # whatever it is: whoever waits for an answer must get one
            raise CommandFailed(f"the registry could not start: {type(fault).__name__}: {fault}") from None
        gc.freeze()
        loading.close()
        try:
            yield Link(False, lambda *given, **named: runner.run(client.ask(*given, **named)), begin, stream)
        finally:
            runner.run(app.service.close())
