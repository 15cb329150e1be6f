"""People's decisions: cases of the review queue, hidden users, boards' settings.

A decision is made under the partition's lock, with the stream drained, so that the ledger says what
counts and no persister or rebuild is at work. First, Redis is changed by scripts that may be
repeated. Then the stream is drained again, so that the ledger has the change. Then the decision is
committed, together with its entry in the audit. A crash at any point leaves the case open, and
deciding it again does only what is left to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import structlog
from msgspec import structs

from scoreboard.domain.boards import BoardSettings, not_on_board
from scoreboard.domain.ledger import FIRST_EVENT, EventId
from scoreboard.domain.reviews import Decision, Review, already_decided
from scoreboard.errors import BoardCold, NotDecidable, Unavailable
from scoreboard.wire.events import split_id
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.ports import ModeratedBoards, PartitionLocks, ReviewQueue, SettingsStore
from scoreboard.workers.rebuilder import Rebuilder

log = structlog.get_logger(__name__)

T = TypeVar("T")
Persist = Callable[[], Awaitable[None]]  # moves the partition's stream into the ledger

AT_ONCE = 2  # decisions of one process; each holds a connection to Postgres and needs another
PATIENCE = 30.0  # seconds for one decision; a longer one goes on when the call is repeated
CHUNK = 5_000  # earlier actions read by one query
COLD_TRIES = 3


class Moderator:
    """In every method ``by`` is the person who decides and ``reason`` says why. Every method raises
    Unavailable when Redis or Postgres is away; after that, as after any failure, it may be called
    again."""

    def __init__(
        self,
        locks: PartitionLocks,
        rebuilder: Rebuilder,
        reviews: ReviewQueue,
        settings: SettingsStore,
        boards: ModeratedBoards,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._locks = locks
        self._rebuilder = rebuilder
        self._reviews = reviews
        self._settings = settings
        self._boards = boards
        self._keyspace = keyspace
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def approve(self, review_id: int, *, by: str, reason: str) -> Decision:
        """Makes a refused action count, once; a flagged one simply stays counted. Raises NotFound,
        AlreadyDecided, NotDecidable or ScoreOutOfRange."""

        async def settle(review: Review, persist: Persist) -> Decision:
            if review.kind == "conflict":
                raise NotDecidable(
                    "The action counts with other points; a conflict can only be confirmed."
                )
            if review.kind == "refused":
                await self._count(review, persist)
            return await self._reviews.decide(
                review, "approved", by=by, reason=reason, hide=False, details={}
            )

        return await self._decide(review_id, settle)

    async def confirm(
        self,
        review_id: int,
        *,
        by: str,
        reason: str,
        revert_earlier: bool = False,
        hide_user: bool = False,
    ) -> Decision:
        """Keeps a refused action out, or takes a flagged one back; with ``revert_earlier`` the
        user's earlier actions that count are taken back too. Raises NotFound, AlreadyDecided,
        NotDecidable or ScoreOutOfRange."""
        why = f"confirmed by {by}: {reason}"

        async def settle(review: Review, persist: Persist) -> Decision:
            board, user = review.board, review.user_id
            reverted = 0
            if review.kind == "flagged":
                action = await self._reviews.action(board, user, review.action_id)
                if action and action.kept == "A" and action.attempt == review.attempt_id:
                    reverted += await self._boards.revert(board, action, why)
            if revert_earlier:
                reverted += await self._revert_earlier(review, why)
            if hide_user:
                await self._boards.hide(board, user, hidden=True)
            await persist()
            if reverted:
                await self._boards.forget_memory(board, user)
            details = {
                "reverted": reverted,
                "revertEarlier": revert_earlier,
                "hideUser": hide_user,
            }
            decided = await self._reviews.decide(
                review, "confirmed", by=by, reason=reason, hide=hide_user, details=details
            )
            return structs.replace(decided, reverted=reverted)

        return await self._decide(review_id, settle)

    async def set_hidden(
        self, board: str, user: str, *, hidden: bool, by: str, reason: str
    ) -> None:
        """Hides a user from the board, while the total still counts on, or shows the user again.
        Raises UnknownBoard or UnknownUser."""

        async def change(_: Persist) -> None:
            await self._boards.hide(board, user, hidden=hidden)
            if not await self._reviews.set_hidden(board, user, hidden=hidden, by=by, reason=reason):
                raise not_on_board(user, board)

        await self._on_live_board(board, change)
        log.info("user_hidden" if hidden else "user_shown", board=board, user=user, by=by)

    async def configure(self, board: str, settings: BoardSettings, *, by: str) -> None:
        """Replaces the settings of a board, which may be new; running servers use them from their
        next call on."""
        partition = self._keyspace.partition_of(board)
        async with (
            self._locked(partition),
            self._settings.changing(board, partition, settings, by=by),
        ):
            with suppress(BoardCold):  # its next load brings them from Postgres
                await self._boards.set_settings(board, settings.to_text())
        log.info("board_set", board=board, settings=settings.to_text(), by=by)

    async def _count(self, review: Review, persist: Persist) -> None:
        board, user = review.board, review.user_id
        action = await self._reviews.action(board, user, review.action_id)
        if action is None or action.points != review.points:
            raise NotDecidable("The ledger does not have this action with these points.")
        if action.kept == "R":
            await self._boards.approve(board, action)
            await persist()
        # The memory is rebuilt with this action, so what was new about it counts as known.
        await self._boards.forget_memory(board, user)

    async def _revert_earlier(self, review: Review, why: str) -> int:
        before, beyond = EventId(*split_id(review.event_id)), FIRST_EVENT
        reverted = 0
        while actions := await self._reviews.earlier(
            review.board, review.user_id, before=before, beyond=beyond, limit=CHUNK
        ):
            for action in actions:
                reverted += await self._boards.revert(review.board, action, why)
            beyond = actions[-1].event
        return reverted

    async def _decide(
        self, review_id: int, settle: Callable[[Review, Persist], Awaitable[Decision]]
    ) -> Decision:
        board = _undecided(await self._reviews.get(review_id)).board

        async def with_case(persist: Persist) -> Decision:
            return await settle(_undecided(await self._reviews.get(review_id)), persist)

        decision = await self._on_live_board(board, with_case)
        log.info(
            "case_decided",
            case=review_id,
            status=decision.review.status,
            reverted=decision.reverted,
            hidden=decision.hidden,
            by=decision.review.decided_by,
        )
        return decision

    async def _on_live_board(self, board: str, work: Callable[[Persist], Awaitable[T]]) -> T:
        """Does the work under the lock, with the stream drained. If the board turns out to be cold,
        it is loaded and the work starts again."""
        partition = self._keyspace.partition_of(board)
        for _ in range(COLD_TRIES):
            try:
                async with self._locked(partition) as persist:
                    await persist()
                    return await work(persist)
            except BoardCold:
                await self._rebuilder.ensure(board, create=False)
        raise Unavailable("The board does not stay live.")

    @asynccontextmanager
    async def _locked(self, partition: int) -> AsyncIterator[Persist]:
        """Holds the partition's lock and gives a function that drains its stream."""
        try:
            async with (
                asyncio.timeout(PATIENCE),
                self._slots,
                self._locks.locked(partition) as session,
            ):

                async def persist() -> None:
                    await self._rebuilder.drain(partition, session)

                yield persist
        except TimeoutError:
            raise Unavailable("This takes long. Repeat the call to continue it.") from None


def _undecided(review: Review) -> Review:
    if review.status != "open":
        raise already_decided(review)
    if review.kind == "late_duplicate":
        raise NotDecidable("A late duplicate is taken back automatically and needs no decision.")
    return review
