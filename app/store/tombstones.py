"""Tombstones: keyed hashes of erased people's identities. Late deliveries about them are matched here.

Their key is the account's salt: random, made at the first erasure, and sealed with the master key.

A tombstone counts in the whole account, or (`scope`) for one source. The ids of an erased person's orders have
tombstones too, so that a late delivery is matched even if it names nobody; so has a shop that was erased as a whole.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace

from app.base.blanking import naming
from app.base.clock import now
from app.base.identity import KINDS, is_weak, sort_of
from app.base.outcome import Outcome
from app.base.statement import Statement, identities_in
from app.base.vault import Vault
from app.db.engine import Store
from app.db.statements import Insert, InVault, Lookup, Plan, Row, Sql
from app.store.delivery_record import Record, blanked_content

ORDER, SHOP = "order", "shop"  # kinds of tombstones beside those of identities
RENAMED = "renamed"  # and that of an order's id that named the person
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
    "sample",
)

_BARE = 64  # characters of a salt; sealed it is longer
_SALT = Lookup("salts", ("account_id", "salt"), by=("account_id",))
_COLUMNS = ("account_id", "hash", "scope", "proof_id", "kind")
_TOMBSTONE = Lookup("tombstones", _COLUMNS, by=("account_id", "hash"))
_OF_PROOF = Lookup("tombstones", _COLUMNS, by=("account_id", "proof_id"))
_SAVE = Insert("tombstones", on_conflict="skip")
_BODY = Lookup("bodies", ("delivery_id", "content"), by=("account_id", "delivery_id"))
_SAVE_BODY = Insert("bodies", on_conflict="replace")

Word = tuple[str, str]  # kind, value
Asked = tuple[str, str, Sequence[Word]]  # account, the source that says it or "", and what somebody is known by


@dataclass(frozen=True, slots=True)
class Erased:
    """Holds what tombstones say of some words. `proof_id`: that of the person whom they are about, if they are.

    `known` are the words that have a tombstone. A phone or CNPJ alone makes nobody the erased person.
    """

    proof_id: str | None = None
    known: frozenset[Word] = frozenset()

    @property
    def to_blank(self) -> frozenset[Word]:
        """Return what is blanked where somebody else is meant."""
        return frozenset(word for word in self.known if word[0] in KINDS and is_weak(word))


def hash_of(account_id: str, word: Word) -> Plan[str | None]:
    """Return the hash under which an identity's tombstone is stored; None if the account has erased nobody."""
    salt = (yield from _salts([account_id])).get(account_id)
    return hashed(salt, word) if salt else None


def hashed(salt: str, word: Word) -> str:
    """Return the stored hash of an identity. It cannot be searched for without the account's salt."""
    return hmac.digest(bytes.fromhex(salt), "\0".join(word).encode(), "sha256").hex()[:40]


def order_words(scope: str, names: Iterable[str]) -> list[Word]:
    """Return the words that stand for an order; `scope` is as in `schema.orders`."""
    return [(ORDER, f"{scope}\0{name}") for name in names]


def renamed_words(scope: str, names: Iterable[str]) -> list[Word]:
    """Return the words that stand for ids of orders that were replaced."""
    return [(RENAMED, f"{scope}\0{name}") for name in names]


def renamed(salt: str, scope: str, name: str) -> str:
    """Return what takes the place of an order's id that names a person: the same for each delivery that tells it."""
    [word] = renamed_words(scope, [name])
    return f"erased:{hashed(salt, word)}"


def anonymised_order(said: Mapping[str, Any], ids: Mapping[str, str], named: Callable[[str], bool]) -> dict[str, Any]:
    """Return a history entry without anything that could identify a person. `ids` are new ones, by the old."""
    kept = {name: said[name] for name in KEPT_AS_STUB if name in said} | {"erased": True}
    if "external_id" in kept:
        kept["external_id"] = ids.get(kept["external_id"], kept["external_id"])
    if "aliases" in kept:
        kept["aliases"] = [ids.get(name, name) for name in kept["aliases"]]
    if named(kept.get("source_status", "")):
        del kept["source_status"]
    return kept


def salt_of(account_id: str) -> Plan[str]:
    """Return the account's salt, created if it has none."""
    made: str = yield InVault(lambda vault: vault.seal(secrets.token_hex(32)))
    yield Sql(
        "INSERT INTO salts (account_id, salt) VALUES (:account_id, :salt) ON CONFLICT DO NOTHING",
        account_id=account_id,
        salt=made,
    )
    return (yield from _salts([account_id]))[account_id]


async def seal_salts(store: Store) -> None:
    """Seal the salts that an older version kept as they are. Raises Unavailable."""
    bare = await store.all("SELECT account_id, salt FROM salts WHERE length(salt) = :bare", bare=_BARE)

    def plan() -> Plan[None]:
        for row in bare:
            sealed: str = yield InVault(partial(Vault.seal, text=row["salt"]))
            yield Sql(
                "UPDATE salts SET salt = :sealed WHERE account_id = :account_id AND salt = :salt", sealed=sealed, **row
            )

    if bare:
        await store.commit(plan)


def keeps_anonymised_orders(account_id: str) -> Plan[bool]:
    """Return whether the account keeps anonymised orders: true unless `orders_erased` is 0d."""
    rows: list[Row] = yield Sql("SELECT retention FROM accounts WHERE account_id = :account_id", account_id=account_id)
    return not rows or json.loads(rows[0]["retention"]).get("orders_erased") != "0d"


def put(account_id: str, scope: str, words: Iterable[Word], proof_id: str) -> Plan[None]:
    """Write tombstones for these words."""
    salt = yield from salt_of(account_id)
    present = now()
    rows = [(account_id, hashed(salt, word), scope, proof_id, present, sort_of(word)) for word in dict.fromkeys(words)]
    if rows:
        yield _SAVE.many(rows)


def anybody_erased(account_id: str) -> Plan[bool]:
    """Return whether the account has erased anybody."""
    return bool((yield _SALT.many([(account_id,)])))


def matched_each(account_id: str, people: Sequence[Sequence[Word]], scope: str = "") -> Plan[list[Erased]]:
    """Return whom each of these lists of words is about, in the account or for this source."""
    salts = yield from _salts([account_id])
    return (yield from _erased(salts, [(account_id, scope, words) for words in people]))


def _salts(accounts: Iterable[str]) -> Plan[dict[str, str]]:
    rows: list[Row] = yield _SALT.many([(one,) for one in sorted(set(accounts))])
    salts: dict[str, str] = {}
    for row in rows:
        bare = len(row["salt"]) == _BARE  # a process of an older version wrote it since we began
        salts[row["account_id"]] = row["salt"] if bare else (yield InVault(partial(Vault.open, sealed=row["salt"])))
    return salts


def _erased(salts: Mapping[str, str], asked: Sequence[Asked]) -> Plan[list[Erased]]:
    """Find whom words are about, by the rule for contacts: by CRM id, customer id, CPF or e-mail, nothing against it."""
    hashes = [
        {word: hashed(salts[account_id], word) for word in words} if account_id in salts else {}
        for account_id, _, words in asked
    ]
    keys = {(account_id, mark) for (account_id, _, _), its in zip(asked, hashes, strict=True) for mark in its.values()}
    found: dict[tuple[str, str], list[Row]] = {}
    for row in (yield _TOMBSTONE.many(sorted(keys))) if keys else ():
        found.setdefault((row["account_id"], row["hash"]), []).append(row)
    hits = [
        {
            word: row["proof_id"]
            for word, mark in its.items()
            for row in found.get((account_id, mark), ())
            if row["scope"] in ("", scope)
        }
        for (account_id, scope, _), its in zip(asked, hashes, strict=True)
    ]
    # What else is known of whom a word names, where that may speak against it.
    doubtful = {
        (account_id, proof_id)
        for (account_id, _, words), its in zip(asked, hits, strict=True)
        for word, proof_id in its.items()
        if word[0] in KINDS and not is_weak(word) and any(sort_of(one) in _ONE_PER_PERSON for one in words)
    }
    persons: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in (yield _OF_PROOF.many(sorted(doubtful))) if doubtful else ():
        of_kind = persons.setdefault((row["account_id"], row["proof_id"]), {})
        of_kind.setdefault(row["kind"], set()).add(row["hash"])
    return [
        Erased(_person(account_id, known, its, persons), frozenset(known))
        for (account_id, _, _), its, known in zip(asked, hashes, hits, strict=True)
    ]


_ONE_PER_PERSON = ("crm", "cpf")


def _person(
    account_id: str,
    known: Mapping[Word, str],
    hashes: Mapping[Word, str],
    persons: Mapping[tuple[str, str], Mapping[str, set[str]]],
) -> str | None:
    for word, proof_id in known.items():
        if word[0] not in KINDS:
            return proof_id  # an order of theirs, or their shop
        if is_weak(word):
            continue
        theirs = persons.get((account_id, proof_id), {})
        ours = {sort: {mark for one, mark in hashes.items() if sort_of(one) == sort} for sort in _ONE_PER_PERSON}
        if not any(marks and theirs.get(sort) and not marks & theirs[sort] for sort, marks in ours.items()):
            return proof_id
    return None


def lift(account_id: str, words: Sequence[Word]) -> Plan[None]:
    """Remove the tombstones of a person who became a contact again on purpose."""
    salts = yield from _salts([account_id])
    for word in dict.fromkeys(words) if salts else ():
        yield Sql(
            "DELETE FROM tombstones WHERE account_id = :account_id AND hash = :hash",
            account_id=account_id,
            hash=hashed(salts[account_id], word),
        )


def redact(records: Sequence[Record]) -> Plan[None]:
    """Remove what names an erased person from these records, before anything is written: no body, an anonymised order.

    An account without erasures costs one look-up. If the account keeps no anonymised orders, the delivery ends as
    ignored. What tells of somebody else as well loses the erased person's values alone.
    """
    salts = yield from _salts(rec.account_id for rec in records)
    asked: list[tuple[Record, Statement | None, list[Word]]] = []
    for rec in records:
        if rec.account_id not in salts:
            continue
        asked += [
            (
                rec,
                said,
                [
                    *identities_in(said.said),
                    *order_words(rec.source_id, said.names),
                    *renamed_words(rec.source_id, said.all_names),
                    (SHOP, rec.source_id),
                ],
            )
            for said in rec.statements
        ]
        if not rec.statements and rec.content and not rec.privacy:  # a cart, something unreadable
            if rec.mentioned is None:  # nobody was erased yet when it arrived
                rec.search()
            asked.append((rec, None, [*(rec.mentioned or ()), (SHOP, rec.source_id)]))
    if not asked:
        return
    found = yield from _erased(salts, [(rec.account_id, rec.source_id, words) for rec, _, words in asked])
    of_record: dict[int, list[tuple[Statement, Erased]]] = {}
    for (rec, said, words), erased in zip(asked, found, strict=True):
        if said is not None:
            of_record.setdefault(id(rec), []).append((said, erased))
        elif erased.known:
            yield from _redact_text(rec, words, erased)
    for rec in records:
        if its := of_record.get(id(rec)):
            yield from _redact(rec, its, salts[rec.account_id])


def _redact_text(rec: Record, words: Sequence[Word], erased: Erased) -> Plan[None]:
    """Remove erased people from a delivery without an order: all of it, unless it names somebody else as well."""
    strong = [word for word in words if word[0] in KINDS and not is_weak(word)]
    if (SHOP, rec.source_id) in erased.known or (strong and erased.known.issuperset(strong)):
        yield from forget_body(rec)
    else:
        yield from blank_body(rec, erased.known)


def _redact(rec: Record, found: Sequence[tuple[Statement, Erased]], salt: str) -> Plan[None]:
    names: list[tuple[Word, str]] = []  # of orders, each with the proof of its person's erasure
    kept: list[Statement] = []
    blanks: set[Word] = set()
    theirs: set[str | None] = set()  # names of erased people
    for said, erased in found:
        # A plan may be run again, and then finds what it has veiled before.
        proof = erased.proof_id if not said.said.get("erased") else erased.proof_id or ""
        if proof is not None:
            called = said.said.get("customer", {}).get("name")
            blanks.update(identities_in(said.said))
            theirs.add(called)
            named = naming(identities_in(said.said), [called])
            ids = {
                name: renamed(salt, rec.source_id, name)
                for name in said.all_names
                if named(name) or not erased.known.isdisjoint(renamed_words(rec.source_id, [name]))
            }
            kept.append(
                replace(
                    said,
                    names=tuple(ids.get(name, name) for name in said.names),
                    attempt_of=tuple(ids.get(name, name) for name in said.attempt_of),
                    said=anonymised_order(said.said, ids, named),
                )
            )
            names += [
                (word, proof) for word in (*order_words(rec.source_id, said.names), *renamed_words(rec.source_id, ids))
            ]
        elif erased.to_blank:
            blanks |= erased.to_blank
            kept.append(replace(said, said=without_identities(said.said, erased.to_blank)))
        else:
            kept.append(said)
    for proof in dict.fromkeys(proof for _, proof in names):
        yield from put(rec.account_id, "", [word for word, its in names if its == proof], proof)
    living = [said for said in kept if not said.said.get("erased")]
    if names and not (yield from keeps_anonymised_orders(rec.account_id)):
        kept = living
    rec.statements = kept
    if names and not living:
        yield from forget_body(rec)
    elif names or blanks:
        stays = {one for said in living for one in identities_in(said.said)}
        yield from blank_body(
            rec, blanks - stays, theirs - {said.said.get("customer", {}).get("name") for said in living}
        )
    if names and not kept:
        rec.outcome, rec.reason = Outcome.IGNORED, "the person it names was erased, and no stubs of orders are kept"


def without_identities(said: Mapping[str, Any], words: Collection[Word]) -> dict[str, Any]:
    """Return a history entry without these identities; without its customer if nobody else is known by what is left."""
    rest = [one for one in identities_in(said) if one not in words]
    kept = {name: value for name, value in said.items() if name != "customer"}
    if rest or (said.get("customer", {}).get("name") and all(is_weak(word) for word in words)):
        kept["customer"] = {**said["customer"], "identities": rest}
    return kept


def blank_body(rec: Record, words: Collection[Word], names: Iterable[str | None] = ()) -> Plan[None]:
    """Blank these values in the delivery's bytes. Its log row says why."""
    if NOTE not in rec.notes:
        rec.notes.append(NOTE)
    if rec.content:
        rec.content = blanked_content(rec.content, words, names)
    if rec.again:
        yield from blank_stored(rec.account_id, [rec.delivery_id], words, names)


def blank_stored(
    account_id: str, delivery_ids: Sequence[str], words: Collection[Word], names: Iterable[str | None] = ()
) -> Plan[None]:
    """Blank these values in stored bodies."""
    rows: list[Row] = yield _BODY.many([(account_id, one) for one in delivery_ids])
    changed = [(account_id, row["delivery_id"], blanked_content(row["content"], words, names)) for row in rows]
    if changed:
        yield _SAVE_BODY.many(changed)


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
