"""Histories for the tests of the fold: entries, and what they tell."""

import itertools
from typing import Any

from adapters.contract import Status
from adapters.contract.fold import Entry, Folded, fold

PENDING, OVERDUE, FAILED, PARTIALLY_PAID, PAID, CANCELED, REFUNDED = Status
RECEIVED = 1000
_receipts = itertools.count(RECEIVED)


def entry(at: int | None, *, by_member: bool = False, recorded_at: int | None = None, **said: Any) -> Entry:
    if "value" in said:
        said.setdefault("currency", "BRL")
    number = next(_receipts)
    return Entry(
        at=at,
        digest=f"{-number % 997:03d}",  # in no order that means anything
        recorded_at=number if recorded_at is None else recorded_at,
        said={"external_id": "1", **said},
        by_member=by_member,
    )


def told(*entries: Entry) -> Folded:
    """The order, which must be the same in whatever order the entries are folded, and with each of them twice."""
    order = fold(entries)
    for arrival in itertools.islice(itertools.permutations(entries), 120):
        assert whole(fold(arrival)) == whole(order)
    assert whole(fold((*entries, *entries))) == whole(order)
    return order


def whole(order: Folded) -> tuple[Any, ...]:
    """The order with its lines, which are no part of it."""
    return order, order.payments, order.refunds


def person(*identities: tuple[str, str], name: str | None = None) -> dict[str, Any]:
    return {"identities": [list(identity) for identity in identities]} | ({"name": name} if name else {})


def bill(value: int | None = None, name: str = "", *, currency: str = "BRL", **more: Any) -> dict[str, Any]:
    told = {"id": name} if name else {}
    return told | ({} if value is None else {"value": value, "currency": currency}) | more


def payment(
    name: str, value: int | None, state: str | None = None, *, currency: str = "BRL", **more: Any
) -> dict[str, Any]:
    told: dict[str, Any] = {"id": name} | ({} if value is None else {"value": value, "currency": currency})
    return told | ({"state": state} if state else {}) | more


def refund(
    name: str | None, value: int | None, *, state: str = "done", currency: str = "BRL", **more: Any
) -> dict[str, Any]:
    told: dict[str, Any] = ({"id": name} if name else {}) | ({"state": state} if state != "done" else {})
    return told | ({} if value is None else {"value": value, "currency": currency}) | more


def total(value: int, **more: Any) -> dict[str, Any]:
    return refund(None, value, total=True, **more)


SOLD = {"value": 100, "currency": "BRL", "status": PAID}
