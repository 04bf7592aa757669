"""What must hold in a database after every fault, whatever came before."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

Rows = Callable[[str], list[dict[str, Any]]]
FAULTS = {
    "a delivery twice": "SELECT source_id, dedupe_key FROM deliveries GROUP BY source_id, dedupe_key HAVING count(*) > 1",
    "an order twice": "SELECT scope, external_id FROM orders GROUP BY scope, external_id HAVING count(*) > 1",
    "an order without history": "SELECT id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.order_id = o.id)",
    "history without an order": "SELECT order_id FROM history h WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = h.order_id)",
    "history of another contact": "SELECT h.order_id FROM history h JOIN orders o ON o.account_id = h.account_id AND o.id = h.order_id "
    "WHERE coalesce(o.contact_id, '') <> coalesce(h.contact_id, '')",
    "an order of no contact": "SELECT o.id FROM orders o LEFT JOIN contacts c ON c.account_id = o.account_id AND c.id = o.contact_id "
    "WHERE o.contact_id IS NOT NULL AND c.id IS NULL",
    "a body without its delivery": "SELECT b.delivery_id FROM bodies b LEFT JOIN deliveries d ON d.account_id = b.account_id "
    "AND d.id = b.delivery_id WHERE d.id IS NULL",
    "an identity twice": "SELECT account_id, kind, value FROM identities GROUP BY account_id, kind, value HAVING count(*) > 1",
}
# One statement, so one snapshot: a worker may still be at work when its parent was killed.
COUNTS = (
    "SELECT 0 AS counted, source_id, outcome, count(*) AS n FROM deliveries GROUP BY source_id, outcome UNION ALL "
    "SELECT 1 AS counted, source_id, outcome, sum(count) AS n FROM tallies GROUP BY source_id, outcome"
)
UNLOGGED = ("duplicate", "unverified", "disabled", "oversized")  # these are only counted


def wrong(rows: Rows, acknowledged: Iterable[str], outcomes: set[str] | None = None) -> list[str]:
    """Return what is wrong in the database. `acknowledged` are ids of deliveries; `outcomes` all that may be in the log."""
    found = []
    log = rows("SELECT id, source_id, outcome FROM deliveries")
    if lost := set(acknowledged) - {row["id"] for row in log}:
        found.append(f"{len(lost)} acknowledged deliveries lost")
    for name, sql in FAULTS.items():
        if bad := rows(sql):
            found.append(f"{len(bad)} times {name}: {bad[:2]}")
    if outcomes and (odd := Counter(row["outcome"] for row in log if row["outcome"] not in outcomes)):
        found.append(f"outcomes {dict(odd)}")
    logged, counted = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row in rows(COUNTS):
        if row["outcome"] not in UNLOGGED:
            (counted if row["counted"] else logged)[row["source_id"], row["outcome"]] += int(row["n"])
    if differ := {key[1]: (counted[key], logged[key]) for key in {*logged, *counted} if counted[key] != logged[key]}:
        found.append(f"counts differ from the log (counted, logged): {differ}")
    return found


def rows_of_file(file: Path, *, alone: bool = False) -> Rows:
    """Read a SQLite file, after an integrity check. `alone`: nothing has it open, so that a WAL may be recovered."""

    def rows(sql: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{file}?mode={'rw' if alone else 'ro'}", uri=True, timeout=30)) as open_:
            open_.row_factory = sqlite3.Row
            return [dict(row) for row in open_.execute(sql)]

    said = rows("PRAGMA integrity_check")[0]["integrity_check"]
    if said != "ok":
        raise sqlite3.DatabaseError(f"integrity: {said[:80]}")
    return rows
