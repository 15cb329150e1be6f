"""The continuous audit: each round compares the next few users of every board and of its
occurrences, until all users have been compared and it begins again; and what Redis knows of the
board's periods."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import structlog

from scoreboard.domain.audit import Difference, PatrolReport
from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics
from scoreboard.workers.postgres_ports import PatrolledUsers
from scoreboard.workers.redis_ports import PatrolReports
from scoreboard.workers.verifier import Verifier

log = structlog.get_logger(__name__)

PAUSE = 30.0  # seconds between two rounds
USERS = 200  # users of one table in a round
BOARDS = 50  # boards in a round
EXAMPLES = 3  # differences of a board that are logged as examples


class Patrol:
    """Walks through all users again and again, ``USERS`` of a table at a time."""

    def __init__(self, users: PatrolledUsers, verifier: Verifier, reports: PatrolReports) -> None:
        self._users = users
        self._verifier = verifier
        self._reports = reports
        self._after: dict[str, str] = {}

    async def run(self) -> None:
        """Audits until cancelled. It stays silent about servers that are away: the persister
        reports them."""
        while True:
            try:
                await self.round()
            except Unavailable as error:
                log.debug("patrol_skipped", reason=error.detail)
            await asyncio.sleep(PAUSE)

    async def round(self) -> PatrolReport:
        """Compares the next users of every board (of some boards, when there are many), logs the
        differences and publishes the result. A board that can't be compared ends the round; in the
        next, others come before it. Raises Unavailable when there is nothing to publish then."""
        boards = await self._users.boards()
        compared, differences = 0, 0
        try:
            for board in random.sample(boards, min(BOARDS, len(boards))):
                for table in (board, *await self._occurrences(board)):
                    users = await self._users.next_users(table, self._after.get(table, ""), USERS)
                    found = await self._verifier.check(table, users)
                    self._after.pop(table, None)
                    if len(users) == USERS:
                        self._after[table] = users[-1]
                    compared += len(users)
                    differences += len(found)
                    if found:
                        _log(table, found)
                if found := await self._verifier.check_periods(board):
                    differences += len(found)
                    _log(board, found)
        except Unavailable as error:
            if not compared:
                raise
            log.debug("patrol_cut_short", reason=error.detail)
        metrics.patrolled_users.inc(compared)
        report = PatrolReport(await self._reports.now_ms(), compared, differences)
        await self._reports.publish(report, valid=10 * PAUSE)
        return report

    async def _occurrences(self, board: str) -> list[str]:
        """The tables to look at: all that are open, and one that is final."""
        kept = await self._users.occurrences(board)
        final = [occurrence.table for occurrence in kept if occurrence.state == "final"]
        one = random.sample(final, 1) if final else []
        return [*(occurrence.table for occurrence in kept if occurrence.state == "open"), *one]


def _log(table: str, found: Sequence[Difference]) -> None:
    """Logs one line, even if the whole board differs, without ids: some players are anonymous.
    ``scoreboard verify`` prints everything."""
    log.error(
        "audit_differences",
        board=table,
        users=len({difference.user_id for difference in found} - {None}),
        where=dict(Counter(difference.where for difference in found)),
        examples=[f"{d.where} has {d.found}, the ledger {d.expected}" for d in found[:EXAMPLES]],
        remedy="scoreboard verify --repair",
    )
