"""Which lengths of time are taken, and what they are in seconds."""

from __future__ import annotations

import pytest

from scoreboard.domain.durations import seconds_of

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1S", 1),
        ("PT30S", 30),
        ("PT90M", 5400),
        ("PT36H", 36 * 3600),
        ("PT1H30M15S", 5415),
        ("P1D", DAY),
        ("P1DT12H", DAY + DAY // 2),
        ("P1W", 7 * DAY),
        ("P2W3DT0H0M1S", 17 * DAY + 1),
        ("P0D", 0),
        ("PT007S", 7),
    ],
)
def test_a_duration_is_weeks_days_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["P1M", "P1Y", "P1Y2M3D", "P0M", "P1MT1H"])
def test_years_and_months_are_refused_for_having_no_fixed_length(text: str) -> None:
    with pytest.raises(ValueError, match="no fixed length"):
        seconds_of(text)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1", "T1S", "P1DT", "P1H", "PT1D", "PT1S1M", "P1D1W", "p1d", "pt1s", "-P1D",
     "+P1D", "P-1D", "PT0.5S", "PT1,5S", "P1D ", " P1D", "P1D\n", "P 1D", "P١D", "1 day"],
)  # fmt: skip
def test_anything_else_is_refused_with_what_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match="whole weeks, days, hours, minutes and seconds"):
        seconds_of(text)
