"""What every test of the command line may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.installation import Installation
from tests.cli.warm import Warm


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    running = Warm(tmp_path_factory.mktemp("warm"))
    yield running
    running.stop()


@pytest.fixture
def here(tmp_path: Path, warm: Warm) -> Iterator[Installation]:
    installation = Installation(tmp_path, warm)
    yield installation
    installation.stop()
