"""The continuous audit: each round compares the next few users of every board, until all users
have been compared and it begins again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence

import structlog

from scoreboard.domain.audit import Difference, PatrolReport
from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics
from scoreboard.workers.ports import PatrolledUsers, PatrolReports
from scoreboard.workers.verifier import Verifier

log = structlog.get_logger(__name__)

PAUSE = 30.0  # seconds between two rounds
USERS = 200  # users of one board in a round
BOARDS = 50  # boards in a round
EXAMPLES = 3  # differences of a board that are logged as examples


class Patrol:
    """Walks through all users again and again, ``USERS`` of a board at a time."""

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
            except Unavailable:
                log.debug("patrol_skipped")
            await asyncio.sleep(PAUSE)

    async def round(self) -> PatrolReport:
        """Compares the next users of every board (of some boards, when there are many), logs the
        differences and publishes the result. Raises Unavailable."""
        boards = await self._users.boards()
        compared, differences = 0, 0
        for board in random.sample(boards, min(BOARDS, len(boards))):
            users = await self._users.next_users(board, self._after.get(board, ""), USERS)
            found = await self._verifier.check(board, users)
            self._after[board] = users[-1] if len(users) == USERS else ""
            compared += len(users)
            differences += len(found)
            if found:
                _log(board, found)
        metrics.patrolled_users.inc(compared)
        report = PatrolReport(round(time.time() * 1000), compared, differences)
        await self._reports.publish(report, valid=10 * PAUSE)
        return report


def _log(board: str, found: Sequence[Difference]) -> None:
    """Logs one line, even if the whole board differs; ``scoreboard verify`` prints everything."""
    log.error(
        "audit_differences",
        board=board,
        users=len({difference.user_id for difference in found}),
        where=dict(Counter(difference.where for difference in found)),
        examples=[
            f"user {d.user_id!r}: {d.where} has {d.found}, the ledger {d.expected}"
            for d in found[:EXAMPLES]
        ],
        remedy="scoreboard verify --repair",
    )
