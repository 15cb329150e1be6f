"""What has changed of a user's place since a day or a period began."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.api.board_periods import BoardPeriods, Shown
from scoreboard.api.operations import Parameter
from scoreboard.api.parameters import choice
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.daily_ranks import Then, Was
from scoreboard.domain.days import day_start
from scoreboard.domain.moments import moment_of
from scoreboard.domain.standings import Standing

DELTA = Parameter(
    "delta",
    "query",
    {"type": "string", "enum": ["true", "false"]},
    "true: tells what has changed since the day and each period began; not together with `at`",
)


class Change(msgspec.Struct, frozen=True):
    """What has changed ``since`` a moment: by how many places the user is higher (negative: lower),
    and by how much the score is larger. ``was`` says what the user was then: ``ranked``;
    ``unranked``, too far down for a rank that is kept; or ``absent``. ``rank`` is null for the
    latter two."""

    since: datetime
    rank: int | None
    score: int
    was: Was


class Delta(msgspec.Struct, frozen=True):
    """What has changed since the board's ``day`` began and, in a table of all time, since each of
    its ``periods`` did, told from the start of the day on which that was; null where nothing is
    kept."""

    day: Change | None
    periods: dict[str, Change | None] | UnsetType = UNSET


class KeptDays(Protocol):
    """Implemented in pg/daily_ranks.py."""

    async def then(self, table: str, user: str, days: Sequence[int]) -> list[Then | None]:
        """The user in the table at the start of each of these days, Unix ms, or as soon after that
        as it was kept; None where nothing is kept."""


def wants_changes(query: Mapping[str, str]) -> bool:
    """Whether they are asked for. Raises InvalidRequest."""
    return choice(query.get(DELTA.name), ("true", "false"), DELTA.name) == "true"


class RankChanges:
    """Tells them for standings that were just read."""

    def __init__(self, days: KeptDays, periods: BoardPeriods) -> None:
        self._days = days
        self._periods = periods

    async def of(self, board: str, shown: Shown | None, standing: Standing) -> Delta:
        """What has changed of the standing, in the table of all time or in an occurrence. Raises
        UnknownBoard, or Unavailable when Postgres is away."""
        settings = await self._periods.settings(board)
        today = day_start(settings.clock, time.time_ns() // 1_000_000)
        if shown is not None:
            if shown.occurrence.starts_at >= today:
                return Delta(_change(settings, standing, Then(today, "absent", None, 0)))
            (then,) = await self._days.then(shown.table, standing.user_id, [today])
            return Delta(_change(settings, standing, then))
        begun = {
            one.period: day_start(settings.clock, one.occurrence.starts_at)
            for one in await self._periods.current(board, settings)
            if one.state != "upcoming"
        }
        day, *others = await self._days.then(
            board, standing.user_id, [today, *(max(start, 0) for start in begun.values())]
        )
        changes = {
            period: _change(settings, standing, then)
            for period, then in zip(begun, others, strict=True)
        }
        return Delta(_change(settings, standing, day), changes)


def _change(settings: BoardSettings, now: Standing, then: Then | None) -> Change | None:
    if then is None:
        return None
    return Change(
        moment_of(then.moment_ms),
        None if then.rank is None else then.rank - now.rank,
        now.score - then.total * settings.sign,
        then.was,
    )
