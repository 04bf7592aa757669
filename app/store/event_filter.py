"""The filters of subscriptions: which orders and sources a subscription is sent events about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.contract.money import decimals


def passes(event: str, subject: str, order: Mapping[str, Any] | None, only: Mapping[str, Any]) -> bool:
    """Return whether a filter lets an event through. `order` is the row of an order's event.

    Of a source's event only the source counts. That a person was erased passes every filter.
    """
    if not only or event.startswith("contact."):
        return True
    if event.startswith("source."):
        return subject in only.get("source_id", (subject,))
    return order is not None and matches(order, only)


def matches(order: Mapping[str, Any], only: Mapping[str, Any]) -> bool:
    """Return whether an order's row passes a filter."""
    if any(order[name] not in only[name] for name in ("status", "source_id", "currency") if name in only):
        return False
    if order["test"] and not only.get("include_test", True):
        return False
    least = only.get("minimum_value")
    return least is None or (order["value"] or 0) >= Decimal(least).scaleb(decimals(order["currency"] or ""))
