"""Weeks, which begin on a Monday at 00:00 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

WEEK_MS: Final = 7 * 86_400_000
MONDAY_MS: Final = 3 * 86_400_000
"""1970 began on a Thursday."""

WEEK: Final = timedelta(weeks=1)


def week_of(at_ms: int) -> int:
    """Returns the number of the week of a moment, Unix ms."""
    return (at_ms + MONDAY_MS) // WEEK_MS


def monday_of(at_ms: int) -> date:
    """Returns the day on which the week of a moment, Unix ms, begins."""
    return datetime.fromtimestamp(week_of(at_ms) * 7 * 86_400 - MONDAY_MS // 1000, UTC).date()


def start_of(monday: date) -> int:
    """Returns when the day begins, Unix ms."""
    return round(datetime.combine(monday, time(), UTC).timestamp() * 1000)
