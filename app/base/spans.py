"""Spans of work: `with span("delivery.proof"):`. Each does nothing until an exporter of traces is configured.

OpenTelemetry's own API would do nothing as well, but importing it costs 40 ms of CPU at every start (a start takes some
700); `app/observability/tracing.py`, which is loaded only where traces are configured, puts its own tracer in place.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Self

Kind = Literal["internal", "server", "client"]
Attribute = str | int | None


class Span:
    """A part of the work, from the beginning of the `with` block to its end; this one is not recorded."""

    __slots__ = ()

    def set(self, **attributes: Attribute) -> None:
        """Adds attributes: ids, words of ours, numbers. Never what came in. None is passed over."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        return None


NOT_RECORDED = Span()


class Tracer:
    """Makes spans; this one makes none that are recorded."""

    def span(self, name: str, kind: Kind) -> Span:
        """See `span`."""
        return NOT_RECORDED

    def trace(self, name: str, headers: Iterable[tuple[bytes, bytes]] | None, links: Sequence[Span]) -> Span:
        """See `trace`."""
        return NOT_RECORDED


_NO_TRACER = Tracer()
_tracer = _NO_TRACER


def use(tracer: Tracer | None) -> None:
    """Makes every further span with this tracer; None for none."""
    global _tracer  # noqa: PLW0603 - one tracer a process, as in OpenTelemetry itself
    _tracer = tracer or _NO_TRACER


def span(name: str, kind: Kind = "internal") -> Span:
    """A part of what happens now; not recorded where that is not."""
    return _tracer.span(name, kind)


def trace(name: str, *, headers: Iterable[tuple[bytes, bytes]] | None = None, links: Sequence[Span] = ()) -> Span:
    """A trace of its own. With `headers` (of an ASGI request) a part of the caller's, if they say which; with `links` it
    is about several spans, is linked to each, and is recorded if any of these is.
    """
    return _tracer.trace(name, headers, links)
