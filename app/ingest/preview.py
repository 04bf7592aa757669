"""What would this become? A delivery is proven and read as at the door, and nothing is stored."""

from typing import Any

from adapters.contract import Delivery, Unverified
from adapters.contract.fold import Entry, fold
from app.base import clock
from app.base.outcome import Outcome
from app.base.statement import UNTIMED
from app.ingest.parse import read
from app.ingest.source_cache import Source

# What the words of a refusal mean, for the engineer who sets a source up. A stranger is told none of this.
REASONS = {
    Unverified.NO_SECRET: "the source has no usable secret: add one, or check that it has the shape the platform shows",
    Unverified.MISSING: "the header or parameter that carries the signature is not there",
    Unverified.REPEATED: "the signature's header came more than once; a proxy in between may have doubled it",
    Unverified.MALFORMED: "the signature's header does not have the shape that the platform documents",
    Unverified.MISMATCH: "the signature is not what this secret gives: another secret, or a body that was changed on its way",
    Unverified.TOO_OLD: "the signature is right, but its time is too long ago; check the clocks, or sign anew",
    Unverified.TOO_NEW: "the signature is right, but its time lies in the future; check the clocks",
}


def attempt(source: Source, delivery: Delivery) -> dict[str, Any]:
    """What the delivery would become, as JSON-ready words: verified, reason, strength, kind, outcome, orders."""
    present = clock.micros(delivery.received_at)
    scheme = source.adapter.scheme(source.options)
    answer: dict[str, Any] = {
        "verified": True, "reason": None, "strength": str(scheme.strength), "kind": None, "outcome": None, "orders": [],
    }  # fmt: skip
    greeting = source.adapter.handshake(delivery)
    if greeting is not None:
        return answer | {"verified": False, "reason": greeting, "outcome": str(Outcome.IGNORED)}
    try:
        scheme.verify(delivery, source.usable_secrets(present), delivery.received_at)
    except Unverified as why:
        answer |= {
            "verified": False,
            "reason": f"{why.reason}: {REASONS.get(why.reason, '')}",
            "outcome": str(Outcome.UNVERIFIED),
        }
    rec = read(source, delivery, present)
    answer["kind"] = rec.kind
    answer["orders"] = [_folded(one.said, one.at, one.digest, present) for one in rec.statements]
    if answer["verified"]:
        answer |= {"outcome": str(rec.outcome or Outcome.CREATED), "reason": rec.reason}
    elif rec.reason:
        answer["reason"] += f"; besides: {rec.reason}"
    return answer


def _folded(said: Any, at: int, digest: str, present: int) -> dict[str, Any]:
    order = fold([Entry(at=None if at == UNTIMED else at, digest=digest, recorded_at=present, said=said)])
    return {
        name: getattr(order, name)
        for name in (
            "external_id", "title", "value", "refunded_value", "currency", "status", "source_status", "ordered_at", "paid_at",
            "deal_id", "url", "test", "items", "name", "identities",
        )
    } | {"aliases": sorted(order.aliases)}  # fmt: skip
