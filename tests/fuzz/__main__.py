"""`make fuzz`: an hour, half of it structure-aware, half coverage-guided where atheris is there.

make fuzz                                 an hour
make fuzz ARGS="--seconds 600"            ten minutes
make fuzz ARGS="--adapter stripe --from 5000"
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import adapters
from app.base.settings import read_settings
from app.db.migrate import migrate
from tests.fuzz import inside
from tests.house import House

AT_LEAST = 1_000  # proven deliveries of each adapter, however long that takes
TOGETHER = 50


async def fuzz(names: list[str], seconds: float, first: int, at_least: int) -> int:
    """Fuzz the adapters in turn for so long. Returns how many deliveries ended badly."""
    bad, until = 0, time.monotonic() + seconds
    proven = dict.fromkeys(names, 0)
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(database_url=f"sqlite:///{Path(folder) / 'orders.db'}")
        await migrate(settings)
        async with House(settings) as house:
            door = inside.Door(house)
            for turn in count(first, TOGETHER):
                for name in names:
                    before = door.proven
                    for number in range(turn, turn + TOGETHER):
                        for sample, delivery in inside.deliveries(name, [number]):
                            inside.handled(sample, delivery)
                            said = await door.send(sample, delivery) + await door.fetched(sample, number)
                            bad += bool(said)
                            for one in said:
                                print(f"{name} {number} ({sample.case}): {one}", flush=True)
                    proven[name] += door.proven - before
                if time.monotonic() > until and min(proven.values()) >= at_least:
                    break
    print(
        f"{sum(proven.values())} proven deliveries; at least {min(proven.values())} of each adapter; {bad} ended badly"
    )
    return bad


def main() -> int:
    """Run both forms; exit 1 when anything ended badly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--adapter", choices=adapters.names())
    parser.add_argument("--from", dest="first", type=int, default=0, help="the number of the first delivery")
    parser.add_argument("--at-least", type=int, default=AT_LEAST, help="proven deliveries of each adapter")
    given = parser.parse_args()
    names = [given.adapter] if given.adapter else list(adapters.names())
    guided = find_spec("atheris") is not None and not given.adapter
    bad = asyncio.run(fuzz(names, given.seconds / (2 if guided else 1), given.first, given.at_least))
    if guided:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.guided",
            f"-max_total_time={int(given.seconds / 2)}",
            "-max_len=8192",
        ]
        bad += subprocess.run(command, check=False).returncode != 0
    else:
        print("the coverage-guided half was left out: atheris is not installed (.venv/bin/pip install atheris)")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
