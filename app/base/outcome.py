"""Outcomes: how a delivery ends, and the HTTP status its sender gets. One table."""

from enum import StrEnum


class Outcome(StrEnum):
    """Names how a delivery ended. The same word is in the answer, the log, the filter and the metric's label."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    HELD = "held"
    FETCHING = "fetching"
    UNFETCHED = "unfetched"
    UNREADABLE = "unreadable"
    UNVERIFIED = "unverified"
    OVERSIZED = "oversized"
    DISABLED = "disabled"
    NOT_FOUND = "not_found"
    BUSY = "busy"


# Recorded is ours: once on disk the sender is told 200, even when we could not map it, because it has done its part.
ANSWERS: dict[Outcome, int] = {
    Outcome.CREATED: 200,
    Outcome.UPDATED: 200,
    Outcome.UNCHANGED: 200,
    Outcome.DUPLICATE: 200,
    Outcome.IGNORED: 200,
    Outcome.HELD: 200,
    Outcome.FETCHING: 200,
    Outcome.UNFETCHED: 200,
    Outcome.UNREADABLE: 200,
    Outcome.UNVERIFIED: 401,
    Outcome.OVERSIZED: 413,
    Outcome.DISABLED: 403,
    Outcome.NOT_FOUND: 404,
    Outcome.BUSY: 503,
}

# What is in the delivery log; the others are only counted (or, for 404 and 503, not even that).
RECORDED = frozenset(outcome for outcome, status in ANSWERS.items() if status == 200 and outcome != Outcome.DUPLICATE)
REFUSED = frozenset({Outcome.UNVERIFIED, Outcome.OVERSIZED, Outcome.DISABLED})

# One delivery with several orders is called by the weightiest thing that became of any.
_WEIGHT = (Outcome.HELD, Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.IGNORED)


def weightiest(outcomes: list[Outcome]) -> Outcome:
    """Return the outcome of a delivery whose orders ended in these ways."""
    return min(outcomes, key=_WEIGHT.index)
