"""Folders that are not part of the project: what platforms send and document is not ours to hand on.

A variable names each, or it lies beside the checkout; `.ci/run` sets the variable where it does. One that is named and
isn't there ends the run. Where there is none, what needs it is left out, and the end of the run says so.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Payloads = Callable[..., list[Path]]  # the fixture `payloads`: an adapter's name, a pattern of names -> its files
BESIDE = Path(__file__).parents[2] / "shared"
VARIABLES = {
    "payloads": "ORDERS_TEST_PAYLOADS",  # one body a file, in a folder for each adapter
    "scenarios": "ORDERS_TEST_SCENARIOS",  # stories of several deliveries, in a folder for each
}


def folder(name: str) -> Path | None:
    """The folder; None when it is neither named nor beside the checkout. Raises pytest.UsageError when it is only named."""
    named = os.environ.get(VARIABLES[name])
    found = Path(named) if named else BESIDE / name
    if named and not found.is_dir():
        raise pytest.UsageError(f"{VARIABLES[name]} names {named}, and there is no such folder")
    return found if found.is_dir() else None


def missing() -> list[str]:
    """The names of the folders that are not there. Raises pytest.UsageError as `folder` does."""
    return [name for name in VARIABLES if folder(name) is None]
