"""The moments at which a cron expression starts something, by the clock of a time zone.

An expression has five fields, and says times of a clock on the wall; what comes of them is one
rule: **a start is the first moment at which the zone's clock shows its time or a later one.** So a
time that the clock skips starts when the clock has jumped over it, a time that it shows twice
starts the first time only, and times that come to the same moment are one start. Unlike Debian's
cron this makes no difference between ``0 * * * *`` and ``0 0-23 * * *``.

The times on the wall are found by cronsim, which is given no zone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from scoreboard.domain.moments import milliseconds_of_moment, moment_of

_SECOND = timedelta(seconds=1)
# What an expression is like is seen on its first starts after a day that never changes, so that
# one that is refused today is refused for ever: at most so many, within so many days.
_SAMPLE_FROM = datetime(2023, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a time on the wall
_SAMPLE_STARTS = 100
_SAMPLE_DAYS = 3660


@lru_cache(maxsize=1024)
def cron_flaw(cron: str) -> str:
    """What is wrong with an expression; empty when nothing."""
    if len(cron.split()) != 5:
        return "needs five fields: minute, hour, day of the month, month, day of the week"
    try:
        first = next(_walls(cron, _SAMPLE_FROM), None)
    except CronSimError as error:
        return f"is not a cron expression: {str(error).lower()}"
    # cronsim looks 50 years ahead. A date that exists comes again within 40 on any day of the
    # week (29 February across the year 2100), so an expression that passes never runs dry.
    return "" if first else "never occurs"


@lru_cache(maxsize=1024)
def shortest_gap(cron: str) -> timedelta:
    """The least time on the wall between two of the first starts of a valid expression (100, or
    those of ten years). A zone's clock, or rare dates, can make one that is shorter yet."""
    walls = _walls(cron, _SAMPLE_FROM)
    first = next(walls)
    near = takewhile(lambda wall: wall - first < timedelta(days=_SAMPLE_DAYS), walls)
    starts = [first, *islice(near, _SAMPLE_STARTS)]
    return min(
        (later - earlier for earlier, later in pairwise(starts)),
        default=timedelta(days=_SAMPLE_DAYS),
    )


@cache
def zone_names() -> frozenset[str]:
    """The IANA names of time zones; not those that mean something else on each machine."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


class CronStarts:
    """The starts of a valid expression by the clock of a zone, in Unix milliseconds. For moments
    from 1970 on: clocks of before are not all known to the second."""

    def __init__(self, cron: str, zone: str) -> None:
        self._cron = cron
        self._zone = ZoneInfo(zone)

    def at_or_before(self, moment_ms: int) -> int:
        """The last start that is not after the moment."""
        wall, shown_twice = self._clock(moment_ms)
        # Once the clock was put back, it has shown later times already.
        latest = wall.replace(microsecond=0) + shown_twice + _SECOND
        starts = map(self._start, _walls(self._cron, latest, reverse=True))
        return next(start for start in starts if start <= moment_ms)

    def after(self, moment_ms: int) -> int:
        """The first start after the moment."""
        wall, _ = self._clock(moment_ms)
        starts = map(self._start, _walls(self._cron, wall))
        return next(start for start in starts if start > moment_ms)

    def _clock(self, moment_ms: int) -> tuple[datetime, timedelta]:
        """What the clock shows, and how far it was put back when it shows that the second time."""
        shown = moment_of(moment_ms).astimezone(self._zone)
        put_back = _offset(shown.replace(fold=0)) - _offset(shown)
        return shown.replace(tzinfo=None, fold=0), put_back

    def _start(self, wall: datetime) -> int:
        shown = wall.replace(tzinfo=self._zone)
        moment = shown.astimezone(UTC)
        if self._wall(moment) != wall:
            # Skipped. With fold 0 the moment is as long after the jump as the time is after those
            # that were shown; with fold 1 it lies before the jump.
            before = shown.replace(fold=1).astimezone(UTC)
            seconds = range((moment - before) // _SECOND)
            moment = before + _SECOND * bisect_left(
                seconds, wall, key=lambda later: self._wall(before + _SECOND * later)
            )
        return milliseconds_of_moment(moment)

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)


def _walls(cron: str, wall: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """The times after, or in reverse before, a time on the wall, which has no zone."""
    return CronSim(cron, wall, reverse)


def _offset(shown: datetime) -> timedelta:
    return shown.utcoffset() or timedelta()
