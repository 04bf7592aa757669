"""Decides whether attempts to pay that share a name (the shop's own reference) are attempts of one sale."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import PaymentState


def are_two_sales(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether attempts of one reference are no attempts of one sale: both brought money, or others paid.

    Whether money came is asked of all that was ever said, so the answer does not depend on the order of arrival.
    """
    if _brought_money(one) and _brought_money(other):
        return True
    for kind in ("crm", "source", "document", "email"):
        here, there = _known_by(one, kind), _known_by(other, kind)
        if here and there:
            return here.isdisjoint(there)
    return False


def _brought_money(told: Sequence[Mapping[str, Any]]) -> bool:
    states = {payment.get("state") for said in told for payment in said.get("payments", ())}
    return not states.isdisjoint((PaymentState.TAKEN, PaymentState.AUTHORIZED))


def _known_by(told: Sequence[Mapping[str, Any]], kind: str) -> set[str]:
    return {value for said in told for one, value in said.get("customer", {}).get("identities", ()) if one == kind}
