"""OpenTelemetry traces of where a delivery's time goes. Loaded only where an exporter is configured.

The traced functions are wrapped at start, so nothing is imported or counted otherwise. A span has ids, fixed words and
times. It never has a body, a header or an identity, and of an error only its type: the message may quote a customer.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.contract import Api, Delivery, Unfetched, Unverified
from app.base.log import log
from app.base.outcome import Outcome
from app.db.statements import Row
from app.ingest.receive import WebhookAnswer
from app.ingest.source_cache import Source
from app.store.delivery_record import Receipt, Record

if TYPE_CHECKING:
    from app.background.jobs import Jobs
    from app.ingest.fetch import FetchWorker
    from app.ingest.group_commit import GroupCommit
    from app.ingest.receive import Receiver
    from app.ingest.source_api import SourceApi

NAME = "orders-registry"
ENDS_WITHIN = 5.0  # seconds that a stop waits for a collector
_FROM_CALLER = TraceContextTextMapPropagator()
MOST_LETTERS = 100  # of an attribute: a kind is the source's word, and may be long

P = ParamSpec("P")
R = TypeVar("R")
Async = Callable[P, Coroutine[Any, Any, R]]

# What happens now is a part of this span; None where nobody asked, or this one is not among those that are sampled: then
# nothing more is made of it. OpenTelemetry's own context would be asked and set for each span, sampled or not.
_parent: ContextVar[Span | None] = ContextVar("parent", default=None)
# The span that is about one delivery, from whichever room; a piece of a job is about many, and has none.
_about: ContextVar[Span | None] = ContextVar("about", default=None)


class Tracing:
    """Makes the spans of one process."""

    def __init__(
        self,
        *,
        receiver: "Receiver",
        group_commit: "GroupCommit",
        fetch: "FetchWorker",
        source_api: "SourceApi",
        jobs: "Jobs",
    ) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer(NAME, version(NAME))
        self._waiting: dict[str, Span] = {}  # by delivery: those that wait for the commit
        _wrap(receiver, "admit", self._admit)
        _wrap(receiver, "prove", self._prove)
        _wrap(receiver, "read", self._read)
        _wrap(receiver, "receive", self._receive)
        _wrap(receiver, "refuse", self._refuse)
        _wrap(group_commit, "commit", self._commit)
        _wrap(fetch, "fetch", self._fetch)
        _wrap(source_api, "read", self._read_from_source)
        _wrap(jobs, "piece", self._piece)
        group_commit.observers.append(self._committed)

    def start(self) -> None:
        """Start to export, in a thread of its own. What cannot be sent is dropped; nobody waits for it."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a line each time; `_Exporter` says it once
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter()))

    async def stop(self) -> None:
        """Send what is left, if the collector answers soon."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans: the last", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, ENDS_WITHIN)

    def delivery(self, traceparent: str) -> "Around | None":
        """Return a span around an arriving delivery, in its sender's trace if there is one (W3C Trace Context).

        Returns None if it is not sampled.
        """
        # `tracestate` is left behind: nobody here reads it, and it would carry a stranger's words to the collector.
        context = _FROM_CALLER.extract({"traceparent": traceparent}, Context()) if traceparent else Context()
        return self._begun("delivery", SpanKind.SERVER, context, about=True)

    def part(self, name: str, role: SpanKind = SpanKind.INTERNAL) -> "Around | None":
        """Return a span around a part of the current work; None if that is not sampled."""
        parent = _parent.get()
        return None if parent is None else Around(self._tracer.start_span(name, set_span_in_context(parent), role))

    def _begun(self, name: str, role: SpanKind, context: Context, *, about: bool) -> "Around | None":
        span = self._tracer.start_span(name, context, role)
        return Around(span, about=about) if span.is_recording() else None

    # -- A delivery at the door ----------------------------------------------------------------------------------

    def _admit(self, admit: Async[P, Source | WebhookAnswer]) -> Async[P, Source | WebhookAnswer]:
        async def admitted(*args: P.args, **kwargs: P.kwargs) -> Source | WebhookAnswer:
            found = await admit(*args, **kwargs)
            if about := _about.get():
                if isinstance(found, WebhookAnswer):
                    _say(about, outcome=found.outcome)
                else:
                    _say(about, source_id=found.id, adapter=found.adapter.name)
            return found

        return admitted

    def _receive(self, receive: Async[P, WebhookAnswer]) -> Async[P, WebhookAnswer]:
        async def received(*args: P.args, **kwargs: P.kwargs) -> WebhookAnswer:
            answer = await receive(*args, **kwargs)
            if about := _about.get():
                _say(about, outcome=answer.outcome, delivery_id=answer.delivery_id)
            return answer

        return received

    def _prove(self, prove: Callable[P, str]) -> Callable[P, str]:
        def proven(*args: P.args, **kwargs: P.kwargs) -> str:
            around = self.part("delivery.proof")
            if around is None:
                return prove(*args, **kwargs)
            with around as span:
                try:
                    return prove(*args, **kwargs)
                except Unverified as why:
                    _say(span, reason=why.reason)
                    raise

        return proven

    def _read(self, read: Callable[P, Record]) -> Callable[P, Record]:
        def was_read(*args: P.args, **kwargs: P.kwargs) -> Record:
            around = self.part("delivery.reading")
            if around is None:
                return read(*args, **kwargs)
            with around:
                rec = read(*args, **kwargs)
            if about := _about.get():
                _say(about, delivery_id=rec.delivery_id, kind=rec.kind)
            return rec

        return was_read

    def _refuse(self, refuse: Callable[..., None]) -> Callable[..., None]:
        def refused(source: Source, outcome: Outcome, reason: str, delivery: Delivery | None = None) -> None:
            if about := _about.get():
                _say(about, outcome=outcome, reason=reason)
            refuse(source, outcome, reason, delivery)

        return refused

    # -- The group commit ----------------------------------------------------------------------------------------

    def _commit(self, commit: Async[[Record], Receipt]) -> Async[[Record], Receipt]:
        async def committed(rec: Record) -> Receipt:
            around = self.part("commit.wait")
            if around is None:
                return await commit(rec)
            with around as span:
                _say(span, delivery_id=rec.delivery_id, source_id=rec.source_id, kind=rec.kind)
                self._waiting[rec.delivery_id] = span
                try:
                    receipt = await commit(rec)
                finally:
                    if self._waiting.get(rec.delivery_id) is span:
                        del self._waiting[rec.delivery_id]
                _say(span, outcome=receipt.outcome)
            if about := _about.get():
                _say(about, outcome=receipt.outcome)
            return receipt

        return committed

    def _committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Make a trace of a group commit in which any delivery is sampled.

        It belongs to many deliveries, so it is a trace of its own, linked to each of them and they to it.
        """
        waiting = [span for rec in records if (span := self._waiting.get(rec.delivery_id))]
        if not waiting:
            return
        ended = time.time_ns()
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
            around = self._begun("fetch", SpanKind.INTERNAL, Context(), about=True)
            if around is None:
                return await fetch(row)
            with around as span:
                _say(span, delivery_id=row["delivery_id"], source_id=row["source_id"], attempt=row["attempts"] + 1)
                _say(span, outcome=Outcome.FETCHING)  # unless the commit says otherwise
                return await fetch(row)

        return fetched

    def _read_from_source(self, read: Async[[Api, Any, str, str], bytes]) -> Async[[Api, Any, str, str], bytes]:
        async def was_read(api: Api, options: Any, key: str, path: str) -> bytes:
            around = self.part("fetch.read", SpanKind.CLIENT)
            if around is None:
                return await read(api, options, key, path)
            with around as span:
                # The origin alone: the path holds what a payload named.
                span.set_attribute("server.address", urlsplit(api.origin_for(options)).hostname or "")
                try:
                    return await read(api, options, key, path)
                except Unfetched as why:
                    _say(span, reason=why.reason)
                    raise

        return was_read

    def _piece(self, piece: Async[[Row], Row | None]) -> Async[[Row], Row | None]:
        async def done(job: Row) -> Row | None:
            around = self._begun("job.piece", SpanKind.INTERNAL, Context(), about=False)
            if around is None:
                return await piece(job)
            with around as span:
                _say(span, job_id=job["id"], job_kind=job["kind"], dry_run=job["dry_run"])
                further = await piece(job)
                _say(span, ended=further is None)
                return further

        return done


class Around:
    """Is a span around a block; spans inside it become its parts."""

    def __init__(self, span: Span, *, about: bool = False) -> None:
        self._span, self._is_about = span, about

    def __enter__(self) -> Span:
        self._before = _parent.set(self._span), _about.set(self._span) if self._is_about else None
        return self._span

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        parent, about = self._before
        _parent.reset(parent)
        if about:
            _about.reset(about)
        if kind is not None:
            self._span.set_attribute("error.type", kind.__name__)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class _Exporter(OTLPSpanExporter):
    """Is OpenTelemetry's exporter; logs once that it cannot send, and once that it can again."""

    _well = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
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
    """Return the service's name and version, unless the environment gives others."""
    ours = {SERVICE_NAME: NAME, SERVICE_VERSION: version(NAME)}
    said = {name: value for name, value in Resource.create().attributes.items() if not _nameless(name, value)}
    return Resource({**ours, **said})


def _nameless(name: str, value: object) -> bool:
    return name == SERVICE_NAME and str(value).startswith("unknown_service")


def _wrap(thing: object, joint: str, around: Callable[[Any], Any]) -> None:
    setattr(thing, joint, around(getattr(thing, joint)))


def _say(span: Span, **said: str | int | None) -> None:
    for name, value in said.items():
        if value is not None:
            span.set_attribute(f"orders.{name}", value if isinstance(value, int) else str(value)[:MOST_LETTERS])
