"""The actions that wait for an answer that settles them, and how they are sent."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scoreboard_client.calls import Calls, segment
from scoreboard_client.clocks import Clock
from scoreboard_client.decoding import decoded
from scoreboard_client.errors import Refused, ScoreboardError, TryLater, bad_answer, error_of
from scoreboard_client.journal import Store
from scoreboard_client.types import Accepted, InPeriod

log = logging.getLogger("scoreboard_client")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Action:
    """``points`` for a user, counted once per ``action_id``; ``context`` is what the service's gate
    may look at, as its API names it."""

    board: str
    user_id: str
    action_id: str
    points: int
    context: dict[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """As the API takes it."""
        body = {"userId": self.user_id, "actionId": self.action_id, "points": self.points}
        return body if self.context is None else body | {"context": self.context}

    @classmethod
    def from_store(cls, kept: dict[str, Any]) -> Action:
        """The action that was kept as its body and its board."""
        told = (kept["board"], kept["userId"], kept["actionId"], kept["points"])
        return cls(*told, kept.get("context"))


@dataclass(frozen=True)
class Counted:
    """The action counts. ``duplicate``: an earlier call, whose answer was lost, has counted it.
    Then ``score`` is the total that it led to, and ``rank`` is not told. A board without a table
    of all time tells neither."""

    user_id: str
    action_id: str
    score: int | None = None
    rank: int | None = None
    duplicate: bool = False
    durability: str | None = None
    changed: bool | None = None
    previous: int | None = None
    periods: dict[str, InPeriod] = field(default_factory=dict)


@dataclass(frozen=True)
class Retry:
    """An attempt has failed, and comes again in ``seconds``: of one user's actions, or with
    ``user_id`` None of all that wait for the board."""

    board: str
    user_id: str | None
    error: TryLater
    seconds: float


Outcome = Counted | Refused


class Submission:
    """An action on its way. ``await`` gives what it counted as, and raises Refused when it does not
    count; TryLater when the client was closed before, which leaves it in the store."""

    def __init__(self, number: int, action: Action) -> None:
        self.action = action
        self._number = number
        self._outcome: asyncio.Future[Outcome | TryLater] = asyncio.Future()

    def __await__(self) -> Generator[Any, None, Counted]:
        outcome = yield from asyncio.shield(self._outcome).__await__()
        if isinstance(outcome, ScoreboardError):
            raise outcome
        return outcome

    def _end(self, outcome: Outcome | TryLater) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


class Outbox:
    """Sends what it is given, board by board, in the order in which it came. ``random`` gives
    numbers from 0 to 1."""

    def __init__(
        self,
        calls: Calls,
        store: Store,
        clock: Clock,
        random: Callable[[], float],
        *,
        most: int,
        on_settled: Callable[[Action, Outcome], None] | None,
        on_retry: Callable[[Retry], None] | None,
    ) -> None:
        self._calls = calls
        self._store = store
        self._clock = clock
        self._random = random
        self._most = most
        self._on_settled = on_settled
        self._on_retry = on_retry
        self._lanes: dict[str, _Lane] = {}
        self._number = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False

    def begin(self) -> None:
        """Sends what the store has kept from an earlier life."""
        for number, kept in self._store.load().items():
            self._number = max(self._number, number)
            self._send(Submission(number, Action.from_store(kept)))

    def submit(self, action: Action) -> Submission:
        """Keeps the action and sends it as soon as it can. Raises OSError when it can't be kept,
        TypeError when its context is no JSON."""
        if self._closed:
            raise TryLater("closed", "the client was closed")
        kept = {"board": action.board, **action.body()}
        json.dumps(kept)  # what is no JSON is an error here, and not when it is sent
        self._store.add(self._number + 1, kept)
        self._number += 1
        submission = Submission(self._number, action)
        self._send(submission)
        return submission

    @property
    def waiting(self) -> int:
        """How many actions are not settled."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def flush(self) -> None:
        """Returns when nothing waits any more."""
        await self._empty.wait()

    async def close(self) -> None:
        """Stops sending. What waits stays in the store."""
        self._closed = True
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.task.cancel()
        await asyncio.gather(*(lane.task for lane in lanes), return_exceptions=True)
        for lane in lanes:
            for submission in lane.waiting:
                submission._end(TryLater("closed", "the client was closed before an answer"))
        self._store.close()

    def _send(self, submission: Submission) -> None:
        board = submission.action.board
        lane = self._lanes.get(board)
        if lane is None:
            lane = self._lanes[board] = _Lane(board, self._most)
            lane.task = asyncio.create_task(self._run(lane))
        lane.waiting.append(submission)
        lane.changed.set()
        self._empty.clear()

    async def _run(self, lane: _Lane) -> None:
        while lane.waiting:
            now = self._clock.now()
            batch = lane.ready(now)
            if batch:
                await self._attempt(lane, batch)
            else:
                await self._rest(lane, now)
        del self._lanes[lane.board]
        if not self._lanes:
            self._empty.set()

    async def _rest(self, lane: _Lane, now: float) -> None:
        """Waits for the end of a pause, or for an action that need not wait for it."""
        lane.changed.clear()
        alarm = asyncio.ensure_future(self._clock.sleep_until(lane.rests_until(now)))
        change = asyncio.ensure_future(lane.changed.wait())
        try:
            await asyncio.wait({alarm, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            change.cancel()

    async def _attempt(self, lane: _Lane, batch: Sequence[Submission]) -> None:
        try:
            answers = await self._answers(lane.board, batch)
        except Refused:  # the call as a whole: each action gets an answer of its own in the end
            lane.most = len(batch) // 2
            return
        except TryLater as error:
            self._pause(lane, None, lane.pause, error)
            return
        lane.pause = _Pause()
        lane.most = min(self._most, 2 * lane.most)
        for submission, answer in zip(batch, answers, strict=True):
            self._answered(lane, submission, answer)

    async def _answers(
        self, board: str, batch: Sequence[Submission]
    ) -> list[Counted | ScoreboardError]:
        """What the service says of each action. Raises Refused, TryLater of all together."""
        base = f"/api/boards/{segment(board)}"
        try:
            await asyncio.to_thread(self._store.sync)
        except Exception as error:  # a store of the game's own may raise anything
            raise TryLater("not_kept", f"the store failed: {error}") from error
        if len(batch) == 1:
            try:
                told = await self._calls.call("POST", f"{base}/score", batch[0].action.body())
            except TryLater as error:
                if error.code != "rate_limited":
                    raise
                return [error]
            except Refused as error:
                return [_counted_before(error)]
            return [_counted(told)]
        bodies = [submission.action.body() for submission in batch]
        told = await self._calls.call("POST", f"{base}/scores", {"actions": bodies})
        results = told.get("results") if isinstance(told, dict) else None
        if not isinstance(results, list) or len(results) != len(batch):
            raise bad_answer("not one result for each action", 200)
        return [_result(result) for result in results]

    def _answered(
        self, lane: _Lane, submission: Submission, answer: Counted | ScoreboardError
    ) -> None:
        user = submission.action.user_id
        if isinstance(answer, TryLater):
            self._pause(lane, user, lane.held.setdefault(user, _Pause()), answer)
            return
        assert isinstance(answer, Outcome)
        lane.waiting.remove(submission)
        lane.held.pop(user, None)
        try:
            self._store.drop(submission._number)
        except Exception:  # a store of the game's own may raise anything; the next ones are sent
            log.exception("the store failed to drop an action")
        submission._end(answer)
        self._tell(self._on_settled, submission.action, answer)

    def _pause(self, lane: _Lane, user: str | None, pause: _Pause, error: TryLater) -> None:
        now = self._clock.now()
        if pause.until > now:
            return  # an earlier result of the same call has said so
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**pause.failures)
        seconds = error.retry_after + self._random() * longest
        pause.until = now + seconds
        pause.failures = min(pause.failures + 1, 16)
        self._tell(self._on_retry, Retry(lane.board, user, error, seconds))

    def _tell(self, listener: Callable[..., None] | None, *told: Any) -> None:
        if listener is not None:
            try:
                listener(*told)
            except Exception:
                log.exception("a listener of the client failed")


@dataclass
class _Pause:
    """Nothing is sent before ``until``."""

    until: float = float("-inf")
    failures: int = 0


class _Lane:
    """What waits for one board: one call at a time, of up to ``most`` actions; users in ``held``
    have been told to wait while others go on."""

    task: asyncio.Task[None]

    def __init__(self, board: str, most: int) -> None:
        self.board = board
        self.waiting: list[Submission] = []
        self.most = most
        self.pause = _Pause()
        self.held: dict[str, _Pause] = {}
        self.changed = asyncio.Event()

    def ready(self, now: float) -> list[Submission]:
        """The next actions to send, none while all have to wait."""
        if self.pause.until > now:
            return []
        held = {user for user, pause in self.held.items() if pause.until > now}
        free = (s for s in self.waiting if s.action.user_id not in held)
        return [submission for submission, _ in zip(free, range(self.most), strict=False)]

    def rests_until(self, now: float) -> float:
        """When the first of the pauses that keep actions back ends."""
        if self.pause.until > now:
            return self.pause.until
        return min(pause.until for pause in self.held.values() if pause.until > now)


def _counted(told: Any) -> Counted | ScoreboardError:
    try:
        return Counted(**vars(decoded(Accepted, told)))
    except TryLater as error:
        return error


def _counted_before(error: ScoreboardError) -> Counted | ScoreboardError:
    if error.code != "duplicate_action":
        return error
    try:
        told = decoded(Accepted, error.problem)
    except TryLater as unreadable:
        return unreadable
    return replace(Counted(**vars(told)), duplicate=True)


def _result(result: Any) -> Counted | ScoreboardError:
    status = result.get("status") if isinstance(result, dict) else None
    if not isinstance(status, int):
        return bad_answer("a result without status", 200)
    if 200 <= status < 300:
        return _counted(result)
    return _counted_before(error_of(status, result))
