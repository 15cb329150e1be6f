"""What is kept of tables when a day begins, and what has changed since."""

from __future__ import annotations

from typing import Literal, NamedTuple

from scoreboard.domain.ledger import EventId

MOST = 100_000  # users of a table whose ranks are kept

Was = Literal["ranked", "unranked", "absent"]


class DueDay(NamedTuple):
    """A board of whose new day nothing is kept yet, with the latest event in Postgres of each of
    its shards, by their names. One without any is its own."""

    board: str
    shards: dict[str, EventId]


class DayRanks(NamedTuple):
    """The ranks that users had in a table at a moment, Unix ms, by their ids. Who is not among them
    had none that is kept."""

    moment_ms: int
    ranks: dict[str, int]


class Then(NamedTuple):
    """A user in a table at a moment, Unix ms: ``ranked``; ``unranked``, behind those whose ranks
    are kept; or ``absent``. The total is as it is kept, 0 for who was absent."""

    moment_ms: int
    was: Was
    rank: int | None
    total: int
