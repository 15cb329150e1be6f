"""The client of bench/http.py and bench/durable.py: as fast as it can, or at a given rate."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from scripts.load.http1 import Answer
from scripts.load.http_pool import Call, Pool
from scripts.load.open_loop import SECOND, OpenLoop, arrivals
from scripts.load.processes import Process
from scripts.load.requests import Posts, action
from scripts.load.target import Target

CONNECT_TIMEOUT = 10.0
USERS = 10_000
CLOSED_RATE = {False: 25_000, True: 1_500}  # requests made ahead for a second, by: in batches?


@dataclass(frozen=True)
class Load:
    """What to send: ``kind`` names the requests (``requests_of``); ``rate`` a second, or None for
    as fast as ``connections`` can. Posts ask for a ``durability``, or for the service's own. They
    are of so many ``users`` of a ``board``, or of the service's default one."""

    target: Target
    kind: str
    seconds: float
    connections: int = 64
    rate: float | None = None
    seed: int = 1
    durability: str | None = None
    board: str | None = None
    users: int = USERS


@dataclass(frozen=True)
class Outcome:
    """``latencies`` in ns, from the instant that a request was due where there was one;
    ``statuses`` by number; ``unanswered`` were due and had no answer by the end."""

    seconds: float
    latencies: array[int]
    statuses: Counter[int]
    unanswered: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Milliseconds below which ``percent`` of the latencies lie."""
        return float(np.percentile(self.latencies, percent)) / 1e6


async def run(load: Load) -> Outcome:
    """Runs the load in a fresh process. Raises ProcessFailed."""
    async with Process(Client, load) as client:
        await client.call(Client.connect)
        return await client.call(Client.run)


def requests_of(load: Load) -> Iterator[bytes]:
    """The requests of a kind, each action a new one."""
    chance = random.Random(f"{load.seed}-{load.kind}")
    run_id = f"{chance.randrange(16**8):08x}"
    if load.kind in _READS:
        path = f"/api/boards/{load.board or 'global'}/{_READS[load.kind]}"
        if load.kind == "top" and load.board is None:
            path = "/api/score/top"
        request = f"GET {path} HTTP/1.1\r\nHost: {load.target.authority}\r\n\r\n"
        while True:
            yield request.format(one=1 + chance.randrange(load.users - 1)).encode()
    posts = Posts(load.target, load.board, load.durability)
    size = int(load.kind.removeprefix("scores-")) if load.kind.startswith("scores-") else 1
    number = 0
    while True:
        actions = []
        for _ in range(size):
            number += 1
            user = chance.randrange(load.users)
            context = _CONTEXT % (user % 40, user) if load.kind == "score-context" else ""
            actions.append(action(f"user{user}", f"match-{run_id}:{number}", 2, context=context))
        yield posts.one(actions[0]) if size == 1 else posts.many(actions)


# Of one of as many as there are users.
_READS = {
    "top": "top",
    "rank": "rank?score={one}",
    "around": "users/user{one}/around",
    "user": "users/user{one}",
    "standings": "standings?rank={one}&limit=100",
}
_CONTEXT = (
    '{"latitude":%d.5,"longitude":2.25,"country":"FR","deviceId":"phone-%d","userAgent":"Game/3"}'
)


class Client:
    """Makes the requests of a load ahead, so that making them does not take the load's own time,
    then sends them."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = requests_of(load)
        rate = load.rate or CLOSED_RATE[load.kind.startswith("scores-")]
        count = int(load.seconds * rate) + load.connections
        self._prepared = [Call(request, 0) for request in islice(self._requests, count)]
        self._prepared.reverse()
        gc.freeze()
        self._pool = Pool[Call](load.target, load.connections, self._answered, self._lost)
        self._latencies = array("q")
        self._statuses = array("H")
        self._ended = False

    async def connect(self) -> None:
        """Open the connections. Raises TimeoutError."""
        opened = asyncio.Event()
        self._keeping = asyncio.create_task(self._pool.keep(opened))
        await asyncio.wait_for(opened.wait(), CONNECT_TIMEOUT)

    async def run(self) -> Outcome:
        """Send, and tell what came back meanwhile."""
        load = self._load
        started = time.monotonic_ns()
        if load.rate is None:
            for _ in range(load.connections):
                self._submit_next(due=0)
            self._pool.flush()
            await asyncio.sleep(load.seconds)
        else:
            instants = arrivals(int(load.seconds * load.rate), load.seconds, None)
            loop = OpenLoop(instants, lambda _, due, __: self._submit_next(due), self._pool.flush)
            loop.begin(started)
            await loop.ended.wait()
        self._ended = True
        seconds = (time.monotonic_ns() - started) / SECOND
        return Outcome(seconds, self._latencies, Counter(self._statuses), self._pool.unsettled)

    def _submit_next(self, due: int) -> None:
        call = self._prepared.pop() if self._prepared else Call(next(self._requests), 0)
        call.due = due
        self._pool.submit(call)

    def _answered(self, call: Call, answer: Answer, now: int) -> None:
        if self._ended:
            return
        self._latencies.append(now - (call.due or call.sent))
        self._statuses.append(answer.status)
        if self._load.rate is None:
            self._submit_next(due=0)

    def _lost(self, call: Call) -> None:
        if not self._ended:
            self._pool.submit_first(call)
