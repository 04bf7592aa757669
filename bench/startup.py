"""How long a start imports, in processes of their own, with bytecode in place as an installed service has it."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from rich.console import Console

IMPORTED = ("app.web.application", "app.cli")
BAR = 0.5  # seconds, for the application


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench startup` takes."""
    parser.add_argument("--rounds", type=int, default=9, help="measured processes of each (default 9)")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures: a bench reports, a test judges."""
    console = Console()
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache
        for module in IMPORTED:
            seconds(module, environment)  # writes the bytecode
            found = sorted(seconds(module, environment) for _ in range(given.rounds))
            median = statistics.median(found)
            verdict = "" if module != IMPORTED[0] else f"  {'pass' if median < BAR else 'miss'} (bar {BAR} s)"
            console.print(f"import {module}: {median:.2f} s ({found[0]:.2f}-{found[-1]:.2f}){verdict}", highlight=False)
    return 0


def seconds(module: str, environment: dict[str, str]) -> float:
    """Wall-clock seconds from the process's start to its end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
    return time.perf_counter() - begun
