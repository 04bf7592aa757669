"""Power cuts: every write and sync of a serving process is recorded; the files are then rebuilt as a disk that forgot
what was not synced would hold them, whole, in part, torn or not at all."""

import asyncio
import itertools
import json
import shutil
import sqlite3
import struct
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.torture.invariants import rows_of_file, wrong
from tests.torture.machine import shim
from tests.torture.server import Server
from tests.torture.source import EPOCH, Line, Source, event, iso
from tests.torture.trial import Trial
from tests.torture.waiting import do

SECONDS = 12.0  # of load
NAMES = {1: "orders.db", 2: "orders.db-wal", 3: "orders.db-journal"}
FOLDER = 9  # the number of the folder itself in the trace
WRITE, TRUNCATE, SYNC, CREATE, UNLINK, SYNC_FOLDER = range(1, 7)
MAGIC, RECORD = 0x52574F50, struct.Struct("<IBBQQQ")

Operation = tuple[int, int, int, int, int, bytes]  # what, file, offset, length, nanoseconds, data
Acknowledged = list[tuple[int, str]]  # monotonic nanoseconds, delivery


class File:
    """What of a file is durable, and what was written since its last sync."""

    def __init__(self, content: bytes = b"", *, named: bool = True) -> None:
        self._disk, self._pending = bytearray(content), list[tuple[int, int, bytes]]()
        self.named = named  # its name is durable

    def wrote(self, what: int, at: int, data: bytes) -> None:
        self._pending.append((what, at, data))

    def sync(self) -> None:
        for one in self._pending:
            self._apply(self._disk, *one)
        self._pending, self.named = [], True

    @staticmethod
    def _apply(content: bytearray, what: int, at: int, data: bytes) -> None:
        content.extend(bytes(max(0, at - len(content))))
        if what == TRUNCATE:
            del content[at:]
        else:
            content[at : at + len(data)] = data

    def after_cut(self, trial: Trial, how: str) -> bytes:
        content = bytearray(self._disk)
        for what, at, data in self._pending if how != "none" else []:
            if how == "some" and trial.random.random() < 0.5:
                continue
            sectors = len(data) // 512
            torn = how == "torn" and what == WRITE and sectors > 0
            self._apply(content, what, at, data[: trial.random.randrange(sectors + 1) * 512] if torn else data)
        return bytes(content)


def operations(trace: bytes, *, with_data: bool = True) -> Iterator[Operation]:
    at, view = 0, memoryview(trace)
    while at + RECORD.size <= len(view):
        magic, what, file, offset, length, moment = RECORD.unpack_from(view, at)
        assert magic == MAGIC, f"the trace is broken at {at}"
        at += RECORD.size
        data = bytes(view[at : at + length]) if what == WRITE and with_data else b""
        at += length if what == WRITE else 0
        yield what, file, offset, length, moment, data


async def load(server: Server, source: Source, seconds: float) -> Acknowledged:
    """New orders and updates; now and then somebody is erased."""
    acknowledged: Acknowledged = []
    end, numbers = time.monotonic() + seconds, itertools.count()

    async def client() -> None:
        line = Line(server.port)
        while time.monotonic() < end:
            number = next(numbers)
            name = f"o{number if number % 3 else number // 3}"
            more = {"value": f"{number % 1000}.00", "note": "x" * 1500}
            body = event(name, iso(EPOCH + number), f"b{number % 300}@example.com", **more)
            status, said = await source.send(line, body, f"w{number}")
            if status == 200:
                acknowledged.append((time.monotonic_ns(), said["delivery_id"]))
            if number % 700 == 699:
                email = f"b{number * 7 % 300}@example.com"
                _, raw = await line.ask("GET", f"/v1/contacts?email={email}", b"", server.authorized)
                for contact in json.loads(raw)["data"]:
                    await line.ask("DELETE", f"/v1/contacts/{contact['id']}", b"", server.authorized)
        line.close()

    await asyncio.gather(*(client() for _ in range(24)))
    return acknowledged


def verdict(folder: Path, acknowledged: Acknowledged, cut_at: int) -> list[str]:
    """Return what is wrong with the database as it is found after the cut."""
    before = [delivery for moment, delivery in acknowledged if moment < cut_at]
    try:
        return wrong(rows_of_file(folder / "orders.db", alone=True), before)
    except sqlite3.Error as why:
        return [f"cannot be read: {why}"]


def chosen(trial: Trial, trace: list[Operation], first: int, cuts: int) -> list[int]:
    """A third anywhere, a third around a sync, a third while the database's own file is written (a checkpoint)."""
    after = [number for number, one in enumerate(trace) if one[4] > first]
    syncs = [number for number in after if trace[number][0] == SYNC] or after
    checkpoints = [number for number in after if trace[number][1] == 1] or after
    found: set[int] = set()
    for turn in itertools.count():
        if len(found) >= min(cuts, len(after)):
            break
        near = trial.random.choice((after, syncs, checkpoints)[turn % 3]) + trial.random.choice((-1, 0, 1))
        found.add(min(max(near, after[0]), len(trace) - 1))
    return sorted(found)


async def cut(trial: Trial, synchronous: str, cuts: int) -> Counter[str]:
    """Return how many cuts the database held, and what went wrong in the others."""
    server = trial.server(TORTURE_SYNCHRONOUS=synchronous)
    await do(server.prepare)
    source = await do(server.source)
    await do(server.stop)
    before = {number: file.read_bytes() for number, name in NAMES.items() if (file := server.folder / name).exists()}
    recording = trial.folder / "trace"
    library = shim(trial.folder)
    await do(server.start, LD_PRELOAD=library, POWER_DIR=str(server.folder), POWER_TRACE=str(recording))
    acknowledged = await load(server, source, min(SECONDS, 2.0 + cuts / 10))
    server.kill()
    raw = recording.read_bytes()
    trace = list(operations(raw, with_data=False))
    trial.must(acknowledged and trace, "nothing was recorded: the library does not bite")
    moments = chosen(trial, trace, acknowledged[0][0], cuts)
    files = {number: File(content) for number, content in before.items()}
    results: Counter[str] = Counter()
    for number, (what, file, offset, length, moment, data) in enumerate(operations(raw)):
        if number in moments:
            folder = trial.folder / "cut"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            how = trial.random.choice(["none", "some", "torn", "all"])
            for one, found in files.items():
                if found.named:
                    (folder / NAMES[one]).write_bytes(found.after_cut(trial, how))
            results["; ".join(verdict(folder, acknowledged, moment)) or "held"] += 1
        if file == FOLDER:
            for found in files.values():
                found.named = True
        elif what == UNLINK:
            files.pop(file, None)
        elif what == CREATE:
            files.setdefault(file, File(named=False))
        elif what == SYNC:
            files.setdefault(file, File()).sync()
        else:
            files.setdefault(file, File()).wrote(what, length if what == TRUNCATE else offset, data)
    for number, found in files.items():  # or the recording itself is not to be believed
        found.sync()
        same = found.after_cut(trial, "all") == (server.folder / NAMES[number]).read_bytes()
        trial.must(same, f"the recording of {NAMES[number]} is not what the file holds")
    trial.figures |= {"cuts": len(moments), "held": results["held"], "acknowledged": len(acknowledged)}
    trial.figures |= {"operations": len(trace)}
    return results


async def full(trial: Trial) -> None:
    """With the product's own setting every cut holds."""
    results = await cut(trial, "FULL", trial.cuts)
    for what, times in results.items():
        trial.must(what == "held", f"{times} cuts: {what}")


async def normal(trial: Trial) -> None:
    """With synchronous=NORMAL acknowledged deliveries are lost: the trial above can fail."""
    results = await cut(trial, "NORMAL", max(40, trial.cuts // 3))
    lost = sum(times for what, times in results.items() if "lost" in what)
    trial.figures["lost_in"] = lost
    trial.must(lost, "nothing was lost with synchronous=NORMAL: the trial of power cuts proves nothing")
