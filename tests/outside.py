"""Folders that are not part of the project: what platforms send or document is not ours to hand on.

A variable names each of them; see `.ci/run`. Where none does, the tests that ask for the fixture of the same name are
left out, and the run says so (`conftest.py`); where one names a folder that isn't there, the run fails.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Payloads = Callable[..., list[Path]]  # the fixture `payloads`: an adapter's name, a pattern of names -> its files
VARIABLES = {
    "payloads": "ORDERS_TEST_PAYLOADS",  # one body a file, in a folder for each adapter
    "scenarios": "ORDERS_TEST_SCENARIOS",  # several deliveries of one sale, in a folder for each
}


def folder(name: str) -> Path | None:
    """The folder, None when no variable names it. Raises pytest.UsageError when there is no such folder."""
    named = os.environ.get(VARIABLES[name], "")
    if named and not Path(named).is_dir():
        raise pytest.UsageError(f"{VARIABLES[name]} names {named}, and there is no such folder")
    return Path(named) if named else None


def missing() -> dict[str, str]:
    """The fixtures whose tests are left out, each with its variable. Raises pytest.UsageError as `folder` does."""
    return {name: variable for name, variable in VARIABLES.items() if folder(name) is None}
