"""`python -m bench [NAME]`: one subcommand per bench; `intake` when none is named.

A bench is a module with `add_arguments(parser)` and `run(given) -> int`, entered below under the word that calls it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType
from typing import Protocol

from bench import consoles, intake, log, mixed, overload, registry, startup, transfer


class Bench(Protocol):
    """What a bench's module offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, given: argparse.Namespace) -> int: ...


BENCHES: dict[str, Bench] = {
    "consoles": consoles,
    "intake": intake,
    "load": overload,
    "log": log,
    "mixed": mixed,
    "registry": registry,
    "startup": startup,
    "transfer": transfer,
}
DEFAULT = "intake"


def main(arguments: list[str]) -> int:
    """Choose a bench and run it."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = [DEFAULT, *arguments]
    parser = argparse.ArgumentParser(prog="python -m bench", epilog=f"without a name: {DEFAULT}")
    benches = parser.add_subparsers(dest="bench", required=True, metavar="NAME")
    for name, bench in BENCHES.items():
        about = (bench.__doc__ or "").strip()
        bench.add_arguments(benches.add_parser(name, help=about, description=about))
    given = parser.parse_args(arguments)
    return BENCHES[given.bench].run(given)


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave through the context managers, so that no contender stays behind."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
