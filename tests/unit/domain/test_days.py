"""Days and hours by the clocks of zones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scoreboard.domain.days import bounds, day_start
from scoreboard.domain.moments import milliseconds_of, moment_of


def told(milliseconds: int) -> str:
    return moment_of(milliseconds).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("zone", "moment", "start"),
    [
        ("UTC", "2026-03-29T00:00:00Z", "2026-03-29T00:00:00Z"),
        ("UTC", "2026-03-28T23:59:59.999Z", "2026-03-28T00:00:00Z"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", "2026-03-29T21:59:59.999Z", "2026-03-28T23:00:00Z"),
        ("Asia/Kolkata", "2026-01-01T00:00:00Z", "2025-12-31T18:30:00Z"),
        # Midnight is skipped there: the day begins at one o'clock.
        ("Africa/Cairo", "2023-04-28T12:00:00Z", "2023-04-27T22:00:00Z"),
        # Midnight comes twice there: the day begins the first time.
        ("America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z"),
    ],
)
def test_a_day_begins_at_the_first_moment_of_its_date(zone: str, moment: str, start: str) -> None:
    assert told(day_start(zone, milliseconds_of(moment))) == start


def test_days_are_as_long_as_their_clock_makes_them() -> None:
    last = milliseconds_of("2026-03-30T12:00:00Z")
    starts = bounds("Europe/Berlin", "day", last, 3)
    assert list(map(told, starts)) == [
        *("2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
    ]


def test_hours_begin_where_the_zones_clock_says_so() -> None:
    last = int(datetime(2026, 1, 1, 12, 10, tzinfo=UTC).timestamp() * 1000)
    starts = bounds("Asia/Kolkata", "hour", last, 2)
    assert list(map(told, starts)) == ["2026-01-01T10:30:00Z", "2026-01-01T11:30:00Z"]
    assert list(map(told, bounds("UTC", "hour", last, 2))) == [
        *("2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"),
    ]
