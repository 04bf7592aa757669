"""What every test of the command line may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.installation import Installation


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.stop()
