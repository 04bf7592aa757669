"""The lock that keeps a SQLite database to one process: the server while it runs, else one command at a time."""

import fcntl
import os
import time
from collections.abc import Callable

from app.base.settings import Settings

PATIENCE = 15.0  # seconds in which a command, or a server that starts or ends, lets go of the database


class AlreadyLocked(Exception):
    """Raised when another process has the database; the message names it."""


class FileLock:
    """Locks `orders.db.lock` beside the database. The kernel releases the lock when its process ends, however it ends.

    The file is never deleted: two processes could then each hold a lock on a file of that name.
    """

    def __init__(self, settings: Settings, what: str) -> None:
        self._database = settings.database_path
        self._path = self._database.with_name(self._database.name + ".lock")
        self._what = what
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise AlreadyLocked at once. Raises OSError when the file cannot be created."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            holder = os.pread(file, 200, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(file)
            if isinstance(fault, BlockingIOError):
                raise AlreadyLocked(
                    f"{self._database} is in use by {holder}; on SQLite one process at a time has it"
                ) from None
            raise
        os.ftruncate(file, 0)
        os.pwrite(file, f"`orders-registry {self._what}` (process {os.getpid()})\n".encode(), 0)
        self._file = file

    def wait(self, unless: Callable[[], bool]) -> bool:
        """Take the lock as soon as it is free and return True; return False once `unless` says so instead.

        Raises AlreadyLocked when it is not released in time, OSError when the file cannot be created.
        """
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.acquire()
                return True
            except AlreadyLocked:
                if unless():
                    return False
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def release(self) -> None:
        """Release the lock."""
        file, self._file = self._file, None
        if file is not None:
            os.ftruncate(file, 0)
            os.close(file)
