"""A closed- or open-loop HTTP client in a process of its own, for scripts/bench/http.py."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop

from scripts.load.http1 import AnswerParser

TICK = 0.001  # seconds; what is due within one is sent together


@dataclass(frozen=True)
class Load:
    """What to send: ``kind`` names the requests (``requests_of``); ``rate`` a second, or None for
    as fast as ``connections`` can."""

    port: int
    token: str
    kind: str
    seconds: float
    connections: int = 64
    rate: float | None = None
    seed: int = 1


@dataclass
class Outcome:
    """``latencies`` in seconds, from the intended send time where there was one; ``statuses`` by
    number."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds below which ``share`` of the latencies lie."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(load: Load) -> Outcome:
    """Runs the load in a fresh process and returns what it saw."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(load, theirs), daemon=True)
    process.start()
    outcome: Outcome = ours.recv()
    process.join()
    return outcome


def requests_of(load: Load) -> Iterator[bytes]:
    """The requests of a kind, each action a new one."""
    chance = random.Random(f"{load.seed}-{load.kind}")
    run_id = f"{chance.randrange(16**8):08x}"
    if load.kind in ("top", "top-known"):
        known = b'If-None-Match: "0"\r\n' if load.kind == "top-known" else b""
        while True:
            yield b"GET /api/score/top HTTP/1.1\r\nHost: b\r\n%b\r\n" % known
    context = load.kind == "score-context"
    size = 1 if context or load.kind == "score" else int(load.kind.removeprefix("scores-"))
    path = "score" if size == 1 else "scores"
    number = 0
    while True:
        actions = []
        for _ in range(size):
            number += 1
            user = chance.randrange(10_000)
            actions.append(
                f'{{"userId":"user{user}","actionId":"match-{run_id}:{number}","points":2'
                + (_CONTEXT % (user % 40, user) if context else "")
                + "}"
            )
        body = actions[0] if size == 1 else f'{{"actions":[{",".join(actions)}]}}'
        yield (
            f"POST /api/{path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {load.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


_CONTEXT = (
    ',"context":{"latitude":%d.5,"longitude":2.25,"country":"FR","deviceId":"phone-%d",'
    '"userAgent":"Game/3"}'
)


class _Client(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, idle: Callable[[_Client], None], outcome: Outcome) -> None:
        self._idle = idle
        self._outcome = outcome
        self._parser = AnswerParser()
        self._since = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, request: bytes, since: float) -> None:
        self._since = since
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        for answer in self._parser.feed(data):
            self._outcome.latencies.append(time.perf_counter() - self._since)
            statuses = self._outcome.statuses
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            self._idle(self)


def _main(load: Load, pipe: Any) -> None:
    pipe.send(uvloop.run(_loaded(load)))


async def _loaded(load: Load) -> Outcome:
    loop = asyncio.get_running_loop()
    outcome = Outcome()
    requests = requests_of(load)
    prepared = [next(requests) for _ in range(_expected(load))]
    prepared.reverse()
    free: list[_Client] = []
    waiting: deque[float] = deque()  # intended send times, newest first
    ended = False

    def idle(client: _Client) -> None:
        if ended:
            return
        if load.rate is None:
            client.send(prepared.pop() if prepared else next(requests), time.perf_counter())
        elif waiting:
            client.send(prepared.pop() if prepared else next(requests), waiting.pop())
        else:
            free.append(client)

    clients = []
    for _ in range(load.connections):
        _, client = await loop.create_connection(
            lambda: _Client(idle, outcome), "127.0.0.1", load.port
        )
        clients.append(client)
    started = time.perf_counter()
    for client in clients:
        idle(client)
    if load.rate is None:
        await asyncio.sleep(load.seconds)
    else:
        for number in range(int(load.seconds * load.rate)):
            due = started + number / load.rate
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(max(pause, TICK))
            waiting.appendleft(due)
            if free:
                idle(free.pop())
    outcome.seconds = time.perf_counter() - started
    ended = True
    return outcome


def _expected(load: Load) -> int:
    """How many requests to make ahead of time, so that making them does not take the load's
    own time."""
    if load.rate is not None:
        return int(load.seconds * load.rate) + load.connections
    batches = load.kind.startswith("scores-")
    return int(load.seconds * (1_500 if batches else 25_000))
