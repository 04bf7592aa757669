"""A folder with a database, and the command line beside it, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from adapters.contract import Delivery
from tests.cli.warm import Warm

COMMAND = [sys.executable, "-m", "app.cli"]
PATIENCE = 30.0  # seconds; a busy machine is slow, and a test that is well waits for none of them


def until(what: Callable[[], Any], *, within: float = PATIENCE) -> Any:
    """What `what` gives as soon as it is true."""
    deadline = time.monotonic() + within
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)
    return found


def alive(process: int) -> bool:
    """Whether a process that is not our child runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class Installation:
    """A folder with a database, and the command line beside it."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder, self.warm = folder, warm
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
        self.environment = kept | {"ORDERS_DATABASE_URL": f"sqlite:///{folder}/orders.db", "ORDERS_LOG_FORMAT": "json"}
        self.server: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"

    def done(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command, run to its end, however it ended."""
        return self.warm.run(words, env=self.environment, cwd=self.folder, timeout=60)

    def run(self, *words: str, code: int = 0) -> str:
        """What a command says: on standard output if it is to go well, else on standard error."""
        done = self.done(*words)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def refused(self, *words: str) -> str:
        """The one line that a refused command says."""
        said = self.run(*words, code=1)
        assert said.count("\n") == 1 and said.startswith("orders-registry: "), said
        return said

    def json(self, *words: str) -> Any:
        """What a command answers with --json."""
        return json.loads(self.run(*words, "--json"))

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """A server, begun; its log goes to a file."""
        with self.log.open("wb") as out:
            self.server = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0", *words], env=self.environment, stdout=out, stderr=out
            )
        return self.server

    def said(self, event: str) -> list[dict[str, Any]]:
        """The server's log lines about an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def listening(self) -> dict[str, Any]:
        """What the server says when it listens."""

        def found() -> list[dict[str, Any]]:
            assert self.server is None or self.server.poll() is None, self.log.read_text()
            return self.said("listening")

        line: dict[str, Any] = until(found)[0]
        return line

    def deliver(self, source_id: str, delivery: Delivery) -> Any:
        """A delivery of the shop's own; gives the answer."""
        address = f"{self.listening()['webhooks']}{source_id}"
        return httpx.post(address, content=delivery.body, headers=dict(delivery.headers)).raise_for_status().json()

    def serve(self, *words: str) -> str:
        """A server that listens; gives its address."""
        self.start(*words)
        address: str = self.listening()["address"]
        return address

    @contextmanager
    def running(self, out: Path, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
        """A command that does not end by itself; what it says on standard output goes to a file."""
        with out.open("wb") as file:
            command = subprocess.Popen([*COMMAND, *words], env=self.environment, stdout=file, stderr=subprocess.DEVNULL)
            try:
                yield command
            finally:
                command.kill()
                command.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Ends the server; gives its exit code."""
        if self.server is None:
            return None
        server, self.server = self.server, None
        server.send_signal(number)
        return server.wait(PATIENCE)
