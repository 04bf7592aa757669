"""What people who look on cost the intake: full load without a console, and with five that follow the log live.

Each console is what the real one is to the server: a session's cookie, the overview when it opens and again now and then
(the page itself loads it when somebody goes there, and never by the clock), and the live tail of every delivery without a
filter, which is the dearest. They are raw sockets in one process (`bench/watching.py`); what that process itself takes of
the two cores that it shares with the server and the load is printed beside the ratio, as seconds of CPU per second.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from rich.console import Console

from bench import intake
from bench.contenders import Contender, OursPostgresql, OursSqlite
from bench.harness import RUNS, Bar, Figures, NotMeasured, fsync_ms, interleave
from bench.load import CONNECTIONS

CONSOLES = 5
LEAST = 0.9  # of the rate without any


class SqliteWatched(OursSqlite):
    """The same, with people who look on."""

    name = "sqlite-watched"
    watched: ClassVar[bool] = True


class PostgresqlWatched(OursPostgresql):
    """The same, with people who look on."""

    name = "postgresql-watched"
    watched: ClassVar[bool] = True


PAIRS: dict[str, tuple[type[Contender], type[Contender]]] = {
    "sqlite": (OursSqlite, SqliteWatched),
    "postgresql": (OursPostgresql, PostgresqlWatched),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench consoles` takes."""
    parser.add_argument("--engine", choices=[*PAIRS, "both"], default="both")
    parser.add_argument("--consoles", type=int, default=CONSOLES, help=f"default {CONSOLES}")
    parser.add_argument("--overview", type=float, default=10.0, help="seconds between two loads of each overview")
    parser.add_argument("--seconds", type=float, default=6.0, help="measured seconds in each turn (default 6)")
    parser.add_argument("--warmup", type=float, default=1.5, help="seconds before each (default 1.5)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of turns (default 5)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"default {CONNECTIONS}")
    parser.add_argument("--dir", type=Path, default=RUNS, help="where databases go while it runs; a real disk")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures: a bench reports, a test judges."""
    seen: dict[str, list[dict[str, float]]] = {}

    def measure(contender: Contender, url: str, secret: str) -> Figures:
        def loaded() -> Figures:
            return intake.load(
                url, secret, given.seconds, warmup=given.warmup, connections=given.connections, expect=contender.expect
            )

        if not getattr(contender, "watched", False):
            return loaded()
        with watching(url, contender.told["token"], given.consoles, given.overview) as told:
            figures = loaded()
        seen.setdefault(contender.name, []).append(told)
        return figures

    pairs = PAIRS.values() if given.engine == "both" else [PAIRS[given.engine]]
    bars = [Bar(left=watched.name, right=alone.name, factor=LEAST) for alone, watched in pairs]
    conditions: dict[str, object] = {
        "python": platform.python_version(), "consoles": given.consoles, "seconds": given.seconds, "rounds": given.rounds,
        "connections": given.connections, "fsync_ms": fsync_ms(given.dir),
    }  # fmt: skip
    kinds = [kind for pair in pairs for kind in pair]
    outcomes = interleave(kinds, measure, rounds=given.rounds, parent=given.dir, progress=Console(stderr=True))
    console = Console()
    intake.show(console, conditions, outcomes, [bar.judge(outcomes, intake.RATE) for bar in bars])
    for name, turns in seen.items():
        for_each = {word: sum(turn[word] / turn["seconds"] for turn in turns) / len(turns) for word in turns[0]}
        console.print(
            f"{name}: {for_each['events'] / given.consoles:,.0f} events a second and console, "
            f"{for_each['missed'] / given.consoles:,.0f} told as missed, {for_each['bytes'] / 1e6:.1f} MB/s in all, "
            f"{sum(turn['overviews'] for turn in turns):.0f} overviews; the clients took {for_each['cpu']:.2f} of a core",
            highlight=False,
        )
    return 0


@contextmanager
def watching(url: str, token: str, consoles: int, overview: float) -> Iterator[dict[str, Any]]:
    """Consoles open around a block; afterwards holds what they saw. Raises NotMeasured."""
    at = urlsplit(url)
    command = [sys.executable, "-m", "bench.watching", "--address", f"{at.scheme}://{at.netloc}", "--token", token]
    command += ["--consoles", str(consoles), "--overview", str(overview)]
    told: dict[str, Any] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        try:
            if not process.stdout.readline():
                raise NotMeasured(process.stderr.read().strip().rpartition("\n")[2] or "no console could be opened")
            yield told
        finally:
            process.stdin.close()
        said = process.stdout.readline()
        if not said:
            raise NotMeasured(process.stderr.read().strip().rpartition("\n")[2] or "the consoles ended early")
        told |= json.loads(said)
