"""Where a delivery's time went, told to OpenTelemetry. Loaded only where an exporter of traces is configured.

The rooms know nothing of it: at the start their joints are wrapped from outside, so that nothing is asked, imported or
counted where nobody looks. A span tells ids, words of ours and times. It never holds what came in, a body, a header, an
identity, and a fault only by its kind: its words may quote a customer.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.contract import Api, Delivery, Unfetched, Unverified
from app.directory import Source
from app.intake import Answer
from app.log import log
from app.outcome import Outcome
from app.store.record import Receipt, Record
from app.store.statements import Row

if TYPE_CHECKING:
    from app.registry import Registry

NAME = "orders-registry"
ENDS_WITHIN = 5.0  # seconds that a stop waits for a collector
MOST_LETTERS = 100  # of an attribute: a kind is the source's word, and may be long

P = ParamSpec("P")
R = TypeVar("R")
Async = Callable[P, Coroutine[Any, Any, R]]

# The span that is about one delivery, from whichever room; a piece of a job is about many, and has none.
_about: ContextVar[Span | None] = ContextVar("about", default=None)


class Spans:
    """The spans of one process."""

    def __init__(self, registry: "Registry") -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer(NAME, version(NAME))
        self._waiting: dict[str, Span] = {}  # by delivery: those that wait for the commit
        intake, committer = registry.intake, registry.committer
        _wrap(intake, "admit", self._admit)
        _wrap(intake, "prove", self._prove)
        _wrap(intake, "read", self._read)
        _wrap(intake, "receive", self._receive)
        _wrap(intake, "refuse", self._refuse)
        _wrap(committer, "commit", self._commit)
        _wrap(registry.fetch, "fetch", self._fetch)
        _wrap(registry.source_api, "read", self._read_from_source)
        _wrap(registry.jobs, "piece", self._piece)
        committer.observers.append(self._committed)

    def start(self) -> None:
        """Begins to export, in a thread of its own. What it cannot send it drops; nobody waits for it."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a line each time; `_Exporter` says it once
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter()))

    async def stop(self) -> None:
        """Sends what is left, if the collector answers soon."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans: the last", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, ENDS_WITHIN)

    @contextmanager
    def delivery(self, traceparent: str) -> Iterator[Span]:
        """The span of a delivery at the door, a part of its sender's trace if there is one (W3C Trace Context)."""
        # `tracestate` is left behind: nobody here reads it, and it would carry a stranger's words to the collector.
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
        with self.span("delivery", role=SpanKind.SERVER, context=context) as span, _is_about(span):
            yield span

    @contextmanager
    def span(
        self, name: str, *, role: SpanKind = SpanKind.INTERNAL, context: Context | None = None, **said: str | int | None
    ) -> Iterator[Span]:
        """A span around a block; `said` are its attributes, those that are None left out."""
        with self._tracer.start_as_current_span(
            name, context, role, _attributes(said), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as fault:
                span.set_attribute("error.type", type(fault).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    # -- A delivery at the door ----------------------------------------------------------------------------------

    def _admit(self, admit: Async[P, Source | Answer]) -> Async[P, Source | Answer]:
        async def admitted(*args: P.args, **kwargs: P.kwargs) -> Source | Answer:
            found = await admit(*args, **kwargs)
            if isinstance(found, Answer):
                _say(outcome=found.outcome)
            else:
                _say(source_id=found.id, adapter=found.adapter.name)
            return found

        return admitted

    def _receive(self, receive: Async[P, Answer]) -> Async[P, Answer]:
        async def received(*args: P.args, **kwargs: P.kwargs) -> Answer:
            answer = await receive(*args, **kwargs)
            _say(outcome=answer.outcome, delivery_id=answer.delivery_id)
            return answer

        return received

    def _prove(self, prove: Callable[P, str]) -> Callable[P, str]:
        def proven(*args: P.args, **kwargs: P.kwargs) -> str:
            with self.span("delivery.proof") as span:
                try:
                    return prove(*args, **kwargs)
                except Unverified as why:
                    span.set_attribute("orders.reason", why.reason)
                    raise

        return proven

    def _read(self, read: Callable[P, Record]) -> Callable[P, Record]:
        def was_read(*args: P.args, **kwargs: P.kwargs) -> Record:
            with self.span("delivery.reading"):
                rec = read(*args, **kwargs)
            _say(delivery_id=rec.delivery_id, kind=rec.kind)
            return rec

        return was_read

    def _refuse(self, refuse: Callable[..., None]) -> Callable[..., None]:
        def refused(source: Source, outcome: Outcome, reason: str, delivery: Delivery | None = None) -> None:
            _say(outcome=outcome, reason=reason)
            refuse(source, outcome, reason, delivery)

        return refused

    # -- The group commit ----------------------------------------------------------------------------------------

    def _commit(self, commit: Async[[Record], Receipt]) -> Async[[Record], Receipt]:
        async def committed(rec: Record) -> Receipt:
            with self.span("commit.wait", delivery_id=rec.delivery_id, source_id=rec.source_id, kind=rec.kind) as span:
                self._waiting[rec.delivery_id] = span
                try:
                    receipt = await commit(rec)
                finally:
                    if self._waiting.get(rec.delivery_id) is span:
                        del self._waiting[rec.delivery_id]
                span.set_attribute("orders.outcome", str(receipt.outcome))
            _say(outcome=receipt.outcome)
            return receipt

        return committed

    def _committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """A group commit: a trace of its own, for it belongs to many; linked to each of them, and they to it."""
        ended = time.time_ns()
        waiting = [span for rec in records if (span := self._waiting.get(rec.delivery_id)) and span.is_recording()]
        commit = self._tracer.start_span(
            "commit",
            Context(),
            attributes={"orders.batch_size": len(records)},
            links=[Link(span.get_span_context()) for span in waiting],
            start_time=ended - int(seconds * 1e9),
        )
        commit.end(ended)
        for span in waiting:
            span.add_link(commit.get_span_context())

    # -- What happens after the answer ---------------------------------------------------------------------------

    def _fetch(self, fetch: Async[[Row], None]) -> Async[[Row], None]:
        async def fetched(row: Row) -> None:
            with (
                self.span(
                    "fetch",
                    delivery_id=row["delivery_id"],
                    source_id=row["source_id"],
                    attempt=row["attempts"] + 1,
                    outcome=Outcome.FETCHING,  # unless the commit says otherwise
                ) as span,
                _is_about(span),
            ):
                await fetch(row)

        return fetched

    def _read_from_source(self, read: Async[[Api, Any, str, str], bytes]) -> Async[[Api, Any, str, str], bytes]:
        async def was_read(api: Api, options: Any, key: str, path: str) -> bytes:
            with self.span("fetch.read", role=SpanKind.CLIENT) as span:
                # The origin alone: the path holds what a payload named.
                span.set_attribute("server.address", urlsplit(api.origin_for(options)).hostname or "")
                try:
                    return await read(api, options, key, path)
                except Unfetched as why:
                    span.set_attribute("orders.reason", why.reason)
                    raise

        return was_read

    def _piece(self, piece: Async[[Row], Row | None]) -> Async[[Row], Row | None]:
        async def done(job: Row) -> Row | None:
            with self.span("job.piece", job_id=job["id"], job_kind=job["kind"], dry_run=job["dry_run"]) as span:
                further = await piece(job)
                span.set_attribute("orders.ended", further is None)
                return further

        return done


class _Exporter(OTLPSpanExporter):
    """OpenTelemetry's own, configured by its environment; says once that it cannot send, and once that it can again."""

    _well = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch."""
        result = super().export(spans)
        well = result is SpanExportResult.SUCCESS
        if well != self._well:
            self._well = well
            if well:
                log.info("traces are exported again")
            else:
                log.warning("traces cannot be exported: the collector does not take them; they are dropped meanwhile")
        return result


def _resource() -> Resource:
    """What the environment says of this service; its name and version unless it does."""
    ours = {SERVICE_NAME: NAME, SERVICE_VERSION: version(NAME)}
    said = {name: value for name, value in Resource.create().attributes.items() if not _nameless(name, value)}
    return Resource({**ours, **said})


def _nameless(name: str, value: object) -> bool:
    return name == SERVICE_NAME and str(value).startswith("unknown_service")


def _wrap(thing: object, joint: str, around: Callable[[Any], Any]) -> None:
    setattr(thing, joint, around(getattr(thing, joint)))


@contextmanager
def _is_about(span: Span) -> Iterator[None]:
    before = _about.set(span)
    try:
        yield
    finally:
        _about.reset(before)


def _say(**said: str | int | None) -> None:
    span = _about.get()
    if span is not None:
        span.set_attributes(_attributes(said))


def _attributes(said: dict[str, Any]) -> dict[str, str | int]:
    return {
        f"orders.{name}": value if isinstance(value, int) else str(value)[:MOST_LETTERS]
        for name, value in said.items()
        if value is not None
    }
