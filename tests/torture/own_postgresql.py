"""A PostgreSQL server of the trials' own."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.torture.machine import free_port


def postgresql_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs (PGBIN, or Debian's newest); None where there is none."""
    named = os.environ.get("PGBIN")
    folders = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


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
