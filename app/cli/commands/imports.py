"""`import`, `export`, `contacts import`: files of any size, one part at a time."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Json, Text, command, group
from app.cli.commands import contacts as people
from app.cli.filters import Orders
from app.cli.import_report import ImportCounts
from app.cli.output import CommandFailed, Misuse, on_terminal, progress, standard_output

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

main = group("Files.")

File = Annotated[str, typer.Argument(metavar="FILE", help="A .csv or .jsonl file, or - for standard input.")]
# By the API's name for each, but for `format` and `encoding`, which are ours.
ORDER_FILE: dict[str, Any] = {
    "dry_run": Annotated[bool | None, typer.Option("--dry-run", help="Check every line and write nothing.")],
    "format": Annotated[
        Text, typer.Option("--format", help="csv or jsonl. Default: from the file's name or its beginning.")
    ],
    "source_id": Annotated[Text, typer.Option("--source", help="Source of orders that name none.")],
    "sources": Annotated[
        list[str] | None,
        typer.Option(
            "--map-source", metavar="OLD=NEW", help="Replace a source id from another registry. OLD= means no source."
        ),
    ],
    "preset": Annotated[
        Text, typer.Option("--preset", help="A platform's own export: shopify, woocommerce, nuvemshop.")
    ],
    "decimal": Annotated[
        Text, typer.Option("--decimal", help="Mark before the decimals of amounts that people wrote: , (1.500,00) or .")
    ],
    "dates": Annotated[Text, typer.Option("--dates", help="Order of a date's numbers: dmy (20/11/2026), mdy or ymd.")],
    "zone": Annotated[Text, typer.Option("--zone", help="Zone of times that name none. Default: the account's.")],
    "map": Annotated[
        list[str] | None,
        typer.Option("--map", metavar="HEADING=COLUMN", help='What a heading means: "Valor=value". Can be repeated.'),
    ],
    "encoding": Annotated[
        Text, typer.Option("--encoding", help="The file's encoding, such as cp1252 for an old spreadsheet.")
    ],
    "ignore_unknown": Annotated[bool | None, typer.Option("--ignore-unknown", help="Skip unknown columns.")],
}
CONTACT_FILE = {name: option for name, option in ORDER_FILE.items() if name not in {"source_id", "preset", "decimal"}}

_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


@command(
    main,
    "import",
    "import orders.csv --account acme --dry-run",
    "import vendas.csv --preset nuvemshop --source src_01J… --dry-run",
    'import vendas.csv --map "Valor=value" --map "Pedido=external_id" --decimal , --dates dmy',
    "import - --account acme < orders.jsonl",
)
def import_(
    client: ApiClient,
    file: File,
    account: Account = None,
    *,
    query: Annotated[dict[str, Any], ORDER_FILE],
    origin: Annotated[
        str, typer.Option("--origin", help="Origin of orders that name neither origin nor source.")
    ] = "manual",
    json: Json = False,
) -> None:
    """Import orders from CSV or JSON lines. No events are sent.

    Importing the same file again changes nothing, so an interrupted import can simply be repeated. Wrong lines are
    listed with their number and reason. The others are imported, and the exit code is 1. --dry-run shows the first rows
    as orders.
    """
    _import(client, "/v1/orders/import", file, account, query | {"origin": origin}, json=json)


@command(people.contacts, "import", "contacts import contacts.csv --account acme")
def contacts_import(
    client: ApiClient,
    file: File,
    account: Account = None,
    *,
    query: Annotated[dict[str, Any], CONTACT_FILE],
    json: Json = False,
) -> None:
    """Import contacts from CSV or JSON lines. They are matched by CRM id or by any other identity in the line."""
    _import(client, "/v1/contacts/import", file, account, query, json=json)


@command(
    main,
    "export",
    "export --account acme --format csv --since 2026-01-01 > orders.csv",
    "export --account acme --contacts --format jsonl > contacts.jsonl",
)
def export(
    client: ApiClient,
    account: Account = None,
    form: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    *,
    where: Orders,
    contacts: Annotated[
        bool, typer.Option("--contacts", help="Export contacts with their identities instead of orders.")
    ] = False,
    excel: Annotated[
        bool, typer.Option("--excel", help="CSV for spreadsheets: with a byte order mark and semicolons.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this new file instead of standard output.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
) -> None:
    """Export orders or contacts. The file can be imported again, here or in another registry."""
    if contacts and where:
        raise Misuse("--contacts exports all contacts: the filters are for orders only")
    form = "jsonl" if json else form
    if form not in {"csv", "jsonl"}:
        raise Misuse("--format is csv or jsonl")
    if form == "jsonl" and excel:
        raise Misuse("--excel is for csv")
    path = f"/v1/{'contacts' if contacts else 'orders'}.{form}"
    query = where | ({"excel": True} if excel else {})
    pieces = client.pieces(path, account=client.account(account, query), query=query)
    with closing(pieces):
        first = next(pieces, b"")  # what is refused is refused before a file is made
        to_terminal = output is None and on_terminal()  # then the result itself shows how it goes on
        with _writing(output) as out, progress(_out_columns, shown=not to_terminal) as moved:
            try:
                out.write(first)
                for piece in pieces:
                    out.write(piece)
                    moved(advance=len(piece))
                out.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has enough
                raise CommandFailed("the reader of the output has closed it") from None
            except KeyboardInterrupt:
                raise CommandFailed("interrupted: the output is incomplete") from None


# -- In ------------------------------------------------------------------------------------------------------------


def _import(client: ApiClient, path: str, file: str, account: str | None, query: dict[str, Any], *, json: bool) -> None:
    from app.base.tabular import MEDIA, NoFile, parts
    from app.imports.presets import OUR_CONTACTS, OURS, PRESETS, preset

    kind = OUR_CONTACTS if "contacts" in path else preset(name) if (name := query.get("preset")) in PRESETS else OURS
    columns = kind.columns.also(dict(_heading(one) for one in query.get("map", ())))
    form, encoding = query.pop("format", None), query.pop("encoding", kind.encoding)
    dry_run = query.get("dry_run", False)
    if "sources" in query:
        query["sources"] = ",".join(query["sources"])
    with _reading(file) as raw:
        named = client.account(account, query)
        form = form or _form(file, raw)
        if form not in MEDIA:
            raise Misuse("--format is csv or jsonl")
        total = Path(file).stat().st_size if file != "-" and Path(file).is_file() else None
        begun = time.monotonic()
        told = ImportCounts(json=json, dry_run=dry_run)
        with progress(_in_columns) as moved:
            try:
                for part in parts(form, _lines(file, raw, encoding), columns):
                    answer = client.upload(
                        path, part.text.encode(), account=named, media=MEDIA[form], query={**query, "line": part.line}
                    )
                    told.add(answer, part.rows)
                    at = None if total is None else raw.tell()
                    moved(total=total, completed=at, rows=told.rows, rate=told.rows / (time.monotonic() - begun))
            except KeyboardInterrupt:
                told.end()
                raise CommandFailed(
                    f"interrupted after {told.rows} lines. To continue, run the same command again"
                ) from None
            except (CommandFailed, NoFile) as why:
                if told.rows:
                    told.end()
                raise why if isinstance(why, CommandFailed) else CommandFailed(f"{file}: {why}") from None
            told.end()
    if told.counts["refused"]:
        raise CommandFailed(
            f"{told.counts['refused']} lines were rejected" + ("" if dry_run else "; the others were imported")
        )


def _heading(pair: str) -> tuple[str, str]:
    heading, equals, column = pair.rpartition("=")
    if not equals:
        raise Misuse('--map is HEADING=COLUMN, such as "Valor=value"')
    return heading, column.strip()


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


def _form(file: str, raw: IO[bytes]) -> str:
    by_name = _SUFFIXES.get(Path(file).suffix.lower())
    if by_name:
        return by_name
    beginning: bytes = raw.peek(64) if hasattr(raw, "peek") else b""
    return "jsonl" if beginning.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else "csv"


def _lines(file: str, raw: IO[bytes], encoding: str) -> Iterator[str]:
    """Yield the file's lines with their ends, without a byte order mark. Raises CommandFailed, Misuse."""
    import io

    beginning: bytes = raw.peek(4) if hasattr(raw, "peek") else b""
    found = encoding
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        found = "utf-16"
    elif encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        found = "utf-8-sig"
    try:
        text = io.TextIOWrapper(raw, encoding=found, newline="\n")
    except LookupError as why:
        raise Misuse(f"--encoding: {why}") from None
    read = 0
    try:
        for line in text:
            read += 1
            yield line
    except UnicodeDecodeError:
        raise CommandFailed(
            f"{file}: near line {read + 1} the text is not {encoding}; "
            "save it as UTF-8, or say --encoding, such as cp1252"
        ) from None
    finally:
        text.detach()


def _in_columns() -> "Iterable[ProgressColumn]":
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    rows = TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s")
    return rows, BarColumn(), DownloadColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()


# -- Out -----------------------------------------------------------------------------------------------------------


@contextmanager
def _writing(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield standard_output()
        return
    try:
        file = output.open("xb")
    except FileExistsError:
        raise CommandFailed(f"{output} exists already, and an export overwrites nothing") from None
    except OSError as fault:
        raise Misuse(f"{output}: {fault.strerror}") from None
    with file:
        yield file


def _out_columns() -> "Iterable[ProgressColumn]":
    from rich.progress import DownloadColumn, TimeElapsedColumn, TransferSpeedColumn

    return DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn()
