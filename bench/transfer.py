"""How many orders a second come in from a file and go out into one, and what memory that takes.

The command line is measured as people start it: `orders-registry import FILE` and `export`, a process of its own on an
empty database on a real disk, start included. Memory is the most that the process ever held (for PostgreSQL without the
server's own). On a busy machine the processor's time tells more than the clock's. The file is made up: an e-mail and a CRM's id on each row, four orders to a contact, the contacts in no order.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.base.vault import make_key
from bench.harness import RUNS, fresh_directory, fsync_ms
from bench.ours import postgresql

CPU = 200  # µs of processor for each order into SQLite
FLAT = 1.2  # times the memory, for ten times the rows
ENGINES = ("sqlite", "postgresql")
HEADER = "external_id,title,value,currency,status,ordered_at,paid_at,crm_contact_id,contact_email\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench transfer` takes."""
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="sizes of the files")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--dir", type=Path, default=RUNS, help="where databases go while it runs; a real disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures."""
    found: list[dict[str, Any]] = []
    with fresh_directory(given.dir) as directory:
        for rows in sorted(given.rows):
            file = directory / f"{rows}.csv"
            write(file, rows)
            for engine in given.engines:
                with fresh_directory(directory) as place, ExitStack() as stack:
                    url = f"sqlite:///{place}/orders.db" if engine == "sqlite" else postgresql(place, stack)
                    found += _measure(engine, url, file, rows, place)
            file.unlink()
    if given.json:
        print(json.dumps({"bench": "transfer", "fsync_ms": fsync_ms(given.dir), "found": found}))
    else:
        _show(Console(), found)
    return 0


def write(file: Path, rows: int) -> None:
    """A file of made-up orders, a second apart, each with its contact."""
    people = max(rows // 4, 1)
    with file.open("w") as out:
        out.write(HEADER)
        for number in range(rows):
            person = number * 7919 % people
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_700_000_000 + number))
            out.write(
                f"{100_000_000 + number},#{number} · Running shoes,{number % 900}.90,BRL,paid,{at}Z,{at}+00:00,"
                f"{person},person{person}@example.com\n"
            )


def _measure(engine: str, url: str, file: Path, rows: int, place: Path) -> list[dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    environment |= {"ORDERS_DATABASE_URL": url, "ORDERS_MASTER_KEY": make_key(), "ORDERS_LOG_FORMAT": "json"}
    _timed(environment, place, "account", "create", "bench", "--enable")
    turns = (("import", "import", str(file), "--json"), ("again", "import", str(file), "--json"), ("export", "export"))
    found = []
    for name, *words in turns:
        seconds, worked, kilobytes, said = _timed(environment, place, *words)
        if name == "export":
            assert said.count(b"\n") == rows + 1
        else:
            told = json.loads(said)
            assert told["created" if name == "import" else "unchanged"] == rows, told
        found.append(
            {
                "engine": engine,
                "turn": name,
                "rows": rows,
                "seconds": round(seconds, 2),
                "per_second": round(rows / seconds),
                "cpu_us": round(worked / rows * 1e6, 1),
                "megabytes": round(kilobytes / 1024),
            }
        )
    return found


def _timed(environment: dict[str, str], place: Path, *words: str) -> tuple[float, float, int, bytes]:
    """Of a command: seconds, seconds in which it had a processor, kilobytes at most, and what it said."""
    said = place / "said"
    with said.open("wb") as out:
        begun = time.perf_counter()
        command = subprocess.Popen([sys.executable, "-m", "app.cli", *words], env=environment, stdout=out)
        _, status, usage = os.wait4(command.pid, 0)
        seconds = time.perf_counter() - begun
        command.returncode = os.waitstatus_to_exitcode(status)
    assert command.returncode == 0, f"{words[0]} ended with {command.returncode}"
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, said.read_bytes()


def _show(console: Console, found: list[dict[str, Any]]) -> None:
    table = Table(title="Transfer: orders from a file, and into one")
    for heading in ("engine", "turn"):
        table.add_column(heading)
    for heading in ("rows", "seconds", "per second", "CPU µs each", "MB at most"):
        table.add_column(heading, justify="right")
    for one in found:
        table.add_row(
            one["engine"],
            one["turn"],
            f"{one['rows']:,}",
            f"{one['seconds']:.1f}",
            f"{one['per_second']:,}",
            f"{one['cpu_us']}",
            f"{one['megabytes']:,}",
        )
    console.print(table)
    costs = [one["cpu_us"] for one in found if one["engine"] == "sqlite" and one["turn"] == "import"]
    if costs:
        word = "pass" if max(costs) <= CPU else "miss"
        console.print(f"{word:>12}  import on sqlite <= {CPU} µs of CPU an order  ({max(costs)})")
    for engine in ENGINES:
        for turn in ("import", "export"):
            sizes = [one["megabytes"] for one in found if (one["engine"], one["turn"]) == (engine, turn)]
            if len(sizes) > 1:
                word = "pass" if sizes[-1] <= FLAT * sizes[0] else "miss"
                console.print(
                    f"{word:>12}  memory of {turn} on {engine} <= {FLAT} x at the first size  ({sizes[-1] / sizes[0]:.2f})"
                )
