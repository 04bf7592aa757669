"""The state of one erasure: whose it is, what was found and what was taken, and whom identities are shared with."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from app.base.clock import now
from app.base.ids import new_id
from app.db.statements import AdvisoryLock, Plan, Row, Sql, to_json
from app.store.tombstones import Word

AT_ONCE = 500  # orders whose history is rewritten in one go


@dataclass(slots=True)
class Mentions:
    """Holds where a person is named outside their orders: orders of others, and deliveries without an order.

    `beside` are deliveries that name somebody else as well, or the person by a phone or CNPJ alone.
    """

    orders: set[str] = field(default_factory=set)
    deliveries: set[str] = field(default_factory=set)
    beside: set[str] = field(default_factory=set)


class DryRunDone(Exception):
    """Raised at the end of a dry run, so that the transaction is rolled back. Carries what it would have done."""

    def __init__(self, erasure: "Erasure") -> None:
        super().__init__()
        self.erasure = erasure


@dataclass(slots=True, kw_only=True)
class Erasure:
    """Holds the state of one erasure. `source_id` limits it to what that source gave; None: all of the account."""

    account_id: str
    action: str
    source_id: str | None = None
    request_id: str | None = None
    member_id: str | None = None
    proof_id: str = field(default_factory=lambda: new_id("prf"))
    counts: dict[str, int] = field(default_factory=dict)
    words: set[Word] = field(default_factory=set)  # the identities
    shared: dict[Word, set[str]] = field(default_factory=dict)  # those that other contacts have or are told to have
    called: set[str] = field(default_factory=set)  # names
    names: set[Word] = field(default_factory=set)  # what stands for the orders; they get one as well
    contacts: set[str] = field(default_factory=set)  # ids that nothing may name any more
    orders: set[str] = field(default_factory=set)

    @property
    def scope(self) -> str:
        """Return the tombstones' scope."""
        return self.source_id or ""

    @property
    def own(self) -> set[Word]:
        """Return the identities that nobody else has: they are blanked wherever they stand."""
        return self.words - self.shared.keys()

    def count(self, what: str, many: int) -> None:
        """Count what was erased."""
        self.counts[what] = self.counts.get(what, 0) + many

    def proof(self) -> Row:
        """Return the proof's row."""
        return {
            "account_id": self.account_id,
            "id": self.proof_id,
            "action": self.action,
            "source_id": self.source_id,
            "request_id": self.request_id,
            "member_id": self.member_id,
            "counts": to_json(self.counts),
            "done_at": now(),
        }


def locked(account_id: str) -> AdvisoryLock:
    """Return the lock that every step of an erasure begins with."""
    return AdvisoryLock([("people", account_id)])


def parts(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield these ids, as many at a time as one step looks at."""
    for at in range(0, len(ids), AT_ONCE):
        yield list(ids[at : at + AT_ONCE])


def find_shared(erasure: Erasure) -> Plan[None]:
    """Find which of the identities others have, or are told to have."""
    erasure.shared |= yield from shared_with(erasure.account_id, erasure.words, erasure.contacts)


def shared_with(account_id: str, words: Collection[Word], contact_ids: Collection[str]) -> Plan[dict[Word, set[str]]]:
    """Return those of these identities that others than these contacts have, or are told to have, with who they are."""
    shared: dict[Word, set[str]] = {}
    for kind, value in sorted(words):
        rows: list[Row] = yield Sql(
            "SELECT contact_id FROM identities WHERE account_id = :account_id AND kind = :kind AND value = :value "
            "UNION SELECT contact_id FROM conflicts WHERE account_id = :account_id AND kind = :kind AND value = :value",
            account_id=account_id,
            kind=kind,
            value=value,
        )
        if others := {row["contact_id"] for row in rows} - set(contact_ids):
            shared[kind, value] = others
    return shared
