"""Tombstones: salted hashes of erased people's identities. Late deliveries about them are matched here.

A tombstone counts in the whole account, or (`scope`) for one source. The ids of an erased person's orders have
tombstones too, so that a late delivery is matched even if it names nobody; so has a shop that was erased as a whole.
"""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.base.clock import now
from app.base.outcome import Outcome
from app.base.statement import Statement, identities_in
from app.db.statements import Insert, Lookup, Plan, Row, Sql
from app.store.delivery_record import Record

ORDER, SHOP = "order", "shop"  # kinds of tombstones beside those of identities
NOTE = "erased"
KEPT_AS_STUB = (
    "external_id",
    "aliases",
    "preference",
    "sequence",
    "status",
    "source_status",
    "value",
    "currency",
    "bills",
    "payments",
    "refunds",
    "notes",
    "ordered_at",
    "paid_at",
    "test",
)

_SALT = Lookup("salts", ("account_id", "salt"), by=("account_id",))
_TOMBSTONE = Lookup("tombstones", ("account_id", "hash", "scope", "proof_id"), by=("account_id", "hash"))
_SAVE = Insert("tombstones", on_conflict="skip")

Word = tuple[str, str]  # kind, value


def hashed(salt: str, word: Word) -> str:
    """Return the stored hash of an identity. It cannot be searched for without the account's salt."""
    return hmac.digest(bytes.fromhex(salt), "\0".join(word).encode(), "sha256").hex()[:40]


def order_words(scope: str, names: Iterable[str]) -> list[Word]:
    """Return the words that stand for an order; `scope` is as in `schema.orders`."""
    return [(ORDER, f"{scope}\0{name}") for name in names]


def anonymised_order(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a history entry without anything that could identify a person."""
    return {name: said[name] for name in KEPT_AS_STUB if name in said} | {"erased": True}


def salt_of(account_id: str) -> Plan[str]:
    """Return the account's salt, created if it has none."""
    yield Sql(
        "INSERT INTO salts (account_id, salt) VALUES (:account_id, :salt) ON CONFLICT DO NOTHING",
        account_id=account_id,
        salt=secrets.token_hex(32),
    )
    rows: list[Row] = yield _SALT.many([(account_id,)])
    salt: str = rows[0]["salt"]
    return salt


def keeps_anonymised_orders(account_id: str) -> Plan[bool]:
    """Return whether the account keeps anonymised orders: true unless `orders_erased` is 0d."""
    rows: list[Row] = yield Sql("SELECT retention FROM accounts WHERE account_id = :account_id", account_id=account_id)
    return not rows or json.loads(rows[0]["retention"]).get("orders_erased") != "0d"


def put(account_id: str, scope: str, words: Iterable[Word], proof_id: str) -> Plan[None]:
    """Write tombstones for these words."""
    salt = yield from salt_of(account_id)
    present = now()
    rows = [(account_id, hashed(salt, word), scope, proof_id, present) for word in dict.fromkeys(words)]
    if rows:
        yield _SAVE.many(rows)


def anybody_erased(account_id: str) -> Plan[bool]:
    """Return whether the account has erased anybody."""
    return bool((yield _SALT.many([(account_id,)])))


def matched(account_id: str, words: Sequence[Word], scope: str = "") -> Plan[str | None]:
    """Return the proof of the erasure that matches one of these words, in the account or this source; else None."""
    return (yield from matched_each(account_id, [words], scope))[0]


def matched_each(account_id: str, people: Sequence[Sequence[Word]], scope: str = "") -> Plan[list[str | None]]:
    """Return the same for many people, each with several words."""
    salts: list[Row] = yield _SALT.many([(account_id,)])
    if not salts:
        return [None] * len(people)
    marks = [[(account_id, hashed(salts[0]["salt"], word)) for word in words] for words in people]
    proofs = {
        row["hash"]: row["proof_id"]
        for row in (yield _TOMBSTONE.many(sorted({mark for one in marks for mark in one})))
        if row["scope"] in ("", scope)
    }
    return [next((proofs[mark] for _, mark in one if mark in proofs), None) for one in marks]


def lift(account_id: str, words: Sequence[Word]) -> Plan[None]:
    """Remove the tombstones of a person who became a contact again on purpose."""
    salts: list[Row] = yield _SALT.many([(account_id,)])
    for word in dict.fromkeys(words) if salts else ():
        yield Sql(
            "DELETE FROM tombstones WHERE account_id = :account_id AND hash = :hash",
            account_id=account_id,
            hash=hashed(salts[0]["salt"], word),
        )


def redact(records: Sequence[Record]) -> Plan[None]:
    """Remove what names an erased person from these records, before anything is written: no body, an anonymised order.

    An account without erasures costs one look-up. If the account keeps no anonymised orders, the delivery ends as
    ignored.
    """
    salts = {
        row["account_id"]: row["salt"]
        for row in (yield _SALT.many([(one,) for one in sorted({rec.account_id for rec in records})]))
    }
    silent = [
        rec for rec in records if rec.account_id in salts and not rec.statements and rec.content and not rec.privacy
    ]
    yield from _redact_unread(silent, salts)
    hashes: dict[int, list[tuple[str, str]]] = {
        id(said): [(rec.account_id, hashed(salts[rec.account_id], word)) for word in _words(rec, said)]
        for rec in records
        if rec.account_id in salts
        for said in rec.statements
    }
    if not hashes:
        return
    found: dict[tuple[str, str], list[Row]] = {}
    for row in (yield _TOMBSTONE.many(sorted({mark for marks in hashes.values() for mark in marks}))):
        found.setdefault((row["account_id"], row["hash"]), []).append(row)
    for rec in records:
        if rec.account_id in salts:
            yield from _redact(rec, hashes, found)


def _redact_unread(records: Sequence[Record], salts: Mapping[str, str]) -> Plan[None]:
    """Search deliveries that are not about an order (a cart, something unreadable) for erased people."""
    by_account: dict[str, list[Record]] = {}
    for rec in records:
        by_account.setdefault(rec.account_id, []).append(rec)
    for account_id, recs in by_account.items():
        for rec in recs:
            if rec.mentioned is None:  # nobody was erased yet when it arrived
                rec.search()
        words = [[*(rec.mentioned or ()), (SHOP, rec.source_id)] for rec in recs]
        for rec, proof in zip(recs, (yield from matched_each(account_id, words)), strict=True):
            if proof is not None:
                yield from forget_body(rec)


def _words(rec: Record, said: Statement) -> list[Word]:
    return [*identities_in(said.said), *order_words(rec.source_id, said.names), (SHOP, rec.source_id)]


def _redact(
    rec: Record, hashes: Mapping[int, list[tuple[str, str]]], found: Mapping[tuple[str, str], list[Row]]
) -> Plan[None]:
    names: list[tuple[str, str]] = []  # of orders, each with the proof of its person's erasure
    kept: list[Statement] = []
    for said in rec.statements:
        rows = [row for mark in hashes.get(id(said), ()) for row in found.get(mark, ())]
        # A plan may be run again, and then finds what it has veiled before.
        before = "" if said.said.get("erased") else None
        proof = next((row["proof_id"] for row in rows if row["scope"] in ("", rec.source_id)), before)
        kept.append(said if proof is None else replace(said, said=anonymised_order(said.said)))
        names += [(name, proof) for name in said.names if proof is not None]
    if not names:
        return
    for proof in dict.fromkeys(proof for _, proof in names):
        mine = [name for name, its in names if its == proof]
        yield from put(rec.account_id, "", order_words(rec.source_id, mine), proof)
    if not (yield from keeps_anonymised_orders(rec.account_id)):
        kept = [said for said in kept if not said.said.get("erased")]
    rec.statements = kept
    yield from forget_body(rec)
    if not kept:
        rec.outcome, rec.reason = Outcome.IGNORED, "the person it names was erased, and no stubs of orders are kept"


def forget_body(rec: Record) -> Plan[None]:
    """Drop the delivery's bytes. Its log row says why."""
    rec.content = b""
    if NOTE not in rec.notes:
        rec.notes.append(NOTE)
    if rec.again:
        yield Sql(
            "DELETE FROM bodies WHERE account_id = :account_id AND delivery_id = :id",
            account_id=rec.account_id,
            id=rec.delivery_id,
        )
