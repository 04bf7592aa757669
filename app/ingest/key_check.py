"""Does a source's API take our key? One document is asked for, and nothing of it is kept."""

from dataclasses import dataclass

from adapters.contract import Unfetched
from app.base import clock, samples
from app.base.outcome import Outcome
from app.base.vault import Vault
from app.db.engine import Store
from app.ingest.parse import read
from app.ingest.reprocess import NotKept, Retry
from app.ingest.source_api import THE_KEY, SourceApi
from app.ingest.source_cache import Source
from app.store import deliveries

LOOKED_AT = 20  # of the source's latest deliveries, for one that names a document


@dataclass(frozen=True, slots=True)
class Checked:
    """`accepted` None: nobody can say. `words` are for the source's owner."""

    accepted: bool | None
    words: str


async def check_key(store: Store, vault: Vault, retry: Retry, api: SourceApi, source: Source) -> Checked:
    """Asks the source's API for the order of its latest notice, or for a sample's. Raises Unavailable, Sealed."""
    adapter = source.adapter
    if adapter.api is None:
        return Checked(None, f"{adapter.title} sends whole orders: no key is needed")
    if source.sealed_key is None:
        return Checked(False, f"there is no key yet; give the source {adapter.api.key_words}")
    path, real = await _recorded(store, retry, source), True
    if path is None:
        path, real = _of_a_sample(source), False
    if path is None:
        return Checked(None, "nothing is known that the key could be tried on; it will be when a delivery comes")
    try:
        await api.read(adapter.api, source.options, vault.open(source.sealed_key), path)
    except Unfetched as why:
        if why.reason.startswith(THE_KEY):
            return Checked(False, why.reason)
        if why.final and "no such order" in why.reason:
            which = "of the latest delivery" if real else "of a sample, which is made up"
            return Checked(True, f"the key is taken; there is no order {which}")
        return Checked(None, why.reason)
    return Checked(True, "the key is taken")


async def _recorded(store: Store, retry: Retry, source: Source) -> str | None:
    wanted = deliveries.Filter(source_id=source.id)
    for row in await deliveries.page(store, source.account_id, wanted, after=None, limit=LOOKED_AT):
        if row["kind"] in source.adapter.fetches:
            try:
                kept = await retry.kept(source.account_id, row["id"])
            except NotKept:
                continue
            rec = kept.read() if kept else None
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
