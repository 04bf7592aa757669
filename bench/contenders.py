"""Who takes part: one small class each, started as a process of its own and spoken to over loopback alone.

A contender's program takes `--dir` and `--port`, and once it listens prints one line of JSON, `{"url": …,
"secret": …}`; that line is all the harness knows of it, and `told` for a bench that needs more than these two. On
SIGTERM it ends, with whatever it had started.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

READY_WITHIN = 60.0  # seconds; a first start of PostgreSQL makes its whole cluster
STOP_WITHIN = 15.0


class CannotStart(Exception):
    """A contender that ended, or said nothing, before it listened; the message is the reason in one line."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Contender:
    """One receiver under test; a subclass says which program it is."""

    name: ClassVar[str]
    about: ClassVar[str]
    module: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    expect: ClassVar[str] = ""  # what an answer holds when it did all that this contender does

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.told: dict[str, str] = {}

    def start(self, directory: Path) -> tuple[str, str]:
        """Start with an empty `directory` for its data; back with (url, secret) once it listens."""
        command = [sys.executable, "-m", self.module, *self.options]
        command += ["--dir", str(directory), "--port", str(free_port())]
        said, complained = directory / "stdout", directory / "stderr"
        with said.open("wb") as out, complained.open("wb") as err:
            # Files, not pipes: nobody reads while the load runs, and a full pipe would stop the contender.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            if (told := _ready_line(said)) is not None:
                self.told = told
                return told["url"], told["secret"]
            if ended:
                raise CannotStart(_last_line(complained) or f"it ended with code {self._process.returncode}")
            time.sleep(0.05)
        raise CannotStart(f"it was not listening after {READY_WITHIN:.0f} s")

    def stop(self) -> None:
        """Ask it to end, and end it when it does not; safe to call at any time."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextmanager
    def running(self, directory: Path) -> Iterator[tuple[str, str]]:
        """`start` and `stop` around a block."""
        try:
            yield self.start(directory)
        finally:
            self.stop()


def _ready_line(said: Path) -> dict[str, str] | None:
    """The line that says where it listens, once it is written to its end."""
    for line in said.read_bytes().splitlines(keepends=True):
        if line.startswith(b"{") and line.endswith(b"\n"):
            told: dict[str, str] = json.loads(line)
            return told
    return None


def _last_line(complained: Path) -> str:
    """The last thing it wrote to standard error: of a traceback, the exception."""
    lines = complained.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


class OursSqlite(Contender):
    """The registry as it comes out of the box."""

    name = "ours-sqlite"
    about = "the registry on SQLite: verified, parsed, stored, fsync before the answer"
    module = "bench.ours"
    options = ("--engine", "sqlite")
    expect = "created"


class OursPostgresql(Contender):
    """The registry on PostgreSQL, which `bench.ours` brings along and starts."""

    name = "ours-postgresql"
    about = "the registry on PostgreSQL: the same, with its server on this machine too"
    module = "bench.ours"
    options = ("--engine", "postgresql")
    expect = "created"


class StorageFree(Contender):
    """The registry without its store: what is left is HTTP, the signature and the mapping."""

    name = "storage-free"
    about = "the registry verifying and parsing, storing nothing"
    module = "bench.ours"
    options = ("--engine", "none")


class FastapiPeer(Contender):
    """What most teams would write instead."""

    name = "fastapi-peer"
    about = "FastAPI + SQLAlchemy + SQLite, one transaction per delivery, fsync before the answer"
    module = "bench.peers.fastapi_receiver"
    expect = "recorded"


class RawResponder(Contender):
    """Not a contender by default: asked for by name, it shows the load generator's own ceiling."""

    name = "ceiling"
    about = "answers 200 and looks at nothing: the load generator's own ceiling"
    module = "bench.peers.raw_responder"


INTAKE: tuple[type[Contender], ...] = (OursSqlite, OursPostgresql, StorageFree, FastapiPeer)
EVERYONE: tuple[type[Contender], ...] = (*INTAKE, RawResponder)
BY_NAME = {kind.name: kind for kind in EVERYONE}
