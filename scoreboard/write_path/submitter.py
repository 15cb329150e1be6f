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

import structlog
from redis.exceptions import ResponseError

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.durability import Durability
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import OutcomeUnknown, RetryLater, Unavailable
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.script_line import LOST_REPLY, ScriptLine
from scoreboard.telemetry import metrics
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.replies import parse_reply
from scoreboard.wire.scripts import BACKLOG, COLD, SETTINGS, submit_scores
from scoreboard.write_path.durability_waits import DurabilityWaits
from scoreboard.write_path.lanes import FULL_CALL, LANES, Entry, Lane
from scoreboard.write_path.plain_calls import PlainCalls
from scoreboard.write_path.ports import BoardRecovery, CallMaker

log = structlog.get_logger(__name__)

MAX_QUEUED = 20_000  # actions waiting in a lane; with more, the process is overloaded
SPACING = 0.002  # least seconds between the starts of two calls of a busy lane
# Actions of one user that are judged again in one call. An action that leaves no memory, such as
# one out of bounds, makes the user's next actions stale again, so without this bound each of a
# thousand could be judged a thousand times.
REJUDGED = 8
COLD_PATIENCE = 1.0  # seconds a write waits for a board to become live before it is told to retry


class Submitter:
    """Submits score actions. ``judged`` prepares the calls of boards whose gate is on."""

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
    ) -> None:
        self._recovery = recovery
        self._keyspace = keyspace
        self._window = b"%d" % round(dedupe_window * 1000)
        self._idle = b"%d" % round(board_idle * 1000)
        self._backlog = b"%d" % backlog_limit
        self._waits = waits
        self._plain = PlainCalls(keyspace)
        self._judged = judged
        self._lanes: dict[tuple[str, Durability, int], Lane] = {}
        self._settings: dict[str, tuple[bytes, BoardSettings]] = {}
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
        Unavailable (nothing was written) or OutcomeUnknown.
        """
        awaits_commit = durability is Durability.POSTGRES
        if awaits_commit:
            partition = self._keyspace.board(board).partition
            await self._waits.watch_commits(partition)
        level = Durability.REDIS if awaits_commit else durability
        key = (board, level, hash(submissions[0].action.user_id) % LANES)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane()
        if lane.queued + len(submissions) > MAX_QUEUED:
            raise Unavailable("Too many actions are waiting for this board.")
        done = asyncio.get_running_loop().create_future()
        lane.entries.append(Entry(submissions, create, done))
        lane.queued += len(submissions)
        if lane.task is None:
            lane.task = asyncio.create_task(self._drain(key, lane))
        results, reached = await done
        if awaits_commit:
            reached = await self._waits.committed(board, partition, submissions, results)
        return results, reached

    async def close(self) -> None:
        """Waits for the calls in flight, then closes the connections."""
        running = [lane.task for lane in self._lanes.values() if lane.task is not None]
        await asyncio.gather(*running, return_exceptions=True)
        await self._lines.close()

    async def _drain(self, key: tuple[str, Durability, int], lane: Lane) -> None:
        board, durability, _ = key
        line = await self._lines.acquire()
        loop = asyncio.get_running_loop()
        try:
            while lane.entries:
                started = loop.time()
                entries = lane.take()
                await self._deliver(board, durability, entries, line)
                # With many posters, waiting a moment fills the call with more actions, which saves
                # calls. A lone poster is not kept waiting.
                early = started + SPACING - loop.time()
                if len(entries) > 1 and early > 0 and lane.queued < FULL_CALL:
                    await asyncio.sleep(early)
        finally:
            self._lines.release(line)
            lane.task = None
            del self._lanes[key]

    async def _deliver(
        self, board: str, durability: Durability, entries: list[Entry], line: ScriptLine
    ) -> None:
        """Runs one call and gives every entry its part of the answer."""
        submissions = [s for entry in entries for s in entry.submissions]
        line.unsure = False
        try:
            results, reached = await self._call(
                board, durability, submissions, any(entry.create for entry in entries), line
            )
        except ResponseError as error:
            # The script makes all its checks before it writes, so an error has changed nothing.
            log.error("submit_script_failed", board=board, error=str(error))
            refusal = Unavailable("Redis refused the call.")
            _fail(entries, OutcomeUnknown(LOST_REPLY) if line.unsure else refusal)
            return
        except RetryLater as error:
            _fail(entries, OutcomeUnknown(LOST_REPLY) if line.unsure else error)
            return
        except Exception as error:  # noqa: BLE001 - handed to every caller, or they would hang
            _fail(entries, error)
            return
        at = 0
        for entry in entries:
            end = at + len(entry.submissions)
            if not entry.done.done():
                entry.done.set_result((results[at:end], reached))
            at = end

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
        while todo:
            chosen = _first_of_each_user(submissions, todo, most)
            replies, reached = await self._run(
                board, durability, [submissions[i] for i in chosen], create, line
            )
            line.unsure = True  # some of them count now
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
        """Makes one call; prepares it again when the board is cold or its settings have changed."""
        keys = self._keyspace.board(board)
        deadline = asyncio.get_running_loop().time() + COLD_PATIENCE
        while True:
            text, settings = self._settings.get(board) or (b"{}", BoardSettings())
            maker = self._plain if settings.mode == "off" else self._judged
            prepared = await maker.prepare(board, settings, submissions, line)
            rate = settings.rate
            call = submit_scores(
                **keys.written,
                arg_board=board,
                arg_settings=text,
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
                arg_rewrite=b"0" if durability is Durability.REDIS else b"1",
            )
            call.keys.extend(prepared.keys)
            call.args.extend(prepared.args)
            replies = await line.run(
                call,
                *self._waits.command(durability),
                patience=self._waits.patience(durability),
            )
            metrics.script_calls.inc()
            answer = replies[0]
            if answer[0] == COLD:
                await self._warm(board, create, deadline)
            elif answer[0] == SETTINGS:
                self._settings[board] = (answer[1], BoardSettings.from_text(answer[1]))
            elif answer[0] == BACKLOG:
                raise Unavailable(
                    "The write-behind backlog is full; Postgres is behind.", retry_after=5.0
                )
            else:
                results = [parse_reply(reply) for reply in answer]
                return results, self._waits.reached(durability, replies[1:])

    async def _warm(self, board: str, create: bool, deadline: float) -> None:
        """Waits for the board to become live, until ``deadline``; the load goes on even after
        it."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._recovery.ensure(board, create=create)
        except TimeoutError:
            raise Unavailable("The board is being rebuilt.", retry_after=2.0) from None


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


def _fail(entries: Sequence[Entry], error: Exception) -> None:
    for entry in entries:
        if not entry.done.done():
            entry.done.set_exception(error)
