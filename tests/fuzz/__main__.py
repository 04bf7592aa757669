"""`make fuzz`: an hour of two halves side by side: structure-aware, and coverage-guided where atheris is there.

make fuzz                                 an hour
make fuzz ARGS="--seconds 600"            ten minutes
make fuzz ARGS="--half guided"            one half alone
make fuzz ARGS="--adapter stripe --from 5000"
.venv/bin/python -m tests.fuzz --again FILE      an input that was found, once more
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
TRIES = 10  # times as many deliveries, after which an adapter is given up that does not get there
TOGETHER = 50
# What is sought are hostile bytes, not power cuts: the disk would be waited for at each of 100,000 commits.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


async def fuzz(names: list[str], seconds: float, first: int, at_least: int) -> int:
    """Fuzz the adapters in turn for so long. Returns how much was wrong: deliveries, and adapters with too few proven."""
    bad, until, slowest, busy = 0, time.monotonic() + seconds, 0.0, 0
    proven = dict.fromkeys(names, 0)
    for turn in count(first, TOGETHER):
        over = time.monotonic() > until
        lacking = [name for name in names if proven[name] < at_least]
        if over and (not lacking or turn >= first + TRIES * at_least):
            break
        # A registry of its own for each turn: all samples tell of the same orders, whose histories would grow without end.
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            settings = read_settings(database_url=f"sqlite:///{Path(folder) / 'orders.db'}")
            await migrate(settings)
            async with House(settings) as house:
                door = inside.Door(house)
                for name in lacking if over else names:
                    before = door.proven
                    for number in range(turn, turn + TOGETHER):
                        bad += await _one(door, name, number)
                    proven[name] += door.proven - before
                slowest, busy = max(slowest, door.slowest), busy + door.busy
        print(f"  {turn + TOGETHER} of each adapter: at least {min(proven.values())} proven", flush=True)
    for name, number in proven.items():
        print(f"  {name}: {number} proven{'' if number >= at_least else f', fewer than {at_least}'}")
    few, many = min(proven, key=proven.__getitem__), max(proven, key=proven.__getitem__)
    print(
        f"{sum(proven.values())} proven deliveries, from {proven[few]} ({few}) to {proven[many]} ({many}) of an adapter; "
        f"{bad} ended badly; at most {slowest:.2f} s of CPU for one; {busy} times busy",
        flush=True,
    )
    return bad + sum(number < at_least for number in proven.values())


async def _one(door: inside.Door, name: str, number: int) -> int:
    """Send the deliveries of this number for each sample. Returns how many ended badly."""
    bad = 0
    for sample, delivery in inside.deliveries(name, [number]):
        said = await door.send(sample, delivery) + await door.fetched(sample, number)
        bad += bool(said)
        for one in said:
            print(f"{name} {number} ({sample.case}): {one}", flush=True)
    return bad


def again(file: Path) -> int:
    """Run an input of the folder `found` once more."""
    from tests.fuzz.targets import check, target_of

    check(target_of(file), file.read_bytes())
    print("nothing is wrong with it any more")
    return 0


def main() -> int:
    """Run both halves; exit 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--half", choices=("structure", "guided"))
    parser.add_argument(
        "--adapter", choices=adapters.names(), nargs="+", help="the structure-aware half for these alone"
    )
    parser.add_argument("--from", dest="first", type=int, default=0, help="the number of the first delivery")
    parser.add_argument("--at-least", type=int, default=AT_LEAST, help="proven deliveries of each adapter")
    parser.add_argument("--target", help="the coverage-guided half, for the targets whose names begin so")
    parser.add_argument("--again", type=Path, metavar="FILE", help="one input that was found")
    given = parser.parse_args()
    if given.again:
        return again(given.again)
    half = "structure" if given.adapter else "guided" if given.target else given.half
    guided: subprocess.Popen[bytes] | None = None
    if half != "structure" and find_spec("atheris"):
        # In a process of its own: only what is imported there is watched.
        guided = subprocess.Popen([sys.executable, "-m", "tests.fuzz.guided", str(given.seconds), given.target or ""])
    elif half != "structure":
        print("the coverage-guided half was LEFT OUT: atheris has no wheel for this Python and machine")
    bad = 0
    if half != "guided":
        names = given.adapter or list(adapters.names())
        bad += asyncio.run(fuzz(names, given.seconds, given.first, given.at_least))
    if guided is not None:
        bad += guided.wait()
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
