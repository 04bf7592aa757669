"""Erasing a person from deliveries: bodies are deleted or, where they tell of somebody else as well, blanked."""

import json
from collections.abc import Collection, Sequence

from app.base.outcome import Outcome
from app.db.engine import among
from app.db.statements import Lookup, Plan, Row, Sql, to_json
from app.store import tombstones
from app.store.contact_resolution import evidence_against
from app.store.delivery_rollups import COUNTED_BY, move_counts
from app.store.erasure_state import Erasure, parts
from app.store.tombstones import Word

SOURCES = Lookup("deliveries", ("id", "source_id", "external_id"), by=("account_id", "id"))
_HELD = Lookup("held", ("delivery_id",), by=("account_id", "kind", "value"))
_WAITS_FOR = Lookup("held", ("delivery_id", "kind", "value"), by=("account_id", "delivery_id"))

_ERASED = "the person it names was erased"
_BLANKED = "somebody whom it names was erased, and their values are blanked"


def without_values(erasure: Erasure, ids: Sequence[str]) -> Plan[None]:
    """Blank the person's values in deliveries that tell of somebody else as well."""
    for some in parts(ids):
        yield from tombstones.blank_stored(erasure.account_id, some, erasure.own, erasure.called)
        yield from _noted(erasure, some, "CASE WHEN reason IS NULL THEN :reason ELSE reason END", _BLANKED)
        erasure.count("blanked", len(some))


def _noted(erasure: Erasure, ids: Sequence[str], reason_sql: str, reason: str) -> Plan[None]:
    clause, values = among("id", list(ids))
    yield Sql(
        f"UPDATE deliveries SET reason = {reason_sql}, notes = CASE WHEN notes = '[]' THEN '[\"erased\"]' "
        "WHEN notes LIKE '%\"erased\"%' THEN notes ELSE substr(notes, 1, length(notes) - 1) || ',\"erased\"]' END "
        f"WHERE account_id = :account_id AND id {clause}",
        account_id=erasure.account_id,
        reason=reason,
        **values,
    )


def without_bodies(erasure: Erasure, ids: Sequence[str], what: str) -> Plan[None]:
    """Delete the bodies of these deliveries, and what waits to read them. Their log rows stay, and say why.

    `what` is the word by which the proof counts them.
    """
    for some in parts(ids):
        clause, values = among("id", some)
        gone: list[Row] = yield Sql(
            f"DELETE FROM bodies WHERE account_id = :account_id AND delivery_id {clause} RETURNING delivery_id",
            account_id=erasure.account_id,
            **values,
        )
        erasure.count(what, len(gone))
        yield from _noted(erasure, some, ":reason", _ERASED)
        for table in ("fetches", "held"):  # nothing is left to be read
            yield Sql(
                f"DELETE FROM {table} WHERE account_id = :account_id AND delivery_id {clause}",
                account_id=erasure.account_id,
                **values,
            )
        yield from diffs_gone(erasure, "delivery", some)
        for waits in (Outcome.HELD, Outcome.FETCHING):
            ended: list[Row] = yield Sql(
                f"UPDATE deliveries SET outcome = 'ignored' WHERE account_id = :account_id AND outcome = '{waits}' "
                f"AND id {clause} RETURNING {COUNTED_BY}",
                account_id=erasure.account_id,
                **values,
            )
            yield from move_counts(ended, waits, Outcome.IGNORED)


def diffs_gone(erasure: Erasure, kind: str, ids: Sequence[str]) -> Plan[None]:
    """Delete the recorded differences of remaps: they have the person's data."""
    clause, values = among("id", list(ids))
    yield Sql(
        f"DELETE FROM job_changes WHERE account_id = :account_id AND kind = :kind AND subject {clause}",
        account_id=erasure.account_id,
        kind=kind,
        **values,
    )


def delete_held(erasure: Erasure) -> Plan[None]:
    """Delete the person's deliveries on hold, of this source or of all; in those of others the values are blanked."""
    theirs, beside = yield from held_for(erasure.account_id, erasure.words, erasure.source_id)
    yield from without_bodies(erasure, sorted(theirs), "held")
    yield from without_values(erasure, sorted(beside))


def held_for(account_id: str, words: Collection[Word], source_id: str | None) -> Plan[tuple[set[str], set[str]]]:
    """Return the deliveries on hold that are about somebody with these identities, and those that only name one."""
    rows: list[Row] = yield _HELD.many([(account_id, *word) for word in sorted(words)])
    ids = {row["delivery_id"] for row in rows}
    if source_id is not None:
        found: list[Row] = yield SOURCES.many([(account_id, one) for one in sorted(ids)])
        ids = {row["id"] for row in found if row["source_id"] == source_id}
    named: dict[str, set[Word]] = {}
    for row in (yield _WAITS_FOR.many([(account_id, one) for one in sorted(ids)])):
        named.setdefault(row["delivery_id"], set()).add((row["kind"], row["value"]))
    theirs = {
        delivery_id
        for delivery_id, its in named.items()
        if any(not any(evidence_against(words, its, by)) for by in its.intersection(words))
    }
    return theirs, ids - theirs


def delete_samples(erasure: Erasure) -> Plan[None]:
    """Delete samples of rejected deliveries that name the person in their headers."""
    values = [value for kind, value in erasure.own if kind in ("email", "phone", "document")]
    rows: list[Row] = yield Sql(
        "SELECT source_id, outcome, reason, samples FROM refusals WHERE account_id = :account_id",
        account_id=erasure.account_id,
    )
    for row in rows if values else ():
        samples = json.loads(row["samples"])
        kept = [one for one in samples if not any(value in to_json(one).casefold() for value in values)]
        if len(kept) < len(samples):
            yield Sql(
                "UPDATE refusals SET samples = :samples WHERE account_id = :account_id AND source_id = :source_id "
                "AND outcome = :outcome AND reason = :reason",
                account_id=erasure.account_id,
                source_id=row["source_id"],
                outcome=row["outcome"],
                reason=row["reason"],
                samples=json.dumps(kept),
            )
