"""Search in the delivery log with keyset pagination. Decides which index is scanned, so that no page gets slow.

- Plain, by time, by one source, outcome, external id or contact: one index has the rows in order of time.
- By several of these, by kind or by words of the reason: the index of the rarest value is scanned, a bounded number of
  rows at a time, and the rest is checked on them. A page may be short or empty and still have a next cursor. For a
  contact fewer rows are scanned: they lie far apart in the log.
- By text (`q`): deliveries about exactly this external id come first; then those with the text in their reason.

Kinds have no index: it would cost every delivery, and a kind is either frequent or rarely asked for.
"""

from dataclasses import replace
from typing import Any

from app.db.engine import Store, among
from app.db.statements import Row
from app.store.deliveries import COLUMNS, DeliveryFilter, as_read, columns_of, page, pattern_of, times_of

LOOKED_THROUGH = 10_000  # rows for one page
CHUNKS = (250, 2_000, LOOKED_THROUGH - 2_250)  # the page is often full after the first few
BEGINNING = "dlv_ZZZZZZZZZZZZZZZZZZZZZZZZZZ"  # a place before every delivery
EXACT = "="  # begins a place among the deliveries of exactly the searched external id

_INDEXES = {
    "contact_id": "history_of_contact",
    "source_id": "deliveries_of_source",
    "outcome": "deliveries_by_outcome",
    "external_id": "deliveries_by_external_id",
}
_SEEN = "id, source_id, outcome, kind, external_id, reason, notes, received_at"
# A delivery of several orders may be there several times.
_OF_CONTACT = """
    mine AS MATERIALIZED (
        SELECT DISTINCT delivery_id AS id FROM history {by} WHERE account_id = :account_id AND contact_id = :contact_id
        AND delivery_id < :after {also} ORDER BY delivery_id DESC LIMIT {chunk}
    ),
    walked AS MATERIALIZED (
        SELECT d.* FROM mine CROSS JOIN deliveries d {probed} WHERE d.account_id = :account_id AND d.id = mine.id {probe}
    )
"""
_OF_INDEX = f"""
    walked AS MATERIALIZED (
        SELECT {_SEEN} FROM deliveries {{by}} WHERE account_id = :account_id AND id < :after {{also}}
        ORDER BY id DESC LIMIT {{chunk}}
    ),
    mine AS (SELECT id FROM walked)
"""


async def search(
    store: Store, account_id: str, wanted: DeliveryFilter, *, after: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """Return the log, newest first, after this cursor, and the next cursor; None at the end. Without bodies."""
    word = wanted.q
    if not word:
        return await _any(store, account_id, wanted, after or BEGINNING, limit)
    rows: list[Row] = []
    if after is None or after.startswith(EXACT):
        if wanted.external_id in (None, word):
            exact = replace(wanted, q=None, external_id=word)
            place = after.removeprefix(EXACT) if after else BEGINNING
            rows, following = await _any(store, account_id, exact, place, limit)
            if following is not None:
                return rows, EXACT + following
            if len(rows) == limit:
                return rows, BEGINNING
        after = BEGINNING
    more, following = await _any(store, account_id, wanted, after, limit - len(rows))
    return rows + more, following


async def _any(
    store: Store, account_id: str, wanted: DeliveryFilter, after: str, limit: int
) -> tuple[list[Row], str | None]:
    """Return the filter's next rows, merged from the scans of its alternatives."""
    found: dict[str, Row] = {}
    places: list[str] = []
    for one in wanted.alternatives():
        if one.ids is None:
            rows, place = await _scan(store, account_id, one, after, limit)
        else:
            rows = await page(store, account_id, one, after=after, limit=limit + 1)
            place = rows[limit - 1]["id"] if len(rows) > limit else None
            rows = rows[:limit]
        found |= {row["id"]: row for row in rows}
        if place is not None:
            places.append(place)
    # Below the place where one scan stopped, there may be rows that it has not seen yet.
    end = max(places, default="")
    ids = sorted((one for one in found if one >= end), reverse=True)
    if len(ids) > limit:
        ids = ids[:limit]
        end = ids[-1]
    return [found[one] for one in ids], end or None


async def _scan(
    store: Store, account_id: str, wanted: DeliveryFilter, after: str, limit: int
) -> tuple[list[Row], str | None]:
    """Return the filter's next rows by one index, reading at most LOOKED_THROUGH rows."""
    along = await _rarest(store, account_id, wanted, after)
    plain = not (wanted.q or wanted.note) and all(getattr(wanted, name) is None for name in COLUMNS if name != along)
    found: list[str] = []
    place: str | None = after
    chunks = CHUNKS[:1] if along == "contact_id" else CHUNKS
    for chunk in (limit + 1, *CHUNKS) if plain else chunks:
        # One more than the page holds: whether there is a next page.
        sought = limit + 1 - len(found)
        ids, place = await _step(store, account_id, wanted, along, place or after, max(chunk, limit + 1), sought)
        found += ids
        if len(found) > limit:
            found = found[:limit]
            place = found[-1]
            break
        if place is None:
            break
    return await _read(store, account_id, found), place


async def _step(
    store: Store, account_id: str, wanted: DeliveryFilter, along: str | None, after: str, chunk: int, limit: int
) -> tuple[list[str], str | None]:
    """Return the first matching ids among the index's next `chunk` rows, and the last row that was read.

    The last row is None at the end.
    """
    rest, values = _rest(wanted, along)
    values |= {"account_id": account_id, "after": after}
    if wanted.until is not None:  # of two bounds SQLite would begin at the wrong one
        values["after"] = min(after, values["until_id"])
    if along:
        values[along] = getattr(wanted, along)
    by = store.by(_INDEXES[along]) if along else ""
    if along == "contact_id":
        also = "AND delivery_id >= :since_id" if wanted.since is not None else ""
        # What else is wanted is looked for in its own index: rows of the log itself lie far apart.
        rarer = next(
            (name for name in ("external_id", "outcome", "source_id") if getattr(wanted, name) is not None), None
        )
        probed, probe = (store.by(_INDEXES[rarer]), f"AND d.{rarer} = :{rarer}") if rarer else ("", "")
        source = _OF_CONTACT.format(by=by, also=also, chunk=chunk, probed=probed, probe=probe)
    else:
        also = f"AND {along} = :{along}" if along else ""
        if wanted.since is not None:
            also += " AND id >= :since_id"
        source = _OF_INDEX.format(by=by, also=also, chunk=chunk)
    rows = await store.all(
        f"WITH {source} SELECT id, walked FROM (SELECT id, 0 AS walked FROM walked WHERE {rest} ORDER BY id DESC "
        f"LIMIT {limit}) found UNION ALL SELECT min(id) AS id, count(*) AS walked FROM mine",
        **values,
    )
    end = next((row for row in rows if row["walked"]), None)
    ids = sorted((row["id"] for row in rows if not row["walked"] and row["id"] is not None), reverse=True)
    over = end is None or end["walked"] < chunk or end["id"] < values.get("since_id", "")
    return ids, None if end is None or over else end["id"]


def _rest(wanted: DeliveryFilter, along: str | None) -> tuple[str, dict[str, Any]]:
    """Return the conditions that the scanned index does not cover."""
    clauses, values = columns_of(wanted, along)
    clauses.append("1 = 1")
    times, bounds = times_of(wanted)
    clauses += times
    values |= bounds
    if wanted.q:
        # Those of exactly this external id were shown before.
        clauses.append("lower(reason) LIKE :pattern ESCAPE '!' AND (external_id IS NULL OR external_id <> :word)")
        values |= {"word": wanted.q, "pattern": pattern_of(wanted.q)}
    return " AND ".join(clauses), values


async def _rarest(store: Store, account_id: str, wanted: DeliveryFilter, after: str) -> str | None:
    """Return the column whose index is scanned: the one with the rarest value, by how far back its next rows reach."""
    for name in ("contact_id", "external_id"):
        if getattr(wanted, name) is not None:
            return name
    names = [name for name in ("source_id", "outcome") if getattr(wanted, name) is not None]
    if len(names) < 2:
        return names[0] if names else None
    reach: dict[str, str] = {}
    for name in names:
        row = await store.one(
            f"SELECT min(id) AS id, count(*) AS many FROM (SELECT id FROM deliveries {store.by(_INDEXES[name])} "
            f"WHERE account_id = :account_id AND {name} = :value AND id < :after ORDER BY id DESC LIMIT {CHUNKS[0]}) newest",
            account_id=account_id,
            value=getattr(wanted, name),
            after=after,
        )
        reach[name] = row["id"] if row and row["many"] == CHUNKS[0] else ""
    return min(names, key=lambda name: reach[name])


async def _read(store: Store, account_id: str, ids: list[str]) -> list[Row]:
    """Return these rows, newest first."""
    if not ids:
        return []
    clause, values = among("delivery", ids)
    rows = await store.all(
        f"SELECT * FROM deliveries WHERE account_id = :account_id AND id {clause} ORDER BY id DESC",
        account_id=account_id,
        **values,
    )
    return [as_read(row) for row in rows]
