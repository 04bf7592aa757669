"""Roll-ups: counts of deliveries per hour, source and outcome, and how long they took to be stored."""

import math
import os
from collections.abc import Callable, Iterable, Sequence

from app.base.ids import first_id, made_at
from app.base.outcome import RECORDED, REFUSED, Outcome
from app.db.engine import Store, among
from app.db.statements import Insert, Plan, Row, Sql
from app.store.delivery_record import NOT_A_SAMPLE, SAMPLE, Receipt, Record

HOUR, MINUTE = 3_600_000_000, 60_000_000  # microseconds
SHARDS = 8  # rows a process may be spread over; processes that share one wait for each other's commit
MOST_WORDS = 100  # unknown status words a source
MOST_UNREAD = 10_000  # unfetched deliveries that are looked through for sources with a bad key

# Bucket n counts what took at most FIRST x GROWTH**n microseconds: percentiles to within a quarter, from 0.1 ms to 65 s.
FIRST, GROWTH, LAST = 100, 1.25, 60

_TALLY = Insert("tallies", on_conflict="tally")
_LATENCY = Insert("latencies", on_conflict="tally")

Key = tuple[str, str, int, str]
COUNTED_BY = "account_id, source_id, received_at, notes"  # the columns of a delivery that say where it is counted


class RollupCounts:
    """Collects the counts of one transaction."""

    def __init__(self) -> None:
        self._counts: dict[Key, list[int]] = {}  # count, earliest, latest
        self._latencies: dict[tuple[str, int, int], int] = {}

    def add(
        self, account_id: str, source_id: str, outcome: str, at: int, *, count: int = 1, until: int | None = None
    ) -> None:
        """Add deliveries with this outcome, the first and last of which came at these times."""
        row = self._counts.get((account_id, source_id, hour_of(at), outcome))
        latest = at if until is None else until
        if row is None:
            self._counts[account_id, source_id, hour_of(at), outcome] = [count, at, latest]
            return
        row[0] += count
        row[1], row[2] = min(row[1], at), max(row[2], latest)

    def took(self, account_id: str, at: int, micros: int) -> None:
        """Count how many microseconds a delivery took from its arrival to disk."""
        key = (account_id, hour_of(at), bucket_of(micros))
        self._latencies[key] = self._latencies.get(key, 0) + 1

    def save(self) -> Plan[None]:
        """Add the counts to the stored ones."""
        shard = os.getpid() % SHARDS
        counts = [(*key, shard, *row) for key, row in sorted(self._counts.items()) if row[0]]
        if counts:
            yield _TALLY.many(counts)
        if self._latencies:
            yield _LATENCY.many([(*key, shard, count) for key, count in sorted(self._latencies.items())])


def hour_of(at: int) -> int:
    """Return the beginning of the hour."""
    return at - at % HOUR


def bucket_of(micros: int) -> int:
    """Return the histogram bucket for a duration."""
    return 0 if micros <= FIRST else min(LAST, math.ceil(math.log(micros / FIRST, GROWTH)))


def longest_of(bucket: int) -> float:
    """Return a bucket's upper bound, in milliseconds."""
    return FIRST * GROWTH**bucket / 1000


def add_counts(batch: Sequence[Record], receipts: dict[int, Receipt], committed_at: int) -> Plan[None]:
    """Count a batch: each delivery once, by its outcome. A retried one moves from its old outcome to the new one.

    Samples that this registry sent itself are not counted: every alert is made from these counts.
    """
    counted = RollupCounts()
    words: dict[tuple[str, str, str], int] = {}
    for rec in batch:
        outcome = receipts[id(rec)].outcome
        if rec.sample:
            continue
        if rec.again:
            # That saying it again changed nothing does not unsay what it did at first; see `recording`.
            kept = outcome is Outcome.UNCHANGED and rec.was in (Outcome.CREATED, Outcome.UPDATED)
            if rec.was is not None and rec.was != outcome and not kept:
                counted.add(rec.account_id, rec.source_id, rec.was, rec.received_at, count=-1)
                counted.add(rec.account_id, rec.source_id, outcome, rec.received_at)
        else:
            counted.add(rec.account_id, rec.source_id, outcome, rec.received_at)
            counted.took(rec.account_id, rec.received_at, committed_at - rec.received_at)
        if "unknown_status" in rec.notes and outcome is not Outcome.DUPLICATE:
            for said in rec.statements:
                if "status" not in said.said and (word := said.said.get("source_status")):
                    words[rec.account_id, rec.source_id, word] = words.get((rec.account_id, rec.source_id, word), 0) + 1
    yield from counted.save()
    for (account_id, source_id, word), count in sorted(words.items()):
        yield Sql(
            "INSERT INTO unknown_words (account_id, source_id, word, count, last_at) "
            "SELECT CAST(:account_id AS TEXT), CAST(:source_id AS TEXT), CAST(:word AS TEXT), CAST(:count AS BIGINT), "
            "CAST(:at AS BIGINT) WHERE "
            "(SELECT count(*) FROM unknown_words WHERE account_id = :account_id AND source_id = :source_id) < :most "
            "ON CONFLICT (account_id, source_id, word) DO UPDATE SET "
            "count = unknown_words.count + excluded.count, last_at = excluded.last_at",
            account_id=account_id,
            source_id=source_id,
            word=word,
            count=count,
            at=committed_at,
            most=MOST_WORDS,
        )


def forget_words(account_id: str, named: Callable[[str], bool]) -> Plan[None]:
    """Part of an erasure: delete unknown status words that name a person."""
    rows: list[Row] = yield Sql(
        "SELECT DISTINCT word FROM unknown_words WHERE account_id = :account_id", account_id=account_id
    )
    for row in rows:
        if named(row["word"]):
            yield Sql(
                "DELETE FROM unknown_words WHERE account_id = :account_id AND word = :word",
                account_id=account_id,
                word=row["word"],
            )


def move_counts(rows: Iterable[Row], was: str, to: str) -> Plan[None]:
    """Part of a plan: these rows of the log (`COUNTED_BY`) had ended as `was`, and now have as `to`."""
    counted = RollupCounts()
    for row in rows:
        if f'"{SAMPLE}"' in row["notes"]:
            continue
        counted.add(row["account_id"], row["source_id"], was, row["received_at"], count=-1)
        counted.add(row["account_id"], row["source_id"], to, row["received_at"])
    yield from counted.save()


# -- Reading ------------------------------------------------------------------------------------------------------


async def hours(store: Store, account_id: str, since: int, until: int, source_id: str | None = None) -> list[Row]:
    """Return count, first_at and last_at per hour, source and outcome, for hours that began before `until`."""
    one, values = ("AND source_id = :source_id ", {"source_id": source_id}) if source_id else ("", {})
    return await store.all(
        "SELECT source_id, hour, outcome, CAST(sum(count) AS BIGINT) AS count, min(first_at) AS first_at, "
        f"max(last_at) AS last_at FROM tallies WHERE account_id = :account_id {one}"
        "AND hour >= :since AND hour < :until GROUP BY source_id, hour, outcome HAVING sum(count) > 0 "
        "ORDER BY hour, source_id, outcome",
        account_id=account_id,
        since=hour_of(since),
        until=until,
        **values,
    )


async def refused_since(store: Store, account_id: str, source_id: str, at: int) -> int | None:
    """Return when the source's first rejected delivery after this time came (to the hour, if one hour had both)."""
    refused, values = among("refused", sorted(REFUSED))
    rows = await store.all(
        "SELECT min(first_at) AS first_at FROM tallies WHERE account_id = :account_id AND source_id = :source_id "
        f"AND outcome {refused} AND hour >= :hour AND last_at > :at",
        account_id=account_id,
        source_id=source_id,
        hour=hour_of(at),
        at=at,
        **values,
    )
    first = rows[0]["first_at"] if rows else None
    return None if first is None else max(first, at)


async def acknowledgements(store: Store, account_id: str, since: int, until: int) -> dict[int, int]:
    """Return how many deliveries of these hours fell into each bucket."""
    rows = await store.all(
        "SELECT bucket, CAST(sum(count) AS BIGINT) AS count FROM latencies WHERE account_id = :account_id "
        "AND hour >= :since AND hour < :until GROUP BY bucket",
        account_id=account_id,
        since=hour_of(since),
        until=until,
    )
    return {row["bucket"]: row["count"] for row in rows}


async def words(store: Store, account_id: str, since: int) -> list[Row]:
    """Return unknown status words that were last seen since then."""
    return await store.all(
        "SELECT source_id, word, count, last_at FROM unknown_words WHERE account_id = :account_id "
        "AND last_at >= :since ORDER BY last_at DESC",
        account_id=account_id,
        since=since,
    )


async def newest_noted(store: Store, account_id: str, note: str, since: int) -> list[Row]:
    """Return sources with deliveries that have this note, among the account's last 2,000, and when the newest came."""
    return await store.all(
        "SELECT source_id, max(received_at) AS at FROM (SELECT source_id, notes, received_at FROM deliveries "
        "WHERE account_id = :account_id ORDER BY id DESC LIMIT 2000) AS newest "
        f"WHERE notes LIKE :word AND {NOT_A_SAMPLE} AND received_at >= :since GROUP BY source_id",
        account_id=account_id,
        word=f'%"{note}"%',
        since=since,
    )


async def waiting(store: Store, account_id: str) -> Row:
    """Return how many fetches wait, since when the oldest does, and how many deliveries are on hold."""
    row = await store.one(
        "SELECT (SELECT count(*) FROM fetches WHERE account_id = :account_id) AS fetches, "
        "(SELECT min(d.received_at) FROM fetches f JOIN deliveries d ON d.account_id = f.account_id "
        "AND d.id = f.delivery_id WHERE f.account_id = :account_id) AS oldest_fetch_at, "
        "(SELECT count(*) FROM deliveries WHERE account_id = :account_id AND outcome = 'held') AS held",
        account_id=account_id,
    )
    return row or {"fetches": 0, "oldest_fetch_at": None, "held": 0}


async def waiting_everywhere(store: Store) -> Row:
    """Return the same over all accounts."""
    row = await store.one(
        "SELECT (SELECT count(*) FROM fetches) AS fetches, (SELECT min(d.received_at) FROM fetches f JOIN deliveries d "
        "ON d.account_id = f.account_id AND d.id = f.delivery_id) AS oldest_fetch_at, "
        "(SELECT count(DISTINCT delivery_id) FROM held) AS held"
    )
    return row or {"fetches": 0, "oldest_fetch_at": None, "held": 0}


async def waiting_by_source(store: Store, account_id: str) -> list[Row]:
    """Return for each source with waiting fetches: source_id, fetches, oldest_fetch_at."""
    return await store.all(
        "SELECT f.source_id, count(*) AS fetches, min(d.received_at) AS oldest_fetch_at FROM fetches f "
        "JOIN deliveries d ON d.account_id = f.account_id AND d.id = f.delivery_id "
        "WHERE f.account_id = :account_id GROUP BY f.source_id ORDER BY f.source_id",
        account_id=account_id,
    )


async def unread_for_key(store: Store, account_id: str, since: int, words_of: str) -> list[Row]:
    """Return sources whose orders could not be read for their key, since then: source_id, reason, at (the first time).

    `words_of` is how such a reason begins. They are found by the newest unfetched deliveries.
    """
    rows = await store.all(
        "SELECT source_id, reason, min(received_at) AS at, max(received_at) AS latest FROM (SELECT source_id, reason, "
        "received_at FROM deliveries WHERE account_id = :account_id AND outcome = 'unfetched' "
        "ORDER BY id DESC LIMIT :most) AS newest WHERE received_at >= :since AND reason LIKE :words "
        "GROUP BY source_id, reason ORDER BY max(received_at)",
        account_id=account_id,
        since=since,
        words=f"{words_of}%",
        most=MOST_UNREAD,
    )
    return list({row["source_id"]: row for row in rows}.values())  # of several reasons the latest


def percentile(buckets: dict[int, int], share: float) -> float | None:
    """Return the milliseconds within which this share of deliveries was on disk; None if there were none."""
    whole = sum(buckets.values())
    if not whole:
        return None
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= share * whole:
            return round(longest_of(bucket), 2)
    return None


def total(rows: Iterable[Row]) -> dict[str, int]:
    """Return counts by outcome."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["outcome"]] = found.get(row["outcome"], 0) + row["count"]
    return found


# -- Compared with the log ----------------------------------------------------------------------------------------


async def differences(store: Store, since: int) -> list[Row]:
    """Return where roll-ups and log differ: account_id, source_id, hour, outcome, logged, counted."""
    since = hour_of(since)
    recorded, values = among("recorded", sorted(RECORDED))
    # By way of the accounts: the log's key leads with them. One statement, so that both are of the same moment.
    found = await store.all(
        "SELECT account_id, source_id, hour, outcome, CAST(sum(logged) AS BIGINT) AS logged, "
        "CAST(sum(counted) AS BIGINT) AS counted FROM ("
        "SELECT d.account_id, d.source_id, d.received_at - d.received_at % CAST(:hour AS BIGINT) AS hour, d.outcome, "
        "1 AS logged, 0 AS counted FROM accounts a JOIN deliveries d ON d.account_id = a.account_id AND d.id >= :first "
        f"WHERE d.received_at >= :since AND {NOT_A_SAMPLE} UNION ALL "
        f"SELECT account_id, source_id, hour, outcome, 0, count FROM tallies WHERE hour >= :since AND outcome {recorded}"
        ") AS either GROUP BY account_id, source_id, hour, outcome HAVING sum(logged) <> sum(counted) "
        "ORDER BY account_id, source_id, hour, outcome",
        hour=HOUR,
        since=since,
        first=first_id("dlv", since - HOUR),
        **values,
    )
    if not found:
        return []
    gone = await store.all(
        "SELECT p.account_id, p.source_id, p.id FROM accounts a JOIN pruned_deliveries p ON p.account_id = a.account_id "
        "AND p.id >= :first",
        first=first_id("dlv", since - HOUR),
    )
    # An id is made a moment after its delivery came, which may have been in the hour before.
    pruned = {
        (row["account_id"], row["source_id"], hour_of(made - before))
        for row in gone
        if (made := made_at(row["id"])) is not None
        for before in (0, MINUTE)
    }
    return [row for row in found if (row["account_id"], row["source_id"], row["hour"]) not in pruned]
