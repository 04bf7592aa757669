"""`import`, `export`, `contacts import`: files of any size, a part at a time."""

import gc
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from app.cli.commands import contacts as people
from app.cli.filters import ORDERS, Where, filtered
from app.cli.output import Account, CommandFailed, Json, Misuse, command, facts, group, plain

main = group("Files.")

Text = str | None
File = Annotated[str, typer.Argument(metavar="FILE", help="A .csv or .jsonl file; - reads standard input.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would become of every line; write nothing.")]
Form = Annotated[Text, typer.Option("--format", help="csv or jsonl; else as the file's name or beginning says.")]
Encoding = Annotated[str, typer.Option("--encoding", help="Of the file, such as cp1252 for an old spreadsheet.")]
Unknown = Annotated[bool, typer.Option("--ignore-unknown", help="Pass over columns that are none of ours.")]
MapSource = Annotated[
    list[str] | None,
    typer.Option(
        "--map-source", metavar="OLD=NEW", help="The source here that stands for one elsewhere; OLD= for none."
    ),
]
ExportForm = Annotated[str, typer.Option("--format", help="csv or jsonl.")]
Output = Annotated[Path | None, typer.Option("--output", help="A new file; else standard output.")]
Excel = Annotated[bool, typer.Option("--excel", help="CSV as spreadsheets open it: with a byte order mark and ;.")]

_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
COUNTS = ("created", "updated", "unchanged", "refused")
PIECE = 1 << 16


@command(main, "import", "import orders.csv --account acme --dry-run", "import - --account acme < orders.jsonl")
def import_(
    file: File,
    account: Account = None,
    dry_run: DryRun = False,
    form: Form = None,
    source: Annotated[Text, typer.Option("--source", help="The source of orders that name none.")] = None,
    sources: MapSource = None,
    origin: Annotated[str, typer.Option("--origin", help="Of orders that name no origin and no source.")] = "manual",
    encoding: Encoding = "utf-8",
    ignore_unknown: Unknown = False,
    json: Json = False,
) -> None:
    """Import orders from CSV or JSON lines; fires no events.

    The same file again changes nothing, so an import that was interrupted is simply started again. Lines that are wrong
    are listed with their number and reason, the others are imported, and the exit code is 1.
    """
    query = {
        "dry_run": dry_run or None, "source_id": source, "sources": ",".join(sources) if sources else None,
        "origin": origin, "ignore_unknown": ignore_unknown or None,
    }  # fmt: skip
    _import("/v1/orders/import", file, account, form, encoding, query, json=json, dry_run=dry_run)


@command(people.contacts, "import", "contacts import contacts.csv --account acme")
def contacts_import(
    file: File,
    account: Account = None,
    dry_run: DryRun = False,
    form: Form = None,
    sources: MapSource = None,
    encoding: Encoding = "utf-8",
    ignore_unknown: Unknown = False,
    json: Json = False,
) -> None:
    """Import contacts from CSV or JSON lines, known by the CRM's id or by what else the line names."""
    query = {
        "dry_run": dry_run or None, "ignore_unknown": ignore_unknown or None,
        "sources": ",".join(sources) if sources else None,
    }  # fmt: skip
    _import("/v1/contacts/import", file, account, form, encoding, query, json=json, dry_run=dry_run)


@command(
    main,
    "export",
    "export --account acme --format csv --since 2026-01-01 > orders.csv",
    "export --account acme --contacts --format jsonl > contacts.jsonl",
)
@filtered(ORDERS)
def export(
    account: Account = None,
    form: ExportForm = "csv",
    *,
    where: Where,
    contacts: Annotated[
        bool, typer.Option("--contacts", help="Every contact with its identities, instead of orders.")
    ] = False,
    excel: Excel = False,
    output: Output = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Export orders, or contacts. What was exported can be imported again, here or elsewhere."""
    if contacts and where:
        raise Misuse("--contacts is for every contact; the other filters are for orders")
    query = where | ({"excel": True} if excel else {})
    _export("contacts" if contacts else "orders", "jsonl" if json else form, account, query, output)


# -- In ------------------------------------------------------------------------------------------------------------


def _import(
    path: str,
    file: str,
    account: str | None,
    form: str | None,
    encoding: str,
    query: Mapping[str, Any],
    *,
    json: bool,
    dry_run: bool,
) -> None:
    from app.base.tabular import CONTACTS, MEDIA, ORDERS, NoFile, parts
    from app.cli.client import opened

    columns = CONTACTS if "contacts" in path else ORDERS
    with _reading(file) as raw, opened("import", large=columns is ORDERS and _large(raw)) as door:
        named = door.account(account)
        form = form or _form(file, raw)
        if form not in MEDIA:
            raise Misuse("--format is csv or jsonl")
        cut = _Interrupted()
        # From here on only rows come and go, which hold no cycles: what else does is looked for after each part.
        gc.freeze()
        gc.disable()
        with _progress(raw, file) as moved:

            def bodies() -> Iterator[tuple[bytes, Mapping[str, Any]]]:
                try:
                    for part in parts(form, _lines(raw, encoding, cut), columns):
                        cut.rows.append(part.rows)
                        yield part.text.encode(), {**query, "line": part.line}
                except (NoFile, UnicodeDecodeError, LookupError) as fault:
                    cut.fault = fault  # what was read before it is on its way, and told of first

            told = _Counts(json=json, dry_run=dry_run, done=moved)
            try:
                # In this process the next part is read while the one before is written.
                ahead = 1 if door.running else 2
                with closing(door.in_turn(path, bodies(), account=named, media=MEDIA[form], ahead=ahead)) as answers:
                    for answer in answers:
                        told.add(answer, cut.rows.popleft())
                        gc.collect()
            except KeyboardInterrupt:
                told.end()
                raise CommandFailed(
                    f"interrupted after {told.rows} lines; the same command again goes on from there"
                ) from None
            except CommandFailed:
                if told.rows:
                    told.end()
                raise
        if told.rows or cut.fault is None:
            told.end()
    if isinstance(cut.fault, UnicodeDecodeError):
        raise CommandFailed(
            f"{file}: near line {cut.line + 1} the text is not {encoding}; "
            "save it as UTF-8, or say --encoding, such as cp1252"
        )
    if isinstance(cut.fault, LookupError):
        raise Misuse(f"--encoding: {cut.fault}")
    if cut.fault is not None:
        raise CommandFailed(f"{file}: {cut.fault}")
    if told.counts["refused"]:
        raise CommandFailed(f"{told.counts['refused']} lines were refused" + ("" if dry_run else "; the others are in"))


class _Interrupted:
    """Where the cutting of the file has come to."""

    def __init__(self) -> None:
        self.line = 0
        self.rows: deque[int] = deque()  # of the parts that are under way
        self.fault: Exception | None = None  # why it could not go on


class _Counts:
    """What became of the lines, told as it becomes known: nothing of it is kept but the counts."""

    def __init__(self, *, json: bool, dry_run: bool, done: Callable[[int], None]) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.rows = 0
        self._json, self._dry_run, self._done = json, dry_run, done
        self._before = '{"errors": ['  # what comes before the next error
        self._notes = 0

    def add(self, answer: Mapping[str, Any], rows: int) -> None:
        """A part's answer."""
        import json

        for name in COUNTS:
            self.counts[name] += answer[name]
        self.rows += rows
        self._notes += len(answer["notes"])
        for one in answer["errors"]:
            if self._json:
                print(self._before, json.dumps(one, ensure_ascii=False), sep="\n", end="")
                self._before = ","
            else:
                _say(one)
        if not self._json:
            for one in answer["notes"]:
                _say(one, "note: ")
        self._done(self.rows)

    def end(self) -> None:
        """The sums."""
        import json

        if self._json:
            sums = {**self.counts, "notes": self._notes, "dry_run": self._dry_run}
            print(f"{'' if self._before == ',' else self._before}], {json.dumps(sums)[1:]}")
        else:
            facts({**self.counts, "written": "nothing: --dry-run" if self._dry_run else "all but the refused"})


def _say(one: Mapping[str, Any], before: str = "") -> None:
    field = f"{one['field']}: " if one["field"] else ""
    print(plain(f"{before}line {one['line']}: {field}{one['message']}"))


@contextmanager
def _reading(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(Path(file).open("rb"))
        except OSError as fault:
            raise Misuse(f"{file}: {fault.strerror}") from None
        yield opened


def _large(raw: IO[bytes]) -> bool:
    from app.base.tabular import LARGE

    return os.fstat(raw.fileno()).st_size >= LARGE


def _form(file: str, raw: IO[bytes]) -> str:
    by_name = _SUFFIXES.get(Path(file).suffix.lower())
    if by_name:
        return by_name
    beginning: bytes = raw.peek(64) if hasattr(raw, "peek") else b""
    return "jsonl" if beginning.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else "csv"


def _lines(raw: IO[bytes], encoding: str, cut: _Interrupted) -> Iterator[str]:
    """The file's lines with their ends, a byte order mark taken off. Raises UnicodeDecodeError, LookupError."""
    import io

    beginning: bytes = raw.peek(4) if hasattr(raw, "peek") else b""
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    text = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    try:
        for line in text:
            cut.line += 1
            yield line
    finally:
        text.detach()


@contextmanager
def _progress(raw: IO[bytes], file: str) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left, on a terminal; it is told how many rows are done."""
    if not sys.stderr.isatty():
        yield lambda rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    total = Path(file).stat().st_size if file != "-" and Path(file).is_file() else None
    bar = Progress(
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"), BarColumn(), DownloadColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=total, rows=0, rate=0.0)

        def moved(rows: int) -> None:
            elapsed = bar.tasks[0].elapsed or 1.0
            at = raw.tell() if total is not None else None
            bar.update(task, completed=at, rows=rows, rate=rows / elapsed)

        yield moved


# -- Out -----------------------------------------------------------------------------------------------------------


def _export(what: str, form: str, account: str | None, query: Mapping[str, Any], output: Path | None) -> None:
    from app.cli.client import opened

    if form not in {"csv", "jsonl"}:
        raise Misuse("--format is csv or jsonl")
    if form == "jsonl" and query.get("excel"):
        raise Misuse("--excel is for csv")
    with opened("export") as door:
        pieces = door.pieces(f"/v1/{what}.{form}", account=door.account(account), query=query)
        with closing(pieces):
            first = next(pieces, b"")  # what is refused is refused before a file is made
            with _writing(output) as out, _counting(output) as moved:
                try:
                    out.write(first)
                    for piece in pieces:
                        out.write(piece)
                        moved(len(piece))
                    out.flush()
                except BrokenPipeError:
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has enough
                    raise CommandFailed("the reader went away") from None
                except KeyboardInterrupt:
                    raise CommandFailed("interrupted; what was written is not whole") from None


@contextmanager
def _writing(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        return
    try:
        file = output.open("xb")
    except FileExistsError:
        raise CommandFailed(f"{output} is there already; an export overwrites nothing") from None
    except OSError as fault:
        raise Misuse(f"{output}: {fault.strerror}") from None
    with file:
        yield file


@contextmanager
def _counting(output: Path | None) -> Iterator[Callable[[int], None]]:
    """How much is written, and how fast; on a terminal, when the result itself does not go there."""
    if not sys.stderr.isatty() or (output is None and sys.stdout.isatty()):
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeElapsedColumn, TransferSpeedColumn

    with Progress(
        DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda size: bar.advance(task, size)
