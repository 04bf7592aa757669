"""Spans of traces: `with span("delivery.proof"):`. They do nothing until an exporter of traces is configured.

OpenTelemetry's own API would do nothing as well, but importing it costs 40 ms of CPU at every start (a start takes some
700); `app/observability/tracing.py`, which is loaded only where traces are configured, puts its own tracer in place.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Self

Kind = Literal["internal", "server", "client"]
Attribute = str | int | None


class Span:
    """Measures a part of the work, from the start of the `with` block to its end. This one is not recorded."""

    __slots__ = ()

    def set(self, **attributes: Attribute) -> None:
        """Add attributes: ids, fixed words, numbers. Never what came in. None is skipped."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        return None


NOT_RECORDED = Span()


class Tracer:
    """Makes spans. This one makes none that are recorded."""

    def span(self, name: str, kind: Kind) -> Span:
        """See `span`."""
        return NOT_RECORDED

    def trace(self, name: str, headers: Iterable[tuple[bytes, bytes]] | None, links: Sequence[Span]) -> Span:
        """See `trace`."""
        return NOT_RECORDED


_NO_TRACER = Tracer()
_tracer = _NO_TRACER


def use(tracer: Tracer | None) -> None:
    """Make all further spans with this tracer; with None, record none."""
    global _tracer  # noqa: PLW0603 - one tracer a process, as in OpenTelemetry itself
    _tracer = tracer or _NO_TRACER


def span(name: str, kind: Kind = "internal") -> Span:
    """Return a span around a part of the current work. It is not recorded if that is not."""
    return _tracer.span(name, kind)


def trace(name: str, *, headers: Iterable[tuple[bytes, bytes]] | None = None, links: Sequence[Span] = ()) -> Span:
    """Return a span that starts a trace.

    `headers` (of an ASGI request): it is part of the caller's trace, if `traceparent` names one. `links`: it is about
    several spans, is linked to each, and is recorded if one of them is.
    """
    return _tracer.trace(name, headers, links)
