"""One process of game servers: sends its share of the calls when they are due, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import signal
import time
from multiprocessing.connection import Connection as Pipe

import numpy as np
import uvloop

from scripts.load.http1 import Answer
from scripts.load.http_pool import Pool
from scripts.load_test import messages, outcomes
from scripts.load_test.account import Account
from scripts.load_test.outcomes import Reply, Verdict
from scripts.load_test.plan import Plan, Target
from scripts.load_test.schedule import ORDINARY, SECOND, timetable
from scripts.load_test.traffic import Action, Call, Requests, Traffic

LOOK_EVERY = 0.05  # seconds between two looks at timeouts and retries
TELL_EVERY = 0.5  # seconds between two messages about the progress
RETRY_AFTER = 0.2  # seconds, doubled with each try up to a limit
RETRY_LIMIT = 2.0


class Sender:
    """Keeps the timetable of one process and the account of what came of it."""

    def __init__(self, plan: Plan, target: Target, index: int, pipe: Pipe) -> None:
        self._plan = plan
        self._pipe = pipe
        self._traffic = Traffic(plan, index)
        self._account = Account(plan)
        due, boards = timetable(plan, index)
        self._due: list[int] = due.tolist()
        self._boards: list[int] = boards.tolist()
        self._next = 0
        self._start = 0
        self._told = 0  # how many finished calls the parent has heard of
        size = -(-plan.connections // plan.senders)
        self._pool = Pool(self, target, Requests(plan, target), size)
        self._retries: list[tuple[int, int, Call]] = []
        self._order = 0  # keeps the heap from comparing calls

    async def run(self) -> None:
        """Connect, wait for the start, keep the timetable, settle what is left, and report."""
        opened = asyncio.Event()
        keeping = asyncio.create_task(self._pool.keep(opened))
        try:
            await asyncio.wait_for(opened.wait(), self._plan.timeout)
            messages.send(self._pipe, messages.Ready())
            start = messages.receive(self._pipe)
            assert isinstance(start, messages.Start)
            self._start = start.at
            cpu = time.process_time()
            await self._keep_timetable()
            self._account.cpu_seconds = time.process_time() - cpu
            await self._settle()
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
        messages.send(self._pipe, self._account.report())

    def answered(self, call: Call, answer: Answer, now: int) -> None:
        """Owner of the pool: take the answer into the account."""
        batch = self._plan.batch > 0 and not call.probe
        replies = outcomes.replies(answer, len(call.actions), batch=batch)
        unknown = [
            action
            for action, reply in zip(call.actions, replies, strict=True)
            if not self._settled(call, action, reply)
        ]
        call.actions = unknown
        if unknown:
            self._try_again(call)
        else:
            self._account.finish(call, self._start, now)

    def lost(self, call: Call) -> None:
        """Owner of the pool: nobody knows what became of the call."""
        self._account.outcomes[outcomes.NO_ANSWER] += len(call.actions)
        self._try_again(call)

    def _settled(self, call: Call, action: Action, reply: Reply) -> bool:
        verdict = outcomes.judge(reply, action, retried=call.attempts > 1)
        self._account.outcomes[outcomes.name_of(reply)] += 1
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

    def _try_again(self, call: Call) -> None:
        wait = min(RETRY_AFTER * 2 ** min(call.attempts - 1, 8), RETRY_LIMIT)
        at = time.monotonic_ns() + int(wait * (0.5 + random.random()) * SECOND)
        self._order += 1
        heapq.heappush(self._retries, (at, self._order, call))

    async def _keep_timetable(self) -> None:
        # The loop's own timers count in milliseconds; an interval timer is exact to some
        # microseconds, on Linux and macOS alike.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGALRM, self._send_what_is_due)
        self._send_what_is_due()
        end = self._start + int(self._plan.seconds * SECOND)
        tell_at = 0
        while (now := time.monotonic_ns()) < end or self._next < len(self._due):
            self._look_after(now)
            if now >= tell_at:
                self._tell()
                tell_at = now + int(TELL_EVERY * SECOND)
            await asyncio.sleep(LOOK_EVERY)
        loop.remove_signal_handler(signal.SIGALRM)

    async def _settle(self) -> None:
        """Send what still waits, and ask again for what is unknown. Half of the patience is for
        the backlog of an overloaded server; then what was never sent is given up, with the time
        that it has waited as its latency."""
        await self._wait_until_settled(self._plan.patience / 2)
        for call in self._pool.give_up_unsent():
            self._account.outcomes[outcomes.NOT_SENT] += len(call.actions)
            self._account.finish(call, self._start, time.monotonic_ns())
        await self._wait_until_settled(self._plan.patience / 2)
        self._account.unsettled = self._unsettled
        self._tell()

    async def _wait_until_settled(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._unsettled and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_EVERY)
            self._look_after(time.monotonic_ns())

    @property
    def _unsettled(self) -> int:
        return self._pool.unsettled + len(self._retries)

    def _send_what_is_due(self) -> None:
        now = time.monotonic_ns()
        while self._next < len(self._due):
            due = self._start + self._due[self._next]
            if due > now:
                wait = (due - time.monotonic_ns()) / SECOND
                signal.setitimer(signal.ITIMER_REAL, max(wait, 1e-6))
                break
            self._submit(due, self._boards[self._next], now)
            self._next += 1
        self._pool.flush()

    def _submit(self, due: int, board: int, now: int) -> None:
        traffic = self._traffic
        call = traffic.ordinary(due) if board == ORDINARY else traffic.probe(due, board)
        call.lag = now - due
        self._pool.submit(call)

    def _look_after(self, now: int) -> None:
        self._pool.abort_older_than(now - int(self._plan.timeout * SECOND))
        while self._retries and self._retries[0][0] <= now:
            self._pool.submit_first(heapq.heappop(self._retries)[2])
        self._pool.flush()

    def _tell(self) -> None:
        recent = self._account.latencies_since(self._told)
        self._told += len(recent)
        p50, p99 = np.percentile(recent, (50, 99)) if len(recent) else (0.0, 0.0)
        messages.send(
            self._pipe,
            messages.SentSoFar(
                finished=self._account.finished,
                waiting=self._unsettled,
                outcomes=dict(self._account.outcomes),
                p50=float(p50) / SECOND,
                p99=float(p99) / SECOND,
            ),
        )


def main(pipe: Pipe, plan: Plan, target: Target, index: int) -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    try:
        uvloop.run(Sender(plan, target, index, pipe).run())
    except TimeoutError:
        messages.send(pipe, messages.Failed(f"can't connect to {target.url}"))
    except (EOFError, ConnectionError):
        pass  # the parent has ended
