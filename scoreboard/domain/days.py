"""Days and hours by the clock of a time zone, in Unix milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from scoreboard.domain.moments import milliseconds_of_moment, moment_of

Resolution = Literal["hour", "day"]

_HOUR = 3_600_000


def day_start(zone: str, moment_ms: int) -> int:
    """When the day began in which the moment lies: the first moment of its date. Where the clock
    skips midnight, that is the moment at which it jumps."""
    there = moment_of(moment_ms).astimezone(ZoneInfo(zone))
    return _first_of(there.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def bounds(zone: str, resolution: Resolution, last_ms: int, count: int) -> list[int]:
    """The starts of ``count`` hours or days, oldest first, the last of which holds the moment.
    Hours are those of the zone's clock: in zones that are half an hour off they start there."""
    if resolution == "hour":
        there = moment_of(last_ms).astimezone(ZoneInfo(zone))
        offset = there.utcoffset() or timedelta()
        ahead = (offset // timedelta(milliseconds=1)) % _HOUR
        start = last_ms - (last_ms + ahead) % _HOUR
        return [start - _HOUR * back for back in reversed(range(count))]
    starts = [day_start(zone, last_ms)]
    while len(starts) < count:
        starts.append(day_start(zone, starts[-1] - 1))
    return starts[::-1]


def _first_of(midnight: datetime) -> int:
    # A time that the clock skips is read by the offset before the jump, which leads behind it.
    moment = milliseconds_of_moment(midnight.astimezone(UTC))
    shown = moment_of(moment).astimezone(midnight.tzinfo)
    if shown.replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return moment
    # The clock shows this date from the jump on: the first moment at which it does.
    low, high = moment - 86_400_000, moment
    while high - low > 1:
        middle = (low + high) // 2
        there = moment_of(middle).astimezone(midnight.tzinfo)
        low, high = (low, middle) if there.date() >= midnight.date() else (middle, high)
    return high
