"""An order is the fold of its history (an event-sourced projection): one pure function, whatever the order of arrival.

Entries are sorted by their place (`entry.place`: the source's time, else that of first receipt; the source's own order;
how far on the sale is) and folded one after the other. A field that an entry does not mention is left alone. What a
member set by hand (title, contact, deal) stays when a later webhook says otherwise. What the money comes to, and the
status that follows from it, is worked out in `balance`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from adapters.contract.balance import Balance
from adapters.contract.entry import SHOWN, Entry, Folded, Identity, place
from adapters.contract.order import Status

__all__ = ["SHOWN", "STRONG", "UNSIGNED_KIND", "Entry", "Folded", "Identity", "fold"]

# Identities by which a source knows one person for certain; the others (an e-mail, a phone) people change.
STRONG = ("crm", "source", "document")

_PLAIN = ("title", "ordered_at", "url", "test", "items", "deal_id", "contact_id")
_STICKY = frozenset(("title", "contact_id", "deal_id"))
_ENDS = frozenset((Status.CANCELED, Status.REFUNDED, Status.FAILED))
_ENDING = frozenset(("status", "source_status", "payments", "refunds", "paid_at"))

# The note on an order that bytes received before would have ended, had their kind been signed.
UNSIGNED_KIND: Final = "unsigned_kind"


def fold(entries: Iterable[Entry]) -> Folded:
    """The order that these entries tell of. Raises nothing: entries were checked when they were recorded."""
    history = list(entries)
    notes: tuple[str, ...] = ()
    if len(history) > 1:
        history, notes = heard(history)
        history.sort(key=place)
    order = Folded()
    by_member: tuple[str, ...] = ()
    names: list[tuple[int, str]] = []
    balance = Balance()
    for number, entry in enumerate(history):
        said = entry.said
        for name in _PLAIN:
            if name in said and (entry.by_member or name not in by_member):
                setattr(order, name, said[name])
                if entry.by_member and name in _STICKY:
                    by_member += (name,)
        balance.hear(number, entry)
        if "customer" in said:
            _meet(order, said["customer"])
        if "external_id" in said:
            order.aliases.update((said["external_id"], *said.get("aliases", ())))
            names.append((said.get("preference", 0), said["external_id"]))
    if names:
        order.external_id = min(names)[1]
        order.aliases.discard(order.external_id)
    if order.ordered_at is None:
        times = [entry.at for entry in history if entry.at is not None]
        order.ordered_at = min(times) if times else min((entry.recorded_at for entry in history), default=None)
    balance.settle(order)
    order.notes = tuple(sorted({*order.notes, *notes}))
    return order


def heard(history: list[Entry]) -> tuple[list[Entry], tuple[str, ...]]:
    """The entries, each taken for what is proven of it, and the notes of what was not taken.

    A `sample` was sent by the registry itself: it says nothing of an order of which its source tells.

    `bytes` in an entry is the digest of a signed body whose kind no signature covers: whoever has seen the delivery can
    send the same bytes again under another kind. So bytes that were received before, under whatever kind, keep the
    time of that receipt and lose the place within it, and do not end a sale that they did not end then: one that is
    canceled says so in its body. What else the other kind tells (when it was paid) counts.
    """
    told = [entry for entry in history if "sample" not in entry.said]
    if not all(entry.by_member for entry in told):
        history = told
    signed = [entry for entry in history if "bytes" in entry.said]
    if len(signed) < 2:
        return history, ()
    first: dict[str, Entry] = {}
    for entry in sorted(signed, key=lambda one: (one.recorded_at, one.digest)):
        first.setdefault(entry.said["bytes"], entry)
    canceled = [one.recorded_at for one in history if one.said.get("status") == Status.CANCELED]
    taken: list[Entry] = []
    notes: set[str] = set()
    for entry in history:
        before = first.get(entry.said.get("bytes", ""))
        if before is None or before is entry:
            taken.append(entry)
            continue
        said = {name: value for name, value in entry.said.items() if name != "sequence"}
        if said.get("status") in _ENDS and said["status"] != before.said.get("status"):
            said = {name: value for name, value in said.items() if name not in _ENDING}
            notes.add(UNSIGNED_KIND)
        # A sale that was taken back from the bin has the bytes that it had before: its time is that of the receipt.
        back = entry.at is None and any(before.recorded_at < at < entry.recorded_at for at in canceled)
        taken.append(replace(entry, at=entry.at if back else before.at, said=said))
    return taken, tuple(notes)


def _meet(order: Folded, customer: Mapping[str, Any]) -> None:
    """Brings an entry's customer in: more about the same person, or (a shop corrected the order) another person."""
    identities: tuple[Identity, ...] = tuple({(kind, value): None for kind, value in customer.get("identities", ())})
    if order.identities:
        known = {kind for kind, _ in order.identities}
        shared = [kind for kind, _ in identities if kind in known]
        same = {kind for kind, value in identities if (kind, value) in order.identities}
        strong = [kind for kind in shared if kind in STRONG]
        if shared and not (same & set(strong) or (same and not strong)):  # another person
            order.identities, order.name = identities, customer.get("name")
            return
        identities += tuple(old for old in order.identities if old not in identities)
    order.identities = identities
    if customer.get("name"):
        order.name = customer["name"]
