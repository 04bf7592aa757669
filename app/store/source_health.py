"""SQL about the health of sources: when each was last good, when it last rejected a delivery, which are known to fail."""

from collections.abc import Mapping
from typing import Any

from app.base.outcome import REFUSED
from app.db.engine import Store, among
from app.db.statements import AdvisoryLock, Insert, Plan, Row, Sql
from app.store import outbox
from app.store.outbox import Event, HappenedEvent

MARK = "source health"  # until when it is somebody's turn

_SAVE_MARK = Insert("marks", on_conflict="replace")
_FAILING = Insert("failing_sources", on_conflict="replace")
_NEWEST = (
    "(SELECT max(t.last_at) FROM tallies t WHERE t.account_id = s.account_id AND t.source_id = s.id AND t.count > 0 "
    "AND t.outcome {which} AND t.hour = (SELECT n.hour FROM tallies n WHERE n.account_id = s.account_id "
    "AND n.source_id = s.id AND n.count > 0 AND n.outcome {which} ORDER BY n.hour DESC LIMIT 1))"
)


async def seen(store: Store, account_id: str | None = None, source_id: str | None = None) -> list[Row]:
    """Return sources by id: of the account, or all of accounts whose registry is on.

    Each row: account_id, id, name, adapter, enabled, created_at, good and refused: when the last genuine delivery and the
    last rejected one came, or None.
    """
    refused, values = among("refused", sorted(REFUSED))
    where = "AND a.orders_enabled" if account_id is None else "AND s.account_id = :account_id"
    values |= {} if account_id is None else {"account_id": account_id}
    if source_id is not None:
        where, values["source_id"] = f"{where} AND s.id = :source_id", source_id
    rows = await store.all(
        "SELECT s.account_id, s.id, s.name, s.adapter, s.enabled, s.created_at, "
        f"{_NEWEST.format(which=f'NOT {refused}')} AS good, {_NEWEST.format(which=refused)} AS refused "
        f"FROM sources s JOIN accounts a ON a.account_id = s.account_id WHERE s.deleted_at IS NULL {where} "
        "ORDER BY s.account_id, s.id",
        **values,
    )
    return [{**row, "enabled": bool(row["enabled"])} for row in rows]


async def turn(store: Store, present: int, every: int) -> bool:
    """Return whether it is this process's turn to look; then it is nobody else's for `every` microseconds."""

    def plan() -> Plan[bool]:
        yield AdvisoryLock([("mark", MARK)])
        found: list[Row] = yield Sql("SELECT value FROM marks WHERE name = :name", name=MARK)
        # A clock that was set back must not end the turns.
        if found and present < int(found[0]["value"]) <= present + every:
            return False
        yield _SAVE_MARK.many([(MARK, str(present + every))])
        return True

    return await store.commit(plan)


async def watched(store: Store) -> list[str]:
    """Return the accounts whose registry is on, and in which somebody is told when a source fails or recovers."""
    rows = await store.all(
        "SELECT DISTINCT s.account_id FROM subscriptions s JOIN accounts a ON a.account_id = s.account_id "
        "WHERE s.enabled AND a.orders_enabled AND s.events LIKE '%\"source.%' ORDER BY s.account_id"
    )
    return [row["account_id"] for row in rows]


def record(
    account_id: str, failing: Mapping[str, Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]], present: int
) -> Plan[int]:
    """Record which sources fail now, and publish what is new. Returns how many events that was.

    `failing` has what an event says, with `code`, by source; `known` has it for every source that exists and is on: of
    another one nobody is told that it recovered.
    """
    yield AdvisoryLock([("failing sources", account_id)])
    before: list[Row] = yield Sql(
        "SELECT source_id, code, since FROM failing_sources WHERE account_id = :account_id", account_id=account_id
    )
    was = {row["source_id"]: row for row in before}
    happened = [
        HappenedEvent(account_id=account_id, event=Event.SOURCE_FAILING, subject=one, detail=said)
        for one, said in sorted(failing.items())
        if one not in was
    ]
    for one in sorted(was.keys() - failing.keys()):
        yield Sql(
            "DELETE FROM failing_sources WHERE account_id = :account_id AND source_id = :source_id",
            account_id=account_id,
            source_id=one,
        )
        if one in known:
            said = {**known[one], "code": was[one]["code"]}
            happened.append(
                HappenedEvent(account_id=account_id, event=Event.SOURCE_RECOVERED, subject=one, detail=said)
            )
    new = [
        (account_id, one, said["code"], was[one]["since"] if one in was else present)
        for one, said in sorted(failing.items())
        if one not in was or was[one]["code"] != said["code"]
    ]
    if new:
        yield _FAILING.many(new)
    yield from outbox.publish(happened)
    return len(happened)
