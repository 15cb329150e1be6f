"""The clients of bench/players.py: many WebSockets that follow a player each, and posts."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import numpy as np

from scripts.load.http1 import Answer
from scripts.load.http_pool import Call, Pool
from scripts.load.open_loop import OpenLoop, arrivals
from scripts.load.requests import Posts, action
from scripts.load.target import Target
from scripts.load.websocket import WebSocket, handshake

IN_FLIGHT = 100  # handshakes under way at once
CONNECTIONS = 64
OPENED = 30.0  # seconds
DRAIN = 20.0  # seconds for the last answers

_STANDING, _OVERTAKEN = b'{"type":"standing"', b'{"type":"overtaken"'


def player(number: int) -> str:
    return f"player-{number:07}"


@dataclass
class Told:
    """What came: how many standings and passings, and of each of the former whose, the score, and
    when (monotonic ns)."""

    standings: int = 0
    overtaken: int = 0
    seen: list[tuple[int, int, int]] = field(default_factory=list)


class Watcher(WebSocket):
    def __init__(self, request: bytes, number: int, crowd: Watchers) -> None:
        super().__init__(request)
        self.open = asyncio.Event()
        self._number = number
        self._crowd = crowd

    def received(self, payload: bytes, now: int) -> None:
        told = self._crowd.told
        if payload.startswith(_STANDING):
            told.standings += 1
            start = payload.index(b'"score":') + 8
            score = int(payload[start : payload.index(b",", start)])
            told.seen.append((self._number, score, now))
        elif payload.startswith(_OVERTAKEN):
            told.overtaken += 1
            return
        elif self._crowd.follow:
            return  # the top, before the standing
        self.open.set()


class Watchers:
    """The sockets of one process, of the players with these numbers; without ``follow`` they see
    the top alone."""

    def __init__(self, target: Target, numbers: list[int], *, follow: bool) -> None:
        self._target = target
        self._numbers = numbers
        self.follow = follow
        self.told = Told()

    async def connect(self) -> float:
        """Opens all; seconds it took. Raises TimeoutError."""
        began = time.monotonic()
        self._sockets: list[Watcher] = []
        places = asyncio.Semaphore(IN_FLIGHT)

        async def dial(number: int) -> None:
            async with places:
                query = f"&user={player(number)}" if self.follow else ""
                path = f"/ws/leaderboard?board=global{query}"
                socket = Watcher(handshake(self._target.authority, path), number, self)
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: socket, self._target.host, self._target.port)
                self._sockets.append(socket)
                await asyncio.wait_for(socket.open.wait(), OPENED)

        await asyncio.gather(*map(dial, self._numbers))
        return time.monotonic() - began

    async def report(self) -> Told:
        """What came since the last report."""
        told, self.told = self.told, Told()
        return told


@dataclass
class Posted:
    """``latencies`` in ns from the instant at which a post was due; ``scores`` of each post its
    player, the total that it gave, and when it was due."""

    latencies: array[int]
    scores: list[tuple[int, int, int]]
    refused: int = 0
    unanswered: int = 0


class _Reply(msgspec.Struct):
    score: int


_reply = msgspec.json.Decoder(_Reply)


class _Post(Call):
    __slots__ = ("number",)

    number: int


class Poster:
    """Posts at a rate, of players among so many, a share of them among the watched."""

    def __init__(
        self, target: Target, players: int, watched: list[int], share: float, points: int
    ) -> None:
        self._posts = Posts(target, None)
        self._chance = random.Random(1)
        self._name = secrets.token_hex(4)  # no action may be another's
        self._players, self._watched = players, watched
        self._share, self._points = share, points
        self._sent = self._last = 0
        self._settled = asyncio.Event()
        self._posted = Posted(array("q"), [])
        self._pool = Pool[_Post](target, CONNECTIONS, self._answered, self._pool_lost)

    async def connect(self) -> None:
        """Opens the connections."""
        opened = asyncio.Event()
        self._keeping = asyncio.create_task(self._pool.keep(opened))
        await asyncio.wait_for(opened.wait(), OPENED)

    async def run(self, seconds: float, rate: float) -> Posted:
        """What was answered."""
        self._posted = Posted(array("q"), [])
        instants = arrivals(int(seconds * rate), seconds, np.random.default_rng(1))
        self._settled = asyncio.Event()
        self._last = self._sent + len(instants)
        loop = OpenLoop(instants, lambda _, due, __: self._submit(due), self._pool.flush)
        loop.begin(time.monotonic_ns())
        await loop.ended.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self._settled.wait()
        self._posted.unanswered = self._pool.unsettled
        return self._posted

    def _submit(self, due: int) -> None:
        chance = self._chance
        if chance.random() < self._share:
            number = chance.choice(self._watched)
        else:
            number = chance.randrange(self._players)
        self._sent += 1
        points = chance.randint(1, self._points)
        post = _Post(
            self._posts.one(action(player(number), f"{self._name}:{self._sent}", points)), due
        )
        post.number = number
        self._pool.submit(post)

    def _answered(self, post: _Post, answer: Answer, now: int) -> None:
        self._posted.latencies.append(now - post.due)
        if answer.status == 200:
            score = _reply.decode(answer.body).score
            self._posted.scores.append((post.number, score, post.due))
        else:
            self._posted.refused += 1
        if self._sent == self._last and not self._pool.unsettled:
            self._settled.set()

    def _pool_lost(self, post: _Post) -> None:
        self._pool.submit_first(post)
