"""A real server, in a process of its own, on a real port; and an account with sources, made before it starts."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from app.base.settings import Settings


class Server:
    """`orders-registry serve` on a free port; `program`: the module that is run."""

    def __init__(
        self, settings: Settings, folder: Path, name: str = "server", *, program: str = "app.cli", **environment: str
    ) -> None:
        self._program = program
        self._log = folder / f"{name}.log"
        kept = {word: value for word, value in os.environ.items() if not word.startswith(("ORDERS_", "OTEL_"))}
        kept |= environment
        self._environment = kept | {"ORDERS_DATABASE_URL": settings.database_url, "ORDERS_LOG_FORMAT": "json"}
        if settings.master_key:
            self._environment["ORDERS_MASTER_KEY"] = settings.master_key
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    async def start(self) -> str:
        """Starts it; back with its address once it is ready."""
        self._process = process = self._started()
        deadline = asyncio.get_running_loop().time() + 40
        while True:
            for line in self._log.read_text(errors="replace").splitlines():
                if '"event": "listening"' in line:
                    self.address = json.loads(line)["address"]
                    async with httpx.AsyncClient() as client:
                        assert (await client.get(f"{self.address}/readyz")).status_code == 200
                    return self.address
            assert process.poll() is None, self._log.read_text()
            assert asyncio.get_running_loop().time() < deadline, self._log.read_text()
            await asyncio.sleep(0.02)

    def said(self) -> str:
        """Everything that it has logged."""
        return self._log.read_text(errors="replace")

    def _started(self) -> "subprocess.Popen[bytes]":
        with self._log.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-m", self._program, "serve", "--port", "0"],
                env=self._environment,
                stdout=out,
                stderr=out,
            )

    def kill(self) -> None:
        """SIGKILL: as if the power had gone, for this process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGTERM; it must end well."""
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate()
            assert process.wait(40) == 0, self._log.read_text()
