"""A look ahead: when the occurrences of a period would come, before it is set on a board."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import MODERATION, Bodies, decode
from scoreboard.api.written import for_caller
from scoreboard.domain.moments import milliseconds_of_moment, moment_of
from scoreboard.domain.occurrences import coming
from scoreboard.domain.periods import EARLIEST_START, LATEST_START, Period
from scoreboard.errors import InvalidRequest

MOST = 20  # finding an occurrence takes up to a few milliseconds


class CalendarQuestion(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A period, how many of its occurrences are wanted, and from which moment on (default: now)."""

    period: Period
    count: Annotated[int, Meta(ge=1, le=MOST)] = 5
    since: Annotated[datetime, Meta(tz=True)] | None = None


class PlannedOccurrence(msgspec.Struct, frozen=True, rename="camel"):
    """An occurrence that would be open from ``starts_at`` until before ``ends_at``."""

    starts_at: datetime
    ends_at: datetime


class Calendar(msgspec.Struct, frozen=True):
    """The occurrence that is open at the moment, or the next one, and those that follow; fewer than
    were wanted where the calendar of boards ends, with the year 2089."""

    occurrences: list[PlannedOccurrence]


_question = msgspec.json.Decoder(CalendarQuestion)


class CalendarHandlers:
    """The call that looks ahead."""

    def __init__(self, authenticator: Authenticator, bodies: Bodies) -> None:
        self._authenticator = authenticator
        self._bodies = bodies

    async def preview(self, request: web.Request) -> web.Response:
        """When the occurrences of a period would come. Nothing is changed."""
        await self._authenticator.administrator(request)
        asked = decode(_question, await self._bodies.read(request, most=MODERATION))
        since = asked.since or datetime.now(UTC)
        if not EARLIEST_START <= since < LATEST_START:
            raise InvalidRequest("This lies outside the years 1970 to 2089.", path="since")
        found = islice(coming(asked.period, milliseconds_of_moment(since)), asked.count)
        planned = [
            PlannedOccurrence(moment_of(one.starts_at), moment_of(one.ends_at)) for one in found
        ]
        return for_caller(Calendar(planned))
