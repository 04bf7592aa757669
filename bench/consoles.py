"""What people who look on cost the intake: full load without a console, and with five that follow the log live.

Each console is what the real one is to the server: a session's cookie, the overview when it opens and again now and then
(the page itself loads it when somebody goes there, and never by the clock), and the live tail of every delivery without a
filter, which is the dearest. They are raw sockets in one process (`bench/watching.py`); what that process itself takes of
the two cores that it shares with the server and the load is printed beside the ratio.

Both are measured on one running server, in pairs, each pair the other way round than the one before: from one start of a
server to the next the rate differs by more than what is asked here, and a table that grows falls out of the comparison.
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
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from bench import intake
from bench.contenders import CannotStart, Contender, OursPostgresql, OursSqlite
from bench.harness import RUNS, Bar, Figures, NotMeasured, Outcome, fresh_directory, fsync_ms
from bench.load import CONNECTIONS

CONSOLES = 5
LEAST = 0.9  # of the rate without any

ENGINES: dict[str, type[Contender]] = {"sqlite": OursSqlite, "postgresql": OursPostgresql}
APART = 1_000_000  # numbers of orders between two turns; none sends so many


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench consoles` takes."""
    parser.add_argument("--engine", choices=[*ENGINES, "both"], default="both")
    parser.add_argument("--consoles", type=int, default=CONSOLES, help=f"default {CONSOLES}")
    parser.add_argument("--overview", type=float, default=10.0, help="seconds between two loads of each overview")
    parser.add_argument("--seconds", type=float, default=4.0, help="measured seconds in each turn (default 4)")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds before each (default 0.5)")
    parser.add_argument("--rounds", type=int, default=8, help="pairs of turns (default 8)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"default {CONNECTIONS}")
    parser.add_argument("--dir", type=Path, default=RUNS, help="where databases go while it runs; a real disk")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures: a bench reports, a test judges."""
    console = Console()
    for engine in ENGINES if given.engine == "both" else [given.engine]:
        kind = ENGINES[engine]
        alone, watched = Outcome(contender=kind), Outcome(contender=kind)
        seen: list[dict[str, float]] = []
        try:
            with Console(stderr=True).status(engine):
                _measure(kind, alone, watched, seen, given)
        except (CannotStart, NotMeasured) as failure:
            watched.failures.append(str(failure))
        names = kind.name, f"with {given.consoles} consoles"
        outcomes = dict(zip(names, (alone, watched), strict=True))
        bar = Bar(left=names[1], right=names[0], factor=LEAST)
        conditions: dict[str, object] = {
            "python": platform.python_version(),
            "seconds": given.seconds,
            "pairs": given.rounds,
            "connections": given.connections,
            "fsync_ms": fsync_ms(given.dir),
        }
        intake.show(console, conditions, outcomes, [bar.judge(outcomes, intake.RATE)])
        if seen:
            _show_consoles(console, seen, given.consoles)
    return 0


def _measure(
    kind: type[Contender], alone: Outcome, watched: Outcome, seen: list[dict[str, float]], given: argparse.Namespace
) -> None:
    contender = kind()
    turns = iter(range(1, 1_000))

    with fresh_directory(given.dir) as directory, contender.running(directory) as (url, secret):

        def loaded() -> Figures:
            return intake.load(
                url,
                secret,
                given.seconds,
                warmup=given.warmup,
                connections=given.connections,
                expect=contender.expect,
                start=next(turns) * APART,
            )

        def with_consoles() -> Figures:
            with watching(url, contender.told["token"], given.consoles, given.overview) as told:
                figures = loaded()
            seen.append(told)
            return figures

        loaded()  # the first stretch after a start is like no other
        for number in range(given.rounds):
            pair = [(alone, loaded), (watched, with_consoles)]
            for outcome, turn in pair if number % 2 == 0 else reversed(pair):
                outcome.rounds.append(turn())


def _show_consoles(console: Console, seen: list[dict[str, float]], consoles: int) -> None:
    each = {word: sum(turn[word] / turn["seconds"] for turn in seen) / len(seen) for word in seen[0]}
    console.print(
        f"{each['events'] / consoles:,.0f} events a second and console, {each['missed'] / consoles:,.0f} told as missed, "
        f"{each['bytes'] / 1e6:.1f} MB/s in all, {sum(turn['overviews'] for turn in seen):.0f} overviews; "
        f"the consoles' own process took {each['cpu']:.3f} of a core",
        highlight=False,
        soft_wrap=True,
    )


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
