"""What the store says when an engine cannot answer."""

import pytest

from app.db.engine import Unavailable


@pytest.mark.parametrize(
    ("fault", "says"),
    [(TimeoutError(), "the database did not answer in time"), (OSError("disk full"), "disk full"), ("gone", "gone")],
)
def test_why_the_database_is_unavailable_is_never_empty(fault: Exception | str, says: str) -> None:
    assert str(Unavailable(fault)) == says
