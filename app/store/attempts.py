"""Decides whether attempts to pay that share a name (the shop's own reference) are attempts of one sale."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import PaymentState


def are_two_sales(name: str, one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether what has this name in common is not one sale: both have a bill of their own, both brought money of
    their own, or others paid. One payment of several bills is told on both sides, and no money of its own.

    Whether money came is asked of all that was ever said, so the answer does not depend on the order of arrival.
    """
    here, there = _bills(one) - {name}, _bills(other) - {name}
    if here and there and here.isdisjoint(there):
        return True
    here, there = _brought_money(one), _brought_money(other)
    shared = (here & there) - {""}
    if here - shared and there - shared:
        return True
    for kind in ("crm", "source", "document", "email"):
        here, there = _known_by(one, kind), _known_by(other, kind)
        if here and there:
            return here.isdisjoint(there)
    return False


def _bills(told: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the ids of the whole bills."""
    return {bill["id"] for said in told for bill in said.get("bills", ()) if bill.get("id") and not bill.get("part")}


def _brought_money(told: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the ids of the payments that were promised or taken."""
    payments = (payment for said in told for payment in said.get("payments", ()))
    brought = (PaymentState.TAKEN, PaymentState.AUTHORIZED)
    return {payment.get("id", "") for payment in payments if payment.get("state") in brought}


def _known_by(told: Sequence[Mapping[str, Any]], kind: str) -> set[str]:
    return {value for said in told for one, value in said.get("customer", {}).get("identities", ()) if one == kind}
