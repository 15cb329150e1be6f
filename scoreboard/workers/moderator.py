"""People's decisions: cases of the review queue, hidden users, boards' settings.

A decision is made under the partition's lock, with the stream drained, so that the ledger says what
counts and no persister or rebuild is at work. First, Redis is changed by scripts that may be
repeated. Then the stream is drained again, so that the ledger has the change. Then the decision is
committed, together with its entry in the audit. A crash at any point leaves the case open, and
deciding it again does only what is left to do.

Hidden users and boards' settings have no event in the stream. They are committed in Postgres first,
while the board is fenced. If Redis or this process fails before the board is live again, its next
load brings what Postgres has: the change, or the state before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import structlog
from msgspec import structs

from scoreboard.domain.boards import (
    REMEMBERED,
    BoardSettings,
    SettingsChange,
    board_has_scores,
    check_kept_shards,
    kept_rule,
    not_on_board,
)
from scoreboard.domain.ledger import EventId, Fenced, KeptAction, LeftTotal
from scoreboard.domain.reviews import TAKEN_BACK, Decision, Review, already_decided
from scoreboard.domain.shards import shard_names
from scoreboard.errors import (
    AlreadyDecided,
    BoardCold,
    BoardUnavailable,
    InvalidRequest,
    NotDecidable,
    NotFound,
    Unavailable,
    UnknownBoard,
)
from scoreboard.telemetry import metrics
from scoreboard.wire.events import format_of, split_id
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.calendars import Calendar
from scoreboard.workers.postgres_ports import (
    HeldOccurrences,
    PartitionLocks,
    ReviewQueue,
    SettingsStore,
    UserShards,
)
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import ModeratedBoards
from scoreboard.workers.slots import Slots

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
        shards: UserShards,
        occurrences: HeldOccurrences,
        boards: ModeratedBoards,
        calendar: Calendar,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._locks = locks
        self._rebuilder = rebuilder
        self._reviews = reviews
        self._settings = settings
        self._shards = shards
        self._occurrences = occurrences
        self._boards = boards
        self._calendar = calendar
        self._keyspace = keyspace
        self._slots = Slots(AT_ONCE)

    async def approve(
        self, review_id: int, *, by: str, reason: str, episode: bool = False
    ) -> Decision:
        """Makes a refused action count, once; a flagged one simply stays counted. With ``episode``
        so do the other open cases of its episode. Raises NotFound, AlreadyDecided, NotDecidable or
        ScoreOutOfRange."""

        async def settle_one(review: Review, persist: Persist) -> Decision:
            if review.kind == "refused":
                await self._count(review, persist)
            return _counted(
                await self._reviews.decide(review, "approved", by=by, reason=reason, details={})
            )

        async def settle(review: Review, persist: Persist) -> Decision:
            if review.kind == "conflict":
                raise NotDecidable(
                    "The action counts with other points; a conflict can only be confirmed."
                )
            others = await self._others(review) if episode else []
            for other in others:
                await settle_one(other, persist)
            decision = await settle_one(review, persist)
            return structs.replace(decision, decided=len(others) + 1)

        return await self._decide(review_id, settle)

    async def confirm(
        self,
        review_id: int,
        *,
        by: str,
        reason: str,
        revert_earlier: bool = False,
        hide_user: bool = False,
        episode: bool = False,
    ) -> Decision:
        """Keeps a refused action out, or takes a flagged one back; with ``revert_earlier`` the
        user's earlier actions that count are taken back too, with ``episode`` the other open cases
        of its episode are confirmed as well. Raises NotFound, AlreadyDecided, NotDecidable or
        ScoreOutOfRange."""
        why = f"confirmed by {by}: {reason}"

        async def settle_other(review: Review, persist: Persist) -> int:
            reverted = await self._take_back(review, why, persist, earlier=False)
            details = {"reverted": reverted, "revertEarlier": False, "hideUser": False}
            _counted(
                await self._reviews.decide(
                    review, "confirmed", by=by, reason=reason, details=details
                )
            )
            return reverted

        async def settle(review: Review, persist: Persist) -> Decision:
            board, user = review.board, review.user_id
            others = await self._others(review) if episode else []
            of_others = sum([await settle_other(other, persist) for other in others])
            reverted = await self._take_back(review, why, persist, earlier=revert_earlier)
            # Also when nothing is left to take back: an interrupted call may have done that.
            if review.kind == "flagged" or revert_earlier:
                await self._boards.forget_memory(board, user)
            details = {
                "reverted": reverted,
                "revertEarlier": revert_earlier,
                "hideUser": hide_user,
            }
            async with self._fencing(board, partial(self._boards.hide, board, user, True)) as fence:
                decided = await self._reviews.decide(
                    review,
                    "confirmed",
                    by=by,
                    reason=reason,
                    details=details,
                    hiding=fence if hide_user else None,
                )
                _counted(decided)
            return structs.replace(decided, reverted=reverted + of_others, decided=len(others) + 1)

        return await self._decide(review_id, settle)

    async def set_hidden(
        self, board: str, user: str, *, hidden: bool, by: str, reason: str
    ) -> None:
        """Hides a user from the board, while the total still counts on, or shows the user again,
        unless the user wants to be hidden.
        After an error Postgres and Redis either have it or not, and it may be repeated. Raises
        UnknownBoard or UnknownUser."""
        now_hidden: bool | None = None
        shards = (await self._settings.get(board)).shard_count
        shard = await self._shards.shard(board, user, shards)

        async def apply(epoch: str) -> None:
            assert now_hidden is not None
            await self._boards.hide(shard, user, now_hidden, epoch)

        async def change(_: Persist) -> None:
            nonlocal now_hidden
            async with self._fencing(shard, apply) as fence:
                now_hidden = await self._reviews.set_hidden(
                    shard, user, hidden=hidden, by=by, reason=reason, before_commit=fence
                )
                if now_hidden is None:
                    raise not_on_board(user, board)

        await self._rebuilder.ensure(shard, create=False)
        await self._on_live_board(shard, change)
        log.info("user_hidden" if hidden else "user_shown", board=board, by=by)

    async def revert(self, board: str, user: str, action_id: str, *, by: str, reason: str) -> None:
        """Takes one action back that counts and waits for no decision on a case. Raises
        UnknownBoard, NotFound, AlreadyDecided, NotDecidable or ScoreOutOfRange."""
        shards = (await self._settings.get(board)).shard_count
        shard = await self._shards.shard(board, user, shards)
        why = f"{TAKEN_BACK}{by}: {reason}"

        async def settle(persist: Persist) -> None:
            action = await self._reviews.action(shard, user, action_id)
            if action is None or action.kept == "R":
                raise NotFound("The ledger has no such action that counted.")
            if action.kept == "A":
                await self._check_revertible(shard, action)
                if not await self._revert(shard, user, _only(action), why, persist):
                    raise BoardUnavailable("The action can't be taken back now.")
            await self._boards.forget_memory(shard, user)
            if not await self._reviews.record_revert(shard, user, action_id, by=by, reason=reason):
                raise AlreadyDecided("The action was taken back already.")

        await self._rebuilder.ensure(shard, create=False)
        await self._on_live_board(shard, settle)
        log.info("action_reverted", board=board, by=by)

    async def _check_revertible(self, board: str, action: KeptAction) -> None:
        _check_kept(action.event.ms, await self._reviews.decidable_from())
        case = await self._reviews.open_case(board, action.user_id, action.action_id)
        if case is not None:
            raise NotDecidable(f"Case {case} about the action is open: decide on that.")

    async def configure(self, board: str, change: SettingsChange, *, by: str) -> BoardSettings:
        """Changes the settings of a board, which may be new, and returns them; running servers use
        them from their next call on, or after the load that a limit needs which counts players.
        After an error all servers have either the old ones or the new ones; of a board with shards
        some shards may have the old ones still, until the call is repeated. When the table of all
        time is shown no more, it returns once no server remembers it. Raises what ``change``
        raises, BoardHasScores, and InvalidRequest for more shards than there are partitions."""
        table_goes = False

        def checked(before: BoardSettings | None) -> BoardSettings:
            nonlocal table_goes
            after = change(before)
            table_goes = before is not None and before.all_time and not after.all_time
            check_kept_shards(before, after)
            if after.shard_count > self._keyspace.partitions:
                raise InvalidRequest(
                    "There are not so many partitions: each shard has one of its own, and there "
                    f"are {self._keyspace.partitions}.",
                    path="shards",
                )
            return after

        settings = await self._configure(board, checked, by)
        for shard in shard_names(board, settings.shard_count)[1:]:
            # Read again for each: somebody else may have changed the board meanwhile.
            await self._configure_as(board, shard, by)
        log.info("board_set", board=board, settings=settings.to_text(), by=by)
        if settings.periods:
            await self._open_due(board, settings)
        if table_goes:
            await asyncio.sleep(REMEMBERED)
        return settings

    async def _configure_as(self, board: str, shard: str, by: str) -> None:
        """Gives a shard the settings of its board."""
        given, present = None, await self._settings.get(board)
        while given != present:
            given = present
            await self._configure(shard, partial(_always, given), by)
            present = await self._settings.get(board)

    async def _configure(self, board: str, change: SettingsChange, by: str) -> BoardSettings:
        partition = self._keyspace.partition_of(board)

        async def apply(epoch: str) -> None:
            if not _needs_load(before, settings):
                await self._boards.set_settings(board, settings.to_text(), epoch)
            # Otherwise it stays fenced: its next load brings what Redis lacks.

        async with (
            self._locked(partition) as persist,
            self._fencing(board, apply) as fence,
        ):
            before = await self._check_change(board, change, fence, persist)
            async with self._settings.changing(
                board, self._keyspace.partition_of, change, by=by
            ) as settings:
                with suppress(BoardCold):  # its next load brings them from Postgres
                    await fence()
        return settings

    async def _open_due(self, board: str, settings: BoardSettings) -> None:
        """Opens an occurrence of each period that is new, or is back after it was taken out, so
        that it ends in time even if nobody posts. If that fails, the first action opens it."""
        try:
            await self._rebuilder.ensure(board, create=False)
            for period in settings.periods:
                await self._calendar.open_due(board, settings, period)
        except (BoardCold, Unavailable) as error:
            log.warning("periods_not_opened", board=board, reason=error.detail)

    async def _check_change(
        self,
        board: str,
        change: SettingsChange,
        fence: Callable[[], Awaitable[str]],
        persist: Persist,
    ) -> BoardSettings:
        """Raises BoardHasScores if the change is to a rule that a board with scores keeps. Fences a
        board without, so that it gets none before the change is made. Returns the
        settings until now."""
        try:
            before = await self._settings.get(board)
        except UnknownBoard:
            return BoardSettings()
        rule = kept_rule(before, change(before))
        if rule is None:
            return before
        if not await self._settings.has_scores(board):
            with suppress(BoardCold):
                await fence()
            await persist()
        if await self._settings.has_scores(board):
            raise board_has_scores(rule)
        return before

    @asynccontextmanager
    async def _fencing(
        self, board: str, apply: Callable[[str], Awaitable[None]]
    ) -> AsyncIterator[Callable[[], Awaitable[str]]]:
        """Gives a function that fences the board and returns its epoch; call it right before the
        commit. If it was called, ``apply`` gets the epoch after the block, to bring what was
        committed to Redis. After an error the board's next load does that."""
        epoch: str | None = None

        async def fence() -> str:
            nonlocal epoch
            epoch = await self._boards.fence(board)
            return epoch

        yield fence
        if epoch is not None:
            try:
                await apply(epoch)
            except (BoardCold, Unavailable) as error:
                log.warning("board_left_fenced", board=board, reason=error.detail)

    async def _others(self, review: Review) -> list[Review]:
        """The other open cases of the episode. They are decided first, so that a call that was
        interrupted finds this one open and goes on."""
        return [one for one in await self._reviews.open_episode(review) if one.id != review.id]

    async def _count(self, review: Review, persist: Persist) -> None:
        board, user = review.board, review.user_id
        _check_kept(split_id(review.event_id)[0], await self._reviews.decidable_from())
        action = await self._reviews.action(board, user, review.action_id)
        if action is None or action.points != review.points:
            raise NotDecidable("The ledger does not have this action with these points.")
        if action.kept == "R":
            # It counts where it would have counted then. Redis has no final tables any more.
            held = await self._occurrences.holding(board, action.event.ms)
            await self._boards.approve(
                board,
                format_of(await self._settings.get(board), occurrences=bool(held)),
                action,
                tables=[one.table for one in held if one.state == "open"],
                final=[f"{one.period}:{one.number}" for one in held if one.state == "final"],
            )
            await persist()
        # The memory is rebuilt with this action, so what was new about it counts as known.
        await self._boards.forget_memory(board, user)

    async def _take_back(self, review: Review, why: str, persist: Persist, *, earlier: bool) -> int:
        """Takes a flagged action back, and with ``earlier`` those before the case. Returns how many
        it took back; the ledger has all of them."""
        accused = self._accused(review, earlier=earlier)
        return await self._revert(review.board, review.user_id, accused, why, persist)

    async def _revert(
        self,
        board: str,
        user: str,
        actions: AsyncIterator[KeptAction],
        why: str,
        persist: Persist,
    ) -> int:
        """Takes a user's actions back. Returns how many it took back; the ledger has them all."""
        settings = await self._settings.get(board)
        reverted = 0
        if settings.operator == "sum":
            async for action in actions:
                event_format = format_of(settings, occurrences=bool(action.moves))
                reverted += await self._boards.revert(board, event_format, action, why)
            await persist()
            return reverted
        # Only the ledger knows the total without an action, so it needs all that Redis has counted.
        apply = partial(self._boards.set_settings, board, settings.to_text())
        async with self._fencing(board, apply) as fence:
            epoch = await fence()
            await persist()
            left_out: list[str] = []
            async for action in actions:
                left_out.append(action.action_id)
                occurrences = [move.occurrence for move in action.moves]
                total, *others = [
                    LeftTotal(*await self._reviews.total_without(table, user, left_out))
                    for table in (board, *(f"{board}:{name}" for name in occurrences))
                ]
                fenced = Fenced(epoch, total, dict(zip(occurrences, others, strict=True)))
                event_format = format_of(settings, occurrences=bool(occurrences))
                reverted += await self._boards.revert(board, event_format, action, why, fenced)
            await persist()
        return reverted

    async def _accused(self, review: Review, *, earlier: bool) -> AsyncIterator[KeptAction]:
        """The case's action, if it was flagged and counts, and with ``earlier`` the user's actions
        before it that count, in order of events."""
        board, user = review.board, review.user_id
        kept_from = await self._reviews.decidable_from()
        if review.kind == "flagged":
            _check_kept(split_id(review.event_id)[0], kept_from)
            action = await self._reviews.action(board, user, review.action_id)
            if action and action.kept == "A" and action.attempt == review.attempt_id:
                yield action
        if not earlier:
            return
        before, beyond = EventId(*split_id(review.event_id)), EventId(kept_from, 0)
        while actions := await self._reviews.earlier(
            board, user, before=before, beyond=beyond, limit=CHUNK
        ):
            for action in actions:
                yield action
            beyond = actions[-1].event

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
            decided=decision.decided,
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
        raise BoardUnavailable("The board does not stay live.")

    @asynccontextmanager
    async def _locked(self, partition: int) -> AsyncIterator[Persist]:
        """Holds the partition's lock and gives a function that drains its stream."""
        try:
            async with (
                asyncio.timeout(PATIENCE),
                self._slots.taken(),
                self._locks.locked(partition) as session,
            ):

                async def persist() -> None:
                    await self._rebuilder.drain(partition, session)

                yield persist
        except TimeoutError:
            raise Unavailable("This takes long. Repeat the call to continue it.") from None


def _always(settings: BoardSettings, _: BoardSettings | None) -> BoardSettings:
    """A change to ``settings``, whatever they were before."""
    return settings


def _needs_load(before: BoardSettings, after: BoardSettings) -> bool:
    """Whether Redis lacks something for the new settings: who is in, for the limits that count
    players, or what happened meanwhile in the occurrences of a period that the board had once."""
    counted, counts = (
        (rules.counts_players, rules.counts_players and bool(rules.periods))
        for rules in (before, after)
    )
    names = {period.name for period in before.periods}
    return counted != counts or any(period.name not in names for period in after.periods)


def _counted(decision: Decision) -> Decision:
    """Counts in the metrics what agents had objected to."""
    review = decision.review
    for agent, feature in {(found.agent, found.feature) for found in review.findings}:
        metrics.decided_findings.labels(review.status, agent, feature).inc()
    return decision


async def _only(action: KeptAction) -> AsyncIterator[KeptAction]:
    yield action


def _check_kept(event_ms: int, kept_from: int) -> None:
    """Raises NotDecidable for an action, by its event, that the ledger no longer keeps alone."""
    if event_ms < kept_from:
        raise NotDecidable(
            "The ledger keeps no single actions of that time any more. What counted stays counted, "
            "and what was refused stays refused; the user can be hidden."
        )


def _undecided(review: Review) -> Review:
    if review.status != "open":
        raise already_decided(review)
    if review.kind == "late_duplicate":
        raise NotDecidable("A late duplicate is taken back automatically and needs no decision.")
    return review
