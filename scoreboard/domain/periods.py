"""The rules of a board's periods: when each of their occurrences starts, and how long it is open.

Starts are given by a cron expression and the clock of a time zone, or by a fixed length that is
counted from a moment. How occurrences follow from a rule, and their numbers: occurrences.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from scoreboard.domain.cron import cron_flaw, shortest_gap, zone_names
from scoreboard.domain.durations import seconds_of
from scoreboard.domain.flaws import FieldFlaw
from scoreboard.domain.moments import milliseconds_of_moment

MAX_PERIODS = 8
PERIOD_PATTERN = "[a-z0-9][a-z0-9_-]{0,31}"
MAX_DAYS = 3660  # of a fixed length
MAX_GRACE = 86_400

# Within these, clocks are known to the second, and a total can say when it was reached.
EARLIEST_START = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_START = datetime(2090, 1, 1, tzinfo=UTC)

_period_name = re.compile(PERIOD_PATTERN)

_Duration = Annotated[str, Meta(max_length=32)]


def is_period_name(text: str) -> bool:
    """True for a well-formed name of a period."""
    return _period_name.fullmatch(text) is not None


class Period(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """One of a board's periods, as its settings name it: ``cron`` by the clock of ``zone``, or
    ``every`` from ``start``. An occurrence is open until the next one starts, or for ``duration``;
    then latecomers have ``grace`` seconds. ``keep`` is how many closed occurrences stay readable
    with all users; without it all do."""

    name: Annotated[str, Meta(pattern=rf"^{PERIOD_PATTERN}$(?!\n)")]
    cron: Annotated[str, Meta(max_length=120)] | None = None
    zone: Annotated[str, Meta(max_length=64)] = "UTC"
    every: _Duration | None = None
    start: Annotated[datetime, Meta(tz=True)] | None = None
    duration: _Duration | None = None
    grace: Annotated[int, Meta(ge=0, le=MAX_GRACE)] = 0
    keep: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None

    def __post_init__(self) -> None:
        """Raises FieldFlaw for fields that are wrong, or do not go together."""
        if self.cron is not None:
            gap = self._gap_of_cron(self.cron)
        elif self.every is not None:
            gap = self._gap_of_every(self.every)
        else:
            raise FieldFlaw("A period needs `cron`, or `every` with `start`")
        if self.duration is not None:
            self._check_duration(self.duration, gap)
        if self.grace and self.grace >= gap.total_seconds():
            raise FieldFlaw(
                f"The grace has to be shorter than the time between two starts, {_told(gap)}",
                field="grace",
            )

    def _gap_of_cron(self, cron: str) -> timedelta:
        for field, value in (("every", self.every), ("start", self.start)):
            if value is not None:
                raise FieldFlaw(f"A period with `cron` has no `{field}`", field=field)
        if self.zone not in zone_names():
            raise FieldFlaw(f"{self.zone!r} is not a time zone's name in IANA's list", field="zone")
        if flaw := cron_flaw(cron):
            raise FieldFlaw(f"{cron!r} {flaw}", field="cron")
        return shortest_gap(cron)

    def _gap_of_every(self, every: str) -> timedelta:
        if self.zone != "UTC":
            raise FieldFlaw(
                "A fixed length follows no clock: `zone` goes with `cron`", field="zone"
            )
        seconds = _seconds(every, "every")
        if self.start is None:
            raise FieldFlaw("`every` is counted from a `start`", field="start")
        if not EARLIEST_START <= self.start < LATEST_START:
            raise FieldFlaw("The start lies outside the years 1970 to 2089", field="start")
        return timedelta(seconds=seconds)

    def _check_duration(self, duration: str, gap: timedelta) -> None:
        if _seconds(duration, "duration") > gap.total_seconds():
            raise FieldFlaw(
                f"The duration is longer than the time between two starts, {_told(gap)}",
                field="duration",
            )

    @property
    def every_ms(self) -> int | None:
        """The fixed length in milliseconds, if that is the rule."""
        return None if self.every is None else seconds_of(self.every) * 1000

    @property
    def start_ms(self) -> int:
        """The Unix milliseconds from which a fixed length is counted, rounded down."""
        assert self.start is not None
        return milliseconds_of_moment(self.start)

    @property
    def duration_ms(self) -> int | None:
        """How long an occurrence is open, in milliseconds; None: until the next one starts."""
        return None if self.duration is None else seconds_of(self.duration) * 1000


Periods = Annotated[tuple[Period, ...], Meta(max_length=MAX_PERIODS)]


def check_names(periods: Sequence[Period]) -> None:
    """Raises FieldFlaw when two periods of a board have one name."""
    seen = set[str]()
    for place, period in enumerate(periods):
        if period.name in seen:
            raise FieldFlaw(
                f"Two periods have the name {period.name!r}", field=f"periods[{place}].name"
            )
        seen.add(period.name)


def _seconds(duration: str, field: str) -> int:
    try:
        seconds = seconds_of(duration)
    except ValueError as error:
        raise FieldFlaw(f"{duration!r} {error}", field=field) from error
    if not 1 <= seconds <= MAX_DAYS * 86_400:
        raise FieldFlaw(f"{duration!r} is not between 1 second and {MAX_DAYS} days", field=field)
    return seconds


def _told(gap: timedelta) -> str:
    return f"at the shortest {gap}"
