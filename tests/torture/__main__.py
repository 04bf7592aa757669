"""python -m tests.torture [NAME …]: run the trials whose names begin so, or all; exit 1 when a promise was broken."""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.torture import backups, clients, clock, counts, disk, kills, postgresql, power, steady
from tests.torture.machine import libfaketime
from tests.torture.own_postgresql import Postgres, postgresql_programs
from tests.torture.trial import Trial

SHOWN = 8  # of what a trial found broken
BOTH, SQLITE, POSTGRESQL = ("sqlite", "postgresql"), ("sqlite",), ("postgresql",)
# What a trial may need: is it there, and what to install.
NEEDS: dict[str, tuple[bool, str]] = {
    "postgresql": (postgresql_programs() is not None, "Debian's postgresql (or PGBIN, the folder of its programs)"),
    "cc": (shutil.which("cc") is not None, "a C compiler"),
    "faketime": (libfaketime() is not None, "libfaketime"),
    "root": (os.geteuid() == 0, "root, to mount a small tmpfs or to make a namespace"),
}


@dataclass(frozen=True)
class Scenario:
    """A trial by name, the engines it is about, and what it needs."""

    run: Callable[[Trial], Awaitable[None]]
    engines: tuple[str, ...]
    needs: tuple[str, ...] = ()


SCENARIOS = {
    "kills": Scenario(kills.run, BOTH),
    "power-full": Scenario(power.full, SQLITE, ("cc",)),
    "power-normal": Scenario(power.normal, SQLITE, ("cc",)),
    **{f"disk-{name}": Scenario(run, SQLITE, needs) for name, (run, needs) in disk.SCENARIOS.items()},
    **{f"postgresql-{name}": Scenario(run, POSTGRESQL) for name, run in postgresql.SCENARIOS.items()},
    "poison": Scenario(counts.poison, BOTH),
    "counts": Scenario(counts.twins, BOTH),
    "clock": Scenario(clock.run, SQLITE, ("faketime",)),
    "backups": Scenario(backups.run, BOTH),
    **{f"clients-{name}": Scenario(run, SQLITE) for name, run in clients.SCENARIOS.items()},
    "hot": Scenario(steady.hot, BOTH),
    "soak": Scenario(steady.soak, BOTH),
    "clients-pid1": Scenario(clients.pid1, BOTH, ("root",)),
}


def main() -> int:
    wanted = arguments()
    names = [name for name in SCENARIOS if not wanted.names or name.startswith(tuple(wanted.names))]
    if not names:
        print("no such trial; there are:", *SCENARIOS)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if wanted.engine == "both":
        return side_by_side(wanted.seed)
    plan = [(name, wanted.engine) for name in names if wanted.engine in SCENARIOS[name].engines]
    print(f"{wanted.engine}: seed {wanted.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="orders-torture-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user
    server: Postgres | None = None
    results: dict[str, list[str]] = {"held": [], "BROKEN": [], "LEFT OUT": []}
    try:
        for name, engine in plan:
            needs = {*SCENARIOS[name].needs, *(["postgresql"] if engine == "postgresql" else [])}
            if missing := [NEEDS[need][1] for need in sorted(needs) if not NEEDS[need][0]]:
                results["LEFT OUT"].append(f"{name} {engine}")
                print(f"LEFT OUT  {name} {engine}: needs {', '.join(missing)}", flush=True)
                continue
            if engine == "postgresql" and server is None:
                server = Postgres(folder)
                server.start()
            trial = Trial(
                engine, wanted.seed, folder / f"{name}-{engine}", wanted.kills, wanted.cuts, wanted.patience, server
            )
            results[ran(trial, name)].append(f"{name} {engine}")
    finally:
        if server is not None:
            server.stop("immediate")
    print(
        f"{wanted.engine}, seed {wanted.seed}: "
        + ", ".join(f"{len(found)} {verdict}" for verdict, found in results.items())
    )
    for found in results["BROKEN"]:
        print(f"  broken: {found}")
    if results["BROKEN"]:
        print(f"what they left is in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def side_by_side(seed: int) -> int:
    """Run each engine's trials in a process of its own: they wait for most of their time. Return the worse exit code."""
    again = [sys.executable, "-m", "tests.torture", *sys.argv[1:], "--seed", str(seed), "--engine"]
    halves = [subprocess.Popen([*again, engine]) for engine in BOTH]
    try:
        return max(half.wait() for half in halves)
    finally:
        for half in halves:
            half.terminate()
            half.wait()


def ran(trial: Trial, name: str) -> str:
    """Run one trial, print its line, and return its verdict."""
    began = time.monotonic()
    trial.folder.mkdir(mode=0o711)
    try:
        asyncio.run(SCENARIOS[name].run(trial))
    except Exception as why:
        trial.broken.append(f"it ended with {why!r:.600}")
        (trial.folder / "traceback").write_text(traceback.format_exc())
    finally:
        for server in trial.servers:
            server.kill()
    verdict = "BROKEN" if trial.broken else "held"
    figures = ", ".join(f"{what} {figure}" for what, figure in trial.figures.items())
    print(f"{verdict:8}  {name} {trial.engine}  {time.monotonic() - began:.0f} s  {figures}", flush=True)
    for broken in trial.broken[:SHOWN]:
        print(f"          {broken:.600}", flush=True)
    if len(trial.broken) > SHOWN:
        print(f"          and {len(trial.broken) - SHOWN} more", flush=True)
    if not trial.broken:
        shutil.rmtree(trial.folder, ignore_errors=True)
    return verdict


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the beginnings of names: " + " ".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats the random choices of a run")
    parser.add_argument("--kills", type=int, default=150, help="for each engine")
    parser.add_argument("--cuts", type=int, default=210, help="power cuts with the product's setting")
    parser.add_argument("--engine", choices=[*BOTH, "both"], default="both")
    parser.add_argument("--patience", type=float, default=1.0, help="multiplies the limits in seconds (a busy machine)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
