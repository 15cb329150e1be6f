"""Durability waits: commands sent right behind a script, so that its reply promises more than "in
memory".

``disk`` relies on ``appendfsync always``, under which a server syncs the file before it answers: a
trace of Valkey 9.1 and Redis 7.0 shows fdatasync between the append and the reply. WAITAOF is not
used: under ``everysec`` Valkey 9.1 answers it before the sync (docs/durability.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from scoreboard.domain.durability import Durability
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import Unavailable
from scoreboard.redisio.script_line import pack
from scoreboard.wire.events import split_id
from scoreboard.write_path.commit_watch import Commit, Expected
from scoreboard.write_path.ports import Commits, RecordedActions

_COUNTED = (Outcome.ACCEPTED, Outcome.DUPLICATE)


class DurabilityWaits:
    """Waits for a durability level and tells which one was reached.

    WAIT covers the writes of its own connection, so it is sent on the script's connection.
    """

    def __init__(self, commits: Commits, recorded: RecordedActions, *, timeout: float) -> None:
        self._commits = commits
        self._recorded = recorded
        self._timeout = timeout
        self._commands: dict[Durability, tuple[bytes, ...]] = {
            Durability.REDIS: (),
            Durability.REPLICA: (pack((b"WAIT", b"1", b"%d" % round(timeout * 1000))),),
            Durability.DISK: (pack((b"CONFIG", b"GET", b"appendonly", b"appendfsync")),),
            Durability.POSTGRES: (),
        }

    def command(self, durability: Durability) -> tuple[bytes, ...]:
        """The packed commands to send behind the script."""
        return self._commands[durability]

    def patience(self, durability: Durability) -> float:
        """Seconds for which these commands may delay Redis's replies."""
        return self._timeout if durability is Durability.REPLICA else 0.0

    def reached(self, durability: Durability, waited: Sequence[Any]) -> Durability:
        """The level that was reached by ``waited``, the replies of ``command``. An error among
        them, such as a forbidden CONFIG, means that the level was not reached."""
        if waited and not isinstance(waited[0], Exception):
            if durability is Durability.REPLICA and waited[0] >= 1:
                return Durability.REPLICA
            if durability is Durability.DISK and _synced_before_answering(waited[0]):
                return Durability.DISK
        return Durability.REDIS

    async def watch_commits(self, partition: int) -> None:
        """Must be called before a script whose commit will be waited for."""
        await self._commits.watch(partition)

    def expecting(self, submissions: Sequence[Submission]) -> AbstractContextManager[Expected]:
        """Notes from before the script on which of these are committed."""
        return self._commits.expecting([submission.attempt for submission in submissions])

    async def committed(
        self,
        board: str,
        partition: int,
        submissions: Sequence[Submission],
        results: Sequence[Result],
        expected: Expected,
    ) -> Durability:
        """Waits until Postgres has all that counts among ``results``. About what was not named as
        committed although the persister is past it, the ledger is asked."""
        counted: dict[tuple[str, str], str] = {}
        attempts: list[str] = []
        for submission, result in zip(submissions, results, strict=True):
            if result.outcome in _COUNTED and result.event:
                action = submission.action
                counted[action.user_id, action.action_id] = result.event
                attempts.append(submission.attempt)  # that of a duplicate is never named
        if not counted:
            return Durability.POSTGRES
        # A duplicate's original may have been committed before this process subscribed.
        repeated = any(result.outcome is Outcome.DUPLICATE for result in results)
        if repeated and await self._is_recorded(board, list(counted)):
            return Durability.POSTGRES
        last = max(counted.values(), key=split_id)
        commit = await self._commits.wait(partition, last, expected, attempts, self._timeout)
        if commit is Commit.NAMED:
            return Durability.POSTGRES
        if commit is Commit.PASSED and await self._is_recorded(board, list(counted)):
            return Durability.POSTGRES
        return Durability.REDIS

    async def _is_recorded(self, board: str, actions: Sequence[tuple[str, str]]) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._recorded.has_counted(board, actions)
        except (Unavailable, TimeoutError):
            return False


def _synced_before_answering(pairs: Sequence[bytes]) -> bool:
    config = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return config.get(b"appendonly") == b"yes" and config.get(b"appendfsync") == b"always"
