"""Writes what the documentation says of the adapters: `python -m adapters --write docs/sources.md README.md`.

Each file has some of these blocks, between `<!-- NAME -->` and `<!-- /NAME -->`: `sources`, how each is proven;
`platforms`, the titles alone; `lives`, what each tells of a sale's life. The number in "31 shop and payment platforms" is
counted anew. Without `--write` the table is printed. `tests/test_readme.py` fails when a file is not current.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import adapters
from adapters.contract import Adapter, Origin, Signature, Strength

COLUMNS = ("name", "title", "how a delivery is proven", "strength", "what it proves", "secret made by", "kinds")
BY_OPTIONS = "as its options say"
MADE_BY = {"theirs": "the source", "ours": "the registry"}
GROUPS = {Origin.COMMERCE: "Shops", Origin.PAYMENTS: "Payments", Origin.WEBHOOK: "Others"}


def table() -> str:
    """Return the whole table, one line per source."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(tuple(_row(adapters.load(name))) for name in adapters.names())]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


STAGE_TITLES = {
    "taken": "money taken",
    "taken_in_part": "in part",
    "given_back": "given back",
    "given_back_in_part": "in part",
    "undone": "giving back undone",
    "after_expiry": "paid after expiry",
}


def lives() -> str:
    """Return the table of what each source tells of a sale's life: by which kinds, or that it tells nothing of it."""
    head = ("name", "one sale is", *STAGE_TITLES.values())
    rows = [head, ("---",) * len(head)]
    for name in adapters.names():
        if (files("adapters") / "samples" / name / "life.toml").is_file():
            told = adapters.life(name)
            rows.append((f"`{name}`", str(told["sale"]), *(_stage(told[stage]) for stage in adapters.STAGES)))
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _stage(told: dict[str, Any]) -> str:
    if "none" in told:
        return f"– [{told.get('why', 'not told')}]({told['none']})"
    return " ".join(f"`{kind}`" for kind in told["kinds"])


def platforms() -> str:
    """Return the titles of all sources, one line per group."""
    loaded = [adapters.load(name) for name in adapters.names()]
    return "\n".join(
        f"- **{group}:** {', '.join(one.title for one in loaded if one.origin == origin)}."
        for origin, group in GROUPS.items()
    )


def counted() -> str:
    """Return the number of shop and payment platforms, in words that `written` finds again."""
    own = [name for name in adapters.names() if adapters.load(name).origin in (Origin.COMMERCE, Origin.PAYMENTS)]
    return f"{len(own)} shop and payment platforms"


BLOCKS: dict[str, Callable[[], str]] = {"sources": table, "platforms": platforms, "lives": lives}


def _row(adapter: Adapter[Any]) -> Iterator[str]:
    # An adapter that is told by its options how to read has neither a scheme nor kinds before it is given them.
    signature: Signature | None = getattr(adapter, "signature", None)
    yield f"`{adapter.name}`"
    yield adapter.title
    yield signature.description if signature else BY_OPTIONS
    yield f"`{signature.strength}`" if signature else BY_OPTIONS
    fetched = signature is not None and signature.strength is Strength.FETCHED
    if signature is None:
        yield BY_OPTIONS
    else:
        yield "nothing" if fetched else str(adapter.proof(adapter.options.model_construct()))
    if fetched:
        yield "–"
    else:
        yield MADE_BY[adapter.secret_made_by]
    yield str(len({*adapter.reads, *adapter.fetches})) if signature else BY_OPTIONS


def written(text: str) -> str:
    """Return the text with today's content in each of its blocks. Raises ValueError when it has none, or a broken one."""
    found = [name for name in BLOCKS if f"<!-- {name} -->" in text]
    if not found:
        raise ValueError(f"has no block: <!-- {' --> or <!-- '.join(BLOCKS)} -->")
    for name in found:
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if not (text.count(begin) == text.count(end) == 1 and text.index(begin) < text.index(end)):
            raise ValueError(f"needs {begin} and {end}, once each")
        before, after = text[: text.index(begin)], text[text.index(end) :]
        text = f"{before}{begin}\n{BLOCKS[name]()}\n{after}"
    return re.sub(r"\b\d+ shop and payment platforms", counted(), text)


def main() -> None:
    """Print the table, or write the blocks of the files that are named."""
    parser = argparse.ArgumentParser(prog="python -m adapters", description="The table of sources, as Markdown.")
    parser.add_argument("--write", type=Path, nargs="+", metavar="FILE", help="write the blocks of these files")
    files: list[Path] | None = parser.parse_args().write
    if files is None:
        print(table())
        return
    for file in files:
        try:
            file.write_text(written(file.read_text("utf-8")), "utf-8")
        except (OSError, ValueError) as fault:
            sys.exit(f"{file}: {fault}")


if __name__ == "__main__":
    main()
