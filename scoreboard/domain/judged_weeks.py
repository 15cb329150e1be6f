"""How far users' weeks that have ended are judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from scoreboard.domain.judging import Reason


class WeekPass(NamedTuple):
    """A pass through a board's users, in the order of their names: judged are those who acted since
    ``since_ms``, Unix ms, of their latest week up to that of ``passing``, its Monday. ``after`` is
    the last user who was."""

    board: str
    passing: date
    since_ms: int
    after: str


class UsersOfWeek(NamedTuple):
    """Those of some users of a board who acted since the pass's beginning; ``last`` is the last of
    all, who may not be among them."""

    last: str
    acted: Sequence[str]


class FoundWeek(NamedTuple):
    """A user's week, by its Monday, that shall become a case, and why."""

    user_id: str
    monday: date
    reasons: Sequence[Reason]
