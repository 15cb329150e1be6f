"""What a read is of: a board's table of all time, or an occurrence of one of its periods; and what
the answers of the latter say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.api.board_periods import BoardPeriods, Shown, State, Wanted
from scoreboard.api.operations import Parameter
from scoreboard.api.paging import LIMIT
from scoreboard.api.parameters import number
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.moments import moment_of
from scoreboard.domain.periods import PERIOD_PATTERN
from scoreboard.domain.standings import Page, Place, Standing, UserStanding
from scoreboard.errors import InvalidRequest

LAST_NUMBER = 10**15

PERIOD = Parameter(
    "period",
    "query",
    {"type": "string", "pattern": f"^{PERIOD_PATTERN}$"},
    "a period of the board: reads its current occurrence; default: the table of all time",
)
OCCURRENCE = Parameter(
    "occurrence",
    "query",
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": LAST_NUMBER},
            {"type": "string", "const": "previous"},
        ]
    },
    "another occurrence of the period: a number, or previous",
)
PERIOD_IN_PATH = Parameter("period", "path", {"type": "string", "pattern": f"^{PERIOD_PATTERN}$"})
AFTER_OCCURRENCE = Parameter(
    "after",
    "query",
    {"type": "string", "pattern": "^[0-9]+$"},
    "`next` of the page before",
)
OCCURRENCES_LIMIT = replace(LIMIT, description="the most occurrences that a page has")


class OfOccurrence(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an answer about an occurrence says of it, and no other answer: its period and number,
    its state, when it starts and ends, and when the period's next one starts, seen from now."""

    period: str | UnsetType = UNSET
    occurrence: int | UnsetType = UNSET
    state: State | UnsetType = UNSET
    starts_at: datetime | UnsetType = UNSET
    ends_at: datetime | UnsetType = UNSET
    next_starts_at: datetime | UnsetType = UNSET


class ShownPeriod(msgspec.Struct, frozen=True, rename="camel"):
    """A period of a board with its current occurrence: ``upcoming`` before the very first, ``open``
    while it takes actions, ``closing`` once it has ended, ``final`` when its ranks are stored."""

    name: str
    occurrence: int
    state: State
    starts_at: datetime
    ends_at: datetime
    next_starts_at: datetime


class ListedOccurrence(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An occurrence, and how many users are in it. ``amended``: a moderator's decision changed it
    when it was final; ``gone``: its users are no longer kept. Both are left out where false."""

    occurrence: int
    state: State
    starts_at: datetime
    ends_at: datetime
    users: int
    amended: bool = False
    gone: bool = False


class OccurrencePage(msgspec.Struct, frozen=True):
    """Occurrences that have started, newest first. With ``next`` as ``after`` the next page goes
    on; it is null on the last one."""

    occurrences: list[ListedOccurrence]
    next: str | None


def wanted_of(query: Mapping[str, str]) -> tuple[str, Wanted] | None:
    """The period that is asked for and which occurrence of it; None: the table of all time. Raises
    InvalidRequest."""
    occurrence = query.get(OCCURRENCE.name)
    period = query.get(PERIOD.name)
    if period is None:
        if occurrence is not None:
            raise InvalidRequest("occurrence goes with period.", path="occurrence")
        return None
    if occurrence is None or occurrence == "previous":
        return period, None if occurrence is None else "previous"
    return period, number(occurrence, "occurrence", least=1, most=LAST_NUMBER)


async def shown_of(periods: BoardPeriods, board: str, query: Mapping[str, str]) -> Shown | None:
    """The occurrence that is asked for; None: the table of all time. Raises what BoardPeriods
    raises."""
    wanted = wanted_of(query)
    if wanted is None:
        await periods.check_all_time(board)
        return None
    return await periods.find(board, *wanted)


def told(shown: Shown | None) -> dict[str, Any]:
    """The fields of OfOccurrence."""
    if shown is None:
        return {}
    return {
        "period": shown.period,
        "occurrence": shown.occurrence.number,
        "state": shown.state,
        "starts_at": moment_of(shown.occurrence.starts_at),
        "ends_at": moment_of(shown.occurrence.ends_at),
        "next_starts_at": moment_of(shown.next_starts_at),
    }


def shown_period(shown: Shown) -> ShownPeriod:
    """What is told of a board's period."""
    fields = told(shown)
    return ShownPeriod(fields.pop("period"), **fields)


def page_of(found: Sequence[tuple[KeptOccurrence, State]], limit: int) -> OccurrencePage:
    """A page of at most ``limit`` occurrences; ``found`` has one more when there is a next page."""
    listed = [
        ListedOccurrence(
            one.number,
            state,
            moment_of(one.starts_at),
            moment_of(one.ends_at),
            one.users or 0,
            amended=one.amended,
            gone=one.pruned,
        )
        for one, state in found[:limit]
    ]
    return OccurrencePage(listed, str(listed[-1].occurrence) if len(found) > limit else None)


class Tables(Protocol):
    """Where tables are read. Implemented in board_reader.py, and below."""

    async def shared_top(self, table: str) -> tuple[int | None, bytes]:
        """(version, JSON array) of the top 10; without a version when Postgres answered."""

    async def standings(self, table: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not in the table."""

    async def around(self, table: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side; None when not in the table."""

    async def user(self, table: str, user: str) -> UserStanding | None:
        """The user's place with the one above and the way to the top 10; None when the user is not
        in the table."""

    async def page(self, table: str, place: Place, limit: int) -> Page:
        """Up to ``limit`` users in order of rank, from the place on."""


class NoUsers:
    """The table of an occurrence that nobody has opened yet."""

    async def shared_top(self, table: str) -> tuple[int | None, bytes]:
        """See Tables."""
        return None, b"[]"

    async def standings(self, table: str, users: list[str]) -> list[Standing | None]:
        """See Tables."""
        return [None] * len(users)

    async def around(self, table: str, user: str, radius: int) -> list[Standing] | None:
        """See Tables."""
        return None

    async def user(self, table: str, user: str) -> UserStanding | None:
        """See Tables."""
        return None

    async def page(self, table: str, place: Place, limit: int) -> Page:
        """See Tables."""
        return Page([], 1, 0, None)
