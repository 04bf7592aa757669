"""Prometheus metrics, counted in memory: a scrape costs no query.

The number of series is bounded: sources beyond a limit are `other`. An account's token sees its own sources only.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from prometheus_client import Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.base.clock import now
from app.base.outcome import Outcome
from app.base.supervisor import Loop
from app.db.engine import Store, Unavailable
from app.db.statements import Row
from app.observability.readiness import WORDS
from app.store import delivery_rollups, outbox, source_health
from app.store.delivery_record import Receipt, Record

EVERY = 15.0  # seconds between two looks at the engine and at what waits
MOST_SOURCES = 500  # with series of their own
OTHER = "other"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts for one process."""

    def __init__(
        self,
        store: Store,
        waiting: Callable[[], int],
        not_ready: Callable[[], Collection[str]] = tuple,
        shed: Callable[[], int] = int,
    ) -> None:
        self._store, self._waiting, self._not_ready, self._shed = store, waiting, not_ready, shed
        self._deliveries: dict[tuple[str, str, str], int] = {}  # account, source, outcome
        self._refused: dict[tuple[str, str], int] = {}  # outcome, reason
        self._sources: set[tuple[str, str]] = set()
        self._batch = Histogram(
            "orders_commit_batch_size", "Deliveries committed together.", buckets=_BATCH, registry=None
        )
        self._commit = Histogram(
            "orders_commit_seconds", "How long a commit took, fsync included.", buckets=_SECONDS, registry=None
        )
        self._acknowledged = Histogram(
            "orders_acknowledgement_seconds",
            "From a delivery's arrival until it was on disk.",
            buckets=_SECONDS,
            registry=None,
        )
        self._last_good: dict[tuple[str, str], int] = {}  # account, source; one that was never good: when it was made
        self._told = {"delivered": 0, "failed": 0}
        self._up = 0
        self._waits: Row = {  # what waits, as of the last look
            **{"fetches": 0, "oldest_fetch_at": None, "held": 0},
            **{"events": 0, "oldest_event_at": None, "failing": 0},
        }
        self.loop = Loop("metrics", self.poll, EVERY)

    # -- What happens -----------------------------------------------------------------------------------------------

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Count a batch that was committed."""
        self._batch.observe(len(records))
        self._commit.observe(seconds)
        present = now()
        for rec, receipt in zip(records, receipts, strict=True):
            if not rec.again and not rec.sample:
                self._count(rec.account_id, rec.source_id, receipt.outcome)
                self._good(rec.account_id, rec.source_id, rec.received_at)
                self._acknowledged.observe(max(0, present - rec.received_at) / 1e6)

    def source_added(self, account_id: str, source_id: str, at: int) -> None:
        """Show a new source at once."""
        self._good(account_id, source_id, at)

    def _good(self, account_id: str, source_id: str, at: int) -> None:
        key = (account_id, source_id)
        self._last_good[key] = max(self._last_good.get(key, 0), at)

    def refused(self, account_id: str, source_id: str, outcome: Outcome, reason: str) -> None:
        """Count a rejected delivery."""
        self._count(account_id, source_id, outcome)
        self._refused[outcome, reason] = self._refused.get((outcome, reason), 0) + 1

    def told(self, ended: str) -> None:
        """Count an attempt to deliver an event: `delivered` or `failed`."""
        self._told[ended] += 1

    def _count(self, account_id: str, source_id: str, outcome: str) -> None:
        place = (account_id, source_id)
        if place not in self._sources:
            if len(self._sources) >= MOST_SOURCES:
                place = (account_id, OTHER)
            else:
                self._sources.add(place)
        key = (*place, str(outcome))
        self._deliveries[key] = self._deliveries.get(key, 0) + 1

    # -- What stands ------------------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Read from the engine once."""
        shown = frozenset(self._last_good)
        try:
            found = await delivery_rollups.waiting_everywhere(self._store)
            events = await outbox.waiting_everywhere(self._store)
            seen = await source_health.seen(self._store)
        except Unavailable:
            self._up = 0
        else:
            self._up = 1
            # One that is off receives nothing on purpose. One that came meanwhile was perhaps not seen.
            self._last_good = {key: at for key, at in self._last_good.items() if key not in shown} | {
                key: max(row["good"] or row["created_at"], self._last_good.get(key, 0))
                for row in seen
                if row["enabled"] and (key := (row["account_id"], row["id"]))
            }
            self._waits = {**found, **events}

    # -- What is told -----------------------------------------------------------------------------------------------

    def text(self, account_id: str | None, *, every_source: bool = False) -> bytes:
        """Return Prometheus' text format: sums for everybody; per source for an account's token, or of all sources."""
        return generate_latest(_Scrape(lambda: self._families(account_id, every_source)))

    def _families(self, account_id: str | None, every_source: bool) -> Iterator[Metric]:
        by_source = every_source or account_id is not None
        labels = ["source", "outcome"] if by_source else ["outcome"]
        sums: dict[tuple[str, ...], int] = {}
        for (owner, source, outcome), count in self._deliveries.items():
            if by_source and not every_source and owner != account_id:
                continue
            key: tuple[str, ...] = (source, outcome) if by_source else (outcome,)
            sums[key] = sums.get(key, 0) + count
        yield _labelled(
            CounterMetricFamily("orders_deliveries", "Deliveries by how they ended.", labels=labels),
            sorted(sums.items()),
        )
        if by_source:
            last_good = GaugeMetricFamily(
                "orders_source_last_good_timestamp_seconds",
                "When a source that is on last got a genuine delivery; before the first, when it was added.",
                labels=["source"],
            )
            seen = sorted(self._last_good.items())
            yield _labelled(
                last_good,
                (((source,), at / 1e6) for (owner, source), at in seen if every_source or owner == account_id),
            )
        refused = CounterMetricFamily("orders_refused", "Deliveries refused, by reason.", labels=["outcome", "reason"])
        yield _labelled(refused, sorted(self._refused.items()))
        yield CounterMetricFamily(
            "orders_shed", "Deliveries that were answered 503 because too many waited.", value=self._shed()
        )
        for histogram in (self._batch, self._commit, self._acknowledged):
            yield from histogram.collect()
        told = CounterMetricFamily(
            "orders_event_attempts", "Attempts to tell subscribers, by how they ended.", labels=["ended"]
        )
        yield _labelled(told, (((ended,), count) for ended, count in self._told.items()))
        not_ready = GaugeMetricFamily(
            "orders_not_ready", "What keeps a delivery from being committed now; the log says why.", labels=["check"]
        )
        yield _labelled(not_ready, (((check,), int(check in self._not_ready())) for check in WORDS))
        waits = self._waits
        for name, words, value in (
            ("orders_ready", "Whether a delivery would be committed now.", int(not self._not_ready())),
            ("orders_commit_queue", "Deliveries that wait for the next commit.", self._waiting()),
            ("orders_fetches_waiting", "Thin deliveries whose order is still to be read.", waits["fetches"]),
            ("orders_oldest_fetch_seconds", "Since when the oldest of these waits.", _age(waits["oldest_fetch_at"])),
            ("orders_held_waiting", "Deliveries that wait for their contact.", waits["held"]),
            ("orders_events_waiting", "Events that subscribers are still to be told.", waits["events"]),
            ("orders_oldest_event_seconds", "Since when the oldest of these waits.", _age(waits["oldest_event_at"])),
            ("orders_subscriptions_failing", "Subscriptions whose last event was not taken.", waits["failing"]),
            ("orders_engine_up", "Whether the database answered the last time it was asked.", self._up),
        ):
            yield GaugeMetricFamily(name, words, value=value)


def _labelled(
    family: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[tuple[Sequence[str], float]]
) -> Metric:
    """Return the metric with a value for each of these labels."""
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _age(at: int | None) -> float:
    """Return the seconds since then."""
    return 0.0 if at is None else max(0.0, time.time() - at / 1e6)


class _Scrape(Collector):
    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as prometheus_client asks."""
        return self._families()
