"""Makes boards live: cold ones, lost ones, and those fenced by a restart of Redis.

While this holds the partition's lock, no persister is at work on the stream. The rest of the stream
is persisted first; then Postgres has every action that was ever accepted. If Redis still has the
board, its state is the history up to the board's last event, and only later changes are applied.
Otherwise the whole board is loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from scoreboard.background import end, result_of
from scoreboard.domain.boards import BoardSettings, no_such_board
from scoreboard.domain.ledger import (
    VERSION_STRIDE,
    BoardRecord,
    BoardState,
    EventId,
)
from scoreboard.domain.urgency import Urgency
from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import known_periods
from scoreboard.workers.persister import persist_batches
from scoreboard.workers.postgres_ports import BoardLedger, BoardSource, LedgerSession
from scoreboard.workers.progress import Progress
from scoreboard.workers.rebuild_turns import RebuildTurns, Turn
from scoreboard.workers.redis_ports import (
    BoardLoader,
    BoardSweeper,
    DuplicateReverter,
    EventStreams,
    TableDraft,
)

log = structlog.get_logger(__name__)

MOST_FOR_READERS = 32  # boards that wait or are loaded only because somebody reads them
BUSY_FOR = 2.0  # seconds after which it is worth asking again when there are that many
UNKNOWN_FOR, MOST_UNKNOWN = 1.0, 10_000  # seconds, and names, for which a miss is remembered

_Key = tuple[str, bool]  # a board, and whether it may be created


class Rebuilder:
    """``streams`` are all partitions' in order; ``settings_of`` gives the text of a new board's
    settings; ``batch`` is how many events are persisted at a time."""

    def __init__(
        self,
        ledger: BoardLedger,
        streams: EventStreams,
        loader: BoardLoader,
        reverter: DuplicateReverter,
        sweeper: BoardSweeper,
        *,
        keyspace: Keyspace,
        settings_of: Callable[[str], str],
        batch: int,
    ) -> None:
        self._ledger = ledger
        self._streams = streams
        self._loader = loader
        self._reverter = reverter
        self._sweeper = sweeper
        self._keyspace = keyspace
        self._settings_of = settings_of
        self._batch = batch
        self._running: dict[_Key, tuple[asyncio.Task[None], Turn]] = {}
        self._for_readers: set[_Key] = set()  # of these, the ones that only readers wait for
        self._unknown: dict[str, float] = {}  # names without a board, until then
        self._created = 0  # boards, here
        self._turns = RebuildTurns(len(streams))

    async def ensure(self, board: str, *, create: bool, urgency: Urgency = Urgency.WRITE) -> None:
        """Returns when the board is live; callers in one process share the work, which is as urgent
        as the most urgent of them. Raises UnknownBoard when there is none and ``create`` is False,
        Unavailable when Redis or Postgres is away, Redis changed meanwhile, or too many boards are
        being made live for readers already."""
        key = (board, create)
        if key not in self._running:
            self._begin(key, urgency)
        task, turn = self._running[key]
        if urgency < turn.urgency:
            self._turns.hurry(turn, urgency)
            self._for_readers.discard(key)
        await result_of(task)

    async def close(self) -> None:
        """Cancels the loads under way; whoever needs these boards next starts again."""
        await end(*(task for task, _ in self._running.values()))

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
            await self._forget(board, state)  # under the lock, or another would make it live again
            await self.drain(partition, session)
            state = await self._without_remains(board, session.source, state._replace(event=None))
            record = await session.source.record(board)
            if record is None:
                raise no_such_board(board)
            await self._make_live(
                board,
                session.source,
                state,
                record,
                progress,
                correct=correct,
            )

    async def drain(self, partition: int, session: LedgerSession) -> None:
        """Persists everything that the partition's stream holds now. The caller holds the lock."""
        stream = self._streams[partition]
        end = await stream.last_id()
        while done := await persist_batches(stream, session, self._reverter, self._batch):
            if done.last >= end:
                break

    def _begin(self, key: _Key, urgency: Urgency) -> None:
        if urgency is Urgency.READ:
            if len(self._for_readers) >= MOST_FOR_READERS:
                raise Unavailable("Many boards are being rebuilt.", retry_after=BUSY_FOR)
            self._for_readers.add(key)
        board, create = key
        turn = Turn(self._keyspace.partition_of(board), urgency)
        task = asyncio.create_task(self._ensure(board, create, turn))
        self._running[key] = task, turn
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: _Key, task: asyncio.Task[None]) -> None:
        del self._running[key]
        self._for_readers.discard(key)
        if not task.cancelled():
            task.exception()  # retrieved, even if every caller has left

    async def _ensure(self, board: str, create: bool, turn: Turn) -> None:
        if (await self._loader.state(board)).whole:
            return
        if not create:
            await self._check_known(board)
        partition = turn.partition
        async with self._turns.taken(turn), self._ledger.locked(partition) as session:
            state = await self._loader.state(board)
            if state.whole:
                return  # another process was faster
            await self.drain(partition, session)
            if state.lost:
                log.error(
                    "board_incomplete",
                    board=board,
                    lost=state.damage,
                    cause="a key was deleted or evicted, or another program wrote into it",
                )
                await self._forget(board, state)
                state = state._replace(event=None)
            source = session.source
            state = await self._without_remains(board, source, state)
            record = await source.record(board)
            if record is not None:
                await self._make_live(board, source, state, record)
            elif create:
                await source.create(board, self._settings_of(board))
                self._created += 1
                self._unknown.pop(board, None)
                await self._begin_board(board, source, state)
            else:
                raise no_such_board(board)

    async def _forget(self, board: str, state: BoardState) -> None:
        torn = [table for table, whole in state.tables.items() if not whole]
        await self._loader.forget(board, torn)

    async def _check_known(self, board: str) -> None:
        """Raises UnknownBoard and remembers the name for a while, so that repeated requests for a
        made-up name do not query Postgres each time. A board that was created meanwhile, here or by
        another server, is found, since Redis is asked first."""
        now = time.monotonic()
        if self._unknown.get(board, 0.0) > now:
            raise no_such_board(board)
        created = self._created
        if not await self._ledger.knows(board):
            if created == self._created:  # else it may be this one
                if len(self._unknown) >= MOST_UNKNOWN:
                    self._unknown.clear()
                self._unknown[board] = now + UNKNOWN_FOR
            raise no_such_board(board)

    async def _without_remains(
        self, board: str, source: BoardSource, state: BoardState
    ) -> BoardState:
        """Sweeps away what Redis holds of a board that was deleted or cleared: with its last
        commands Redis may have lost the sweep. Raises Unavailable while the removal is not done,
        Misconfigured when the board's keys are others by now."""
        await source.check_partitions(self._keyspace.partitions)
        removal = await source.removal(board)
        if removal is None or state.version >= removal.version:
            return state  # what is there came after the sweep
        if state.event is None and state.epoch == removal.epoch:
            return state
        await source.note_swept(board, await self._sweeper.sweep(board, removal.version))
        log.info("remains_swept", board=board, version=state.version)
        return state._replace(event=None, lost=False)

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
        # The board in Redis is the history up to this event; None when it has to be loaded whole.
        since = state.event if state.users or not record.has_users else None
        if state.version < record.whole_below:
            since = None  # Redis has lost that a player was erased
        how = "loaded" if since is None else "reconciled"
        await self._bring(board, source, state, since, record, version, progress)
        seconds = time.perf_counter() - started
        metrics.rebuilds.labels(how).inc()
        metrics.rebuild_seconds.observe(seconds)
        log.info("board_live", board=board, how=how, version=version, seconds=round(seconds, 3))

    async def _bring(
        self,
        board: str,
        source: BoardSource,
        state: BoardState,
        since: EventId | None,
        record: BoardRecord,
        version: int,
        progress: Progress | None,
    ) -> None:
        """Loads the whole board (``since`` is None), or applies the changes that the fenced one
        lacks. Its last event is set only at the end, so that an interrupted attempt is repeated
        from the start."""
        draft = self._loader.begin(board, state, swap=since is None)
        await self._fill(board, source, draft, since, record, progress)
        periods = await source.occurrences(board)
        for occurrence in await source.open_occurrences(board) if periods else ():
            table = occurrence.table
            known = since if state.tables.get(table) else None
            part = draft.table(table, swap=known is None)
            await self._fill(table, source, part, known, record, progress)
        if since is None or since < record.event:
            lacking = self._loader.oldest_receipt(state) if since is None else since
            async for actions in source.receipts(board, lacking):
                await draft.restore_receipts(actions)
        event = record.event if since is None else max(since, record.event)
        await draft.finish(record, version=version, event=event, periods=known_periods(periods))

    async def _fill(
        self,
        table: str,
        source: BoardSource,
        draft: TableDraft,
        since: EventId | None,
        record: BoardRecord,
        progress: Progress | None,
    ) -> None:
        settings = BoardSettings.from_text(record.settings)
        if settings.counts_players_in(table):
            async for players in source.players(table):
                await draft.add_players(players)
        if since is None:
            async for totals in source.totals(table):
                await draft.add(totals)
                if progress is not None:
                    progress(len(totals))
            return
        concealed = await self._loader.hidden_users(table)
        async for totals in source.hidden_totals(table, concealed):
            await draft.add(totals)
        if since < record.event:
            async for totals in source.changed_totals(table, since):
                await draft.add(totals)
