"""What has changed of a user's place since a day or a period began."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.api.board_periods import BoardPeriods, Shown
from scoreboard.api.operations import Parameter
from scoreboard.api.parameters import choice
from scoreboard.api.ports import KeptDays, UserShards
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.daily_ranks import DayRanks, Then, Was
from scoreboard.domain.days import day_start
from scoreboard.domain.moments import moment_of
from scoreboard.domain.standings import Standing

DELTA = Parameter(
    "delta",
    "query",
    {"type": "string", "enum": ["true", "false"]},
    "true: tells what has changed since the day and each period began; not together with `at`",
)

DAY = Parameter(
    "day",
    "query",
    {"type": "string", "enum": ["true", "false"]},
    "true: tells the ranks that the listed users had when the day began",
)

MEMORY = 60.0  # seconds for which what was read of a day is remembered
MOST_TABLES, MOST_REMEMBERED = 1_000, 10_000  # and users of one


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


class DayBegan(msgspec.Struct, frozen=True):
    """The ranks that users had when the board's day began, or as soon after that as it was kept,
    which is told by ``since``: by their ids, of those who had one that is kept."""

    since: datetime
    ranks: dict[str, int]


def wants_day(query: Mapping[str, str]) -> bool:
    """Whether the ranks at the start of the day are asked for. Raises InvalidRequest."""
    return choice(query.get(DAY.name), ("true", "false"), DAY.name) == "true"


def wants_changes(query: Mapping[str, str]) -> bool:
    """Whether the changes since the day and each period began are asked for. Raises
    InvalidRequest."""
    return choice(query.get(DELTA.name), ("true", "false"), DELTA.name) == "true"


class RankChanges:
    """Tells them for standings that were just read."""

    def __init__(self, days: KeptDays, shards: UserShards, periods: BoardPeriods) -> None:
        self._days = days
        self._shards = shards
        self._periods = periods
        self._remembered: dict[tuple[str, int], _Remembered] = {}

    async def day_began(
        self, board: str, shown: Shown | None, users: Sequence[str]
    ) -> DayBegan | None:
        """The ranks of these users in the table of all time, or in an occurrence, when the day
        began; null where nothing is kept. Raises as ``of``."""
        settings = await self._periods.settings(board)
        today = day_start(settings.clock, time.time_ns() // 1_000_000)
        if shown is not None and shown.occurrence.starts_at >= today:
            return DayBegan(moment_of(today), {})
        kept = await self._ranks(board if shown is None else shown.table, users, today)
        if kept is None:
            return None
        had = {user: kept.ranks[user] for user in users if user in kept.ranks}
        return DayBegan(moment_of(kept.moment_ms), had)

    async def _ranks(self, table: str, users: Sequence[str], day: int) -> DayRanks | None:
        """Of those who watch a board many ask for the same users, at the same time."""
        now = time.monotonic()
        known = self._remembered.get((table, day))
        if known is None or known.until < now or len(known.asked) > MOST_REMEMBERED:
            if len(self._remembered) >= MOST_TABLES:
                self._remembered.clear()
            known = self._remembered[table, day] = _Remembered(now + MEMORY)
        if left := [user for user in users if user not in known.asked]:
            found = await self._days.ranks(table, left, day)
            known.asked.update(left)
            if found is None:
                known.kept = None
            elif known.kept is None:
                known.kept = found
            else:
                known.kept.ranks.update(found.ranks)
        return known.kept

    async def of(self, board: str, shown: Shown | None, standing: Standing) -> Delta:
        """What has changed of the standing, in the table of all time or in an occurrence. Raises
        UnknownBoard, or Unavailable when Postgres is away."""
        settings = await self._periods.settings(board)
        shard = await self._shards.shard(board, standing.user_id, settings.shard_count)
        today = day_start(settings.clock, time.time_ns() // 1_000_000)
        if shown is not None:
            if shown.occurrence.starts_at >= today:
                return Delta(_change(settings, standing, Then(today, "absent", None, 0)))
            (then,) = await self._days.then(
                shown.table, standing.user_id, [today], part=shown.of_shard(shard)
            )
            return Delta(_change(settings, standing, then))
        begun = {
            one.period: day_start(settings.clock, one.occurrence.starts_at)
            for one in await self._periods.current(board, settings)
            if one.state != "upcoming"
        }
        day, *others = await self._days.then(
            board,
            standing.user_id,
            [today, *(max(start, 0) for start in begun.values())],
            part=shard,
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


class _Remembered:
    """What was read of a table's day, until a moment of the monotonic clock."""

    __slots__ = ("asked", "kept", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.asked: set[str] = set()
        self.kept: DayRanks | None = None
