"""docs/security.md: each of its sentences names a test, and the tests that it names exist."""

import ast
import re
from pathlib import Path

import pytest

PAGE = Path("docs/security.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def statements() -> list[str]:
    """The list items and the rows of tables: what the page states."""
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| ---")]
    heads = {lines[at - 1] for at, line in enumerate(lines) if line.startswith("| ---")}
    return [line for line in lines if line.startswith("- ")] + [row for row in rows if row not in heads]


@pytest.mark.parametrize("said", statements(), ids=lambda said: said[2:40])
def test_a_statement_names_tests_that_exist(said: str) -> None:
    named = NAMED.findall(said)
    assert named, "a sentence without a test is a wish"
    for file, test in named:
        made = ast.walk(ast.parse(Path(file).read_text("utf-8")))
        assert test in {one.name for one in made if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}, (
            file,
            test,
        )
