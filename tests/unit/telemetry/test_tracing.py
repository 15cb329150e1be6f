"""What spans tell, and to which trace they belong."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from scoreboard.telemetry.tracing import Tracer
from scoreboard.telemetry.tracing_log import log_sparingly

CALLER = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
PLACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


class Kept:
    """A tracer whose spans are kept here, in the order of their ends."""

    def __init__(self, *, heeds_callers: bool = True) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = Tracer(provider, heeds_callers=heeds_callers)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def post(self, headers: Mapping[str, str]) -> ReadableSpan:
        with self.tracer.answering("POST", "/api/score", headers):
            pass
        return self.spans[-1]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def place_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}-{context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str:
    parent = span.parent
    return "" if parent is None else f"{parent.trace_id:032x}-{parent.span_id:016x}"


def test_a_call_is_below_the_span_that_its_caller_names(kept: Kept) -> None:
    assert parent_of(kept.post(CALLER)) == PLACE


@pytest.mark.parametrize("header", ["", "00-0-0-01", "x" * 5000, CALLER["traceparent"] + "-more"])
def test_a_header_that_names_none_begins_a_trace(kept: Kept, header: str) -> None:
    assert parent_of(kept.post({"traceparent": header})) == ""


def test_callers_may_be_left_unheeded() -> None:
    assert parent_of(Kept(heeds_callers=False).post(CALLER)) == ""


def test_only_a_failure_of_the_service_is_an_error(kept: Kept) -> None:
    for status in (200, 409, 503):
        with kept.tracer.answering("POST", "/api/score", {}) as span:
            span.answered(status)
    assert [span.status.is_ok for span in kept.spans] == [True, True, False]


def test_an_error_is_told_by_its_kind_and_not_by_its_words(kept: Kept) -> None:
    with pytest.raises(ValueError, match="ann"), kept.tracer.script(PLACE, "arena", 1):
        raise ValueError("ann may not")
    (span,) = kept.spans
    assert not span.status.is_ok
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert "ann may not" not in span.to_json()


def test_code_outside_of_a_call_has_no_place_in_a_trace(kept: Kept) -> None:
    assert kept.tracer.here() == ""
    with kept.tracer.answering("POST", "/api/score", CALLER) as span:
        assert kept.tracer.here() == span.place
        assert span.place.startswith(PLACE[:33])
    assert kept.tracer.here() == ""


def test_a_commit_has_a_span_below_each_place_and_passes_over_what_is_none(kept: Kept) -> None:
    other = PLACE[::-1].replace("-", "")
    other = f"{other[:32]}-{other[32:]}"
    strange = ["a version to come", PLACE + "-01", "0" * 49, PLACE.upper()]
    kept.tracer.committed([PLACE, *strange, other], partition=3, events=7, began=5)

    assert [parent_of(span) for span in kept.spans] == [PLACE, other]
    assert [(span.name, span.start_time) for span in kept.spans] == [("commit", 5), ("commit", 5)]


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    logger = logging.getLogger("opentelemetry")
    before = logger.handlers, logger.propagate
    log_sparingly()
    yield logging.getLogger("opentelemetry.some.exporter")
    logger.handlers, logger.propagate = before


def test_what_the_library_says_again_and_again_is_logged_once(library: logging.Logger) -> None:
    with capture_logs() as lines:
        for number in range(50):
            library.error("no answer, attempt %s", number)
    assert [(line["event"], line["reason"]) for line in lines] == [
        ("traces_not_sent", "no answer, attempt 0")
    ]
