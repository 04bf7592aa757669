"""An order is the fold of its history: one pure function, the same result whatever the order of arrival.

Entries are sorted by (the source's own time, status rank, digest) and folded left to right. A field that an entry does
not mention is left alone. Three rules beyond "the latest says":

- An entry without a time comes after the timed ones. It cannot say when it was true, so it fills gaps but overrides
  nothing, and moves the status only forward in rank.
- What a member set by hand (title, contact, deal) stays when a later webhook says otherwise.
- Money given back is kept per refund, so that each counts once however often it is told; when all of it is back, the
  order is `refunded`, and when an order is `refunded`, all of it is back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.contract.order import RANK, Status

# Identities by which a source knows one person for certain; the others (an e-mail, a phone) people change.
STRONG = ("crm", "source", "document")

# Ids of refunds that no source itemised: the total that an import tells, and what a member adds by hand.
SO_FAR = "import"
BY_MEMBER = "member"

Identity = tuple[str, str]  # kind, normalised value


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one delivery or member said of an order.

    `at` is the source's own time in microseconds since 1970, `recorded_at` ours. `said` holds only what was mentioned,
    in the shape in which it is stored (see `statement.py` in the app). `digest` tells equal times apart.
    """

    at: int | None
    digest: str
    recorded_at: int
    said: Mapping[str, Any]
    by_member: bool = False

    @property
    def rank(self) -> int:
        """The rank of the status that is said; -1 when none is."""
        status = self.said.get("status")
        return RANK[Status(status)] if status is not None else -1


@dataclass(slots=True)
class Folded:
    """The order as its history tells it. Money in minor units, times in microseconds since 1970.

    `value` None means that no entry has described the order yet (only a refund or a deletion came): it is kept, and
    shown once one does.
    """

    external_id: str | None = None
    aliases: set[str] = field(default_factory=set)
    status: str = Status.PENDING
    source_status: str | None = None
    title: str | None = None
    value: int | None = None
    currency: str | None = None
    refunded_value: int = 0
    ordered_at: int | None = None
    paid_at: int | None = None
    name: str | None = None
    identities: tuple[Identity, ...] = ()
    contact_id: str | None = None  # only when a member set it
    deal_id: str | None = None
    items: list[dict[str, Any]] = field(default_factory=list)
    url: str | None = None
    test: bool = False


_PLAIN = ("title", "ordered_at", "paid_at", "url", "test", "items", "deal_id", "contact_id", "source_status")
_STICKY = frozenset(("title", "contact_id", "deal_id"))


def fold(entries: Iterable[Entry]) -> Folded:
    """The order that these entries tell of. Raises nothing: entries were checked when they were recorded."""
    history = list(entries)
    if len(history) > 1:
        history.sort(key=_place)
    order = Folded()
    mentioned: set[str] = set()
    by_member: set[str] = set()
    refunds: dict[str, list[Any]] = {}
    untimed: set[str] = set()  # refunds of which no entry with a time tells: what is told of a total only grows
    names: list[tuple[int, str]] = []
    status: str | None = None
    for entry in history:
        said = entry.said
        timed = entry.at is not None
        for name in _PLAIN:
            if name not in said or (name in by_member and not entry.by_member) or (not timed and name in mentioned):
                continue
            setattr(order, name, said[name])
            mentioned.add(name)
            if entry.by_member and name in _STICKY:
                by_member.add(name)
        if "value" in said and (timed or order.value is None):
            order.value, order.currency = said["value"], said["currency"]
        if "status" in said and (timed or status is None or RANK[Status(said["status"])] > RANK[Status(status)]):
            status = said["status"]
            if not timed:  # the word that explains the status goes with it
                order.source_status = said.get("source_status", order.source_status)
        for refund, amount in said.get("refunds", {}).items():
            more = refund in untimed and amount[0] > refunds[refund][0]
            if timed or refund not in refunds or more:
                refunds[refund] = amount
            if not timed and refunds[refund] is amount:
                untimed.add(refund)
        if "customer" in said:
            _meet(order, said["customer"], timed)
        if "external_id" in said:
            order.aliases.update((said["external_id"], *said.get("aliases", ())))
            names.append((said.get("preference", 0), said["external_id"]))
    if names:
        order.external_id = min(names)[1]
        order.aliases.discard(order.external_id)
    order.status = status or Status.PENDING
    _settle(order, refunds, history)
    return order


def _place(entry: Entry) -> tuple[bool, int, int, str]:
    return (entry.at is None, entry.at or 0, entry.rank, entry.digest)


def _meet(order: Folded, customer: Mapping[str, Any], timed: bool) -> None:
    """Brings an entry's customer in: more about the same person, or (a shop corrected the order) another person."""
    identities: list[Identity] = [(kind, value) for kind, value in customer.get("identities", ())]
    if not order.identities:  # nobody who could be another
        order.identities = tuple(identities)
        if customer.get("name") and (timed or order.name is None):
            order.name = customer["name"]
        return
    known = {kind for kind, _ in order.identities}
    shared = [kind for kind, _ in identities if kind in known]
    same = {kind for kind, value in identities if (kind, value) in order.identities}
    strong = [kind for kind in shared if kind in STRONG]
    another = bool(shared) and not (same & set(strong) or (same and not strong))
    if not timed and another:
        return
    if another:
        order.identities, order.name = tuple(identities), customer.get("name")
        return
    fresh = tuple(identity for identity in identities if identity not in order.identities)
    if timed:
        mentioned = tuple(identities)
        order.identities = mentioned + tuple(old for old in order.identities if old not in mentioned)
    else:
        order.identities += fresh
    if customer.get("name") and (timed or order.name is None):
        order.name = customer["name"]


def given_back(refunds: Mapping[str, int]) -> int:
    """The sum of these refunds (id: minor units).

    What an import tells as the total so far is not added to what the source itemises, before or after: it is the same
    money, so the greater of both counts. What a member adds comes on top.
    """
    itemised = sum(amount for refund, amount in refunds.items() if refund not in (SO_FAR, BY_MEMBER))
    return max(refunds.get(SO_FAR, itemised), itemised) + refunds.get(BY_MEMBER, 0)


def _settle(order: Folded, refunds: Mapping[str, list[Any]], history: list[Entry]) -> None:
    """What follows from the rest: how much came back, whether all of it did, and when the order was made."""
    back = value = 0
    if refunds:
        back = given_back({
            refund: amount for refund, (amount, currency) in refunds.items() if order.currency in (None, currency)
        })  # fmt: skip
    if order.value is not None:
        value = order.value
    if order.status == Status.REFUNDED:  # what the source does not itemise (a chargeback) came back as well
        back = max(back, value)
    order.refunded_value = back
    if value > 0 and back >= value:
        order.status = Status.REFUNDED
    if order.ordered_at is None:
        times = [entry.at for entry in history if entry.at is not None]
        order.ordered_at = min(times) if times else min((entry.recorded_at for entry in history), default=None)
