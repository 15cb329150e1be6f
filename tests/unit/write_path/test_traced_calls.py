"""A call for many requests, of which some are traced."""

from __future__ import annotations

import asyncio

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.submissions import Submission
from scoreboard.telemetry.tracing import Tracer
from scoreboard.write_path.lanes import Entry
from scoreboard.write_path.traced_calls import TracedCall


def entry(trace: str, actions: int) -> Entry:
    submissions = [
        Submission(ScoreAction("ann", f"a{number}", 1), f"t{number}", 0, 0)
        for number in range(actions)
    ]
    return Entry(submissions, True, asyncio.Future(), trace)


async def test_each_request_that_is_traced_has_the_call_in_its_own_trace() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    one, untraced, two = f"{1:032x}-{1:016x}", "", f"{2:032x}-{2:016x}"
    entries = [entry(one, 1), entry(untraced, 3), entry(two, 2)]

    call = TracedCall(Tracer(provider), "arena", entries)
    assert exporter.get_finished_spans() == ()
    call.end()

    spans = exporter.get_finished_spans()
    assert [span.parent and span.parent.span_id for span in spans] == [1, 2]
    assert [(span.attributes or {})["scoreboard.actions"] for span in spans] == [6, 6]
    carried = [[submission.trace for submission in one.submissions] for one in entries]
    places = [f"{c.trace_id:032x}-{c.span_id:016x}" for span in spans if (c := span.context)]
    assert carried == [[places[0]], ["", "", ""], [places[1], places[1]]]
