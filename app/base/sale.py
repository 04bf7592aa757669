"""Orders that a member merged: each history is folded by itself, and the folds are put together as one sale.

Two sources tell one payment each under an id of its own: one fold over both histories would count it twice.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from adapters.contract import Status
from adapters.contract.balance import REFUND_EXCEEDS_VALUE
from adapters.contract.cash import OTHER_CURRENCY
from adapters.contract.entry import Entry, Folded, place, rank_of
from adapters.contract.fold import fold

MERGED_VALUES_DIFFER: Final = "merged_values_differ"

_WORDS = ("status", "paid_at", "refunds")  # what a member says of the sale, whichever order the money is told of


def fold_sale(survivor: Sequence[Entry], merged: Sequence[Sequence[Entry]]) -> Folded:
    """Return the order that stands for a sale, with the money that these orders tell of it together.

    The survivor says what the sale is and comes to: title, value, contact. What was paid and given back is what the order
    tells that tells most of it; of two that tell the same, the survivor, unless a source said something else later. What a
    member set on the survivor holds for all. `merged_values_differ`: the order whose money counts is of another value.
    """
    own = fold(survivor)
    if not merged:
        return own
    words = [
        replace(entry, said=told)
        for entry in survivor
        if entry.by_member
        and "external_id" not in entry.said  # the word with which it was made is its own
        and (told := {name: entry.said[name] for name in _WORDS if name in entry.said})
    ]
    sides = [(own, _latest(survivor))]
    for entries in merged:
        theirs = [entry for entry in entries if not entry.by_member]
        sides.append((fold([*entries, *words]), _latest([*theirs, *words])))
    described = [side for side in sides if side[0].value is not None]
    if not described:
        return own
    first = described[0][0]  # the survivor, if anything describes it
    deal_id = own.deal_id
    if not any("deal_id" in entry.said for entry in survivor):
        deal_id = next((one.deal_id for one, _ in described if one.deal_id), None)
    notes = {note for one, _ in described for note in one.notes}
    if any(one.currency != first.currency for one, _ in described):
        notes.add(OTHER_CURRENCY)
    money = _telling_most([side for side in described if side[0].currency == first.currency])
    whole = replace(
        first,
        external_id=own.external_id,
        aliases=own.aliases,
        name=own.name,
        identities=own.identities,
        contact_id=own.contact_id,
        deal_id=deal_id,
        status=money.status,
        source_status=money.source_status,
        paid_value=money.paid_value,
        refunded_value=money.refunded_value,
        paid_at=money.paid_at,
        itemised=money.itemised,
    )
    if money.value != first.value:
        notes.add(MERGED_VALUES_DIFFER)
        _fit(whole, notes)
    whole.notes = tuple(sorted(notes))
    return whole


def _latest(entries: Sequence[Entry]) -> tuple[Any, ...]:
    """Return the place of the last word on the money."""
    return max((place(entry) for entry in entries if rank_of(entry.said) >= 0 or "refunds" in entry.said), default=())


def _telling_most(sides: Sequence[tuple[Folded, tuple[Any, ...]]]) -> Folded:
    """Return the fold that tells of most money. `sides` are folds with the place of their last word, the survivor's first."""
    most = max((one.paid_value, one.refunded_value) for one, _ in sides)
    equal = [side for side in sides if (side[0].paid_value, side[0].refunded_value) == most]
    latest = max(equal, key=lambda side: side[1])[0]
    return equal[0][0] if equal[0][0].status == latest.status else latest


def _fit(whole: Folded, notes: set[str]) -> None:
    """Make money of one order fit the value of another."""
    value = whole.value or 0
    if whole.refunded_value > value:
        notes.add(REFUND_EXCEEDS_VALUE)
        whole.refunded_value = max(0, value)
    if whole.status in (Status.PAID, Status.PARTIALLY_PAID):
        whole.status = Status.PAID if whole.paid_value >= value else Status.PARTIALLY_PAID
    if value > 0 and whole.refunded_value == value:
        whole.status = Status.REFUNDED
    if whole.status == Status.PARTIALLY_PAID:
        whole.paid_at = None
