"""Decides which deliveries of a batch were seen before.

A delivery is known by its source's id of it. Where the source gives none, the same body is a repeat only while nothing
else was said of its order since: a state that comes back is news, with a delivery and a history entry of its own.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.base.outcome import Outcome
from app.db.statements import Lookup, Plan, Row, Sql
from app.store.delivery_record import Receipt, Record

_DELIVERY = Lookup(
    "deliveries",
    ("account_id", "source_id", "dedupe_key", "id", "outcome", "orders"),
    by=("account_id", "source_id", "dedupe_key"),
    also=("pruned_deliveries", {"outcome": "'pruned'", "orders": "'[]'"}),
)
_SAID_BY = Lookup("history", ("account_id", "order_id", "delivery_id"), by=("account_id", "delivery_id"))
_SAID_OF = Lookup("history", ("account_id", "order_id", "delivery_id", "recorded_at"), by=("account_id", "order_id"))

Key = tuple[str, str, str]  # account, source, and the dedupe key, or a name of an order


@dataclass(slots=True)
class Sorting:
    """Holds what a batch's deliveries are. Records stand under their `id()`, because two may be equal.

    `receipts` are those of deliveries that were seen before, `twins` those that repeat another of the same batch.
    """

    receipts: dict[int, Receipt] = field(default_factory=dict)
    fresh: list[Record] = field(default_factory=list)
    twins: list[tuple[Record, Record]] = field(default_factory=list)
    _keys: dict[int, str] = field(default_factory=dict)
    _repeats: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def key_of(self, rec: Record) -> str:
        """Return the dedupe key under which a new delivery is logged."""
        return self._keys.get(id(rec), rec.dedupe_key)

    def repeats_of(self, rec: Record) -> tuple[int, int | None]:
        """Return how often a new delivery was repeated within its batch, and when last."""
        return self._repeats.get((rec.account_id, rec.delivery_id), (0, None))

    def count_repeats(self) -> Plan[None]:
        """Count each repeat on the delivery that it repeats."""
        logged = {(rec.account_id, rec.delivery_id) for rec in self.fresh if not rec.again}
        for (account_id, delivery_id), (count, last_at) in sorted(self._repeats.items()):
            if (account_id, delivery_id) not in logged:
                yield Sql(
                    "UPDATE deliveries SET repeats = repeats + :count, last_repeated_at = CASE WHEN last_repeated_at > "
                    ":last_at THEN last_repeated_at ELSE :last_at END WHERE account_id = :account_id AND id = :id",
                    account_id=account_id, id=delivery_id, count=count, last_at=last_at,
                )  # fmt: skip

    def _repeat(self, rec: Record, delivery_id: str) -> None:
        count, last_at = self._repeats.get((rec.account_id, delivery_id), (0, rec.received_at))
        self._repeats[rec.account_id, delivery_id] = count + 1, max(last_at, rec.received_at)

    def _take(self, batch: Sequence[Record], seen: dict[Key, Row], superseded: set[tuple[str, str]]) -> Iterator[Row]:
        """Sort the batch; yield the recorded deliveries that leave their dedupe key to one that is news."""
        spoke: dict[Key, str] = {}  # the delivery that said the last thing of an order, within this batch
        first: dict[Key, Record] = {}
        heeded = any(_by_digest(rec) for rec in batch)  # else nobody asks who said the last thing

        def came_back(rec: Record, delivery_id: str) -> bool:
            if rec.again or not _by_digest(rec):
                return False
            last = {spoke.get(name, delivery_id) for name in _orders_of(rec)}
            return bool(last - {delivery_id}) or (bool(last) and (rec.account_id, delivery_id) in superseded)

        for rec in batch:
            key = (rec.account_id, rec.source_id, rec.dedupe_key)
            known = None if rec.again else seen.get(key)
            if known is not None and rec.repeats_are_news and known["outcome"] == "pruned":
                known = None  # it has nothing to look with any more: news like the first
            twin = first.get(key)
            if known is not None and not came_back(rec, known["id"]):
                self.receipts[id(rec)] = Receipt(known["id"], Outcome.DUPLICATE, tuple(json.loads(known["orders"])))
                self._repeat(rec, known["id"])
                continue
            if known is None and twin is not None and not came_back(rec, twin.delivery_id):
                self.twins.append((rec, twin))
                if not rec.again:
                    self._repeat(rec, twin.delivery_id)
                continue
            if known is not None:
                yield seen.pop(key)
            elif twin is not None:
                self._keys[id(twin)] = _left(twin.dedupe_key, twin.delivery_id)
            first[key] = rec
            self.fresh.append(rec)
            if heeded and not rec.again:
                spoke |= dict.fromkeys(_orders_of(rec), rec.delivery_id)


def sort_out(batch: Sequence[Record]) -> Plan[Sorting]:
    """Sort a batch into what was seen before and what is new. The new get their keys, of which the index is the judge."""
    found: list[Row] = yield _DELIVERY.many(
        [(rec.account_id, rec.source_id, rec.dedupe_key) for rec in batch if not rec.again]
    )
    seen: dict[Key, Row] = {}
    for row in sorted(found, key=lambda row: row["outcome"] == "pruned"):
        seen.setdefault((row["account_id"], row["source_id"], row["dedupe_key"]), row)
    sorting = Sorting()
    superseded = (yield from _superseded(batch, seen)) if seen else set()
    for row in sorting._take(batch, seen, superseded):
        names = {"account_id": row["account_id"], "left": _left(row["dedupe_key"], row["id"])}
        for table in ("deliveries", "pruned_deliveries"):
            yield Sql(
                f"UPDATE {table} SET dedupe_key = :left WHERE account_id = :account_id AND source_id = :source_id "
                "AND dedupe_key = :dedupe_key",
                **names, source_id=row["source_id"], dedupe_key=row["dedupe_key"],
            )  # fmt: skip
    return sorting


def _superseded(batch: Sequence[Record], seen: dict[Key, Row]) -> Plan[set[tuple[str, str]]]:
    """Return, of the deliveries whose body has come again, those (account, id) after which another spoke of the same order."""
    asked = {
        (rec.account_id, row["id"])
        for rec in batch
        if not rec.again and _by_digest(rec) and (row := seen.get((rec.account_id, rec.source_id, rec.dedupe_key)))
    }
    if not asked:
        return set()
    said: list[Row] = yield _SAID_BY.many(sorted(asked))
    if not said:
        return set()
    entries: list[Row] = yield _SAID_OF.many(sorted({(row["account_id"], row["order_id"]) for row in said}))
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for row in entries:
        if row["delivery_id"] is not None:
            order = (row["account_id"], row["order_id"])
            last[order] = max(last.get(order, (-1, "")), (row["recorded_at"], row["delivery_id"]))
    return {
        (row["account_id"], row["delivery_id"])
        for row in said
        if last[row["account_id"], row["order_id"]][1] != row["delivery_id"]
    }


def _by_digest(rec: Record) -> bool:
    """Return whether its source gives the delivery no id, so that it is known by what it says of orders."""
    return bool(rec.statements) and rec.dedupe_key.startswith("digest:")


def _orders_of(rec: Record) -> list[Key]:
    return [(rec.account_id, rec.source_id, name) for said in rec.statements for name in said.names]


def _left(dedupe_key: str, delivery_id: str) -> str:
    """Return the key of a delivery whose own went to a later one of the same body."""
    return f"{dedupe_key}#{delivery_id}"
