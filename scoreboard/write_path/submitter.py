"""The write path: score actions gathered into few calls of submit_scores.

Each board has two lanes, each with one call in flight. A request goes whole into the lane of its
first user. Actions that arrive during a call wait and go, in order of arrival, into the lane's next
call. So 64 concurrent posters cost a few calls, and a lone poster does not wait.

A user's actions count in the order of a request, and requests that name the user first in the order
of their arrival. Of requests that are under way at the same time, one that names the user later, in
a batch, may overtake or be overtaken. Whoever needs an order across such requests waits for an
answer before the next post; then every earlier action has counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from msgspec import structs
from redis.exceptions import ResponseError

from scoreboard.domain.durability import Durability
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import OutcomeUnknown, Unavailable
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.script_line import LOST_REPLY, ScriptLine
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.telemetry.tallies import Tally
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.replies import parse_reply
from scoreboard.wire.scripts import submit_scores
from scoreboard.write_path.board_calls import BoardCalls
from scoreboard.write_path.durability_waits import DurabilityWaits
from scoreboard.write_path.lanes import FULL_CALL, LANES, Entry, Lane, fail
from scoreboard.write_path.plain_calls import PlainCalls
from scoreboard.write_path.ports import BoardCalendar, BoardRecovery, CallMaker
from scoreboard.write_path.traced_calls import TracedCall

if TYPE_CHECKING:
    from scoreboard.telemetry.tracing import Tracer

log = SparingLog(__name__)

_calls = Tally(metrics.script_calls)

MAX_QUEUED = 20_000  # actions waiting in a lane; with more, the process is overloaded
SPACING = 0.002  # least seconds between the starts of two calls of a busy lane
# Actions of one user that are judged again in one call. An action that leaves no memory, such as
# one out of bounds, makes the user's next actions stale again, so without this bound each of a
# thousand could be judged a thousand times.
REJUDGED = 8

_LaneKey = tuple[str, Durability, int]


class Submitter:
    """Submits score actions. ``judged`` prepares the calls of boards whose gate is on; ``tracer``
    makes their spans, where there are traces."""

    def __init__(
        self,
        lines: ScriptLines,
        recovery: BoardRecovery,
        *,
        keyspace: Keyspace,
        dedupe_window: float,
        board_idle: float,
        backlog_limit: int,
        waits: DurabilityWaits,
        judged: CallMaker,
        calendar: BoardCalendar,
        tracer: Tracer | None = None,
    ) -> None:
        self._boards = BoardCalls(recovery, calendar, keyspace)
        self._keyspace = keyspace
        self._window = b"%d" % round(dedupe_window * 1000)
        self._idle = b"%d" % round(board_idle * 1000)
        self._backlog = b"%d" % backlog_limit
        self._waits = waits
        self._plain = PlainCalls(keyspace)
        self._judged = judged
        self._tracer = tracer
        self._lanes: dict[_LaneKey, Lane] = {}
        self._lines = lines

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability = Durability.REDIS,
    ) -> tuple[list[Result], Durability]:
        """The result of each submission (1 to 1,000), in order, and the durability reached.

        ``create`` lets the first accepted action bring the board into being. Raises UnknownBoard,
        Unavailable (nothing was written), OutcomeUnknown or OnOtherShard (nothing was written).
        """
        if durability is not Durability.POSTGRES:
            return await self._count(board, submissions, create, durability)
        partition = self._keyspace.board(board).partition
        await self._waits.watch_commits(partition)
        awaited = [structs.replace(submission, awaited=True) for submission in submissions]
        with self._waits.expecting(awaited) as expected:
            results, _ = await self._count(board, awaited, create, Durability.REDIS)
            with nullcontext() if self._tracer is None else self._tracer.waiting() as span:
                reached = await self._waits.committed(board, partition, awaited, results, expected)
                if span is not None:
                    span.note("scoreboard.durability", reached.value)
        return results, reached

    async def close(self) -> None:
        """Waits for the calls in flight, then closes the connections."""
        while running := [lane.task for lane in self._lanes.values() if lane.task is not None]:
            await asyncio.gather(*running, return_exceptions=True)
        await self._lines.close()

    async def _count(
        self, board: str, submissions: Sequence[Submission], create: bool, durability: Durability
    ) -> tuple[list[Result], Durability]:
        key = (board, durability, hash(submissions[0].action.user_id) % LANES)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane()
        if lane.queued + len(submissions) > MAX_QUEUED:
            raise Unavailable("Too many actions are waiting for this board.")
        trace = "" if self._tracer is None else self._tracer.here()
        entry = Entry(submissions, create, asyncio.get_running_loop().create_future(), trace)
        lane.add(entry)
        if lane.task is None:
            self._begin(key, lane)
        try:
            results, reached = await entry.done
        except asyncio.CancelledError:
            lane.leave(entry)
            raise
        return results, reached

    def _begin(self, key: _LaneKey, lane: Lane) -> None:
        lane.task = asyncio.create_task(self._drain(key, lane))
        lane.task.add_done_callback(lambda task: self._ended(key, lane, task))

    def _ended(self, key: _LaneKey, lane: Lane, task: asyncio.Task[None]) -> None:
        """Answers those who still wait, however the lane's task has ended."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None and lane.entries:
            self._begin(key, lane)  # they came in the moment in which it ended
            return
        del self._lanes[key]
        if error is not None:
            lane.fail(_refusal(error))

    async def _drain(self, key: _LaneKey, lane: Lane) -> None:
        """Makes calls until nobody waits. When one can't be made now, neither can the next: that
        is raised, and those who wait behind it are told at once, rather than each after a call of
        their own."""
        board, durability, _ = key
        lines = await self._lines.at(self._keyspace.board(board).meta)
        line = await lines.acquire()
        loop = asyncio.get_running_loop()
        try:
            while lane.entries:
                started = loop.time()
                posters = await self._deliver(board, durability, lane, line)
                # With many posters, waiting a moment fills the call with more actions, which saves
                # calls. A lone poster is not kept waiting.
                early = started + SPACING - loop.time()
                if posters > 1 and early > 0 and lane.queued < FULL_CALL:
                    await asyncio.sleep(early)
        finally:
            lines.release(line)

    async def _deliver(
        self, board: str, durability: Durability, lane: Lane, line: ScriptLine
    ) -> int:
        """Runs the lane's next call and gives every entry its part of the answer. Returns how many
        entries it had."""
        entries = lane.take()
        if not entries:
            return 0
        traced = None if self._tracer is None else TracedCall(self._tracer, board, entries)
        submissions = [s for entry in entries for s in entry.submissions]
        line.unsure = False
        try:
            results, reached = await self._call(
                board, durability, submissions, any(entry.create for entry in entries), line
            )
        except BaseException as error:
            if traced is not None:
                traced.end(error)
            # Whatever it is, every caller is answered, or they would hang.
            refusal = _refusal(error)
            unknown = line.unsure and isinstance(refusal, Unavailable)
            fail(entries, OutcomeUnknown(LOST_REPLY) if unknown else refusal)
            if not isinstance(error, Exception):
                raise
            if isinstance(refusal, Unavailable):
                raise refusal from error
            return len(entries)
        if traced is not None:
            traced.end()
        at = 0
        for entry in entries:
            end = at + len(entry.submissions)
            if not entry.done.done():
                entry.done.set_result((results[at:end], reached))
            at = end
        return len(entries)

    async def _call(
        self,
        board: str,
        durability: Durability,
        submissions: Sequence[Submission],
        create: bool,
        line: ScriptLine,
    ) -> tuple[list[Result], Durability]:
        results: list[Result | None] = [None] * len(submissions)
        todo = list(range(len(submissions)))
        most = len(submissions)  # actions of one user in a round
        reached = durability
        while todo:
            chosen = _first_of_each_user(submissions, todo, most)
            try:
                replies, reached = await self._run(
                    board, durability, [submissions[i] for i in chosen], create, line
                )
            except _UnfitIds as unfit:
                for at, flaw in unfit.flaws.items():
                    results[chosen[at]] = Result(Outcome.UNFIT_ID, flaw=flaw)
                todo = [i for i in todo if results[i] is None]
                continue
            limited = {
                submissions[i].action.user_id: reply
                for i, reply in zip(chosen, replies, strict=True)
                if reply.outcome is Outcome.RATE_LIMITED
            }
            stale = 0
            for i, reply in zip(chosen, replies, strict=True):
                if reply.outcome is Outcome.STALE:
                    # It can't count while the user is rate limited, whatever the agents would say.
                    results[i] = limited.get(submissions[i].action.user_id)
                    stale += results[i] is None
                else:
                    results[i] = reply
            todo = [i for i in todo if results[i] is None]
            most = REJUDGED if stale else 2 * most
            if stale:
                metrics.rejudged.inc(stale)
        return results, reached  # type: ignore[return-value]  # none is None any more

    async def _run(
        self,
        board: str,
        durability: Durability,
        submissions: Sequence[Submission],
        create: bool,
        line: ScriptLine,
    ) -> tuple[list[Result], Durability]:
        """Makes one call, again when the board was cold or its settings have changed."""
        keys = self._keyspace.board(board)
        users = [submission.action.user_id for submission in submissions]
        attempt = self._boards.begin(board, create=create)
        while True:
            if flaws := attempt.unfit_ids(users):
                raise _UnfitIds(flaws)
            attempt.check_shard(users)
            settings = attempt.settings
            maker = self._plain if settings.mode == "off" else self._judged
            prepared = await maker.prepare(board, settings, submissions, line)
            rate, limits = settings.rate, settings.limits
            call = submit_scores(
                **keys.written,
                key_moves=keys.moves,
                arg_board=board,
                arg_settings=attempt.text,
                arg_count=len(submissions),
                arg_window=self._window,
                arg_idle=self._idle,
                arg_backlog=self._backlog,
                arg_min=settings.min_points,
                arg_max=settings.max_points,
                arg_rate=rate.actions if rate else 0,
                arg_rate_ms=round(rate.seconds * 1000) if rate else 0,
                arg_gated=b"1" if prepared.gated else b"0",
                arg_memory=prepared.memory_ms,
                arg_totals=settings.totals,
                arg_limits=limits,
                arg_periods=settings.period_flags,
                arg_rewrite=b"0" if durability is Durability.REDIS else b"1",
            )
            call.keys.extend(prepared.keys)
            call.args.extend(prepared.args)
            if settings.periods:
                occurrences = await attempt.occurrences()
                call.keys.extend(occurrences.keys)
                call.args.extend(occurrences.args)
                if occurrences.tells_late:
                    call.args.extend(map(_late, submissions))
            elif limits:
                call.keys.append(keys.players.encode())
            try:
                replies = await line.run(
                    call,
                    *self._waits.command(durability),
                    patience=self._waits.patience(durability),
                )
            except ResponseError as error:
                if await attempt.is_mended(error, call, line):
                    continue
                raise
            _calls.inc()
            if not await attempt.has_to_repeat(replies[0]):
                line.unsure = True  # some of them count now
                results = [parse_reply(reply, settings.sign) for reply in replies[0]]
                if not settings.all_time:
                    results = [_without_total(result) for result in results]
                if settings.shard_count > 1:
                    results = [_of_shard(result, settings.shard_count) for result in results]
                return results, self._waits.reached(durability, replies[1:])


def _late(submission: Submission) -> bytes:
    return b"" if submission.late_ms is None else b"%d" % submission.late_ms


def _without_total(result: Result) -> Result:
    return structs.replace(result, score=None, rank=None, move=None)


def _of_shard(result: Result, shards: int) -> Result:
    """The shard knows the rank among its own users alone."""
    periods = tuple(structs.replace(move, rank=None) for move in result.periods)
    return structs.replace(result, rank=None, periods=periods, shards=shards)


class _UnfitIds(Exception):
    """The board does not take some of the ids; ``flaws`` by the place of the submission."""

    def __init__(self, flaws: dict[int, str]) -> None:
        super().__init__()
        self.flaws = flaws


def _first_of_each_user(
    submissions: Sequence[Submission], todo: Sequence[int], most: int
) -> Sequence[int]:
    """The first ``most`` indexes of each user in ``todo``, in the order of ``todo``."""
    if most >= len(todo):
        return todo
    taken: Counter[str] = Counter()
    chosen = []
    for i in todo:
        user = submissions[i].action.user_id
        if taken[user] < most:
            taken[user] += 1
            chosen.append(i)
    return chosen


def _refusal(error: BaseException) -> Exception:
    """What an error means for actions of which nothing was written."""
    if isinstance(error, OutcomeUnknown):
        return Unavailable("Redis can't be reached.")
    if isinstance(error, ResponseError):
        # The script makes all its checks before it writes, so an error has changed nothing.
        log.warning("submit_script_failed", error=str(error))
        return Unavailable("Redis refused the call.")
    if isinstance(error, OSError | MemoryError):
        log.warning("submit_failed", error=str(error))
        return Unavailable("The service lacks something that it needs for the call.")
    if isinstance(error, Exception):
        return error
    return Unavailable("The service is stopping.")  # cancelled
