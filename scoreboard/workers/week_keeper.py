"""Judges users' weeks that have ended: one becomes a case though its user never plays again.

A week, from Monday 00:00 UTC, is judged on the Tuesday after it, when no action of it may come any
more. By then whoever has played on was judged by the first action of the next week. The others are
looked through, board by board, in steps:

1. The partition's stream is drained, so that Postgres has all that was acknowledged before.
2. A page of users is read from the totals: those of whom something changed since the last pass.
   Their memories are read from Redis, or made again of the ledger's actions where Redis has lost
   them, as for an action.
3. One transaction makes the cases, each about the user's last action of the week, and keeps how far
   the pass is. It is made under the partition's lock with the stream drained: whoever else writes
   cases, decides on them or erases players of the board has that lock, too.

A process that dies leaves the pass to the next, which goes on behind the last page. A week becomes
a case once, whoever finds it: a trigger leaves out what is told of one that has its case."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date

import structlog

from scoreboard.domain.announced import AnnouncedEvent, usual
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.erasures import is_pseudonym
from scoreboard.domain.judged_weeks import FoundWeek, WeekPass
from scoreboard.domain.weeks import WEEK, monday_of, start_of
from scoreboard.errors import ScoreboardError, Unavailable
from scoreboard.telemetry import metrics
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.postgres_ports import PartitionLocks
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import Clock
from scoreboard.workers.week_ports import (
    PastActions,
    UserMemories,
    WeekJudge,
    WeekJudges,
    WeeksRecord,
)

log = structlog.get_logger(__name__)

LOOK = 60.0  # seconds between two looks for weeks that have ended
DELAY_MS = 25 * 3_600_000  # boards take actions that are a day old
PAGE = 1_000  # users that one step looks through
SLICE = 64  # memories judged before other work of the event loop gets its turn
RECALLED = 20  # users whose lost memories are made again by one query


class WeekKeeper:
    """``judge_all`` does what is due; ``run`` does so again and again. Several processes may have
    one; they take turns."""

    def __init__(
        self,
        record: WeeksRecord,
        memories: UserMemories,
        past: PastActions,
        judges: WeekJudges,
        clock: Clock,
        locks: PartitionLocks,
        rebuilder: Rebuilder,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._record = record
        self._memories = memories
        self._past = past
        self._judges = judges
        self._clock = clock
        self._locks = locks
        self._rebuilder = rebuilder
        self._keyspace = keyspace

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.judge_all(await self._clock.now_ms())
            except Unavailable as error:  # of which the persister tells
                log.debug("week_keeper_waits", reason=error.detail)
            await asyncio.sleep(LOOK)

    async def judge_all(self, now: int) -> None:
        """Judges the weeks that had ended by ``now``, Unix ms, a board at a time. Raises
        Unavailable when Postgres is away; of a board that can't be judged now the log tells."""
        week = monday_of(now - DELAY_MS) - WEEK
        if not await self._record.due(week):
            return
        async with self._record.turn() as mine:
            if not mine:
                return
            away = set[int]()  # partitions that can't be had now: each board would wait for them
            for board, settings in await self._record.due(week):
                partition = self._keyspace.partition_of(board)
                if partition in away:
                    continue
                try:
                    await self._judge_board(board, BoardSettings.from_text(settings), week)
                except Unavailable as error:
                    away.add(partition)
                    log.debug("weeks_wait", board=board, reason=error.detail)
                except ScoreboardError as error:
                    log.error("weeks_not_judged", board=board, reason=error.detail)
                except Exception:
                    log.exception("weeks_not_judged", board=board)

    async def _judge_board(self, board: str, settings: BoardSettings, week: date) -> None:
        judge = await self._judges.judge(board)
        if judge is None:
            return
        partition = self._keyspace.partition_of(board)
        async with self._locks.locked(partition) as session:
            await self._rebuilder.drain(partition, session)
            going = await self._record.begin(board, week)
        users = cases = 0
        while going is not None and (some := await self._record.users(going, PAGE)) is not None:
            found = await self._found(going, judge, some.acted, settings.events)
            going = going._replace(after=some.last)
            added = await self._advance(partition, going, found)
            if added is None:
                return
            users, cases = users + len(some.acted), cases + added
            metrics.weekly_cases.inc(added)
        if going is not None:
            await self._record.end(going)
            log.info("weeks_judged", board=board, week=f"{going.passing}", users=users, cases=cases)

    async def _advance(
        self, partition: int, going: WeekPass, found: Sequence[FoundWeek]
    ) -> int | None:
        if not found:
            return await self._record.advance(going, found)
        async with self._locks.locked(partition) as session:
            await self._rebuilder.drain(partition, session)
            return await self._record.advance(going, found)

    async def _found(
        self,
        going: WeekPass,
        judge: WeekJudge,
        users: Sequence[str],
        events: Sequence[AnnouncedEvent],
    ) -> list[FoundWeek]:
        """The weeks of these users that shall become cases."""
        if not users:
            return []
        at_ms = start_of(going.passing + WEEK) + DELAY_MS
        payloads = await self._memories.of_users(going.board, users)
        read = dict(zip(users, payloads, strict=True))
        known = [(user, payload) for user, payload in read.items() if payload is not None]
        # An anonymised player has no memory, and is given none.
        lost = [user for user in users if read[user] is None and not is_pseudonym(user)]
        found: list[FoundWeek] = []

        def look(user: str, payload: bytes) -> None:
            reasons = judge.reasons(payload, at_ms)
            if reasons and (monday := reasons[0].week) is not None:
                found.append(FoundWeek(user, monday, reasons))

        for start in range(0, len(known), SLICE):
            for user, payload in known[start : start + SLICE]:
                look(user, payload)
            await asyncio.sleep(0)
        for start in range(0, len(lost), RECALLED):
            past = await self._past.recent(going.board, lost[start : start + RECALLED])
            for user, cases in past.items():
                look(user, judge.recall(usual(cases, events)))
                await asyncio.sleep(0)
        return found
