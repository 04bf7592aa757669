"""A disk that is full, fails or loses files; another program's lock; a long reader. SQLite."""

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from tests.torture.invariants import rows_of_file
from tests.torture.load import Load
from tests.torture.machine import shim
from tests.torture.server import Server, ready
from tests.torture.trial import Trial
from tests.torture.waiting import do

Run = Callable[[Trial], Awaitable[None]]
SHELL_NAMES = ("orders.db", "orders.db-wal", "orders.db-shm")
ORDERS = {"created", "updated", "unchanged"}


def failing(what: str) -> Run:
    """Writes or syncs fail three times for a while."""

    async def run(trial: Trial) -> None:
        server = trial.server()
        switch = Path(f"{server.folder}.{what}")
        library = shim(trial.folder)
        await do(server.prepare, LD_PRELOAD=library, POWER_DIR=str(server.folder))
        load = Load(server, await do(server.source), trial.random, clients=8, pad=1500).start()
        refused = 0
        for _ in range(3):
            await asyncio.sleep(1.5)
            switch.touch()
            began = time.monotonic()
            await asyncio.sleep(2)
            trial.must(await ready(server) == 503, "/readyz is not red while the disk fails")
            refused += load.between(began, time.monotonic())[503]
            switch.unlink()
            await trial.recovers(load, time.monotonic())
            await trial.becomes(server, 200)
        trial.must(refused, "no delivery was refused while the disk failed: the library does not bite")
        await ended(trial, server, load, kill=True)
        trial.figures["refused"] = refused

    return run


async def ended(trial: Trial, server: Server, load: Load, *, kill: bool = False) -> None:
    """Stop the load and the server, and check what is kept."""
    await load.stop()
    if kill:
        await do(server.kill)
    else:
        trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.invariants(rows_of_file(server.file, alone=True), load.acknowledged.values(), ORDERS)
    trial.figures |= {"acknowledged": len(load.acknowledged)}


def mounted(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


async def full(trial: Trial) -> None:
    """A small file system fills up, and has space again."""
    server = trial.server("small")
    mounted("-t", "tmpfs", "-o", "size=22m", "tmpfs", str(server.folder))
    try:
        (server.folder / "ballast").write_bytes(bytes(8 << 20))
        await do(server.prepare)
        load = Load(server, await do(server.source), trial.random, pad=3000).start()
        until = time.monotonic() + 60 * trial.patience
        while not any(status == 503 for _, _, status in load.answers[-20:]):
            assert time.monotonic() < until, "the disk does not fill"
            await asyncio.sleep(0.1)
        await trial.becomes(server, 503)
        doctor = await do(server.cli, "doctor", check=False)
        trial.must(doctor.returncode == 1, "doctor finds nothing on a full disk")
        (server.folder / "ballast").unlink()
        await trial.recovers(load, time.monotonic())
        await trial.becomes(server, 200)
        await ended(trial, server, load)
    finally:
        server.kill()
        subprocess.run(["umount", "-l", str(server.folder)], check=False)


def beneath(what: str) -> Run:
    """The files are taken away, replaced or damaged: red, 503, the log says what to do, SIGTERM ends it."""

    async def run(trial: Trial) -> None:
        server = trial.server()
        await do(server.prepare)
        load = Load(server, await do(server.source), trial.random, clients=6).start()
        await asyncio.sleep(2)
        copy = trial.folder / "copy.db"
        if what == "replaced":
            await do(server.cli, "backup", copy)
            os.replace(copy, server.file)
        elif what == "truncated":
            os.truncate(server.file, 8192)
        elif what == "garbage":
            with server.file.open("r+b") as file:
                file.seek(4096)
                file.write(trial.random.randbytes(max(4096 * 40, server.file.stat().st_size - 4096)))
        else:
            for name in SHELL_NAMES if what == "deleted" else ("orders.db-wal",):
                (server.folder / name).unlink(missing_ok=True)
        done = time.monotonic()
        await asyncio.sleep(4)
        late = load.between(done + 1, time.monotonic())
        trial.must(late[200] == 0, f"{late[200]} deliveries taken a second after the file was {what}")
        await trial.becomes(server, 503)
        trial.must("restore the database, start again" in server.said(), "the log does not say what to do")
        await load.stop()
        code = await do(server.stop)
        trial.must(code == 0, f"SIGTERM: {code}")
        trial.figures |= {"acknowledged": len(load.acknowledged), "after": dict(late)}

    return run


async def write_lock(trial: Trial) -> None:
    """Another program holds the write lock for 15 s."""
    server = trial.server()
    await do(server.prepare)
    load = Load(server, await do(server.source), trial.random).start()
    await asyncio.sleep(1)
    with closing(sqlite3.connect(server.file, isolation_level=None, check_same_thread=False, timeout=30)) as other:
        await do(other.execute, "BEGIN IMMEDIATE")
        await asyncio.sleep(9)
        trial.must(await ready(server) == 503, "/readyz is not red during somebody's write lock")
        await asyncio.sleep(6)
        other.execute("ROLLBACK")
    await trial.recovers(load, time.monotonic())
    await trial.becomes(server, 200)
    trial.figures["slowest_s"] = round(load.slowest(), 1)
    trial.must(load.slowest() < 6 * trial.patience, f"a sender waited {load.slowest():.1f} s for its answer")
    await ended(trial, server, load)


async def long_reader(trial: Trial) -> None:
    """Another program reads for 15 s: deliveries are taken all the time."""
    server = trial.server()
    await do(server.prepare)
    load = Load(server, await do(server.source), trial.random, pad=3000).start()
    await asyncio.sleep(1)
    with closing(sqlite3.connect(server.file, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM deliveries").fetchall()
        began = time.monotonic()
        await asyncio.sleep(15)
        found = load.between(began, time.monotonic())
        other.execute("ROLLBACK")
    trial.must(set(found) == {200}, f"answers while somebody reads: {dict(found)}")
    await ended(trial, server, load)


SCENARIOS: dict[str, tuple[Run, tuple[str, ...]]] = {
    "eio-write": (failing("eio-write"), ("cc",)),
    "eio-sync": (failing("eio-sync"), ("cc",)),
    "enospc": (failing("enospc"), ("cc",)),
    "full": (full, ("root",)),
    **{name: (beneath(name), ()) for name in ("deleted", "wal-deleted", "replaced", "truncated", "garbage")},
    "write-lock": (write_lock, ()),
    "long-reader": (long_reader, ()),
}
