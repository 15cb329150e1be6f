"""Moments of the past and present: as Unix milliseconds, which are kept, and as texts of RFC 3339.

All are in UTC and within the years that a text can tell, 1 to 9999: what lies outside could be
kept, but read by nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST_MS = -62_135_596_800_000
LATEST_MS = 253_402_300_799_999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds_of(text: str) -> int:
    """The Unix milliseconds of a date with a time, rounded down: ``2026-01-31T18:00:00.25Z``, in
    letters of either case; without an offset it is UTC. Raises ValueError for what does not exist,
    and for a moment whose year is not 1 to 9999 in UTC."""
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = milliseconds_of_moment(moment)
    if not EARLIEST_MS <= milliseconds <= LATEST_MS:
        raise ValueError("beyond the years 1 to 9999")
    return milliseconds


def milliseconds_of_moment(moment: datetime) -> int:
    """The Unix milliseconds of a moment that has an offset, rounded down."""
    # In whole numbers: as a float of seconds, the last moments of the year 9999 are in 10000.
    return (moment - _EPOCH) // _MILLISECOND


def moment_of(milliseconds: int) -> datetime:
    """The moment of these Unix milliseconds; beyond the years 1 to 9999 the first or last of
    them."""
    return _EPOCH + max(EARLIEST_MS, min(LATEST_MS, milliseconds)) * _MILLISECOND
