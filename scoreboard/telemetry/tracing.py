"""Traces of calls, of their way into Redis and of the commits that follow, sent over OTLP in the
background.

OpenTelemetry is an extra, so this module is imported only by a process that sends traces
(assembly/tracing.py); others import it for its types. No span has a user's id, a token, or a
path or query as it was sent.

A place in a trace, of which a further span may be the child, is a text: the trace's id and the
span's, in hexadecimal, with a hyphen between; empty where nothing is sampled. In this form it goes
through the stream to the persister (wire/events.Body).
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from scoreboard import __version__
from scoreboard.telemetry import metrics

FLUSH = 3.0  # seconds for which a process that ends waits for its last spans to be taken
_PLACE = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})")

_propagator = TraceContextTextMapPropagator()


class Span:
    """Something that takes time. As a context manager it ends with the block."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def place(self) -> str:
        """Where its children belong; empty when it is not sampled."""
        return _place_of(self._span)

    def note(self, name: str, value: str | int) -> None:
        """Adds an attribute."""
        self._span.set_attribute(name, value)

    def answered(self, status: int) -> None:
        """Notes the status of an answer; one from 500 on is an error."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)

    def end(self, error: BaseException | None = None) -> None:
        """Ends it, maybe by an error, whose text may say too much and is left out."""
        if error is not None:
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.end(error)


class Tracer:
    """Makes the spans of a process. With ``heeds_callers`` a call joins the trace that its header
    ``traceparent`` names."""

    def __init__(self, provider: TracerProvider, *, heeds_callers: bool = True) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("scoreboard", __version__)
        self._heeds_callers = heeds_callers

    @contextmanager
    def answering(self, method: str, route: str, headers: Mapping[str, str]) -> Iterator[Span]:
        """The span of an HTTP call; ``route`` has names for what stands in the path. It is where
        the block's code is."""
        context = Context()
        if self._heeds_callers:
            context = _propagator.extract(headers, context)
        with self._tracer.start_as_current_span(
            f"{method} {route}",
            context,
            SpanKind.SERVER,
            {"http.request.method": method, "http.route": route},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield Span(span)

    def here(self) -> str:
        """The place of the call that this code answers; empty when there is none, or it is not
        sampled."""
        return _place_of(trace.get_current_span())

    def script(self, parent: str, board: str, actions: int) -> Span:
        """The span of a call of submit_scores with so many actions."""
        return Span(
            self._tracer.start_span(
                "submit_scores",
                _below(parent, remote=False),
                SpanKind.CLIENT,
                {
                    "db.system.name": "redis",
                    "db.stored_procedure.name": "submit_scores",
                    "scoreboard.board": board,
                    "scoreboard.actions": actions,
                },
            )
        )

    def waiting(self) -> Span:
        """The span of a wait for a commit, of the call that this code answers."""
        return Span(self._tracer.start_span("wait for commit"))

    def committed(self, parents: Iterable[str], *, partition: int, events: int, began: int) -> None:
        """A transaction of so many events ends now and began at ``began`` (Unix ns): a span below
        each of these places. What is no place, as of another version, is passed over."""
        ended = time.time_ns()
        for parent in parents:
            if not _PLACE.fullmatch(parent):
                continue
            span = self._tracer.start_span(
                "commit",
                _below(parent, remote=True),
                SpanKind.CONSUMER,
                {
                    "db.system.name": "postgresql",
                    "scoreboard.partition": partition,
                    "scoreboard.events": events,
                },
                start_time=began,
            )
            span.end(ended)

    async def close(self) -> None:
        """Sends what is left, for a few seconds at most."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH)


def open_tracer(service: str, *, heeds_callers: bool) -> Tracer:
    """A tracer that sends its spans where OpenTelemetry's variables (OTEL_*) say; ``service`` is
    its name there unless they give one. Raises ValueError for one that is wrong, and RuntimeError
    when the system allows no further thread."""
    own = Resource({"service.name": service, "service.version": __version__})
    resource = Resource.create().merge(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Counting(OTLPSpanExporter())))
    return Tracer(provider, heeds_callers=heeds_callers)


class _Counting(SpanExporter):
    """Counts the spans that ``exporter`` could not hand over."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            metrics.spans_lost.inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _place_of(span: trace.Span) -> str:
    context = span.get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return ""
    return f"{context.trace_id:032x}-{context.span_id:016x}"


def _below(place: str, *, remote: bool) -> Context:
    trace_id, _, span_id = place.partition("-")
    sampled = TraceFlags(TraceFlags.SAMPLED)
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=sampled)
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
