"""Preview: verifies and reads a delivery as on arrival, and stores nothing.

Also the check of a source's credentials.
"""

from dataclasses import dataclass
from typing import Any

from adapters.contract import Delivery, Unfetched, Unverified
from adapters.contract.fold import SHOWN, Entry, fold
from app.base import clock, samples
from app.base.outcome import Outcome
from app.base.statement import UNTIMED
from app.base.vault import Vault
from app.db.engine import Store
from app.ingest.parse import read
from app.ingest.proof import proven
from app.ingest.reprocess import NotRecorded, Reprocessor
from app.ingest.source_api import THE_KEY, NotThere, SourceApi
from app.ingest.source_cache import Source
from app.store import deliveries

# What the words of a refusal mean, for the engineer who sets a source up. A stranger is told none of this.
REASONS = {
    Unverified.NO_SECRET: "the source has no usable secret: add one, or check that it has the shape the platform shows",
    Unverified.MISSING: "the header or parameter that carries the signature is not there",
    Unverified.REPEATED: "the signature's header came more than once; a proxy in between may have doubled it",
    Unverified.MALFORMED: "the signature's header does not have the shape that the platform documents",
    Unverified.MISMATCH: "the signature is not what this secret gives: another secret, or a body that was changed on its way",
    Unverified.TOO_OLD: "the signature is right, but its time is too long ago; check the clocks, or sign anew",
    Unverified.TOO_NEW: "the signature is right, but its time lies in the future; check the clocks",
    Unverified.NO_DOCUMENT: "the body is not in the form that the platform sends, and its signature does not cover the body",
}


def attempt(source: Source, delivery: Delivery) -> dict[str, Any]:
    """Return what the delivery would become, as JSON: verified, reason, strength, kind, outcome, orders."""
    present = clock.micros(delivery.received_at)
    scheme = source.adapter.scheme(source.options)
    answer: dict[str, Any] = {
        "verified": True,
        "reason": None,
        "strength": str(scheme.strength),
        "kind": None,
        "outcome": None,
        "orders": [],
    }
    greeting = source.adapter.handshake(delivery)
    if greeting is not None:
        return answer | {"verified": False, "reason": greeting, "outcome": str(Outcome.IGNORED)}
    try:
        delivery = proven(source, delivery, present)
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
    shown = {name: getattr(order, name) for name in ("external_id", *SHOWN)}
    return shown | {"aliases": sorted(order.aliases)}


LOOKED_AT = 20  # of the source's latest deliveries, for one that names a document


@dataclass(frozen=True, slots=True)
class CredentialCheck:
    """Says whether a key is accepted. `accepted` None means unknown. `words` are for the source's owner."""

    accepted: bool | None
    words: str


async def check_key(store: Store, vault: Vault, retry: Reprocessor, api: SourceApi, source: Source) -> CredentialCheck:
    """Ask the source's API for the order of its latest notice, or of a sample. Raises Unavailable, Sealed."""
    adapter = source.adapter
    if adapter.api is None:
        return CredentialCheck(None, f"{adapter.title} sends whole orders: no key is needed")
    if source.sealed_key is None:
        return CredentialCheck(False, f"there is no key yet; give the source {adapter.api.key_description}")
    path, real = await _recorded(store, retry, source), True
    if path is None:
        path, real = _of_a_sample(source), False
    if path is None and adapter.brings == "contacts":
        path = adapter.contact_path("1", source.options)
    if path is None:
        return CredentialCheck(
            None, "nothing is known that the key could be tried on; it will be when a delivery comes"
        )
    try:
        await api.read(adapter.api, source.options, vault.open(source.sealed_key), path)
    except Unfetched as why:
        if why.reason.startswith(THE_KEY):
            return CredentialCheck(False, why.reason)
        if isinstance(why, NotThere):
            what = "contact" if adapter.brings == "contacts" else "order"
            which = "of the latest delivery" if real else "of a sample, which is made up"
            return CredentialCheck(True, f"the key is taken; there is no {what} {which}")
        return CredentialCheck(None, why.reason)
    return CredentialCheck(True, "the key is taken")


async def _recorded(store: Store, retry: Reprocessor, source: Source) -> str | None:
    wanted = deliveries.DeliveryFilter(source_id=source.id)
    for row in await deliveries.page(store, source.account_id, wanted, after=None, limit=LOOKED_AT):
        if row["kind"] in source.adapter.fetches:
            try:
                kept = await retry.kept(source.account_id, row["id"])
            except NotRecorded:
                continue
            rec = await retry.read(kept) if kept else None
            if rec is not None and rec.outcome is Outcome.FETCHING:
                return rec.path
    return None


def _of_a_sample(source: Source) -> str | None:
    present = clock.moment(clock.now())
    for case, _, _ in samples.cases(source.adapter.name):
        sample = samples.delivery(source.adapter.name, None, now=present, url=source.url, case=case)
        rec = read(source, sample, clock.micros(present))
        if rec.outcome is Outcome.FETCHING:
            return rec.path
    return None
