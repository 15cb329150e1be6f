"""Events that an operator announces, such as a weekend of double points, so that the gate takes
what they bring for usual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, structs

from scoreboard.domain.judging import Case
from scoreboard.domain.moments import milliseconds_of_moment


class AnnouncedEvent(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"starts": "from", "ends": "to"},
):
    """From ``from`` on and until ``to`` actions are worth ``factor`` times their usual points."""

    starts: Annotated[datetime, Meta(tz=True)]
    ends: Annotated[datetime, Meta(tz=True)]
    factor: Annotated[float, Meta(ge=0.01, le=100)]

    def __post_init__(self) -> None:
        if self.starts >= self.ends:
            raise ValueError("An event ends before it begins")

    @classmethod
    def from_text(cls, text: str) -> AnnouncedEvent:
        """The event ``FROM/TO/FACTOR``. Raises ValueError for any other text."""
        starts, _, rest = text.partition("/")
        ends, _, factor = rest.partition("/")
        return msgspec.convert({"from": starts, "to": ends, "factor": factor}, cls, strict=False)


def usual(cases: Iterable[Case], events: Sequence[AnnouncedEvent]) -> list[Case]:
    """The cases with the points that they would have without the events, in whole numbers. Few
    points do not become none: an event may leave some actions as they are."""
    if not events:
        return list(cases)
    spans = [
        (milliseconds_of_moment(one.starts), milliseconds_of_moment(one.ends), one.factor)
        for one in events
    ]
    return [_usual(case, spans) for case in cases]


def _usual(case: Case, spans: Sequence[tuple[int, int, float]]) -> Case:
    points = float(case.points)
    for starts, ends, factor in spans:
        if starts <= case.at_ms < ends:
            points /= factor
    if points == case.points:
        return case
    return structs.replace(case, points=round(points) or (1 if points > 0 else -1))
