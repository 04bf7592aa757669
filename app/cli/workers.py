"""Several processes that serve one PostgreSQL registry from one listening socket."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from app.base.log import log
from app.base.settings import Settings
from app.cli.output import CommandFailed, Misuse, note
from app.cli.server import ENDING, LONGEST_END, end_on, server

ASK = 0.1  # seconds between two looks at the workers
PAUSE = 1.0  # seconds before a worker that died is replaced, so that a fault at the start does not spin


class Workers:
    """Forks workers, watches them, and ends them.

    They share the socket, so that its queue outlives any one of them. When the parent ends, however that happens, they
    end cleanly.
    """

    def __init__(self, settings: Settings, listeners: list[socket.socket], count: int) -> None:
        self._settings, self._listeners, self._count = settings, listeners, count
        self._alive = os.pipe()  # nobody writes; its end tells the workers that the parent is gone
        self._begun = os.pipe()  # a byte from each worker that listens
        self._pids: set[int] = set()
        self._ending = False

    def serve(self, ready: Callable[[list[int]], None]) -> None:
        """Serve until one of the signals that end it. Raises CommandFailed when a worker cannot start."""
        end_on(self._end)
        signal.signal(signal.SIGALRM, self._kill)
        for _ in range(self._count):
            self._fork()
        if not self._begin():
            raise CommandFailed("a worker could not start. The log says why")
        if not self._ending:
            ready(sorted(self._pids))
        while self._pids:
            died = self._reap()
            if died is None:
                time.sleep(ASK)
            elif not self._ending:
                log.error("a worker died and is replaced", process=died[0], status=died[1])
                time.sleep(PAUSE)
                self._fork()
        signal.alarm(0)

    def _begin(self) -> bool:
        """Wait until every worker listens. If one ends before, end the others."""
        begun = 0
        while begun < self._count and not self._ending:
            if select.select([self._begun[0]], [], [], ASK)[0]:
                begun += len(os.read(self._begun[0], self._count))
            if self._reap():
                self._end(signal.SIGTERM, None)
                while self._pids:
                    self._reap()
                    time.sleep(ASK)
                return False
        return True

    def _fork(self) -> None:
        # A signal between the question and the fork would miss the new worker.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            if self._ending:
                return
            pid = os.fork()
            if pid == 0:
                self._work()
            self._pids.add(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def _work(self) -> NoReturn:
        """Run one worker, from its start to its end."""
        code = 1
        try:
            end_on(_die)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            os.close(self._alive[1])
            server(self._settings, self._tell).listen(self._listeners, watched=self._alive[0])
            code = 0
        except (CommandFailed, Misuse) as why:
            note(str(why))
        except Exception:
            log.exception("a worker failed")
        finally:
            os._exit(code)  # nothing of the parent's is undone here

    def _tell(self) -> None:
        os.write(self._begun[1], b".")

    def _reap(self) -> tuple[int, int] | None:
        """Return a worker that has ended, with its exit code."""
        if not self._pids:
            return None
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid not in self._pids:  # as PID 1 of a container it inherits others' children
            return None
        self._pids.discard(pid)
        return pid, os.waitstatus_to_exitcode(status)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if not self._ending:
            self._ending = True
            signal.alarm(LONGEST_END + 2)
        self._signal(signal.SIGTERM)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for pid in list(self._pids):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _die(number: int, frame: FrameType | None) -> None:
    """End at once: a worker that does not listen yet has nothing to finish."""
    os._exit(128 + number)
