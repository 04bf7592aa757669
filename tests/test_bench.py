"""The benches still run: at their smallest, for what they say is measured by hand."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "words",
    [
        "registry --engine sqlite --small 20 --large 40 --times 1",
        "log --engine sqlite --small 20 --large 40 --times 1",
        "mixed --deliveries 40 --rounds 1",
        "intake --only ours-sqlite --seconds 0.2 --warmup 0.1 --rounds 1",
    ],
)
def test_a_bench_runs(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words.split()], check=False, capture_output=True, text=True, timeout=240
    )
    # 1: a bar was missed, as so small a run may.
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr and done.stdout, done.stderr[-2000:]
