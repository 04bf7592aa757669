"""What the trials share: a server as a real process, a PostgreSQL of their own, load with a ledger of answers, invariants.

Everything listens on 127.0.0.1, and only processes that were started here are signalled.
"""

import asyncio
import base64
import functools
import hmac
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PROGRAM = [sys.executable, "-m", "tests.torture.program"]
KEY, OTHER_KEY = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"k", b"n"))
PAYMENTS_SECRET = "a-secret-of-the-payments-1"
EPOCH = int(time.time()) - 200 * 86_400  # order n is of n seconds later: a time that is to come would count as none
AT = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
SHELL_NAMES = ("orders.db", "orders.db-wal", "orders.db-shm")
GONE = (OSError, EOFError, TimeoutError, ValueError, IndexError)  # no whole answer came

RECOVERS = 5.0  # seconds until deliveries are taken again after a fault has gone
READY = 2.0  # seconds for an answer of /readyz


# -- a trial -----------------------------------------------------------------------------------------------------------
@dataclass
class Trial:
    """One run of a scenario on one engine: its random numbers, its folder, and what it found."""

    engine: str
    seed: int
    folder: Path
    kills: int
    cuts: int
    patience: float
    postgresql: "Postgres | None" = None
    broken: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    servers: list["Server"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def must(self, holds: object, what: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.broken.append(what)

    def server(self, name: str = "server", *, url: str | None = None, **more: Any) -> "Server":
        """Return a server that is not started, with an empty database unless there is a `url`."""
        if url is None and self.engine == "postgresql":
            url = self.database.fresh()
        made = Server(self.folder / name, url, self.postgresql, **more)
        self.servers.append(made)
        return made

    @property
    def database(self) -> "Postgres":
        """The PostgreSQL of the run."""
        assert self.postgresql is not None
        return self.postgresql

    async def recovers(self, load: "Load", since: float) -> None:
        """Wait until a delivery that was sent after this time is taken, and note how long it took."""
        limit = RECOVERS * self.patience
        while time.monotonic() < since + limit and not load.taken_after(since):
            await asyncio.sleep(0.02)
        after = load.taken_after(since)
        self.must(after is not None, f"no delivery taken within {limit:.0f} s after the fault")
        if after is not None:
            self.figures["recovered_s"] = max(self.figures.get("recovered_s", 0.0), round(after - since, 2))

    async def becomes(self, server: "Server", status: int, within: float = RECOVERS) -> None:
        """Wait until /readyz answers this."""
        until = time.monotonic() + within * self.patience
        while (found := await ready(server)) != status:
            if time.monotonic() > until:
                self.must(False, f"/readyz is {found}, not {status}")
                return
            await asyncio.sleep(0.1)

    def invariants(
        self, rows: "Rows", acknowledged: Iterable[str], outcomes: set[str] | None = None, when: str = ""
    ) -> None:
        """Check the database against the ledger."""
        self.broken += [when + one for one in wrong(rows, acknowledged, outcomes)]


# -- what must hold in a database --------------------------------------------------------------------------------------
Rows = Callable[[str], list[dict[str, Any]]]

FAULTS = {
    "a delivery twice": "SELECT source_id, dedupe_key FROM deliveries GROUP BY source_id, dedupe_key HAVING count(*) > 1",
    "an order twice": "SELECT scope, external_id FROM orders GROUP BY scope, external_id HAVING count(*) > 1",
    "an order without history": "SELECT id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.order_id = o.id)",
    "history without an order": "SELECT order_id FROM history h WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = h.order_id)",
    "history of another contact": "SELECT h.order_id FROM history h JOIN orders o ON o.account_id = h.account_id AND o.id = h.order_id "
    "WHERE coalesce(o.contact_id, '') <> coalesce(h.contact_id, '')",
    "an order of no contact": "SELECT o.id FROM orders o LEFT JOIN contacts c ON c.account_id = o.account_id AND c.id = o.contact_id "
    "WHERE o.contact_id IS NOT NULL AND c.id IS NULL",
    "a body without its delivery": "SELECT b.delivery_id FROM bodies b LEFT JOIN deliveries d ON d.account_id = b.account_id "
    "AND d.id = b.delivery_id WHERE d.id IS NULL",
    "an identity twice": "SELECT account_id, kind, value FROM identities GROUP BY account_id, kind, value HAVING count(*) > 1",
}
UNLOGGED = ("duplicate", "unverified", "disabled", "oversized")  # these are only counted


def wrong(rows: Rows, acknowledged: Iterable[str], outcomes: set[str] | None = None) -> list[str]:
    """Return what is wrong in the database. `acknowledged` are ids of deliveries; `outcomes` all that may be in the log."""
    found = []
    log = rows("SELECT id, source_id, outcome FROM deliveries")
    if lost := set(acknowledged) - {row["id"] for row in log}:
        found.append(f"{len(lost)} acknowledged deliveries lost")
    for name, sql in FAULTS.items():
        if bad := rows(sql):
            found.append(f"{len(bad)} times {name}: {bad[:2]}")
    if outcomes and (odd := Counter(row["outcome"] for row in log if row["outcome"] not in outcomes)):
        found.append(f"outcomes {dict(odd)}")
    logged = Counter((row["source_id"], row["outcome"]) for row in log)
    counted = {
        (row["source_id"], row["outcome"]): int(row["n"])
        for row in rows("SELECT source_id, outcome, sum(count) AS n FROM tallies GROUP BY source_id, outcome")
        if row["outcome"] not in UNLOGGED
    }
    if differ := {
        key[1]: (counted.get(key, 0), logged[key]) for key in {*logged, *counted} if counted.get(key, 0) != logged[key]
    }:
        found.append(f"counts differ from the log (counted, logged): {differ}")
    return found


def rows_of_file(file: Path, *, alone: bool = False) -> Rows:
    """Read a SQLite file, after an integrity check. `alone`: nothing has it open, so that a WAL may be recovered."""

    def rows(sql: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{file}?mode={'rw' if alone else 'ro'}", uri=True, timeout=30)) as open_:
            open_.row_factory = sqlite3.Row
            return [dict(row) for row in open_.execute(sql)]

    said = rows("PRAGMA integrity_check")[0]["integrity_check"]
    if said != "ok":
        raise sqlite3.DatabaseError(f"integrity: {said[:80]}")
    return rows


# -- a PostgreSQL of our own -------------------------------------------------------------------------------------------
def postgresql_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs (PGBIN, or Debian's newest); None where there is none."""
    named = os.environ.get("PGBIN")
    folders = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def libfaketime() -> Path | None:
    """Return the library that lies about the clock; None where it is not installed."""
    return next(Path("/usr").glob("lib*/**/faketime/libfaketime.so.1"), None)


class Postgres:
    """A server on a free port; started as root it runs as Debian's user postgres."""

    def __init__(self, folder: Path) -> None:
        programs = postgresql_programs()
        assert programs is not None
        self.programs, self.folder, self.port = programs, folder / "postgresql", free_port()
        self.log = folder / "postgresql.log"
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder.mkdir()
        if self._user:
            shutil.chown(self.folder, "postgres", "postgres")
        how = ("-A", "trust", "-U", "orders", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
        self._run("initdb", "-D", str(self.folder), *how, check=True)
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *words: str, check: bool = False) -> "subprocess.CompletedProcess[str]":
        command = [*self._user, str(self.programs / program), *words]
        return subprocess.run(command, check=check, capture_output=True, text=True, cwd="/")

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": "60",
        }
        words = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*self._user, str(self.programs / "postgres"), "-D", str(self.folder), "-p", str(self.port), *words]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, cwd="/")
        for _ in range(600):
            if self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port)).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL does not start: " + self.log.read_text()[-500:])

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.folder), "stop", "-m", how, "-w")
        if self.process:
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        os.kill(int((self.folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        assert self.process is not None
        self.process.wait(60)
        self.process = None
        time.sleep(0.5)

    def url(self, name: str = "orders", port: int | None = None) -> str:
        return f"postgresql://orders@127.0.0.1:{port or self.port}/{name}"

    def psql(self, name: str = "orders") -> list[str]:
        """Return the command of a client; -c and its statements follow."""
        return [str(self.programs / "psql"), "-AtqX", "-v", "ON_ERROR_STOP=1", "-d", self.url(name)]

    def sql(self, *statements: str, name: str = "orders") -> str:
        words = [part for one in statements for part in ("-c", one)]
        done = subprocess.run([*self.psql(name), *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def rows(self, sql: str, name: str = "orders") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.sql(f"SELECT coalesce(json_agg(t), '[]') FROM ({sql}) t", name=name)
        )
        return found

    def fresh(self, name: str = "orders") -> str:
        """Return the address of a new, empty database."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}", name="postgres")
        return self.url(name)


# -- the product -------------------------------------------------------------------------------------------------------
def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """`orders-registry serve` in processes of its own, and a client of its API."""

    def __init__(
        self, folder: Path, url: str | None = None, postgresql: Postgres | None = None, workers: int = 1, **env: str
    ) -> None:
        self.folder, self.workers, self.port = folder, workers, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.log = folder / "orders.db", folder.with_suffix(".log")
        self._postgresql = postgresql if url else None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERS_", "OTEL_"))}
        self.env = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "ORDERS_DATABASE_URL": url or f"sqlite:///{self.file}",
            "ORDERS_PORT": str(self.port),
            "ORDERS_HOST": "127.0.0.1",
            "ORDERS_LOG_FORMAT": "json",
            "ORDERS_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "ORDERS_PRIVATE_RECEIVERS": "127.0.0.0/8",
            "ORDERS_MASTER_KEY": KEY,
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.token = self.account = ""

    def cli(self, *words: object, check: bool = True, **env: str) -> "subprocess.CompletedProcess[str]":
        command = [*PROGRAM, *map(str, words)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env | env, capture_output=True, text=True, check=False, timeout=120
        )
        if check and done.returncode:
            raise RuntimeError(f"{words}: {done.returncode}: {done.stderr[-500:]}{done.stdout[-300:]}")
        return done

    def start(self, *, wrap: tuple[str, ...] = (), **env: str) -> "Server":
        """Start it; back when it is ready."""
        words = [*wrap, *PROGRAM, "serve", *(["--workers", str(self.workers)] if self.workers > 1 else [])]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                words, cwd=self.folder, env=self.env | env, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if self.get("/readyz", timeout=5)[0] == 200:
                    return self
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                raise RuntimeError("serve ended: " + self.said()[-1000:])
            time.sleep(0.05)
        raise RuntimeError("serve is not ready: " + self.said()[-1000:])

    def prepare(self, **env: str) -> "Server":
        """Make an account, and start."""
        made = json.loads(self.cli("account", "create", "acme", "--enable", "--json").stdout)
        self.account, self.token = made["account_id"], made["admin_token"]
        return self.start(**env)

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)

    def stop(self, sign: int = signal.SIGTERM, within: float = 60) -> int | None:
        """Send the signal; return the exit code, or None if it still runs after so many seconds."""
        assert self.process is not None
        self.process.send_signal(sign)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            return None

    @property
    def workers_running(self) -> list[int]:
        assert self.process is not None
        return [
            int(word) for word in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        if self._postgresql:
            return self._postgresql.rows(sql)
        return rows_of_file(self.file)(sql)

    def http(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def get(self, path: str, timeout: float = 60) -> tuple[int, bytes]:
        return self.http("GET", path, timeout=timeout)

    @property
    def authorized(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json"}

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Return the API's answer. Raises RuntimeError when it is not 2xx."""
        status, raw = self.http(method, path, None if body is None else json.dumps(body).encode(), self.authorized)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {raw[:300]!r}")
        return json.loads(raw or b"null")

    def all(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.api("GET", f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
            found += page["data"]
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def source(self, adapter: str = "standard", **fields: Any) -> "Source":
        made = self.api("POST", "/v1/sources", {"adapter": adapter, **fields})
        return Source(made["id"], fields.get("secret") or made["secret"])

    def payments(self) -> "Source":
        """A thin source: its notices are read from the API that TORTURE_API names."""
        return self.source("mercadopago", secret=PAYMENTS_SECRET, key="APP_USR-1")


async def do(function: Callable[..., Any], *words: Any, **named: Any) -> Any:
    """Run what blocks beside the loop."""
    return await asyncio.to_thread(functools.partial(function, *words, **named))


async def ready(server: Server) -> int | str:
    """Return what /readyz answers, or the name of the error."""
    try:
        return int((await do(server.get, "/readyz", timeout=30))[0])
    except (OSError, http.client.HTTPException) as why:
        return type(why).__name__


# -- senders -----------------------------------------------------------------------------------------------------------
@dataclass
class Source:
    """A source, and deliveries as its shop sends them."""

    id: str
    secret: str

    def headers(self, body: bytes, name: str, at: float | None = None) -> dict[str, str]:
        """Sign as Standard Webhooks 1.0 says."""
        stamp = str(int(time.time() if at is None else at))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")).decode()
        return {
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{mac}",
            "content-type": "application/json",
        }

    async def send(
        self, line: "Line", body: bytes, name: str, at: float | None = None, timeout: float = 60
    ) -> tuple[int, Any]:
        """Return the status and the answer; (0, the error's name) when none came."""
        try:
            status, raw = await line.ask(
                "POST", f"/webhooks/{self.id}", body, self.headers(body, name, at), timeout=timeout
            )
            return status, json.loads(raw)
        except GONE as why:
            return 0, type(why).__name__

    def notice(self, payment: str) -> tuple[str, bytes, dict[str, str]]:
        """A notice of Mercado Pago's: the path, the body, the headers."""
        said = {
            "action": "payment.updated",
            "data": {"id": payment},
            "date_created": "2026-11-20T13:00:06Z",
            "id": f"9{payment}",
            "type": "payment",
        }
        stamp = str(int(time.time() * 1000))
        mac = hmac.digest(
            self.secret.encode(), f"id:{payment};request-id:r-{payment};ts:{stamp};".encode(), "sha256"
        ).hex()
        headers = {"x-request-id": f"r-{payment}", "x-signature": f"ts={stamp},v1={mac}"}
        path = f"/webhooks/{self.id}?data.id={payment}&type=payment"
        return path, json.dumps(said).encode(), {**headers, "content-type": "application/json"}


def event(external_id: str, at: str = AT, email: str | None = None, **more: Any) -> bytes:
    """The body of a delivery about an order."""
    order = {"title": f"Order {external_id}", "value": "100.00", "currency": "BRL", "status": "paid", **more}
    contact = {"contact": {"name": "Ana Souza", "email": email}} if email else {}
    return json.dumps(
        {"type": "order.updated", "timestamp": at, "data": {"id": external_id, **order, **contact}}
    ).encode()


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(seconds))) + f".{int((seconds % 1) * 1e6):06d}Z"


class Line:
    """One kept HTTP connection."""

    def __init__(self, port: int) -> None:
        self._port, self._writer = port, None

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, timeout: float = 60
    ) -> tuple[int, bytes]:
        """Return the status and the body. Raises what is in GONE."""
        async with asyncio.timeout(timeout):
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            try:
                self._writer.write(head.encode() + b"\r\n" + body)
                lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                fields = {name: value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
                answer = await self._reader.readexactly(int(fields.get("content-length", 0)))
                if fields.get("connection") == "close":
                    self.close()
                return int(lines[0].split()[1]), answer
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


class Load:
    """Shops that send, each the same delivery again until it is taken; the answers are the ledger."""

    def __init__(self, server: Server, source: Source, numbers: random.Random, clients: int = 12, pad: int = 0) -> None:
        self._server, self._source, self._random, self._clients, self._pad = server, source, numbers, clients, pad
        self._sent = 0
        self._ending = False
        self.acknowledged: dict[str, str] = {}  # webhook-id -> delivery
        self.answers: list[tuple[float, float, int]] = []  # sent at, answered at (monotonic), status; 0: none

    def start(self) -> "Load":
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        return self

    async def stop(self) -> None:
        self._ending = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), 120)

    async def _client(self) -> None:
        line = Line(self._server.port)
        while not self._ending:
            self._sent += 1
            number = self._sent
            external_id = f"o{number if number % 3 else self._random.randrange(number)}"  # a third are updates
            more = {"note": self._random.randbytes(self._pad // 2).hex()} if self._pad else {}
            body = event(external_id, iso(EPOCH + number), f"b{number % 200}@example.com", **more)
            while not self._ending:
                began = time.monotonic()
                status, said = await self._source.send(line, body, f"w{number}")
                self.answers.append((began, time.monotonic(), status))
                if status == 200:
                    self.acknowledged[f"w{number}"] = said["delivery_id"]
                    break
                await asyncio.sleep(0.2)
        line.close()

    def taken_after(self, since: float) -> float | None:
        """When the first delivery that was sent after this time was taken."""
        return min((end for began, end, status in self.answers if status == 200 and began > since), default=None)

    def between(self, since: float, until: float) -> Counter[int]:
        """The statuses of what was sent in this time."""
        return Counter(status for began, _, status in self.answers if since <= began <= until)

    def slowest(self) -> float:
        return max((end - began for began, end, _ in self.answers), default=0.0)


class Outside:
    """Takes the events of a subscription, and is the API that thin deliveries are read from."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], set[str]] = {}  # (type, order or contact) -> ids of events
        self.asked = 0
        self.fails = False  # the API answers 500

    async def start(self) -> "Outside":
        self._server = await asyncio.start_server(self._one, "127.0.0.1", 0, limit=2**20, backlog=1024)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                path = lines[0].split()[1]
                length = next((line.partition(":")[2] for line in lines if line.startswith("content-length:")), "0")
                said = json.loads(await reader.readexactly(int(length)) or b"{}")
                status, answer = "200 OK", {}
                if path.startswith("/v1/payments/"):
                    self.asked += 1
                    status, answer = ("500 No", {}) if self.fails else ("200 OK", payment(path.rsplit("/", 1)[1]))
                else:
                    about = said["data"].get("order_id") or said["data"].get("contact_id")
                    self.events.setdefault((said["type"], about), set()).add(said["id"])
                out = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(out)}\r\n\r\n"
                writer.write(head.encode() + out)
                await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def payment(number: str) -> dict[str, Any]:
    """A payment as Mercado Pago's API has it."""
    return {
        "id": int(number),
        "status": "approved",
        "status_detail": "accredited",
        "transaction_amount": 100,
        "currency_id": "BRL",
        "transaction_amount_refunded": 0,
        "date_created": "2026-11-20T10:00:00.000-03:00",
        "date_last_updated": "2026-11-20T10:01:00.000-03:00",
        "date_approved": "2026-11-20T10:01:00.000-03:00",
        "description": "Thing",
        "live_mode": True,
        "payer": {"id": number, "email": f"mp{number}@example.com"},
    }


async def until(what: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Ask again until it is so; False when it has not become so in these seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if await what():
                return True
        except (OSError, RuntimeError, http.client.HTTPException):
            pass
        await asyncio.sleep(0.2)
    return False


def shim(folder: Path) -> str:
    """Compile the library that records writes, or makes them fail, and return its path."""
    made = folder / "powershim.so"
    if not made.exists():
        words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(HERE / "powershim.c"), "-ldl", "-lpthread"]
        subprocess.run(words, check=True)
    return str(made)
