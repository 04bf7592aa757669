"""A source is added by one file and one folder of samples."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_copied_adapter_under_another_name_passes_the_suite() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.adding_a_source"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count("100%]") == 3, done.stdout[-4000:]
