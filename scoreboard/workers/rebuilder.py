"""Makes boards live: cold ones, lost ones, and those fenced by a restart of Redis.

While this holds the partition's lock, no persister is at work on the stream. The rest of the stream
is persisted first; then Postgres has every action that was ever accepted. If Redis still has the
board, its state is the history up to the board's last event, and only later changes are applied.
Otherwise the whole board is loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from scoreboard.background import end
from scoreboard.domain.boards import no_such_board
from scoreboard.domain.ledger import (
    VERSION_STRIDE,
    BoardRecord,
    BoardState,
    EventId,
)
from scoreboard.telemetry import metrics
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.persister import persist_batches
from scoreboard.workers.ports import (
    BoardLedger,
    BoardLoader,
    BoardSource,
    DuplicateReverter,
    EventStream,
    LedgerSession,
    Progress,
)

log = structlog.get_logger(__name__)

MAX_AT_ONCE = 4  # boards of one process; each holds a connection to Postgres

UNKNOWN_FOR, MOST_UNKNOWN = 1.0, 10_000  # seconds, and names, for which a miss is remembered


class Rebuilder:
    """``streams`` are all partitions' in order; ``settings_of`` gives the text of a new board's
    settings; ``batch`` is how many events are persisted at a time."""

    def __init__(
        self,
        ledger: BoardLedger,
        streams: Sequence[EventStream],
        loader: BoardLoader,
        reverter: DuplicateReverter,
        *,
        keyspace: Keyspace,
        settings_of: Callable[[str], str],
        batch: int,
    ) -> None:
        self._ledger = ledger
        self._streams = streams
        self._loader = loader
        self._reverter = reverter
        self._keyspace = keyspace
        self._settings_of = settings_of
        self._batch = batch
        self._running: dict[tuple[str, bool], asyncio.Task[None]] = {}
        self._unknown: dict[str, float] = {}  # names without a board, until then
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        # One board of a partition at a time, so that boards that wait for the same lock take only
        # one slot.
        self._turns = [asyncio.Lock() for _ in streams]

    async def ensure(self, board: str, *, create: bool) -> None:
        """Returns when the board is live; callers in one process share the work. Raises
        UnknownBoard when there is none and ``create`` is False, Unavailable when Redis or Postgres
        is away or Redis changed meanwhile."""
        key = (board, create)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._ensure(board, create))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget_task(key, done))
        await asyncio.shield(task)

    async def close(self) -> None:
        """Cancels the loads under way; whoever needs these boards next starts again."""
        await end(*self._running.values())

    async def rebuild(
        self, board: str, progress: Progress | None = None, *, correct: bool = False
    ) -> None:
        """Loads the whole board again, even when it is live; until then it is fenced. With
        ``correct`` the totals are first set to the ledger's sums. Raises UnknownBoard or
        Unavailable."""
        if not await self._ledger.knows(board):
            raise no_such_board(board)
        partition = self._keyspace.partition_of(board)
        async with self._ledger.locked(partition) as session:
            state = await self._loader.state(board)
            await self._loader.forget(board)  # under the lock, or another would make it live again
            await self.drain(partition, session)
            record = await session.source.record(board)
            if record is None:
                raise no_such_board(board)
            await self._make_live(
                board,
                session.source,
                state._replace(event=None),
                record,
                progress,
                correct=correct,
            )

    async def drain(self, partition: int, session: LedgerSession) -> None:
        """Persists everything that the partition's stream holds now. The caller holds the lock."""
        stream = self._streams[partition]
        end = await stream.last_id()
        last: EventId | None = EventId(-1, 0)
        while last is not None and last < end:
            last = await persist_batches(stream, session, self._reverter, self._batch)

    def _forget_task(self, key: tuple[str, bool], task: asyncio.Task[None]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # retrieved, even if every caller has left

    async def _ensure(self, board: str, create: bool) -> None:
        if not create:
            await self._check_known(board)
        partition = self._keyspace.partition_of(board)
        async with (
            self._turns[partition],
            self._slots,
            self._ledger.locked(partition) as session,
        ):
            state = await self._loader.state(board)
            if state.live:
                return  # another process was faster
            await self.drain(partition, session)
            source = session.source
            record = await source.record(board)
            if record is not None:
                await self._make_live(board, source, state, record)
            elif create:
                await source.create(board, self._settings_of(board))
                self._unknown.pop(board, None)
                await self._begin_board(board, source, state)
            else:
                raise no_such_board(board)

    async def _check_known(self, board: str) -> None:
        """Raises UnknownBoard and remembers the name for a while, so that repeated requests for a
        made-up name do not query Postgres each time. A board that another server created meanwhile
        is found, since Redis is asked first."""
        now = time.monotonic()
        if self._unknown.get(board, 0.0) > now:
            raise no_such_board(board)
        if not await self._ledger.knows(board):
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown[board] = now + UNKNOWN_FOR
            raise no_such_board(board)

    async def _begin_board(self, board: str, source: BoardSource, state: BoardState) -> None:
        """Loads a board that is new to Postgres. If Redis has the board, its data is kept: then
        Postgres has lost it, and an operator has to decide with the help of an audit."""
        record = await source.record(board)
        assert record is not None
        known = state.event is not None
        draft = self._loader.begin(board, state, swap=not known)
        version = state.version + VERSION_STRIDE if known else record.version
        await source.raise_version(board, version)
        await draft.finish(record, version=version, event=state.event or record.event)
        if known:
            log.warning("board_only_in_redis", board=board, remedy="scoreboard verify")
        else:
            log.info("board_created", board=board)

    async def _make_live(
        self,
        board: str,
        source: BoardSource,
        state: BoardState,
        record: BoardRecord,
        progress: Progress | None = None,
        *,
        correct: bool = False,
    ) -> None:
        started = time.perf_counter()
        if await source.has_lost_reverts(board):
            # The totals change without an event, so the board in Redis can't be brought up to date.
            # It is made cold first, so that after a crash in between this is done again.
            await self._loader.forget(board)
            state = state._replace(event=None)
            await source.settle(board)
        if correct:
            await source.correct(board)
        version = max(state.version, record.version) + VERSION_STRIDE
        await source.raise_version(board, version)
        if state.event is not None and (state.users or not record.has_users):
            how = "reconciled"
            await self._reconcile(board, source, state, state.event, record, version)
        else:
            how = "loaded"
            await self._load(board, source, state, record, version, progress)
        seconds = time.perf_counter() - started
        metrics.rebuilds.labels(how).inc()
        metrics.rebuild_seconds.observe(seconds)
        log.info("board_live", board=board, how=how, version=version, seconds=round(seconds, 3))

    async def _reconcile(
        self,
        board: str,
        source: BoardSource,
        state: BoardState,
        since: EventId,
        record: BoardRecord,
        version: int,
    ) -> None:
        """Applies the changes that the fenced board lacks. Its last event is set only at the end,
        so that an interrupted attempt is repeated from the start."""
        draft = self._loader.begin(board, state, swap=False)
        concealed = await self._loader.hidden_users(board)
        async for totals in source.hidden_totals(board, concealed):
            await draft.add(totals)
        if since < record.event:
            async for totals in source.changed_totals(board, since):
                await draft.add(totals)
            async for actions in source.receipts(board, since):
                await draft.restore_receipts(actions)
        await draft.finish(record, version=version, event=max(since, record.event))

    async def _load(
        self,
        board: str,
        source: BoardSource,
        state: BoardState,
        record: BoardRecord,
        version: int,
        progress: Progress | None,
    ) -> None:
        draft = self._loader.begin(board, state, swap=True)
        async for totals in source.totals(board):
            await draft.add(totals)
            if progress is not None:
                progress(len(totals))
        async for actions in source.receipts(board, self._loader.oldest_receipt()):
            await draft.restore_receipts(actions)
        await draft.finish(record, version=version, event=record.event)
