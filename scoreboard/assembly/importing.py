"""The write path of a command that imports: that of the service, without a gate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from scoreboard.assembly.operator import TIMEOUT, Operator
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.submissions import Submission
from scoreboard.errors import ConfigurationError
from scoreboard.redisio.cluster_updates import updates_of
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.settings import Settings
from scoreboard.write_path.commit_watch import CommitWatch
from scoreboard.write_path.durability_waits import DurabilityWaits
from scoreboard.write_path.plain_calls import Call
from scoreboard.write_path.sharded import ShardedSubmitter
from scoreboard.write_path.submitter import Submitter


class NoJudge:
    """Stands where a gate would judge: imported totals are not how somebody plays."""

    async def prepare(
        self,
        board: str,
        settings: BoardSettings,
        submissions: Sequence[Submission],
        line: ScriptLine,
    ) -> Call:
        """Raises ConfigurationError."""
        raise gate_is_on(board)


def gate_is_on(board: str) -> ConfigurationError:
    """The error for a board whose gate would judge what is imported."""
    return ConfigurationError(
        f"the gate of {board} is on and would take imported totals for ways to play; turn it off "
        f"for the import: scoreboard boards set {board} --mode off"
    )


@asynccontextmanager
async def submitter(settings: Settings, tools: Operator) -> AsyncIterator[ShardedSubmitter]:
    """Submits actions as the service does, for durability ``redis``."""
    lines = ScriptLines(tools.topology, timeout=TIMEOUT, most=4)
    commits = CommitWatch(updates_of(tools.topology, str, timeout=TIMEOUT))
    made = Submitter(
        lines,
        tools.durable.rebuilder,
        keyspace=tools.durable.keyspace,
        dedupe_window=settings.dedupe_window,
        board_idle=settings.board_idle,
        backlog_limit=settings.backlog_limit,
        waits=DurabilityWaits(commits, tools.durable.ledger, timeout=TIMEOUT),
        judged=NoJudge(),
        calendar=tools.durable.calendar,
    )
    try:
        yield ShardedSubmitter(made, tools.durable.capacity)
    finally:
        await made.close()
