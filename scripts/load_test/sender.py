"""Game servers in a process of their own: send their share of the calls when they are due, whatever
happens, and ask again until every outcome is known."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import time
from collections import Counter
from typing import NamedTuple

import numpy as np

from scripts.load.http1 import Answer
from scripts.load.http_pool import Pool
from scripts.load.open_loop import SECOND, OpenLoop
from scripts.load.replies import Reply, replies
from scripts.load.target import Target
from scripts.load_test import outcomes
from scripts.load_test.account import Account, SenderReport
from scripts.load_test.outcomes import Verdict
from scripts.load_test.plan import Plan
from scripts.load_test.schedule import ORDINARY, timetable
from scripts.load_test.traffic import Action, ScoreCall, Traffic

LOOK_EVERY = 0.05  # seconds between two looks at timeouts and retries
RETRY_AFTER = 0.2  # seconds, doubled with each try up to a limit
RETRY_LIMIT = 2.0


class Progress(NamedTuple):
    """Latencies in seconds, of the calls finished since this was asked last."""

    ended: bool
    finished: int
    waiting: int
    outcomes: Counter[str]
    p50: float
    p99: float


class Sender:
    """Keeps the timetable of one process and the account of what came of it."""

    def __init__(self, plan: Plan, target: Target, index: int) -> None:
        self._plan = plan
        self._target = target
        self._traffic = Traffic(plan, target, index)
        self._account = Account(plan)
        due, boards = timetable(plan, index)
        self._boards: list[int] = boards.tolist()
        size = -(-plan.connections // plan.senders)
        self._pool = Pool[ScoreCall](target, size, self._answered, self._lost)
        self._loop = OpenLoop(due, self._submit, self._pool.flush)
        self._start = 0
        self._told = 0  # how many finished calls the last progress told of
        self._retries: list[tuple[int, int, ScoreCall]] = []
        self._order = 0  # keeps the heap from comparing calls

    async def connect(self) -> None:
        """Open the connections. Raises ConnectionError."""
        opened = asyncio.Event()
        self._keeping = asyncio.create_task(self._pool.keep(opened))
        try:
            await asyncio.wait_for(opened.wait(), self._plan.timeout)
        except TimeoutError:
            raise ConnectionError(f"can't connect to {self._target.url}") from None

    async def begin(self, start: int) -> None:
        """Have the timetable begin at the monotonic ns ``start``."""
        self._start = start
        self._running = asyncio.create_task(self._run())

    async def progress(self) -> Progress:
        """How far it is."""
        recent = self._account.latencies_since(self._told)
        self._told += len(recent)
        p50, p99 = np.percentile(recent, (50, 99)) / SECOND if len(recent) else (0.0, 0.0)
        return Progress(
            self._running.done(),
            self._account.finished,
            self._unsettled,
            self._account.outcomes,
            float(p50),
            float(p99),
        )

    async def report(self) -> SenderReport:
        """The account, once the timetable has ended and what was left is settled."""
        return await self._running

    async def _run(self) -> SenderReport:
        cpu = time.process_time()
        try:
            await self._keep_timetable()
            cpu = time.process_time() - cpu
            unsettled = await self._settle()
        finally:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        return self._account.report(unsettled, cpu)

    def _answered(self, call: ScoreCall, answer: Answer, now: int) -> None:
        batch = self._traffic.in_batch(call)
        found = replies(answer.status, answer.body, len(call.actions), batch=batch)
        unknown = [
            action
            for action, reply in zip(call.actions, found, strict=True)
            if not self._settled(call, action, reply)
        ]
        if unknown:
            self._traffic.repeat(call, unknown)
            self._try_again(call)
        else:
            self._account.finish(call, self._start, now)

    def _lost(self, call: ScoreCall) -> None:
        """Nobody knows what became of the call."""
        self._account.outcomes[outcomes.NO_ANSWER] += len(call.actions)
        self._try_again(call)

    def _settled(self, call: ScoreCall, action: Action, reply: Reply) -> bool:
        verdict = outcomes.judge(reply, action, retried=call.attempts > 1)
        self._account.outcomes[reply.name] += 1
        if verdict is Verdict.UNKNOWN:
            return False
        if verdict is Verdict.COUNTED:
            call.accepted += 1
            action.score = reply.score
            self._account.count(call.board, action)
            self._traffic.acknowledge(call.board, action)
            if call.probe and reply.score is not None:
                self._account.probe(call, reply.score)
            return True
        if verdict is Verdict.KNOWN:
            call.known += 1
            return True
        call.refused += 1
        if verdict is Verdict.WRONG:
            self._account.violation(outcomes.complaint(reply, action))
        return True

    def _try_again(self, call: ScoreCall) -> None:
        wait = min(RETRY_AFTER * 2 ** min(call.attempts - 1, 8), RETRY_LIMIT)
        at = time.monotonic_ns() + int(wait * (0.5 + random.random()) * SECOND)
        self._order += 1
        heapq.heappush(self._retries, (at, self._order, call))

    async def _keep_timetable(self) -> None:
        end = self._start + int(self._plan.seconds * SECOND)
        self._loop.begin(self._start)
        while (now := time.monotonic_ns()) < end or not self._loop.ended.is_set():
            self._look_after(now)
            await asyncio.sleep(LOOK_EVERY)

    async def _settle(self) -> int:
        """Send what still waits, and ask again for what is unknown. Half of the patience is for
        the backlog of an overloaded server; then what was never sent is given up, with the time
        that it has waited as its latency. Returns how many calls are unknown for good."""
        await self._wait_until_settled(self._plan.patience / 2)
        for call in self._pool.give_up_unsent():
            self._account.outcomes[outcomes.NOT_SENT] += len(call.actions)
            self._account.finish(call, self._start, time.monotonic_ns())
        await self._wait_until_settled(self._plan.patience / 2)
        return self._unsettled

    async def _wait_until_settled(self, seconds: float) -> None:
        """Counts looks, not seconds: while this process stood still no answer could be seen."""
        looks = 0
        while self._unsettled and looks * LOOK_EVERY < seconds:
            looks += 1
            await asyncio.sleep(LOOK_EVERY)
            self._look_after(time.monotonic_ns())

    @property
    def _unsettled(self) -> int:
        return self._pool.unsettled + len(self._retries)

    def _submit(self, number: int, due: int, now: int) -> None:
        board = self._boards[number]
        traffic = self._traffic
        call = traffic.ordinary(due) if board == ORDINARY else traffic.probe(due, board)
        call.lag = now - due
        self._pool.submit(call)

    def _look_after(self, now: int) -> None:
        self._pool.abort_older_than(now - int(self._plan.timeout * SECOND))
        while self._retries and self._retries[0][0] <= now:
            self._pool.submit_first(heapq.heappop(self._retries)[2])
        self._pool.flush()
