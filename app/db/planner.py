"""Statistics for SQLite's query planner: how many rows share a value, in a registry of some size.

Without them SQLite assumes ten rows per account, and scans all of an account's rows where an index leads to the few
that are wanted. Its own ANALYZE would count what is there today. These figures are the same in every database at any
age, and so are the plans. They go to https://sqlite.org/fileformat2.html#the_sqlite_stat1_table, which may be filled by
hand: https://sqlite.org/lang_analyze.html.
"""

import sqlite3
from collections.abc import Iterator
from fractions import Fraction

ROWS = 1_000_000
# Tables, and indexes over a few of their rows, that stay small beside the orders and deliveries.
FEW = dict.fromkeys(
    (
        *(
            "accounts",
            "members",
            "tokens",
            "sources",
            "secrets",
            "subscriptions",
            "refusals",
            "jobs",
            "fetches",
            "held",
        ),
        *("merges", "privacy_requests", "proofs", "orders_undescribed"),
    ),
    1_000,
)

# Which part of a table's rows has the same value in a column; of every other column each value is one row's.
SHARED = {
    "account_id": Fraction(1),
    **dict.fromkeys(["currency", "origin", "what"], Fraction(1, 2)),
    **dict.fromkeys(["source_id", "subscription_id", "scope", "kind", "state", "outcome"], Fraction(1, 4)),
    **dict.fromkeys(["status", "job_id", "merge_id", "reason"], Fraction(1, 8)),
    **dict.fromkeys(["owner_id", "deal_owner_id"], Fraction(1, 100)),
    **dict.fromkeys(["contact_id", "into_id", "deal_id", "order_id", "delivery_id"], Fraction(10, ROWS)),
}

Figure = tuple[str, str, str]  # table, index, and the figures as SQLite writes them


def set_statistics(connection: sqlite3.Connection) -> None:
    """Write the figures, so that the planner of this and every later connection has them."""
    wanted = set(_figures(connection))
    try:
        known = set(connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1"))
    except sqlite3.OperationalError:  # nothing was ever analysed, and the table is not there
        known = set()
    if known == wanted:
        return
    connection.execute("ANALYZE sqlite_schema")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM sqlite_stat1")
    connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", sorted(wanted))
    connection.execute("COMMIT")
    connection.execute("ANALYZE sqlite_schema")  # reads them


def _figures(connection: sqlite3.Connection) -> Iterator[Figure]:
    tables = connection.execute(
        "SELECT t.name, t.wr FROM pragma_table_list t WHERE t.schema = 'main' AND t.type = 'table' "
        "AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name"
    ).fetchall()
    for table, without_rowid in tables:
        for _, index, unique, made_by, *_ in connection.execute(f"PRAGMA index_list({table})").fetchall():
            columns = [row[2] for row in connection.execute(f"PRAGMA index_info({index})")]
            # Where a table is its primary key's index, that index has the table's name.
            name = table if made_by == "pk" and without_rowid else index
            yield (
                table,
                name,
                " ".join(map(str, _counts(FEW.get(index, FEW.get(table, ROWS)), columns, unique=bool(unique)))),
            )


def _counts(rows: int, columns: list[str], *, unique: bool) -> Iterator[int]:
    """Yield the table's rows, then how many share the first column's value, the first two columns', and so on."""
    yield rows
    part = Fraction(1)
    for place, column in enumerate(columns):
        part *= SHARED.get(column, Fraction(1, rows))
        yield 1 if unique and place == len(columns) - 1 else max(1, round(rows * part))
