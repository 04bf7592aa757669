"""A process that has loaded what the command line needs, and forks: each command is a process of its own, begun warm.

To load Python and every package anew takes longer than most commands run, and the tests run hundreds of them. Servers,
and the tests that are about starting, use the real command.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


class Warm:
    """The client's side; `run` is to `subprocess.run` as a fork is to a start."""

    def __init__(self, folder: Path) -> None:
        self._address = str(folder / "warm.sock")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.warm", self._address], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None and self._process.stdout.readline() == b"ready\n"

    def run(
        self, words: tuple[str, ...], *, env: dict[str, str], cwd: Path, timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end. Raises TimeoutError."""
        with tempfile.TemporaryDirectory(prefix="warm-") as name:
            out, err = Path(name, "out"), Path(name, "err")
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(timeout)
                connection.connect(self._address)
                asked = {"words": words, "env": env, "cwd": str(cwd), "out": str(out), "err": str(err)}
                connection.sendall(json.dumps(asked).encode() + b"\n")
                code = int(connection.makefile().readline())
            return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def stop(self) -> None:
        """Ends the warm process."""
        self._process.kill()
        self._process.communicate()


def _serve(address: str) -> None:
    # Loaded here, used in the children.
    import alembic.command
    import databases
    import httpx
    import rich.console
    import rich.progress
    import rich.table
    import sqlalchemy.ext.asyncio
    import uvicorn

    import app.cli
    import app.web.application

    assert all((alembic, databases, httpx, rich, sqlalchemy, uvicorn, app.cli, app.web.application))
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the commands
        print("ready", flush=True)
        while True:
            connection, _ = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _wait_for(json.loads(connection.makefile().readline()), connection)
                os._exit(0)
            connection.close()


def _wait_for(asked: Any, connection: socket.socket) -> None:
    child = os.fork()
    if child == 0:
        connection.close()
        os._exit(_command(asked))
    _, status = os.waitpid(child, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _command(asked: Any) -> int:
    from app.cli import main

    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    for path, flags, handle in (
        (os.devnull, os.O_RDONLY, 0),
        (asked["out"], os.O_WRONLY | os.O_CREAT, 1),
        (asked["err"], os.O_WRONLY | os.O_CREAT, 2),
    ):
        os.dup2(os.open(path, flags, 0o600), handle)
    sys.argv = ["orders-registry", *asked["words"]]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    _serve(sys.argv[1])
