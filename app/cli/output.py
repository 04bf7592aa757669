"""The output of the command line: tables for people, JSON for programs, one line for an error."""

import codecs
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

import typer

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

PROGRAM = "orders-registry"
# A pipe has no width; wide enough that no line of a table is broken there.
PIPE_WIDTH = 1000
# By a column's heading the field of the API, or what makes its cell of a row.
Fields = Mapping[str, str | Callable[[Any], Any]]


class CommandFailed(Exception):
    """Raised when a command failed or was refused: one clear line, exit code 1."""


class Misuse(Exception):
    """Raised when a command was called in a wrong way: exit code 2."""


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def confirm(question: str, *, yes: bool, lost: str) -> None:
    """Ask on a terminal before what cannot be undone (`lost`, such as "erasing"), unless `yes`. Raises Misuse without a yes."""
    if yes:
        return
    if not on_terminal():
        raise Misuse(f"{lost} cannot be undone: confirm with --yes")
    if not typer.confirm(question):
        raise Misuse("nothing was changed")


def as_json(document: Any) -> None:
    """Print the document as indented JSON."""
    print(on_this(json.dumps(document, ensure_ascii=False, indent=2)))


def as_json_line(document: Any) -> None:
    """Print the document as one line of JSON, and flush it: readers of a log read line by line."""
    print(on_this(json.dumps(document, ensure_ascii=False)), flush=True)


class _Terminal:
    """Writes bytes or text that came from elsewhere (a body, a file) to a terminal, as `seen` shows them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, piece: bytes | str) -> int:
        """Write a piece; a character may end in the next one."""
        sys.stdout.write(seen(piece if isinstance(piece, str) else self._decoder.decode(piece)))
        return len(piece)

    def flush(self) -> None:
        """Flush standard output."""
        sys.stdout.flush()


def standard_output() -> IO[bytes]:
    """Return standard output for bytes that came from elsewhere: as they are in a pipe, without controls on a terminal."""
    return cast(IO[bytes], _Terminal()) if on_terminal() else sys.stdout.buffer


def terminal_or_stdout() -> IO[str]:
    """Return standard output for text that came from elsewhere, as in `standard_output`."""
    return cast(IO[str], _Terminal()) if on_terminal() else sys.stdout


def on_this(document: str) -> str:
    r"""Return JSON for standard output: on a terminal what could move the cursor or turn the text is written \uXXXX."""
    if not on_terminal():
        return document
    return "".join(char if _shows(char) else json.dumps(char)[1:-1] for char in document)


def seen(text: str) -> str:
    """Return text for a terminal: lines and tabs stay, every other character that shows nothing becomes U+FFFD."""
    return "".join(char if _shows(char) or char == "\t" else "\ufffd" for char in text)


def _shows(char: str) -> bool:
    """Return whether a character only shows itself: no control (C0, C1), no mark that turns the text around or is unseen."""
    return char.isprintable() or char == "\n"


def note(text: str) -> None:
    """Print a remark to standard error, so that a pipe gets the result alone."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(columns: Callable[[], Iterable["ProgressColumn"]], *, shown: bool = True) -> Iterator[Callable[..., None]]:
    """Show a bar with these columns on a terminal; nothing in a pipe.

    Yields what changes it: `total`, `completed`, `advance`, `description`, or a field of a column's own.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda **changed: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*columns(), console=Console(stderr=True), transient=True, speed_estimate_period=15) as bar:
        yield partial(bar.update, bar.add_task("", total=None, rows=0, rate=0.0))


def facts(pairs: Mapping[str, Any]) -> None:
    """Print names and values, one pair per line."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        grid.add_row(name, Text(plain(value)))
    _printed(grid)


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "none") -> None:
    """Print a table. In a pipe it has no lines and no colours, and each row is one line."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    found = list(rows)
    if title:
        _printed(Text(title, style="bold"))
    if not found:
        print(empty)
        return
    shown = Table(box=box.SIMPLE_HEAD if on_terminal() else None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column.startswith(">")
        shown.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in found:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    _printed(shown)


def listed(fields: Fields, *, of: str = "data", title: str | None = None, empty: str = "none") -> Callable[[Any], None]:
    """Return what prints a list in an answer of the API, its `of`, as a table.

    A field that is a time, by its name, is shown as `when` shows it.
    """

    def show(found: Any) -> None:
        table(title, tuple(fields), [cells(one, fields) for one in found[of]], empty=empty)

    return show


def show_secrets(found: Any) -> None:
    """Print the secrets of a source or a subscription."""
    fields = {"id": "id", "made": "created_at", "ends": "expires_at", "revoked": "revoked_at"}
    listed(fields, of="secrets", title="\nsecrets")(found)


def cells(row: Any, fields: Fields) -> list[Any]:
    """Return a row's cells."""
    return [_cell(row, field) for field in fields.values()]


def _cell(row: Any, field: str | Callable[[Any], Any]) -> Any:
    if callable(field):
        return field(row)
    return when(row[field]) if field == "at" or field.endswith("_at") else row[field]


def _printed(thing: Any) -> None:
    """Print what rich shows: with colours on a terminal, as plain text in a pipe."""
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    with out.capture() as captured:
        out.print(thing)
    # Columns are filled up with blanks to the right, which nobody wants in a file.
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def plain(value: Any) -> str:
    """Return a value of the API as text for people, without control characters."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value) or "–"
    if isinstance(value, dict):
        return plain(json.dumps(value, ensure_ascii=False)) if value else "–"
    return "".join(char if char.isprintable() else "\ufffd" for char in str(value))


_STYLES = {
    "green": "paid created updated running done",
    "yellow": "pending partially_paid held fetching waiting",
    "magenta": "overdue",
    "cyan": "refunded",
    "dim": "canceled unchanged duplicate ignored stopped",
    "red": "failed unfetched unreadable unverified oversized disabled busy",
}
STATUS_STYLES = {word: style for style, words in _STYLES.items() for word in words.split()}


def word(text: str | None) -> Any:
    """Return a status or an outcome, coloured on a terminal."""
    from rich.text import Text

    return Text(plain(text or None), style=STATUS_STYLES.get(text or "", ""))


def when(iso: str | None) -> str:
    """Return an ISO 8601 time to the second, for people."""
    if not iso:
        return "–"
    head, _, _ = iso.removesuffix("Z").partition(".")
    return head.replace("T", " ") + "Z"
