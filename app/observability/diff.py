"""Shows what one delivery changed: its orders folded with and without it, field by field, as of its arrival."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from adapters.contract.fold import SHOWN, Folded, fold
from app.base.statement import entry_of
from app.db.statements import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """Holds a field that a delivery changed. `currency` is that of an amount, before or after."""

    field: str
    before: Any
    after: Any
    currency_before: str | None
    currency_after: str | None


def changes(history: Iterable[Row], delivery_id: str) -> tuple[bool, list[FieldChange]]:
    """Return whether the delivery created the order, and what it changed.

    `history` is the order's, as `store.orders.history` returns it.
    """
    rows = sorted(history, key=lambda row: (row["recorded_at"], row["delivery_id"] or ""))
    mine = [row for row in rows if row["delivery_id"] == delivery_id]
    if not mine:
        return False, []
    rows = [row for row in rows if row["order_id"] == mine[0]["order_id"]]  # of several that were merged: its own
    first = (mine[0]["recorded_at"], delivery_id)
    earlier = [row for row in rows if (row["recorded_at"], row["delivery_id"] or "") < first]
    before = fold(entry_of(row) for row in earlier)
    after = fold(entry_of(row) for row in (*earlier, *mine))
    new = before.value is None
    nothing = Folded(status="") if new else before
    return new, [
        FieldChange(
            field=name,
            before=None if new else getattr(before, name),
            after=getattr(after, name),
            currency_before=before.currency,
            currency_after=after.currency,
        )
        for name in SHOWN
        if getattr(nothing, name) != getattr(after, name)
    ]
