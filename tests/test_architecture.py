"""app/README.md shows the folders and modules that there are."""

from tests.architecture import PAGE, written


def test_the_picture_and_the_list_of_modules_are_current() -> None:
    text = PAGE.read_text("utf-8")
    assert written(text) == text, "a module has changed; run: .venv/bin/python -m tests.architecture"
