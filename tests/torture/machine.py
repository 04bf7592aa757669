"""What the trials need of the machine: a free port, and libraries that are loaded before a program's own."""

import socket
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def libfaketime() -> Path | None:
    """Return the library that lies about the clock; None where it is not installed."""
    return next(Path("/usr").glob("lib*/**/faketime/libfaketime.so.1"), None)


def shim(folder: Path) -> str:
    """Compile the library that records writes, or makes them fail, and return its path."""
    made = folder / "powershim.so"
    if not made.exists():
        words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(HERE / "powershim.c"), "-ldl", "-lpthread"]
        subprocess.run(words, check=True)
    return str(made)
