"""What the write path needs of rooms that it may not import, and of whatever prepares its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.judging import Case
from scoreboard.domain.submissions import Submission
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.write_path.plain_calls import Call


class BoardRecovery(Protocol):
    """Makes a board live. Implemented in workers/rebuilder.Rebuilder."""

    async def ensure(self, board: str, *, create: bool) -> None:
        """Returns when the board is live; a caller that stops waiting does not stop the work.
        Raises UnknownBoard when there is none and ``create`` is False, Unavailable when it can't
        be made live now."""


class Commits(Protocol):
    """Knows up to which event a partition is in Postgres. Implemented in commit_watch.CommitWatch;
    tests without a persister have another."""

    async def watch(self, partition: int) -> None:
        """Must be called before the event is written."""

    async def wait(self, partition: int, event: str, timeout: float) -> bool:
        """True when events up to this one are committed, False after ``timeout`` seconds."""


class RecordedActions(Protocol):
    """Knows what is in Postgres. Implemented in pg/ledger.Ledger."""

    async def has_counted(self, board: str, actions: Sequence[tuple[str, str]]) -> bool:
        """True when it has all these (user, action id). Raises Unavailable."""


class PastActions(Protocol):
    """Knows what users did before. Implemented in pg/cases.LedgerCases."""

    async def recent(self, board: str, users: Sequence[str]) -> Mapping[str, Sequence[Case]]:
        """The latest accepted actions of each, oldest first. Raises Unavailable."""


class CallMaker(Protocol):
    """Turns submissions into the keys and arguments of one call: plain_calls.PlainCalls for a board
    without a gate, judged_calls.JudgedCalls for one with a gate."""

    async def prepare(
        self,
        board: str,
        settings: BoardSettings,
        submissions: Sequence[Submission],
        line: ScriptLine,
    ) -> Call:
        """The call of these submissions. Raises Unavailable."""
