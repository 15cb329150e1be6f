"""Deletes boards, and clears them of their scores.

What decides is one commit: under the partition's lock, with the board fenced and the stream
drained, so that the ledger has every action that was acknowledged, the board's row is taken away.
Before it nothing has changed. From then on there is no board to anybody, and no way to make one of
its name, until all the rest is done: the keys in Redis and the rows in Postgres go in steps that
may be repeated and that hold no lock of the partition. So others go on persisting meanwhile, and
whoever finds a removal that was left halfway finishes it: the same call again, or a persister."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from scoreboard.domain.boards import BoardSettings, no_such_board
from scoreboard.domain.ledger import VERSION_STRIDE
from scoreboard.domain.periods import Period
from scoreboard.domain.removals import Removal, RemovalKind
from scoreboard.errors import BoardCold, Unavailable, UnknownBoard
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.postgres_ports import PartitionLocks, RemovalRecord
from scoreboard.workers.progress import Progress
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import BoardLoader, BoardSweeper, ModeratedBoards
from scoreboard.workers.slots import Slots

log = structlog.get_logger(__name__)

PATIENCE = 30.0  # seconds that a call may take; what was begun is finished by a persister
LOOK = 10.0  # seconds between two looks for removals that were left halfway
ABANDONED = 30.0  # seconds without progress after which one counts as that


class Remover:
    """``patience`` is how many seconds a call may take; None: as long as it takes."""

    def __init__(
        self,
        locks: PartitionLocks,
        rebuilder: Rebuilder,
        loader: BoardLoader,
        boards: ModeratedBoards,
        record: RemovalRecord,
        sweeper: BoardSweeper,
        *,
        keyspace: Keyspace,
        patience: float | None = PATIENCE,
    ) -> None:
        self._locks = locks
        self._rebuilder = rebuilder
        self._loader = loader
        self._boards = boards
        self._record = record
        self._sweeper = sweeper
        self._keyspace = keyspace
        self._patience = patience
        self._slot = Slots(1)  # each holds connections to Postgres

    async def remove(
        self, board: str, kind: RemovalKind, *, by: str, progress: Progress | None = None
    ) -> bool:
        """Deletes or clears the board; one that is being removed already is finished first, which
        is all if that is of the same kind. ``progress`` is told of rows that are gone. Returns
        False when the removal is decided and a persister will finish it. Raises UnknownBoard, or
        Unavailable; then nothing has changed, or not more than a removal that was begun before. Of
        a board with shards some may be removed then, and the call may be repeated: the first, by
        which the board is known, comes last."""
        begun: set[str] = set()
        try:
            async with asyncio.timeout(self._patience), self._slot.taken():
                await self._record.check_rights()
                await self._sweeper.check_rights()
                for shard in await self._record.shards(board):
                    with suppress(UnknownBoard):  # somebody else was faster
                        await self._settle(shard, kind, by, progress, begun)
                await self._settle(board, kind, by, progress, begun)
        except (Unavailable, TimeoutError) as error:
            if board in begun:
                log.warning("removal_unfinished", board=board, reason=str(error))
                return False
            if isinstance(error, TimeoutError):
                raise Unavailable("This takes long. Repeat the call to continue it.") from None
            raise
        return True

    async def _settle(
        self,
        board: str,
        kind: RemovalKind,
        by: str,
        progress: Progress | None,
        begun: set[str],
    ) -> None:
        """Removes it; once that is decided, ``begun`` has it."""
        while pending := await self._record.pending(board):
            await self._finish(pending, progress)
            if pending.doing == kind:
                return
        removal, periods = await self._begin(board, kind, by)
        begun.add(board)
        await self._finish(removal, progress, periods)

    async def run(self) -> None:
        """Finishes removals that were left halfway, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            with suppress(Unavailable):  # then it is looked for again
                await self.finish_abandoned(ABANDONED)

    async def finish_abandoned(self, seconds: float) -> None:
        """Finishes the removals on which nobody has worked for so long; one that can't go on keeps
        no other waiting. Raises Unavailable."""
        failed: Unavailable | None = None
        for removal in await self._record.abandoned(seconds):
            try:
                await self._finish(removal, None)
            except Unavailable as error:
                failed = error
        if failed is not None:
            raise failed

    async def _begin(
        self, board: str, kind: RemovalKind, by: str
    ) -> tuple[Removal, Sequence[Period]]:
        """Decides it; also gives the periods that the board has until then."""
        partition = self._keyspace.partition_of(board)
        async with self._locks.locked(partition) as session:
            if await session.source.record(board) is None:
                raise no_such_board(board)
            with suppress(BoardCold):  # nobody writes to one that is not live
                await self._boards.fence(board)
            await self._rebuilder.drain(partition, session)
            state = await self._loader.state(board)
            record = await session.source.record(board)
            if record is None:
                raise no_such_board(board)
            version = max(state.version, record.version) + VERSION_STRIDE
            removal = await self._record.begin(board, kind, version=version, by=by)
        log.info("removal_begun", board=board, kind=kind, version=version, by=by)
        return removal, BoardSettings.from_text(record.settings).periods

    async def _finish(
        self, removal: Removal, progress: Progress | None, periods: Sequence[Period] = ()
    ) -> None:
        board = removal.board
        epoch = await self._sweeper.sweep(board, removal.version)
        async for rows in self._record.delete(removal):
            if progress is not None:
                progress(rows)
        if await self._record.finish(removal, epoch):
            log.info("removal_done", board=board, kind=removal.doing)
        with suppress(Unavailable):  # then those who watch find it when they look again
            feeds = [f"{board}:{period.name}" for period in periods]
            if removal.doing == "delete":
                await self._sweeper.tell_gone([board, *feeds])
            else:
                await self._rebuilder.ensure(board, create=False)
                await self._sweeper.tell_gone(feeds)
