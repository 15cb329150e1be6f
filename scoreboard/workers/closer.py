"""Ends occurrences: opens the next one when one has ended, though nobody posts, and stores the
ranks of those that are over.

Postgres has every occurrence that was opened, so it says which are due; Redis's clock says when.
Each step may be repeated, by this process or another, and finds out what is left to do:

1. Redis opens the next occurrence and, in the same step, tells live clients (lua/turn_period). It
   needs no lock: the first who names a fitting one decides.
2. When latecomers no longer count, Redis is told so (lua/seal_period), under the partition's lock,
   and the stream is drained; then Postgres has all that ever counted in the occurrence. A large
   table is then ranked ahead, without the lock, since that takes long: nobody reads these ranks
   yet, and whoever has the lock meanwhile may change the table. Afterwards this step is repeated.
3. One statement, under that lock, stores the ranks and the event for outsiders and makes
   the occurrence final. Of ranks that were stored ahead it changes only those that are wrong by
   now. A second process that tries finds the occurrence final.
4. What Redis holds of its table is unlinked. After a crash right before this it expires by itself:
   its expiry was set before step 3, when Postgres had all of it.
5. Final occurrences beyond those to be kept lose their users.
6. Large final tables that a decision changed are ranked anew, which no decision waits for.

A board with shards (domain/shards.py) has an occurrence in each of them, and each of these ends by
itself. The first shard's is made final when all others are: then the board's is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

import structlog

from scoreboard.domain.kept_occurrences import DueOccurrence
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.shards import shard_names, shard_number
from scoreboard.domain.tables import feed_of
from scoreboard.errors import BoardCold, Unavailable, UnknownBoard
from scoreboard.telemetry import metrics
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod, latest
from scoreboard.workers.calendars import Calendar
from scoreboard.workers.postgres_ports import (
    BoardSource,
    LedgerSession,
    OccurrenceRecord,
    PartitionLocks,
    SettingsStore,
)
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import BoardLoader, BoardSweeper, ClosedBoards

log = structlog.get_logger(__name__)

AT_ONCE = 16  # occurrences that are ended at the same time
MOST = 1_000  # occurrences that one query finds
UNDER_A_LOCK = 50  # occurrences that are made final while a partition's lock is held
LARGE = 10_000  # users beyond which a table is ranked before the lock is taken to make it final
REST = 5.0  # seconds after which one that could not be ended is tried again
SHORT_REST = 1.0  # the same for one that has to wait for other shards


class Closer:
    """Several may be at work at the same time. Each part works when it is woken (lookout.py)."""

    def __init__(
        self,
        record: OccurrenceRecord,
        settings: SettingsStore,
        boards: ClosedBoards,
        calendar: Calendar,
        loader: BoardLoader,
        locks: PartitionLocks,
        rebuilder: Rebuilder,
        sweeper: BoardSweeper,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._record = record
        self._settings = settings
        self._boards = boards
        self._calendar = calendar
        self._loader = loader
        self._locks = locks
        self._rebuilder = rebuilder
        self._sweeper = sweeper
        self._keyspace = keyspace
        self._turns, self._ends = _Rests(), _Rests()
        self._to_turn, self._to_end = asyncio.Event(), asyncio.Event()
        self._to_rank = asyncio.Event()

    def wake(self) -> None:
        """Some have ended."""
        self._to_turn.set()
        self._to_end.set()

    def wake_ranking(self) -> None:
        """Some final tables are to be ranked anew."""
        self._to_rank.set()

    async def run_turns(self) -> None:
        """Opens what follows on what has ended, until cancelled."""
        await self._run(self._to_turn, self.turn_all)

    async def run_ends(self) -> None:
        """Makes final what is over, until cancelled."""
        await self._run(self._to_end, self.finish_all)

    async def run_ranks(self) -> None:
        """Ranks final tables anew that decisions have changed, until cancelled."""
        while True:
            await self._to_rank.wait()
            self._to_rank.clear()
            try:
                while ranked := await self._record.rank_next():
                    table, users = ranked
                    log.info("occurrence_ranked_again", table=table, users=users)
            except Unavailable as error:  # of which the persister tells
                log.debug("closer_waits", reason=error.detail)

    async def turn_all(self, now: int) -> None:
        """Opens what follows on all that has ended by ``now``, Unix ms."""
        async for due in self._due(now, turning=True):
            waiting = list(filter(self._turns.over, due))
            for start in range(0, len(waiting), AT_ONCE):
                await asyncio.gather(*map(self._try_turn, waiting[start : start + AT_ONCE]))

    async def finish_all(self, now: int) -> None:
        """Makes final all that is over by ``now``, Unix ms. A partition that can't be had keeps no
        other waiting."""
        async for due in self._due(now, turning=False):
            waiting = sorted(filter(self._ends.over, due), key=self._turn_to_end)
            for (_, partition), group in groupby(waiting, key=self._turn_to_end):
                some = list(group)
                try:
                    for start in range(0, len(some), UNDER_A_LOCK):
                        await self._finish_some(partition, some[start : start + UNDER_A_LOCK])
                except Unavailable as error:
                    log.debug("partition_waits", partition=partition, reason=error.detail)

    async def _due(self, now: int, *, turning: bool) -> AsyncIterator[list[DueOccurrence]]:
        """All that is due, earliest end first. However many have to wait, the others come."""
        page = await self._record.due(now, MOST, turning=turning)
        while page:
            yield page
            if len(page) < MOST:
                break
            page = await self._record.due(now, MOST, turning=turning, after=page[-1])

    async def _run(self, woken: asyncio.Event, part: Callable[[int], Awaitable[None]]) -> None:
        while True:
            await woken.wait()
            woken.clear()
            try:
                await part(await self._boards.now_ms())
            except Unavailable as error:  # of which the persister tells
                log.debug("closer_waits", reason=error.detail)

    def _turn_to_end(self, one: DueOccurrence) -> tuple[bool, int]:
        """By partition; a board's first shard comes last."""
        return not shard_number(one.board), self._keyspace.partition_of(one.board)

    async def _try_turn(self, one: DueOccurrence) -> None:
        with self._turns.failures(one):
            seconds = REST  # until the event of it is in Postgres
            if not await self._turn(one):
                seconds = (one.final_at - await self._boards.now_ms()) / 1000
            self._turns.rest(one, seconds)

    async def _turn(self, one: DueOccurrence) -> bool:
        """Opens the next occurrence, unless it is open already. False when it does not: the board
        no longer has the period, or Redis has nothing of the board; then whoever posts or watches
        next opens it."""
        settings = await self._settings.get(one.board)
        period = settings.period(one.period)
        if period is None:
            return False
        if not await self._made_live(one.board):
            await self._sweeper.tell_gone([feed_of(one.table)])
            return False
        now = await self._boards.now_ms()
        if settings.shard_count > 1:
            turned = await self._calendar.turn(one.board, settings, period)
        else:
            known = Occurrence(one.number, one.starts_at, one.ends_at)
            named = latest(period, KnownPeriod(known, one.final_at), now)
            turned = await self._boards.turn(one.board, one.period, named)
        if turned and not shard_number(one.board):
            metrics.turned_late.observe(late := (now - one.ends_at) / 1000)
            log.info("occurrence_ended", **_told(one), late=late)
        return True

    async def _finish_some(self, partition: int, some: Sequence[DueOccurrence]) -> None:
        ready = []
        for one in some:
            with self._ends.failures(one):
                if not one.turned:
                    await self._turn(one)
                await self._made_live(one.board)
                if await self._final_elsewhere(one):
                    ready.append(one)
                else:
                    self._ends.rest(one, SHORT_REST)
        await self._rank_large(partition, ready)
        final = []
        async with self._locks.locked(partition) as session:
            for one in await self._sealed(partition, ready, session):
                with self._ends.failures(one):
                    await self._finish(one, session.source)
                    final.append(one)
        for one in final:
            with self._ends.failures(one):
                await self._prune(one)

    async def _final_elsewhere(self, one: DueOccurrence) -> bool:
        """Whether the other shards of a board, of which the first becomes final last, have nothing
        more to count. Those that never opened it are told of it, or of a later one."""
        shards = (await self._settings.get(one.board)).shard_count
        if shards == 1 or shard_number(one.board):
            return True
        others = shard_names(one.board, shards)[1:]
        unsettled = await self._record.unsettled(one.period, one.number, others)
        for shard, opened in unsettled:
            if not opened:
                await self._calendar.catch_up(shard, one.period)
        return not unsettled

    async def _rank_large(self, partition: int, some: Sequence[DueOccurrence]) -> None:
        """Ranks the large ones of these occurrences once nothing counts in them any more."""
        tables = await self._record.large([one.table for one in some], LARGE)
        large = [one for one in some if one.table in tables]
        if not large:
            return
        async with self._locks.locked(partition) as session:
            sealed = await self._sealed(partition, large, session)
        for one in sealed:
            with self._ends.failures(one):
                await self._record.rank_ahead(one.table)

    async def _sealed(
        self, partition: int, some: Sequence[DueOccurrence], session: LedgerSession
    ) -> list[DueOccurrence]:
        """Those of these occurrences in which nothing counts any more; Postgres has all that did.
        To be called under the partition's lock."""
        sealed = []
        for one in some:
            with self._ends.failures(one):
                if await self._seal(one):
                    sealed.append(one)
        for _ in range(2):  # the first may find late duplicates, whose events come behind
            await self._rebuilder.drain(partition, session)
        return sealed

    async def _seal(self, one: DueOccurrence) -> bool:
        """Lets nothing count in the occurrence any more, under its partition's lock. False when
        something still may."""
        state = await self._loader.state(one.board)
        if state.event is None and not state.lost:
            return True  # Redis has nothing of the board
        return await self._boards.seal(one.board, one.period, one.number)

    async def _finish(self, one: DueOccurrence, source: BoardSource) -> None:
        """Makes a sealed occurrence final, under its partition's lock, with the stream drained."""
        if await source.has_lost_reverts(one.board):
            state = await self._loader.state(one.board)
            if state.event is not None or state.lost:  # its next load takes them back
                await self._loader.forget(one.board)
                raise Unavailable("The board has late duplicates to be taken back first.")
            await source.settle(one.board)
        await self._boards.let_expire(one.table)
        users = await source.finalise(one.board, one.period, one.number)
        await self._boards.forget(one.table)
        if users is not None and not shard_number(one.board):
            late = (await self._boards.now_ms() - one.final_at) / 1000
            metrics.final_late.observe(late)
            log.info("occurrence_final", **_told(one), users=users, late=late)

    async def _prune(self, one: DueOccurrence) -> None:
        period = (await self._settings.get(one.board)).period(one.period)
        if period is not None and period.keep is not None:
            await self._record.prune(one.board, one.period, period.keep)

    async def _made_live(self, board: str) -> bool:
        """Whether Redis has the board, which is live then."""
        state = await self._loader.state(board)
        if not state.whole:
            if state.event is None and not state.lost:
                return False
            await self._rebuilder.ensure(board, create=False)
        return True


class _Rests:
    """Occurrences that are left alone for a while: what was done shows later, or it failed."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._crowd = MOST

    def over(self, one: DueOccurrence) -> bool:
        """Whether the occurrence may be looked at."""
        if self._until.get(one.table, 0.0) > time.monotonic():
            return False
        self._until.pop(one.table, None)
        return True

    def rest(self, one: DueOccurrence, seconds: float = REST) -> None:
        """Leaves it alone for so long."""
        now = time.monotonic()
        if len(self._until) >= self._crowd:  # most were never looked at again
            self._until = {table: until for table, until in self._until.items() if until > now}
            self._crowd = max(MOST, 2 * len(self._until))
        self._until[one.table] = now + seconds

    @contextmanager
    def failures(self, one: DueOccurrence) -> Iterator[None]:
        """Lets the others go on when one fails; what may pass soon is tried again soon."""
        try:
            yield
        except (Unavailable, BoardCold) as error:
            log.debug("occurrence_waits", **_told(one), reason=error.detail)
        except UnknownBoard:
            self.rest(one)  # it is removed, and its occurrences with it
        except Exception:
            self.rest(one)
            log.exception("occurrence_failed", **_told(one))


def _told(one: DueOccurrence) -> dict[str, str | int]:
    return {"board": one.board, "period": one.period, "occurrence": one.number}
