"""What the keeper of weeks needs of Postgres, Redis and the gate, whose rooms it may not import.
Every method raises Unavailable when what it asks is away, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Protocol

from scoreboard.domain.judged_weeks import FoundWeek, UsersOfWeek, WeekPass
from scoreboard.domain.judging import Case, Reason


class WeeksRecord(Protocol):
    """How far weeks are judged, and their cases. Implemented in pg/judged_weeks.py, which says
    more."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Whether it is this process's turn, until the end of the block."""

    async def due(self, week: date) -> list[tuple[str, str]]:
        """The boards whose users' weeks up to this one are not judged, with the texts of their
        settings."""

    async def begin(self, board: str, week: date) -> WeekPass | None:
        """Begins a pass up to this week, or goes on with one; None: the board is gone."""

    async def users(self, going: WeekPass, limit: int) -> UsersOfWeek | None:
        """Of the next users of the pass those who acted; None: there are no more."""

    async def advance(self, going: WeekPass, found: Sequence[FoundWeek]) -> int | None:
        """Makes cases of weeks, and keeps how far the pass is. Returns how many became cases; None
        when the pass is over, or the board is gone."""

    async def end(self, going: WeekPass) -> None:
        """All users of the board are judged."""


class PastActions(Protocol):
    """Knows what users did before. Implemented in pg/cases.py."""

    async def recent(self, board: str, users: Sequence[str]) -> Mapping[str, Sequence[Case]]:
        """The latest accepted actions of each, oldest first; users without any are left out."""


class UserMemories(Protocol):
    """What the agents remember of users. Implemented in redisio/user_memories.py."""

    async def of_users(self, board: str, users: Sequence[str]) -> Sequence[bytes | None]:
        """The memories of these users, one at least, in order; None where there is none."""


class WeekJudge(Protocol):
    """Judges the weeks of users of one board. Implemented in anomaly/weekly.py."""

    def recall(self, cases: Sequence[Case]) -> bytes:
        """The memory of a user whose latest accepted actions these are, in order. Raises
        nothing."""

    def reasons(self, payload: bytes, at_ms: int) -> list[Reason]:
        """Why the latest week of the user with this memory shall become a case; none for an
        ordinary one, and unless ``at_ms``, Unix ms, is in a later week. Raises nothing."""


class WeekJudges(Protocol):
    """By the models in force. Implemented in assembly/week_judges.py."""

    async def judge(self, board: str) -> WeekJudge | None:
        """That of the board; None without a model. Raises ScoreboardError for a model that this
        version can't use."""
