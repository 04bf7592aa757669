"""The operator's door, as both of its sides know it: a Unix socket beside the database, or this very process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the door is called in `scope["server"]` when it is not a socket but this very process.
IN_PROCESS = "in-process"
ACCOUNT_HEADER = "orders-account"  # which account is meant, by id or name

# Bytes that a Unix socket's address may have on every system (107 on Linux, 103 elsewhere).
_LONGEST = 103


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """The socket's path, short enough to be an address. On Linux a long one is reached through its open folder.

    Raises OSError.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        through = f"/proc/self/fd/{folder}"
        if not os.path.isdir(through):
            raise OSError(f"{path} is too long for a Unix socket; put the database into a folder with a shorter path")
        yield f"{through}/{path.name}"
    finally:
        os.close(folder)
