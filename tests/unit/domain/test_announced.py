"""Announced events: what an action would have been worth without them."""

from __future__ import annotations

import pytest

from scoreboard.domain.announced import AnnouncedEvent, usual
from scoreboard.domain.judging import Case
from scoreboard.domain.moments import milliseconds_of

WEEKEND = "2026-12-05T00:00:00Z/2026-12-07T00:00:00Z/2"


def worth(points: int, moment: str, *events: str) -> int:
    at = milliseconds_of(moment)
    (case,) = usual(
        [Case("ann", points, at, at)], [AnnouncedEvent.from_text(text) for text in events]
    )
    return case.points


def test_points_count_as_usual_while_they_are_double() -> None:
    assert worth(6, "2026-12-05T00:00:00Z", WEEKEND) == 3
    assert worth(6, "2026-12-06T23:59:59Z", WEEKEND) == 3


@pytest.mark.parametrize("points", [1, 0, -1])
def test_a_point_that_an_event_left_as_it_is_stays_one(points: int) -> None:
    assert worth(points, "2026-12-05T00:00:00Z", WEEKEND) == points


def test_points_are_as_they_are_before_and_after() -> None:
    assert worth(6, "2026-12-04T23:59:59Z", WEEKEND) == 6
    assert worth(6, "2026-12-07T00:00:00Z", WEEKEND) == 6
    assert worth(6, "2026-12-06T00:00:00Z") == 6


def test_events_at_the_same_time_multiply() -> None:
    hour = "2026-12-06T12:00:00+00:00/2026-12-06T13:00:00+00:00/1.5"
    assert worth(9, "2026-12-06T12:30:00Z", WEEKEND, hour) == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("double", "RFC3339"),
        ("2026-12-05T00:00:00Z/2026-12-07T00:00:00Z", "float"),
        ("2026-12-05T00:00:00Z/2026-12-07T00:00:00Z/0", "0.01"),
        ("2026-12-05T00:00:00/2026-12-07T00:00:00/2", "timezone"),
        ("2026-12-07T00:00:00Z/2026-12-05T00:00:00Z/2", "ends before it begins"),
    ],
)
def test_what_is_no_event_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        AnnouncedEvent.from_text(text)
