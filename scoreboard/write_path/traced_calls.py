"""The spans of a call of submit_scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from scoreboard.write_path.lanes import Entry

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer


class TracedCall:
    """One call for many requests, each of which may be in a trace of its own: so each that is
    traced has a span of the call, below which its actions are committed."""

    def __init__(self, tracer: Tracer, board: str, entries: Sequence[Entry]) -> None:
        actions = sum(len(entry.submissions) for entry in entries)
        self._spans = []
        for entry in entries:
            if entry.trace:
                span = tracer.script(entry.trace, board, actions)
                entry.submissions = [
                    structs.replace(submission, trace=span.place)
                    for submission in entry.submissions
                ]
                self._spans.append(span)

    def end(self, error: BaseException | None = None) -> None:
        """The call has ended, maybe by an error."""
        for span in self._spans:
            span.end(error)
