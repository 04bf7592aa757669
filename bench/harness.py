"""What every bench here shares: fresh data for each run, interleaved rounds, medians, and bars told plainly.

A machine drifts while a bench runs (caches, heat, neighbours), so the contenders take turns, A B C A B C, and the
median round of each is compared. Every turn starts the contender anew on an empty directory, so that none runs on a
bigger table or beside an idle neighbour. A bench brings its own measurement: a function from a running contender to
figures.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from bench.contenders import CannotStart, Contender

RUNS = (
    Path(__file__).parent / ".runs"
)  # beside the code: a system's temporary directory may be memory, where fsync is free

Figures = Mapping[str, float]
Measure = Callable[[Contender, str, str], Figures]


class NotMeasured(Exception):
    """A turn that yielded no figures; the message is the reason in one line."""


@dataclass(kw_only=True)
class Outcome:
    """What a contender showed: the figures of each round, or why there are none."""

    contender: type[Contender]
    rounds: list[Figures] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def median(self, figure: str) -> float | None:
        """The median over the rounds; None when there was no round."""
        return statistics.median(each[figure] for each in self.rounds) if self.rounds else None

    def spread(self, figure: str) -> tuple[float, float] | None:
        """The lowest and the highest round."""
        values = [each[figure] for each in self.rounds]
        return (min(values), max(values)) if values else None


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A promise about two contenders: `left` does at least `factor` times what `right` does."""

    left: str
    right: str
    factor: float

    def __str__(self) -> str:
        return f"{self.left} >= {self.factor:g} x {self.right}"

    def judge(self, outcomes: Mapping[str, Outcome], figure: str) -> Verdict:
        """Hold the bar against what was measured."""
        left, right = (outcomes[name].median(figure) if name in outcomes else None for name in (self.left, self.right))
        return Verdict(bar=self, ratio=left / right if left is not None and right else None)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A bar and what was measured of it."""

    bar: Bar
    ratio: float | None

    @property
    def word(self) -> str:
        """`pass`, `miss`, or `not measured`."""
        if self.ratio is None:
            return "not measured"
        return "pass" if self.ratio >= self.bar.factor else "miss"


@contextmanager
def fresh_directory(parent: Path) -> Iterator[Path]:
    """An empty directory under `parent`, gone afterwards whatever a contender left in it."""
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def interleave(
    contenders: Sequence[type[Contender]], measure: Measure, *, rounds: int, parent: Path, progress: Console
) -> dict[str, Outcome]:
    """Let the contenders take turns; one that fails a turn is left out of the later ones."""
    outcomes = {kind.name: Outcome(contender=kind) for kind in contenders}
    for number in range(1, rounds + 1):
        for kind in contenders:
            outcome = outcomes[kind.name]
            if outcome.failures:
                continue
            contender = kind()
            with progress.status(f"round {number} of {rounds}: {kind.name}"), fresh_directory(parent) as directory:
                try:
                    with contender.running(directory) as (url, secret):
                        outcome.rounds.append(measure(contender, url, secret))
                except CannotStart as failure:
                    outcome.failures.append(f"could not start: {failure}")
                except NotMeasured as failure:
                    outcome.failures.append(f"was not measured in round {number}: {failure}")
    return outcomes


def fsync_ms(parent: Path, times: int = 100) -> float:
    """Median time of one small appended write and its fsync under `parent`: the disk's part in every figure."""
    with fresh_directory(parent) as directory:
        file = os.open(directory / "probe", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            waits = []
            for _ in range(times):
                begun = time.perf_counter()
                os.write(file, b"x" * 4096)
                os.fsync(file)
                waits.append(time.perf_counter() - begun)
        finally:
            os.close(file)
    return round(1000 * statistics.median(waits), 3)
