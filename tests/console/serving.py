"""The served registry that the browser sees: `orders-registry serve` on a free port, over a folder's database."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 40.0  # seconds; a busy machine is slow


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The server's address; it ends with the block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    environment = kept | {
        "ORDERS_DATABASE_URL": f"sqlite:///{folder}/orders.db",
        "ORDERS_LOG_FORMAT": "json",
        "ORDERS_PRIVATE_RECEIVERS": "127.0.0.0/8",
    }
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", "0"], env=environment, stdout=out, stderr=out
        )
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        for line in log.read_text(errors="replace").splitlines():
            if '"event": "listening"' in line:
                address: str = json.loads(line)["address"]
                return address
        assert server.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
