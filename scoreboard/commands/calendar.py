"""``scoreboard calendar``: when the occurrences of a period come."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from scoreboard.commands.options import moment
from scoreboard.commands.terminal import say
from scoreboard.domain.moments import milliseconds_of_moment, moment_of
from scoreboard.domain.occurrences import coming
from scoreboard.domain.periods import EARLIEST_START, LATEST_START, Period
from scoreboard.errors import ConfigurationError


def calendar_command(
    cron: Annotated[
        str | None, typer.Option(help="When occurrences start: five fields, by the zone's clock.")
    ] = None,
    zone: Annotated[str, typer.Option(help="A name of IANA's list, for --cron.")] = "UTC",
    every: Annotated[
        str | None, typer.Option(help="Or a fixed length, such as PT30S, with --start.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="The moment it is counted from.", metavar="MOMENT")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="How long each is open; default: until the next one.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many are shown.")] = 5,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", help="From when on, with an offset; default: now.", metavar="MOMENT"
        ),
    ] = None,
) -> None:
    """Show when the occurrences of a period would come.

    The first is the one that is open at the moment, or the next one. Each line has its start and
    its end, by the zone's clock and in UTC.
    """
    now = datetime.now(UTC) if from_ is None else moment(from_, "--from")
    given = {
        "cron": cron,
        "zone": zone,
        "every": every,
        "start": None if start is None else moment(start, "--start"),
        "duration": duration,
    }
    try:
        period = msgspec.convert(
            {"name": "preview"}
            | {name: value for name, value in given.items() if value is not None},
            Period,
        )
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{error}.") from error
    if not EARLIEST_START <= now < LATEST_START:
        raise ConfigurationError("--from lies outside the years 1970 to 2089")
    clocks: list[tzinfo] = [UTC] if zone == "UTC" else [ZoneInfo(zone), UTC]
    shown = 0
    for occurrence in islice(coming(period, milliseconds_of_moment(now)), count):
        bounds = (occurrence.starts_at, occurrence.ends_at)
        told = (" to ".join(_shown(bound, clock) for bound in bounds) for clock in clocks)
        say("   ".join(told))
        shown += 1
    if shown < count:
        say("Later ones lie beyond the year 2089.", err=True)


def _shown(moment_ms: int, clock: tzinfo) -> str:
    text = moment_of(moment_ms).astimezone(clock).strftime("%a %Y-%m-%d %H:%M:%S%z")
    return f"{text[:-5]}Z" if clock is UTC else f"{text[:-2]}:{text[-2:]}"
