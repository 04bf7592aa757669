"""The server under test: real processes of `serve`, and a client of their API."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.torture.invariants import rows_of_file
from tests.torture.machine import free_port
from tests.torture.own_postgresql import Postgres
from tests.torture.source import Source
from tests.torture.waiting import do

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.torture.program"]
KEY, OTHER_KEY = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"k", b"n"))
PAYMENTS_SECRET = "a-secret-of-the-payments-1"


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

    def prepare(self, *, wrap: tuple[str, ...] = (), **env: str) -> "Server":
        """Make an account, and start."""
        made = json.loads(self.cli("account", "create", "acme", "--enable", "--json").stdout)
        self.account, self.token = made["account_id"], made["admin_token"]
        return self.start(wrap=wrap, **env)

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
        return children(self.process.pid)

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

    def source(self, adapter: str = "standard", **fields: Any) -> Source:
        made = self.api("POST", "/v1/sources", {"adapter": adapter, **fields})
        return Source(made["id"], fields.get("secret") or made["secret"])

    def payments(self) -> Source:
        """A thin source: its notices are read from the API that TORTURE_API names."""
        return self.source("mercadopago", secret=PAYMENTS_SECRET, key="APP_USR-1")


def children(process: int) -> list[int]:
    """Return the ids of a process's children, those that ended and are not reaped among them."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


async def ready(server: Server) -> int | str:
    """Return what /readyz answers, or the name of the error."""
    try:
        return int((await do(server.get, "/readyz", timeout=30))[0])
    except (OSError, http.client.HTTPException) as why:
        return type(why).__name__
