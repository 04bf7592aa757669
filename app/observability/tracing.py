"""Exports the spans of `base/spans.py` with OpenTelemetry. Loaded only where an exporter is configured.

A span has ids, fixed words and times. It never has a body, a header or an identity, and of an error only its type: the
message may quote a customer.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from importlib.metadata import version
from typing import Self

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.contract import Unfetched, Unverified
from app.base import spans
from app.base.log import log

NAME = "orders-registry"
MOST_LETTERS = 100  # of an attribute: a kind is the source's word, and may be long
KINDS: dict[spans.Kind, otel.SpanKind] = {
    "internal": otel.SpanKind.INTERNAL,
    "server": otel.SpanKind.SERVER,
    "client": otel.SpanKind.CLIENT,
}
# OpenTelemetry's semantic conventions, for what they have a name for.
CONVENTIONS = {"status_code": "http.response.status_code", "server_address": "server.address"}

# What happens now is a part of this span; None where nothing is recorded. OpenTelemetry's own context would be asked and
# set for each span, sampled or not.
_parent: ContextVar[otel.Span | None] = ContextVar("parent", default=None)
_FROM_CALLER = TraceContextTextMapPropagator()


class Tracing(spans.Tracer):
    """Makes and exports the spans of one process."""

    def __init__(self, stop_within: float) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._tracer, self._stop_within = self._provider.get_tracer(NAME, version(NAME)), stop_within

    def start(self) -> None:
        """Start to export, in a thread of its own. What cannot be sent is dropped; nobody waits for it."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a line each time; `_Exporter` says it once
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter()))
        spans.use(self)

    async def stop(self) -> None:
        """Send what is left, if the collector answers soon."""
        spans.use(None)
        ending = threading.Thread(target=self._provider.shutdown, name="spans: the last", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, self._stop_within)

    def span(self, name: str, kind: spans.Kind) -> spans.Span:
        """Return a span around a part of the current work."""
        parent = _parent.get()
        if parent is None:
            return spans.NOT_RECORDED
        return RecordedSpan(self._tracer.start_span(name, otel.set_span_in_context(parent), KINDS[kind]))

    def trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]] | None, links: Sequence[spans.Span]
    ) -> spans.Span:
        """Return a span that starts a trace; one that is not recorded if it is not sampled."""
        about = [one.span for one in links if isinstance(one, RecordedSpan) and one.span.is_recording()]
        if links and not about:
            return spans.NOT_RECORDED
        made = self._tracer.start_span(
            name,
            Context() if headers is None else _callers(headers),
            KINDS["internal" if headers is None else "server"],
            links=[otel.Link(one.get_span_context()) for one in about],
        )
        if not made.is_recording():
            return spans.NOT_RECORDED
        for one in about:
            one.add_link(made.get_span_context())
        return RecordedSpan(made)


class RecordedSpan(spans.Span):
    """Records a span. What happens in its block is a part of it."""

    __slots__ = ("_before", "span")

    def __init__(self, span: otel.Span) -> None:
        self.span = span

    def set(self, **attributes: spans.Attribute) -> None:
        """Add attributes, under `orders.` where OpenTelemetry's conventions have no name."""
        for name, value in attributes.items():
            if value is not None:
                short = value if isinstance(value, int) else str(value)[:MOST_LETTERS]
                self.span.set_attribute(CONVENTIONS.get(name, f"orders.{name}"), short)

    def __enter__(self) -> Self:
        self._before = _parent.set(self.span)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        _parent.reset(self._before)
        if kind is not None:
            self.span.set_attribute("error.type", kind.__name__)
            self.span.set_status(otel.StatusCode.ERROR)
        if isinstance(fault, (Unverified, Unfetched)):  # their reasons are words of ours
            self.set(reason=fault.reason)
        self.span.end()


class _Exporter(OTLPSpanExporter):
    """Exports spans as OpenTelemetry's own exporter does; logs once that it cannot, and once that it can again."""

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


def _callers(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """Return the caller's trace (W3C Trace Context), if there is exactly one `traceparent`.

    `tracestate` is left out: nothing here reads it, and it would carry the caller's words to the collector.
    """
    given = [value for name, value in headers if name == b"traceparent"]
    if len(given) != 1:
        return Context()
    return _FROM_CALLER.extract({"traceparent": given[0].decode("latin-1")}, Context())


def _resource() -> Resource:
    """Return the service's name and version, where the environment does not say otherwise, and what is known besides."""
    ours = Resource.create({SERVICE_NAME: NAME, SERVICE_VERSION: version(NAME)})
    return ours.merge(OTELResourceDetector().detect())
