"""README and the pages in docs say what is true: generated tables, settings, commands, outcomes, links."""

import re
from pathlib import Path

import pytest
import typer.main

from adapters import contract
from adapters.__main__ import written
from app.base.outcome import ANSWERS, Outcome
from app.base.settings import PREFIX, Settings
from app.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    path
    for folder, pattern in (
        (ROOT, "*.md"),
        (ROOT / "docs", "**/*.md"),
        (ROOT / "app", "*.md"),
        (ROOT / "adapters", "*.md"),
    )
    for path in folder.glob(pattern)
)


@pytest.mark.parametrize("name", ["README.md", "docs/sources.md"])
def test_what_is_said_of_the_adapters_is_current(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert written(text) == text, (
        "an adapter has changed; run: .venv/bin/python -m adapters --write docs/sources.md README.md"
    )


@pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.relative_to(ROOT)}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            found = {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}
            assert heading in found, f"{path.relative_to(ROOT)}: {target}"


def test_how_to_add_a_source_names_what_the_contract_has() -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / "adapters/README.md").read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    spans = [re.sub(r"\[.*?\]", "", span) for span in re.findall(r"`([^`]+)`", text)]  # in brackets are made-up types
    names = {name for span in spans for name in re.findall(r"(?<![.\w\"])([A-Z][a-z]\w*|[a-z_]+(?=\())", span)}
    known = {*contract.__all__, *dir(contract.Adapter), "None", "True"}
    assert {"Header", "path"} <= names, "nothing is looked at"
    assert names <= known, f"the contract has no {names - known}"


def section(title: str) -> str:
    """Return one section of README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_setting_is_named() -> None:
    said = section("Settings")
    # `traces` is set by OpenTelemetry's own variables.
    assert not [name for name in Settings.model_fields if name != "traces" and f"`{PREFIX}{name.upper()}`" not in said]


def test_every_command_is_named() -> None:
    said = section("Commands")
    named = set(re.findall(r"`([a-z-]+)`", said))
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # it is a group
    assert commands <= named, f"not named: {commands - named}"


def test_every_outcome_is_named_with_its_answer() -> None:
    said = section("What a sender is answered")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("|")]
    found = {word: int(cells[1]) for cells in rows[2:] for word in re.findall(r"`(\w+)`", cells[0])}
    assert found == {outcome.value: status for outcome, status in ANSWERS.items() if outcome is not Outcome.NOT_FOUND}
