"""README's table of sources is what the declarations say."""

from pathlib import Path

from adapters.__main__ import written

README = Path(__file__).parents[1] / "README.md"


def test_the_table_of_sources_is_todays() -> None:
    text = README.read_text("utf-8")
    assert written(text) == text, "an adapter has changed; run: .venv/bin/python -m adapters --write README.md"
