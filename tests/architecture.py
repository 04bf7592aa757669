"""The generated parts of app/README.md: `python -m tests.architecture` writes them anew.

`picture` is a Mermaid diagram of the folders and of which imports which; `modules` a table for each folder, with the first
line of each module's docstring. Both are read from the source. `tests/test_architecture.py` fails when they are not current.
"""

import ast
from collections import defaultdict

from tests.test_house import ENTRY, FILES, FLOORS, ROOT, folder_of, imports, module_of

PAGE = ROOT / "app" / "README.md"


def picture() -> str:
    """Return the folders as a Mermaid diagram, each below those that import it."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        me = module_of(path)
        # The two that test_house lets point up: the command line's entry, and what alembic runs.
        if me not in ENTRY and not me.startswith("migrations"):
            arrows[folder_of(me)] |= {folder_of(other) for other in imports(path)} - {folder_of(me)}
    # An arrow that a way of several arrows stands for is left out: the picture has to be readable.
    drawn = {
        (folder, other)
        for folder, others in arrows.items()
        for other in others
        if not any(other in _reached(arrows, between) for between in others - {other})
    }
    order = {folder: number for number, folder in enumerate(FLOORS)}
    lines = ["```mermaid", "flowchart TD"]
    for folder in sorted({one for arrow in drawn for one in arrow}, key=order.__getitem__, reverse=True):
        label = "app/service.py" if folder == "app" else folder.replace(".", "/")
        lines.append(f'    {_id(folder)}["{label}"]')
    for folder, other in sorted(drawn, key=lambda arrow: (-order[arrow[0]], -order[arrow[1]])):
        lines.append(f"    {_id(folder)} --> {_id(other)}")
    return "\n".join([*lines, "```"])


def modules() -> str:
    """Return a table for each folder of app, from the top: module, and what it is for."""
    found: dict[str, list[str]] = defaultdict(list)
    heads: dict[str, str] = {}
    for path in FILES:
        module = module_of(path)
        if not module.startswith("app"):
            continue
        if path.stem == "__init__":
            heads[module] = _head(path.read_text("utf-8"))
        else:
            name = f"[{path.stem}]({path.relative_to(PAGE.parent)})"
            found[folder_of(module)].append(f"| {name} | {_head(path.read_text('utf-8'))} |")
    parts = []
    for folder in reversed(FLOORS):
        if folder in found:
            rows = "\n".join(found[folder])
            parts.append(
                f"### {folder.replace('.', '/')}\n\n{heads[folder]}\n\n| module | what it is for |\n|---|---|\n{rows}"
            )
    return "\n\n".join(parts)


def written(text: str) -> str:
    """Return the page with both parts as they are today. Raises ValueError when a mark is missing."""
    for name, content in (("picture", picture()), ("modules", modules())):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, after = text[: text.index(begin)], text[text.index(end) :]
        text = f"{before}{begin}\n\n{content}\n\n{after}"
    return text


def _head(source: str) -> str:
    """Return the first line of a module's docstring, escaped for a table's cell."""
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].replace("|", "\\|")


def _id(folder: str) -> str:
    return folder.replace(".", "_")


def _reached(arrows: dict[str, set[str]], start: str) -> set[str]:
    """Return every folder that the one at the start imports, directly or not."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in arrows.get(waiting.pop(), set()) - found:
            found.add(other)
            waiting.append(other)
    return found


def main() -> None:
    """Write both parts into app/README.md."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
