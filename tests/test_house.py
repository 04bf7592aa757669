"""The arrows point down: each floor imports its own and those below, and adapters import the contract alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("app", "adapters", "migrations") for path in (ROOT / folder).rglob("*.py"))

# Floors by folder, from the ground up. A folder imports itself and the floors below; no two folders share a floor.
FLOORS = (
    "adapters.contract",
    "adapters",
    "migrations",
    "app.base",
    "app.db.schema",
    "app.db",
    "app.store",
    "app.ingest",
    "app.background",
    "app.imports",
    "app.observability",
    "app",  # the service joins every part
    "app.web.http.schemas",
    "app.web.http",
    "app.web.api",
    "app.web",
    "app.cli",
    "app.cli.commands",
)
# The one module of the web that the command line may import; everywhere else it is a client of the API.
APPLICATION = "app.web.application"
# The command line's entry: it joins the commands, which stand on the rest of its folder.
ENTRY = ("app.cli", "app.cli.__main__")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_of(module: str) -> str:
    if module.startswith("adapters.") and not module.startswith("adapters.contract"):
        return "adapters"  # an adapter is a file, or a folder of its own
    return module if (ROOT / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]


def floor(module: str) -> int:
    return len(FLOORS) if module in ENTRY else FLOORS.index(folder_of(module))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from app.store import orders` means the room; `from app.ids import new_id` the thing in it.
            found |= {
                inner if (ROOT / inner.replace(".", "/")).with_suffix(".py").exists() else node.module
                for alias in node.names
                for inner in [f"{node.module}.{alias.name}"]
            }
    return {name for name in found if name.split(".")[0] in {"app", "adapters", "migrations", "tests", "bench"}}


@pytest.mark.parametrize("path", FILES, ids=[module_of(path) for path in FILES])
def test_arrows_point_down(path: Path) -> None:
    me = module_of(path)
    for other in imports(path):
        assert not other.startswith(("tests", "bench")), f"{me} imports {other}"
        assert floor(other) <= floor(me) or me == "migrations.env" or other == "migrations", (
            f"{me} imports {other}, a floor above"
        )
        if me.startswith("adapters.") and not me.startswith("adapters.contract") and me != "adapters.__main__":
            own = ".".join(me.split(".")[:2])
            assert other.startswith(("adapters.contract", own)), f"an adapter imports the contract alone, not {other}"
        if me.startswith("app.cli"):
            assert not other.startswith("app.web") or other == APPLICATION, (
                f"{me} imports {other}: the CLI is a client of the API"
            )
        if me.startswith("app.web"):
            assert not other.startswith("app.cli"), f"{me} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=[module_of(path) for path in FILES])
def test_only_the_store_speaks_sql_and_only_cellar_knows_no_clock(path: Path) -> None:
    me, text = module_of(path), path.read_text()
    if me.startswith("app") and not me.startswith(("app.store", "app.db")):
        for words in ("SELECT ", "INSERT INTO ", "UPDATE orders", "DELETE FROM "):
            assert words not in text, f"{me} speaks SQL: {words}"
    if me.startswith("adapters") and me != "adapters.__main__":
        for words in ("datetime.now(", "time.time(", "os.environ", "import httpx", "open("):
            assert words not in text, f"{me} is not pure: {words}"


def test_every_room_says_what_it_is_for() -> None:
    for path in FILES:
        if path.read_text().strip() and "versions" not in path.parts:
            assert ast.get_docstring(ast.parse(path.read_text())), f"{module_of(path)} has no docstring"


def test_no_room_has_a_name_that_says_nothing() -> None:
    assert not {path.stem for path in FILES} & {"utils", "helpers", "common", "core", "manager"}


def test_a_long_module_says_why() -> None:
    for path in FILES:
        text = path.read_text()
        if len(text.splitlines()) > 400 and "versions" not in path.parts:
            assert "longer than 400 lines:" in (ast.get_docstring(ast.parse(text)) or ""), module_of(path)
