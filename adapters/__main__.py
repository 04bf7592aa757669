"""`python -m adapters`: the table of sources as Markdown, from the declarations; `--write FILE` puts it between the marks."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adapters
from adapters.contract import Adapter, Signature, Strength

BEGIN, END = "<!-- sources -->", "<!-- /sources -->"
COLUMNS = ("name", "title", "how a delivery is proven", "strength", "secret made by", "kinds")
BY_OPTIONS = "as its options say"
MADE_BY = {"theirs": "the source", "ours": "the registry"}


def table() -> str:
    """The whole table, a line a source."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(tuple(_row(adapters.load(name))) for name in adapters.names())]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _row(adapter: Adapter[Any]) -> Iterator[str]:
    # An adapter that is told by its options how to read has neither a scheme nor kinds before it is given them.
    signature: Signature | None = getattr(adapter, "signature", None)
    yield f"`{adapter.name}`"
    yield adapter.title
    yield signature.description if signature else BY_OPTIONS
    yield f"`{signature.strength}`" if signature else BY_OPTIONS
    if signature and signature.strength is Strength.FETCHED:
        yield "–"
    else:
        yield MADE_BY[adapter.secret_made_by]
    yield str(len({*adapter.reads, *adapter.fetches})) if signature else BY_OPTIONS


def written(text: str) -> str:
    """The text with today's table between its marks. Raises ValueError when it does not have them once each, in order."""
    if not (text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)):
        raise ValueError(f"needs {BEGIN} and {END}, once each")
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text)


def main() -> None:
    """Prints the table, or writes it into a file."""
    parser = argparse.ArgumentParser(prog="python -m adapters", description="The table of sources, as Markdown.")
    parser.add_argument("--write", type=Path, metavar="FILE", help=f"put it between {BEGIN} and {END} of this file")
    file: Path | None = parser.parse_args().write
    if file is None:
        print(table())
        return
    try:
        file.write_text(written(file.read_text("utf-8")), "utf-8")
    except (OSError, ValueError) as fault:
        sys.exit(f"{file}: {fault}")


if __name__ == "__main__":
    main()
