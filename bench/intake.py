"""How many signed deliveries a second become orders on disk, and how that compares."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.bodies import mean_size
from bench.contenders import BY_NAME, INTAKE, Contender
from bench.harness import RUNS, Bar, Figures, NotMeasured, Outcome, Verdict, fsync_ms, interleave
from bench.load import CONNECTIONS, GRACE

BARS = (
    Bar(left="ours-sqlite", right="fastapi-peer", factor=15),
    Bar(left="ours-sqlite", right="storage-free", factor=0.35),
    Bar(left="ours-postgresql", right="ours-sqlite", factor=0.7),
)
RATE = "per_second"
BASELINE = "fastapi-peer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench intake` takes."""
    parser.add_argument("--seconds", type=float, default=8.0, help="measured seconds in each turn (default 8)")
    parser.add_argument("--warmup", type=float, default=1.5, help="seconds before each (default 1.5)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender (default 3)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"default {CONNECTIONS}")
    parser.add_argument("--only", nargs="+", choices=sorted(BY_NAME), metavar="NAME", help=", ".join(BY_NAME))
    parser.add_argument("--dir", type=Path, default=RUNS, help="where databases go while it runs; a real disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures: a bench reports, a test judges."""
    kinds = [BY_NAME[name] for name in given.only] if given.only else list(INTAKE)

    def measure(contender: Contender, url: str, secret: str) -> Figures:
        return load(
            url, secret, given.seconds, warmup=given.warmup, connections=given.connections, expect=contender.expect
        )

    progress = Console(stderr=True)
    fsync = fsync_ms(given.dir)
    outcomes = interleave(kinds, measure, rounds=given.rounds, parent=given.dir, progress=progress)
    verdicts = [bar.judge(outcomes, RATE) for bar in BARS]
    conditions = {
        "python": platform.python_version(),
        "seconds": given.seconds,
        "rounds": given.rounds,
        "connections": given.connections,
        "body_bytes": round(mean_size()),
        "fsync_ms": fsync,
    }
    if given.json:
        print(json.dumps(as_json(conditions, outcomes, verdicts)))
    else:
        show(Console(), conditions, outcomes, verdicts)
    return 0


def load(
    url: str, secret: str, seconds: float, *, warmup: float, connections: int, expect: str, start: int = 0
) -> Figures:
    """One turn of load from a process of its own; `start` is the number of its first order."""
    command = [sys.executable, "-m", "bench.load", "--url", url, f"--secret={secret}", f"--seconds={seconds}"]
    command += [f"--warmup={warmup}", f"--connections={connections}", f"--expect={expect}", f"--start={start}"]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=seconds + warmup + 2 * GRACE + 30
        )
    except subprocess.TimeoutExpired as late:
        raise NotMeasured(f"the load did not end within {late.timeout:.0f} s") from late
    if done.returncode:
        raise NotMeasured(done.stderr.strip().rpartition("\n")[2] or f"the load ended with code {done.returncode}")
    found = json.loads(done.stdout)
    faults = found["unexpected"] + sum(found["refused"].values()) + found["broken"]
    if not found["accepted"]:
        raise NotMeasured(f"no delivery was accepted; the first answer was {found['first_answer']!r}")
    return {RATE: found[RATE], "p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"], "faults": faults}


def as_json(conditions: dict[str, object], outcomes: dict[str, Outcome], verdicts: list[Verdict]) -> dict[str, object]:
    """Everything measured, for a machine."""
    return {
        "bench": "intake",
        "conditions": conditions,
        "contenders": {
            name: {
                "median": {figure: each.median(figure) for figure in each.rounds[0]} if each.rounds else None,
                "rounds": each.rounds,
                "failures": each.failures,
            }
            for name, each in outcomes.items()
        },
        "bars": [{"bar": str(each.bar), "ratio": each.ratio, "verdict": each.word} for each in verdicts],
    }


def show(
    console: Console, conditions: dict[str, object], outcomes: dict[str, Outcome], verdicts: list[Verdict]
) -> None:
    """The table and the bars, for a person."""
    table = Table(title="Intake: signed deliveries to orders")
    table.add_column("contender", no_wrap=True)
    for heading in ("per second", "low-high", "p50 ms", "p99 ms", "x peer", "faults"):
        table.add_column(heading, justify="right", no_wrap=True)
    baseline = outcomes[BASELINE].median(RATE) if BASELINE in outcomes else None
    for name, each in outcomes.items():
        rate, spread = each.median(RATE), each.spread(RATE)
        if rate is None or spread is None:
            table.add_row(name, *["-"] * 6)
            continue
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{spread[0]:,.0f}-{spread[1]:,.0f}",
            f"{each.median('p50_ms'):.2f}",
            f"{each.median('p99_ms'):.2f}",
            f"{rate / baseline:.2f}" if baseline else "-",
            f"{sum(figures['faults'] for figures in each.rounds):.0f}",
        )
    console.print(table)
    console.print(
        ", ".join(f"{name} {value}" for name, value in conditions.items()), style="dim", highlight=False, soft_wrap=True
    )
    for name, each in outcomes.items():
        for failure in each.failures:
            console.print(f"{name} {failure}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    for verdict in verdicts:
        ratio = "" if verdict.ratio is None else f"  ({verdict.ratio:.2f})"
        style = {"pass": "green", "miss": "bold red"}.get(verdict.word, "yellow")
        console.print(f"{verdict.word:>12}  {verdict.bar}{ratio}", style=style, markup=False, highlight=False)
